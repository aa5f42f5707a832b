"""Shows how far a run is: a bar on a terminal, a line a table elsewhere; threads may call it at once."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dlt.common.runtime.collector import Collector

from .console import Console, plain

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from sources.zoho_crm.reading import Reading


class Progress(Collector):
    """A collector of dlt's that hears of our readings, too. This one shows nothing.

    `update` is called from the threads that read, outside of dlt's steps, with `label` the API; dlt
    itself calls it inside its steps. `done` is called once for each table, when it has been read.
    """

    step = ""

    def update(  # noqa: PLR0913 - dlt's signature
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """Rows have come."""

    def done(self, reading: Reading) -> None:
        """A table has been read, or has not."""

    def close(self) -> None:
        """No more comes."""

    def _start(self, step: str) -> None:
        self.step = step

    def _stop(self) -> None:
        self.step = ""


class LogProgress(Progress):
    """One line a table, when it has been read."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def done(self, reading: Reading) -> None:
        facts = {
            "module": reading.name,
            "table": reading.table,
            "status": reading.status,
            "rows": reading.rows,
            "seconds": round(reading.seconds, 1),
            "api": reading.api,
            "error": reading.error,
        }
        with self._lock:
            self._console.text(done_line(reading))
            self._console.event("read", facts)


class BarProgress(Progress):
    """A line a table while it is read, and one for the step of dlt; a finished table gives its line back."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars: RichProgress = Bars(*columns, console=RichConsole(file=sys.stdout), transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._closed = False

    def update(  # noqa: PLR0913 - dlt's signature
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        shown = plain(f"{name} ({label})" if label else name)
        with self._lock:
            if self._closed:
                return
            self._bars.start()
            if shown not in self._tasks:
                self._tasks[shown] = self._bars.add_task(shown, total=total)
            task = self._tasks[shown]
            if inc_total:
                before = next(t.total for t in self._bars.tasks if t.id == task)
                self._bars.update(task, total=(before or 0) + inc_total)
            self._bars.advance(task, inc)

    def done(self, reading: Reading) -> None:
        with self._lock:
            self._remove([name for name in self._tasks if name.split(" (")[0] == plain(reading.name)])

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._bars.stop()

    def _stop(self) -> None:
        """dlt counts anew in each step, and what was counted is of no more use."""
        super()._stop()
        with self._lock:
            self._remove(list(self._tasks))

    def _remove(self, names: list[str]) -> None:
        for name in names:
            with suppress(KeyError):
                self._bars.remove_task(self._tasks.pop(name))


def done_line(reading: Reading) -> str:
    """`Leads: 1,234 rows in 5.6 s by bulk`, or what went wrong."""
    if reading.status != "read":
        return f"{reading.name}: {reading.status}: {reading.error}"
    return f"{reading.name}: {reading.rows or 0:,} rows in {reading.seconds:.1f} s by {reading.api}"


def choose_progress(wish: str, console: Console) -> Progress:
    """The progress for `--progress`; `auto` is a bar on a terminal and lines elsewhere."""
    kinds: dict[str, Any] = {"off": Progress, "bar": BarProgress, "log": lambda: LogProgress(console)}
    if wish == "auto":
        wish = "bar" if sys.stdout.isatty() and not console.json else "log"
    if wish == "bar" and console.json:
        wish = "log"  # a bar between JSON lines would break them
    chosen: Progress = kinds[wish]()
    return chosen

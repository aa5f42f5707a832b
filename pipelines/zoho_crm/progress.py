"""Shows how far a run is: a bar on a terminal, a line a table elsewhere; threads may call it at once."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from dlt.common.runtime.collector_base import Collector

from .console import Console, plain

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from sources.zoho_crm.reading import Reading


APIS = frozenset({"bulk", "coql", "records", "settings"})  # the labels of readings; dlt has others
LOADING = "Jobs"  # what dlt counts in its step `load`


class Progress(Collector):
    """A collector of dlt's that hears of our readings, too. This one shows nothing.

    `update` is called from the threads that read with the table's name, and the API as label; dlt calls
    it, too, inside its steps. `done` is called once for each table, when it is loaded or has failed.
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
        """A table has been read and loaded, or has failed."""

    def close(self) -> None:
        """No more comes."""

    def _start(self, step: str) -> None:
        self.step = step

    def _stop(self) -> None:
        self.step = ""


class LogProgress(Progress):
    """One line a table, when it has been read and loaded."""

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
    """A line a table while it is read, and one while dlt loads; a table that is whole gives its line back."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bars: RichProgress = Bars(*columns, console=RichConsole(file=sys.stdout), transient=True)
        self._tasks: dict[tuple[str, str], TaskID] = {}  # by name and label
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
        key = (name, label or "")
        with self._lock:
            if self._closed:
                return
            if label not in APIS and name != LOADING:
                self._fold(name)  # dlt has it now, so it is whole
                return
            self._bars.start()
            if key not in self._tasks:
                shown = plain(f"{name} ({label})" if label in APIS else "loading")
                self._tasks[key] = self._bars.add_task(shown, total=total)
            task = self._tasks[key]
            if inc_total:
                before = next(t.total for t in self._bars.tasks if t.id == task)
                self._bars.update(task, total=(before or 0) + inc_total)
            self._bars.advance(task, inc)

    def done(self, reading: Reading) -> None:
        with self._lock:
            self._fold(reading.table)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._bars.stop()

    def _stop(self) -> None:
        super()._stop()
        with self._lock:
            self._fold(LOADING)

    def _fold(self, name: str) -> None:
        for key in [key for key in self._tasks if key[0] == name]:
            self._bars.remove_task(self._tasks.pop(key))


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

"""The live view in a terminal: a line for each table, and the totals below. It stands on `rich.progress`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.progress import Progress as RichProgress
from rich.progress import ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from sources.zoho_crm.client.progress import ProgressCallback
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.sync.tables import Table

from ..console import counted, plain
from ..run.plan_totals import expected_of
from ..run.progress import Progress

if TYPE_CHECKING:
    from sources.zoho_crm.client.context import ClientContext

    from ..run.plan_totals import PlanTotals

Phase = Literal[
    "to come", "asking", "waiting", "downloading", "reading", "read", "loading", "done", "failed", "left out"
]
ENDED: frozenset[Phase] = frozenset({"done", "failed", "left out"})
STYLES = {
    "done": "green",
    "failed": "red",
    "left out": "dim",
    "to come": "dim",
    "waiting": "yellow",
    "loading": "cyan",
    "read": "cyan",
}
STATES = {"ADDED": "queued", "QUEUED": "queued", "IN PROGRESS": "at work", "COMPLETED": "ready"}
# Which tables a small terminal shows first; those under way come second.
RANKS = {"failed": 0, "read": 2, "to come": 3, "done": 4, "left out": 5}
UNDER_WAY = 1
REFRESH_SECONDS = 0.2
FOOTER_LINES = 2
MAX_NAME = 32
MIN_PART, MIN_SECONDS = 0.05, 5.0  # of the work, before the time that is left can be told


@dataclass
class TableState:
    """What a task says of its table beside the rows and times, which are rich's."""

    api: str = ""
    weight: float = 1.0  # seconds that it should take
    id_scan: bool = False  # it is read to be compared, not to be loaded
    phase: Phase = "to come"
    job: str = ""  # the state of Zoho's job, in its words
    pause: str = ""  # what it has waited for longer than usual, and until when
    bytes: int = 0


class TableProgress(RichProgress):
    """A task of rich for each table, in the order in which they are read; threads may call it at once."""

    def __init__(self, console: Console, get_time: Callable[[], float] | None = None) -> None:
        self.context: ClientContext | None = None
        self.remark = ""  # what goes on beside the tables
        self.stopping = False
        self._terminal = console
        self._ids: dict[str, TaskID] = {}
        self.get_time = get_time or console.get_time
        self._began = self.get_time()
        # What is written meanwhile stands above the view; standard error only where it is the terminal, too.
        super().__init__(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stderr=sys.stderr.isatty(),
            get_time=self.get_time,
        )
        self.live.vertical_overflow = "crop"

    def refresh(self) -> None:
        """Left to the thread of `LiveProgress`: who tells of a table must not wait for the terminal, nor for that thread."""

    def expect(self, tables: Sequence[Table]) -> None:
        """These come next; a table that was read already is read once more, in few columns."""
        for table in tables:
            api, total = (table.plan.api, table.plan.rows) if table.plan else ("settings", None)
            # A reading without a watermark is no sync: it has few columns, and every id.
            id_scan = table.plan is not None and table.plan.until is None
            state = TableState(api, expected_of(table).seconds, id_scan)
            self._add(table.table, table.name, total, state)

    def set(self, table: str, phase: Phase, rows: int = 0, size: int = 0, job: str = "") -> None:
        """Note what has come, and where the table is now."""
        with self._lock:
            task = self._task(table)
            state = _state(task)
            self.start_task(task.id)
            self.advance(task.id, rows)
            state.phase, state.job, state.bytes = phase, job, state.bytes + size
            state.pause = "" if phase in ENDED else state.pause
            if (phase in ENDED or phase == "read") and task.stop_time is None:
                self.stop_task(task.id)

    def pause(self, table: str, text: str) -> None:
        """A long wait; an empty text ends it."""
        with self._lock:
            _state(self._task(table)).pause = text

    def _task(self, table: str) -> Task:
        if table not in self._ids:
            self._add(table, table, None, TableState())
        return self._tasks[self._ids[table]]

    def _add(self, table: str, name: str, total: int | None, state: TableState) -> None:
        with self._lock:
            if table not in self._ids:
                self._ids[table] = self.add_task(plain(name), start=False, total=total, state=state)
                return
            task = self._tasks[self._ids[table]]  # keeps its place
            self.reset(task.id, start=False, description=plain(name), state=state)
            task.total, task.stop_time = total, None

    # --- What is seen ---

    def get_renderables(self) -> Iterable[RenderableType]:
        """Never more lines than the terminal has, and none longer."""
        size, tasks = self._terminal.size, self.tasks
        width = max(1, size.width - 1)  # a letter in the last column makes some terminals begin a new line
        room = max(0, size.height - 1 - FOOTER_LINES)
        shown = choose(tasks, room)
        self.columns = columns_for(tasks, width)
        lines: list[RenderableType] = [self.make_tasks_table(shown)] if shown else []
        if len(shown) < len(tasks) and room:
            lines.append(_line(_rest(tasks, shown), "dim"))
        footer = self._footer(tasks)
        if size.height <= FOOTER_LINES:
            footer = footer[1:] if self.stopping else footer[:1]
        yield Constrain(Group(*lines, *footer), width)

    def _footer(self, tasks: Sequence[Task]) -> list[Text]:
        """What is done of all, and what it cost; below, what goes on."""
        seconds, rows = self.get_time() - self._began, int(sum(task.completed for task in tasks))
        failed = sum(_state(task).phase == "failed" for task in tasks)
        parts = [f"{sum(_state(t).phase in ENDED for t in tasks):,} of {len(tasks):,} done"] if tasks else []
        parts += [f"{failed:,} failed"] if failed else []
        parts += [counted(rows, "row"), _rate(rows, seconds)] if rows else []
        if self.context is not None:
            left = self.context.credits_remaining
            parts.append(
                counted(self.context.spent, "credit")
                + (f" ({left:,} left today)" if left is not None else "")
            )
        remaining = seconds_left(tasks, seconds)
        parts += [
            str(timedelta(seconds=int(seconds))),
            f"about {rough(remaining)} left" if remaining is not None else "",
        ]
        totals = _line(" · ".join(part for part in parts if part), "bold red" if failed else "bold")
        if self.stopping:
            stopping = "Stopping: what is being loaded is finished first. Ctrl-C again kills at once."
            return [totals, _line(stopping, "bold red")]
        paused = next((f"{t.description}: {_state(t).pause}" for t in tasks if _state(t).pause), "")
        remark = plain(self.remark or paused) or "Ctrl-C stops; the next run goes on from there."
        return [totals, _line(remark, "dim")]


class Cell(ProgressColumn):
    """A column of texts, none of which is ever wrapped."""

    def __init__(
        self, text: Callable[[Task], str], style: Callable[[Task], str] | str, width: int, **column: Any
    ) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis", width=width, **column))
        self.width, self._text, self._style = width, text, style

    def render(self, task: Task) -> Text:
        style = self._style if isinstance(self._style, str) else self._style(task)
        return Text(self._text(task), style)


def columns_for(tasks: Sequence[Task], width: int) -> tuple[Cell, ...]:
    """Name, phase, rows of the expected, rows a second, elapsed, API; the last ones go where there is no room.

    Widths come from all tables, and from what they are going to hold, so that columns stay where they are.
    """
    names = max((cell_len(task.description) for task in tasks), default=0)
    rows = max((len(_counted_of(task.total or task.completed, task.total)) for task in tasks), default=0)
    columns = [
        Cell(
            lambda task: task.description,
            lambda task: "bold" if _is_under_way(task) else "",
            min(names, MAX_NAME, max(8, width // 3)),
        ),
        Cell(_phase, lambda task: STYLES.get(_state(task).phase, ""), 20),
        Cell(_rows, "", max(8, rows), justify="right"),
        Cell(lambda task: _rate(task.completed, task.elapsed or 0), "dim", 9, justify="right"),
        Cell(
            lambda task: str(timedelta(seconds=int(task.elapsed or 0))) if task.started else "",
            "dim",
            8,
            justify="right",
        ),
        Cell(lambda task: f" {_state(task).api}", "dim", 9),
    ]
    while len(columns) > 2 and sum(column.width + 1 for column in columns) - 1 > width:
        columns.pop()
    return tuple(columns)


def choose(tasks: Sequence[Task], room: int) -> list[Task]:
    """As many as there is room for: what failed and what is under way before what comes and what is done.

    They keep their order, so that a line does not jump. The last place tells how many are not shown.
    """
    if len(tasks) <= room:
        return list(tasks)
    order = sorted(range(len(tasks)), key=lambda n: (RANKS.get(_state(tasks[n]).phase, UNDER_WAY), n))
    return [tasks[n] for n in sorted(order[: max(0, room - 1)])]


def seconds_left(tasks: Sequence[Task], seconds: float) -> float | None:
    """How long the rest should take at the pace so far; None where nobody can tell.

    Tables weigh by the seconds that they were expected to take. A table without a count tells nothing until
    it is done. (rich estimates by the last steps, but rows of Bulk Read come at once after a long wait.)
    """
    whole = sum(_state(task).weight for task in tasks)
    done = sum(_state(task).weight * _part(task) for task in tasks)
    if not whole or seconds < MIN_SECONDS or done / whole < MIN_PART or done >= whole:
        return None
    return float(seconds * (whole - done) / done)


def _part(task: Task) -> float:
    """How much of it is done, from 0 to 1, as far as rows tell."""
    if _state(task).phase in ENDED:
        return 1.0
    return min(1.0, task.completed / task.total) if task.total else 0.0


def _state(task: Task) -> TableState:
    state: TableState = task.fields["state"]
    return state


def _is_under_way(task: Task) -> bool:
    return _state(task).phase not in RANKS


def _rest(tasks: Sequence[Task], shown: Sequence[Task]) -> str:
    seen = {task.id for task in shown}
    phases = [_state(task).phase for task in tasks if task.id not in seen]
    ended, coming = sum(phase in ENDED for phase in phases), phases.count("to come")
    parts = [(ended, "done"), (coming, "to come"), (len(phases) - ended - coming, "under way")]
    return f"and {len(phases):,} more: {', '.join(f'{count:,} {what}' for count, what in parts if count)}"


def _phase(task: Task) -> str:
    state = _state(task)
    if state.phase == "waiting":
        return f"Zoho: {STATES.get(state.job, plain(state.job.lower()))}"
    if state.phase == "downloading":
        return f"downloading {state.bytes / 1e6:,.1f} MB"
    if state.phase == "read":
        return "waiting to compare" if state.id_scan else "waiting to load"
    return state.phase


def _rows(task: Task) -> str:
    if _state(task).phase == "to come":
        return counted(int(task.total), "row") if task.total is not None else ""
    ended = _state(task).phase in ENDED or task.completed > (task.total or 0)
    return _counted_of(task.completed, None if ended else task.total)


def _counted_of(rows: float, total: float | None) -> str:
    return counted(int(rows), "row") if total is None else f"{int(rows):,} of {int(total):,}"


def _rate(rows: float, seconds: float) -> str:
    return f"{rows / seconds:,.0f}/s" if rows > 0 and seconds >= 0.5 else ""


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def rough(seconds: float) -> str:
    """No more exact than anybody can know."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


@dataclass
class _Watch(ProgressCallback):
    """What the thread that reads a table calls."""

    display: TableProgress
    table: str

    def rows(self, count: int) -> None:
        self.display.set(self.table, "reading", rows=count)

    def waits(self, state: str) -> None:
        self.display.set(self.table, "waiting", job=state)

    def downloads(self, size: int) -> None:
        self.display.set(self.table, "downloading", size=size)

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        self.display.pause(self.table, "" if "waited" in facts else text)
        return True


@dataclass
class _Remarks(ProgressCallback):
    """Long waits of calls that belong to no table, below the tables."""

    live: LiveProgress

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        self.live.display.remark = "" if "waited" in facts else text
        return self.live.shown


class LiveProgress(Progress):
    """Shows the tables. A thread of its own refreshes the view, so that no reading waits for a terminal."""

    def __init__(self, console: Console | None = None, get_time: Callable[[], float] | None = None) -> None:
        self.display = TableProgress(console or Console(file=sys.stdout), get_time)
        self._size = self.display.console.size
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._refresh_until_closed, name="live", daemon=True)

    def follow(self, context: ClientContext) -> None:
        self.display.context = context

    @property
    def shown(self) -> bool:
        return self._thread.ident is not None and not self._closed.is_set()

    def remark(self, text: str) -> None:
        self.display.remark = text
        if not self._thread.ident and not self._closed.is_set():
            self.display.start()
            self._thread.start()

    def start(self, expectation: PlanTotals) -> None:
        self.remark("")

    def expect(self, tables: Sequence[Table]) -> None:
        self.display.expect(tables)
        self.remark("")

    def watch(self, table: Table) -> ProgressCallback:
        self.display.set(table.table, "asking")
        return _Watch(self.display, table.table)

    def waits(self) -> ProgressCallback:
        return _Remarks(self)

    def read(self, reading: ExtractResult) -> None:
        self.display.set(reading.table, "read")

    def loading(self, readings: Sequence[ExtractResult]) -> None:
        for reading in readings:
            if reading.status == "read":
                self.display.set(reading.table, "loading")

    def done(self, reading: ExtractResult) -> None:
        ends: dict[str, Phase] = {"read": "done", "failed": "failed"}
        self.display.set(reading.table, ends.get(reading.status, "left out"))

    def stopping(self) -> None:
        self.display.stopping = True

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._thread.ident:
            self._thread.join(5 * REFRESH_SECONDS)  # a terminal that is held (Ctrl-S) holds the thread
            self.display.live.stop()

    def _refresh_until_closed(self) -> None:
        while not self._closed.wait(REFRESH_SECONDS):
            with suppress(OSError, ValueError):  # the terminal is gone; the run goes on
                self._refresh()

    def _refresh(self) -> None:
        """After a change of size nobody knows where the lines went, so the view begins on an empty screen."""
        console = self.display.console
        if console.size != self._size:
            self._size = console.size
            self.display.live.stop()
            console.clear()
            self.display.live.vertical_overflow = "crop"
            self.display.live.start()
        self.display.live.refresh()

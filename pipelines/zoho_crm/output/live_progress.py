"""The live view in a terminal: a line for each table, and the totals below."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
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
OVER: frozenset[Phase] = frozenset({"done", "failed", "left out"})
IDLE: frozenset[Phase] = frozenset({"to come"})
ENOUGH = 0.05  # of the work, before the time that is left can be told
EARLY = 5.0  # seconds


@dataclass
class Line:
    """One table."""

    name: str
    api: str
    expected: int | None = None  # rows, by Zoho's count
    weight: float = 1.0  # seconds that it should take
    id_scan: bool = False  # it is read to be compared, not to be loaded
    phase: Phase = "to come"
    state: str = ""  # of Zoho's job, in its words
    pause: str = ""  # what it has waited for longer than usual, and until when
    rows: int = 0
    bytes: int = 0
    began: float | None = None
    ended: float | None = None

    def seconds(self, now: float) -> float:
        return 0.0 if self.began is None else (self.ended or now) - self.began

    def part(self) -> float:
        """How much of it is done, from 0 to 1, as far as rows tell."""
        if self.phase in OVER:
            return 1.0
        return min(1.0, self.rows / self.expected) if self.expected else 0.0


class ProgressState:
    """The lines in the order in which they will be read; threads share it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.began = now()
        self.remark = ""  # what goes on beside the tables
        self.stopping = False
        self._lines: dict[str, Line] = {}
        # Reentrant: Ctrl-C may come while the main thread holds it.
        self._lock = threading.RLock()

    def expect(self, tables: Sequence[Table]) -> None:
        """These come next; a table that was read already is read once more, in few columns."""
        with self._lock:
            for table in tables:
                api, rows = (table.plan.api, table.plan.rows) if table.plan else ("settings", None)
                # A reading without a watermark is no sync: it has few columns, and every id.
                id_scan = table.plan is not None and table.plan.until is None
                self._lines[table.table] = Line(table.name, api, rows, expected_of(table).seconds, id_scan)

    def watch(self, table: str) -> ProgressCallback:
        """What the thread that reads a table calls."""
        self.set(table, "asking")
        return _Watch(self, table)

    def set(self, table: str, phase: Phase, rows: int = 0, size: int = 0, state: str = "") -> None:
        """Note what has come, and where the table is now."""
        with self._lock:
            line = self._lines.setdefault(table, Line(table, ""))
            now = self.now()
            line.phase, line.state = phase, state
            line.pause = "" if phase in OVER else line.pause
            line.rows += rows
            line.bytes += size
            line.began = now if line.began is None else line.began
            if phase in OVER or phase == "read":
                line.ended = line.ended or now

    def pause(self, table: str, text: str) -> None:
        """A long wait; an empty text ends it."""
        with self._lock:
            self._lines.setdefault(table, Line(table, "")).pause = text

    def done(self, reading: ExtractResult) -> None:
        """It has been read and loaded, or has failed."""
        phase: Phase = {"read": "done", "failed": "failed"}.get(reading.status, "left out")  # type: ignore[assignment]
        self.set(reading.table, phase)

    def lines(self) -> list[Line]:
        """A copy, which no thread changes."""
        with self._lock:
            return [replace(line) for line in self._lines.values()]

    def seconds(self) -> float:
        return self.now() - self.began


@dataclass
class _Watch(ProgressCallback):
    board: ProgressState
    table: str

    def rows(self, count: int) -> None:
        self._set("reading", rows=count)

    def waits(self, state: str) -> None:
        self._set("waiting", state=state)

    def downloads(self, size: int) -> None:
        self._set("downloading", size=size)

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        self.board.pause(self.table, "" if "waited" in facts else text)
        return True

    def _set(self, phase: Phase, rows: int = 0, size: int = 0, state: str = "") -> None:
        self.board.set(self.table, phase, rows, size, state)


def seconds_left(lines: Sequence[Line], seconds: float) -> float | None:
    """How long the rest should take at the pace so far; None where nobody can tell.

    Tables weigh by the seconds that they were expected to take. A table without a count tells nothing until
    it is done.
    """
    whole = sum(line.weight for line in lines)
    done = sum(line.weight * line.part() for line in lines)
    if not whole or seconds < EARLY or done / whole < ENOUGH or done >= whole:
        return None
    return seconds * (whole - done) / done


FOOTER = 2  # lines
WIDEST_NAME = 32
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


def screen(board: ProgressState, context: ClientContext | None, size: ConsoleDimensions) -> RenderableType:
    """The view for a terminal of this size; never more lines than it has, and none longer."""
    width = max(1, size.width - 1)  # a letter in the last column makes some terminals begin a new line
    lines, now = board.lines(), board.now()
    room = max(0, size.height - 1 - FOOTER)
    shown = choose(lines, room)
    rows = _rows_of(shown, lines, now, width)
    if len(shown) < len(lines) and room:
        rows.append(Text(_rest(lines, shown), "dim"))
    rows += _footer(board, lines, context)
    if size.height <= FOOTER:
        rows = rows[-1:] if board.stopping else rows[-2:-1]
    for row in rows:
        row.truncate(width, overflow="ellipsis")
        row.no_wrap = True
    return Group(*rows)


def choose(lines: Sequence[Line], room: int) -> list[Line]:
    """As many as there is room for: what failed and what is under way before what comes and what is done.

    They keep their order, so that a line does not jump. The last place tells how many are not shown.
    """
    if len(lines) <= room:
        return list(lines)
    ranks = {"failed": 0, "read": 2, "to come": 3, "done": 4, "left out": 5}
    order = sorted(range(len(lines)), key=lambda n: (ranks.get(lines[n].phase, 1), n))
    return [lines[n] for n in sorted(order[: max(0, room - 1)])]


def _rest(lines: Sequence[Line], shown: Sequence[Line]) -> str:
    seen = {id(line) for line in shown}
    hidden = [line for line in lines if id(line) not in seen]
    over = sum(line.phase in OVER for line in hidden)
    coming = sum(line.phase == "to come" for line in hidden)
    parts = [(over, "done"), (coming, "to come"), (len(hidden) - over - coming, "under way")]
    told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    return f"and {len(hidden):,} more: {told}"


def _rows_of(shown: Sequence[Line], lines: Sequence[Line], now: float, width: int) -> list[Text]:
    """Name, phase, rows of the expected, rows a second, elapsed, API; the last ones go where there is no room.

    Widths come from all lines, and from what they are going to hold, so that columns stay where they are.
    """
    names = max((cell_len(plain(line.name)) for line in lines), default=0)
    whole = max((len(_counted_of(line.expected or line.rows, line.expected)) for line in lines), default=0)
    widths = [min(names, WIDEST_NAME, max(8, width // 3)), 20, max(8, whole), 9, 6, 8]
    while len(widths) > 2 and sum(widths) + 2 * (len(widths) - 1) > width:
        widths.pop()
    return [_row(line, now, widths) for line in shown]


def _row(line: Line, now: float, widths: Sequence[int]) -> Text:
    seconds = line.seconds(now)
    elapsed = clock(seconds) if line.began is not None else ""
    cells = (plain(line.name), _phase(line), _rows(line), _rate(line.rows, seconds), elapsed, line.api)
    styles = ("bold" if _busy(line) else "", STYLES.get(line.phase, ""), "", "dim", "dim", "dim")
    text = Text()
    for number, (cell, style, width) in enumerate(zip(cells, styles, widths, strict=False)):
        cell = cell.rjust(width) if number in (2, 3, 4) else set_cell_size(cell, width)
        text.append("  " if number else "").append(cell, style)
    return text


def _busy(line: Line) -> bool:
    return line.phase not in OVER and line.phase not in ("to come", "read")


def _phase(line: Line) -> str:
    if line.phase == "waiting":
        return f"Zoho: {STATES.get(line.state, plain(line.state.lower()))}"
    if line.phase == "downloading":
        return f"downloading {line.bytes / 1e6:,.1f} MB"
    if line.phase == "read":
        return "waiting to compare" if line.id_scan else "waiting to load"
    return line.phase


def _rows(line: Line) -> str:
    if line.phase == "to come":
        return counted(line.expected, "row") if line.expected is not None else ""
    if line.expected is None or line.phase in OVER or line.rows > line.expected:
        return counted(line.rows, "row")
    return _counted_of(line.rows, line.expected)


def _counted_of(rows: int, expected: int | None) -> str:
    return counted(rows, "row") if expected is None else f"{rows:,} of {expected:,}"


def _rate(rows: int, seconds: float) -> str:
    return f"{rows / seconds:,.0f}/s" if rows > 0 and seconds >= 0.5 else ""


def _footer(board: ProgressState, lines: Sequence[Line], context: ClientContext | None) -> list[Text]:
    """What is done of all, and what it cost; below, what goes on."""
    seconds, rows = board.seconds(), sum(line.rows for line in lines)
    over, lost = sum(line.phase in OVER for line in lines), sum(line.phase == "failed" for line in lines)
    parts = [f"{over:,} of {len(lines):,} done"] if lines else []
    parts += [f"{lost:,} failed"] if lost else []
    parts += [counted(rows, "row"), _rate(rows, seconds)] if rows else []
    if context is not None:
        left = context.credits_remaining
        parts.append(
            counted(context.spent, "credit") + (f" ({left:,} left today)" if left is not None else "")
        )
    remaining = seconds_left(lines, seconds)
    parts += [clock(seconds), f"about {rough(remaining)} left" if remaining is not None else ""]
    sums = Text(" · ".join(part for part in parts if part), "bold red" if lost else "bold")
    if board.stopping:
        word = Text(
            "Stopping: what is being loaded is finished first. Ctrl-C again kills at once.", "bold red"
        )
    else:
        paused = next((f"{line.name}: {line.pause}" for line in lines if line.pause), "")
        word = Text(plain(board.remark or paused) or "Ctrl-C stops; the next run goes on from there.", "dim")
    return [sums, word]


def clock(seconds: float) -> str:
    """`0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough(seconds: float) -> str:
    """No more exact than anybody can know."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


EVERY = 0.2  # seconds


class _Remarks(ProgressCallback):
    """Long waits of calls that belong to no table, below the tables."""

    def __init__(self, live: LiveProgress) -> None:
        self._live = live

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        self._live.board.remark = "" if "waited" in facts else text
        return self._live.shown


class LiveProgress(Progress):
    """Keeps a board and shows it. The painter is a thread of its own, so that no reading waits for a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout)
        self.board = ProgressState()
        self._context: ClientContext | None = None
        # What is written meanwhile stands above the view; standard error only where it is the terminal, too.
        self._live = Live(
            console=self.console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
            redirect_stderr=sys.stderr.isatty(),
            get_renderable=lambda: screen(self.board, self._context, self.console.size),
        )
        self._size = self.console.size
        self._closed = threading.Event()
        self._render_thread = threading.Thread(target=self._paint, name="live", daemon=True)

    def follow(self, context: ClientContext) -> None:
        self._context = context

    @property
    def shown(self) -> bool:
        return self._render_thread.ident is not None and not self._closed.is_set()

    def remark(self, text: str) -> None:
        self.board.remark = text
        if not self._render_thread.ident and not self._closed.is_set():
            self._live.start()
            self._render_thread.start()

    def start(self, expectation: PlanTotals) -> None:
        self.remark("")

    def expect(self, tables: Sequence[Table]) -> None:
        self.board.expect(tables)
        self.remark("")

    def watch(self, table: Table) -> ProgressCallback:
        return self.board.watch(table.table)

    def waits(self) -> ProgressCallback:
        return _Remarks(self)

    def read(self, reading: ExtractResult) -> None:
        self.board.set(reading.table, "read")

    def loading(self, readings: Sequence[ExtractResult]) -> None:
        for reading in readings:
            if reading.status == "read":
                self.board.set(reading.table, "loading")

    def done(self, reading: ExtractResult) -> None:
        self.board.done(reading)

    def stopping(self) -> None:
        self.board.stopping = True

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._render_thread.ident:
            self._render_thread.join(5 * EVERY)  # a terminal that is held (Ctrl-S) holds the painter
            self._live.stop()

    def _paint(self) -> None:
        while not self._closed.wait(EVERY):
            with suppress(OSError, ValueError):  # the terminal is gone; the run goes on
                self._paint_once()

    def _paint_once(self) -> None:
        """After a change of size nobody knows where the lines went, so the view begins on an empty screen."""
        if self.console.size != self._size:
            self._size = self.console.size
            self._live.stop()
            self.console.clear()
            self._live.start()
        self._live.refresh()

"""What the live view shows: as many tables as fit, those under way first, and a footer that sums up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import ConsoleDimensions, Group, RenderableType
from rich.text import Text

from .board import OVER, Board, Line, seconds_left
from .console import counted, plain

if TYPE_CHECKING:
    from sources.zoho_crm.door import Door

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


def screen(board: Board, door: Door | None, size: ConsoleDimensions) -> RenderableType:
    """The view for a terminal of this size; never more lines than it has, and none longer."""
    width = max(1, size.width - 1)  # a letter in the last column makes some terminals begin a new line
    lines, now = board.lines(), board.now()
    room = max(0, size.height - 1 - FOOTER)
    shown = choose(lines, room)
    rows = _rows_of(shown, lines, now, width)
    if len(shown) < len(lines) and room:
        rows.append(Text(_rest(lines, shown), "dim"))
    rows += _footer(board, lines, door)
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
        return "waiting to compare" if line.thin else "waiting to load"
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


def _footer(board: Board, lines: Sequence[Line], door: Door | None) -> list[Text]:
    """What is done of all, and what it cost; below, what goes on."""
    seconds, rows = board.seconds(), sum(line.rows for line in lines)
    over, lost = sum(line.phase in OVER for line in lines), sum(line.phase == "failed" for line in lines)
    parts = [f"{over:,} of {len(lines):,} done"] if lines else []
    parts += [f"{lost:,} failed"] if lost else []
    parts += [counted(rows, "row"), _rate(rows, seconds)] if rows else []
    if door is not None:
        left = door.credits_remaining
        parts.append(counted(door.spent, "credit") + (f" ({left:,} left today)" if left is not None else ""))
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

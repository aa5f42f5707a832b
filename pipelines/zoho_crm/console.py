"""Writes to standard output, for a person or as JSON lines; a table is never cut."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from .safe_text import redact
from .streams import printing

NUMBER = re.compile(r"(\* )?[\d,.]*")  # with the mark of a count that differs
LAST = frozenset({"summary", "error"})  # the events of a quiet command
WORDY, WRAPPED = (
    frozenset({"reason", "why not", "why not, or how"}),
    28,
)  # columns of sentences, and how narrow they may get
GAP = 3  # blanks between two columns of a table
ROOM_FOR_A_TABLE = 100  # columns; with less, or without a terminal, a table is aligned lines


class Console:
    """`text` and `table` speak to a person, `event` to a program; the format chooses who listens.

    A quiet one tells a person only what is `marked` and matters. A silent one says nothing: the command writes
    a document of its own.
    """

    def __init__(self, log_format: str = "text", *, quiet: bool = False, silent: bool = False) -> None:
        self.json = log_format == "json"
        self.quiet = quiet or silent
        self._silent = silent

    def text(self, line: str = "") -> None:
        if not self.quiet:
            self.last(line)

    def last(self, line: str) -> None:
        """The line that sums up, which a quiet command says, too."""
        if not self.json and not self._silent:
            self._write(plain(line))

    def marked(self, sign: str, colour: str, line: str, *, matters: bool) -> None:
        """A line with a sign before it, which has its colour on a terminal, unless NO_COLOR is set."""
        if self.json or self._silent or (self.quiet and not matters):
            return
        if sys.stdout.isatty():
            _rich_line(sign, colour, plain(line))
        else:
            self._write(sign + plain(line))

    def sign(self, sign: str, other: str) -> str:
        """The sign, or the other one where the output cannot spell it."""
        try:
            sign.encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            return other
        return sign

    def event(self, name: str, facts: Mapping[str, Any], *, matters: bool = False) -> None:
        """An object in a line of its own; a quiet command gives the last one, and those that matter."""
        if self.json and not self._silent and (not self.quiet or matters or name in LAST):
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
            told = {"event": name, "time": now, **facts}
            self._write(json_text(told))

    def paragraph(self, title: str, lines: Sequence[str]) -> None:
        """A title and its lines; nothing without lines."""
        if lines:
            self.text()
            self.text(f"{title}:")
        for line in lines:
            self.text(f"  {line}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], spare: Sequence[str] = ()) -> None:
        """Numbers stand on the right; None is an empty cell.

        On a terminal that has no room for all columns the `spare` ones go, the first one first.
        """
        if self.json or self.quiet:
            return
        cells = [[_cell(value) for value in row] for row in rows]
        room = terminal_width()
        if room >= ROOM_FOR_A_TABLE:
            kept = fitting(columns, cells, spare, room)
            columns, cells = [columns[i] for i in kept], [[row[i] for i in kept] for row in cells]
        right = [all(NUMBER.fullmatch(row[i]) for row in cells) for i in range(len(columns))]
        if room >= ROOM_FOR_A_TABLE:
            _rich_table(columns, cells, right)
        else:
            for line in aligned([list(columns), *cells], right):
                self._write(line)

    def _write(self, line: str) -> None:
        with printing():
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def fitting(
    columns: Sequence[str], cells: Sequence[Sequence[str]], spare: Sequence[str], room: int
) -> list[int]:
    """Which columns a terminal has room for, where those of many words may be wrapped."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, (name, *(row[i] for row in cells)))) for i, name in enumerate(columns)]
    needed = [GAP + (min(w, WRAPPED) if columns[i] in WORDY else w) for i, w in enumerate(widths)]
    kept = list(range(len(columns)))
    for name in spare:
        if sum(needed[i] for i in kept) > room:
            kept.remove(list(columns).index(name))
    return kept


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Rows of cells as lines, two blanks between the columns."""
    from rich.cells import cell_len  # a Chinese letter is two columns wide

    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(right))]
    lines = []
    for row in rows:
        parts = []
        for cell, width, to_right in zip(row, widths, right, strict=True):
            blanks = " " * (width - cell_len(cell))
            parts.append(blanks + cell if to_right else cell + blanks)
        lines.append("  ".join(parts).rstrip())
    return lines


def plain(text: str) -> str:
    """One line without secrets, and with escape codes for what would move a terminal's cursor."""
    return redact(" ".join(re.split(r"[\n\t]", text)))


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON without secrets, and without raw control characters."""
    return redact(json.dumps(value, ensure_ascii=False, default=str, indent=indent))


def counted(number: int, noun: str) -> str:
    """`1 table`, `2,000 tables`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def terminal_width() -> int:
    """The columns of the terminal; 0 without one."""
    if not sys.stdout.isatty():
        return 0
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout).width


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.1f}"
    return plain(f"{value:,}" if isinstance(value, int) else str(value))


def _rich_line(sign: str, colour: str, line: str) -> None:
    from rich.console import Console as RichConsole
    from rich.text import Text

    with printing():
        RichConsole(file=sys.stdout).print(
            Text.assemble((sign, colour), line), soft_wrap=True, highlight=False
        )


def _rich_table(columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, to_right in zip(columns, right, strict=True):
        side: Literal["right", "left"] = "right" if to_right else "left"
        words = name in WORDY or not WORDY & set(columns)  # where no sentence gives way, every column does
        table.add_column(name, justify=side, overflow="fold", no_wrap=not words)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name in [brackets] is no markup
    with printing():
        RichConsole(file=sys.stdout).print(table)

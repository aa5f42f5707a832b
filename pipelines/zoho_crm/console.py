"""Writes to standard output, for a person or as JSON lines; no cell is ever cut.

A terminal gets no line that is longer than it is wide; a file or a pipe gets whole lines and every column.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from .safe_text import redact
from .streams import printing
from .wrapping import columns_of, wrapped

NUMBER = re.compile(r"(\* )?[\d,.]*")  # with the mark of a count that differs
LAST = frozenset({"summary", "error"})  # the events of a quiet command
WORDY, WRAPPED = (
    frozenset({"reason", "why not", "why not, or how", "message"}),
    28,
)  # columns of sentences, and how narrow they may get
GAP = 2  # blanks between two columns of a table
HANGING = 16  # columns before the words of a marked line: its sign, and a name of twelve letters
MARK = "* "  # of a count that differs
# Of cells; yellow cannot be read on a light terminal.
STYLES = {"failed": "bold red", "failing": "bold red", "differs": "bold", "stale": "bold"}


class Console:
    """`text` and `table` speak to a person, `event` to a program; the format chooses who listens.

    A quiet one tells a person only what is `marked` and matters. A silent one says nothing: the command writes
    a document of its own. A verbose one tells a person on a terminal all that a file would get.
    """

    def __init__(
        self, log_format: str = "text", *, quiet: bool = False, silent: bool = False, verbose: bool = False
    ) -> None:
        self.json = log_format == "json"
        self.quiet = quiet or silent
        self.verbose = verbose
        self._silent = silent

    @property
    def brief(self) -> bool:
        """Whether somebody looks on who wants to see in a moment what is new."""
        return not self.verbose and terminal_width() > 0

    def text(self, line: str = "", *, whole: bool = False) -> None:
        """A line; on a terminal its words are wrapped, unless it is to be copied as a whole."""
        if not self.quiet:
            self.last(line, whole=whole)

    def last(self, line: str, *, whole: bool = False) -> None:
        """The line that sums up, which a quiet command says, too."""
        if not self.json and not self._silent:
            self._write(*([plain(line)] if whole else wrapped(plain(line), terminal_width())))

    def marked(self, sign: str, colour: str, line: str, *, matters: bool) -> None:
        """A line with a sign before it, which has its colour on a terminal, unless NO_COLOR is set."""
        if self.json or self._silent or (self.quiet and not matters):
            return
        if room := terminal_width():
            _rich_lines(sign, colour, wrapped(sign + plain(line), room, HANGING))
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

    def forward(self, facts: Mapping[str, Any]) -> None:
        """An event of another process, which has its own time."""
        if self.json:
            self._write(json_text(facts))

    def paragraph(self, title: str, lines: Sequence[str]) -> None:
        """A title and its lines; nothing without lines."""
        if lines:
            self.text()
            self.text(f"{title}:")
        for line in lines:
            self.text(f"  {line}")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], spare: Sequence[str] = (), keys: int = 1
    ) -> None:
        """Numbers stand on the right; None is an empty cell.

        On a terminal that has no room for all columns the `spare` ones go, the first one first; a verbose
        command shows them below, in tables of their own that begin with the same first columns, the `keys`.
        """
        if self.json or self.quiet:
            return
        cells = [[_cell(value) for value in row] for row in rows]
        right = [all(NUMBER.fullmatch(row[i]) for row in cells) for i in range(len(columns))]
        room = terminal_width()
        if not room:
            self._write(*aligned([list(columns), *cells], right))
            return
        for number, kept in enumerate(fitting(columns, cells, spare, room, keys)):
            if number and not self.verbose:
                break
            if number:
                self._write("")
            part = [[row[i] for i in kept] for row in cells]
            _rich_table([columns[i] for i in kept], part, [right[i] for i in kept], room)

    def code(self, text: str, language: str = "json") -> None:
        """A text in some language, in colours on a terminal, unless NO_COLOR is set."""
        if self.json or self.quiet:
            return
        if not terminal_width():
            self._write(text)
            return
        from rich.console import Console as RichConsole
        from rich.syntax import Syntax

        with printing():
            RichConsole(file=sys.stdout).print(
                Syntax(text, language, background_color="default"), soft_wrap=True
            )

    def _write(self, *lines: str) -> None:
        with printing():
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()


def fitting(
    columns: Sequence[str], cells: Sequence[Sequence[str]], spare: Sequence[str], room: int, keys: int = 1
) -> list[list[int]]:
    """Which columns a terminal has room for, and which of the others it has in further tables.

    A column of many words may be wrapped if it cannot be spared.
    """
    needed = _widths(columns, cells, set(columns) - set(spare))
    wanted = [i for i, name in enumerate(columns) if name not in spare]
    rest, parts = [list(columns).index(name) for name in reversed(spare)], []
    begin, kept = wanted[:keys], wanted
    while wanted or rest:
        while rest and (kept == begin or sum(needed[k] + GAP for k in (*kept, rest[0])) - GAP <= room):
            kept = [*kept, rest.pop(0)]
        parts.append(begin + sorted(set(kept) - set(begin)))
        wanted, kept = [], begin
    return parts


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], narrow: Collection[str]) -> list[int]:
    """How wide each column has to be; of the narrow ones, those of many words may be wrapped."""
    from rich.cells import cell_len

    whole = [max(map(cell_len, (name, *(row[i] for row in cells)))) for i, name in enumerate(columns)]
    return [
        min(w, WRAPPED) if name in WORDY and name in narrow else w
        for name, w in zip(columns, whole, strict=True)
    ]


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
    return columns_of(sys.stdout)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:,.1f}"
    return plain(f"{value:,}" if isinstance(value, int) else str(value))


def _rich_lines(sign: str, colour: str, lines: Sequence[str]) -> None:
    from rich.console import Console as RichConsole
    from rich.text import Text

    text = Text("\n".join(lines))
    text.stylize(colour, 0, len(sign))
    with printing():
        RichConsole(file=sys.stdout).print(text, soft_wrap=True, highlight=False)


def _rich_table(
    columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[bool], room: int
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    fits = sum(width + GAP for width in _widths(columns, cells, columns)) - GAP <= room
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for name, to_right in zip(columns, right, strict=True):
        side: Literal["right", "left"] = "right" if to_right else "left"
        # Only where sentences that give way are not enough names do, too.
        table.add_column(name, justify=side, overflow="fold", no_wrap=fits and name not in WORDY)
    for row in cells:
        # Text: a name in [brackets] is no markup
        table.add_row(
            *(Text(cell, STYLES.get("differs" if cell.startswith(MARK) else cell, "")) for cell in row)
        )
    with printing():
        RichConsole(file=sys.stdout, width=room).print(table)

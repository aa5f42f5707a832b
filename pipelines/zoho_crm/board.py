"""How far each table of a run is; the threads that read write on it, the live view reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sources.zoho_crm.reading import Reading
from sources.zoho_crm.tables import Table
from sources.zoho_crm.watch import Watch

from .expectation import expected_of

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
    thin: bool = False  # it is read to be compared, not to be loaded
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


class Board:
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
                thin = table.plan is not None and table.plan.until is None
                self._lines[table.table] = Line(table.name, api, rows, expected_of(table).seconds, thin)

    def watch(self, table: str) -> Watch:
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

    def done(self, reading: Reading) -> None:
        """It has been read and loaded, or has failed."""
        phase: Phase = {"read": "done", "failed": "failed"}.get(reading.status, "left out")  # type: ignore[assignment]
        self.set(reading.table, phase)

    def lines(self) -> list[Line]:
        """A copy, to be read in peace."""
        with self._lock:
            return [replace(line) for line in self._lines.values()]

    def seconds(self) -> float:
        return self.now() - self.began


@dataclass
class _Watch(Watch):
    board: Board
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

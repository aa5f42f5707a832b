"""When to ask how a Bulk Read job is: just after it should be done, by what the account's earlier jobs took.

Zoho works on about one job at a time, and longer on more rows; neither is documented, so both are learnt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST, LONGEST = 0.25, 15.0  # seconds between two questions
FINE, COARSE = 0.05, 0.12  # of a job's age: the step around the time when it should end, and elsewhere
LATE = 1.3  # times the expected end: from there on nothing is known


@dataclass(frozen=True)
class Took:
    """A job of so many rows was not done after `least` seconds, and done after `most`."""

    rows: int
    least: float
    most: float

    def scaled(self, rows: int) -> Took:
        """What that tells of another number of rows: a job has a part that does not grow with them."""
        factor = 1.0 if rows == self.rows else rows / max(1, self.rows)
        return Took(rows, self.least * min(1.0, factor), self.most * max(1.0, factor))


@dataclass(eq=False)
class Turn:
    """One job under way."""

    rows: int
    made: float
    asked: float | None = None  # when it was last seen not done
    waits: bool = False  # whether it was seen in the queue

    def least(self, began: float) -> float:
        return max(0.0, self.asked - began) if self.asked is not None else 0.0


@dataclass
class Timetable:
    """The jobs under way in the order in which they were made; threads share it."""

    now: Callable[[], float]
    _turns: list[Turn] = field(default_factory=list)
    _freed: float = 0.0  # when a job was last seen done
    _took: dict[int, Took] = field(default_factory=dict)  # by the size of the job
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def enter(self, rows: int) -> Turn:
        with self._lock:
            turn = Turn(rows, self.now())
            self._turns.append(turn)
            return turn

    def seen(self, turn: Turn, *, queued: bool) -> None:
        """The job was asked for and is not done yet."""
        with self._lock:
            turn.asked, turn.waits = self.now(), queued

    def leave(self, turn: Turn, *, done: bool) -> None:
        """The job has ended; one that is `done` tells how long jobs take."""
        with self._lock:
            if turn not in self._turns:
                return
            if done:
                began, self._freed = self._began(turn), self.now()
                took = Took(turn.rows, turn.least(began), self._freed - began)
                self._took[_size(turn.rows)] = took
            self._turns.remove(turn)

    def pause(self, turn: Turn) -> float:
        """Seconds until the job is worth a question."""
        with self._lock:
            known, age = self._expected(turn.rows), self.now() - self._began(turn)
            ahead = self._turns[: self._turns.index(turn)] if turn.waits else []
            if ahead and known:
                left = sum(self._middle(other) for other in ahead) - (self.now() - self._freed)
                return min(LONGEST, max(1.0, left + known.least))
            if known and age < known.least:
                return min(LONGEST, known.least - age)  # a wrong guess is noticed soon
            if known and age < known.most * LATE:
                return max(SHORTEST, FINE * age)
            if turn.asked is None:
                return 0.0
            return min(LONGEST, max(1.0, COARSE * age))

    def _began(self, turn: Turn) -> float:
        """When Zoho began with it, as far as anybody can tell."""
        return max(turn.made, self._freed) if turn.waits else turn.made

    def _middle(self, turn: Turn) -> float:
        known = self._expected(turn.rows)
        return (known.least + known.most) / 2 if known else 0.0

    def _expected(self, rows: int) -> Took | None:
        """What the latest job of the nearest size tells."""
        if not self._took:
            return None
        size = _size(rows)
        nearest = min(self._took, key=lambda other: abs(other - size))
        return self._took[nearest].scaled(rows)


def _size(rows: int) -> int:
    """Jobs of one size differ by less than four times."""
    return rows.bit_length() // 2

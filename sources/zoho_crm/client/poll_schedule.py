"""When to ask how a Bulk Read job is: just after it should be done, by what the account's earlier jobs took.

Zoho works on about one job at a time, and longer on more rows; neither is documented, so both are learnt.
Every question costs a credit, so a job behind others of ours is hardly asked for before those are done.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST, FIRST, LONGEST = 0.25, 1.0, 30.0  # seconds between two questions; FIRST while nothing is known
FINE, COARSE, SELDOM = 0.015, 0.08, 0.5  # of a job's age: near its end, before anything is known, in a queue
STEPS = 10  # in which the time is passed through in which a job may end
LATE = 1.3  # times the latest expected end: from there on nothing is known


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

    def narrowed(self, earlier: Took | None) -> Took:
        """What this and an earlier job say together; this one alone where they contradict each other."""
        if earlier is None:
            return self
        other = earlier.scaled(self.rows)
        least, most = max(self.least, other.least), min(self.most, other.most)
        return Took(self.rows, least, most) if least <= most else self


@dataclass(eq=False)
class Turn:
    """One job under way. Zoho began with it between `earliest` and `latest`."""

    rows: int
    made: float
    earliest: float
    latest: float = math.inf
    teaches: bool = True  # not a job of an earlier run: nobody knows when it was made
    asked: float | None = None  # when it was last seen not done
    runs: bool = False  # whether Zoho was seen to work on it
    job_id: str = ""
    overtaken: float | None = None  # when Zoho was seen to work on a later one

    @property
    def looked_at(self) -> float:
        return self.made if self.asked is None else self.asked

    def after(self, step: float) -> float:
        return self.looked_at + min(LONGEST, step)


@dataclass
class Timetable:
    """The jobs under way in the order in which they were made; threads share it."""

    now: Callable[[], float]
    _turns: list[Turn] = field(default_factory=list)
    _took: dict[int, Took] = field(default_factory=dict)  # by the size of the job
    _in_order: bool = True  # one at a time, as far as has been seen
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def enter(self, rows: int, job_id: str = "") -> Turn:
        """A job that was made just now; of several that were made at once, the ids tell the order."""
        with self._lock:
            now = self.now()
            turn = Turn(rows, now, now, math.inf if self._turns else now, job_id=job_id)
            self._turns.append(turn)
            self._turns.sort(key=lambda one: (len(one.job_id), one.job_id))
            return turn

    def enter_earlier(self, rows: int, job_id: str = "") -> Turn:
        """A job that an earlier run made."""
        turn = self.enter(rows, job_id)
        turn.teaches = False
        return turn

    def seen(self, turn: Turn, *, queued: bool) -> None:
        """The job was asked for and is not done yet."""
        with self._lock:
            turn.asked = self.now()
            if queued:
                turn.earliest, turn.latest = turn.asked, math.inf
            else:
                turn.runs, turn.latest = True, min(turn.latest, turn.asked)
                self._overtake(turn)
            if turn.overtaken is not None:
                self._in_order = False

    def leave(self, turn: Turn, *, done: bool) -> None:
        """The job has ended; one that is `done` tells how long jobs take."""
        with self._lock:
            if turn not in self._turns:
                return
            now, first = self.now(), not self._ahead_of(turn)
            if done:
                self._overtake(turn)
                self._learn(turn, now)
            self._turns.remove(turn)
            if first and self._turns and self._in_order:
                following = self._turns[0]
                following.latest = min(following.latest, now)
                following.earliest = min(max(following.earliest, turn.looked_at), following.latest)

    def due(self, turn: Turn) -> float:
        """The time at which the job is worth a question, by what is known now."""
        with self._lock:
            known, seen = self._expected(turn.rows), turn.looked_at
            if turn.overtaken is not None and seen < turn.overtaken:
                return turn.overtaken
            ahead = len(self._ahead_of(turn)) if self._in_order and not turn.runs else 0
            if ahead == 1:  # tells whether they are taken in order
                return turn.after(max(FIRST, SELDOM * (seen - turn.made), known.least / 2 if known else 0.0))
            if ahead:
                return seen + LONGEST * ahead
            unsure = turn.latest - turn.earliest + (known.most - known.least if known else math.inf)
            if known and seen < turn.earliest + known.least and turn.latest < math.inf:
                soonest = known.least + min(unsure / 2, max(SHORTEST, FINE * known.least))
                return min(turn.earliest + soonest, turn.after(LONGEST))  # a wrong guess is noticed
            if known and seen < turn.latest + known.most * LATE < math.inf:
                age = seen - turn.earliest
                step = min(max(FINE * age, unsure / STEPS), max(FIRST, COARSE * age))
                return turn.after(max(SHORTEST, step))
            if turn.asked is None:
                return turn.made
            queue = known.least / 4 if known else 0.0  # it is not done as long after it waited
            return turn.after(max(FIRST, COARSE * (seen - turn.made), queue))

    def _learn(self, turn: Turn, now: float) -> None:
        if turn.teaches:
            least = max(0.0, turn.looked_at - min(turn.latest, now))
            took = Took(turn.rows, least, now - turn.earliest)
            self._took[_size(turn.rows)] = took.narrowed(self._took.get(_size(turn.rows)))

    def _overtake(self, turn: Turn) -> None:
        """Zoho works on the job, or has done it: those before it are done, or not taken in their order."""
        for other in self._ahead_of(turn):
            other.overtaken = self.now() if other.overtaken is None else other.overtaken

    def _ahead_of(self, turn: Turn) -> list[Turn]:
        return self._turns[: self._turns.index(turn)]

    def _expected(self, rows: int) -> Took | None:
        """What the latest jobs of the nearest size tell."""
        if not self._took:
            return None
        size = _size(rows)
        nearest = min(self._took, key=lambda other: abs(other - size))
        return self._took[nearest].scaled(rows)


def _size(rows: int) -> int:
    """Jobs of one size differ by less than four times."""
    return rows.bit_length() // 2

"""How fast we may go: the clock to wait by, downloads a minute, jobs at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import limits

PER_MINUTE = limits.BULK_DOWNLOADS_PER_MINUTE
LONGEST_PAUSE = 90.0  # seconds between two tries
MOST_NEEDED = 64  # jobs taken in a row before another place is tried


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class Pace:
    """The clock to wait by, and how patiently; tests bring a clock that does not wait."""

    sleep: Callable[[float], None] = _sleep
    monotonic: Callable[[], float] = time.monotonic
    answer_clock: Callable[[], float] = (
        time.monotonic
    )  # that answers are timed by; simulated pauses don't move it
    backoff: float = 2.0  # seconds before the second try of a call, doubled each time
    attempts: int = 6
    job_deadline: float = 3600.0  # seconds that one Bulk Read job may take, queue included
    table_deadline: float = 6 * 3600.0  # seconds that the reading of one table may take

    def pauses(self) -> list[float]:
        """The seconds between the tries of one call."""
        return [min(self.backoff * 2**n, LONGEST_PAUSE) for n in range(self.attempts - 1)]


class Downloads:
    """At most 10 downloads in any minute: the eleventh waits (Bulk Read overview, v8).

    A minute counts from the answer, because only Zoho knows when a request reached it.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._changed = threading.Condition()
        self._recent: deque[_Turn] = deque()

    @contextmanager
    def turn(self, wait: Callable[[float, str], None]) -> Iterator[None]:
        """Wait for a turn; leave when the answer has begun."""
        turn = _Turn()
        while (pause := self._take(turn)) > 0:
            # Without the lock: others have their answers to enter meanwhile.
            wait(pause, f"Zoho allows {PER_MINUTE} downloads a minute")
        try:
            yield
        finally:
            with self._changed:
                turn.answered = self._pace.monotonic()
                self._changed.notify_all()

    def _take(self, turn: _Turn) -> float:
        """The seconds to wait before asking again; 0 once the turn is taken."""
        with self._changed:
            while len(self._recent) >= limits.BULK_DOWNLOADS_PER_MINUTE:
                answered = self._recent[0].answered
                if answered is None:
                    self._changed.wait()
                elif (pause := answered + 60.5 - self._pace.monotonic()) > 0:
                    return pause
                else:
                    self._recent.popleft()
            self._recent.append(turn)
            return 0


@dataclass
class _Turn:
    answered: float | None = None


class JobSlots:
    """How many jobs may be under way at once; learns the account's limit from its refusals.

    A refusal may be about something else, so each job that is taken makes room for one more. Where
    refusals come back, the next try for more takes twice as many jobs.
    """

    def __init__(self, limit: int = limits.BULK_JOBS_AT_ONCE) -> None:
        self._limit = self._start = limit
        self._accepted = 0  # in a row
        self._grown = False  # since the latest refusal
        self._needed = 1  # of them, before the limit grows
        self._taken = 0
        self.ended = 0  # jobs that gave their place back
        self._changed = threading.Condition()

    def take(self, timeout: float | None = None) -> bool:
        """Whether there was a place within so many seconds."""
        with self._changed:
            free = self._changed.wait_for(lambda: self._taken < self._limit, timeout)
            self._taken += free
            return free

    def free(self) -> None:
        with self._changed:
            self._taken -= 1
            self.ended += 1
            self._changed.notify_all()

    def grow(self) -> None:
        """Zoho took a job: after enough of them one more is tried, never more than at the start."""
        with self._changed:
            self._accepted += 1
            if self._accepted >= self._needed and self._limit < self._start:
                self._accepted, self._grown = 0, True
                self._limit += 1
                self._changed.notify_all()

    def shrink(self) -> bool:
        """Zoho's queue is full: as many as are under way now, and no more. Frees the slot.

        False if none of ours is under way, so that nothing of ours will make room.
        """
        with self._changed:
            others = self._taken - 1
            if self._grown:  # in vain; of many refusals at once, one counts
                self._needed = min(self._needed * 2, MOST_NEEDED)
            self._accepted, self._grown = 0, False
            self._limit = max(1, min(self._limit, others))
            self._taken -= 1
            self._changed.notify_all()
            return others > 0

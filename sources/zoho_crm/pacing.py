"""How fast we may go: the clock to wait by, downloads a minute, jobs at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from . import limits


@dataclass(frozen=True)
class Pace:
    """The clock to wait by, and how patiently; tests bring a clock that does not wait."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    backoff: float = 2.0  # seconds before the second try of a call, doubled each time
    attempts: int = 6
    job_deadline: float = 3600.0  # seconds that one Bulk Read job may take, queue included


class Downloads:
    """At most 10 downloads in any minute: the eleventh waits (Bulk Read overview, v8)."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        self._started: deque[float] = deque(maxlen=limits.BULK_DOWNLOADS_PER_MINUTE)

    def wait(self) -> None:
        with self._lock:
            if len(self._started) == limits.BULK_DOWNLOADS_PER_MINUTE:
                pause = self._started[0] + 60.5 - self._pace.monotonic()
                if pause > 0:
                    self._pace.sleep(pause)
            self._started.append(self._pace.monotonic())


class JobSlots:
    """How many jobs may be under way at once; learns the account's limit from its refusals."""

    def __init__(self, limit: int = limits.BULK_JOBS_AT_ONCE) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    def take(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._taken < self._limit)
            self._taken += 1

    def free(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def shrink(self) -> bool:
        """Zoho refused a job while others of ours were under way: one less from now on. Frees the slot."""
        with self._changed:
            others = self._taken - 1
            self._limit = max(1, min(self._limit, others))
            self._taken -= 1
            self._changed.notify_all()
            return others > 0

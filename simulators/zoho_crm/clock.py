"""The clock of the simulated service: it stands still until a test moves it, or runs with the wall clock."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=timezone.utc)


class Clock:
    """Stands still until `advance` moves it; `Clock.real()` also runs with the wall clock."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start.astimezone(timezone.utc)
        self._ahead = timedelta()
        self._real = False
        self._lock = threading.Lock()

    @classmethod
    def real(cls) -> Clock:
        clock = cls()
        clock._real = True
        return clock

    def run(self) -> None:
        """From now on show the wall clock's time."""
        with self._lock:
            self._real, self._ahead = True, timedelta()

    def now(self) -> datetime:
        with self._lock:
            base = datetime.now(timezone.utc) if self._real else self._start
            return base + self._ahead

    def wait(self, seconds: float) -> None:
        """Let time pass: really if the clock runs, else by moving it."""
        with self._lock:
            real = self._real
        if real:
            time.sleep(seconds)
        else:
            self.advance(seconds)

    def advance(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> datetime:
        step = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if step < timedelta():
            raise ValueError("the clock does not go back")
        with self._lock:
            self._ahead += step
        return self.now()

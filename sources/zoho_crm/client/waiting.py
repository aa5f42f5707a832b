"""How long a table may take in all, and what it waits for: a long wait is logged, with its reason and its end."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone

from ..exceptions import TookTooLong
from .progress import NO_PROGRESS, ProgressCallback
from .throttling import RetryPolicy

logger = logging.getLogger("zoho_crm")

LOG_AFTER = 30.0  # seconds of waiting
LOOK_AGAIN = 1.0  # seconds

_current: ContextVar[WaitTracker | None] = ContextVar("zoho_crm_waits", default=None)


class _Wait(threading.local):
    """The wait under way in one thread."""

    since: float | None = None
    logged = ""  # the reason that was logged
    retries = False  # it ends with the first call that is answered


class WaitTracker:
    """The waits of one table, or of the calls that belong to no table.

    Pauses that follow each other are one wait, until it is `over`.
    """

    def __init__(
        self,
        retry_policy: RetryPolicy,
        name: str = "",
        watch: ProgressCallback = NO_PROGRESS,
        seconds: float = math.inf,
    ) -> None:
        self.watch = watch
        self._pace, self._name, self._seconds = retry_policy, name, seconds
        self._end = retry_policy.monotonic() + seconds
        self._wait = _Wait()

    def check(self) -> None:
        """Raises TookTooLong once the table has had its time."""
        if self._pace.monotonic() >= self._end:
            raise TookTooLong(
                f"not read within {_span(self._seconds)}: its table stays as it was, and the next run tries again"
                " (--table-timeout gives it longer)"
            )

    def sleep(self, seconds: float, reason: str, *, until: float | None = None, retries: bool = True) -> None:
        """Wait, not past the table's time. `until` is when the whole wait ends at the latest, by the same clock."""
        now, wait = self._pace.monotonic(), self._wait
        wait.since = now if wait.since is None else wait.since
        wait.retries |= retries
        self._log(reason, now + seconds, now, now + seconds if until is None else until)
        left = self._end - now
        self._pace.sleep(max(0.0, min(seconds, left)))
        if seconds >= left:
            self.check()

    def wait_for_slot(self, take: Callable[[float], bool], reason: str) -> None:
        """Wait for what another table of the run gives back, which does not count as this one's time."""
        began, wait = self._pace.monotonic(), self._wait
        alone = wait.since is None
        wait.since = began if wait.since is None else wait.since
        while not take(LOOK_AGAIN):
            now = self._pace.monotonic()
            self._log(reason, now, now, None)
        if alone:
            self.over()
        self._end += self._pace.monotonic() - began

    def answered(self) -> None:
        """A call was answered, so what tries were made for is there."""
        if self._wait.retries:
            self.over()

    def over(self) -> None:
        """What was waited for is there."""
        wait = self._wait
        if wait.logged and wait.since is not None:
            waited = self._pace.monotonic() - wait.since
            self._report(f"goes on after {waited:,.0f} s ({wait.logged})", {"waited": round(waited, 1)})
        wait.since, wait.logged, wait.retries = None, "", False

    @contextmanager
    def current(self) -> Iterator[None]:
        """Pauses between the tries of a call, which a library makes, are this table's meanwhile."""
        mark = _current.set(self)
        try:
            yield
        finally:
            _current.reset(mark)

    def _log(self, reason: str, then: float, now: float, until: float | None) -> None:
        """`then` is when this pause ends, and `until` when the wait ends, as far as anybody knows."""
        wait = self._wait
        if wait.logged == reason or wait.since is None or then - wait.since <= LOG_AFTER:
            return
        wait.logged = reason
        if until is None:
            self._report(f"waits: {reason}", {"reason": reason, "until": None})
            return
        end = datetime.now(timezone.utc) + timedelta(seconds=until - now)
        told = f"waits until {end:%H:%M:%S} UTC at the latest: {reason}"
        self._report(told, {"reason": reason, "until": end.isoformat(timespec="seconds")})

    def _report(self, text: str, facts: dict[str, object]) -> None:
        heard = self.watch.pauses(text, facts)
        told = f"{self._name}: {text}" if self._name else text
        logger.log(logging.INFO if heard else logging.WARNING, "%s", told)


def pause(retry_policy: RetryPolicy, seconds: float, reason: str) -> None:
    """A pause between two tries, of whoever waits in this thread."""
    waits = _current.get()
    if waits is not None:
        waits.sleep(seconds, reason)
    else:
        retry_policy.sleep(seconds)


def _span(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds / 60:,.0f} minutes"

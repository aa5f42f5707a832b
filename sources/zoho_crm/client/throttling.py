"""When a call is tried again, how long to wait, and how many go at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import Response
from urllib3.exceptions import NewConnectionError

from .. import limits
from ..auth.transport import Redirected, TooSlow, parse_body, used_up
from ..exceptions import DailyLimitError, Retriable, ZohoConnectionError

logger = logging.getLogger("zoho_crm")


LONGEST_PAUSE = 90.0  # seconds between two tries
MOST_NEEDED = 64  # jobs taken in a row before another place is tried


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a call is tried, and how long it waits in between; tests bring a clock that does not wait.

    After 429, 5xx and lost connections (`is_retryable`) dlt's HTTP client tries a call again. It waits for what
    `Retry-After` says, else for `backoff` seconds, doubled each time; never longer than LONGEST_PAUSE. Downloads wait as
    long between their tries, but each try takes its turn of the ten a minute.
    """

    sleep: Callable[[float], None] = _sleep
    monotonic: Callable[[], float] = time.monotonic
    answer_clock: Callable[[], float] = (
        time.monotonic
    )  # that answers are timed by; simulated pauses don't move it
    backoff: float = 2.0  # seconds before the second try of a call, doubled each time
    attempts: int = 6
    job_deadline: float = 3600.0  # seconds that one Bulk Read job may take, queue included
    table_deadline: float = 6 * 3600.0  # seconds that the reading of one table may take

    def http_settings(self, attempts: int | None = None) -> dict[str, Any]:
        """The arguments of dlt's HTTP client."""
        return {
            "request_max_attempts": attempts or self.attempts,
            "request_backoff_factor": self.backoff,
            "request_max_retry_delay": LONGEST_PAUSE,
        }

    def download_pauses(self) -> list[float]:
        """The seconds between the tries of one download."""
        return [min(self.backoff * 2**n, LONGEST_PAUSE) for n in range(self.attempts - 1)]


class RateLimiter:
    """At most so many calls in any minute: the next one waits.

    A minute counts from the answer, because only Zoho knows when a request reached it.
    """

    def __init__(self, calls: int, monotonic: Callable[[], float], reason: str) -> None:
        """`reason` says why a call waits."""
        self._calls, self._monotonic, self._reason = calls, monotonic, reason
        self._changed = threading.Condition()
        self._recent: deque[_Turn] = deque()

    @contextmanager
    def acquire(self, wait: Callable[[float, str], None]) -> Iterator[None]:
        """Wait for a turn; leave when the answer has begun."""
        turn = _Turn()
        while (pause := self._take(turn)) > 0:
            # Without the lock: others have their answers to enter meanwhile.
            wait(pause, self._reason)
        try:
            yield
        finally:
            with self._changed:
                turn.answered = self._monotonic()
                self._changed.notify_all()

    def _take(self, turn: _Turn) -> float:
        """The seconds to wait before asking again; 0 once the turn is taken."""
        with self._changed:
            while len(self._recent) >= self._calls:
                answered = self._recent[0].answered
                if answered is None:
                    self._changed.wait()
                elif (pause := answered + 60.5 - self._monotonic()) > 0:
                    return pause
                else:
                    self._recent.popleft()
            self._recent.append(turn)
            return 0


@dataclass
class _Turn:
    answered: float | None = None


def download_rate(retry_policy: RetryPolicy) -> RateLimiter:
    """At most 10 downloads in any minute (Bulk Read overview, v8)."""
    calls = limits.BULK_DOWNLOADS_PER_MINUTE
    return RateLimiter(calls, retry_policy.monotonic, f"Zoho allows {calls} downloads a minute")


class JobLimiter:
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

    def acquire(self, timeout: float | None = None) -> bool:
        """Whether there was a place within so many seconds."""
        with self._changed:
            free = self._changed.wait_for(lambda: self._taken < self._limit, timeout)
            self._taken += free
            return free

    def release(self) -> None:
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


SLOW_TRIES = 2  # of a call whose answer does not come whole in time: each takes long
_call: ContextVar[Call | None] = ContextVar("zoho_crm_call", default=None)


@dataclass
class Call:
    """The call under way, with all its tries."""

    what: str
    reason: str = ""  # why it is tried again
    told: bool = False
    slow: int = 0  # tries whose answer did not come whole in time


def is_retryable(response: Response | None, error: BaseException | None) -> bool:
    """The predicate for dlt's HTTP client: throttles, server errors, lost connections, torn bodies."""
    reason = _passing(error) if response is None else _trouble(response)
    if reason:
        log_retry(reason)
    return bool(reason)


def is_safe_to_retry_create(response: Response | None, error: BaseException | None) -> bool:
    """The same for a call that makes something: only where it is certain that nothing was made."""
    refused = response is not None and response.status_code == 429 and not used_up(response)
    if refused or is_connection_error_before_send(error):
        log_retry("429" if refused else type(error).__name__)
        return True
    return False


def is_connection_error_before_send(error: BaseException | None) -> bool:
    """Whether the connection failed before anything of the request could leave."""
    if isinstance(error, (requests.exceptions.ProxyError, requests.exceptions.ConnectTimeout)):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    return isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


def root_of(error: Exception) -> BaseException:
    """What went wrong on the wire, or else the error itself."""
    return error.__cause__ if isinstance(error.__cause__, requests.RequestException) else error


def is_outcome_unknown(error: Exception) -> bool:
    """Whether a job may have been made although no answer says so."""
    root = root_of(error)
    lasting = isinstance(root, (Redirected, requests.exceptions.SSLError)) or is_connection_error_before_send(
        root
    )
    return not lasting and getattr(error, "code", "") != "TOO_MANY_REQUESTS"


@contextmanager
def log_retries(method: str, url: str) -> Iterator[None]:
    """Around one call with all its tries, so that a second try is told once and by name."""
    if _call.get() is not None:
        yield
        return
    parts = urlsplit(url)
    mark = _call.set(Call(f"{method} {parts.netloc}{parts.path}"))
    try:
        yield
    finally:
        _call.reset(mark)


def log_retry(reason: str) -> None:
    """Say that the call is tried again and why, unless that was said; a person waits where nobody answers."""
    call = _call.get()
    if call is None:
        return
    call.reason = reason
    if call.told:
        return
    call.told = True
    logger.info("Trying again: %s (%s)", call.what, reason)
    if reason != ZohoConnectionError.__name__ and reason.endswith(("ConnectionError", "Timeout")):
        _warn_of_silence(call.what.split()[1].partition("/")[0], reason)


def why_again() -> str:
    """Why the call under way is tried again, as a sentence."""
    call = _call.get()
    if call is None:
        return "a call is tried again"
    words = f"the answer is {call.reason}" if call.reason[:3].isdecimal() else f"no answer, {call.reason}"
    return f"{call.what} is tried again ({words})"


@lru_cache
def _warn_of_silence(host: str, reason: str) -> None:
    logger.warning("No answer from %s (%s): trying again for up to a minute", host, reason)


def unreachable(url: str, error: requests.RequestException) -> ZohoConnectionError:
    """The sentence for a call that got no answer."""
    host = urlsplit(url).netloc
    if (slow := too_slow(error)) is not None:
        return ZohoConnectionError(f"{host} is too slow: {slow}. Raise Timeout if it is the network")
    if isinstance(error, requests.exceptions.SSLError):
        return ZohoConnectionError(
            f"TLS to {host} failed: check the certificates, a proxy in between, and the clock"
        )
    if isinstance(error, requests.Timeout):
        return ZohoConnectionError(f"{host} did not answer in time")
    return ZohoConnectionError(f"{host} could not be reached: check the network, a proxy and the host's name")


def too_slow(error: BaseException | None) -> TooSlow | None:
    """What says that an answer did not come whole in time, in whatever the libraries wrapped it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, TooSlow):
            return error
        seen.add(id(error))
        inner = next((part for part in error.args if isinstance(part, BaseException)), None)
        error = error.__cause__ or inner or error.__context__
    return None


def _passing(error: BaseException | None) -> str:
    lost = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        Retriable,
        ZohoConnectionError,
    )
    lasting = (requests.exceptions.SSLError, Redirected, DailyLimitError)
    if not isinstance(error, lost) or isinstance(error, lasting):
        return ""
    if too_slow(error) is None:
        return type(error).__name__
    call = _call.get()
    if call is not None:
        call.slow += 1
    return "too slow" if call is not None and call.slow < SLOW_TRIES else ""


def _trouble(response: Response) -> str:
    if used_up(response):
        return ""
    if response.status_code == 429 or response.status_code >= 500:
        return str(response.status_code)
    if response.status_code not in (200, 201) or not _is_read(response):
        return ""
    try:
        parse_body(response)
    except ZohoConnectionError:
        return f"{response.status_code} without JSON"
    return ""


def _is_read(response: Response) -> bool:
    """Whether the body is here already; the body of a streamed download is not."""
    return bool(getattr(response, "_content_consumed", False))

"""What all calls of one account share: sessions, limits, the clock and the budget of credits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from requests import Response

from .. import limits
from ..auth.authenticator import ZohoAuthenticator
from ..auth.oauth_client import time_of
from ..auth.transport import REMAINING, LimitedClient
from ..exceptions import CreditBudgetExceeded
from .job_journal import Journal
from .throttling import JobLimiter, RateLimiter, RetryPolicy, is_connection_error_before_send


@dataclass
class ApiUsage:
    """What a module cost."""

    calls: int = 0
    credits: int = 0

    def add(self, credits: int) -> None:
        self.calls += 1
        self.credits += credits


@dataclass
class ClientContext:
    """What all views of one client share."""

    auth: ZohoAuthenticator
    http: LimitedClient
    making: LimitedClient  # repeats what certainly made nothing
    once: LimitedClient  # repeats nothing
    retry_policy: RetryPolicy
    downloads: RateLimiter
    calls: threading.BoundedSemaphore
    proxies: dict[str, str] | None = None  # with each request: on the session, the environment's win
    jobs: JobLimiter = field(default_factory=JobLimiter)
    archives: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(limits.ARCHIVES_AT_ONCE)
    )
    server_time: datetime | None = None  # of the latest answer: the clock that windows are cut by
    credits_remaining: int | None = None  # Zoho sends it once half of the day's credits are used
    temp_dir: Path | None = (
        None  # where archives lie while they are read, gone with the run; None: the system's own
    )
    journal: Journal | None = None  # of the jobs that a killed run made; None: each reading makes its own
    bulk_rows_a_second: float | None = None  # of the latest long Bulk Read job of this run
    bulk_job_ends: list[float] = field(default_factory=list)  # seconds of the policy's clock
    bulk_jobs: Counter[str] = field(default_factory=Counter)  # of this run: that were good, that failed
    jobs_per_module: int = limits.BULK_JOBS_PER_MODULE  # of Bulk Read, side by side
    max_credits: int | None = None  # of one run
    spent: int = 0
    coql_in_values: int = limits.COQL_IN_VALUES[0]  # that one IN takes, until a refusal says fewer
    _budget_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reserve(self, credits: int) -> None:
        """Raises CreditBudgetExceeded for a call that would go over the limit of the run."""
        with self._budget_lock:
            if self.max_credits is not None and self.spent + credits > self.max_credits:
                raise CreditBudgetExceeded(f"stopped at the limit of {self.max_credits:,} API credits")
            self.spent += credits

    def charge(self, reserved: int, paid: int) -> None:
        """After the call: what it cost, be it less because of a refusal or more because of another try."""
        with self._budget_lock:
            self.spent += paid - reserved

    def on_response(self, response: Response, *_: Any, **__: Any) -> None:
        """Keep what the headers tell."""
        self.server_time = time_of(response) or self.server_time
        remaining = response.headers.get(REMAINING, "")
        if remaining.isdigit():
            self.credits_remaining = int(remaining)


@dataclass
class RequestCost:
    """What the tries of a call cost. Zoho does not say whether a refused one costs; others saw none taken."""

    spend: Callable[[int], None]  # told once for each try
    credits: int
    makes: bool = False  # then a try whose outcome nobody knows is counted as well
    paid: int = 0

    def count(self, response: Response, *_: Any, **__: Any) -> None:
        self._add(response.ok or (self.makes and response.status_code >= 500))

    def lost(self, error: BaseException, before: int) -> None:
        """No answer: of a call that makes something, only the last try can end so."""
        if self.makes and self.paid == before and not is_connection_error_before_send(error):
            self._add(True)

    def _add(self, costs: bool) -> None:
        credits = self.credits if costs else 0
        self.paid += credits
        self.spend(credits)

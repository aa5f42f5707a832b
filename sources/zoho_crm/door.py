"""What all calls of one account share: sessions, limits, the clock and the purse."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from requests import Response

from . import limits
from .accounts import time_of
from .answers import REMAINING
from .auth import ZohoAuth
from .errors import CreditLimit
from .journal import Journal
from .pacing import Downloads, JobSlots, Pace
from .timetable import Timetable
from .transport import LimitedClient


@dataclass
class Usage:
    """What a module cost."""

    calls: int = 0
    credits: int = 0

    def add(self, credits: int) -> None:
        self.calls += 1
        self.credits += credits


@dataclass
class Door:
    """What all views of one client share."""

    auth: ZohoAuth
    http: LimitedClient
    making: LimitedClient  # repeats what certainly made nothing
    once: LimitedClient  # repeats nothing
    pace: Pace
    downloads: Downloads
    calls: threading.BoundedSemaphore
    proxies: dict[str, str] | None = None  # with each request: on the session, the environment's win
    jobs: JobSlots = field(default_factory=JobSlots)
    archives: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(limits.ARCHIVES_AT_ONCE)
    )
    timetable: Timetable = field(init=False)
    server_time: datetime | None = None  # of the latest answer: the clock that windows are cut by
    credits_remaining: int | None = None  # Zoho sends it once half of the day's credits are used
    scratch: Path | None = None  # where archives are kept while they are read; None: the system's own
    journal: Journal | None = None  # of the jobs that a killed run made; None: each reading makes its own
    bulk_jobs: Counter[str] = field(default_factory=Counter)  # of this run: that were good, that failed
    max_credits: int | None = None  # of one run
    spent: int = 0
    coql_in_values: int = limits.COQL_IN_VALUES[0]  # that one IN takes, until a refusal says fewer
    _purse: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.timetable = Timetable(self.pace.monotonic)

    def afford(self, credits: int) -> None:
        """Raises CreditLimit for a call that would go over the limit of the run."""
        with self._purse:
            if self.max_credits is not None and self.spent + credits > self.max_credits:
                raise CreditLimit(f"stopped at the limit of {self.max_credits:,} API credits")
            self.spent += credits

    def settle(self, reserved: int, paid: int) -> None:
        """After the call: what it cost, be it less because of a refusal or more because of another try."""
        with self._purse:
            self.spent += paid - reserved

    def look_at(self, response: Response, *_: Any, **__: Any) -> None:
        """Keep what the headers tell."""
        self.server_time = time_of(response) or self.server_time
        remaining = response.headers.get(REMAINING, "")
        if remaining.isdigit():
            self.credits_remaining = int(remaining)

"""The ledger: every call that reached the simulator and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Call:
    method: str
    route: str
    """`GET /crm/v8/{module}`, or an empty text when no route matched."""
    path: str
    status: int
    credits: int
    module: str | None
    at: datetime
    query: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    service: str = "crm"
    """The kind of the service that answered: crm, desk, ..., or accounts."""


class Ledger:
    """A list of calls, in the order of their answers."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        self._calls.append(call)

    def calls(
        self,
        route: str | None = None,
        *,
        module: str | None = None,
        status: int | None = None,
        service: str | None = None,
    ) -> list[Call]:
        return [
            call
            for call in self._calls
            if route in (None, call.route)
            and module in (None, call.module)
            and status in (None, call.status)
            and service in (None, call.service)
        ]

    @property
    def credits(self) -> int:
        return sum(call.credits for call in self._calls)

    def credits_since(self, since: datetime, service: str | None = None) -> int:
        return sum(
            call.credits for call in self._calls if call.at > since and service in (None, call.service)
        )

    def credits_of_a_day(self, now: datetime, service: str | None = None) -> int:
        """Zoho's day is a rolling one: each call's credits come back 24 hours after that call."""
        return self.credits_since(now - timedelta(hours=24), service)

    def clear(self) -> None:
        self._calls.clear()

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

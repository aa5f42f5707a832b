"""What the server and the accounts server need of a simulated service of Zoho's, whatever data it holds."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .clock import Clock
from .exceptions import Refusal, refuse
from .faults import Faults
from .ledger import Ledger
from .oauth.tokens import Tokens
from .quirks import Quirks
from .routes import Request
from .rules import Rules


@dataclass(frozen=True)
class Place:
    """Where a service lies on the API server, and what its scopes are called."""

    name: str
    root: str
    version: str
    prefix: str

    def owns(self, path: str) -> bool:
        return path.startswith((f"/{self.root}/{self.version}/", f"/{self.root}/bulk/{self.version}/"))

    def moved(self, path: str, other: Place) -> str:
        """The path of this place as the other one has it; the table of routes has the CRM's."""
        for mine, its in (
            (f"/{self.root}/{self.version}/", f"/{other.root}/{other.version}/"),
            (f"/{self.root}/bulk/{self.version}/", f"/{other.root}/bulk/{other.version}/"),
        ):
            if path.startswith(mine):
                return its + path[len(mine) :]
        return path


CRM = Place("CRM", "crm", "v8", "ZohoCRM")
BIGIN = Place("Bigin", "bigin", "v2", "ZohoBigin")
PLACES = (CRM, BIGIN)


class Service(ABC):
    """Limits, switches, time, tokens, faults and the calls so far; `Org` adds the CRM.

    With an `account` it is one service of several of that account: they share the clock, the tokens, the ledger and
    the faults, and each has limits of its own.
    """

    kind = "crm"
    """The service of the routes that it answers."""
    schemes: tuple[str, ...] = ("zoho-oauthtoken", "bearer")
    """What may stand before the token; the second one only with the quirk `bearer_accepted`."""

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: Quirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
        place: Place = CRM,
    ) -> None:
        self.place = place
        self.lock = threading.RLock()
        self.rules = rules or Rules()
        self.quirks = quirks or Quirks()
        self.enabled = True
        """False: the account does not have this service."""
        self.running = self.running_heavy = 0
        self.running_lock = threading.Lock()
        self.clock: Clock = account.clock if account else clock or Clock()
        self.ledger: Ledger = account.ledger if account else Ledger()
        self.faults: Faults = account.faults if account else Faults()
        self.tokens: Tokens = account.tokens if account else Tokens(self)

    def part(self, kind: str) -> Service | None:
        """The service that answers routes of this kind; `accounts` are those of Zoho's accounts server."""
        return self if kind in ("accounts", self.kind) else None

    def admit(self, request: Request) -> None:
        """Refuse a call of an account without this service, or of an organisation that the token may not read."""
        if not self.enabled:
            refuse(403, "NO_PERMISSION", "the account does not have this service")

    def check_limits(self, request: Request, cost: int) -> None:
        """Refuse a call that goes over a limit of calls or credits."""
        limit = self.rules.daily_credits
        if limit is not None and self.credits_of_a_day() + cost > limit:
            refuse(429, "TOO_MANY_REQUESTS", "You have crossed the API credits of the last 24 hours.")

    def credits_of_a_day(self) -> int:
        """What this service's calls of the last 24 hours cost."""
        return self.ledger.credits_of_a_day(self.clock.now(), self.kind)

    def credit_headers(self, cost: int) -> dict[str, str]:
        """What an answer tells of the credits that are left."""
        limit, when = self.rules.daily_credits, self.quirks.credits_remaining_header
        if limit is None or when == "never":
            return {}
        used = self.credits_of_a_day()
        told = when == "always" or used * 2 >= limit
        return {"X-API-CREDITS-REMAINING": str(max(limit - used, 0))} if told else {}

    def retry_after(self, refusal: Refusal) -> int | str | None:
        """Seconds, or a date, that a 429 names, if it names any."""
        return self.quirks.retry_after

    def scope_words(self, module: str) -> tuple[str, ...]:
        """What a module is called in the name of a scope of its own."""
        return (module.replace("_", ""), module)

    def error(self, refusal: Refusal) -> tuple[int, Any]:
        """The status and the body of a refusal, as this service writes them."""
        return refusal.status, {
            "code": refusal.code,
            "details": refusal.details,
            "message": refusal.message,
            "status": "error",
        }

    def now(self) -> datetime:
        """The time in whole seconds: Zoho keeps no fractions."""
        return self.clock.now().replace(microsecond=0)

    def scopes_here(self, held: Iterable[str]) -> frozenset[str]:
        """The scopes of a token that are good for something here, in the CRM's names."""
        others = tuple(f"{one.prefix}.".lower() for one in PLACES if one is not self.place)
        own = f"{self.place.prefix}."
        return frozenset(
            f"{CRM.prefix}.{scope[len(own) :]}" if scope.lower().startswith(own.lower()) else scope
            for scope in held
            if not scope.lower().startswith(others)
        )

    def offers(self, route: str) -> bool:
        """Whether the service has the call at all."""
        return True

    def takes(self, parameter: str) -> bool:
        """Whether the service has the parameter, of those that a route knows."""
        return True

    def price(self, route: str, credits: int) -> int:
        """What a call costs here that costs so much in the CRM."""
        return credits

    @property
    @abstractmethod
    def zgid(self) -> str:
        """The organisation's id."""

    @property
    @abstractmethod
    def company_name(self) -> str: ...

    @property
    @abstractmethod
    def user(self) -> dict[str, Any]:
        """The user that the tokens act as."""

    @property
    @abstractmethod
    def time_zone(self) -> str:
        """The API user's zone: the offset of every datetime that Zoho writes."""

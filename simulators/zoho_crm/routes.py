"""The table of routes, and what they are given and give back: a request and an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .exceptions import refuse

if TYPE_CHECKING:
    from .faults import Fault
    from .service import Service


@dataclass
class Request:
    """One call as it came in; a route may set `module` when the body names it, for the ledger."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    module: str | None = None
    scopes: frozenset[str] = frozenset()
    """What the access token may do here, in the CRM's names."""
    elsewhere: bool = False
    """Whether the call is of another service than the one that is served."""
    fault: Fault | None = None
    """A fault that this call meets and that its route has to produce: job_states or corrupt_zip."""
    api_url: str = ""
    accounts_url: str = ""

    def names(self, parameter: str) -> list[str]:
        """A comma list, without blanks and repeats."""
        parts = (part.strip() for part in self.query.get(parameter, "").split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def number(self, parameter: str, default: int) -> int:
        """A whole number from 1 on."""
        text = self.query.get(parameter)
        if text is None:
            return default
        if not text.isdigit() or int(text) < 1:
            refuse(400, "INVALID_DATA", param_name=parameter, expected_data_type="integer")
        return int(text)

    def one_of(self, parameter: str, choices: tuple[str, ...], default: str) -> str:
        text = self.query.get(parameter, default)
        if text not in choices:
            refuse(400, "INVALID_DATA", param_name=parameter, supported_values=list(choices))
        return text

    def json(self) -> Any:
        """The body; what is not JSON is refused in Zoho's words."""
        try:
            return json.loads(self.body)
        except ValueError:
            refuse(400, "INVALID_REQUEST", message="unable to process your request. please verify whether "
                   "you have entered proper method name, parameter and parameter values.")  # fmt: skip


@dataclass
class Answer:
    """What goes back: JSON from `body`, or `raw` bytes with their own content type."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json;charset=UTF-8"
    cut_after: int | None = None
    truncate: bool = False
    reset: bool = False
    drip: float | None = None
    drip_body: bool = False
    """What a fault does to the answer on its way."""


def ok(**body: Any) -> Answer:
    return Answer(200, body)


def created(**body: Any) -> Answer:
    return Answer(201, body)


def no_content() -> Answer:
    """Zoho's empty list: 204 and no body."""
    return Answer(204)


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    params: frozenset[str]
    scopes: tuple[str, ...]
    credits: Any
    heavy: Any
    """Whether the call falls under the sub-concurrency limit: a bool or a function of the request."""
    host: str
    locked: bool
    authority: str
    call: Callable[..., Answer]
    regex: re.Pattern[str]
    module: Callable[..., str | None] | None = None
    """Finds the module of a call that names it neither in its path nor in its query."""
    service: str = "crm"

    @property
    def name(self) -> str:
        return f"{self.method} {self.pattern}"

    def cost(self, service: Service, request: Request) -> int:
        credits = self.credits(service, request) if callable(self.credits) else self.credits
        return service.price(self.name, int(credits))

    def is_heavy(self, request: Request) -> bool:
        return bool(self.heavy(request) if callable(self.heavy) else self.heavy)


ROUTES: list[Route] = []


def route(
    method: str, pattern: str, **options: Any
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """Put a function `(org, request, **path variables) -> Answer` into the table.

    Options: `params` (names of the modelled query parameters, blank-separated; any other is 418), `scopes`
    (blank-separated, all needed; `ZohoCRM.modules.READ` is also met by the module's own scope), `credits`
    (a number, or a function of org and request), `heavy` (counts for the sub-concurrency limit: a bool or
    a function of the request), `host` ("api" or "accounts"), `locked` (False: the function takes
    `org.lock` itself, where it needs it), `service` (whose call it is; of the accounts host: `accounts`), `module` (finds the module, for faults and the ledger, of a call that
    names it in its body or by a job), `authority` (who says that Zoho does this).
    """

    def register(call: Callable[..., Answer]) -> Callable[..., Answer]:
        regex = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern) + "/?")
        ROUTES.append(
            Route(
                method,
                pattern,
                frozenset(str(options.get("params", "")).split()),
                tuple(str(options.get("scopes", "")).split()),
                options.get("credits", 1),
                options.get("heavy", False),
                options.get("host", "api"),
                options.get("locked", True),
                options.get("authority", "documented"),
                call,
                regex,
                options.get("module"),
                options.get("service", "accounts" if options.get("host") == "accounts" else "crm"),
            )
        )
        return call

    return register


def find_route(host: str, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route that fits with the fewest variables: `/crm/v8/Leads/deleted` is no record's id.

    Of two with as many, the one whose variable stands further right: `/crm/v8/users/{id}` before `/crm/v8/{module}/deleted`.
    """
    found = [
        (known, match.groupdict())
        for known in ROUTES
        if known.host == host and known.method == method and (match := known.regex.fullmatch(path))
    ]
    return min(found, key=lambda pair: (len(pair[1]), -pair[0].pattern.find("{")), default=None)

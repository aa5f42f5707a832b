"""The HTTP session of a connector: tries, calls a minute, exact numbers, and answers that are errors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import requests
from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.exceptions import IgnoreResponseException
from requests import Response

from ..zoho_crm.auth.transport import LimitedClient, limited_adapter, refuse_redirect, where
from ..zoho_crm.client.throttling import RateLimiter, RetryPolicy
from ..zoho_crm.exceptions import (
    CredentialsError,
    CreditBudgetExceeded,
    DailyLimitError,
    ExtractError,
    NotAvailableError,
    ZohoConnectionError,
    ZohoError,
    zoho_error,
)
from ..zoho_crm.redaction import redact
from .connector import Credits
from .keys import KeyCheck
from .paginators import utc_now

EMPTY = (204, 304)  # nothing there, and nothing changed
# Codes of refused tokens, of scopes that are missing, and of used-up days, by the services' own pages on errors:
# Desk (https://desk.zoho.com/DeskAPIDocument#Errors), Books (https://www.zoho.com/books/api/v3/errors/).
TOKEN_CODES = frozenset({"INVALID_OAUTH", "INVALID_TOKEN", "UNAUTHORIZED", "14"})
SCOPE_CODES = frozenset({"SCOPE_MISMATCH", "OAUTH_SCOPE_MISMATCH", "57", "insufficient_scope"})
NO_ACCESS_CODES = frozenset({"FORBIDDEN", "NO_PERMISSION", "LICENSE_ACCESS_LIMITED", "ORG_NOT_FOUND"})
DAY_CODES = frozenset({"45", "THRESHOLD_EXCEEDED"})


class MissingScope(NotAvailableError):
    """The token may not read this."""


class NoService(NotAvailableError):
    """The account does not have the service, or the user no access to it."""


@dataclass(frozen=True)
class Clock:
    """The time to wait by; tests bring one that does not wait."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = utc_now


@dataclass
class ServiceSession:
    """A session for dlt's REST client, and what its calls came to."""

    http: requests.Session
    calls: int = 0  # tries, refused ones too
    max_calls: int | None = None  # the next one is refused
    credits: int = 0  # of calls that were answered; as with the CRM, a refused one takes none
    max_credits: int | None = None  # no call is made that would take more
    credits_remaining: int | None = None  # of the day, where answers tell
    price: Callable[[str], int] = field(default=lambda url: 0)  # what a call is expected to take, by its URL
    credits_told: Credits | None = None  # the headers that tell what one has taken
    clock: Clock = field(default_factory=Clock)

    @staticmethod
    def open(
        calls_per_minute: int | None,
        seconds: float = 60.0,
        clock: Clock | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> ServiceSession:
        """A session whose answers have an end; 429, 5xx and lost connections are tried again.

        Args:
            calls_per_minute: More wait for their turn; None: there is no such limit.
            seconds: How long an answer may take to begin.
        """
        clock = clock or Clock()
        adapter = limited_adapter(time.monotonic, seconds)
        rate = None
        if calls_per_minute is not None:
            rate = RateLimiter(calls_per_minute, clock.monotonic, "calls of a minute")
        send = adapter.send
        client = LimitedClient(
            adapter,
            lambda pause: clock.sleep(pause),
            request_timeout=seconds,
            raise_for_status=False,
            status_codes=(),
            exceptions=(),
            retry_condition=_passes,
            **RetryPolicy().http_settings(),
        )
        session = ServiceSession(client.session, clock=clock)

        def counted(request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Response:
            price = session.price(str(request.url))
            session.check_limits(price)
            with rate.acquire(lambda pause, _: clock.sleep(pause)) if rate else nullcontext():
                session.calls += 1
                answer: Response = send(request, *args, **kwargs)
            session.count_credits(answer, price)
            refuse_redirect(answer)
            return answer

        adapter.send = counted  # type: ignore[method-assign]
        session.http.proxies.update(proxies or {})
        return session

    def check_limits(self, price: int) -> None:
        """Raises CreditBudgetExceeded for a call that would go over the limit of the run."""
        if self.max_calls is not None and self.calls >= self.max_calls:
            raise CreditBudgetExceeded(f"stopped at the limit of {self.max_calls:,} calls")
        if self.max_credits is not None and self.credits + price > self.max_credits:
            raise CreditBudgetExceeded(f"stopped at the limit of {self.max_credits:,} API credits")

    def count_credits(self, answer: Response, price: int) -> None:
        """What a call has taken: as the answer says, or else as the connector declares."""
        if self.credits_told is None:
            return
        told = answer.headers.get(self.credits_told.header or "", "")
        self.credits += int(told) if told.isdigit() else price if answer.ok else 0
        left = answer.headers.get(self.credits_told.remaining_header or "", "")
        if left.isdigit():
            self.credits_remaining = int(left)


def _passes(response: Response | None, error: BaseException | None) -> bool:
    """Whether another try may help: throttles, server errors and lost connections."""
    if response is None:
        lost = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
        return isinstance(error, lost) and not isinstance(error, requests.exceptions.SSLError)
    if response.status_code == 429:
        return error_in(response)[0] not in DAY_CODES
    return response.status_code >= 500


def error_in(response: Response) -> tuple[str, str]:
    """Code and message of an error, in the forms of Desk, Books, Recruit and OAuth 2.0."""
    try:
        body = json.loads(response.content)
    except ValueError:
        text = " ".join(response.text.split())
        return "", "an answer in HTML" if text.startswith("<") else text[:200]
    if isinstance(body, dict) and isinstance(body.get("data"), list) and len(body["data"]) == 1:
        body = body["data"][0]
    if not isinstance(body, dict):
        return "", ""
    code = next((body[key] for key in ("errorCode", "code", "error") if body.get(key) not in (None, 0)), "")
    message = body.get("message") or body.get("error_description") or body.get("details") or ""
    if not (code or message):
        message = response.text[:200] if body else ""
    return str(code), redact(" ".join(str(message).split()))


def check_answer(response: Response, scopes: Sequence[str] = (), remedy: str = "") -> None:
    """Raises the error that an answer stands for.

    Args:
        scopes: What the call needs, to be named if it is not granted.
        remedy: What to do then.
    """
    if response.status_code in EMPTY:
        return
    if response.status_code < 400 and b"error" not in response.content[:800]:
        return  # of a page of rows nothing is parsed here: 800 bytes hold 200 letters
    code, message = error_in(response)
    body = {"code": code, "message": message or "no message"}
    if response.status_code < 400 and not (code and "error" in response.text[:200]):
        return
    if code in SCOPE_CODES:
        named = (
            f"a scope is not granted: it needs {' and '.join(scopes)}" if scopes else "a scope is not granted"
        )
        raise _told(MissingScope(where(response), response.status_code, body), named, remedy)
    if code in TOKEN_CODES or response.status_code == 401:
        refusal = " ".join(f"{response.status_code} {code} {where(response)}".split())
        raise CredentialsError(f"{refusal}: {message or 'no message'}. {remedy}".strip())
    if code in NO_ACCESS_CODES:
        raise NoService(where(response), response.status_code, body)
    if response.status_code == 429 and code in DAY_CODES:
        raise DailyLimitError(where(response), 429, body)
    raise zoho_error(where(response), response.status_code, body)


def _told(error: ZohoError, *words: str) -> ZohoError:
    error.args = (". ".join([str(error), *(word for word in words if word)]),)
    return error


def read_body(response: Response, decimal_numbers: bool = False) -> Any:
    """The JSON of an answer with exact numbers; `{}` where there is nothing.

    Args:
        decimal_numbers: Whole numbers become decimals as well, so that a column of amounts has one type.
    """
    if response.status_code in EMPTY or not response.content.strip():
        return {}
    parse_int: Callable[[str], Any] = Decimal if decimal_numbers else int
    try:
        return json.loads(response.content, parse_float=Decimal, parse_int=parse_int)
    except ValueError:
        raise ZohoConnectionError(
            f"{response.status_code} {where(response)} brought no JSON, or only a part of it arrived"
        ) from None


def rows_found(found: list[Any]) -> list[Any]:
    """The entries of the one list that a selector has found, or else all that it has found."""
    return found[0] if len(found) == 1 and isinstance(found[0], list) else found


class AnswerCheck:
    """A hook for the answers of one resource: errors, numbers, a selector that finds nothing, a page that repeats."""

    def __init__(
        self, selector: str | None, decimal_numbers: bool, scopes: Sequence[str] = (), remedy: str = ""
    ) -> None:
        self._selector, self._decimal = selector, decimal_numbers
        self._scopes, self._remedy = scopes, remedy
        self.keys: KeyCheck | None = None
        self.repeats = False  # whether a page may come again; its paginator sees when it does not go on
        self._previous: tuple[str, list[Any]] | None = None  # path, and rows of its latest page

    def __call__(self, response: Response, *_: Any, **__: Any) -> None:
        try:
            check_answer(response, self._scopes, self._remedy)
        except ZohoError as error:
            if not _passes(response, None):
                raise
            raise requests.HTTPError(
                str(error), response=response
            ) from error  # which dlt's client tries again
        body = read_body(response, self._decimal)
        rows = self._rows(response, body)
        path = str(response.request.path_url).partition("?")[0]
        if rows and not self.repeats and self._previous == (path, rows):
            raise ExtractError(f"{where(response)} brought the same page twice: its paging does not go on")
        self._previous = path, rows
        if self.keys is not None:
            self.keys.check_answer(rows)
        response.json = lambda **_: body  # type: ignore[method-assign]

    def _rows(self, response: Response, body: Any) -> list[Any]:
        if self._selector is None or not body:
            return body if isinstance(body, list) else []
        found = jsonpath.find_values(self._selector, body)
        if not found:
            keys = ", ".join(body) if isinstance(body, dict) else "none: it is a list"
            raise ExtractError(
                f"data_selector {self._selector!r} finds nothing in {where(response)}; the answer's keys are {keys}"
            )
        return rows_found(found)


class DeletionsCheck(AnswerCheck):
    """The same for a list of deletions: where the API refuses it, the rows are read all the same."""

    def __init__(self, selector: str | None, refused: dict[str, str], resource: str) -> None:
        super().__init__(selector, decimal_numbers=False)
        self._refused, self._resource = refused, resource

    def __call__(self, response: Response, *_: Any, **__: Any) -> None:
        try:
            super().__call__(response)
        except CredentialsError:
            raise
        except ZohoError as error:
            self._refused[self._resource] = str(error)
            raise IgnoreResponseException from error

"""What came back from Zoho: data, one of its errors in any of their shapes, or nothing readable."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests import Response
from urllib3.exceptions import NewConnectionError

from .errors import ReadFailed, Retriable, Unreachable, UsedUp, zoho_error
from .transport import TooSlow

logger = logging.getLogger("zoho_crm")

REMAINING = "X-API-CREDITS-REMAINING"  # in answers, once half of the day's credits are used

SLOW_TRIES = 2  # of a call whose answer does not come whole in time: each takes long

_call: ContextVar[Call | None] = ContextVar("zoho_crm_call", default=None)
_PARSED = "_zoho_body"  # where a response keeps its body, so that it is parsed once


@dataclass
class Call:
    """The call under way, with all its tries."""

    what: str
    reason: str = ""  # why it is tried again
    told: bool = False
    slow: int = 0  # tries whose answer did not come whole in time


class Redirected(Unreachable):
    """An answer that sends us elsewhere; asking again brings the same."""


def refuse_redirect(response: Response, *_: Any, **__: Any) -> None:
    """A hook that goes before everything else: whoever follows a redirect may take a token along.

    Zoho's API never redirects.
    """
    if not 300 <= response.status_code < 400 or response.status_code == 304:
        return
    try:
        there = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
        host = there.netloc.rpartition("@")[2][:100]
    except ValueError:
        host = "an address that nobody can read"
    response.close()
    raise Redirected(
        f"{urlsplit(response.url).netloc} answered with a redirect to {host}: is a gateway in between, or is"
        " the region wrong?"
    )


def body_of(response: Response) -> dict[str, Any]:
    """The JSON object of an answer, numbers exact; `{}` for 204 and 304.

    Raises one of ZohoError's kinds for an error in any shape (an object, `{"data": [error]}`, a bare
    list), and Unreachable for what is not JSON.
    """
    if response.status_code in (204, 304):
        return {}
    body = _parse(response)
    error = _error_in(body)
    if used_up(response):
        raise UsedUp(where(response), response.status_code, error or body)
    if error is not None or response.status_code >= 400:
        raise zoho_error(where(response), response.status_code, error or body)
    return body


def rows_in(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of an answer; none for 204. An answer that lacks the list is no empty list."""
    rows = body.get(key) if body else []
    if not isinstance(rows, list):
        raise ReadFailed(f"Zoho's answer has no list of {key}")
    if not set(map(type, rows)) <= {dict}:
        raise ReadFailed(f"Zoho's list of {key} holds something that is no object")
    return rows


def more_in(body: Mapping[str, Any]) -> bool:
    """Whether the list goes on; a page that does not tell is not taken for the last one."""
    if not body:
        return False
    info = body.get("info")
    more = info.get("more_records") if isinstance(info, Mapping) else None
    if not isinstance(more, bool):
        raise ReadFailed("Zoho's answer does not say whether there are more records")
    return more


def worth_retrying(response: Response | None, error: BaseException | None) -> bool:
    """The predicate for dlt's HTTP client: throttles, server errors, lost connections, torn bodies."""
    reason = _passing(error) if response is None else _trouble(response)
    if reason:
        tell(reason)
    return bool(reason)


def worth_making_again(response: Response | None, error: BaseException | None) -> bool:
    """The same for a call that makes something: only where it is certain that nothing was made."""
    refused = response is not None and response.status_code == 429 and not used_up(response)
    if refused or never_sent(error):
        tell("429" if refused else type(error).__name__)
        return True
    return False


def used_up(response: Response) -> bool:
    """Whether the day's credits are gone: they come back hours later, so no second try helps."""
    return response.status_code == 429 and response.headers.get(REMAINING) == "0"


def never_sent(error: BaseException | None) -> bool:
    """Whether the connection failed before anything of the request could leave."""
    if isinstance(error, (requests.exceptions.ProxyError, requests.exceptions.ConnectTimeout)):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    return isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


def root_of(error: Exception) -> BaseException:
    """What went wrong on the wire, or else the error itself."""
    return error.__cause__ if isinstance(error.__cause__, requests.RequestException) else error


def leaves_open(error: Exception) -> bool:
    """Whether a job may have been made although no answer says so."""
    root = root_of(error)
    lasting = isinstance(root, (Redirected, requests.exceptions.SSLError)) or never_sent(root)
    return not lasting and getattr(error, "code", "") != "TOO_MANY_REQUESTS"


@contextmanager
def calling(method: str, url: str) -> Iterator[None]:
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


def tell(reason: str) -> None:
    """Say that the call is tried again and why, unless that was said; a person waits where nobody answers."""
    call = _call.get()
    if call is None:
        return
    call.reason = reason
    if call.told:
        return
    call.told = True
    logger.info("Trying again: %s (%s)", call.what, reason)
    if reason.endswith(("ConnectionError", "Timeout")):
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


@dataclass
class Bill:
    """What the tries of a call cost. Zoho does not say whether a refused one costs; others saw none taken."""

    spend: Callable[[int], None]  # told once for each try
    credits: int
    makes: bool = False  # then a try whose outcome nobody knows is counted as well
    paid: int = 0

    def count(self, response: Response, *_: Any, **__: Any) -> None:
        self._add(response.ok or (self.makes and response.status_code >= 500))

    def lost(self, error: BaseException, before: int) -> None:
        """No answer: of a call that makes something, only the last try can end so."""
        if self.makes and self.paid == before and not never_sent(error):
            self._add(True)

    def _add(self, costs: bool) -> None:
        credits = self.credits if costs else 0
        self.paid += credits
        self.spend(credits)


def where(response: Response) -> str:
    """`GET /crm/v8/Leads?page=2` as errors name it; no parameter of ours is a secret."""
    url = urlsplit(response.request.url or "")
    return f"{response.request.method} {url.path}" + (f"?{url.query[:80]}" if url.query else "")


def unreachable(url: str, error: requests.RequestException) -> Unreachable:
    """The sentence for a call that got no answer."""
    host = urlsplit(url).netloc
    if (slow := too_slow(error)) is not None:
        return Unreachable(f"{host} is too slow: {slow}. Raise Timeout if it is the network")
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"TLS to {host} failed: check the certificates, a proxy in between, and the clock")
    if isinstance(error, requests.Timeout):
        return Unreachable(f"{host} did not answer in time")
    return Unreachable(f"{host} could not be reached: check the network, a proxy and the host's name")


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
        Unreachable,
    )
    lasting = (requests.exceptions.SSLError, Redirected, UsedUp)
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
        _parse(response)
    except Unreachable:
        return f"{response.status_code} without JSON"
    return ""


def _is_read(response: Response) -> bool:
    """Whether the body is here already; the body of a streamed download is not."""
    return bool(getattr(response, "_content_consumed", False))


def _parse(response: Response) -> dict[str, Any]:
    if _PARSED in response.__dict__:
        parsed: dict[str, Any] = response.__dict__[_PARSED]
        return parsed
    try:
        body = json.loads(response.content, parse_float=Decimal)
        if not body and response.status_code < 400:
            raise ValueError("Zoho says 204 when there is nothing to say")
    except ValueError as error:
        what = "HTML" if response.content.lstrip()[:1] == b"<" else "no JSON"
        what = what if response.content.strip() not in (b"", b"{}", b"[]", b"null") else "an empty body"
        raise Unreachable(
            f"{response.status_code} {where(response)} brought {what}, so something else than Zoho CRM "
            f"answered at {urlsplit(response.url).netloc}, or only a part arrived"
        ) from error
    whole: dict[str, Any] = body if isinstance(body, dict) else {"data": body}
    response.__dict__[_PARSED] = whole
    return whole


def _error_in(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if body.get("status") == "error":
        return body
    for rows in body.values():  # {"data": [error]}, {"fields": [error]}
        if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], Mapping):
            row: Mapping[str, Any] = rows[0]
            # A record may have fields of such names, but it has an id as well.
            if row.get("status") == "error" and "code" in row and "id" not in row:
                return row
    return None

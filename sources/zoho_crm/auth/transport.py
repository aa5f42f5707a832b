"""HTTP answers: whole and in time, never a redirect, JSON or one of the exceptions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from http.client import HTTPResponse
from threading import local
from typing import Any
from urllib.parse import urljoin, urlsplit

from dlt.sources.helpers.requests import Client
from requests import Response
from requests.adapters import HTTPAdapter

from ..exceptions import DailyLimitError, ZohoConnectionError, zoho_error

LEAST_RATE = 1_000  # bytes a second of an archive, on average over `Timeout`


class TooSlow(TimeoutError):
    """An answer began and did not come whole in time."""


class Limit:
    """How long one answer may take: to the end of its head, and then whole.

    A socket's own timeout begins anew with each byte. The head may take `seconds` from the beginning of the call,
    and all of it twice as long; a body `by_rate` may take longer as long as it brings enough bytes.
    """

    def __init__(self, now: Callable[[], float], seconds: float, begun: float, *, by_rate: bool) -> None:
        self._now, self._seconds, self._by_rate = now, seconds, by_rate
        self._end = begun + seconds
        self._has_head = False
        self._bytes = 0

    def begin_body(self) -> None:
        self._has_head, self._bytes, self._end = True, 0, self._end + self._seconds

    def left(self) -> float:
        """The seconds until the answer is too slow. Raises TooSlow if it is."""
        left = self._end - self._now()
        if left > 0:
            return left
        if self._has_head and self._by_rate:
            if self._bytes >= LEAST_RATE * self._seconds:
                self._bytes, self._end = 0, self._now() + self._seconds
                return self._seconds
            raise TooSlow(f"it sent {self._bytes:,} bytes in {self._seconds:,.0f} seconds")
        whole = self._seconds * (2 if self._has_head else 1)
        raise TooSlow(f"its answer was not whole after {whole:,.0f} seconds")

    def came(self, size: int) -> None:
        self._bytes += size
        self.left()


class _Limited(io.RawIOBase):
    """What a socket brings, with the limit looked at after each piece."""

    def __init__(self, sock: Any, limit: Limit) -> None:
        self._sock, self._limit = sock, limit
        self._idle: float | None = sock.gettimeout()
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._limit.left()
        self._sock.settimeout(left if self._idle is None else min(left, self._idle))
        size: int | None = self._raw.readinto(buffer)
        self._limit.came(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def limited_adapter(now: Callable[[], float], seconds: float, *, by_rate: bool = False) -> HTTPAdapter:
    """An adapter for a session of requests whose answers have an end."""

    begun = local()  # when this thread's call began

    class Response(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp.close()  # nothing was read of it yet
            self._limit = Limit(now, seconds, begun.at, by_rate=by_rate)
            self.fp = io.BufferedReader(_Limited(sock, self._limit), 1 << 16)

        def begin(self) -> None:
            super().begin()
            self._limit.begin_body()

    class Adapter(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Any:
            begun.at = now()
            return super().send(*args, **kwargs)

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            _answer_by(self.poolmanager, Response)

        def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
            known = proxy in self.proxy_manager
            manager = super().proxy_manager_for(proxy, **kwargs)
            if not known:
                _answer_by(manager, Response)
            return manager

    return Adapter(pool_maxsize=50)


def _answer_by(manager: Any, response: type[HTTPResponse]) -> None:
    """Let the connections of a pool manager of urllib3's, also one for a proxy, read answers by this class."""
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _connection(pool.ConnectionCls, response)})
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _connection(base: type, response: type[HTTPResponse]) -> type:
    return type(base.__name__, (base,), {"response_class": response})


class LimitedClient(Client):
    """dlt's client with tries; each try has an end, and the pauses between them are ours to make."""

    def __init__(self, adapter: HTTPAdapter, sleep: Callable[[float], None], **options: Any) -> None:
        super().__init__(**options)
        self._limited, self._sleep = adapter, sleep

    def _make_session(self) -> Any:
        session = super()._make_session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._limited)
        session.send.retry.sleep = self._sleep  # type: ignore[attr-defined]  # tenacity's, which wraps it
        return session


REMAINING = "X-API-CREDITS-REMAINING"  # in answers, once half of the day's credits are used
_PARSED = "_zoho_body"  # where a response keeps its body, so that it is parsed once


class Redirected(ZohoConnectionError):
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
    list), and ZohoConnectionError for what is not JSON.
    """
    if response.status_code in (204, 304):
        return {}
    body = parse_body(response)
    error = _error_in(body)
    if used_up(response):
        raise DailyLimitError(where(response), response.status_code, error or body)
    if error is not None or response.status_code >= 400:
        raise zoho_error(where(response), response.status_code, error or body)
    return body


def used_up(response: Response) -> bool:
    """Whether the day's credits are gone: they come back hours later, so no second try helps."""
    return response.status_code == 429 and response.headers.get(REMAINING) == "0"


def where(response: Response) -> str:
    """`GET /crm/v8/Leads?page=2` as errors name it; no parameter of ours is a secret."""
    url = urlsplit(response.request.url or "")
    return f"{response.request.method} {url.path}" + (f"?{url.query[:80]}" if url.query else "")


def parse_body(response: Response) -> dict[str, Any]:
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
        raise ZohoConnectionError(
            f"{response.status_code} {where(response)} brought {what}, so something else than Zoho "
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

"""What came back from Zoho: data, one of its errors in any of their shapes, or nothing readable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests import Response

from .errors import ReadFailed, Retriable, Unreachable, zoho_error

_PARSED = "_zoho_body"  # where a response keeps its body, so that it is parsed once


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
    if error is not None or response.status_code >= 400:
        raise zoho_error(where(response), response.status_code, error or body)
    return body


def rows_in(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of an answer; none for 204. An answer that lacks the list is no empty list."""
    rows = body.get(key) if body else []
    if not isinstance(rows, list):
        raise ReadFailed(f"Zoho's answer has no list of {key}")
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
    if response is None:
        lost = (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
            Retriable,
            Unreachable,
        )
        return isinstance(error, lost) and not isinstance(error, (requests.exceptions.SSLError, Redirected))
    if response.status_code == 429 or response.status_code >= 500:
        return True
    if response.status_code not in (200, 201) or not _is_read(response):
        return False
    try:
        _parse(response)
    except Unreachable:
        return True
    return False


def where(response: Response) -> str:
    """`GET /crm/v8/Leads?page=2` as errors name it; no parameter of ours is a secret."""
    url = urlsplit(response.request.url or "")
    return f"{response.request.method} {url.path}" + (f"?{url.query[:80]}" if url.query else "")


def unreachable(url: str, error: requests.RequestException) -> Unreachable:
    """The sentence for a call that got no answer."""
    host = urlsplit(url).netloc
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"TLS to {host} failed: check the certificates, a proxy in between, and the clock")
    if isinstance(error, requests.Timeout):
        return Unreachable(f"{host} did not answer in time")
    return Unreachable(f"{host} could not be reached: check the network, a proxy and the host's name")


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

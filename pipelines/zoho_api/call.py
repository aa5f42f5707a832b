"""`call`: one request of a resource, with its answer and the rows that the selector finds."""

from __future__ import annotations

import json
from typing import Any

import requests
from dlt.common import jsonpath

from pipelines.zoho_crm.console import Console, counted
from pipelines.zoho_crm.errors import FAILED, print_error
from sources.zoho_api import Service
from sources.zoho_api.request import answer_to, prepared_request
from sources.zoho_api.session import rows_found
from sources.zoho_crm.redaction import redact

# What says something of limits, of paging, and of who has answered.
HEADERS = ("content-type", "retry-after", "link")
PREFIXES = ("x-rate", "x-api", "x-limit", "ratelimit")
LONG = 4_000  # characters of the answer that are shown without --verbose


def show_call(console: Console, service: Service, resource: str) -> int:
    """Make the request and show all of it. Returns the exit code: 1 for a status of 400 or more."""
    request = prepared_request(service, resource)
    console.text(f"{request.method} {request.url}", whole=True)
    response = answer_to(service, request)
    seconds = response.elapsed.total_seconds()
    console.text(f"{response.status_code} {response.reason or ''} in {seconds:,.2f} s".replace("  ", " "))
    for name, value in response.headers.items():
        if name.lower() in HEADERS or name.lower().startswith(PREFIXES):
            console.text(f"{name}: {value}", whole=True)
    console.text()
    body = _body(response)
    _show(console, body)
    selector = service.selector_of(resource)
    rows = _rows(body, selector)
    facts: dict[str, Any] = {"method": request.method, "url": request.url, "status": response.status_code}
    console.event("call", {**facts, "rows": len(rows), "answer": body})
    if response.status_code >= 400:
        print_error(f"{service.connector.title} refused the call with {response.status_code}.")
        return FAILED
    console.last(_summary(body, selector, rows))
    return 0


def _summary(body: Any, selector: str | None, rows: list[Any]) -> str:
    if rows or not body or selector is None or jsonpath.find_values(selector, body):
        return f"{counted(len(rows), 'row')} found" + (f" by the selector {selector}." if selector else ".")
    keys = ", ".join(body) if isinstance(body, dict) else "none: it is a list"
    return f"The selector {selector} finds nothing; the answer's keys are {keys}."


def _body(response: requests.Response) -> Any:
    try:
        return response.json() if response.content.strip() else None
    except ValueError:
        return response.text


def _rows(body: Any, selector: str | None) -> list[Any]:
    found = jsonpath.find_values(selector, body) if selector and isinstance(body, dict) else [body]
    return [one for one in rows_found(found) if one is not None]


def _show(console: Console, body: Any) -> None:
    """The answer as JSON, in colours on a terminal."""
    if body is None:
        console.text("(no body)")
        return
    text = redact(json.dumps(body, indent=2, ensure_ascii=False))
    if len(text) > LONG and not console.verbose:
        text = f"{text[:LONG]}\n... {len(text):,} characters in all; --verbose shows them"
    console.code(text)

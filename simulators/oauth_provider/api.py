"""The provider's API: projects, and the tasks of one project, page by page."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from ..core.rows import Row, ordered
from ..zoho_crm.exceptions import refuse
from ..zoho_crm.routes import Answer, Request
from ..zoho_crm.routes import route as any_route
from .provider import Provider

route = partial(any_route, service="provider")
LIST = "page per_page cursor limit updated_since"


@route(
    "GET",
    "/v1/projects",
    params=LIST,
    scopes="projects:read",
    authority="inferred: no provider in particular",
)
def projects(provider: Provider, request: Request) -> Answer:
    return _page(provider, request, provider.rows("projects"))


@route("GET", "/v1/projects/{id}", scopes="projects:read", authority="inferred: no provider in particular")
def project(provider: Provider, request: Request, id: str) -> Answer:
    return Answer(200, provider.whole(_project(provider, id)))


@route(
    "GET",
    "/v1/projects/{id}/tasks",
    params=LIST,
    scopes="tasks:read",
    module=lambda *_: "tasks",
    authority="inferred: no provider in particular",
)
def tasks(provider: Provider, request: Request, id: str) -> Answer:
    _project(provider, id)
    return _page(provider, request, provider.rows("tasks", id))


def _project(provider: Provider, id: str) -> Row:
    row = provider.tables["projects"].get(id)
    if row is None:
        refuse(404, "NOT_FOUND", "There is no such project.")
    return row


def _page(provider: Provider, request: Request, rows: list[Row]) -> Answer:
    if (text := request.query.get("updated_since")) is not None:
        since = _time(text)
        rows = [row for row in rows if row.modified >= since]
    rows = ordered(rows, lambda row: row.modified)
    by_link = provider.quirks.paging == "link"
    size_name, place_name = ("per_page", "page") if by_link else ("limit", "cursor")
    other = {"page", "per_page", "cursor", "limit"} - {size_name, place_name}
    if unknown := sorted(other & set(request.query)):
        refuse(400, "BAD_REQUEST", f"unknown parameter {unknown[0]}")
    size = _size(provider, request, size_name)
    first = (
        (_number(request.query.get("page", "1")) - 1) * size
        if by_link
        else _after(request.query.get("cursor"))
    )
    shown = [provider.whole(row) for row in rows[first : first + size]]
    more = len(rows) > first + size
    if not by_link:
        following = base64.urlsafe_b64encode(f"after {first + size}".encode()).decode() if more else None
        return Answer(200, {"items": shown, "next_cursor": following})
    headers = {}
    if more:
        query = urlencode({**request.query, "page": first // size + 2})
        headers["Link"] = f'<{request.api_url}{request.path}?{query}>; rel="next"'
    return Answer(200, shown, headers)


def _size(provider: Provider, request: Request, name: str) -> int:
    size = _number(request.query.get(name, str(provider.rules.page_size)))
    if size > provider.rules.page_size:
        refuse(400, "BAD_REQUEST", f"{name} is at most {provider.rules.page_size}")
    return size


def _number(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        refuse(400, "BAD_REQUEST", "a whole number from 1 on is expected")
    return int(text)


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(cursor).decode().partition(" ")
    except (binascii.Error, UnicodeDecodeError):
        word, number = "", ""
    if word != "after" or not number.isdigit():
        refuse(400, "BAD_REQUEST", "the cursor is not one of this list")
    return int(number)


def _time(text: str) -> datetime:
    try:
        since = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        refuse(400, "BAD_REQUEST", "updated_since is a time with an offset")
    return since

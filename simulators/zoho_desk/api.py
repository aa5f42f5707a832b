"""The calls below `/api/v1/`: lists, single rows, what belongs to a ticket, and searches by time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from ..core.rows import Row, ordered
from ..zoho_crm.exceptions import refuse
from ..zoho_crm.routes import Answer, Request, no_content, ok
from ..zoho_crm.routes import route as any_route
from .desk import KINDS, Desk

route = partial(any_route, service="desk")
SCOPES = {
    "tickets": "Desk.tickets.READ",
    "contacts": "Desk.contacts.READ",
    "accounts": "Desk.contacts.READ",
    "agents": "Desk.basic.READ",
    "departments": "Desk.basic.READ",
    "products": "Desk.products.READ",
    "tasks": "Desk.tasks.READ",
}
SEARCHED = ("tickets", "contacts", "accounts", "products", "tasks")
SEARCH_SORTS = tuple(
    sign + name for sign in ("", "-") for name in ("relevance", "modifiedTime", "createdTime")
)
ZERO_BASED = ("products",)
# Credits of a range of rows, by the number of its first row.
RANGE_CREDITS = ((2_000, 3), (10_000, 5), (50_000, 10), (100_000, 50))
# Zoho's OpenAPI files: UTC with a Z, at most three decimals.
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z")


def credits_of_range(desk: Desk, request: Request) -> int:
    text = request.query.get("from", "0")
    first = int(text) if text.isdigit() else 0
    return next((credits for last, credits in RANGE_CREDITS if first <= last), 100)


@route("GET", "/api/v1/organizations", scopes="Desk.basic.READ", authority="documented: without orgId")
def organizations(desk: Desk, request: Request) -> Answer:
    return ok(data=desk.organizations) if desk.organizations else no_content()


def add_routes(kind: str, scope: str) -> None:
    """A list and a single row of each kind."""
    more = " departmentId" if kind in ("tickets", "tasks") else ""

    @route(
        "GET",
        f"/api/v1/{kind}",
        params=f"from limit sortBy orgId{more}",
        credits=credits_of_range,
        scopes=scope,
        module=lambda *_: kind,
        authority="documented; with which number `from` starts: conflict; the order without sortBy: inferred",
    )
    def listed(desk: Desk, request: Request) -> Answer:
        rows = desk.rows(kind)
        if department := request.query.get("departmentId"):
            rows = [row for row in rows if row.values.get("departmentId") == department]
        return _page(desk, request, kind, rows)

    @route(
        "GET",
        f"/api/v1/{kind}/{{id}}",
        params="orgId",
        scopes=scope,
        module=lambda *_: kind,
        authority="documented; 404 URL_NOT_FOUND for an unknown id: inferred",
    )
    def single(desk: Desk, request: Request, id: str) -> Answer:
        return Answer(200, desk.whole(_row(desk, kind, id)))


def add_search(kind: str, scope: str) -> None:
    @route(
        "GET",
        f"/api/v1/{kind}/search",
        params="modifiedTimeRange createdTimeRange sortBy from limit departmentId orgId",
        credits=credits_of_range,
        scopes=f"Desk.search.READ {scope}",
        module=lambda *_: kind,
        authority="documented; the largest `from`: conflict; both ends of a range included: inferred",
    )
    def search(desk: Desk, request: Request) -> Answer:
        first, limit = _number(request, "from", 0, 0), _limit(request, 100, 10)
        if first > desk.quirks.search_reach:
            refuse(422, "UNPROCESSABLE_ENTITY", param_name="from")
        rows = _in_ranges(request, desk.found_by_search(kind))
        if department := request.query.get("departmentId"):
            rows = [row for row in rows if row.values.get("departmentId") == department]
        sort = request.one_of("sortBy", SEARCH_SORTS, "relevance")
        rows = ordered(rows, _value(sort.lstrip("-")), descending=sort.startswith("-"))
        page = rows[first : first + limit]
        if not page:
            return no_content()
        return ok(data=[desk.whole(row) for row in page], count=len(rows))


def add_nested(kind: str) -> None:
    @route(
        "GET",
        f"/api/v1/tickets/{{id}}/{kind}",
        params="from limit sortBy orgId",
        credits=credits_of_range,
        scopes="Desk.tickets.READ",
        module=lambda *_: kind,
        authority="documented; 404 for an unknown ticket: inferred",
    )
    def nested(desk: Desk, request: Request, id: str) -> Answer:
        _row(desk, "tickets", id)
        return _page(desk, request, kind, desk.rows(kind, id))


for _kind, _scope in SCOPES.items():
    add_routes(_kind, _scope)
for _kind in SEARCHED:
    add_search(_kind, SCOPES[_kind])
for _kind in ("comments", "threads"):
    add_nested(_kind)


def _row(desk: Desk, kind: str, id: str) -> Row:
    row = desk.tables[kind].get(id)
    if row is None:
        refuse(404, "URL_NOT_FOUND", "The URL you requested could not be found.")
    return row


def _page(desk: Desk, request: Request, kind: str, rows: list[Row]) -> Answer:
    known = KINDS[kind]
    limit = _limit(request, known.limit, known.default)
    starts_at = 0 if kind in ZERO_BASED else desk.quirks.list_starts_at
    first = max(_number(request, "from", 0, 0) - starts_at, 0)
    sort = request.one_of("sortBy", ("", *known.sorts), "")
    newest_first = kind == "tickets" and not sort
    rows = ordered(rows, _value(sort.lstrip("-")), descending=newest_first or sort.startswith("-"))
    page = rows[first : first + limit]
    return ok(data=[desk.listed(row) for row in page]) if page else no_content()


def _value(name: str) -> Callable[[Row], Any]:
    """What rows are sorted by; rows of equal value, or without any order, are sorted by id."""
    if name in ("createdTime", "commentedTime", "sendDateTime"):
        return lambda row: row.created
    if name in ("modifiedTime", "recentThread"):
        return lambda row: row.modified
    if name in ("", "relevance"):
        return lambda row: ""
    return lambda row: row.values.get({"account": "accountId"}.get(name, name))


def _limit(request: Request, most: int, default: int) -> int:
    limit = _number(request, "limit", default, 1)
    if limit > most:
        refuse(422, "UNPROCESSABLE_ENTITY", param_name="limit")
    return limit


def _number(request: Request, name: str, default: int, least: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdigit() or int(text) < least:
        refuse(422, "UNPROCESSABLE_ENTITY", param_name=name)
    return int(text)


def _in_ranges(request: Request, rows: list[Row]) -> list[Row]:
    for name in ("modifiedTimeRange", "createdTimeRange"):
        if (text := request.query.get(name)) is not None:
            start, end = _range(text, name)
            of = _value(name.removesuffix("Range"))
            rows = [row for row in rows if start <= of(row) <= end]
    return rows


def _range(text: str, name: str) -> tuple[datetime, datetime]:
    ends = text.split(",")
    if len(ends) != 2 or not all(_TIME.fullmatch(end) for end in ends):
        refuse(422, "UNPROCESSABLE_ENTITY", param_name=name)
    try:
        start, end = (_time(end) for end in ends)
    except ValueError:
        refuse(422, "UNPROCESSABLE_ENTITY", param_name=name)
    return start, end


def _time(text: str) -> datetime:
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction.ljust(3, '0')}+00:00")

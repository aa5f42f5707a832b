"""The calls below `/books/v3/`: organisations, lists with their filters, and single rows with their line items."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from ..core.rows import Row, ordered
from ..zoho_crm.exceptions import refuse
from ..zoho_crm.routes import Answer, Request, ok
from ..zoho_crm.routes import route as any_route
from .books import KINDS, Books

route = partial(any_route, service="books", credits=1)
PER_PAGE = 200
DATES = ("date", "date_start", "date_end", "date_before", "date_after")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:?\d{2}")


@route("GET", "/books/v3/organizations", scopes="ZohoBooks.settings.READ", authority="documented")
def organizations(books: Books, request: Request) -> Answer:
    held = books.organizations if books.enabled else []
    return ok(code=0, message="success", organizations=held)


def add_list(kind: str) -> None:
    known = KINDS[kind]
    filters = ["last_modified_time"] * known.by_time + list(DATES) * known.by_date

    @route(
        "GET",
        f"/books/v3/{kind}",
        params=" ".join(("organization_id page per_page sort_column sort_order", *filters)),
        scopes=known.scope,
        module=lambda *_: kind,
        authority="documented; the columns to sort by, per_page above 200 and the order without sort_column: inferred",
    )
    def listed(books: Books, request: Request) -> Answer:
        page, per_page = request.number("page", 1), request.number("per_page", PER_PAGE)
        if per_page > PER_PAGE:
            refuse(400, "INVALID_DATA", param_name="per_page")
        rows = _filtered(books, request, books.rows(kind, books.organization_of(request)))
        column = request.one_of("sort_column", ("", *known.sorts), "")
        order = request.one_of("sort_order", ("A", "D"), "A" if column else "D")
        rows = ordered(rows, _value(column or "created_time"), descending=order == "D")
        first = (page - 1) * per_page
        context = {
            "page": page,
            "per_page": per_page,
            "has_more_page": len(rows) > first + per_page,
            "report_name": kind.title(),
            "applied_filter": "Status.All",
            "sort_column": column or "created_time",
            "sort_order": order,
        }
        shown = [books.listed(row) for row in rows[first : first + per_page]]
        return ok(code=0, message="success", **{kind: shown}, page_context=context)


def add_single(kind: str) -> None:
    known = KINDS[kind]

    @route(
        "GET",
        f"/books/v3/{kind}/{{id}}",
        params="organization_id",
        scopes=known.scope,
        module=lambda *_: kind,
        authority="documented; code 1002 of an unknown id: documented for invoices",
    )
    def single(books: Books, request: Request, id: str) -> Answer:
        row = books.tables[kind].get(id)
        if row is None or row.parent != books.organization_of(request):
            refuse(404, "1002", f"{known.one.capitalize()} does not exist.")
        return ok(code=0, message="success", **{known.one: books.whole(row)})


for _kind, _known in KINDS.items():
    add_list(_kind)
    if _known.single:
        add_single(_kind)


def _value(column: str) -> Callable[[Row], Any]:
    if column == "created_time":
        return lambda row: row.created
    if column == "last_modified_time":
        return lambda row: row.modified
    return lambda row: row.values.get(column)


def _filtered(books: Books, request: Request, rows: list[Row]) -> list[Row]:
    if (text := request.query.get("last_modified_time")) is not None:
        since = _time(text)
        inclusive = books.quirks.last_modified_time_inclusive
        rows = [row for row in rows if row.modified > since or (inclusive and row.modified == since)]
    for name in DATES:
        if (text := request.query.get(name)) is not None:
            rows = [row for row in rows if _fits(name, row.values.get("date"), _date(text, name))]
    return rows


def _fits(name: str, of: date | None, asked: date) -> bool:
    if of is None:
        return False
    if name == "date":
        return of == asked
    if name in ("date_start", "date_after"):
        return of > asked or (name == "date_start" and of == asked)
    return of < asked or (name == "date_end" and of == asked)


def _time(text: str) -> datetime:
    """`2026-01-01T10:00:00-0800`; a plus that was not encoded arrives as a blank, and is refused."""
    if not _TIME.fullmatch(text):
        refuse(400, "INVALID_DATA", param_name="last_modified_time")
    if text[-3] != ":":
        text = f"{text[:-2]}:{text[-2:]}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        refuse(400, "INVALID_DATA", param_name="last_modified_time")


def _date(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        refuse(400, "INVALID_DATA", param_name=name)

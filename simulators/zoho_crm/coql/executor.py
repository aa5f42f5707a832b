"""A parsed COQL query against the rows of its module: checked first, then filtered, ordered, grouped and cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..crm.columns import Column as Source
from ..crm.columns import Columns
from ..crm.models import Field, Record
from ..exceptions import unmodelled
from ..quirks import Quirks
from ..rules import Rules
from .parser import Column, CoqlError, Query, comparisons
from .where import condition, find, invalid

COUNTED = ("number", "lookup")  # and picklists, says Zoho


@dataclass(frozen=True)
class Found:
    """Records, and the columns to show of them under their keys."""

    columns: list[tuple[str, Source]]
    records: list[Record]
    more: bool


@dataclass(frozen=True)
class Cell:
    """One value of a grouped answer: the API shapes it by its field; `field` None is a plain number."""

    value: Any
    field: Field | None


Row = dict[str, Cell]


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    more: bool


def check_limits(query: Query, rules: Rules, quirks: Quirks) -> None:
    """The caps on clauses; Zoho names the cap that was passed."""
    counts = [
        ("select", len(query.columns), quirks.coql_columns),
        ("aggregate", sum(bool(column.function) for column in query.columns), rules.coql_aggregates),
        ("where", len(comparisons(query.where)), rules.coql_criteria),
        ("group by", len(query.group_by), rules.coql_group_by),
        ("order by", len(query.order_by), rules.coql_order_by),
        ("limit", query.limit, rules.coql_limit),
    ]
    counts += [
        (test.operator, len(test.values), quirks.coql_in_values)
        for test in comparisons(query.where)
        if test.operator in ("in", "not in")
    ]
    for clause, count, limit in counts:
        if count > limit:
            raise CoqlError(
                "LIMIT_EXCEEDED", f"you can use at most {limit} in this clause", limit=limit, clause=clause
            )
    if query.limit + query.offset > quirks.coql_reach:
        raise CoqlError(
            "LIMIT_EXCEEDED", "limit and offset reach too far", limit=quirks.coql_reach, clause="offset"
        )


def check_names(query: Query) -> None:
    keys = [column.key for column in query.columns]
    for column in query.columns:
        if keys.count(column.key) > 1:
            code = "DUPLICATE_ALIAS" if column.alias else "DUPLICATE_DATA"
            raise CoqlError(code, "duplicate column", column_name=column.path)
    ordered = [name for name, _ in query.order_by]
    for name in ordered:
        if ordered.count(name) > 1:
            raise CoqlError("DUPLICATE_DATA", "duplicate column", column_name=name)


def select(query: Query, columns: Columns, records: Sequence[Record]) -> Found:
    """The records that the query asks for; `id` is always among the columns."""
    passes = condition(query.where, columns)
    sources = [(column.key, find(columns, column.path)) for column in query.columns]
    if not any(source.path == "id" for _, source in sources):
        sources.append(("id", find(columns, "id")))
    orders = [(order_source(name, query, columns), descending) for name, descending in query.order_by]
    found = sorted((record for record in records if passes(record)), key=lambda record: int(record.id))
    if orders:
        # Zoho documents no order of equal rows; in this one, a client that relies on the order by id loses rows.
        found.reverse()
    for source, descending in reversed(orders):
        found.sort(key=lambda record, source=source: sort_key(source.comparable(record)), reverse=descending)  # type: ignore[misc]
    shown = found[query.offset : query.offset + query.limit]
    return Found(sources, shown, len(found) > query.offset + query.limit)


def order_source(name: str, query: Query, columns: Columns) -> Source:
    named = {column.alias: column.path for column in query.columns if column.alias}
    source = find(columns, named.get(name, name))
    if not source.kind or source.kind in ("long text", "multiselect"):
        unmodelled(f"COQL: ordering by the {source.field.data_type} {name!r} is not modelled")
    return source


def sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)


def aggregate(query: Query, columns: Columns, records: Sequence[Record]) -> Page:
    """One row a group, or one row in all; plain columns must be grouped by."""
    passes = condition(query.where, columns)
    sources = [(column, find(columns, column.path)) for column in query.columns]
    check_aggregates(query, sources)
    by = [find(columns, path) for path in query.group_by]
    groups: dict[tuple[Any, ...], list[Record]] = {} if by else {(): []}
    for record in records:
        if passes(record):
            groups.setdefault(tuple(source.comparable(record) for source in by), []).append(record)
    rows = [
        {column.key: fold(column, source, group) for column, source in sources} for group in groups.values()
    ]
    rows = order_groups(query, rows)
    return Page(rows[query.offset : query.offset + query.limit], len(rows) > query.offset + query.limit)


def check_aggregates(query: Query, sources: Sequence[tuple[Column, Source]]) -> None:
    for column, source in sources:
        if not column.function and column.path not in query.group_by:
            raise invalid(column.path, "the column must be in the group by clause")
        allowed = {
            "": True,
            "COUNT": source.kind in COUNTED or source.field.data_type == "picklist",
            "MIN": source.kind in ("number", "date", "datetime"),
            "MAX": source.kind in ("number", "date", "datetime"),
        }
        if not allowed.get(column.function, source.kind == "number" and column.path != "id"):
            raise invalid(column.path, "data type not supported", operator=column.function)


def fold(column: Column, source: Source, group: Sequence[Record]) -> Cell:
    if not column.function:
        return Cell(source.read(group[0]) if group else None, source.field)
    values = [value for record in group if (value := source.comparable(record)) is not None]
    if column.function == "COUNT":
        return Cell(len(values), None)
    if not values:
        return Cell(None, None)
    if column.function in ("SUM", "AVG"):
        total = sum(values, Decimal(0))
        return Cell(total if column.function == "SUM" else total / len(values), None)
    least_or_most = min if column.function == "MIN" else max
    value = least_or_most(values)
    return Cell(f"{value:f}" if column.path == "id" else value, None if column.path == "id" else source.field)


def order_groups(query: Query, rows: list[Row]) -> list[Row]:
    for name, descending in reversed(query.order_by):
        if rows and name not in rows[0]:
            raise invalid(name, "the column must be in the select clause")
        rows = sorted(rows, key=lambda row, name=name: sort_key(plain(row[name].value)), reverse=descending)  # type: ignore[misc]
    return rows


def plain(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) else value

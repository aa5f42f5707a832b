"""Lets through the rows that pass a module's filters, by whichever API they come."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .columns import Column, Kind
from .errors import ReadFailed, SettingsError
from .filters import NULL, Filter
from .notes import Notes
from .plan import Plan
from .spool import Forget, Tables
from .values import Misfit, convert

SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "greater_than": operator.gt,
    "greater_equal": operator.ge,
    "less_than": operator.lt,
    "less_equal": operator.le,
    "in": lambda value, values: value in values,
    "not_in": lambda value, values: value not in values,
}


def sift(tables: Tables, plan: Plan, notes: Notes) -> Iterator[pa.Table | Forget]:
    """The rows that pass. The others are noted by id, unless a later reading of the same record passes."""
    if not plan.filters:
        yield from tables
        return
    passing = tester(plan)
    sizes: list[
        tuple[int, int]
    ] = []  # rows that came, and that passed: what is taken back is told in the former
    outside: list[list[str]] = []  # by table: the ids that are noted
    for table in tables:
        if isinstance(table, Forget):
            before = len(sizes)
            yield Forget(_taken_back(sizes, table.rows))
            for ids in outside[len(sizes) : before]:
                notes.outside.difference_update(ids)
            del outside[len(sizes) :]
            continue
        keep = passing(table)
        passed = table.filter(keep)
        notes.outside.difference_update(passed["id"].to_pylist())
        outside.append(table.filter(pc.invert(keep))["id"].to_pylist())
        notes.outside.update(outside[-1])
        sizes.append((table.num_rows, passed.num_rows))
        yield passed


def without(tables: Tables, ids: Collection[str]) -> Iterator[pa.Table | Forget]:
    """The rows but those of these ids."""
    sizes: list[tuple[int, int]] = []
    gone = pa.array(sorted(ids), pa.string())
    for table in tables:
        if isinstance(table, Forget):
            yield Forget(_taken_back(sizes, table.rows))
            continue
        passed = table.filter(pc.invert(pc.is_in(table["id"], gone)))
        sizes.append((table.num_rows, passed.num_rows))
        yield passed


def _taken_back(sizes: list[tuple[int, int]], rows: int) -> int:
    """How many rows that passed are among the last ones that came."""
    passed = 0
    while rows > 0 and sizes:
        came, kept = sizes.pop()
        rows, passed = rows - came, passed + kept
    return passed


def check_values(filters: Collection[Filter], columns: Collection[Column]) -> None:
    """Raises SettingsError for a filter whose value is none of its field's."""
    for one in filters:
        for column in columns:
            if column.api_name.casefold() == one.field.casefold() and one.values != (NULL,):
                _wanted(column, one)


def tester(plan: Plan) -> Callable[[pa.Table], pa.Array]:
    """What tells of each row of a table whether it passes. Raises ReadFailed for a filter that cannot be."""
    tests = [_test(plan, one) for one in plan.filters]

    def passing(table: pa.Table) -> pa.Array:
        columns = [(table[name].to_pylist(), test) for name, test in tests]
        return pa.array(
            [all(test(values[row]) for values, test in columns) for row in range(table.num_rows)], pa.bool_()
        )

    return passing


def _test(plan: Plan, one: Filter) -> tuple[str, Callable[[Any], bool]]:
    column = next((c for c in plan.columns if c.api_name.casefold() == one.field.casefold()), None)
    if column is None or column.veil is not None:
        raise ReadFailed(f"its rows cannot be told apart: {one.field} of its filter is not read as it is")
    if one.values == (NULL,):
        return column.name, lambda value: (value is None) is (one.comparator == "equal")
    sign, wanted = SIGNS[one.comparator], _wanted(column, one)
    other = wanted if one.comparator in ("in", "not_in") else wanted[0]
    return column.name, lambda value: value is not None and sign(value, other)


def _wanted(column: Column, one: Filter) -> list[Any]:
    """A filter's values as the column has them."""
    if column.kind.dlt_type == "json":
        raise SettingsError(f"filters: {one.module}.{one.field} holds lists, which a filter cannot compare")
    return [_value(column, one, text) for text in one.values]


def _value(column: Column, one: Filter, text: str) -> Any:
    try:
        return convert(column.kind, text) if column.kind is not Kind.TEXT else text
    except Misfit:
        raise SettingsError(f"filters: {text!r} is no value of {one.module}.{one.field}") from None

"""Lets through the rows that pass a module's filters, by whichever API they come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import ExtractError
from ..planning.plan import Plan
from ..transform.parquet_writer import DiscardRows, Tables
from ..transform.row_filters import NULL, SIGNS, Filter, wanted_values
from .notes import ExtractNotes


def apply_filters(tables: Tables, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    """The rows that pass. The others are noted by id, unless a later reading of the same record passes."""
    if not plan.filters:
        yield from tables
        return
    passing = compile_filter(plan)
    sizes: list[
        tuple[int, int]
    ] = []  # rows that came, and that passed: what is taken back is told in the former
    outside: list[list[str]] = []  # by table: the ids that are noted
    for table in tables:
        if isinstance(table, DiscardRows):
            before = len(sizes)
            yield DiscardRows(_taken_back(sizes, table.rows))
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


def without(tables: Tables, ids: Collection[str]) -> Iterator[pa.Table | DiscardRows]:
    """The rows but those of these ids."""
    sizes: list[tuple[int, int]] = []
    gone = pa.array(sorted(ids), pa.string())
    for table in tables:
        if isinstance(table, DiscardRows):
            yield DiscardRows(_taken_back(sizes, table.rows))
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


def compile_filter(plan: Plan) -> Callable[[pa.Table], pa.Array]:
    """What tells of each row of a table whether it passes. Raises ExtractError for a filter that cannot be."""
    tests = [_test(plan, one) for one in plan.filters]

    def passing(table: pa.Table) -> pa.Array:
        columns = [(table[name].to_pylist(), test) for name, test in tests]
        return pa.array(
            [all(test(values[row]) for values, test in columns) for row in range(table.num_rows)], pa.bool_()
        )

    return passing


def _test(plan: Plan, one: Filter) -> tuple[str, Callable[[Any], bool]]:
    column = next((c for c in plan.columns if c.api_name.casefold() == one.field.casefold()), None)
    if column is None or column.masking_rule is not None:
        raise ExtractError(f"its rows cannot be told apart: {one.field} of its filter is not read as it is")
    if one.values == (NULL,):
        return column.name, lambda value: (value is None) is (one.comparator == "equal")
    sign, wanted = SIGNS[one.comparator], wanted_values(column, one)
    other = wanted if one.comparator in ("in", "not_in") else wanted[0]
    return column.name, lambda value: value is not None and sign(value, other)

"""Row filters: the texts of `--filters`, such as `Deals.Stage: in Closed Won, Closed Lost`, and their values."""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..exceptions import SettingsError
from .column_types import Column, ColumnType
from .converters import ConversionError, convert

COMPARATORS = (
    "equal",
    "not_equal",
    "in",
    "not_in",
    "greater_than",
    "greater_equal",
    "less_than",
    "less_equal",
)
LISTS = frozenset({"in", "not_in"})
NULL = "null"  # as the value of equal and not_equal
FILTER = re.compile(
    r"(?P<module>[^.\s:*?<>]+)\.(?P<field>[^.\s:*?<>]+)\s*:\s*(?P<sign>[a-z_]+)\s+(?P<value>\S.*)", re.DOTALL
)


@dataclass(frozen=True)
class Filter:
    """One condition that a row has to pass; several of one module hold together."""

    module: str
    field: str
    comparator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.field} {self.comparator} {', '.join(self.values)}"


def read_filter(text: str) -> Filter:
    """Raises SettingsError for what is no filter."""
    found = FILTER.fullmatch(text.strip())
    if not found or found["sign"] not in COMPARATORS:
        raise SettingsError(
            f"filters: {text.strip()!r} is not a filter: write MODULE.FIELD: comparator value, such as"
            f" Deals.Amount: greater_than 1000; the comparators are {', '.join(COMPARATORS)}."
        )
    value = found["value"].strip()
    values = [value]
    if found["sign"] in LISTS:
        values = [part.strip() for part in next(csv.reader([value], skipinitialspace=True))]
    if NULL in values and found["sign"] not in ("equal", "not_equal"):
        raise SettingsError(f"filters: {text.strip()!r}: null goes with equal and not_equal only.")
    return Filter(found["module"], found["field"], found["sign"], tuple(values))


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


def check_values(filters: Collection[Filter], columns: Collection[Column]) -> None:
    """Raises SettingsError for a filter whose value is none of its field's."""
    for one in filters:
        for column in columns:
            if column.api_name.casefold() == one.field.casefold() and one.values != (NULL,):
                wanted_values(column, one)


def wanted_values(column: Column, one: Filter) -> list[Any]:
    """A filter's values as the column has them."""
    if column.kind.dlt_type == "json":
        raise SettingsError(f"filters: {one.module}.{one.field} holds lists, which a filter cannot compare")
    return [_value(column, one, text) for text in one.values]


def _value(column: Column, one: Filter, text: str) -> Any:
    try:
        return convert(column.kind, text) if column.kind is not ColumnType.TEXT else text
    except ConversionError:
        raise SettingsError(f"filters: {text!r} is no value of {one.module}.{one.field}") from None

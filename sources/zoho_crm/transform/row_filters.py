"""The values of row filters: `Deals.Stage: in Closed Won, Closed Lost`, as columns have them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..exceptions import SettingsError
from .column_types import Column, ColumnType
from .converters import ConversionError, convert
from .privacy_rules import NULL, Filter

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

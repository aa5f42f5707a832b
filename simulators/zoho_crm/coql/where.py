"""The where clause of COQL: what each type of field may be asked, and the test of a record that it becomes."""

from __future__ import annotations

from typing import Any

from ..crm.columns import Column, Columns, RefusedColumn, UnknownColumn
from ..crm.comparison import Predicate, combined, predicate, read_literal
from ..exceptions import unmodelled
from .parser import Comparison, CoqlError, Group, Literal

COMPARATORS = {
    "=": "equal",
    "!=": "not_equal",
    "<": "less_than",
    "<=": "less_equal",
    ">": "greater_than",
    ">=": "greater_equal",
    "between": "between",
    "not between": "not_between",
    "in": "in",
    "not in": "not_in",
    "is null": "empty",
    "is not null": "not_empty",
}
ORDERED = tuple(COMPARATORS)
TEXT = ("=", "!=", "like", "not like", "in", "not in", "is null", "is not null")
# Zoho's COQL overview, field type by field type; a multi-line field is not taken in a where clause at all.
OPERATORS = {
    "number": ORDERED,
    "date": ORDERED,
    "datetime": ORDERED,
    "text": TEXT,
    "multiselect": TEXT,
    "lookup": ("=", "!=", "in", "not in", "is null", "is not null"),
    "boolean": ("=",),
}


def invalid(column: str, message: str, **details: Any) -> CoqlError:
    return CoqlError("INVALID_QUERY", message, column_name=column, **details)


def find(columns: Columns, path: str, *, flags: bool = False) -> Column:
    """The column of that name, or a refusal in COQL's words; only a where clause may name a flag."""
    try:
        return columns.find_flag(path) if flags else columns.find(path)
    except UnknownColumn:
        module = columns.module.api_name
        raise invalid(path, "column given seems to be invalid", module=module) from None
    except RefusedColumn:
        raise invalid(path, "data type not supported") from None


def condition(test: Comparison | Group, columns: Columns) -> Predicate:
    if isinstance(test, Group):
        return combined(test.operator, [condition(part, columns) for part in test.parts])
    column = find(columns, test.column, flags=True)
    if column.field.data_type == "territories" or column.kind == "long text":
        raise invalid(test.column, "the column is not supported in the where clause")
    if column.kind not in OPERATORS:
        unmodelled(f"COQL: comparing the {column.field.data_type} {test.column!r} is not modelled")
    if test.operator not in OPERATORS[column.kind]:
        raise invalid(test.column, "invalid operator for the column", operator=test.operator)
    if test.operator.endswith("like"):
        return like(column, test)
    given = [literal(column, value) for value in test.values]
    return predicate(column.comparable, COMPARATORS[test.operator], given)


def literal(column: Column, value: Literal) -> Any:
    bare = column.kind in ("number", "lookup")
    try:
        if not value.quoted and not bare:
            raise ValueError("a literal of this type is quoted")
        return read_literal(column.kind, value.text)
    except ValueError:
        message = "value given seems to be invalid for the column"
        raise invalid(column.path, message, value=value.text) from None


def like(column: Column, test: Comparison) -> Predicate:
    """`%x`, `x%` and `%x%`; `not like` takes only `%x%`."""
    pattern = str(literal(column, test.values[0]))
    text = pattern.strip("%")
    shape = pattern.replace(text, "x") if text else pattern
    comparators = {"%x%": "contains", "x%": "starts_with", "%x": "ends_with"}
    if test.operator == "not like":
        comparators = {"%x%": "not_contains"}
    if shape not in comparators or "%" in text:
        raise invalid(column.path, "value given seems to be invalid for the column", value=pattern)
    return predicate(column.comparable, comparators[shape], [text])

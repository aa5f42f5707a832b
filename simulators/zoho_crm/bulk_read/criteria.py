"""The criteria of a Bulk Read job: checked as Zoho checks them, then one test of a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..crm.columns import Column, Columns, RefusedColumn, UnknownColumn
from ..crm.comparison import Predicate, combined, predicate, read_literal
from ..exceptions import refuse, unmodelled
from ..rules import Rules

EQUALS = ("equal", "not_equal", "in", "not_in")
ORDERED = (*EQUALS, "less_than", "less_equal", "greater_than", "greater_equal")
TEXT = (*EQUALS, "contains", "not_contains", "starts_with", "ends_with")
COMPARATORS = {
    "number": ORDERED,
    "text": TEXT,
    "multiselect": TEXT,
    "date": (*ORDERED, "between", "not_between"),
    "datetime": (*ORDERED, "between", "not_between"),
    "boolean": ("equal",),
    "lookup": EQUALS,
}
KNOWN = sorted({name for names in COMPARATORS.values() for name in names})
LISTS = ("in", "not_in", "between", "not_between")
EMPTY = "${EMPTY}"
TEXT_LENGTH = 255


def single_criteria(criteria: Any) -> Iterator[dict[str, Any]]:
    """Every single criterion inside, however deep; anything that is not of the documented form is refused."""
    if not isinstance(criteria, dict):
        refuse(400, "INVALID_CRITERIA", api_name="criteria")
    single, group = (
        {"field", "comparator", "value"} & set(criteria),
        {"group_operator", "group"} & set(criteria),
    )
    if single and group:
        refuse(400, "AMBIGUOUS_CRITERIA")
    if set(criteria) - single - group:
        unmodelled(f"the keys {sorted(set(criteria) - single - group)} of a criterion")
    if group:
        yield from of_group(criteria)
        return
    field = criteria.get("field")
    if len(single) != 3 or not isinstance(field, dict) or not isinstance(field.get("api_name"), str):
        refuse(400, "INVALID_CRITERIA", api_name="criteria")
    yield criteria


def of_group(criteria: dict[str, Any]) -> Iterator[dict[str, Any]]:
    parts = criteria.get("group")
    if not isinstance(parts, list) or not parts or "group_operator" not in criteria:
        refuse(400, "INVALID_CRITERIA", api_name="group")
    if str(criteria["group_operator"]).lower() not in ("and", "or"):
        refuse(400, "GROUP_OPERATOR_NOT_SUPPORTED", supported=["and", "or"])
    for part in parts:
        yield from single_criteria(part)


def named_fields(criteria: Any) -> set[str]:
    return {criterion["field"]["api_name"] for criterion in single_criteria(criteria)}


def compile_criteria(criteria: Any, columns: Columns, rules: Rules) -> Predicate:
    if len(list(single_criteria(criteria))) > rules.bulk_criteria:
        refuse(400, "CRITERIA_LIMIT_EXCEEDED", max_limit=rules.bulk_criteria)
    return compiled(criteria, columns, rules)


def compiled(criteria: dict[str, Any], columns: Columns, rules: Rules) -> Predicate:
    if "group" in criteria:
        parts = [compiled(part, columns, rules) for part in criteria["group"]]
        return combined(criteria["group_operator"].lower(), parts)
    name, comparator, value = criteria["field"]["api_name"], criteria["comparator"], criteria["value"]
    column = find(columns, name)
    check_comparator(column, comparator)
    if value == EMPTY:
        if comparator not in ("equal", "not_equal"):
            refuse(400, "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", api_name=name)
        return predicate(column.comparable, "empty" if comparator == "equal" else "not_empty", ())
    return predicate(column.comparable, comparator, read_values(column, comparator, value, rules))


def find(columns: Columns, name: str) -> Column:
    try:
        column = columns.find_flag(name)
    except UnknownColumn:
        refuse(400, "FIELD_IN_CRITERIA_NOT_AVAILABLE", api_name=name)
    except RefusedColumn:
        refuse(400, "FIELD_IN_CRITERIA_NOT_SUPPORTED", api_name=name)
    if column.kind not in COMPARATORS:
        refuse(400, "FIELD_IN_CRITERIA_NOT_SUPPORTED", api_name=name)
    return column


def check_comparator(column: Column, comparator: Any) -> None:
    if comparator not in KNOWN:
        refuse(400, "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED", api_name=column.path, supported=KNOWN)
    if comparator not in COMPARATORS[column.kind]:
        refuse(400, "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE", api_name=column.path)


def read_values(column: Column, comparator: str, value: Any, rules: Rules) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    ends = comparator.endswith("between")
    if isinstance(value, list) != (comparator in LISTS) or not values or ends and len(values) != 2:
        refuse(400, "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", api_name=column.path)
    if len(values) > rules.bulk_in_values:
        refuse(400, "VALUE_LIMIT_EXCEEDED_IN_CRITERIA", api_name=column.path, max_limit=rules.bulk_in_values)
    return [read_value(column, item) for item in values]


def read_value(column: Column, value: Any) -> Any:
    """JSON numbers only for numbers, JSON booleans only for booleans; every kind takes its text."""
    bare = {"number": (int, float), "boolean": bool}.get(column.kind, str)
    is_flag = isinstance(value, bool) and column.kind != "boolean"
    if is_flag or not isinstance(value, (str, bare)):  # type: ignore[arg-type]
        refuse(400, "VALUE_TYPE_NOT_SUPPORTED", api_name=column.path)
    if len(str(value)) > TEXT_LENGTH:
        refuse(400, "VALUE_IN_CRITERIA_NOT_SUPPORTED", api_name=column.path, max_limit=TEXT_LENGTH)
    try:
        return read_literal(column.kind, str(value))
    except ValueError:
        refuse(400, "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", api_name=column.path)


def with_ids(criteria: Any, columns: Columns) -> Any:
    """The criteria as a job's details repeat them: every field with its id."""
    if "group" in criteria:
        return {**criteria, "group": [with_ids(part, columns) for part in criteria["group"]]}
    column = columns.find_flag(criteria["field"]["api_name"])
    return {**criteria, "field": {"api_name": column.path, "id": column.field.id or None}}

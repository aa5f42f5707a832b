"""How Zoho's field types compare: the kind of a type, a literal read as that kind, a stored value made comparable."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

KINDS = {
    **dict.fromkeys(("integer", "bigint", "double", "percent", "currency", "id"), "number"),
    **dict.fromkeys(("text", "string", "email", "phone", "website", "picklist", "autonumber"), "text"),
    **dict.fromkeys(("lookup", "ownerlookup", "userlookup", "multi_module_lookup", "layout"), "lookup"),
    "consent_lookup": "lookup",
    "multiselectpicklist": "multiselect",
    "textarea": "long text",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}
DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)\Z")


def kind_of(data_type: str, return_type: str | None = None) -> str:
    """`number`, `text`, `lookup`, ..., or `""` for a type that no documented comparison covers."""
    if data_type in ("formula", "rollup_summary"):
        data_type = return_type or ""
    return KINDS.get(data_type, "")


def read_literal(kind: str, text: str) -> Any:
    """The value that a literal stands for; ValueError if a field of this kind cannot be compared with it."""
    if kind == "number":
        return read_number(text)
    if kind == "boolean":
        return read_boolean(text)
    if kind == "date":
        if not DATE.match(text):
            raise ValueError(f"{text!r} is not a date")
        return datetime.date.fromisoformat(text)
    if kind == "datetime":
        return read_instant(text)
    if kind == "lookup" and not text.isdigit():
        raise ValueError(f"{text!r} is not a record id")
    return text


def read_number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{text!r} is not a number")
    return number


def read_boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def read_instant(text: str) -> datetime.datetime:
    """An ISO 8601 time with `Z` or an offset; Zoho takes neither a fraction of a second nor a time without a zone."""
    if not INSTANT.match(text):
        raise ValueError(f"{text!r} is not a time with an offset")
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def comparable(kind: str, value: Any) -> Any:
    """A stored value in the form in which `read_literal` gives literals; None stays None, and so does an empty list."""
    if value is None or value == "" or value == []:
        return None
    if kind == "number":
        return Decimal(str(value))
    if kind == "lookup":
        return value["id"] if isinstance(value, dict) else str(value)
    if kind == "multiselect":
        return ";".join(value)
    return value


TESTS: dict[str, Callable[[Any, Sequence[Any]], bool]] = {
    "equal": lambda value, given: value == given[0],
    "not_equal": lambda value, given: value != given[0],
    "less_than": lambda value, given: value < given[0],
    "less_equal": lambda value, given: value <= given[0],
    "greater_than": lambda value, given: value > given[0],
    "greater_equal": lambda value, given: value >= given[0],
    "between": lambda value, given: given[0] <= value <= given[1],
    "not_between": lambda value, given: not given[0] <= value <= given[1],
    "in": lambda value, given: value in given,
    "not_in": lambda value, given: value not in given,
    "contains": lambda value, given: given[0] in value,
    "not_contains": lambda value, given: given[0] not in value,
    "starts_with": lambda value, given: value.startswith(given[0]),
    "ends_with": lambda value, given: value.endswith(given[0]),
}
Predicate = Callable[[Any], bool]


def predicate(read: Callable[[Any], Any], comparator: str, given: Sequence[Any]) -> Predicate:
    """Whether a record's value passes; a null passes only `empty` (as in SQL; Zoho says nothing about it)."""
    if comparator == "empty":
        return lambda record: read(record) is None
    if comparator == "not_empty":
        return lambda record: read(record) is not None
    test = TESTS[comparator]

    def passes(record: Any) -> bool:
        value = read(record)
        return value is not None and test(value, given)

    return passes


def combined(operator: str, parts: Sequence[Predicate]) -> Predicate:
    together = all if operator == "and" else any
    return lambda record: together(part(record) for part in parts)

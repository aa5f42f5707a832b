"""One value of Zoho's, from JSON or from a CSV cell, as the value of its column."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Context, Decimal
from typing import Any

from .columns import Kind

INT64 = range(-(2**63), 2**63)
SCALE, PRECISION = Decimal("1E-9"), Context(prec=38)  # decimal(38,9)
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


class Misfit(ValueError):
    """A value that its column's type cannot hold; the row keeps it as text in a column beside."""


def convert(kind: Kind, value: Any) -> Any:
    """The value for the column: null and the empty string are null, lists and objects are JSON text.

    Takes what `json.loads(parse_float=Decimal)` gives, or the text of a CSV cell.
    Raises `Misfit`, and nothing else, for a value that does not fit.
    """
    if value is None or value in ("", [], {}):
        return None
    try:
        return CONVERTERS[kind](value)
    except (ValueError, ArithmeticError, TypeError, KeyError) as error:
        raise Misfit(f"not a {kind.value}") from error


def as_text(value: Any) -> str:
    """Any value as the text that Bulk Read would write for it; a structure as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) else to_json(value)


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_json_number)


def _json_number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)


def _bigint(value: Any) -> int:
    if isinstance(value, bool):
        raise Misfit("a truth value")
    number = Decimal(value)
    if number != number.to_integral_value() or int(number) not in INT64:
        raise Misfit("no whole number of 64 bits")
    return int(number)


def _double(value: Any) -> float:
    number = float(Decimal(value))
    if isinstance(value, bool) or not math.isfinite(number):
        raise Misfit("not finite")
    return number


def _decimal(value: Any) -> Decimal:
    """Exact or a misfit: money is never rounded."""
    if isinstance(value, bool):
        raise Misfit("a truth value")
    number = Decimal(value)
    exact = number.quantize(SCALE, context=PRECISION)
    if exact != number:
        raise Misfit("more decimals than decimal(38,9) holds")
    return exact


def _bool(value: Any) -> bool:
    return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]


def _date(value: Any) -> date:
    return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone


def _timestamp(value: Any) -> datetime:
    """The instant, in UTC; a time without an offset names no instant."""
    instant = datetime.fromisoformat(value[:-1] + "+00:00" if value[-1] in "zZ" else value)
    if instant.tzinfo is None:
        raise Misfit("a time without an offset")
    return instant.astimezone(timezone.utc)


def _id(value: Any) -> str:
    return as_text(value["id"]) if isinstance(value, Mapping) else as_text(value)


def _rule(value: Any) -> str:
    if isinstance(value, Mapping) and len(value) == 1:
        return as_text(next(iter(value.values())))
    return as_text(value)


def _names(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return to_json([as_text(item["name"]) if isinstance(item, Mapping) else as_text(item) for item in items])


def _ids(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return to_json([_id(item) for item in items])


CONVERTERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: as_text,
    Kind.BIGINT: _bigint,
    Kind.DOUBLE: _double,
    Kind.DECIMAL: _decimal,
    Kind.BOOL: _bool,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
    Kind.ID: _id,
    Kind.RULE: _rule,
    Kind.NAMES: _names,
    Kind.IDS: _ids,
    Kind.OBJECTS: to_json,
}

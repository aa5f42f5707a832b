"""One value of Zoho's, from JSON or from a CSV cell, as the value of its column."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from decimal import Context, Decimal
from typing import Any

import simplejson  # type: ignore[import-untyped]

from .column_types import ColumnType

FRACTION = re.compile(r"\.\d{1,5}(?!\d)")
INT64 = range(-(2**63), 2**63)
SCALE, PRECISION = Decimal("1E-9"), Context(prec=38)  # decimal(38,9)
EXACT = Context(prec=1_000)  # no number of Zoho's is longer
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
LONGEST = 400  # digits of a number that is written out; a longer one keeps its exponent
BROKEN = re.compile("[\0\ud800-\udfff]")
NUL_IN_JSON = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # its backslash is not the second of a pair


class ConversionError(ValueError):
    """A value that its column's type cannot hold; the row keeps it as text in a column beside."""


def convert(kind: ColumnType, value: Any) -> Any:
    """The value for the column: null and the empty string are null, lists and objects are JSON text.

    Takes what `json.loads(parse_float=Decimal)` gives, or the text of a CSV cell.
    Raises `ConversionError`, and nothing else, for a value that does not fit.
    """
    if value is None or value in ("", [], {}):
        return None
    try:
        return CONVERTERS[kind](value.strip() if isinstance(value, str) and kind in TYPED else value)
    except (ValueError, ArithmeticError, TypeError, KeyError) as error:
        raise ConversionError(f"not a {kind.value}") from error


def as_text(value: Any) -> str:
    """Any value as the text that Bulk Read would write for it; a structure as JSON."""
    if isinstance(value, str):
        return _whole_characters(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if _is_short(value) else str(value)
    return str(value) if isinstance(value, int) else to_json(value)


def to_json(value: Any) -> str:
    """Numbers digit for digit; one that JSON does not know (NaN, a float without end) as its text."""
    text = simplejson.dumps(_exact(value), ensure_ascii=False, separators=(",", ":"), use_decimal=False)
    return _whole_characters(NUL_IN_JSON.sub("\\1\ufffd", text) if "\\u0000" in text else text)


def plain_json(text: str | None) -> str | None:
    """JSON in one spelling, to compare by: keys sorted, numbers by their value; other text as it is.

    A database may keep JSON in a spelling of its own, as PostgreSQL does.
    """
    if text is None:
        return None
    try:
        return repr(_sorted(simplejson.loads(text, parse_float=Decimal, parse_int=Decimal)))
    except (ValueError, ArithmeticError, RecursionError):
        return text


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return str(EXACT.normalize(value)) if isinstance(value, Decimal) else value


def _whole_characters(text: str) -> str:
    """Lone surrogates (of a text that was cut inside an emoji) are not valid UTF-8, and PostgreSQL has no NUL."""
    return text if text.isascii() and "\0" not in text else BROKEN.sub("\ufffd", text)


def _is_short(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) < LONGEST


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_exact(item) for item in value]
    if isinstance(value, Decimal):
        return simplejson.RawJSON(format(value, "f")) if _is_short(value) else str(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Decimal:
    """As Zoho writes it: no truth value, and no `1_000`, which Python takes for a number."""
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise ConversionError("no number")
    return Decimal(value)


def _bigint(value: Any) -> int:
    number = _number(value)
    # The size first: 1E+999999999 written out would fill the memory.
    if not _is_short(number) or number != number.to_integral_value() or int(number) not in INT64:
        raise ConversionError("no whole number of 64 bits")
    return int(number)


def _double(value: Any) -> float:
    number = float(_number(value))
    if not math.isfinite(number):
        raise ConversionError("not finite")
    return number


def _decimal(value: Any) -> Decimal:
    """Exact or rejected: money is never rounded."""
    number = _number(value)
    exact = number.quantize(SCALE, context=PRECISION)
    if exact != number:
        raise ConversionError("more decimals than decimal(38,9) holds")
    return exact


def _bool(value: Any) -> bool:
    return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]


def _date(value: Any) -> date:
    return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a date has no zone


def _timestamp(value: Any) -> datetime:
    """The instant, in UTC; a time without an offset names no instant."""
    text = value[:-1] + "+00:00" if value[-1] in "zZ" else value
    # Python 3.10 takes fractions of three or six digits only.
    instant = datetime.fromisoformat(FRACTION.sub(lambda found: found[0].ljust(7, "0"), text))
    if instant.tzinfo is None:
        raise ConversionError("a time without an offset")
    return instant.astimezone(timezone.utc)


def _id(value: Any) -> str | None:
    """The id of a lookup; `{"id": null}` is null."""
    return _text_or_null(value["id"] if isinstance(value, Mapping) else value)


def _rule(value: Any) -> str | None:
    if isinstance(value, Mapping) and len(value) == 1:
        return _text_or_null(next(iter(value.values())))
    return as_text(value)


def _text_or_null(value: Any) -> str | None:
    return None if value is None or value == "" else as_text(value)


def names_of(value: Any) -> list[str]:
    """The values of a multi-select field, the names of tags."""
    items = value if isinstance(value, list) else [value]
    return [as_text(item["name"]) if isinstance(item, Mapping) else as_text(item) for item in items]


def _names(value: Any) -> str:
    return to_json(names_of(value))


def _ids(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return to_json([_id(item) for item in items])


# Blanks around these mean nothing; a text keeps its own.
TYPED = frozenset(
    {
        ColumnType.BIGINT,
        ColumnType.DOUBLE,
        ColumnType.DECIMAL,
        ColumnType.BOOL,
        ColumnType.DATE,
        ColumnType.TIMESTAMP,
    }
)

CONVERTERS: Mapping[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: as_text,
    ColumnType.BIGINT: _bigint,
    ColumnType.DOUBLE: _double,
    ColumnType.DECIMAL: _decimal,
    ColumnType.BOOL: _bool,
    ColumnType.DATE: _date,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.ID: _id,
    ColumnType.RULE: _rule,
    ColumnType.NAMES: _names,
    ColumnType.IDS: _ids,
    ColumnType.OBJECTS: to_json,
}

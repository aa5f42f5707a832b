"""Canonical values: what the CRM keeps for each type of field, whatever API shows it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

from .models import LOOKUP_TYPES, Field


def canonical(field: Field, value: Any) -> Any:
    """The value as the CRM keeps it; a TypeError or ValueError says that it is not one of this type."""
    if value is None or value == "":
        # Zoho keeps no empty text, and a checkbox has no third state.
        return False if field.value_type == "boolean" else None
    if field.api_name == "Tag":
        return list(value)
    if field.data_type in LOOKUP_TYPES:
        return _lookup(field, value)
    return _KEEP.get(field.value_type, _as_is)(value)


def _lookup(field: Field, value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = {"id": value, "name": None}
    if not isinstance(value, dict) or "id" not in value:
        raise TypeError(f"{field.api_name}: a lookup is an id or a dict with an id, not {value!r}")
    if field.data_type == "multi_module_lookup" and "module" not in value:
        raise TypeError(f"{field.api_name}: a multi-module lookup names its module")
    return dict(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text, not {value!r}")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise TypeError(f"a whole number, not {value!r}")
    return int(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false, not {value!r}")
    return value


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _date(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"a date, not {value!r}")
    return value


def second(value: datetime) -> datetime:
    """The instant in UTC; Zoho keeps whole seconds only."""
    if value.tzinfo is None:
        raise ValueError(f"a datetime with a zone, not {value!r}")
    return value.astimezone(timezone.utc).replace(microsecond=0)


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in value] or None  # type: ignore[return-value]


def _as_is(value: Any) -> Any:
    return value


_KEEP: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "textarea": _text,
    "email": _text,
    "phone": _text,
    "website": _text,
    "picklist": _text,
    "autonumber": _text,
    "profileimage": _text,
    "integer": _integer,
    "bigint": _integer,
    "double": float,
    "percent": float,
    "currency": _decimal,
    "boolean": _boolean,
    "date": _date,
    "datetime": second,
    "multiselectpicklist": _texts,
}

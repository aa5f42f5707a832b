"""Masks and hashes values, so that what lands tells no more than the user allows."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ..models import MaskingRule
from .column_types import Column, ColumnType

EMAIL = re.compile(r"[^@\s]+@(?P<domain>[^@\s]+)")
STARS = "***"
SHORT = 3  # a text of fewer characters shows none of them
PHONE, PHONE_SHORT = "phone", 7  # digits; of a longer number the last two are shown


def apply_masking(column: Column, typed: Any, rejected_text: Any = None) -> pa.Array:
    """The values of a column, masked or hashed; null stays null. `rejected_text` has the texts that did not convert."""
    assert column.masking_rule is not None
    change = _change(column, column.masking_rule)
    texts = (
        rejected_text.to_pylist()
        if rejected_text is not None and not _keeps_year(column)
        else [None] * len(typed)
    )
    values = [value if text is None else text for value, text in zip(typed.to_pylist(), texts, strict=True)]
    known: dict[Any, Any] = {None: None}
    for value in values:
        if value not in known:
            known[value] = change(value)
    return pa.array([known[value] for value in values], column.kind.arrow_type)


def mask_display_name(masking_rule: MaskingRule | None, name: str | None) -> str | None:
    """The name of a record, by what is done to the field that Zoho shows; null if that is dropped."""
    if masking_rule is None or name is None:
        return name
    if masking_rule.how == "drop":
        return None
    return hash_value(masking_rule, name) if masking_rule.how == "hash" else mask_value(name)


def hash_value(masking_rule: MaskingRule, value: Any) -> str:
    """HMAC-SHA-256 in hex. Equal values have equal hashes, whatever module, API or type they come by."""
    text = canonical(value).encode("utf-8", "surrogatepass")
    return hmac.digest(masking_rule.secret.encode(), text, hashlib.sha256).hex()


def canonical(value: Any) -> str:
    """What is hashed: no outer blanks, one form of each letter; an e-mail address without regard to case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        return format(Decimal(str(value)).normalize() + 0, "f")
    text = unicodedata.normalize("NFC", str(value).strip())
    return text.casefold() if EMAIL.fullmatch(text) else text


def mask_value(text: str, data_type: str = "text") -> str:
    """`A***` of a text, `***@example.com` of an e-mail address, `***89` of a phone number."""
    text = text.strip()
    address = EMAIL.fullmatch(text)
    if address:
        return f"{STARS}@{address['domain']}"
    if data_type == PHONE:
        digits = [sign for sign in text if sign.isdigit()]
        return STARS + "".join(digits[-2:] if len(digits) >= PHONE_SHORT else [])
    return text[0] + STARS if len(text) >= SHORT else STARS


def _change(column: Column, masking_rule: MaskingRule) -> Callable[[Any], Any]:
    if masking_rule.how == "hash":
        return lambda value: hash_value(masking_rule, value)
    if _keeps_year(column):
        return _first_of_year
    if column.raw.kind is ColumnType.TEXT:
        return lambda value: mask_value(str(value), column.field.data_type)
    return lambda value: STARS


def _keeps_year(column: Column) -> bool:
    return column.kind in (ColumnType.DATE, ColumnType.TIMESTAMP)


def _first_of_year(value: Any) -> Any:
    if isinstance(value, datetime):
        return datetime(value.astimezone(timezone.utc).year, 1, 1, tzinfo=timezone.utc)
    return value.replace(month=1, day=1)

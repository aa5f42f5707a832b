"""How Zoho writes JSON: exact decimals, and every time with the offset of the API user's zone."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

# json has no way to write a Decimal in full, so it goes through as a marked text.
_NUMBER = re.compile(r'"\\u0000([-+0-9.]+)"')


def dumps(body: Any, time_zone: str) -> bytes:
    """JSON with exact decimals, and datetimes in the zone of the API user."""
    text = json.dumps(body, default=partial(_plain, time_zone), separators=(",", ":"))
    if "\\u0000" in text:
        text = _NUMBER.sub(r"\1", text)
    return text.encode()


def _plain(time_zone: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return local(value, time_zone)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return "\0" + plain_decimal(value)
    raise TypeError(f"{value!r} is no JSON")


@lru_cache(maxsize=100_000)
def local(value: datetime, time_zone: str) -> str:
    """`2026-03-01T22:30:00+05:30`: no fraction, the offset that the zone has at that instant."""
    return value.astimezone(_zone(time_zone)).isoformat(timespec="seconds")


@lru_cache(maxsize=100)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def plain_decimal(value: Decimal) -> str:
    """`1234.5`, never `1.2345E+3`, and no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

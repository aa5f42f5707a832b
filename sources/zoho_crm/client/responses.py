"""Reads rows and their cost out of Zoho's answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..exceptions import ExtractError

logger = logging.getLogger("zoho_crm")


def rows_in(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The rows of an answer; none for 204. An answer that lacks the list is no empty list."""
    rows = body.get(key) if body else []
    if not isinstance(rows, list):
        raise ExtractError(f"Zoho's answer has no list of {key}")
    if not set(map(type, rows)) <= {dict}:
        raise ExtractError(f"Zoho's list of {key} holds something that is not an object")
    return rows


def more_in(body: Mapping[str, Any]) -> bool:
    """Whether the list goes on; a page that does not tell is not taken for the last one."""
    if not body:
        return False
    info = body.get("info")
    more = info.get("more_records") if isinstance(info, Mapping) else None
    if not isinstance(more, bool):
        raise ExtractError("Zoho's answer does not say whether there are more records")
    return more

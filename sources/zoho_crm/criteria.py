"""Spells the criteria of a Bulk Read job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .plan import Window
from .walks import CHANGED


def criteria_of(window: Window, flags: Sequence[str]) -> dict[str, Any] | None:
    """The records of a window, and none hidden because of a flag; None where every record is meant."""
    ends = (("greater_equal", window.since), ("less_than", window.until))
    within = [_is(CHANGED, sign, end.isoformat(timespec="seconds")) for sign, end in ends if end]
    criteria = [*within, *(_both(flag) for flag in flags)]
    if len(criteria) > 1:
        return _group("and", criteria)
    return criteria[0] if criteria else None


def _both(flag: str) -> dict[str, Any]:
    """True for every record, yet it names the flag, so that Zoho hides nothing."""
    return _group("or", [_is(flag, "equal", True), _is(flag, "equal", False)])


def _is(name: str, comparator: str, value: Any) -> dict[str, Any]:
    return {"field": {"api_name": name}, "comparator": comparator, "value": value}


def _group(operator: str, criteria: list[dict[str, Any]]) -> dict[str, Any]:
    return {"group_operator": operator, "group": criteria}

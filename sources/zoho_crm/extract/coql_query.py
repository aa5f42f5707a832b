"""Texts of COQL queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..models import Window

# ---- the query


def quote(value: str) -> str:
    """A COQL literal; the quote is doubled inside ("Kaizen #171")."""
    return "'" + value.replace("'", "''") + "'"


def all_of(conditions: Sequence[str]) -> str:
    """`((A and B) and C)`: Zoho documents a flat triple as a syntax error ("Kaizen #171")."""
    return _paired(conditions, "and")


def any_of(conditions: Sequence[str]) -> str:
    return _paired(conditions, "or")


def _paired(conditions: Sequence[str], word: str) -> str:
    joined = conditions[0]
    for condition in conditions[1:]:
        joined = f"({joined} {word} {condition})"
    return joined


def after(key: Sequence[tuple[str, str]]) -> str:
    """The condition for rows past a key: `(T > 't' or (T = 't' and id > 'i'))`."""
    (name, value), *rest = key
    greater = f"{name} > {quote(value)}"
    return any_of([greater, all_of([f"{name} = {quote(value)}", after(rest)])]) if rest else greater


def goes_forward(earlier: Sequence[tuple[str, str]], key: Sequence[tuple[str, str]]) -> bool:
    """Whether a page ended further on in the order than the one before it, whose key it was asked by."""
    if not earlier:
        return True
    try:
        return _place(key) > _place(earlier)
    except ValueError:
        return key != earlier


def _place(key: Sequence[tuple[str, str]]) -> list[datetime | int]:
    return [
        int(text) if name == "id" else datetime.fromisoformat(text.replace("Z", "+00:00"))
        for name, text in key
    ]


def within(window: Window) -> list[str]:
    """The conditions of a window; none for one that is open at both ends."""
    ends: tuple[tuple[str, datetime | None], ...] = ((">=", window.since), ("<", window.until))
    return [f"{window.field} {sign} {quote(end.isoformat(timespec='seconds'))}" for sign, end in ends if end]


def named(flags: Sequence[str]) -> list[str]:
    """Conditions that are true for every record, yet name the flags, so that Zoho hides nothing."""
    return [any_of([f"{flag} = 'true'", f"{flag} = 'false'"]) for flag in flags]


def select_query(
    fields: Sequence[str], module: str, conditions: Sequence[str], order: Sequence[str], limit: int
) -> str:
    keys = ", ".join(f"{name} asc" for name in order)
    return (
        f"select {', '.join(fields)} from {module} where {all_of(conditions)} order by {keys} limit {limit}"
    )

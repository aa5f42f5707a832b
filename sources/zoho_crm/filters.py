"""Row filters of a user: `Deals.Stage: in Closed Won, Closed Lost`, in Zoho's own words."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from .errors import SettingsError

COMPARATORS = (
    "equal",
    "not_equal",
    "in",
    "not_in",
    "greater_than",
    "greater_equal",
    "less_than",
    "less_equal",
)
LISTS = frozenset({"in", "not_in"})
NULL = "null"  # as the value of equal and not_equal
FILTER = re.compile(
    r"(?P<module>[^.\s:*?<>]+)\.(?P<field>[^.\s:*?<>]+)\s*:\s*(?P<sign>[a-z_]+)\s+(?P<value>\S.*)", re.DOTALL
)


@dataclass(frozen=True)
class Filter:
    """One condition that a row has to pass; several of one module hold together."""

    module: str
    field: str
    comparator: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.field} {self.comparator} {', '.join(self.values)}"


def read_filter(text: str) -> Filter:
    """Raises SettingsError for what is no filter."""
    found = FILTER.fullmatch(text.strip())
    if not found or found["sign"] not in COMPARATORS:
        raise SettingsError(
            f"filters: {text.strip()!r} is no filter: write MODULE.FIELD: comparator value, such as"
            f" Deals.Amount: greater_than 1000; the comparators are {', '.join(COMPARATORS)}."
        )
    value = found["value"].strip()
    values = [value]
    if found["sign"] in LISTS:
        values = [part.strip() for part in next(csv.reader([value], skipinitialspace=True))]
    if NULL in values and found["sign"] not in ("equal", "not_equal"):
        raise SettingsError(f"filters: {text.strip()!r}: null goes with equal and not_equal only.")
    return Filter(found["module"], found["field"], found["sign"], tuple(values))

"""Chooses the API that reads a module, or a window of its changes, and says why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from .. import limits
from ..models import CREATED_TIME, NAMES, USABLE, Api, ApiAvailability, CoqlPages, Module, PreferredApi
from ..transform.column_types import Column
from .cost import MANY, cost_of, has_rich_text, window_credits_by_api


def choose_api(
    module: Module,
    preferred_api: PreferredApi,
    rows: int | None,
    columns: tuple[Column, ...],
    api_availability: ApiAvailability = USABLE,
) -> tuple[Api, str]:
    """The API for a full reading, and the reason that `plan` prints."""
    no_bulk = why_not_bulk(module)
    if no_bulk and preferred_api in ("auto", "bulk"):
        return "records", no_bulk
    if preferred_api != "auto":
        return preferred_api, "as configured" + (
            _side_by_side(api_availability) if preferred_api == "bulk" else ""
        )
    if why := dict(api_availability.failing).get("bulk"):
        return _without_bulk(rows, columns, api_availability.coql, why)
    if rows is None:
        return "bulk", "first load, Zoho gives no count"
    records, bulk = (
        cost_of("records", rows, columns).credits,
        cost_of("bulk", rows, columns, api_availability.coql, api_availability.ranges).credits,
    )
    most, why = ("up to ", ", as lists cut rich text") if has_rich_text(columns) else ("", "")
    if records <= bulk:
        return "records", f"{most}{records:,} credit{'' if records == 1 else 's'}; Bulk Read {bulk:,}"
    more = _side_by_side(api_availability)
    return "bulk", f"{bulk:,} credits; Records {most}{records:,}{why}{more}"


def _side_by_side(api_availability: ApiAvailability) -> str:
    ranges = api_availability.ranges
    return f"; {ranges} ranges of {CREATED_TIME} side by side" if ranges > 1 else ""


def _without_bulk(
    rows: int | None, columns: tuple[Column, ...], coql: CoqlPages, why: str
) -> tuple[Api, str]:
    """The cheaper one of the others, where Bulk Read failed lately."""
    possible: tuple[Api, ...] = ("records", "coql") if coql else ("records",)
    costs = {api: cost_of(api, MANY if rows is None else rows, columns, coql).credits for api in possible}
    best = min(possible, key=costs.__getitem__)
    price = (
        "Zoho gives no count" if rows is None else f"{costs[best]:,} credit{'' if costs[best] == 1 else 's'}"
    )
    return best, f"{price}; Bulk Read {why}"


def why_not_bulk(module: Module) -> str | None:
    """Why Bulk Read is no way to read a module."""
    if module.api_name in limits.NOT_IN_BULK:
        return "Bulk Read does not offer it"
    if module.generated_type == "field_tracker":
        return "Bulk Read leaves out the history of deleted records"
    return None


@dataclass(frozen=True)
class Changes:
    """What is known of a window before it is read: `rows` at least, or about so many if `counted`."""

    since: datetime
    rows: int
    more: bool = False  # than the first page has
    counted: bool = False
    at_most: int | None = None  # the records of the whole module
    counts_partly: bool = False  # without converted and unapproved records

    @property
    def words(self) -> str:
        """`at least 201 changed since 2026-11-20 02:15`."""
        number = f"{'at least ' if self.more and not self.counted else ''}{self.rows:,}"
        return f"{number if self.rows else 'nothing'} changed since {format_minute(self.since)}"

    @property
    def expected(self) -> int:
        """The number to choose by."""
        known = self.counted or not self.more
        return self.rows if known else max(self.rows, min(MANY, self.at_most or MANY))


def choose_api_for_changes(
    module: Module,
    preferred_api: PreferredApi,
    changes: Changes,
    columns: tuple[Column, ...],
    api_availability: ApiAvailability,
) -> tuple[Api, str]:
    """The API for a window, and the reason that `plan` prints; of two that cost the same, the plainer one.

    A wish wins, but Bulk Read makes no job for nothing, nor where it has not every row.
    """
    no_bulk = why_not_bulk(module)
    if preferred_api == "records":
        return "records", f"as configured, {changes.words}"
    if preferred_api == "bulk" and changes.rows:
        return (
            ("records", f"{no_bulk}, {changes.words}")
            if no_bulk
            else ("bulk", f"as configured, {changes.words}")
        )
    if not changes.more or module.generated_type == "field_tracker":
        return "records", changes.words
    costs = window_credits_by_api(changes.expected, columns, api_availability.coql)
    without = set() if api_availability.coql else {"coql"}
    without |= {"bulk"} if no_bulk or "bulk" in dict(api_availability.failing) else set()
    possible = [api for api in costs if api not in without]
    best = min(possible, key=costs.__getitem__)
    if not changes.counted:
        return best, f"{changes.words}, Zoho gives no count"
    others = ", ".join(f"{NAMES[api]} {costs[api]:,}" for api in possible if api != best)
    chosen = f"{NAMES[best]} {costs[best]:,} credit{'' if costs[best] == 1 else 's'}"
    return best, f"{changes.words}: {chosen}" + (f"; {others}" if others else "")


def format_minute(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M}"

"""Looks at what changed in a module since its last sync, and chooses what reads the rest of it cheapest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from math import ceil

from . import limits
from .client import ZohoClient
from .columns import Column
from .counting import Count, read_count_of
from .errors import CredentialsError, Retriable, ZohoError
from .metadata import Module
from .plan import MANY, NAMES, Api, FirstPage, Plan, Usable, Wish, cost_of, why_not_bulk
from .records import field_chunks
from .walks import CHANGED, first_page


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
        return f"{number if self.rows else 'nothing'} changed since {_spell(self.since)}"

    @property
    def expected(self) -> int:
        """The number to choose by."""
        known = self.counted or not self.more
        return self.rows if known else max(self.rows, min(MANY, self.at_most or MANY))


def plan_changes(client: ZohoClient, plan: Plan, wish: Wish, coql: bool) -> Plan:
    """The plan of a window with its API, its reason, and the first page, which often is all there is.

    `coql` is whether COQL may be asked. Takes one call, and a second one, to count, where more
    changed than fits a page; none for a wish of COQL. Raises what passes with time or needs a person.
    """
    since = plan.window.since
    assert since is not None
    plan = replace(plan, usable=replace(plan.usable, coql=coql))
    if wish == "coql":
        return replace(plan.by("coql", f"as configured, what changed since {_spell(since)}"), rows=None)
    try:
        first = first_page(client, plan, field_chunks(plan.columns)[0])
    except ZohoError as refusal:
        if isinstance(refusal, (Retriable, CredentialsError)):
            raise
        return _past(refusal, plan, wish)
    changes = _changes(client, plan, first)
    api, reason = choose_api(plan.module, wish, changes, plan.columns, plan.usable)
    partly = plan.counts_partly or changes.counts_partly
    return replace(plan.by(api, reason), rows=changes.rows, first=first, counts_partly=partly)


def choose_api(
    module: Module,
    wish: Wish,
    changes: Changes,
    columns: tuple[Column, ...],
    usable: Usable,
) -> tuple[Api, str]:
    """The API for a window, and the reason that `plan` prints; of two that cost the same, the plainer one.

    A wish wins, but Bulk Read makes no job for nothing, nor where it has not every row.
    """
    no_bulk = why_not_bulk(module)
    if wish == "records":
        return "records", f"as configured, {changes.words}"
    if wish == "bulk" and changes.rows:
        return (
            ("records", f"{no_bulk}, {changes.words}")
            if no_bulk
            else ("bulk", f"as configured, {changes.words}")
        )
    if not changes.more or module.generated_type == "field_tracker":
        return "records", changes.words
    costs = costs_of(changes.expected, columns, usable.coql)
    without = set() if usable.coql else {"coql"}
    without |= {"bulk"} if no_bulk or "bulk" in dict(usable.failing) else set()
    possible = [api for api in costs if api not in without]
    best = min(possible, key=costs.__getitem__)
    if not changes.counted:
        return best, f"{changes.words}, Zoho gives no count"
    others = ", ".join(f"{NAMES[api]} {costs[api]:,}" for api in possible if api != best)
    chosen = f"{NAMES[best]} {costs[best]:,} credit{'' if costs[best] == 1 else 's'}"
    return best, f"{changes.words}: {chosen}" + (f"; {others}" if others else "")


def costs_of(rows: int, columns: tuple[Column, ...], coql: bool = True) -> dict[Api, int]:
    """The credits of reading a window of so many rows, past the first page, by each API.

    COQL looks at no query of a window beforehand, and finds no row without a time in it.
    """
    looks = ceil(len(columns) / limits.COQL_FIELD_CAPS[0]) + 1
    return {
        "records": cost_of("records", rows, columns).credits - 1,
        "coql": cost_of("coql", rows, columns).credits - looks,
        "bulk": cost_of("bulk", rows, columns, coql).credits,
    }


def count_changes(client: ZohoClient, plan: Plan) -> Count | None:
    """Zoho's count of what changed, up to ten minutes old; None where it gives none."""
    assert plan.window.since is not None
    criteria = f"({CHANGED}:greater_equal:{plan.window.since.isoformat(timespec='seconds')})"
    return read_count_of(client, plan.module.api_name, criteria, partly=plan.counts_partly)


def _changes(client: ZohoClient, plan: Plan, first: FirstPage) -> Changes:
    assert plan.window.since is not None
    changes = Changes(plan.window.since, len(first.records), first.more, at_most=plan.rows)
    if not first.more:
        return changes
    least = changes.rows + 1
    count = count_changes(client, plan)
    if count is None or count.records < least:  # it does not know of them yet
        return replace(changes, rows=least, counts_partly=bool(count and count.partly))
    return replace(changes, rows=count.records, counted=True, counts_partly=count.partly)


def _past(refusal: ZohoError, plan: Plan, wish: Wish) -> Plan:
    """The plan of a module that the Records API does not list; where nothing else may, it is to say so."""
    possible: list[Api] = []
    if wish == "auto" and plan.usable.coql:
        possible.append("coql")
    if wish in ("auto", "bulk") and not why_not_bulk(plan.module):
        possible.append("bulk")
    assert plan.window.since is not None
    reason = f"lists refuse it ({refusal.code}), what changed since {_spell(plan.window.since)}"
    return replace(plan.by([*possible, "records"][0], reason), rows=None)


def _spell(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M}"

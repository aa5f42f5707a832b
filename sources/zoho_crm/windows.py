"""Decides, without a call: whether a module is read whole or by its changes, and what else of it is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from .columns import COMPUTED, Column
from .plan import Plan, Window
from .policy import Policy
from .synced import Synced

CHANGED = "Modified_Time"

# Get Deleted Records, v8: a record stays in the recycle bin, and in the feed as such, for 60 days.
FEED = timedelta(days=60)
REFUSED = "an API refused it when the module was read whole"
COUNT_LAG = timedelta(minutes=10)  # Record Count, v8: the count may be up to ten minutes old

# These change without Modified_Time, too, and are read along whenever every id is compared: renamed
# values and tags, lookups of records that are gone, and a time that Zoho moves with every e-mail.
ALONG = frozenset({"picklist", "multiselectpicklist", "lookup", "multi_module_lookup"})
ALONG_BY_NAME = frozenset({"Tag", "Last_Activity_Time"})


def why_whole(plan: Plan, held: Mapping[str, frozenset[str]] | None, *, refresh: bool) -> str | None:
    """Why every record has to be read; None where the changes are enough. "" stands for a first load."""
    synced = plan.synced
    if held is None:
        return "" if synced is None else "this destination cannot change single rows"
    if synced is None:
        return ""
    if plan.until is not None and plan.until - synced.until > FEED:
        return f"its last sync at {spell(synced.until)} is older than Zoho's list of deletions"
    reasons = {
        "asked for by --full-refresh": refresh,
        "its table is not in the destination": plan.table not in held,
        f"it has no {CHANGED}": not plan.has(CHANGED),
        f"it was kept as {synced.keeps} before": synced.keeps != plan.keeps,
    }
    return next((why for why, holds in reasons.items() if holds), None)


def with_window(plan: Plan, policy: Policy) -> Plan:
    """The plan for what changed since the watermark, with the overlap that rows which appear late need."""
    assert plan.synced is not None
    assert plan.until is not None
    # A clock that was put back is no reason to skip what it shows.
    since = min(plan.synced.until, plan.until) - policy.lookback
    if policy.since is not None:
        since = min(since, policy.since)
    refused = [(name, REFUSED) for name in plan.synced.refused if plan.has(name)]
    known = plan.without(set(plan.synced.refused))
    return replace(known, window=Window(since, plan.until), left_out=(*plan.left_out, *refused))


def synced_after(plan: Plan, refused: Collection[str] = (), as_of: datetime | None = None) -> Synced:
    """What the state is to remember once the rows of a plan have landed.

    `as_of` is the time that the rows tell of, if that is not the run's own: archives of an earlier run.
    """
    until = as_of or plan.until
    assert until is not None
    filled = tuple(column.name for column in plan.columns)
    if not plan.whole and plan.synced is not None:
        # A field that is gone for now may have other values in every row when it comes back.
        return replace(plan.synced, until=until, filled=tuple(n for n in plan.synced.filled if n in filled))
    return Synced(until, filled, tuple(refused), plan.keeps, computed_at=until, verified_at=until)


def with_upkeep(plan: Plan, policy: Policy, held: Collection[str]) -> Plan:
    """The plan with what the changes never show: new fields, computed ones, rows without a trace.

    `held` are the columns that the table has: one that somebody has dropped there is new again.
    """
    synced, now = plan.synced, plan.until
    assert synced is not None
    assert now is not None
    there = {*synced.filled}.intersection(held)
    new = tuple(c.api_name for c in plan.columns if c.name not in there)
    computed = tuple(c.api_name for c in plan.columns if c.field.data_type in COMPUTED)
    if not is_due(synced.computed_at, policy.computed_refresh, now):
        computed = ()
    sweep = _why_sweep(plan, policy)
    along = tuple(c.api_name for c in plan.columns if goes_along(c)) if sweep else ()
    return replace(plan, refresh=tuple(dict.fromkeys((*new, *computed, *along))), sweep=sweep)


def _why_sweep(plan: Plan, policy: Policy) -> str | None:
    synced, now = plan.synced, plan.until
    assert synced is not None
    assert now is not None
    if is_due(synced.verified_at, policy.verify_every, now):
        return "every id is compared once in a while"
    if synced.difference and synced.difference_at and now - synced.difference_at >= COUNT_LAG:
        return f"its table differs from Zoho's count by {synced.difference:+,}"
    return None


def goes_along(column: Column) -> bool:
    by_type = column.field.data_type in (ALONG | COMPUTED)
    return by_type or column.api_name in ALONG_BY_NAME


def is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether something was done too long ago, never, or in a future that Zoho's clock has taken back."""
    return last is None or not timedelta() <= now - last < every


def spell(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

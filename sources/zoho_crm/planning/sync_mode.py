"""Decides, without a call: whether a module is read whole or by its changes, and what else of it is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ..config import SyncConfig
from ..exceptions import ExtractError
from ..models import MODIFIED_TIME, Window
from ..state import LAYOUT, ModuleState
from ..transform.column_types import COMPUTED_TYPES, Column
from ..transform.row_versions import VALID_FROM
from .plan import Plan
from .schedule import is_due

# Get Deleted Records, v8: a record stays in the recycle bin, and in the feed as such, for 60 days.
FEED = timedelta(days=60)
COUNT_LAG = timedelta(minutes=10)  # Record Count, v8: the count may be up to ten minutes old
# These change without Modified_Time, too, and are compared by `verify`: renamed
# values and tags, lookups of records that are gone, and a time that Zoho moves with every e-mail.
UNVERSIONED_TYPES = frozenset({"picklist", "multiselectpicklist", "lookup", "multi_module_lookup"})
ALONG_BY_NAME = frozenset({"Tag", "Last_Activity_Time"})


def full_refresh_reason(
    plan: Plan, held: Mapping[str, frozenset[str]] | None, *, refresh: bool
) -> str | None:
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
        f"it has no {MODIFIED_TIME}": not plan.has(MODIFIED_TIME),
        f"it was kept as {synced.keeps} before": synced.keeps != plan.keeps,
        "its filters are others than before": synced.filters != plan.filter_words,
    }
    return next((why for why, holds in reasons.items() if holds), None)


def check_deletion_mode(plan: Plan, held: Mapping[str, frozenset[str]]) -> None:
    """Raises ExtractError where a whole reading would take away what a table keeps.

    If the state is lost, the columns of the table tell.
    """
    columns = held.get(plan.table, frozenset())
    before = plan.synced.keeps if plan.synced else "history" if VALID_FROM in columns else "hard"
    if columns and before == "history" != plan.keeps:
        raise ExtractError(
            "its table keeps its history: name it in --history, or drop the history with --full-refresh"
        )
    if columns and before == "soft" and plan.keeps == "history":
        raise ExtractError(
            "its table keeps deleted rows, which a history would not: drop them with --full-refresh,"
            " or leave it out of --history"
        )
    if columns and before == "soft" and plan.keeps == "hard":
        raise ExtractError(
            "its table keeps deleted rows: say --deletes soft, or drop them with --full-refresh"
        )


def with_window(plan: Plan, policy: SyncConfig) -> Plan:
    """The plan for what changed since the watermark, with the overlap that rows which appear late need."""
    assert plan.synced is not None
    assert plan.until is not None
    # A clock that was put back is no reason to skip what it shows.
    since = min(plan.synced.until, plan.until) - policy.lookback
    if policy.since is not None:
        since = min(since, policy.since)
    # Without an end: a record that was edited before `until` and once more meanwhile would come in neither run.
    return replace(plan, window=Window(since))


def column_signature(column: Column) -> str:
    """What the state knows a filled column by: another field of the same name has other values."""
    masking_rule = f" {column.masking_rule.word}" if column.masking_rule else ""
    return f"{column.name}@{column.field.raw.get('id') or ''}{masking_rule}"


def synced_after(plan: Plan, empty: Collection[str] = (), as_of: datetime | None = None) -> ModuleState:
    """What the state is to remember once the rows of a plan have landed.

    `as_of` is the time that the rows tell of, if that is not the run's own: archives of an earlier run.
    """
    until = as_of or plan.until
    assert until is not None
    filled = tuple(column_signature(column) for column in plan.columns)
    if not plan.is_full_refresh and plan.synced is not None:
        # A field that is gone for now may have other values in every row when it comes back.
        known = tuple(n for n in plan.synced.filled if n in filled)
        partly = plan.synced.counts_partly or plan.counts_partly
        return replace(
            plan.synced,
            until=until,
            filled=known,
            private=plan.private,
            counts_partly=partly,
            layout=LAYOUT,
        )
    return ModuleState(
        until,
        filled,
        tuple(empty),
        plan.keeps,
        computed_at=until,
        verified_at=until,
        private=plan.private,
        filters=plan.filter_words,
        counts_partly=plan.counts_partly,
        layout=LAYOUT,
    )


def due_reason(
    plan: Plan, policy: SyncConfig, held: Collection[str], gap: timedelta | None = None
) -> str | None:
    """Why a module is read whole although an incremental read is possible: some changes show in no list. None if nothing is due.

    `held` are the columns that the table has: one that somebody has dropped there is new again. `gap` is the
    usual time between two runs.
    """
    synced, now = plan.synced, plan.until
    assert synced is not None
    assert now is not None
    if synced.layout < LAYOUT and any(t in held for c in plan.columns for t in text_columns(c.name)):
        return "values that its columns do not hold move to rejected_values"
    new = [c.api_name for c in plan.columns if column_signature(c) not in synced.filled or c.name not in held]
    if new:
        return (
            f"{', '.join(new)} {'is' if len(new) == 1 else 'are'} new, or treated in another way than before"
        )
    if is_due(synced.verified_at, policy.verify_every, now, gap):
        return "every record is read once in a while"
    computed = [c.api_name for c in plan.columns if c.field.data_type in COMPUTED_TYPES]
    if computed and is_due(synced.computed_at, policy.computed_refresh, now, gap):
        return (
            f"{', '.join(computed)} {'changes' if len(computed) == 1 else 'change'} without {MODIFIED_TIME}"
        )
    if synced.uncounted_since and is_due(synced.verified_at, policy.count_every, now, gap):
        return "Zoho gives no count of it, so every record is read once a day"
    if synced.difference and synced.difference_at:
        return f"its table differs from Zoho's count by {synced.difference:+,}"
    if synced.deletions_refused_since is not None:
        return "Zoho refused its list of deletions in the run before"
    return None


def text_columns(name: str) -> list[str]:
    """Where earlier versions kept the text of values that a column does not hold."""
    return [f"{name}_text", *(f"{name}_text_{number}" for number in range(2, 5))]


def is_unversioned_field(column: Column) -> bool:
    by_type = column.field.data_type in (UNVERSIONED_TYPES | COMPUTED_TYPES)
    return by_type or column.api_name in ALONG_BY_NAME


def spell(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

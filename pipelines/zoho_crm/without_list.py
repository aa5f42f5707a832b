"""Modules of which Zoho has no list of deletions, and those of which it refuses the list: what stands in for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.counting import read_count
from sources.zoho_crm.errors import CreditLimit, ZohoCrmError
from sources.zoho_crm.held import Held
from sources.zoho_crm.plan import Plan
from sources.zoho_crm.reading import Reading
from sources.zoho_crm.synced import Synced
from sources.zoho_crm.windows import spell

from .console import counted
from .mending import is_record
from .outcome import Run
from .proof import judged

NONE = "Zoho has no list of its deletions"


def why_without_list(run: Run, held: Held, client: ZohoClient, reading: Reading, plan: Plan) -> str | None:
    """Why every id of such a module is to be compared: its records are counted in each run, once all else has landed.

    Rows of subforms, links and histories go with the records that they hang on.
    """
    if not is_record(plan) or reading.name in run.swept:
        return None
    if plan.filters:
        return f"{NONE}, and a filter leaves rows out that it counts"
    synced = run.synced.get(reading.name) or reading.synced
    try:
        count = read_count(client, reading.name, partly=synced is not None and synced.counts_partly)
    except CreditLimit:  # the proof of the run says that it was not counted
        return None
    except ZohoCrmError:
        count = None
    rows = held.count([plan.table]).get(plan.table)
    if count is None or rows is None or synced is None:
        return f"{NONE}, and gives no count"
    reading.crm_count = count.records
    more = rows - count.records
    entry = judged(synced, more, 0, reading.recent + reading.followed, client.now())
    return f"{NONE}, and counts {count.records:,} for {rows:,} rows" if entry.difference_at else None


def tell_compared(reading: Reading, thin: Reading) -> None:
    """Where ids stand in for a list of deletions that Zoho refuses, each run says so, and the price."""
    if reading.refused:
        price = counted(thin.usage.credits, "credit")
        reading.reason += f"; every id compared for {price}, as {reading.gap}"
        reading.notes.remarks.append(
            f"every id was compared, for {price}, as {reading.gap}. Let the token's user see deleted records"
        )


def tell_unknown(reading: Reading) -> None:
    """A table whose deletions nothing tells has failed, and says since when that is."""
    if reading.gap and not reading.feedless and reading.plan and reading.plan.synced:
        reading.error = unknown_deletions(reading, reading.plan.synced.until)


def unknown_deletions(reading: Reading, since: datetime) -> str:
    return f"deletions unknown since {spell(since)} UTC: {reading.gap}; {reading.error}"


def remember_refused(run: Run, known: Mapping[str, Synced]) -> None:
    """The state of a table that failed stays as it was, but for this."""
    for reading in run.readings:
        before = known.get(reading.name)
        if reading.refused and reading.status == "failed" and before:
            since = before.deletions_refused_since or before.until
            run.overdue[reading.name] = replace(before, deletions_refused_since=since)

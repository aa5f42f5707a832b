"""Proves each table against the CRM's own count, and remembers what does not fit until it is explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.exceptions import CreditBudgetExceeded, ZohoCrmError
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.extract.record_count import read_count
from sources.zoho_crm.models import CONVERTED_FLAG
from sources.zoho_crm.planning.schedule import is_due
from sources.zoho_crm.state import ModuleState
from sources.zoho_crm.sync.warehouse import Warehouse

from ..errors import root_message
from .database import raise_if_disconnected
from .run_result import RunResult

COUNTED_PARTLY = "Zoho refuses to count converted and unapproved records, so its count leaves them out"


def check_row_counts(run: RunResult, warehouse: Warehouse, client: ZohoClient, found: Catalog) -> None:
    """Count every table that was read, and compare modules with Zoho's count where that is due."""
    read = [r for r in run.readings if r.status == "read"]
    try:
        run.table_counts = warehouse.count([r.table for r in read]) if read else {}
        flags = {r.table: flag for r in read if (flag := _converted(r))}
        run.converted_counts = warehouse.count(flags, flags)
    except Exception as error:  # noqa: BLE001 - each destination has errors of its own
        raise_if_disconnected(error)
        run.troubles.append(("the destination", f"its tables could not be counted: {root_message(error)}"))
    for reading in read:
        counted = run.table_counts.get(reading.table)
        if counted is None:
            continue
        if _replaced(reading) and counted != reading.rows:
            reading.end("failed", f"{counted:,} rows are in the destination, {reading.rows:,} were read")
        else:
            _compare(run, reading, counted, client, found)


def _converted(reading: ExtractResult) -> str | None:
    """The column that tells converted records, of a module that has them."""
    return (
        next((c.name for c in reading.columns if c.api_name == CONVERTED_FLAG), None)
        if reading.plan
        else None
    )


def _replaced(reading: ExtractResult) -> bool:
    """Whether the table holds just what was read, so that its rows can be counted against it."""
    if reading.plan is None:
        return not (reading.part_by or reading.adds)
    return reading.plan.is_full_refresh and reading.plan.keeps == "hard"


def _compare(
    run: RunResult, reading: ExtractResult, counted: int, client: ZohoClient, found: Catalog
) -> None:
    """Compare with the count of the CRM: of a table that changed, that differed, or whose count is due."""
    plan, synced = reading.plan, run.synced.get(reading.name) or reading.synced
    if synced is None or plan is None or plan.filters:  # the count knows no filter
        return
    if reading.crm_count is None or not plan.is_full_refresh:
        touched = reading.rows or reading.deleted_rows or reading.name in run.fully_refreshed
        touched = (
            touched
            or plan.is_full_refresh
            or synced.difference
            or (reading.has_no_deletion_list and plan.module.has_own_records)
        )
        every, gap = found.choice.policy.count_every, found.memory.gap
        if not touched and not is_due(synced.counted_at, every, found.until, gap):
            return
        synced = _count(run, reading, synced, client)
    if reading.crm_count is None:
        return
    synced = replace(synced, uncounted_since=None)
    if synced.counts_partly:
        reading.notes.remarks.append(COUNTED_PARTLY)
        synced = replace(synced, hides_converted=True)
    more, converted = counted - reading.crm_count, run.converted_counts.get(reading.table, 0)
    recent, now = reading.recent, found.until
    entry = evaluate_difference(synced, more, converted, recent, now)
    if reading.name in run.fully_refreshed and entry.difference_at:
        # Every id was compared just now, so it is the count that differs: it leaves out some records.
        hides = synced.counts_partly or more == converted != 0
        entry = replace(entry, hides_converted=hides, explained=more - (converted if hides else 0))
        entry = evaluate_difference(entry, more, converted, recent, now)
    run.synced[reading.name] = entry


def _count(run: RunResult, reading: ExtractResult, synced: ModuleState, client: ZohoClient) -> ModuleState:
    """Ask Zoho's count, unless it was asked already; the entry then knows whether it has all records."""
    if reading.crm_count is not None:  # for want of a list of deletions
        return synced
    try:
        count = read_count(client.with_usage(reading.usage), reading.name, partly=synced.counts_partly)
    except CreditBudgetExceeded as error:
        run.spent = True
        run.troubles.append((reading.name, f"its rows have landed and were not counted: {error}"))
        run.synced[reading.name] = replace(synced, counted_at=None)  # the next run does it
        return synced
    except ZohoCrmError:  # no failure of a table that has landed
        count = None
    if count is None:
        reading.notes.remarks.append("Zoho gave no count of its records: it is read whole once a day")
        since = synced.uncounted_since or client.now()
        run.synced[reading.name] = replace(synced, uncounted_since=since)
    reading.crm_count = count.records if count else None
    return replace(synced, counts_partly=bool(count and count.partly) or synced.counts_partly)


def evaluate_difference(
    synced: ModuleState, more: int, converted: int, recent: int, now: datetime
) -> ModuleState:
    """The entry after a comparison: the table has so many rows `more` than the CRM counts.

    A difference that is not explained is remembered with its time, until it goes or is explained; without
    a time, if the count may not know yet of so many `recent` changes.
    """
    uncounted = converted if synced.hides_converted else 0
    expected = (uncounted, uncounted + synced.explained)
    if more in expected:
        return replace(synced, counted_at=now, difference=0, difference_at=None)
    difference = more - expected[-1] or more
    since = None if abs(difference) <= recent else synced.difference_at or now
    return replace(synced, counted_at=now, difference=difference, difference_at=since)

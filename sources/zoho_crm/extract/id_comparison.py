"""Compares every record of a module with the destination's rows, and brings what they lack."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from math import ceil
from pathlib import Path

import pyarrow as pa

from .. import limits
from ..client.client import ZohoClient
from ..client.progress import NO_PROGRESS, ProgressCallback
from ..exceptions import CreditBudgetExceeded, ExtractError
from ..models import CONVERTED_FLAG, MODIFIED_TIME, PreferredApi, Window
from ..planning.api_selection import choose_api
from ..planning.cost import Cost
from ..planning.plan import Plan
from ..transform.arrow_tables import records_table
from .extractor import (
    FEW,
    ExtractResult,
    collect,
    empty_list_message,
    read_module,
    require_file,
    with_deleted_at,
)
from .filtered_rows import apply_filters, compile_filter
from .notes import ExtractNotes
from .record_count import read_count
from .record_lookup import field_chunks, read_ids, read_rows

# The flag is named, or Zoho would leave out the leads that are converted.
KEYS = ("id", MODIFIED_TIME, CONVERTED_FLAG)
BATCH = 20 * limits.IDS_PER_CALL  # records in one table
SOME = Window(since=datetime(1970, 1, 1, tzinfo=timezone.utc))  # of records that were asked for by id


def narrow(
    plan: Plan, refresh: Collection[str], rows: int | None, preferred_api: PreferredApi = "auto"
) -> Plan:
    """Every record of the module, in few columns: id, version, and the fields to read for every row."""
    wanted = {*KEYS, *refresh}
    filtered = {one.field.casefold() for one in plan.filters}
    columns = tuple(c for c in plan.columns if c.api_name in wanted or c.api_name.casefold() in filtered)
    named = ", ".join(c.api_name for c in columns if c.api_name in refresh)
    what = f"every id{f' and {named}' if named else ''}"
    made = whole(replace(plan, columns=columns), rows, preferred_api)
    # Without a watermark: a comparison of ids does not advance the state, and does not read deletions.
    made = replace(made, until=None, synced=None, left_out=())
    return replace(made, reason=f"{what}: {made.reason}")


def whole(plan: Plan, rows: int | None, preferred_api: PreferredApi = "auto") -> Plan:
    """The module read whole, by the API that is right for so many rows; deletions were asked for already.

    As one range: whatever a first reading by ranges may have lacked, this one has.
    """
    plan = replace(plan, api_availability=replace(plan.api_availability, ranges=1))
    api, reason = choose_api(plan.module, preferred_api, rows, plan.valued, plan.api_availability)
    plan = replace(plan, asked=preferred_api != "auto", rows=rows, window=Window(), first=None, synced=None)
    return plan.with_api(api, reason)


def read_id_scan(
    client: ZohoClient, plan: Plan, folder: Path, watch: ProgressCallback = NO_PROGRESS
) -> ExtractResult:
    """Read a narrow plan, into a folder of its own. Raises nothing."""
    folder = folder / "narrow"
    folder.mkdir(parents=True, exist_ok=True)
    reading = read_module(client, plan, folder, watch)
    reading.crm_count = None  # what the plan counts are the destination's rows
    if reading.status == "read" and plan.rows and not plan.filters and not require_file(reading).rows:
        _check_none(client.with_usage(reading.usage), reading)
    return reading


def _check_none(client: ZohoClient, reading: ExtractResult) -> None:
    """Fail a reading that brought no record though Zoho counts some: every row would be taken for deleted.

    A few that a count still has may have been deleted within the last minutes.
    """
    try:
        count = read_count(client, reading.name)
    except CreditBudgetExceeded as error:
        reading.fail(error)
        return
    if count is not None and count.records > FEW:
        reading.fail(ExtractError(empty_list_message(count.records)))


def confirm_deleted(
    client: ZohoClient, module: str, ids: Collection[str], plan: Plan | None = None
) -> set[str]:
    """Those of the ids that asking for them does not bring; nothing else proves that a record is gone.

    Or that its row passes the filters of the plan no more.
    """
    if plan is None or not plan.filters:
        return set(ids) - read_ids(client, module, ["id"], sorted(set(ids))).keys()
    filtered = {"id", *(one.field.casefold() for one in plan.filters)}
    columns = tuple(c for c in plan.columns if c.api_name.casefold() in filtered)
    found = read_ids(client, module, [c.api_name for c in columns], sorted(set(ids)))
    table = records_table(list(found.values()), columns)
    return set(ids) - set(table.filter(compile_filter(plan)(table))["id"].to_pylist())


def cost_by_id(plan: Plan, ids: int) -> Cost:
    """Calls and credits of reading so many records by id; each may have rich text that a list cuts."""
    calls = ceil(ids / limits.IDS_PER_CALL) * len(field_chunks(plan.columns))
    calls += ids if any(c.field.rich_text for c in plan.columns) else 0
    return Cost(calls, calls)


def fetch(client: ZohoClient, plan: Plan, ids: Collection[str], folder: Path) -> ExtractResult:
    """The whole rows of these records, as a file to merge. Raises nothing. A record that is gone has no row."""
    reason = f"{len(ids):,} record{'' if len(ids) == 1 else 's'} by id"
    plan = replace(plan, api="records", reason=reason, rows=len(ids), first=None, window=SOME)
    reading = ExtractResult(plan.module.api_name, plan.table, plan.api, reason, plan.columns, plan=plan)
    client = client.with_usage(reading.usage)
    try:
        tables = with_deleted_at(
            apply_filters(_tables(client, plan, sorted(set(ids)), reading.notes), plan, reading.notes)
        )
        path = folder / f"{plan.table}.by-id.parquet"
        reading.parquet_file = collect(tables, path, plan.columns, reading.notes)
        return reading.end("read")
    except Exception as error:  # noqa: BLE001 - one module's trouble never ends the others
        return reading.fail(error)


def _tables(client: ZohoClient, plan: Plan, ids: Sequence[str], notes: ExtractNotes) -> Iterator[pa.Table]:
    yield records_table([], plan.columns)
    for start in range(0, len(ids), BATCH):
        records = read_rows(client, plan, list(ids[start : start + BATCH]), notes)
        yield records_table(records, plan.columns)

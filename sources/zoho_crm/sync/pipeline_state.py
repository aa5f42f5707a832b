"""What the source keeps in dlt's state from run to run: names, watermarks, refusals, when runs began."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

from ..discovery.catalog import PreviousState
from ..extract.deletions import PERMANENT
from ..extract.extractor import ExtractResult
from ..planning.api_refusals import ApiOutcome, remember
from ..planning.schedule import REMEMBERED
from ..planning.sync_mode import FEED
from ..state import ModuleState, RecentlyDeleted, from_state, recently_deleted_from
from ..transform.naming import as_it_is, shortened, snake_case
from ..transform.naming import remember as remember_columns
from .warehouse import Warehouse

SOURCE = "zoho_crm"
MODULE_STATE = "module_state"  # the key in the state of a module's resource
DELETED_LATELY = (
    "deleted_lately"  # the key in the state of the source: a table that is read anew may lack them still
)


def load_previous_state(state: Mapping[str, Any], warehouse: Warehouse | None = None) -> PreviousState:
    """What earlier runs remembered, from the state of the source and in the destination."""
    shorten = as_it_is if warehouse is None else warehouse.shorten
    resources = (entry.get(MODULE_STATE) for entry in state.get("resources", {}).values())
    by_resource = {
        entry["module"]: entry for entry in resources if isinstance(entry, dict) and "module" in entry
    }
    entries = {
        module: from_state(entry) for module, entry in {**state.get("synced", {}), **by_resource}.items()
    }
    return PreviousState(
        {module: shorten(table) for module, table in state.get("tables", {}).items()},
        {shorten(table): shortened(known, shorten) for table, known in state.get("columns", {}).items()},
        state.get("settings_read", {}),
        {module: synced for module, synced in entries.items() if synced is not None},
        None if warehouse is None or not warehouse.can_merge else warehouse.tables(),
        shorten=shorten,
        can_replace_partition=warehouse is not None and warehouse.can_replace_partition,
        starts=_starts_in(state.get("run_starts")),
        turns=state.get("turns", {}),
        refusals={
            module: entry for module, entry in state.get("refusals", {}).items() if isinstance(entry, dict)
        },
        answered={table: tuple(calls) for table, calls in state.get("answered", {}).items()},
        deleted=_deleted_in(state),
    )


def _deleted_in(state: Mapping[str, Any]) -> dict[str, RecentlyDeleted]:
    entries = {m: recently_deleted_from(entry) for m, entry in state.get(DELETED_LATELY, {}).items()}
    return {module: entry for module, entry in entries.items() if entry is not None}


def remember_deleted(state: MutableMapping[str, Any], reading: ExtractResult, known: RecentlyDeleted) -> None:
    """Keep the ids of records that were deleted lately, so that later runs ask whether they are back."""
    until = reading.plan.until if reading.plan else None
    if until is not None:
        deleted = {gone.id: gone.deleted_time for gone in reading.deletions}
        purged = {gone.id for gone in reading.deletions if gone.type == PERMANENT}
        entry = known.after(deleted, purged, until - FEED)
        state.setdefault(DELETED_LATELY, {})[reading.name] = entry.to_state()


def _starts_in(entries: Any) -> tuple[datetime, ...]:
    """When runs began; nothing of an entry that cannot be read."""
    try:
        starts = [datetime.fromisoformat(text) for text in entries or ()]
    except (TypeError, ValueError):
        return ()
    return tuple(starts) if all(start.tzinfo for start in starts) else ()


def remember_start(state: MutableMapping[str, Any], started: datetime) -> None:
    """Keep when this run began beside the starts of the latest ones, from which the next learns how often it runs.

    Once a run, however many of its tables say so.
    """
    begun = started.isoformat(timespec="seconds")
    earlier = [start.isoformat(timespec="seconds") for start in _starts_in(state.get("run_starts"))]
    state["run_starts"] = [*(start for start in earlier if start != begun), begun][-REMEMBERED:]


def remember_synced(
    state: MutableMapping[str, Any], synced: Mapping[str, ModuleState], resource: str | None = None
) -> None:
    """Move watermarks; only ever called while a package is made, so that they are stored with its load.

    Each lies with the state of its resource, which dlt forgets under `refresh`.
    """
    resources = state.setdefault("resources", {})
    for module, entry in synced.items():
        name = resource or state.get("tables", {}).get(module, snake_case(module))
        resources.setdefault(name, {})[MODULE_STATE] = {"module": module, **entry.to_state()}
        state.get("synced", {}).pop(module, None)  # where earlier versions kept it


def remember_refusals(state: MutableMapping[str, Any], reading: ExtractResult) -> None:
    """What a reading has learned of the APIs, whatever became of it."""
    plan, notes = reading.plan, reading.notes
    if plan is None or plan.module.api_name != reading.name:
        return
    fields = {column.api_name: column.field for column in plan.columns}
    refused = {(api, name): fields[name] for api, name in notes.refusals if name in fields}
    worked = reading.api if reading.status == "read" else None
    now = plan.until or reading.started
    remember(state, reading.name, ApiOutcome(refused, notes.failures, worked), now)


def remember_reading(
    state: MutableMapping[str, Any], reading: ExtractResult, resource: str | None = None
) -> None:
    """Keep what a reading has brought beside its rows, when dlt takes these."""
    columns = state.setdefault("columns", {})
    columns[reading.table] = remember_columns(reading.columns, columns.get(reading.table, {}))
    if reading.plan is not None:
        state.setdefault("tables", {})[reading.name] = reading.table
    remember_synced(state, {reading.name: reading.synced} if reading.synced else {}, resource)
    remember_refusals(state, reading)
    if reading.answered:
        state.setdefault("answered", {})[reading.table] = sorted(reading.answered)
    if reading.read_at is not None:
        state.setdefault("settings_read", {})[reading.table] = reading.read_at.isoformat(timespec="seconds")

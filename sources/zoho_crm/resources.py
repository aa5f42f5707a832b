"""Turns readings into dlt resources, and keeps in the pipeline's state the names that they were given."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.extract import DltResource

from .arrow import twins_of
from .columns import Column, arrow_schema
from .naming import remember as remember_columns
from .reading import Reading, must_be_read
from .refusals import Learned, remember
from .schedule import REMEMBERED
from .survey import Memory
from .synced import Synced, from_state
from .tables import Table
from .watch import UNWATCHED

SOURCE = "zoho_crm"
logger = logging.getLogger("zoho_crm")


def memory_of(state: Mapping[str, Any], held: Mapping[str, frozenset[str]] | None = None) -> Memory:
    """What earlier runs remembered, from the state of the source; `held` is what the destination has."""
    entries = {module: from_state(entry) for module, entry in state.get("synced", {}).items()}
    return Memory(
        state.get("tables", {}),
        state.get("columns", {}),
        state.get("settings_read", {}),
        {module: synced for module, synced in entries.items() if synced is not None},
        held,
        starts=_starts_in(state.get("run_starts")),
        turns=state.get("turns", {}),
        refusals={
            module: entry for module, entry in state.get("refusals", {}).items() if isinstance(entry, dict)
        },
        answered={table: tuple(calls) for table, calls in state.get("answered", {}).items()},
    )


def lazily(table: Table) -> Callable[[], Iterator[Reading]]:
    """Read the table when dlt asks for it, and throw its file away once dlt has taken it."""

    def read() -> Iterator[Reading]:
        with tempfile.TemporaryDirectory(prefix="zoho-") as folder:
            yield table.read(Path(folder), UNWATCHED)

    return read


def table_resource(
    table: str,
    columns: tuple[Column, ...],
    read: Callable[[], Iterator[Reading]],
    disposition: TWriteDispositionConfig = "replace",
    extra: Mapping[str, Any] | None = None,
) -> DltResource:
    """The resource of one table: by default it replaces the table by one file in one statement.

    A reading that failed raises ReadFailed. One that Zoho does not offer leaves the table as it is.
    The columns are those of the file: a field that an API refuses is none. `extra` are hints of columns that
    are no field's.
    """

    def rows() -> Iterator[Any]:
        for reading in read():
            if reading.status in ("kept", "skipped"):
                log = logger.info if reading.status == "kept" else logger.warning
                log("%s is left as it is: %s", reading.name, reading.error or reading.reason)
                unchanged = dlt.mark.make_hints(write_disposition="append")
                yield dlt.mark.with_hints(arrow_schema(columns).empty_table(), unchanged)
                continue
            spooled = reading.landed or must_be_read(reading)
            _remember(dlt.current.source_state(), reading)
            # The types of every column are given, so that dlt takes the file as it is.
            hints = dlt.mark.make_hints(
                columns={
                    **_hints(reading.columns, reading.key, reading.part_by),
                    **_twin_hints(reading),
                    **(extra or {}),
                }
            )
            yield dlt.mark.with_file_import(str(spooled.path), "parquet", spooled.rows, hints)

    return dlt.resource(rows, name=table, write_disposition=disposition)


def _starts_in(entries: Any) -> tuple[datetime, ...]:
    """When runs began; nothing of an entry that cannot be read."""
    try:
        starts = [datetime.fromisoformat(text) for text in entries or ()]
    except (TypeError, ValueError):
        return ()
    return tuple(starts) if all(start.tzinfo for start in starts) else ()


def remember_start(state: MutableMapping[str, Any], started: datetime) -> None:
    """Keep when this run began beside the starts of the latest ones, from which the next learns how often it runs."""
    starts = [*_starts_in(state.get("run_starts")), started][-REMEMBERED:]
    state["run_starts"] = [start.isoformat(timespec="seconds") for start in starts]


def remember_synced(state: MutableMapping[str, Any], synced: Mapping[str, Synced]) -> None:
    """Move watermarks; only ever called while a package is made, so that they are stored with its load."""
    state.setdefault("synced", {}).update({module: entry.to_state() for module, entry in synced.items()})


def remember_refusals(state: MutableMapping[str, Any], reading: Reading) -> None:
    """What a reading has learned of the APIs, whatever became of it."""
    plan, notes = reading.plan, reading.notes
    if plan is None or plan.module.api_name != reading.name:
        return
    fields = {column.api_name: column.field for column in plan.columns}
    refused = {(api, name): fields[name] for api, name in notes.refusals if name in fields}
    worked = reading.api if reading.status == "read" else None
    now = plan.until or reading.started
    remember(state, reading.name, Learned(refused, notes.failures, worked), now)


def _hints(columns: tuple[Column, ...], key: tuple[str, ...], part_by: str | None) -> dict[str, Any]:
    hints: dict[str, Any] = {c.name: {"name": c.name, "data_type": c.kind.dlt_type} for c in columns}
    for name in key:
        if name in hints:
            hints[name].update(nullable=False, primary_key=True)
    if part_by is not None:
        hints[part_by].update(merge_key=True)
    return hints


def _twin_hints(reading: Reading) -> dict[str, Any]:
    return {name: {"name": name, "data_type": "text"} for name in twins_of(must_be_read(reading).schema)}


def _remember(state: MutableMapping[str, Any], reading: Reading) -> None:
    columns = state.setdefault("columns", {})
    columns[reading.table] = remember_columns(reading.columns, columns.get(reading.table, {}))
    if reading.plan is not None:
        state.setdefault("tables", {})[reading.name] = reading.table
    remember_synced(state, {reading.name: reading.synced} if reading.synced else {})
    remember_refusals(state, reading)
    if reading.answered:
        state.setdefault("answered", {})[reading.table] = sorted(reading.answered)
    if reading.read_at is not None:
        state.setdefault("settings_read", {})[reading.table] = reading.read_at.isoformat(timespec="seconds")

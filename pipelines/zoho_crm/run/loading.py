"""Loads what an extraction has read: all tables in one package, and those that the destination takes if it refuses one."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.extract import DltResource, DltSource
from dlt.load.exceptions import LoadClientJobRetry
from dlt.pipeline.exceptions import PipelineStepFailed

from sources.zoho_crm.exceptions import ZohoCrmError
from sources.zoho_crm.extract.extractor import ExtractResult, require_file
from sources.zoho_crm.resources import RowsForDlt, dlt_items
from sources.zoho_crm.state import ModuleState
from sources.zoho_crm.sync.extraction import Extraction
from sources.zoho_crm.sync.pipeline_state import SOURCE, remember_refusals, remember_start, remember_synced
from sources.zoho_crm.sync.table_rows import Rows
from sources.zoho_crm.sync.warehouse import MERGE, Warehouse
from sources.zoho_crm.transform.parquet_writer import GROUP_ROWS

from ..errors import causes, root_message
from .database import raise_if_disconnected
from .duckdb_memory import is_out_of_memory, limited_memory
from .packages import remove_loaded_rows
from .replacing import safe_replace
from .stopping import STOP

MAX_MEMORY_FACTOR = 64


class ForeignTableError(ZohoCrmError):
    """The destination has the table, and this pipeline may not replace it."""


@dataclass
class Loader:
    """The destination, as far as the tables of one extraction have to get there."""

    pipeline: dlt.Pipeline
    extraction: Extraction
    left_out: Collection[str] = ()  # tables of ours that the user does not want
    memory_factor: int = 1  # for a load into DuckDB, times what should be enough

    def load(self, readings: Sequence[ExtractResult]) -> None:
        """Load all that are whole in one package; if that fails, in halves, so that only the culprit fails.

        Ctrl-C waits for it: what has been read, and may have cost much, is not read again.
        """
        whole = [r for r in readings if r.status == "read"]
        if whole:
            with STOP.defer_interrupt():
                self._load(whole)

    def _load(self, readings: Sequence[ExtractResult]) -> None:
        try:
            self._run(readings)
        except Exception as error:  # noqa: BLE001 - each destination has errors of its own
            abort_load(self.pipeline, error)
            if self.memory_factor < MAX_MEMORY_FACTOR and is_out_of_memory(error):
                self.memory_factor *= 4
                self._load(readings)
            elif len(readings) == 1:
                readings[0].unloadable = not _passes(error)
                readings[0].end("failed", f"the destination refused it: {root_message(error)}")
            else:
                half = len(readings) // 2
                self._load(readings[:half])
                self._load(readings[half:])

    def _run(self, readings: Sequence[ExtractResult]) -> None:
        warehouse = self.extraction.warehouse
        there = warehouse.tables() if warehouse.can_merge else {}
        self._check_ours(readings, there)
        rows = RowsForDlt(
            self.extraction,
            {r.name: r.table for r in self.extraction.readings.values()},
            keep=True,
            package=[r.name for r in readings],
        )
        logs = {"deleted_records": rows.deleted_records, "rejected_values": rows.rejected_values}
        loaded = [*readings, *(log(readings) for name, log in logs.items() if name not in self.left_out)]
        recreate_columns(self.pipeline, [r.table for r in loaded], there)
        whole = readings if warehouse.can_merge else loaded  # files: logs are written anew with what they had
        added = [r.table for r in whole if r.adds and warehouse.can_merge]
        replaced = [
            r.table for r in whole if r.table not in added and (r.plan is None or r.plan.is_full_refresh)
        ]
        merge = warehouse.merge
        with safe_replace(self.pipeline, [] if warehouse.open_format else replaced) as how:
            resources = [
                resource_of(r, functools.partial(rows.items, r, r.table, replace_by=how), merge)
                for r in loaded
            ]
            with limited_memory(self.pipeline, self._many(readings), self.memory_factor):
                self.pipeline.run(source_of(resources))

    def _many(self, readings: Sequence[ExtractResult]) -> list[Path]:
        """The files, for a load in little memory; none where many rows are merged: there a limit costs time."""
        merged = sum(
            r.rows or 0 for r in readings if r.adds or (r.plan is not None and not r.plan.is_full_refresh)
        )
        return (
            [r.parquet_file.path for r in readings if r.parquet_file is not None]
            if merged < GROUP_ROWS
            else []
        )

    def _check_ours(self, readings: Sequence[ExtractResult], there: Collection[str]) -> None:
        """Raises ForeignTableError for a table of which this pipeline knows nothing, and that keeps what was.

        A first load that dlt has not noticed leaves a table, too, in which all is live.
        """
        warehouse = self.extraction.warehouse
        new = [r.table for r in readings if r.plan and r.plan.synced is None and r.table not in there]
        for table in warehouse.tables(new) if new and warehouse.can_merge else ():
            if warehouse.count_inactive(table):
                raise ForeignTableError(
                    f"{table} keeps rows that another pipeline has closed or marked as deleted:"
                    " load into another dataset, or drop it"
                )


def abort_load(pipeline: dlt.Pipeline, error: Exception) -> None:
    """Give up the package that could not be loaded; whoever interrupts the run is obeyed.

    So is a destination that is gone.
    """
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
        raise KeyboardInterrupt from error  # dlt wraps Ctrl-C and SIGTERM like a failed load
    if isinstance(error, PipelineStepFailed):
        pipeline.abort_packages()
        remove_loaded_rows(pipeline)
    raise_if_disconnected(error)


@dataclass(frozen=True)
class Remembered:
    """What the state is to remember at the end of a run."""

    synced: Mapping[str, ModuleState]
    readings: Sequence[ExtractResult] = ()
    started: datetime | None = None  # when the run began, by Zoho's clock
    turns: Mapping[str, str] | None = None  # what had its turn in a run with a limit of credits


def append_logs(
    pipeline: dlt.Pipeline, warehouse: Warehouse, logs: Sequence[ExtractResult], remembered: Remembered
) -> None:
    """Load the logs of a run, and with them what is to be remembered of the whole run."""
    log = logs[0]
    if log.parquet_file is None:
        return

    def rows(reading: ExtractResult) -> Iterator[Any]:
        if reading is log:
            state = dlt.current.source_state()
            remember_synced(state, remembered.synced)
            if remembered.started is not None:
                remember_start(state, remembered.started)
            state.setdefault("turns", {}).update(remembered.turns or {})
            for one in remembered.readings:
                remember_refusals(state, one)
        yield from appended(reading, warehouse.table_format)

    try:
        recreate_columns(
            pipeline, [one.table for one in logs], warehouse.tables() if warehouse.can_merge else {}
        )
        resources = [resource_of(r, functools.partial(rows, r), warehouse.merge) for r in logs]
        with STOP.defer_interrupt():
            pipeline.run(source_of(resources))
    except PipelineStepFailed as error:
        abort_load(pipeline, error)
        log.end("failed", f"the destination refused it: {root_message(error)}")


def resource_of(reading: ExtractResult, items: Callable[[], Iterator[Any]], merge: Any = None) -> DltResource:
    """The resource of one table, by what hands its rows to dlt."""

    def rows() -> Iterator[Any]:
        yield from items()

    return dlt.resource(rows, name=reading.table, write_disposition=merge or MERGE)


def appended(reading: ExtractResult, table_format: str | None = None) -> Iterator[Any]:
    """The rows of a log of ours."""
    return dlt_items(reading, Rows(require_file(reading), "append", {}), reading.table, table_format)


def recreate_columns(
    pipeline: dlt.Pipeline, tables: Iterable[str], there: Mapping[str, frozenset[str]]
) -> None:
    """Tables and columns that somebody has dropped: dlt trusts the version of its schema, and would fail."""
    known: Mapping[str, Any] = {}
    if there and pipeline.default_schema_name:
        known = pipeline.default_schema.tables
    lost = [
        table
        for table in tables
        for name, column in known.get(table, {}).get("columns", {}).items()
        if "data_type" in column and name not in there.get(table, ())
    ]
    if lost:
        with pipeline.destination_client() as client:
            client.update_stored_schema(set(lost), force=True)


def _passes(error: BaseException) -> bool:
    """Whether the same rows may well be taken another time: the disk, memory or the connection is to blame."""
    if any(
        "constraint" in str(cause).casefold() for cause in causes(error)
    ):  # DuckDB tells of it when it commits
        return False
    passing = (OSError, MemoryError, DatabaseTransientException, LoadClientJobRetry)
    return is_out_of_memory(error) or any(isinstance(cause, passing) for cause in causes(error))


def source_of(resources: Iterable[Any]) -> DltSource:
    return dlt.source(lambda: list(resources), name=SOURCE, section=SOURCE)()


@contextmanager
def work_folder(pipeline: dlt.Pipeline) -> Iterator[Path]:
    """Beside dlt's own files, so that a file is linked into the load package and not copied."""
    folder = Path(pipeline.working_dir, "spool")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

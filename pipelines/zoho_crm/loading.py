"""Lands readings in the destination: whole tables by replacement, changes by merge, a lot in one package."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import pyarrow.parquet as pq
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.extract import DltResource, DltSource
from dlt.load.exceptions import LoadClientJobRetry
from dlt.pipeline.exceptions import PipelineStepFailed

from sources.zoho_crm.deleted_records import DELETED_RECORDS, deleted_records_reading
from sources.zoho_crm.errors import ZohoCrmError
from sources.zoho_crm.held import Held
from sources.zoho_crm.history import MERGE, Kept, disposition, extra_hints, kept_already
from sources.zoho_crm.memory import SOURCE, remember_refusals, remember_start, remember_synced
from sources.zoho_crm.naming import TEXT_TWIN
from sources.zoho_crm.patching import carried
from sources.zoho_crm.plan import Plan
from sources.zoho_crm.reading import Reading
from sources.zoho_crm.spool import GROUP_ROWS, Spooled
from sources.zoho_crm.survey import Survey
from sources.zoho_crm.synced import Synced

from .database import raise_if_gone
from .failures import causes, innermost
from .gentle import gently, starved
from .packages import remove_loaded_rows
from .replacing import replaced_safely
from .stopping import STOP
from .table_resource import table_resource

MOST_ROOM = 64


class NotOurs(ZohoCrmError):
    """The destination has the table, and this pipeline may not replace it."""


@dataclass
class Landing:
    """The destination, as far as readings have to get there."""

    pipeline: dlt.Pipeline
    held: Held
    folder: Path
    remembers: bool = True  # deletions, in `deleted_records`
    room: int = 1  # for a load into DuckDB, times what should be enough
    # table -> columns of no field any more
    older: Mapping[str, Collection[str]] = field(default_factory=dict)

    def land(self, readings: Sequence[Reading]) -> None:
        """Load all that are whole in one package; if that fails, each alone, so that only the culprit fails.

        Ctrl-C waits for it: what has been read, and may have cost much, is not read again.
        Rows of deleted records go first where the package moves the watermark, else after the package has
        remembered them: nothing else would, in a run that is killed in between.
        """
        whole = [r for r in readings if r.status == "read" and (r.spooled is not None or r.gone)]
        if whole:
            with STOP.unbroken():
                self._land(whole)

    def _land(self, whole: Sequence[Reading]) -> None:
        try:
            self._remove([r for r in whole if r.synced is not None])
            self._run(whole)
            self._remove([r for r in whole if r.synced is None])
        except Exception as error:  # noqa: BLE001 - each destination has errors of its own
            self._clear(error)
            if self.room < MOST_ROOM and starved(error):
                self.room *= 4
                self._land(whole)
                return
            if len(whole) == 1:
                whole[0].unloadable = not _passes(error)
                whole[0].end("failed", f"the destination refused it: {innermost(error)}")
                return
            for reading in whole:
                self.land([reading])
        for reading in whole:
            for file in (reading.spooled, reading.landed):
                if file is not None:
                    file.path.unlink(missing_ok=True)

    def _clear(self, error: Exception) -> None:
        """Give up the package that could not be loaded; whoever interrupts the run is obeyed.

        So is a destination that is gone.
        """
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
            raise KeyboardInterrupt from error  # dlt wraps Ctrl-C and SIGTERM like a failed load
        if isinstance(error, PipelineStepFailed):
            self.pipeline.abort_packages()
            remove_loaded_rows(self.pipeline)
        raise_if_gone(error)

    def append(
        self,
        log: Reading,
        synced: Mapping[str, Synced],
        *others: Reading,
        read: Collection[Reading] = (),
        started: datetime | None = None,
        turns: Mapping[str, str] | None = None,
    ) -> None:
        """Load the log of the run, and with it what is to be remembered of the whole run.

        `others` are logs, too, which land or fail with it; `read` are the readings of the run. `started` is
        when the run began, by Zoho's clock, and `turns` what had its turn in a run with a limit of credits.
        """
        if log.spooled is None:
            return

        def rows() -> Iterator[Reading]:
            state = dlt.current.source_state()
            remember_synced(state, synced)
            if started is not None:
                remember_start(state, started)
            if turns:
                state.setdefault("turns", {}).update(turns)
            for reading in read:
                remember_refusals(state, reading)
            yield log

        try:
            tables = [log.table, *(other.table for other in others)]
            self._make_again(tables, self.held.tables() if self.held.merges else {})
            made = [table_resource(log.table, log.columns, rows, "append")]
            made += [table_resource(o.table, o.columns, partial(iter, [o]), "append") for o in others]
            with STOP.unbroken():
                self.pipeline.run(source_of(made))
        except PipelineStepFailed as error:
            self._clear(error)
            log.end("failed", f"the destination refused it: {innermost(error)}")

    def _remove(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            if reading.gone and reading.plan is not None:
                reading.deleted_rows += self.held.remove(reading.table, reading.gone, reading.plan.keeps)

    def _make_again(self, tables: Iterable[str], there: Mapping[str, frozenset[str]]) -> None:
        """Tables and columns that somebody has dropped: dlt trusts the version of its schema, and would fail."""
        known: Mapping[str, Any] = {}
        if there and self.pipeline.default_schema_name:
            known = self.pipeline.default_schema.tables
        lost = [
            table
            for table in tables
            for name, column in known.get(table, {}).get("columns", {}).items()
            if "data_type" in column and name not in there.get(table, ())
        ]
        if lost:
            with self.pipeline.destination_client() as client:
                client.update_stored_schema(set(lost), force=True)

    def _check_ours(self, readings: Sequence[Reading], there: Collection[str]) -> None:
        """Raises NotOurs for a table of which this pipeline knows nothing, and that keeps what was.

        A first load that dlt has not noticed leaves a table, too, in which all is live.
        """
        new = [r.table for r in readings if r.plan and r.plan.synced is None and r.table not in there]
        for table in self.held.tables(new) if new and self.held.merges else ():
            if self.held.dead(table):
                raise NotOurs(
                    f"{table} keeps rows that another pipeline has closed or marked as deleted:"
                    " load into another dataset, or drop it"
                )

    def _run(self, readings: Sequence[Reading]) -> None:
        there = self.held.tables() if self.held.merges else {}
        self._check_ours(readings, there)
        self._make_again([*(r.table for r in readings), DELETED_RECORDS.table], there)
        files = [r for r in readings if r.spooled is not None]  # one may have nothing but deletions
        ways = {r.table: self._way(r, there) for r in files}
        with replaced_safely(self.pipeline, [t for t, way in ways.items() if way == "replace"]) as replace:
            resources = [
                table_resource(
                    r.table,
                    r.columns,
                    partial(iter, [r]),
                    replace if ways[r.table] == "replace" else ways[r.table],
                    extra_hints(r.plan.keeps) if r.plan else {},
                )
                for r in files
                if _brings_rows(r) or ways[r.table] == "replace" or _brings_columns(r, there)
            ]
            resources += self._deleted_records(
                readings, new=self.held.merges and DELETED_RECORDS.table not in there
            )
            if resources:
                with gently(self.pipeline, self._many(files, ways), self.room):
                    self.pipeline.run(source_of(resources))

    def _many(self, readings: Sequence[Reading], ways: Mapping[str, TWriteDispositionConfig]) -> list[Path]:
        """The files, for a load in little memory; none where many rows are merged: there a limit costs time."""
        found = [(r, file) for r in readings if (file := r.landed or r.spooled)]
        merged = sum(file.rows for r, file in found if ways[r.table] != "replace")
        return [file.path for _, file in found] if merged < GROUP_ROWS else []

    def _way(self, reading: Reading, there: Mapping[str, frozenset[str]]) -> TWriteDispositionConfig:
        """How the file lands; one that has to keep what the table holds is made ready for it."""
        plan, spooled = reading.plan, reading.spooled
        if reading.part_by and reading.table in there:
            return MERGE
        if plan is None or plan.until is None or spooled is None:
            return "replace"
        before = plan.synced.keeps if plan.synced else None
        exists = plan.table in there and kept_already(plan.keeps, there[plan.table], before)
        if plan.table in there:
            reading.spooled = spooled = self._carried(plan, spooled, there[plan.table])
        kept = Kept(plan.table, plan.keeps, plan.whole, exists, plan.until)
        gone = {deletion.id: deletion.deleted_time for deletion in reading.deletions}
        reading.landed = kept.prepare(self.held, spooled, reading.columns, gone)
        return disposition(plan.keeps, plan.whole, exists)

    def _carried(self, plan: Plan, spooled: Spooled, there: Collection[str]) -> Spooled:
        """Values of fields that are gone, or of another type now, stay in rows that are read again."""
        own = set(spooled.schema.names)
        # Also of a field that an API refuses from now on: its column is there, and the file has none.
        names = dict.fromkeys([*self.older.get(plan.table, ()), *(column.name for column in plan.columns)])
        older = [name for name in names if name in there and name not in own]
        if not older or not spooled.rows:
            return spooled
        ids = None if plan.whole else pq.read_table(spooled.path, columns=["id"])["id"].to_pylist()
        held = self.held.read(plan.table, ["id", *older], ids=ids)
        return carried(spooled.path, held, self.folder / f"{plan.table}.carried.parquet")

    def _deleted_records(self, readings: Sequence[Reading], *, new: bool) -> Iterator[DltResource]:
        """The deletions, and the watermarks of those readings that bring nothing else."""
        deleted = deleted_records_reading(readings, self.folder, new=new)
        if deleted is None or not self.remembers:
            return
        rowless = {r.name: r.synced for r in readings if not _brings_rows(r) and r.synced is not None}

        def rows() -> Iterator[Reading]:
            remember_synced(dlt.current.source_state(), rowless)
            yield deleted

        how = disposition("hard", whole=False, exists=True) if self.held.merges else "append"
        yield table_resource(deleted.table, deleted.columns, rows, how)


def _brings_rows(reading: Reading) -> bool:
    """Whether the file has rows; without one that was read, it may have those that the table keeps."""
    file = reading.landed or reading.spooled
    return file is not None and file.rows > 0


def _brings_columns(reading: Reading, there: Mapping[str, frozenset[str]]) -> bool:
    """Whether there are columns that the table lacks; a new field has one from the first run on that sees it."""
    return any(column.name not in there.get(reading.table, ()) for column in reading.columns)


def older_columns(found: Survey) -> dict[str, list[str]]:
    """By table: the columns that were given to fields which are gone, or to their earlier types."""
    older = {}
    for plan in found.plans:
        remembered = found.memory.columns.get(plan.table, {})
        private = {entry.rpartition(": ")[0] for entry in plan.private}
        names = [name for field, forms in remembered.items() if field not in private for name in forms[::2]]
        current = {column.name for column in plan.columns}
        older[plan.table] = [
            form
            for name in names
            for form in (name, name + TEXT_TWIN)
            if name not in current and form not in current
        ]
    return older


def _passes(error: BaseException) -> bool:
    """Whether the same rows may well be taken another time: the disk, memory or the connection is to blame."""
    passing = (OSError, MemoryError, DatabaseTransientException, LoadClientJobRetry)
    return starved(error) or any(isinstance(cause, passing) for cause in causes(error))


def source_of(resources: Iterable[Any]) -> DltSource:
    return dlt.source(lambda: list(resources), name=SOURCE, section=SOURCE)()

"""The resources of the source, one a table. The first that dlt asks reads them all; each yields its own rows."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, cast

import dlt
import pyarrow.parquet as pq
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource

from .client.client import ZohoClient
from .config import AUDIT_LOG, ON_REQUEST, ModuleSelection
from .discovery.account_tables import source_tables
from .discovery.catalog import PreviousState
from .exceptions import CredentialsError, ExtractError
from .extract.extractor import ExtractResult, require_file
from .extract.file_store import FileStore
from .models import MODIFIED_TIME, PreferredApi
from .planning.schedule import is_due
from .processes import is_alive
from .state import RecentlyDeleted
from .sync.deleted_records import DELETED_RECORDS, deleted_records_reading, deletions_only, with_earlier
from .sync.extraction import Extraction
from .sync.files import FileChoice, FileCopier, FileListing, files_resource, items_of
from .sync.json_columns import file_with_json, imported_with_json, writes_json_itself
from .sync.pipeline_state import (
    load_previous_state,
    remember_deleted,
    remember_reading,
    remember_start,
    remember_synced,
)
from .sync.rejected_values import REJECTED_VALUES, rejected_values_reading
from .sync.row_history import extra_hints
from .sync.table_rows import Rows, column_hints, references, rows_of
from .sync.warehouse import MERGE, UPSERT, Warehouse
from .transform.parquet_writer import groups_of, with_others
from .transform.privacy_rules import PrivacyRules

CONTENT = "content"  # the key in the state of a resource: a hash of its rows, and when they were written
READ_UNTIL = "read_until"  # the key of the time up to which `deleted_records` has the deletions
DERIVED_TABLES = frozenset(
    {DELETED_RECORDS.table, REJECTED_VALUES.table}
)  # made of what the readings of modules told
FILES_A_PART = 100  # rows of `files` that dlt is given at once
SMALL = 5_000  # rows of a table whose content is compared

logger = logging.getLogger("zoho_crm")


@dataclass(frozen=True)
class SourceTable:
    """A table of the source: of a module, or one of ours."""

    name: str  # the module's API name, or the name of our table
    resource: str  # the name of the resource, and of the table unless an earlier run gave another


@dataclass
class SourceRuns:
    """The extractions of one source object: one for each time that dlt extracts it.

    Nothing is shared between two of them, so that a source can run in two pipelines, threads or tasks.
    """

    connect: Callable[[], ZohoClient]
    choice: ModuleSelection
    preferred_api: PreferredApi
    tables: Sequence[SourceTable]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _running: weakref.WeakKeyDictionary[Any, SourceRun] = field(
        default_factory=weakref.WeakKeyDictionary, repr=False
    )

    def current(self) -> SourceRun:
        """The extraction that dlt is in; it begins with the first resource that asks."""
        source, load_id = dlt.current.source(), _load_id()
        with self._lock:
            run = self._running.get(source)
            if run is None or run.load_id != load_id or load_id is None:
                run = self._running[source] = SourceRun(self, load_id)
                weakref.finalize(run, shutil.rmtree, run.folder, ignore_errors=True)
        return run


class SourceRun:
    """One extraction: what is read for the selected resources, and the tables that it becomes."""

    def __init__(self, runs: SourceRuns, load_id: str | None) -> None:
        self.load_id = load_id
        self.missed = False  # whether a list of deletions that nothing else reads was not whole
        self.choice = runs.choice
        self.tables = {table.name: table for table in runs.tables}
        pipeline = dlt.current.pipeline()
        for left in Path(pipeline.working_dir).glob("zoho-*-*"):
            process = left.name.split("-")[1]
            if process.isdecimal() and not is_alive(int(process)):  # of a run that was killed
                shutil.rmtree(left, ignore_errors=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"zoho-{os.getpid()}-", dir=pipeline.working_dir))
        self.selected = dlt.current.source().selected_resources
        state = dlt.current.source_state()
        policy = runs.choice.policy
        warehouse = Warehouse(pipeline, self.folder, policy.table_format)
        warehouse.check(keeps_more=policy.keeps_more)
        memory = self._memory(state, warehouse)
        names = [t.name for t in runs.tables if t.resource in self.selected]
        self.extraction = Extraction(
            runs.connect(),
            replace(
                runs.choice,
                only=self._chosen(names, runs),
                policy=replace(policy, audit_log=AUDIT_LOG in names),
            ),
            runs.preferred_api,
            memory,
            warehouse,
            self.folder,
            journal=Path(pipeline.pipelines_dir, f"{pipeline.pipeline_name}.jobs"),
        )
        self.rows = RowsForDlt(self.extraction, {t.name: t.resource for t in runs.tables})
        self.extraction.run()

    def _chosen(self, names: Sequence[str], runs: SourceRuns) -> frozenset[str]:
        """What is asked for: all if all is selected, so that a new module is seen; else these."""
        usual = {table.name for table in runs.tables} - ON_REQUEST
        everything = not runs.choice.only and usual <= {*names}
        return frozenset() if everything else frozenset(names)

    def _memory(self, state: Mapping[str, Any], warehouse: Warehouse) -> PreviousState:
        """What earlier runs left, without tables that are read whole: under `refresh`, and what is replaced."""
        memory = load_previous_state(state, warehouse)
        there = memory.destination_columns
        again = {table["name"] for table in _refreshed()}
        again |= {name for name, resource in self.selected.items() if _replaces(resource.write_disposition)}
        again_modules = {
            name
            for name in memory.synced
            if memory.tables.get(name) in again
            or (name in self.tables and self.tables[name].resource in again)
        }
        synced = {name: entry for name, entry in memory.synced.items() if name not in again_modules}
        lost = {memory.tables.get(name, "") for name in again_modules} | again
        return replace(
            memory,
            synced=synced,
            settings_read={table: at for table, at in memory.settings_read.items() if table not in again},
            destination_columns=None if there is None else {t: c for t, c in there.items() if t not in lost},
        )

    def items(self, table: SourceTable) -> Iterator[Any]:
        """What dlt is given for one table; the state moves once dlt has taken all of it."""
        reading = self._reading(table)
        if reading is not None:
            user = _strategy(self.selected[table.resource].write_disposition)
            yield from self.rows.items(reading, table.resource, user)
        if table.name == DELETED_RECORDS.table and not self.missed:
            until = self.extraction.found.until
            dlt.current.resource_state(table.resource)[READ_UNTIL] = until.isoformat()

    def _reading(self, table: SourceTable) -> ExtractResult | None:
        """The reading of a table that was read. Raises what it failed with."""
        if table.name == DELETED_RECORDS.table:
            return self.rows.deleted_records([*self.extraction.modules(), *self._deletions_of_others(table)])
        if table.name == REJECTED_VALUES.table:
            return self.rows.rejected_values([*self.extraction.readings.values()])
        found = self.extraction.found
        reading = self.extraction.readings.get(table.name) or self.extraction.readings.get(
            next((m.api_name for m in found.modules if m.api_name.casefold() == table.name.casefold()), "")
        )
        if reading is None:
            named = {s.module.api_name.casefold(): s for s in (*found.failures, *found.skips)}
            skip = named.get(table.name.casefold())
            if skip is not None and (skip in found.failures or self.choice.only):
                raise ExtractError(f"{table.name}: {skip.reason}")
            logger.warning("%s is not read: %s", table.name, skip.reason if skip else "Zoho lists it no more")
            return None
        asked_for = self.choice.only | ON_REQUEST
        if reading.status == "failed" or (reading.status == "skipped" and table.name in asked_for):
            error = reading.cause if isinstance(reading.cause, CredentialsError) else None
            raise error or ExtractError(f"{reading.name}: {reading.error}") from reading.cause
        if reading.status in ("kept", "skipped"):
            log = logger.info if reading.status == "kept" else logger.warning
            log("%s is left as it is: %s", reading.name, reading.error or reading.reason)
            return None
        return reading

    def _deletions_of_others(self, table: SourceTable) -> Iterator[ExtractResult]:
        """What was deleted from modules of this source that are loaded, but in other runs than this one.

        An orchestrator may read each table in a task of its own.
        """
        extraction, here = self.extraction, self.extraction.warehouse
        ours = source_tables(extraction.client.service)
        others = {
            other.name.casefold(): self.extraction.memory.tables.get(other.name, other.resource)
            for other in self.tables.values()
            if other.resource not in self.selected and other.name not in ours
        }
        there = here.tables(others.values()) if others else {}
        modules = [m for m in extraction.found.modules if others.get(m.api_name.casefold()) in there]
        until, policy = extraction.found.until, extraction.found.choice.policy
        known = dlt.current.resource_state(table.resource).get(READ_UNTIL)
        since = datetime.fromisoformat(known) if known else (until, *extraction.memory.starts)[-1]
        since -= policy.lookback if here.can_merge else timedelta()
        named = policy.rules == PrivacyRules()  # a rule may hide what records are called by
        for reading in deletions_only(extraction.client, modules, since, until, named=named):
            self.missed = self.missed or reading.gap is not None
            yield reading


@dataclass(frozen=True)
class RowsForDlt:
    """Hands the readings of an extraction to dlt.

    Args:
        extraction: It has run.
        resources: The resource of each module and table of ours, for the references between them.
        keep: Leave the files where they are once dlt has taken them, so that they can be taken again.
    """

    extraction: Extraction
    resources: Mapping[str, str]
    keep: bool = False
    package: Collection[str] | None = None  # what is loaded with it; by default all that was read

    def items(
        self, reading: ExtractResult, resource: str, user: Any = None, replace_by: str = "replace"
    ) -> Iterator[Any]:
        """The rows of one reading, and then the state.

        `user` is a disposition that takes the place of ours, `replace_by` one that does for a whole table.
        """
        content = content_of(reading) if user is None and _has_no_steps() else None
        rows = self._rows(reading, tombstones=user is None or user["disposition"] == "merge")
        reading.unchanged = content is not None and self._holds(reading, resource, content)
        if rows is not None and not reading.unchanged:
            self._hand_over(reading, resource, content)
            if rows.disposition == "replace":
                rows = replace(rows, disposition=cast(Any, replace_by))
            if user is not None and not (rows.disposition == "replace" and user["disposition"] == "merge"):
                rows = replace(rows, disposition=user)
            if rows.disposition == MERGE and self.extraction.warehouse.merge is not None:
                rows = replace(rows, disposition=self.extraction.warehouse.merge)
            known = references(reading.columns, self.resources)
            yield from dlt_items(reading, rows, resource, self.extraction.warehouse.table_format, known)
            if not self.keep:
                rows.file.path.unlink(missing_ok=True)
            if content is not None:
                now = self.extraction.found.until.isoformat()
                dlt.current.resource_state(resource)[CONTENT] = {"hash": content, "written_at": now}
        elif user is not None and user["disposition"] == "replace":
            # dlt empties a table that is to be replaced and for which nothing comes.
            unchanged = dlt.mark.make_hints(write_disposition="append")
            yield dlt.mark.with_hints(require_file(reading).schema.empty_table(), unchanged)
        self._remember(reading, resource)

    def _rows(self, reading: ExtractResult, *, tombstones: bool) -> Rows | None:
        """What is to be written of a reading; None if nothing is."""
        if reading.plan is not None:
            return rows_of(self.extraction, reading, tombstones=tombstones)
        return self._added(reading) if reading.adds else self._of_ours(reading, tombstones=tombstones)

    def _of_ours(self, reading: ExtractResult, *, tombstones: bool) -> Rows | None:
        if reading.table not in DERIVED_TABLES:
            return Rows(require_file(reading), MERGE if reading.part_by else "replace", {})
        warehouse = self.extraction.warehouse
        exists = reading.table in warehouse.tables([reading.table])
        if not reading.rows and exists and warehouse.can_merge:
            return None
        if reading.table == REJECTED_VALUES.table:
            if not tombstones:
                return None
            hints = extra_hints("hard", merge=warehouse.can_merge)
            return Rows(require_file(reading), MERGE if warehouse.can_merge else "replace", hints)
        if warehouse.can_merge:
            return Rows(require_file(reading), MERGE, {})
        if not exists:
            return Rows(require_file(reading), "append", {})
        there = warehouse.read(reading.table, [column.name for column in reading.columns])
        return Rows(with_earlier(require_file(reading), there, self._renamed()), "replace", {})

    def _added(self, reading: ExtractResult) -> Rows | None:
        """Rows beside those that the table has; where rows cannot be changed, all of them written anew."""
        warehouse = self.extraction.warehouse
        if warehouse.can_merge:
            return Rows(require_file(reading), MERGE, {}) if reading.rows else None
        there = warehouse.tables([reading.table]).get(reading.table)
        if there is None:
            return Rows(require_file(reading), "replace", {})
        names = [column.name for column in reading.columns if column.name in there]
        earlier = warehouse.read(reading.table, names)
        return Rows(with_others(require_file(reading), earlier), "replace", {})

    def _renamed(self) -> list[str]:
        """The modules whose deleted records may no longer be called by the names that they had."""
        plans = [reading.plan for reading in self.extraction.modules() if reading.plan is not None]
        return [plan.module.api_name for plan in plans if plan.shown is not None and plan.new_private]

    def _holds(self, reading: ExtractResult, resource: str, content: str) -> bool:
        """Whether the table has these rows already, as far as the state, its number of rows and this machine tell.

        Now and then it is written all the same: somebody may have changed rows by hand.
        """
        extraction = self.extraction
        if extraction.rewrite or self._small_counts.get(reading.table) != reading.rows:
            return False
        known: Any = dlt.current.resource_state(resource).get(CONTENT)
        if not isinstance(known, dict) or known.get("hash") != content:
            return False
        if handed_over(self._handed_over).get(reading.table) not in (None, content):
            return False
        written, every = (
            datetime.fromisoformat(known["written_at"]),
            extraction.found.choice.policy.verify_every,
        )
        return not is_due(written, every, extraction.found.until, extraction.memory.gap)

    def _hand_over(self, reading: ExtractResult, resource: str, content: str | None) -> None:
        """Note that these rows go to the table now: they may land though the load fails as a whole."""
        dlt.current.resource_state(resource).pop(CONTENT, None)
        if has_content(reading) and _load_id() is not None:
            hand_over(self._handed_over, reading.table, content or "")

    @property
    def _handed_over(self) -> Path:
        return Path(dlt.current.pipeline().working_dir, "zoho_small_tables.json")

    @cached_property
    def _small_counts(self) -> Mapping[str, int]:
        """The rows that the tables have whose content is compared, in one question; none where rows cannot be changed."""
        warehouse = self.extraction.warehouse
        small = [r.table for r in self.extraction.readings.values() if r.status == "read" and has_content(r)]
        return warehouse.count(small) if small and warehouse.can_merge else {}

    def deleted_records(self, readings: Sequence[ExtractResult]) -> ExtractResult:
        """What these readings were told of deletions, as a reading of its own."""
        return deleted_records_reading(readings, self.extraction.folder)

    def rejected_values(self, readings: Sequence[ExtractResult]) -> ExtractResult:
        """The values of these readings that their columns do not hold."""
        extraction = self.extraction
        return rejected_values_reading(
            readings, extraction.warehouse, extraction.folder, extraction.found.until
        )

    def _remember(self, reading: ExtractResult, resource: str) -> None:
        state = dlt.current.source_state()
        remember_reading(state, reading, resource)
        if self.extraction.warehouse.can_merge:  # else each run reads whole tables
            remember_deleted(state, reading, self.extraction.deleted.get(reading.name, RecentlyDeleted()))
        remember_start(state, self.extraction.found.until)
        remember_synced(state, self.extraction.deferred(self.package))


def has_content(reading: ExtractResult) -> bool:
    """Whether the rows of a table are compared with those that it had: it is read whole in each run, and is small."""
    plan = reading.plan
    each_run = plan is None or (plan.is_full_refresh and not plan.has(MODIFIED_TIME) and plan.keeps == "hard")
    of_its_own = reading.part_by is None and not reading.adds and reading.table not in DERIVED_TABLES
    return each_run and of_its_own and (reading.rows or 0) <= SMALL


def content_of(reading: ExtractResult) -> str | None:
    """A hash of all rows of a table that is read whole in each run; None for one that is too large, or no such table.

    Rows that are the same as before are not written again.
    """
    if not has_content(reading):
        return None
    table = pq.read_table(require_file(reading).path)
    rows = sorted(repr(row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True))
    return sha256("\n".join([repr(table.schema.names), *rows]).encode()).hexdigest()


def handed_over(file: Path) -> dict[str, Any]:
    """By table, the hash of the rows that dlt was last given on this machine; empty if nobody knows."""
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def hand_over(file: Path, table: str, content: str) -> None:
    """Note the hash of the rows that dlt is given now. dlt's state goes back when a load fails, and its tables may not."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({**handed_over(file), table: content}))
    new.replace(file)


def dlt_items(
    reading: ExtractResult, rows: Rows, resource: str, table_format: str | None = None, known: Any = None
) -> Iterator[Any]:
    """The file itself where nothing stands behind the resource, which is fastest; else its rows as Arrow tables.

    `known` are references to other tables.
    """
    hints = column_hints(reading.columns, reading.key)
    hints.update((name, dict(hint)) for name, hint in rows.hints.items())
    if reading.part_by is not None:
        hints[reading.part_by].update(merge_key=True)
    made = dlt.mark.make_hints(
        table_name=reading.table if reading.table != resource else None,
        write_disposition=rows.disposition,
        columns=cast(Any, hints),
        references=known or None,
        additional_table_hints=_table_label(reading),
        table_format=cast(Any, table_format),
    )
    path = rows.file.path
    texts = [name for name, hint in hints.items() if hint.get("data_type") == "json"]
    parse = writes_json_itself(dlt.current.pipeline()) and bool(texts)
    if _has_no_steps():
        path = file_with_json(path, texts) if parse else path
        yield dlt.mark.with_file_import(str(path), "parquet", rows.file.rows, made)
        return
    if parse and _load_id() is not None:
        cast(Any, dlt.current.pipe()).append_step(partial(imported_with_json, made, texts, path.parent))
    for group in groups_of(path):
        yield dlt.mark.with_hints(group, made)


def _table_label(reading: ExtractResult) -> dict[str, Any] | None:
    """What Zoho calls the module, as the description of its table."""
    label = reading.plan.module.raw.get("plural_label") if reading.plan else None
    return {"description": label} if isinstance(label, str) and label else None


def resource_of(runs: SourceRuns, table: SourceTable, *, selected: bool = True) -> DltResource:
    """The resource of one table. Nothing is asked before dlt extracts it."""

    def rows() -> Iterator[Any]:
        yield from runs.current().items(table)

    return dlt.resource(rows, name=table.resource, write_disposition=MERGE, selected=selected)


def files_of(connect: Callable[[], ZohoClient], folder: str, choice: FileChoice) -> DltResource:
    """The resource of the table `files`, which copies them while dlt extracts it."""

    def rows() -> Iterator[Any]:
        pipeline, store, client = dlt.current.pipeline(), FileStore(folder), connect()
        with tempfile.TemporaryDirectory(prefix=f"zoho-{os.getpid()}-", dir=pipeline.working_dir) as place:
            client.context.temp_dir = Path(place)
            warehouse = Warehouse(pipeline, Path(place))
            memory = load_previous_state(dlt.current.source_state(), warehouse)
            listing = FileListing(warehouse, memory, choice, store.url).look(client.now())
            copied, known = FileCopier(client, store, listing).rows(), dict(listing.known)
            while part := list(islice(copied, FILES_A_PART)):
                known.update({(row["kind"], row["id"]): row for row in part})
                if warehouse.can_merge:
                    yield items_of(part, warehouse)
            if not warehouse.can_merge and known:
                yield items_of([*known.values()], warehouse)

    return files_resource(rows)


def _load_id() -> str | None:
    try:
        return str(dlt.current.load_package_state()["load_id"])
    except CurrentLoadPackageStateNotAvailable:  # iterated outside of a pipeline
        return None


def _refreshed() -> list[Any]:
    """The tables that dlt drops or empties with this load, under `refresh`."""
    try:
        state: Mapping[str, Any] = dlt.current.load_package_state()["state"]
    except CurrentLoadPackageStateNotAvailable:
        return []
    return [*state.get("dropped_tables", ()), *state.get("truncated_tables", ())]


def _strategy(disposition: Any) -> Any:
    """The disposition that a user has put in the place of ours; None for ours."""
    if disposition in (MERGE, UPSERT, "merge", None):
        return None
    return {"disposition": disposition} if isinstance(disposition, str) else disposition


def _replaces(disposition: Any) -> bool:
    """Whether a user's disposition wants every row in each run."""
    user = _strategy(disposition)
    return user is not None and (user["disposition"] == "replace" or user.get("strategy") == "scd2")


def _has_no_steps() -> bool:
    """Whether no step stands behind the resource: one would see no rows of a file."""
    return _load_id() is not None and len(cast(Any, dlt.current.pipe()).steps) == 1

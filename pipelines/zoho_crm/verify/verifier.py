"""Compares every id of the chosen modules with the destination, and puts right what differs if that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import dlt

from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.config import ModuleSelection
from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES
from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.exceptions import CreditBudgetExceeded, SettingsError, ZohoCrmError, ZohoError
from sources.zoho_crm.extract.account import write_rows
from sources.zoho_crm.extract.deletions import read_deletions
from sources.zoho_crm.extract.extractor import ExtractResult, require_file
from sources.zoho_crm.extract.id_comparison import confirm_deleted, narrow, read_id_scan
from sources.zoho_crm.extract.record_lookup import read_ids
from sources.zoho_crm.extract.related_rows import Relationship, links
from sources.zoho_crm.models import CREATED_TIME, MODIFIED_TIME, PreferredApi
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.planning.sync_mode import ALONG_BY_NAME, column_signature, is_unversioned_field
from sources.zoho_crm.state import ModuleState
from sources.zoho_crm.sync.extraction import Extraction, TooManyRowsMissing, check_row_loss
from sources.zoho_crm.sync.tables import Table, module_tables, read_in_parallel
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.column_types import COMPUTED_TYPES, ColumnType
from sources.zoho_crm.transform.converters import ConversionError, convert
from sources.zoho_crm.transform.row_differences import Differences, compare, differing, held_columns

from ..console import counted
from ..errors import DIFFERENT, root_message
from ..run.credit_limit import CreditEstimates
from ..run.database import raise_if_disconnected
from ..run.loading import Loader, Remembered, append_logs, work_folder
from ..run.progress import Progress
from ..run.run_log import SYNC_RUNS, run_times
from ..run.run_result import RunResult
from ..run.runner import look
from .comparison import KINDS, Comparison, ids_since


@dataclass
class DifferenceClassifier:
    """Judges comparisons together, because rows come and go with the records that they hang on."""

    comparisons: Sequence[Comparison]
    links: Sequence[Relationship]
    synced: Mapping[str, ModuleState]  # what the state knows of every module, compared or not
    client: ZohoClient

    def classify_module(self) -> None:
        """Drop the differences that the next incremental run brings, and keep the others. Raises nothing."""
        loaded = {c.name: c for c in self.comparisons if c.loaded}
        for comparison in loaded.values():
            with_own_errors(comparison, self._by_its_own_times)
        for child in dict.fromkeys(link.child for link in self.links):  # notes before the files on them
            if child in loaded:
                with_own_errors(loaded[child], self._by_its_parents)
        for comparison in loaded.values():
            with_own_errors(comparison, self._by_what_it_names)
            with_own_errors(comparison, self._confirm)
            with_own_errors(comparison, self._tell)

    def _by_its_own_times(self, comparison: Comparison) -> None:
        plan, until, parquet_file = comparison.plan, comparison.until, comparison.id_scan.parquet_file
        assert until is not None
        assert parquet_file is not None
        # Created_Time tells what is new in modules that do not tell what changed.
        comparison.newer = ids_since(
            parquet_file.path, column(plan, MODIFIED_TIME) or column(plan, CREATED_TIME), until
        )
        comparison.exclude_recent(comparison.newer, ("missing", "stale", "values"))
        for name in ALONG_BY_NAME:
            moved = ids_since(parquet_file.path, column(plan, name) if is_time(plan, name) else None, until)
            comparison.exclude_recent(moved, ("values",))
        if comparison.ids["extra"]:
            client, id_scan = self.client.with_usage(comparison.id_scan.usage), comparison.id_scan
            feed = read_deletions(client, comparison.name, until)
            id_scan.gap, id_scan.deletions = feed.gap, feed.deletions
            comparison.deleted = frozenset(deletion.id for deletion in feed.deletions)
            comparison.exclude_recent(comparison.deleted, ("extra",))

    def _by_its_parents(self, comparison: Comparison) -> None:
        """Rows of a record that changed, or went, since the last run are read with it by the next one."""
        for link in self.links:
            name = column(comparison.plan, link.field)
            if link.child != comparison.name or name is None or not comparison.differing_ids:
                continue
            parents = comparison.values(name, comparison.differing_ids)
            named = set[str]().union(*parents.values()) - {None}
            touched = self._touched(comparison, link.parent, named)
            comparison.exclude_recent({id for id, ids in parents.items() if ids & touched})

    def _touched(self, comparison: Comparison, parent: str, ids: Collection[str]) -> frozenset[str]:
        """Those of the parents that changed or went since the module was last read; asked if it was not compared."""
        for other in self.comparisons:
            if other.name == parent and other.id_scan.status == "read":
                return other.newer | other.deleted | other.since
        known, client = self.synced.get(parent), self.client.with_usage(comparison.id_scan.usage)
        if known is None or not ids:
            return frozenset()
        try:
            there = read_ids(client, parent, ["id", MODIFIED_TIME], sorted(ids))
            gone = set(ids) - there.keys()
            feed = read_deletions(client, parent, known.until).deletions if gone else ()
        except ZohoError:
            return frozenset()  # not to be asked, so it excuses nothing
        changed = {id for id, record in there.items() if is_since(record.get(MODIFIED_TIME), known)}
        return frozenset(changed | {deletion.id for deletion in feed})

    def _by_what_it_names(self, comparison: Comparison) -> None:
        """Zoho empties a lookup of a record that goes, and no time moves."""
        gone = frozenset[str]().union(*(other.deleted for other in self.comparisons))
        for one in comparison.plan.columns if comparison.ids["values"] and gone else ():
            if one.field.data_type in ("lookup", "multi_module_lookup"):
                named = comparison.values(one.name, comparison.ids["values"])
                comparison.exclude_recent({id for id, ids in named.items() if ids & gone}, ("values",))

    def _confirm(self, comparison: Comparison) -> None:
        """Asking by id is the only proof that a record is gone; too many are not believed."""
        id_scan, extra = comparison.id_scan, comparison.ids["extra"]
        try:
            check_row_loss(id_scan, sorted(extra), comparison.table_rows or 0)
        except TooManyRowsMissing as error:
            comparison.refusal = str(error)
        else:
            gone = confirm_deleted(
                self.client.with_usage(id_scan.usage), comparison.name, extra, comparison.plan
            )
            if extra - gone:
                id_scan.notes.remarks.append(f"{len(extra - gone):,} records are there by id and in no list")
            comparison.ids["extra"] = extra & gone

    def _tell(self, comparison: Comparison) -> None:
        """What a person wants to know beside the ids."""
        plan, remarks = comparison.plan, comparison.id_scan.notes.remarks
        if comparison.ids["values"] and comparison.patches and comparison.destination_rows:
            comparison.columns = differing(
                comparison.patches, comparison.destination_rows, plan.columns, comparison.ids["values"]
            )
        if comparison.id_scan.gap and comparison.ids["extra"]:
            remarks.append(f"{comparison.id_scan.gap}, so rows deleted since the last run may count as extra")
        if not plan.has(MODIFIED_TIME) and comparison.differing_ids:
            remarks.append(
                f"it has no {MODIFIED_TIME}: what changed since the last run may count as a difference"
            )


def with_own_errors(comparison: Comparison, step: Callable[[Comparison], None]) -> None:
    """Take a step with a module that is whole so far; its trouble stays its own."""
    id_scan = comparison.id_scan
    if id_scan.status != "read":
        return
    try:
        step(comparison)
    except ZohoCrmError as error:
        id_scan.fail(error)
    except Exception as error:  # noqa: BLE001 - each destination has errors of its own
        raise_if_disconnected(error)
        id_scan.end("failed", root_message(error))


def column(plan: Plan, api_name: str) -> str | None:
    """The column of a field that the module may lack."""
    return plan.column(api_name).name if plan.has(api_name) else None


def is_time(plan: Plan, api_name: str) -> bool:
    return plan.has(api_name) and plan.column(api_name).kind is ColumnType.TIMESTAMP


def is_since(text: Any, known: ModuleState) -> bool:
    """Whether a time of Zoho's is not before the last run."""
    try:
        moment = convert(ColumnType.TIMESTAMP, text)
    except ConversionError:
        return False
    return moment is not None and bool(moment >= known.until)


NEVER_LOADED = "no run has loaded it yet"
STATELESS = "its table is there, but the pipeline's state does not know it: a run reads it whole"


@dataclass
class Verification:
    """What `verify` found and did."""

    run: RunResult
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def differing(self) -> list[Comparison]:
        """What differs still."""
        return [c for c in self.comparisons if c.verdict in ("differs", "never loaded")]

    @property
    def exit_code(self) -> int:
        """As of a run; 4 if a table differs and was not put right."""
        return self.run.exit_code or (DIFFERENT if self.differing else 0)


@dataclass
class Verifier:
    """Everything that a comparison needs."""

    pipeline: dlt.Pipeline
    client: ZohoClient
    choice: ModuleSelection
    preferred_api: PreferredApi
    progress: Progress

    def verify(self, *, repair: bool) -> Verification:
        """Compare all chosen modules; only a repair changes the destination."""
        # As if all were to be read whole: that asks for counts and not for changes.
        try:
            choice = replace(self.choice, refresh=True)
            found = look(
                self.pipeline,
                self.client,
                choice,
                self.preferred_api,
                CreditEstimates(self._price, settings=False),
            )
        except CreditBudgetExceeded as error:
            stopped = RunResult()
            stopped.stop(error, self.client)
            return Verification(stopped)
        found.check_key()
        if found.choice.only and found.choice.only <= {*ACCOUNT_TABLES}:
            raise SettingsError("verify compares modules: a run reads the other tables whole")
        run = RunResult()
        run.follow(found)
        run.named -= {*ACCOUNT_TABLES}
        result = Verification(run)
        with work_folder(self.pipeline) as folder:
            self.client.context.temp_dir = folder
            warehouse = Warehouse(self.pipeline, folder, self.choice.policy.table_format)
            listed = [module.api_name for module in found.modules]
            compared = self._compared(found, warehouse, folder)
            result.comparisons = sorted(compared, key=lambda c: listed.index(c.name))
            tied = links(found.fields, {m.api_name: m for m in found.modules})
            DifferenceClassifier(result.comparisons, tied, found.memory.synced, self.client).classify_module()
            if repair:
                self._repair(result.comparisons, found, warehouse, folder)
            run.readings = [comparison.id_scan for comparison in result.comparisons]
            run.close(self.client)
            if repair:
                self._log(result, found, warehouse, folder)
        return result

    def _compared(self, found: Catalog, warehouse: Warehouse, folder: Path) -> Iterator[Comparison]:
        plans = {plan.module.api_name: _known(plan) for plan in found.plans}
        tables = []
        for name, plan in plans.items():
            id_scan = narrow(plan, _supplementary_slices(plan), plan.rows, self.preferred_api)
            read = partial(read_id_scan, self.client, id_scan)
            tables.append(Table(name, plan.table, id_scan.columns, read, id_scan.cost.calls, id_scan))
        self.progress.follow(self.client.context)
        for reading in read_in_parallel(tables, folder, self.progress, sequential=found.sequential):
            comparison = Comparison(plans[reading.name], reading)
            with_own_errors(comparison, partial(_take, warehouse, folder))
            self.progress.done(reading)
            yield comparison

    def _repair(
        self, comparisons: Sequence[Comparison], found: Catalog, warehouse: Warehouse, folder: Path
    ) -> None:
        """Read the modules that differ whole, load them, and compare again."""
        due = {c.name: c for c in comparisons if c.id_scan.status == "read" and c.loaded and c.differing_ids}
        due = {name: c for name, c in due.items() if not c.refusal}
        if not due:
            return
        plans = [replace(c.plan, reason=f"verify found differences; {c.plan.reason}") for c in due.values()]
        again = replace(found, plans=plans)
        place = folder / "repair"
        place.mkdir()
        extraction = Extraction(
            self.client,
            self.choice,
            self.preferred_api,
            found.memory,
            warehouse,
            place,
            watcher=self.progress,
            rewrite=True,
        )
        extraction.read(again, module_tables(self.client, again))
        Loader(self.pipeline, extraction).load([*extraction.readings.values()])
        for reading in extraction.readings.values():
            with_own_errors(due[reading.name], partial(_take_repair, warehouse, folder, reading))

    def _price(self, plan: Plan) -> int:
        known = _known(plan)
        return narrow(known, _supplementary_slices(known), plan.rows, self.preferred_api).cost.credits

    def _log(self, result: Verification, found: Catalog, warehouse: Warehouse, folder: Path) -> None:
        """One row a module in `sync_runs`; with it the state learns what was found equal."""
        log = ExtractResult("sync_runs", "sync_runs", "", "")
        rows = [_row(result.run, comparison) for comparison in result.comparisons]
        log = write_rows(log, SYNC_RUNS, rows, folder, {})
        equal = {
            c.name: _proven(c, c.plan.synced)
            for c in result.comparisons
            if c.verdict == "equal" and c.plan.synced
        }
        append_logs(self.pipeline, warehouse, [log], Remembered(equal))
        result.run.is_logged = not log.error
        if log.error:
            result.run.troubles.append((log.name, log.error))


# ---- one module


def _known(plan: Plan) -> Plan:
    """The plan with rows kept as they have been so far."""
    return plan if plan.synced is None else replace(plan, keeps=plan.synced.keeps)


def _supplementary_slices(plan: Plan) -> tuple[str, ...]:
    """The fields to compare beside id and version: those that may change without it. Not fields that are new."""
    filled = plan.synced.filled if plan.synced else ()
    names = [c.api_name for c in plan.columns if column_signature(c) in filled and is_unversioned_field(c)]
    return tuple(names if plan.has(MODIFIED_TIME) else dict.fromkeys((*names, CREATED_TIME)))


def compared(
    warehouse: Warehouse, folder: Path, id_scan: ExtractResult, plan: Plan
) -> tuple[Differences, Path]:
    """What differs between a narrow reading and the destination, and the file of the latter's rows."""
    parquet_file = require_file(id_scan)
    there = warehouse.tables().get(plan.table, frozenset())
    rows = warehouse.read(
        plan.table, [name for name in held_columns(parquet_file, plan.columns) if name in there]
    )
    return compare(parquet_file, rows, plan.columns, folder), rows


def _take(warehouse: Warehouse, folder: Path, comparison: Comparison) -> None:
    """Compare every id. Raises what the destination raises."""
    id_scan, plan = comparison.id_scan, comparison.plan
    with warehouse.open_connection():
        if plan.table in warehouse.tables():
            comparison.take(*compared(warehouse, folder, id_scan, plan))
        else:
            comparison.take_unloaded()
    if not comparison.loaded:
        id_scan.notes.remarks.append(NEVER_LOADED if comparison.destination_rows is None else STATELESS)
    filled = plan.synced.filled if plan.synced else [column_signature(column) for column in plan.columns]
    new = [c.api_name for c in plan.columns if column_signature(c) not in filled]
    if new:
        id_scan.notes.remarks.append(f"new since the last run and not compared: {', '.join(new)}")


def _take_repair(warehouse: Warehouse, folder: Path, reading: ExtractResult, comparison: Comparison) -> None:
    """What became of a module that was read whole, and what differs still."""
    id_scan = comparison.id_scan
    id_scan.merge_result(reading)
    comparison.rows_brought = reading.rows or 0
    if reading.status != "read":
        return
    left = _left(warehouse, folder, comparison)
    comparison.repaired = not left
    comparison.counted = warehouse.count([comparison.plan.table]).get(comparison.plan.table)
    if left:
        id_scan.notes.remarks.append(f"{counted(len(left), 'row')} of these still differ")


def _left(warehouse: Warehouse, folder: Path, comparison: Comparison) -> set[str]:
    """What differs still; a row that came in a newer version than was compared does not."""
    found, rows = compared(warehouse, folder, comparison.id_scan, comparison.plan)
    after = Comparison(comparison.plan, comparison.id_scan)
    after.take(found, rows)
    if comparison.until is not None:
        changed = column(comparison.plan, MODIFIED_TIME)
        after.exclude_recent(ids_since(rows, changed, comparison.until), ("stale", "values"))
    return set[str]().union(*(after.ids[kind] & comparison.ids[kind] for kind in KINDS if kind != "values"))


def _proven(comparison: Comparison, synced: ModuleState) -> ModuleState:
    """What the state is to remember: when every id was compared, and every computed value."""
    plan = comparison.plan
    computed = {c.api_name for c in plan.columns if c.field.data_type in COMPUTED_TYPES}
    read = {c.api_name for c in comparison.id_scan.columns}
    computed_at = plan.until if computed <= read else synced.computed_at
    return replace(synced, verified_at=plan.until, computed_at=computed_at)


def _row(run: RunResult, comparison: Comparison) -> dict[str, Any]:
    id_scan = comparison.id_scan
    done = {"equal": "verified", "never loaded": "differs"}.get(comparison.verdict, comparison.verdict)
    return {
        "run_id": run.run_id,
        "module": id_scan.name,
        "api": id_scan.api,
        "reason": id_scan.reason,
        "status": done,
        "error": id_scan.error or comparison.refusal,
        "rows_read": comparison.rows_brought,
        "rows_deleted": id_scan.deleted_rows,
        "crm_count": id_scan.rows,
        "table_count": comparison.table_rows if comparison.counted is None else comparison.counted,
        "calls": id_scan.usage.calls,
        "credits": id_scan.usage.credits,
        "started_at": id_scan.started.isoformat(),
        "finished_at": id_scan.finished.isoformat() if id_scan.finished else None,
        "until": comparison.until.isoformat() if comparison.until else None,
        "skipped_fields": [],
        **run_times(run),
    }

"""Runs the resources of a connector: each on its own, so that one that fails holds up no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.zoho_crm.errors import FAILED, REFUSED, SPENT, causes, describe_error, root_message
from pipelines.zoho_crm.run.loading import abort_load
from pipelines.zoho_crm.run.replacing import safe_replace
from pipelines.zoho_crm.run.run_log import SYNC_RUNS, log_rows
from pipelines.zoho_crm.run.run_result import RunResult
from pipelines.zoho_crm.run.stopping import STOP
from sources.zoho_api import Resource, Service, discovered, source_of
from sources.zoho_api.connector import name_for_child, name_for_deletions
from sources.zoho_api.discovery import table_name
from sources.zoho_api.session import MissingScope
from sources.zoho_crm.client.context import ApiUsage
from sources.zoho_crm.exceptions import (
    CredentialsError,
    CreditBudgetExceeded,
    Fatal,
    NotAvailableError,
    ZohoCrmError,
)
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.column_types import column_type_of

WHOLE = "read whole"


@dataclass
class TableResult(ExtractResult):
    """What came of one resource."""

    loaded: int | None = None

    @property
    def rows(self) -> int | None:
        return self.loaded


@dataclass
class ConnectorRun(RunResult):
    """What one run of a connector did."""

    @property
    def exit_code(self) -> int:
        """0: every table is synced, or not offered and not asked for. 1: something failed. 3: refused.

        6: stopped at the limit of calls.
        """
        missed = [
            r
            for r in self.readings
            if r.status == "failed" or (r.status == "skipped" and r.name in self.named)
        ]
        if not missed and self.readings and all(r.status == "skipped" for r in self.readings):
            missed = self.readings
        if any(isinstance(r.cause, (CredentialsError, MissingScope)) for r in missed):
            return REFUSED
        if any(isinstance(r.cause, CreditBudgetExceeded) for r in missed):
            return SPENT
        return FAILED if missed or self.troubles else 0


@dataclass
class ConnectorRunner:
    """A connector, and the pipeline that its tables are in."""

    pipeline: dlt.Pipeline
    service: Service
    warehouse: Warehouse
    whole: bool = False  # read every resource whole, not only those that are due

    def run(self, names: Sequence[str] = ()) -> ConnectorRun:
        """Read these resources, or those that the connector selects, and write into `sync_runs` how it went."""
        run = ConnectorRun(named=frozenset(names))
        wanted = self._wanted(run, discovered(self.service, names))
        tables = {one.name: self._table(one.name) for one in wanted}
        there, whole_reads = set(self.warehouse.tables([*tables.values()])), self._whole_reads()
        for one in wanted:
            if STOP.asked:
                raise KeyboardInterrupt
            table = tables[one.name]
            run.readings.append(self._read(one, table, table in there, whole_reads.get(one.name)))
        run.table_counts = self.warehouse.count([one.table for one in run.readings if one.table])
        session = self.service.session
        run.calls, run.credits, run.credits_remaining = (
            session.calls,
            session.credits,
            session.credits_remaining,
        )
        run.finished = datetime.now(timezone.utc)
        self._log(run)
        return run

    def _wanted(self, run: ConnectorRun, names: Sequence[str]) -> list[Resource]:
        """The resources of these names, or of all; what can be no table is a skip of the run."""
        connector, left_out = self.service.connector, self.service.left_out
        run.named = frozenset(names)
        for name in names or left_out:
            if name in left_out:
                skip = TableResult(name, "", "rest", "")
                skip.end("skipped", left_out[name])
                run.readings.append(skip)
        chosen = [name for name in names if name not in left_out] if names else connector.default_resources
        return [connector.resource(name) for name in chosen]

    def _table(self, resource: str) -> str:
        """The name of the resource's table in the destination."""
        return table_name(self.service.connector.resource(resource).config.get("table_name") or resource)

    def _whole_reads(self) -> dict[str, datetime]:
        """When each resource was last read whole, by `sync_runs`; of longer ago than any is due nothing is looked at."""
        days = [one.full_refresh_days for one in self.service.connector.resources if one.full_refresh_days]
        if not days:
            return {}
        since = ("finished_at", self.service.session.clock.now() - timedelta(days=max(days)))
        columns = ["module", "reason", "status", "finished_at"]
        if not set(columns) <= self.warehouse.tables(["sync_runs"]).get("sync_runs", frozenset()):
            return {}
        table = pq.read_table(self.warehouse.read("sync_runs", columns, since=since))
        good = table.filter(pc.equal(table["status"], "read"))
        found: dict[str, datetime] = {}
        for row in good.to_pylist():
            if str(row["reason"]).startswith(WHOLE):
                found[row["module"]] = max(found.get(row["module"], row["finished_at"]), row["finished_at"])
        return found

    def _read(self, resource: Resource, table: str, there: bool, last: datetime | None) -> TableResult:
        """Read one resource: what changed, or whole where it is due, or where the destination cannot merge."""
        result = TableResult(resource.name, table, "rest", "")
        changes = not self.service.connector.reads_all(resource)
        due = changes and (self.whole or self._is_due(resource, last))
        session = self.service.session
        before, credits_before = session.calls, session.credits
        try:
            if not there:
                self._forget(resource)
            whole = changes and (not self.warehouse.can_merge or (due and there))
            result.loaded, deleted = self._load(resource.name, table, whole=whole, new=not there)
            result.deleted_rows = deleted if there else 0
            result.reason = self._reason(resource, last, whole=whole or not there)
            result.end("read")
        except Exception as error:  # noqa: BLE001 - one resource's trouble stays its own
            abort_load(self.pipeline, error)
            _end_badly(result, error, loaded_before=there, discovered=bool(resource.each))
        result.usage = ApiUsage(session.calls - before, session.credits - credits_before)
        return result

    def _forget(self, resource: Resource) -> None:
        """A table that is not there is read from the beginning, whatever the state remembers of it."""
        names = {resource.name, name_for_deletions(resource.name)} | {
            name_for_child(parent, resource.name) for parent in self.service.connector.ancestors(resource)
        }
        with self.pipeline.managed_state() as state:
            for source in state.get("sources", {}).values():
                for name in names:
                    source.get("resources", {}).pop(name, None)

    def _is_due(self, resource: Resource, last: datetime | None) -> bool:
        if resource.full_refresh_days is None:
            return False
        now = self.service.session.clock.now()
        return last is None or now - last >= timedelta(days=resource.full_refresh_days)

    def _reason(self, resource: Resource, last: datetime | None, *, whole: bool) -> str:
        """What was read, and when deletions are seen."""
        parent = resource.parent
        if self.service.connector.reads_all(resource):
            return f"{WHOLE}: of all rows of {parent}" if parent else f"{WHOLE}: the API lists no changes"
        if whole:
            return WHOLE
        changed = f"of the {parent} that changed" if parent else "what changed"
        if resource.deletions:
            refused = self.service.refused_deletions.get(resource.name)
            if refused is None:
                return f"{changed}, and what was deleted"
            changed = f"{changed}; the list of deletions was refused ({refused})"
        if resource.full_refresh_days is None or last is None:
            return f"{changed}; deletions are seen by --full-refresh"
        day = last + timedelta(days=resource.full_refresh_days)
        return f"{changed}; deletions are seen on {day:%Y-%m-%d}"

    def _load(self, name: str, table: str, *, whole: bool, new: bool) -> tuple[int, int]:
        """Read and load one resource; of a new table dlt may still think that it is there.

        Returns how many rows came, and how many were told to be deleted.
        """
        source = source_of(self.service, [name], whole=whole)
        chosen = source.resources[name]
        kept: list[int] = []  # rows of each page that are no deletions; those come into the same table
        if name_for_deletions(name) in source.resources:
            chosen.add_metrics(lambda rows, *_: kept.append(len(rows)))
        replaced = [name] if chosen.write_disposition == "replace" else []
        with safe_replace(self.pipeline, replaced) as disposition:
            if replaced:
                chosen.apply_hints(write_disposition=disposition)
            known = self.pipeline.default_schema_name is not None
            self.pipeline.extract(source, refresh="drop_resources" if new and known else None)
            normalized = self.pipeline.normalize()
            with STOP.defer_interrupt():
                self.pipeline.load(raise_on_failed_jobs=True)
        rows = (normalized.row_counts if normalized is not None else {}).get(table, 0)
        return (sum(kept), rows - sum(kept)) if name_for_deletions(name) in source.resources else (rows, 0)

    def _log(self, run: RunResult) -> None:
        columns: dict[str, Any] = {
            field.api_name: {"data_type": column_type_of(field).dlt_type} for field in SYNC_RUNS.fields
        }
        rows = dlt.resource(
            log_rows(run), name="sync_runs", write_disposition="append", columns=columns, max_table_nesting=0
        )
        try:
            self.pipeline.run(rows)
            run.is_logged = True
        except Exception as error:  # noqa: BLE001 - each destination has errors of its own
            abort_load(self.pipeline, error)
            run.troubles.append(("sync_runs", f"the destination refused it: {root_message(error)}"))


def _end_badly(result: TableResult, error: Exception, *, loaded_before: bool, discovered: bool) -> None:
    """What the API does not offer is a skip, unless it was there before.

    Of a module that nobody has asked for, any refusal says so: accounts list some that no call is for.
    """
    known = next((cause for cause in causes(error) if isinstance(cause, ZohoCrmError)), None)
    result.cause = known if isinstance(known, Exception) else error
    not_offered = (NotAvailableError, Fatal) if discovered else NotAvailableError
    if isinstance(known, not_offered) and not loaded_before:
        result.end("skipped", str(known))
    else:
        said = describe_error(error, loads=True)
        result.end("failed", said[0] if said is not None else root_message(error))

"""Runs the resources of a connector: each on its own, so that one that fails holds up no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import dlt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.zoho_crm.errors import FAILED, REFUSED, causes, root_message
from pipelines.zoho_crm.run.loading import abort_load
from pipelines.zoho_crm.run.replacing import safe_replace
from pipelines.zoho_crm.run.run_log import SYNC_RUNS, log_rows
from pipelines.zoho_crm.run.run_result import RunResult
from pipelines.zoho_crm.run.stopping import STOP
from sources.zoho_api import Resource, Service, source_of
from sources.zoho_api.session import MissingScope
from sources.zoho_crm.exceptions import CredentialsError, NotAvailableError, ZohoCrmError
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.column_types import column_type_of

WHOLE = "read whole"
REASONS: Mapping[str, str] = {
    "whole": f"{WHOLE}: the API lists no changes",
    "children": "of the rows that this run read",
}


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
        """0: every table is synced, or not offered and not asked for. 1: something failed. 3: refused."""
        missed = [
            r
            for r in self.readings
            if r.status == "failed" or (r.status == "skipped" and r.name in self.named)
        ]
        if not missed and self.readings and all(r.status == "skipped" for r in self.readings):
            missed = self.readings
        if any(isinstance(r.cause, (CredentialsError, MissingScope)) for r in missed):
            return REFUSED
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
        wanted = list(names) or self.service.connector.default_resources
        there, whole_reads = self.warehouse.tables(wanted), self._whole_reads()
        for group in self._groups(wanted):
            if STOP.asked:
                raise KeyboardInterrupt
            run.readings += self._read(group, wanted, set(there), whole_reads.get(group[0].name))
        run.table_counts = self.warehouse.count([reading.table for reading in run.readings])
        run.calls = self.service.session.calls
        run.finished = datetime.now(timezone.utc)
        self._log(run)
        return run

    def _groups(self, wanted: Sequence[str]) -> list[list[Resource]]:
        """Resources that are read together: children come from the rows of their parent."""
        connector = self.service.connector
        groups: dict[str, list[Resource]] = {}
        for one in connector.with_parents(wanted):
            top = one
            while top.parent:
                top = connector.resource(top.parent)
            groups.setdefault(top.name, []).append(one)
        return list(groups.values())

    def _whole_reads(self) -> dict[str, datetime]:
        """When each resource was last read whole, by `sync_runs`."""
        columns = ["module", "reason", "status", "finished_at"]
        if not set(columns) <= self.warehouse.tables(["sync_runs"]).get("sync_runs", frozenset()):
            return {}
        table = pq.read_table(self.warehouse.read("sync_runs", columns))
        good = table.filter(pc.equal(table["status"], "read"))
        found: dict[str, datetime] = {}
        for row in good.to_pylist():
            if str(row["reason"]).startswith(WHOLE):
                found[row["module"]] = max(found.get(row["module"], row["finished_at"]), row["finished_at"])
        return found

    def _read(
        self, group: Sequence[Resource], wanted: Sequence[str], there: set[str], last: datetime | None
    ) -> list[TableResult]:
        """Read a resource with its children; when it is due, read it whole as well.

        Children come with the changes first: a whole reading moves past them.
        """
        first = group[0]
        results = [
            TableResult(one.name, one.name, "rest", REASONS.get(one.mode, ""))
            for one in group
            if one.name in wanted
        ]
        new = first.name not in there or not self.warehouse.can_merge
        due = first.is_incremental and (self.whole or self._is_due(first, last))
        before = self.service.session.calls
        try:
            counts = {}
            if not due or new or len(results) > 1:
                counts = self._load([r.name for r in results], whole=not self.warehouse.can_merge)
            if due and not new:
                counts.update(self._load([first.name], whole=True))
            for result in results:
                if result.name == first.name and first.is_incremental:
                    result.reason = WHOLE if due or new else self._deletions_words(first, last)
                result.loaded = counts.get(result.table, 0)
                result.end("read")
        except Exception as error:  # noqa: BLE001 - one resource's trouble stays its own
            abort_load(self.pipeline, error)
            for result in results:
                _end_badly(result, error, loaded_before=result.table in there)
        results[0].usage.calls = self.service.session.calls - before
        return results

    def _is_due(self, resource: Resource, last: datetime | None) -> bool:
        if resource.full_refresh_days is None:
            return False
        return last is None or datetime.now(timezone.utc) - last >= timedelta(days=resource.full_refresh_days)

    def _deletions_words(self, resource: Resource, last: datetime | None) -> str:
        if resource.full_refresh_days is None or last is None:
            return "what changed; deletions are not seen"
        day = last + timedelta(days=resource.full_refresh_days)
        return f"what changed; deletions are seen on {day:%Y-%m-%d}"

    def _load(self, names: Sequence[str], *, whole: bool) -> dict[str, int]:
        """Read and load resources. Returns the rows of each table."""
        source = source_of(self.service, names, whole=whole)
        chosen = source.selected_resources.values()
        replaced = [one.name for one in chosen if one.write_disposition == "replace"]
        with safe_replace(self.pipeline, replaced) as disposition:
            for name in replaced:
                source.resources[name].apply_hints(write_disposition=disposition)
            self.pipeline.extract(source)
            normalized = self.pipeline.normalize()
            with STOP.defer_interrupt():
                self.pipeline.load(raise_on_failed_jobs=True)
        return dict(normalized.row_counts) if normalized is not None else {}

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


def _end_badly(result: TableResult, error: Exception, *, loaded_before: bool) -> None:
    """What the API does not offer is a skip, unless it was there before."""
    known = next((cause for cause in causes(error) if isinstance(cause, ZohoCrmError)), None)
    result.cause = known if isinstance(known, Exception) else error
    if isinstance(known, NotAvailableError) and not loaded_before:
        result.end("skipped", str(known))
    else:
        result.end("failed", str(known) if known is not None else root_message(error))

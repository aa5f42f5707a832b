"""Lands readings in the destination: whole tables by replacement, changes by merge, a lot in one package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dlt
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.extract import DltResource, DltSource
from dlt.pipeline.exceptions import PipelineStepFailed

from sources.zoho_crm.reading import Reading
from sources.zoho_crm.resources import SOURCE, remember_synced, table_resource
from sources.zoho_crm.synced import Synced

from .deleted_records import deleted_records_reading
from .failures import causes, innermost
from .held import Held
from .replacing import replaced_safely

# Deletes the old versions and inserts the new ones in one transaction. It drops repeated rows of its staging
# table, so a load that broke off after its commit comes out right when it is done again.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert"}


@dataclass
class Landing:
    """The destination, as far as readings have to get there."""

    pipeline: dlt.Pipeline
    held: Held
    folder: Path

    def land(self, readings: Sequence[Reading]) -> None:
        """Load all that are whole in one package; if that fails, each alone, so that only the culprit fails.

        Rows of deleted records go first, because the package moves the watermark.
        """
        whole = [r for r in readings if r.spooled is not None and r.status == "read"]
        if not whole:
            return
        try:
            self._remove(whole)
            self._run(whole)
        except Exception as error:  # noqa: BLE001 - each destination has errors of its own
            self._clear(error)
            if len(whole) == 1:
                whole[0].end("failed", f"the destination refused it: {innermost(error)}")
                return
            for reading in whole:
                self.land([reading])
        for reading in whole:
            if reading.spooled is not None:
                reading.spooled.path.unlink(missing_ok=True)

    def _clear(self, error: Exception) -> None:
        """Give up the package that could not be loaded; whoever interrupts the run is obeyed."""
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes(error)):
            raise KeyboardInterrupt from error  # dlt wraps Ctrl-C and SIGTERM like a failed load
        if isinstance(error, PipelineStepFailed):
            self.pipeline.abort_packages()

    def append(self, log: Reading, synced: Mapping[str, Synced]) -> None:
        """Load the log of the run, and with it the watermarks that waited for the end of the run."""
        if log.spooled is None:
            return

        def rows() -> Iterator[Reading]:
            remember_synced(dlt.current.source_state(), synced)
            yield log

        try:
            self.pipeline.run(_source_of([table_resource(log.table, log.columns, rows, "append")]))
        except PipelineStepFailed as error:
            self._clear(error)
            log.end("failed", f"the destination refused it: {innermost(error)}")

    def _remove(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            if reading.gone and reading.plan is not None:
                reading.deleted_rows += self.held.remove(reading.table, reading.gone, reading.plan.keeps)

    def _run(self, readings: Sequence[Reading]) -> None:
        replaced = [r.table for r in readings if r.plan is None or r.plan.whole]
        with replaced_safely(self.pipeline, replaced) as replace:
            resources = [
                table_resource(
                    r.table, r.columns, partial(iter, [r]), replace if r.table in replaced else MERGE
                )
                for r in readings
                if r.rows or r.table in replaced
            ]
            resources += self._deleted_records(readings)
            if resources:
                self.pipeline.run(_source_of(resources))

    def _deleted_records(self, readings: Sequence[Reading]) -> Iterator[DltResource]:
        """The deletions, and the watermarks of those readings that bring nothing else."""
        deleted = deleted_records_reading(readings, self.folder)
        if deleted is None:
            return
        rowless = {r.name: r.synced for r in readings if not r.rows and r.synced is not None}

        def rows() -> Iterator[Reading]:
            remember_synced(dlt.current.source_state(), rowless)
            yield deleted

        how = MERGE if self.held.merges else "append"
        yield table_resource(deleted.table, deleted.columns, rows, how)


def _source_of(resources: Iterable[Any]) -> DltSource:
    return dlt.source(lambda: list(resources), name=SOURCE, section=SOURCE)()

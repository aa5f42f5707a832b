"""Looks at a destination from any machine: no account, no credentials of Zoho's, no folder of an earlier run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.destination.exceptions import DestinationUndefinedEntity

from sources.zoho_crm.errors import SettingsError
from sources.zoho_crm.held import Held
from sources.zoho_crm.memory import SOURCE, memory_of

from .account import pipelines_dir
from .attempts import kept_attempts, stopped_words
from .console import Console, counted
from .database import waiting_for_database
from .destination import choose_destination, only_read
from .dlt_runtime import dlt_log
from .failures import causes
from .log import COLUMNS, Log
from .opening import open_pipeline
from .options import Options
from .progress import Progress

if TYPE_CHECKING:
    from sources.zoho_crm.survey import Memory


@dataclass
class Look:
    """What the destination tells of itself."""

    place: str  # `dataset zoho_crm in duckdb`
    now: datetime
    memory: Memory
    held: Held
    log: Log

    def table(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Live rows with those of the columns that exist; of an absent table no row and no column."""
        there = self.held.tables([name]).get(name, frozenset())
        wanted = [column for column in columns if column in there]
        return pq.read_table(self.held.read(name, wanted)) if wanted else pa.table({})

    def rows(self, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The same as dicts, in which every column has a key."""
        nothing = dict.fromkeys(columns)
        return [{**nothing, **row} for row in self.table(name, columns).to_pylist()]


def parsed(text: Any) -> Any:
    """A value of a JSON column, which is text here; None for what cannot be read."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


@contextmanager
def looking(options: Options, console: Console | None = None) -> Iterator[Look]:
    """The destination with its state. Raises SettingsError if no run has ever come to its end there.

    The state comes from the destination into a folder that is thrown away: dlt's own folder may belong to
    a run that is in progress.
    """
    name, place = options.pipeline_name, f"dataset {options.dataset} in {options.destination}"
    destination = choose_destination(options.destination, options.dataset, name, options.demo)
    with (
        tempfile.TemporaryDirectory(prefix="zoho-") as folder,
        only_read(destination),
        dlt_log(folder, name),
        waiting_for_database(options.wait_for_database, (console or Console(silent=True)).text),
    ):
        pipeline = _open(options, place, destination, folder)
        held = Held(pipeline, Path(folder))
        there = held.tables(["sync_runs"]).get("sync_runs", frozenset())
        columns = [column for column in COLUMNS if column in there]
        attempts = kept_attempts(pipelines_dir(options), name)
        log = Log(pq.read_table(held.read("sync_runs", columns)) if columns else pa.table({}), attempts)
        if not columns or not log:
            raise _without_a_run(options, place, _tables_there(pipeline, held))
        state = pipeline.state.get("sources", {}).get(SOURCE, {})
        memory = memory_of(state, held)
        yield Look(place, datetime.now(timezone.utc), memory, held, log)


def _open(options: Options, place: str, destination: Any, folder: str) -> dlt.Pipeline:
    try:
        return open_pipeline(options.pipeline_name, destination, options.dataset, folder, Progress())
    except SettingsError as error:
        # To look does not make a DuckDB file.
        if any("read-only mode: database does not exist" in str(cause) for cause in causes(error)):
            raise _without_a_run(options, place, 0) from None
        raise


def _tables_there(pipeline: dlt.Pipeline, held: Held) -> int:
    """Tables of a run that never came to its end: it may have left no state, but dlt's note of its schema."""
    with pipeline.destination_client() as client:
        try:
            stored = client.get_stored_schema(SOURCE) if hasattr(client, "get_stored_schema") else None
        except DestinationUndefinedEntity:
            return 0
    names = json.loads(stored.schema)["tables"] if stored else ()
    return len([name for name in held.tables(names) if not name.startswith("_dlt")])


def _without_a_run(options: Options, place: str, tables: int) -> SettingsError:
    command = f"python -m pipelines.zoho_crm{' --demo' if options.demo else ''}"
    attempts = kept_attempts(pipelines_dir(options), options.pipeline_name)
    last = f" {stopped_words(attempts[-1])}" if attempts else ""
    if not tables:
        return SettingsError(f"Nothing was ever synced here ({place}): `{command}` does it.{last}")
    return SettingsError(
        f"No run has come to its end here ({place}), but one that broke off left {counted(tables, 'table')}:"
        f" run `{command}` again, which does the rest.{last}"
    )

"""How fresh each table is, from the destination and the pipeline's state."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.destination.exceptions import DestinationUndefinedEntity

from sources.zoho_crm.config import SyncConfig
from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES, endpoints
from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.planning.schedule import next_due
from sources.zoho_crm.service import CRM, SERVICES, Service
from sources.zoho_crm.state import ModuleState
from sources.zoho_crm.sync.pipeline_state import SOURCE, load_previous_state
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.column_types import COMPUTED_TYPES

from ..console import Console, counted
from ..demo import pipelines_dir
from ..errors import causes
from ..options import Options
from ..run.attempts import load_attempts, stopped_words
from ..run.database import waiting_for_database
from ..run.destination import DEMO_FILE, choose_destination, opened_read_only
from ..run.dlt_runtime import dlt_log
from ..run.pipeline import open_pipeline
from ..run.progress import Progress
from ..version import program
from .history import COLUMNS, SUCCESSFUL, WAITING, Entry, PastRun, RunHistory

if TYPE_CHECKING:
    from sources.zoho_crm.discovery.catalog import PreviousState


@dataclass
class DestinationView:
    """What the destination tells of itself."""

    place: str  # `dataset zoho_crm in duckdb`
    now: datetime
    state: PreviousState
    warehouse: Warehouse
    history: RunHistory
    service: Service = CRM
    pipeline: dlt.Pipeline | None = None

    def table(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Live rows with those of the columns that exist; of an absent table no row and no column."""
        there = self.warehouse.tables([name]).get(name, frozenset())
        wanted = [column for column in columns if column in there]
        return pq.read_table(self.warehouse.read(name, wanted)) if wanted else pa.table({})

    def rows(self, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The same as dicts, in which every column has a key."""
        nothing = dict.fromkeys(columns)
        return [{**nothing, **row} for row in self.table(name, columns).to_pylist()]


def parse_json(text: Any) -> Any:
    """A value of a JSON column, which is text here; None for what cannot be read."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


@contextmanager
def open_destination(options: Options, console: Console | None = None) -> Iterator[DestinationView]:
    """The destination with its state. Raises SettingsError if no run has ever come to its end there.

    The state comes from the destination into a folder that is thrown away: dlt's own folder may belong to
    a run that is in progress.
    """
    name, place = options.pipeline_name, _place(options)
    destination = choose_destination(options.destination, options.dataset, name, options.demo)
    with (
        tempfile.TemporaryDirectory(prefix="zoho-") as folder,
        opened_read_only(destination),
        dlt_log(folder, name),
        waiting_for_database(options.wait_for_database, (console or Console(silent=True)).text),
    ):
        pipeline = _open(options, place, destination, folder)
        warehouse = Warehouse(pipeline, Path(folder))
        with warehouse.open_connection():
            there = warehouse.tables(["sync_runs"]).get("sync_runs", frozenset())
            columns = [column for column in COLUMNS if column in there]
            attempts = load_attempts(pipelines_dir(options), name)
            history = RunHistory(
                pq.read_table(warehouse.read("sync_runs", columns)) if columns else pa.table({}), attempts
            )
            if not columns or not history:
                raise _never_synced(options, place, _tables_there(pipeline, warehouse))
            yield view_of(pipeline, warehouse, history, options)


def view_of(
    pipeline: dlt.Pipeline, warehouse: Warehouse, history: RunHistory, options: Options
) -> DestinationView:
    """What the destination of an open pipeline tells."""
    state = pipeline.state.get("sources", {}).get(SOURCE, {})
    previous, now = load_previous_state(state, warehouse), datetime.now(timezone.utc)
    return DestinationView(
        _place(options), now, previous, warehouse, history, SERVICES[options.service], pipeline
    )


def _place(options: Options) -> str:
    return f"dataset {options.dataset} in {options.destination}"


def _open(options: Options, place: str, destination: Any, folder: str) -> dlt.Pipeline:
    try:
        return open_pipeline(options.pipeline_name, destination, options.dataset, folder, Progress())
    except SettingsError as error:
        # Opened read-only, DuckDB makes no file.
        if any("read-only mode: database does not exist" in str(cause) for cause in causes(error)):
            raise _never_synced(options, place, 0) from None
        raise


def _tables_there(pipeline: dlt.Pipeline, warehouse: Warehouse) -> int:
    """Tables of a run that never came to its end: it may have left no state, but dlt's note of its schema."""
    with pipeline.destination_client() as client:
        try:
            stored = client.get_stored_schema(SOURCE) if hasattr(client, "get_stored_schema") else None
        except DestinationUndefinedEntity:
            return 0
    names = json.loads(stored.schema)["tables"] if stored else ()
    return len([name for name in warehouse.tables(names) if not name.startswith("_dlt")])


def _never_synced(options: Options, place: str, tables: int) -> SettingsError:
    command = f"{program()}{' --demo' if options.demo else ''}"
    attempts = load_attempts(pipelines_dir(options), options.pipeline_name)
    last = f" {stopped_words(attempts[-1])}" if attempts else ""
    if not tables:
        demo = (
            " The demo's database is here: add --demo."
            if not options.demo and Path(DEMO_FILE).exists()
            else ""
        )
        return SettingsError(f"Nothing was ever synced here ({place}): `{command}` does it.{demo}{last}")
    return SettingsError(
        f"No run has come to its end here ({place}), but one that broke off left {counted(tables, 'table')}:"
        f" run `{command}` again, which does the rest.{last}"
    )


TableStatus = Literal["fresh", "differs", "stale", "failing", "skipped"]
ONCE_A_DAY = frozenset(
    endpoint.table for one in SERVICES.values() for endpoint in endpoints(one) if endpoint.each != "account"
)


@dataclass(frozen=True)
class Freshness:
    """One table; what was due at a time that has passed is done by the next run."""

    module: str
    table: str
    status: TableStatus
    last_status: str
    last_success: datetime | None
    age: timedelta | None
    rows: int | None
    error: str | None
    until: datetime | None = None
    crm_count: int | None = None
    table_count: int | None = None  # when the CRM was counted
    counted_at: datetime | None = None
    difference: int = 0  # that nobody has explained
    differs_since: datetime | None = None  # None if the count may just be late
    verified_at: datetime | None = None
    next_verify: datetime | None = None
    next_computed: datetime | None = None
    next_settings: datetime | None = None
    deletions_refused_since: datetime | None = None  # the module is read whole instead, unless it is failing
    deletions_unknown_since: datetime | None = None

    @property
    def is_module(self) -> bool:
        return self.module not in ACCOUNT_TABLES


@dataclass
class FreshnessService:
    """Writes down each table from what the log, the state and the tables tell."""

    view: DestinationView
    options: Options

    def tables(self) -> list[Freshness]:
        """Every table that was ever loaded or tried in vain; modules first, by name."""
        names = [n for n, entry in self._newest.items() if n in self._successful or entry.status != "skipped"]
        return [self._of(name) for name in sorted(names, key=lambda n: (n in ACCOUNT_TABLES, n.casefold()))]

    def skips(self) -> list[tuple[str, str]]:
        """What the last run that looked at it found to be not offered, and why."""
        return [(n, e.error or "") for n, e in sorted(self._newest.items()) if e.status == "skipped"]

    def kept(self) -> list[tuple[str, str]]:
        """What the last run left as it is on purpose or for a later run, and why."""
        left = ("kept", WAITING)
        return [(n, e.error or e.reason or "") for n, e in sorted(self._newest.items()) if e.status in left]

    @cached_property
    def _newest(self) -> dict[str, Entry]:
        """The last entry of each; what a run left for later may have been skipped by the one before, and is still."""
        newest = self.view.history.last()
        judged = self.view.history.last({*SUCCESSFUL, "failed", "differs", "kept", "skipped"})
        skipped = {name for name, entry in judged.items() if entry.status == "skipped"}
        return {n: judged[n] if e.status == WAITING and n in skipped else e for n, e in newest.items()}

    @cached_property
    def _successful(self) -> dict[str, Entry]:
        return self.view.history.last(SUCCESSFUL)

    @cached_property
    def _counted(self) -> dict[str, Entry]:
        return self.view.history.last(having="crm_count")

    @cached_property
    def _rows(self) -> dict[str, int]:
        return self.view.warehouse.count([self._table(name) for name in self._newest])

    @cached_property
    def _computed(self) -> frozenset[str]:
        """The modules that have formulas or roll-ups."""
        rows = self.view.rows("fields", ["module", "data_type", "column_name"])
        return frozenset(r["module"] for r in rows if r["data_type"] in COMPUTED_TYPES and r["column_name"])

    def _table(self, name: str) -> str:
        return self.view.state.tables.get(name, name)

    def _of(self, name: str) -> Freshness:
        newest, successful, count = self._newest[name], self._successful.get(name), self._counted.get(name)
        # A table that is read once a day is as fresh as the last run that found it not due.
        checked = newest if newest.status == "kept" and name in ONCE_A_DAY else successful
        table = Freshness(
            name,
            self._table(name),
            self._status(newest, checked),
            newest.status,
            successful.at if successful else None,
            self.view.now - successful.at if successful else None,
            self._rows.get(self._table(name)),
            self._error(newest),
        )
        if count is not None:
            table = replace(
                table, crm_count=count.crm_count, table_count=count.table_count, counted_at=count.at
            )
        synced = None if name in ACCOUNT_TABLES else self.view.state.synced.get(name)
        return self._with_state(table, synced) if synced else self._with_settings(table)

    def _status(self, newest: Entry, checked: Entry | None) -> TableStatus:
        if newest.status == "skipped":
            return "skipped"
        if newest.status in ("failed", "differs"):
            return "failing"
        late = checked is None or self.view.now - checked.at > (
            self.options.max_age or self.options.stale_after
        )
        return "stale" if late else "fresh"

    def _error(self, newest: Entry) -> str | None:
        if newest.status == "differs" and not newest.error:
            return "`verify` found rows that differ from the CRM"
        return newest.error if newest.status in ("failed", "differs", "skipped") else None

    def _with_state(self, table: Freshness, synced: ModuleState) -> Freshness:
        """What is due of a module; where single rows cannot be changed every run reads it whole."""
        since = synced.difference_at if synced.difference else None
        unknown = synced.until if synced.deletions_refused_since and table.status == "failing" else None
        known = replace(
            table,
            status="differs" if since and table.status == "fresh" else table.status,
            until=synced.until,
            difference=synced.difference,
            differs_since=since,
            verified_at=synced.verified_at,
            deletions_refused_since=synced.deletions_refused_since,
            deletions_unknown_since=unknown,
        )
        if not self.view.warehouse.can_merge:
            return known
        now, options = self.view.now, self.options
        starts = self.view.state.starts
        every = (
            min(options.verify_every, SyncConfig().count_every)
            if synced.uncounted_since
            else options.verify_every
        )
        soon = since or synced.deletions_refused_since
        verify = now if soon else next_due(synced.verified_at, every, now, starts)
        computed = next_due(synced.computed_at, options.computed_refresh, now, starts)
        return replace(
            known, next_verify=verify, next_computed=computed if table.module in self._computed else None
        )

    def _with_settings(self, table: Freshness) -> Freshness:
        read = self.view.state.settings_read.get(table.table)
        if table.module not in ONCE_A_DAY or read is None:
            return table
        last, view = datetime.fromisoformat(read), self.view
        settings = next_due(last, self.options.settings_refresh, view.now, view.state.starts)
        return replace(table, next_settings=settings)


def format_duration(time: timedelta) -> str:
    """`40 s`, `12 min`, `5 h`, `3 d`: as exact as a person wants to know."""
    seconds = max(0, int(abs(time).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def format_due(moment: datetime | None, now: datetime) -> str | None:
    """`in 3 d`, or `next run` for what is due."""
    if moment is None:
        return None
    return "next run" if moment <= now else f"in {format_duration(moment - now)}"


def format_time(moment: datetime | None) -> str | None:
    """In UTC, by the minute."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


WORST_FIRST: tuple[TableStatus, ...] = ("failing", "stale", "differs")
FEW = 5  # names in a sentence


@dataclass(frozen=True)
class Headline:
    """The status of the worst table, and a sentence about all."""

    status: TableStatus
    sentence: str

    def __str__(self) -> str:
        return f"{self.status.capitalize()}: {self.sentence}"

    def facts(self, view: DestinationView) -> dict[str, Any]:
        """For a program."""
        at = view.now.isoformat(timespec="seconds")
        return {"state": self.status, "headline": self.sentence, "place": view.place, "at": at}


def headline(tables: Sequence[Freshness], stopped: PastRun | None = None) -> Headline:
    """The worst first; a count that may just be late, and what Zoho took away, are said but are no fault.

    `stopped` is the last run, if it ended before its tables could.
    """
    of = {status: [t for t in tables if t.status == status] for status in (*WORST_FIRST, "fresh", "skipped")}
    fresh = len(of["fresh"])
    parts = [_problem(status, of[status]) for status in WORST_FIRST if of[status]]
    parts.append(f"{counted(fresh, 'table')} {'is' if fresh == 1 else 'are'} fresh")
    stop = stopped.stop if stopped else None
    sentences = [f"{stopped_words(stop).rstrip('.')}."] if stop else []
    sentences.append(f"{'; '.join(parts)}.")
    if late := [t for t in tables if t.difference and t.status == "fresh"]:
        sentences.append(
            f"In {_names(late)} the CRM's count differs from the table:"
            " the count may be late, and the next run counts again."
        )
    if of["skipped"]:
        sentences.append(f"Zoho no longer offers {_names(of['skipped'])}.")
    worst: TableStatus = next((status for status in WORST_FIRST if of[status]), "fresh")
    return Headline("failing" if stop else worst, " ".join(sentences))


def _problem(status: TableStatus, tables: Sequence[Freshness]) -> str:
    one, names = len(tables) == 1, _names(tables)
    if status == "failing":
        return f"{names} {'is' if one else 'are'} failing"
    if status == "differs":
        return f"{names} {'differs' if one else 'differ'} from the CRM's count, which the next run looks into"
    newest = min((t.age for t in tables if t.age is not None), default=None)
    time = "ever" if newest is None else f"for {format_duration(newest)}{'' if one else ' or longer'}"
    return f"{names} had no good run {time}"


def _names(tables: Sequence[Freshness]) -> str:
    names = [table.module for table in tables]
    if len(names) <= FEW:
        return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return f"{', '.join(names[: FEW - 1])} and {counted(len(names) - FEW + 1, 'more table')}"

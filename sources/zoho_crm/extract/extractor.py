"""Reads one table whole, to disk, before the destination hears of it; what went wrong stays with it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..client.client import ZohoClient
from ..client.context import ApiUsage
from ..client.progress import NO_PROGRESS, ProgressCallback
from ..client.throttling import root_of
from ..exceptions import (
    ApiFailed,
    CredentialsError,
    DailyLimitError,
    ExtractError,
    Retriable,
    UnsupportedByApi,
    ZohoConnectionError,
    ZohoCrmError,
    ZohoError,
    means_not_offered,
)
from ..models import CONVERTED_FLAG, CREATED_TIME, MODIFIED_TIME, Api
from ..planning.plan import Plan, unknown_types
from ..planning.sync_mode import COUNT_LAG, synced_after
from ..redaction import redact
from ..state import ModuleState
from ..transform.arrow_tables import records_table
from ..transform.column_types import Column, ColumnType
from ..transform.masking import mask_display_name
from ..transform.parquet_writer import (
    DiscardRows,
    ParquetFile,
    Tables,
    groups_of,
    without_rows,
    write_parquet,
)
from ..transform.row_versions import add_deleted_at
from . import coql, hidden_records, records
from .bulk_read import reader
from .deletions import Deletion, DeletionList, after_list, has_no_list, read_deletions
from .filtered_rows import apply_filters
from .notes import ExtractNotes
from .record_lookup import read_rows

if TYPE_CHECKING:
    from ..sync.rejected_values import RejectedValue

Status = Literal["read", "kept", "skipped", "failed"]
Extract = Callable[[ZohoClient, Plan, ExtractNotes], Iterator["pa.Table | DiscardRows"]]

logger = logging.getLogger("zoho_crm")

OTHER_WAYS = (
    "it was asked for by name: ReadAPI=Auto reads by another API where Bulk Read fails, ReadAPI=COQL and"
    " ReadAPI=REST by that one"
)

EXTRACTORS: Mapping[Api, Extract] = {"bulk": reader.extract, "coql": coql.extract, "records": records.extract}


@dataclass
class ExtractResult:
    """What came of reading one table.

    With the status `read` there is a file; otherwise `error` says why: `kept` is a table that this run
    leaves as it is, `skipped` one that Zoho does not offer.
    """

    name: str  # the module's API name, or the name of one of our tables
    table: str
    api: str
    reason: str
    columns: tuple[Column, ...] = ()
    status: Status = "read"
    error: str | None = None
    parquet_file: ParquetFile | None = None
    crm_count: int | None = None
    notes: ExtractNotes = field(default_factory=ExtractNotes)
    usage: ApiUsage = field(default_factory=ApiUsage)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None
    plan: Plan | None = None
    cause: Exception | None = None
    read_at: datetime | None = None  # by Zoho's clock; of the account's own tables
    key: tuple[str, ...] = ("id",)  # the columns by which a merge knows a row
    part_by: str | None = (
        None  # a part of the table: its rows take the place of those with the same value here
    )
    adds: bool = False  # its rows are added to those that the table has, by the key
    deletions: tuple[Deletion, ...] = ()  # since the last sync
    gone: dict[str, datetime] = field(default_factory=dict)  # ids whose rows have to leave, and since when
    gap: str | None = None  # why the feed of deletions may not be whole
    has_no_deletion_list: bool = (
        False  # Zoho has no list of deletions of the module: only counts and comparisons tell
    )
    refused: bool = False  # Zoho has one, and refuses it: the module is to be read whole
    synced: ModuleState | None = None  # what the state is to remember once all of it has landed
    recent: int = 0  # changes of which Zoho's count may not know yet
    answered: set[str] = field(
        default_factory=set
    )  # calls that Zoho has ever answered, of an account's table
    rejected: list[RejectedValue] = field(default_factory=list)  # values that their columns do not hold
    deleted_rows: int = 0  # that left the table, or were marked
    unchanged: bool = False  # the table has these rows already, so they are not written again
    unloadable: bool = False  # the destination refused the rows, and will do so again

    @property
    def rows(self) -> int | None:
        return self.parquet_file.rows if self.parquet_file else None

    @property
    def seconds(self) -> float:
        return ((self.finished or self.started) - self.started).total_seconds()

    def fail(self, error: Exception) -> ExtractResult:
        """End with the sentence of an error; whatever Zoho sends, one table's trouble stays its own."""
        self.cause = error
        # What is not to land is not to be told either: an error may name the value that it stumbled over.
        secret = self.plan is not None and self.plan.secret
        logger.debug("%s could not be read", self.name, exc_info=None if secret else error)
        if isinstance(error, ZohoCrmError):
            return self.end("failed", str(error))
        if isinstance(error, OSError):
            return self.end(
                "failed", f"{error.strerror or type(error).__name__}: {error.filename or 'the disk'}"
            )
        told = type(error).__name__ if secret else f"{type(error).__name__}: {error}"
        return self.end("failed", f"Zoho answered in an unknown form ({told})")

    def skip_or_fail(self, error: ZohoCrmError, **known: bool) -> ExtractResult:
        """End with Zoho's refusal: a skip if it means that this table is not offered, else a failure."""
        if means_not_offered(error, **known):
            return self.end("skipped", str(error))
        return self.fail(error)

    def merge_result(self, more: ExtractResult) -> None:
        """Add what a later reading of the same table brought and cost; if it failed, this one has, too."""
        self.usage.calls += more.usage.calls
        self.usage.credits += more.usage.credits
        self.notes.add(more.notes)
        self.deleted_rows += more.deleted_rows
        self.deletions += more.deletions
        if more.status == "failed":
            self.cause = more.cause
            self.end("failed", more.error)

    def mark_unchanged(self, why: str) -> ExtractResult:
        """Leave the table as it is, which is no failure."""
        self.reason = why
        return self.end("kept")

    def end(self, status: Status, error: str | None = None) -> ExtractResult:
        self.status, self.error = status, None if error is None else redact(error)
        self.finished = datetime.now(timezone.utc)
        return self


def read_module(
    client: ZohoClient, plan: Plan, folder: Path, watch: ProgressCallback = NO_PROGRESS
) -> ExtractResult:
    """Read a module by its API, or by the next one if that refuses the module. Raises nothing."""
    reading = ExtractResult(plan.module.api_name, plan.table, plan.api, plan.reason, plan.columns, plan=plan)
    # Of a window these are the changes, and the count knows no filter.
    reading.crm_count = plan.rows if plan.is_full_refresh and not plan.filters else None
    client = client.with_usage(reading.usage, watch, reading.name)
    attempts, came = [plan], Counter[str]()
    while True:
        plan = attempts[-1]
        notes = ExtractNotes(refusals=reading.notes.refusals, failures=reading.notes.failures)
        others = [api for api in attempts[0].alternatives if api not in {p.api for p in attempts}]
        try:
            # No name for the inner generator: an error that somebody keeps would keep it open.
            tables = with_deleted_at(
                _watched(apply_filters(_rows(client, plan, notes, reading), plan, notes), watch, came)
            )
            reading.parquet_file = collect(tables, folder / f"{plan.table}.parquet", plan.columns, notes)
            if plan.is_full_refresh or not notes.refused:
                return _finish(reading, plan, notes)
            # Its column is there and filled: rows without it would lose what it holds.
            why = f"{plan.api} refused {', '.join(notes.refused)}"
            if not others:
                return reading.fail(ExtractError(f"{why}, which the table has"))
        except (ZohoError, UnsupportedByApi, ZohoConnectionError) as refusal:
            if not _goes_on(reading, plan, refusal, others):
                if reading.status == "read":
                    reading.skip_or_fail(
                        refusal, loaded_before=plan.loaded_before, rows_came=_answered(reading, came)
                    )
                return reading
            code = refusal.code if isinstance(refusal, ZohoError) else None
            why = f"{plan.api} refused it: {code}" if code else str(refusal)
        except Exception as error:  # noqa: BLE001 - one module's trouble never ends the others
            _forget_jobs(client, plan, error)
            return reading.fail(error)
        attempts.append(plan.with_api(others[0], why))
        reading.api, reading.reason = attempts[-1].api, attempts[-1].reason


def _goes_on(
    reading: ExtractResult,
    plan: Plan,
    error: ZohoError | UnsupportedByApi | ZohoConnectionError,
    others: Sequence[Api],
) -> bool:
    """Whether another API is to read the module. One that was asked for by name, and failed, ends it with a sentence."""
    failed = _has_failed(plan, error)
    if failed:
        reading.notes.failures[plan.api] = str(error)
        if plan.asked:
            reading.fail(ExtractError(f"{error}; {OTHER_WAYS}"))
            return False
    passing = isinstance(error, (Retriable, CredentialsError, ZohoConnectionError)) and not failed
    return bool(others) and not passing


def _has_failed(plan: Plan, error: Exception) -> bool:
    """Whether Bulk Read did its work badly again and again, at a price."""
    if plan.api != "bulk" or isinstance(error, (DailyLimitError, CredentialsError)):
        return False
    answered = (
        isinstance(error, ZohoConnectionError) and root_of(error) is error
    )  # by something else than Zoho
    refused = (answered or isinstance(error, Retriable)) and "/bulk/" in str(error)  # and no call beside
    return refused or isinstance(error, ApiFailed)


def _forget_jobs(client: ZohoClient, plan: Plan, error: Exception) -> None:
    """No later run uses again what an archive has brought, unless it is certain that something else is to blame."""
    if client.context.journal is not None and not isinstance(error, (ZohoCrmError, OSError, MemoryError)):
        client.context.journal.done(plan.module.api_name)


def _answered(reading: ExtractResult, came: Counter[str]) -> bool:
    """Whether Zoho gave something of the module, be it a part of a page: what it refuses then is no skip."""
    return bool(came["rows"]) or reading.usage.credits > 0


def _finish(reading: ExtractResult, plan: Plan, notes: ExtractNotes) -> ExtractResult:
    assert reading.parquet_file is not None
    reading.notes, reading.plan = notes, plan
    if not plan.is_full_refresh and plan.until is not None:  # an edit may have taken a row out of the filter
        reading.gone.update(dict.fromkeys(notes.outside - reading.gone.keys(), plan.until))
    reading.parquet_file = without_rows(reading.parquet_file, {*reading.gone, *notes.outside})
    reading.columns = tuple(c for c in plan.columns if c.name in reading.parquet_file.schema.names)
    if plan.until is not None:
        came = not (reading.gap or reading.has_no_deletion_list)
        after = synced_after(plan, notes.empty, notes.read_as_of)
        reading.synced = after_list(after, plan, came=came, refused=reading.refused)
        reading.recent = _recent(reading, plan.until - COUNT_LAG)
    notes.remarks += unknown_types(plan)
    if not reading.parquet_file.rows and (reading.crm_count or 0) > reading.recent + FEW:
        return reading.fail(ExtractError(empty_list_message(reading.crm_count or 0)))
    return reading.end("read")


FEW = 10  # records that may have come within the seconds that a list is behind a count


def empty_list_message(count: int) -> str:
    """An empty answer is no proof of an empty module while Zoho counts records."""
    return f"Zoho counts {count:,} record(s) and shows none of them: nothing is taken away; the next run tries again"


def _recent(reading: ExtractResult, since: datetime) -> int:
    """How many records came, went or were converted since then, as far as they tell: an edit moves no count."""
    recent = sum(gone.deleted_time >= since for gone in reading.deletions)
    kinds = {
        MODIFIED_TIME: ColumnType.TIMESTAMP,
        CREATED_TIME: ColumnType.TIMESTAMP,
        CONVERTED_FLAG: ColumnType.BOOL,
    }
    own = (c for c in reading.columns if c.masking_rule is None and c.kind is kinds.get(c.api_name))
    names = {column.api_name: column.name for column in own}
    parquet_file = require_file(reading)
    if MODIFIED_TIME not in names or not parquet_file.rows:
        return recent
    groups = groups_of(parquet_file.path, list(names.values()))
    return recent + sum(_moved(group, names, since) for group in groups)


def _moved(rows: pa.Table, names: Mapping[str, str], since: datetime) -> int:
    moved = pc.greater_equal(rows[names[MODIFIED_TIME]], since)
    if CREATED_TIME in names:
        came = pc.greater_equal(rows[names[CREATED_TIME]], since)
        converted = (
            pc.and_(moved, rows[names[CONVERTED_FLAG]]) if CONVERTED_FLAG in names else pa.scalar(False)
        )
        moved = pc.or_kleene(came, converted)
    return pc.sum(moved).as_py() or 0


def extract(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    """The plan's records by its API, and those that this API leaves out."""
    tables = EXTRACTORS[plan.api](client, plan, notes)
    yield from tables if plan.api == "records" else hidden_records.complete(client, plan, notes, tables)


def _rows(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, reading: ExtractResult
) -> Iterator[pa.Table | DiscardRows]:
    yield from extract(client, plan, notes)
    yield from _deletions(client, plan, notes, reading)


def _deletions(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, reading: ExtractResult
) -> Iterator[pa.Table]:
    """Ask what was deleted since the last sync; a record that the feed names and that is there comes whole.

    After the rows, so that a record which goes meanwhile is named, too. A whole reading asks only to
    remember; its table has no rows to lose.
    """
    if plan.synced is None:
        return
    since = plan.window.since or plan.synced.until
    try:
        feed = read_deletions(client, plan.module.api_name, since)
        ids = list(dict.fromkeys(gone.id for gone in feed.deletions))
        plan = plan.drop_fields(set(notes.refused))
        back = read_rows(client, plan, ids, notes) if ids and not plan.is_full_refresh else []
    except ZohoError as error:
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        raise ExtractError(f"its deletions could not be read: {error}") from error
    alive = {str(row["id"]) for row in back}
    _take_refusal(reading, plan, feed, notes)
    deletions = (gone for gone in feed.deletions if gone.id not in alive)
    reading.deletions = tuple(
        replace(gone, display_name=mask_display_name(plan.shown, gone.display_name)) for gone in deletions
    )
    if plan.is_full_refresh and plan.until is not None:  # each in one run only: files cannot be merged
        reading.deletions = tuple(g for g in reading.deletions if since <= g.deleted_time < plan.until)
    if not plan.is_full_refresh:
        reading.gone = {gone.id: gone.deleted_time for gone in reading.deletions}
        yield records_table(back, plan.columns)


def _take_refusal(reading: ExtractResult, plan: Plan, feed: DeletionList, notes: ExtractNotes) -> None:
    """What a refused list of deletions means: that there is none, or that the module has to be read whole."""
    known = plan.synced
    reading.gap = feed.gap
    read_before = known is not None and known.deletions_read_at is not None
    reading.has_no_deletion_list = has_no_list(plan.module, feed.refusal, read_before=read_before)
    reading.refused = feed.refusal is not None and not reading.has_no_deletion_list
    if reading.gap and not reading.has_no_deletion_list and plan.is_full_refresh:
        notes.remarks.append(f"deleted_records lacks what was deleted since the last run: {reading.gap}")


def _watched(tables: Tables, watch: ProgressCallback, came: Counter[str]) -> Iterator[pa.Table | DiscardRows]:
    for table in tables:
        rows = -table.rows if isinstance(table, DiscardRows) else table.num_rows
        watch.rows(rows)
        came["rows"] += rows
        yield table


def collect(
    tables: Tables, path: Path, columns: tuple[Column, ...], notes: ExtractNotes, key: str | None = "id"
) -> ParquetFile:
    """Write the tables to a file; repeated rows become a note."""
    newest = next((c.name for c in columns if c.api_name == "Modified_Time"), None)
    parquet_file = write_parquet(tables, path, key, newest)
    if parquet_file.repeated:
        notes.repairs["rows that were read twice, the newer one kept"] += parquet_file.repeated
    return parquet_file


def with_deleted_at(tables: Tables) -> Iterator[pa.Table | DiscardRows]:
    """The tables of a module with the column `deleted_at`, which is null: they are records that exist.

    dlt takes a file as it is only if it has all columns of the table; else it writes the rows once more.
    """
    for table in tables:
        yield table if isinstance(table, DiscardRows) else add_deleted_at(table)


def ids_of(reading: ExtractResult) -> frozenset[str]:
    """The ids of the rows in the file."""
    path = require_file(reading).path
    return frozenset(pq.read_table(path, columns=["id"])["id"].to_pylist())


def require_file(reading: ExtractResult) -> ParquetFile:
    """The file of a reading. Raises ExtractError for one that has none."""
    if reading.parquet_file is None:
        raise ExtractError(f"{reading.name}: {reading.error}")
    return reading.parquet_file

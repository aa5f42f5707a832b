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

from . import bulk, coql, left_out, records
from .answers import root_of
from .arrow import records_table
from .client import ZohoClient
from .columns import Column, Kind
from .deleted import Deletion, Feed, after_list, has_no_list, read_deletions
from .door import Usage
from .errors import (
    ApiFailed,
    CredentialsError,
    OtherApi,
    ReadFailed,
    Retriable,
    Unreachable,
    UsedUp,
    ZohoCrmError,
    ZohoError,
    means_not_offered,
)
from .notes import Notes
from .plan import Api, Plan, unknown_types
from .records import read_rows
from .redaction import redact
from .sieve import sift
from .spool import Forget, Spooled, Tables, groups_of, spool, without_rows
from .synced import Synced
from .veils import veiled_name
from .watch import UNWATCHED, Watch
from .windows import CHANGED, CONVERTED, COUNT_LAG, CREATED, synced_after

if TYPE_CHECKING:
    from .rejected_values import RejectedValue

Status = Literal["read", "kept", "skipped", "failed"]
Extract = Callable[[ZohoClient, Plan, Notes], Iterator["pa.Table | Forget"]]

logger = logging.getLogger("zoho_crm")

OTHER_WAYS = (
    "it was asked for by name: ReadAPI=Auto reads by another API where Bulk Read fails, ReadAPI=COQL and"
    " ReadAPI=REST by that one"
)

EXTRACTORS: Mapping[Api, Extract] = {"bulk": bulk.extract, "coql": coql.extract, "records": records.extract}


@dataclass
class Reading:
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
    spooled: Spooled | None = None
    landed: Spooled | None = None  # the file as it lands, where that is another: with what the table keeps
    crm_count: int | None = None
    notes: Notes = field(default_factory=Notes)
    usage: Usage = field(default_factory=Usage)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None
    plan: Plan | None = None
    cause: Exception | None = None
    read_at: datetime | None = None  # by Zoho's clock; of the account's own tables
    key: tuple[str, ...] = ("id",)  # the columns by which a merge knows a row
    part_by: str | None = (
        None  # a part of the table: its rows take the place of those with the same value here
    )
    deletions: tuple[Deletion, ...] = ()  # since the last sync
    gone: dict[str, datetime] = field(default_factory=dict)  # ids whose rows have to leave, and since when
    gap: str | None = None  # why the feed of deletions may not be whole
    feedless: bool = False  # Zoho has no list of deletions of the module: only counts and comparisons tell
    refused: bool = False  # Zoho has one, and refuses it: the module is to be read whole
    synced: Synced | None = None  # what the state is to remember once all of it has landed
    recent: int = 0  # changes of which Zoho's count may not know yet
    answered: set[str] = field(
        default_factory=set
    )  # calls that Zoho has ever answered, of an account's table
    followed: int = 0  # rows that were read later in the same run
    rejected: list[RejectedValue] = field(default_factory=list)  # values that their columns do not hold
    deleted_rows: int = 0  # that left the table, or were marked
    unloadable: bool = False  # the destination refused the rows, and will do so again

    @property
    def rows(self) -> int | None:
        return self.spooled.rows if self.spooled else None

    @property
    def seconds(self) -> float:
        return ((self.finished or self.started) - self.started).total_seconds()

    def fail(self, error: Exception) -> Reading:
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
        return self.end("failed", f"Zoho answered in a form that nobody expected ({told})")

    def refuse(self, error: ZohoCrmError, **known: bool) -> Reading:
        """End with Zoho's refusal: a skip if it means that this table is not offered, else a failure."""
        if means_not_offered(error, **known):
            return self.end("skipped", str(error))
        return self.fail(error)

    def also(self, more: Reading, *, rows: bool = True) -> None:
        """Add what a later reading of the same table brought and cost; if it failed, this one has, too."""
        self.usage.calls += more.usage.calls
        self.usage.credits += more.usage.credits
        self.notes.add(more.notes)
        self.followed += (more.rows or 0) if rows else 0
        self.deleted_rows += more.deleted_rows
        self.deletions += more.deletions
        if more.status == "failed":
            self.cause = more.cause
            self.end("failed", more.error)

    def keep(self, why: str) -> Reading:
        """Leave the table as it is, which is no failure."""
        self.reason = why
        return self.end("kept")

    def end(self, status: Status, error: str | None = None) -> Reading:
        self.status, self.error = status, None if error is None else redact(error)
        self.finished = datetime.now(timezone.utc)
        return self


def read_module(client: ZohoClient, plan: Plan, folder: Path, watch: Watch = UNWATCHED) -> Reading:
    """Read a module by its API, or by the next one if that refuses the module. Raises nothing."""
    reading = Reading(plan.module.api_name, plan.table, plan.api, plan.reason, plan.columns, plan=plan)
    # Of a window these are the changes, and the count knows no filter.
    reading.crm_count = plan.rows if plan.whole and not plan.filters else None
    client = client.metered(reading.usage, watch, reading.name)
    attempts, came = [plan], Counter[str]()
    while True:
        plan = attempts[-1]
        notes = Notes(refusals=reading.notes.refusals, failures=reading.notes.failures)
        others = [api for api in attempts[0].alternatives if api not in {p.api for p in attempts}]
        try:
            # No name for the inner generator: an error that somebody keeps would keep it open.
            tables = _watched(sift(_rows(client, plan, notes, reading), plan, notes), watch, came)
            reading.spooled = collect(tables, folder / f"{plan.table}.parquet", plan.columns, notes)
            if plan.whole or not notes.refused:
                return _finish(reading, plan, notes)
            # Its column is there and filled: rows without it would lose what it holds.
            why = f"{plan.api} refused {', '.join(notes.refused)}"
            if not others:
                return reading.fail(ReadFailed(f"{why}, which the table has"))
        except (ZohoError, OtherApi, Unreachable) as refusal:
            if not _goes_on(reading, plan, refusal, others):
                if reading.status == "read":
                    reading.refuse(
                        refusal, loaded_before=plan.loaded_before, rows_came=_answered(reading, came)
                    )
                return reading
            code = refusal.code if isinstance(refusal, ZohoError) else None
            why = f"{plan.api} refused it: {code}" if code else str(refusal)
        except Exception as error:  # noqa: BLE001 - one module's trouble never ends the others
            _forget_jobs(client, plan, error)
            return reading.fail(error)
        attempts.append(plan.by(others[0], why))
        reading.api, reading.reason = attempts[-1].api, attempts[-1].reason


def _goes_on(
    reading: Reading, plan: Plan, error: ZohoError | OtherApi | Unreachable, others: Sequence[Api]
) -> bool:
    """Whether another API is to read the module. One that was asked for by name, and failed, ends it with a sentence."""
    failed = _has_failed(plan, error)
    if failed:
        reading.notes.failures[plan.api] = str(error)
        if plan.asked:
            reading.fail(ReadFailed(f"{error}; {OTHER_WAYS}"))
            return False
    passing = isinstance(error, (Retriable, CredentialsError, Unreachable)) and not failed
    return bool(others) and not passing


def _has_failed(plan: Plan, error: Exception) -> bool:
    """Whether Bulk Read did its work badly again and again, at a price."""
    if plan.api != "bulk" or isinstance(error, (UsedUp, CredentialsError)):
        return False
    answered = isinstance(error, Unreachable) and root_of(error) is error  # by something else than Zoho
    refused = (answered or isinstance(error, Retriable)) and "/bulk/" in str(error)  # and no call beside
    return refused or isinstance(error, ApiFailed)


def _forget_jobs(client: ZohoClient, plan: Plan, error: Exception) -> None:
    """No later run uses again what an archive has brought, unless it is certain that something else is to blame."""
    if client.door.journal is not None and not isinstance(error, (ZohoCrmError, OSError, MemoryError)):
        client.door.journal.done(plan.module.api_name)


def _answered(reading: Reading, came: Counter[str]) -> bool:
    """Whether Zoho gave something of the module, be it a part of a page: what it refuses then is no skip."""
    return bool(came["rows"]) or reading.usage.credits > 0


def _finish(reading: Reading, plan: Plan, notes: Notes) -> Reading:
    assert reading.spooled is not None
    reading.notes, reading.plan = notes, plan
    if not plan.whole and plan.until is not None:  # an edit may have taken a row out of the filter
        reading.gone.update(dict.fromkeys(notes.outside - reading.gone.keys(), plan.until))
    reading.spooled = without_rows(reading.spooled, {*reading.gone, *notes.outside})
    reading.columns = tuple(c for c in plan.columns if c.name in reading.spooled.schema.names)
    if plan.until is not None:
        came = not (reading.gap or reading.feedless)
        after = synced_after(plan, notes.empty, notes.read_as_of)
        reading.synced = after_list(after, plan, came=came, refused=reading.refused)
        reading.recent = _recent(reading, plan.until - COUNT_LAG)
    notes.remarks += unknown_types(plan)
    if not reading.spooled.rows and (reading.crm_count or 0) > reading.recent + FEW:
        return reading.fail(ReadFailed(shows_none(reading.crm_count or 0)))
    return reading.end("read")


FEW = 10  # records that may have come within the seconds that a list is behind a count


def shows_none(count: int) -> str:
    """An empty answer is no proof of an empty module while Zoho counts records."""
    return f"Zoho counts {count:,} record(s) and shows none of them: nothing is taken away; the next run tries again"


def _recent(reading: Reading, since: datetime) -> int:
    """How many records came, went or were converted since then, as far as they tell: an edit moves no count."""
    recent = sum(gone.deleted_time >= since for gone in reading.deletions)
    kinds = {CHANGED: Kind.TIMESTAMP, CREATED: Kind.TIMESTAMP, CONVERTED: Kind.BOOL}
    own = (c for c in reading.columns if c.veil is None and c.kind is kinds.get(c.api_name))
    names = {column.api_name: column.name for column in own}
    spooled = must_be_read(reading)
    if CHANGED not in names or not spooled.rows:
        return recent
    groups = groups_of(spooled.path, list(names.values()))
    return recent + sum(_moved(group, names, since) for group in groups)


def _moved(rows: pa.Table, names: Mapping[str, str], since: datetime) -> int:
    moved = pc.greater_equal(rows[names[CHANGED]], since)
    if CREATED in names:
        came = pc.greater_equal(rows[names[CREATED]], since)
        converted = pc.and_(moved, rows[names[CONVERTED]]) if CONVERTED in names else pa.scalar(False)
        moved = pc.or_kleene(came, converted)
    return pc.sum(moved).as_py() or 0


def extract(client: ZohoClient, plan: Plan, notes: Notes) -> Iterator[pa.Table | Forget]:
    """The plan's records by its API, and those that this API leaves out."""
    tables = EXTRACTORS[plan.api](client, plan, notes)
    yield from tables if plan.api == "records" else left_out.complete(client, plan, notes, tables)


def _rows(client: ZohoClient, plan: Plan, notes: Notes, reading: Reading) -> Iterator[pa.Table | Forget]:
    yield from extract(client, plan, notes)
    yield from _deletions(client, plan, notes, reading)


def _deletions(client: ZohoClient, plan: Plan, notes: Notes, reading: Reading) -> Iterator[pa.Table]:
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
        plan = plan.without(set(notes.refused))
        back = read_rows(client, plan, ids, notes) if ids and not plan.whole else []
    except ZohoError as error:
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        raise ReadFailed(f"its deletions could not be read: {error}") from error
    alive = {str(row["id"]) for row in back}
    _take_refusal(reading, plan, feed, notes)
    deletions = (gone for gone in feed.deletions if gone.id not in alive)
    reading.deletions = tuple(
        replace(gone, display_name=veiled_name(plan.shown, gone.display_name)) for gone in deletions
    )
    if plan.whole and plan.until is not None:  # each in one run only: files cannot be merged
        reading.deletions = tuple(g for g in reading.deletions if since <= g.deleted_time < plan.until)
    if not plan.whole:
        reading.gone = {gone.id: gone.deleted_time for gone in reading.deletions}
        yield records_table(back, plan.columns)


def _take_refusal(reading: Reading, plan: Plan, feed: Feed, notes: Notes) -> None:
    """What a refused list of deletions means: that there is none, or that the module has to be read whole."""
    known = plan.synced
    reading.gap = feed.gap
    read_before = known is not None and known.deletions_read_at is not None
    reading.feedless = has_no_list(plan.module, feed.refusal, read_before=read_before)
    reading.refused = feed.refusal is not None and not reading.feedless
    if reading.gap and not reading.feedless and plan.whole:
        notes.remarks.append(f"deleted_records lacks what was deleted since the last run: {reading.gap}")


def _watched(tables: Tables, watch: Watch, came: Counter[str]) -> Iterator[pa.Table | Forget]:
    for table in tables:
        rows = -table.rows if isinstance(table, Forget) else table.num_rows
        watch.rows(rows)
        came["rows"] += rows
        yield table


def collect(
    tables: Tables, path: Path, columns: tuple[Column, ...], notes: Notes, key: str | None = "id"
) -> Spooled:
    """Spool the tables; repeated rows become a note."""
    newest = next((c.name for c in columns if c.api_name == "Modified_Time"), None)
    spooled = spool(tables, path, key, newest)
    if spooled.repeated:
        notes.repairs["rows that came twice, the newer kept"] += spooled.repeated
    return spooled


def ids_of(reading: Reading) -> frozenset[str]:
    """The ids of the rows in the file."""
    path = must_be_read(reading).path
    return frozenset(pq.read_table(path, columns=["id"])["id"].to_pylist())


def must_be_read(reading: Reading) -> Spooled:
    """The file of a reading. Raises ReadFailed for one that has none."""
    if reading.spooled is None:
        raise ReadFailed(f"{reading.name}: {reading.error}")
    return reading.spooled

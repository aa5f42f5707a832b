"""Reads a module by Bulk Read, in parts where it has too many rows or fields."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from ... import limits
from ...client.client import ZohoClient
from ...client.page_chain import RowLimit
from ...exceptions import (
    ApiFailed,
    DailyLimitError,
    ExtractError,
    Fatal,
    Retriable,
    ZohoConnectionError,
    ZohoError,
)
from ...models import MODIFIED_TIME, Window
from ...planning.cost import MANY, cost_of_job
from ...planning.plan import Plan, visibility_criteria
from ...transform.arrow_tables import mask_table
from ...transform.column_types import Column
from ...transform.parquet_writer import DiscardRows
from .. import coql
from ..column_batches import ApiCapabilities, Slice, keys_of, read_all_columns, rest_of
from ..notes import ExtractNotes
from .archive import Archive, CorruptArchiveError, MissingColumnsError, read_archive
from .cell_completion import BulkRowCompleter
from .job import Job, JobFailed, Result, fields_per_job, jobs_of_module
from .page_gaps import PageGapDetector


def download(client: ZohoClient, url: str, archive: Archive) -> None:
    """Bring an archive, in place of what an earlier try has left there."""
    if isinstance(archive, BytesIO):
        archive.seek(0)
        archive.truncate()
    client.download(url, archive)


def criteria_of(window: Window, flags: Sequence[str]) -> dict[str, Any] | None:
    """The records of a window, and none hidden because of a flag; None where every record is meant."""
    ends = (("greater_equal", window.since), ("less_than", window.until))
    within = [_is(MODIFIED_TIME, sign, end.isoformat(timespec="seconds")) for sign, end in ends if end]
    criteria = [*within, *(_both(flag) for flag in flags)]
    if len(criteria) > 1:
        return _group("and", criteria)
    return criteria[0] if criteria else None


def _both(flag: str) -> dict[str, Any]:
    """True for every record, yet it names the flag, so that Zoho hides nothing."""
    return _group("or", [_is(flag, "equal", True), _is(flag, "equal", False)])


def _is(name: str, comparator: str, value: Any) -> dict[str, Any]:
    return {"field": {"api_name": name}, "comparator": comparator, "value": value}


def _group(operator: str, criteria: list[dict[str, Any]]) -> dict[str, Any]:
    return {"group_operator": operator, "group": criteria}


JOBS_PER_PAGE = 3  # a job that fails is made again, this often in all
GIVE_UP = 3  # jobs that fail in one run, while none is any good, before other modules make none
FETCHES_PER_JOB = 2  # a damaged archive is fetched again before its job is made again
REFUSED_DOWNLOAD = 60.5  # seconds; somebody else downloads, too, and the minute is the account's
OUR_DOWNLOADS = "archives of other tables are downloaded and unpacked first"
GONE = (400, 404, 410)  # how Zoho refuses a file of yesterday is not documented
UNKNOWN_FIELD = frozenset({"FIELD_NOT_SUPPORTED", "FIELD_NOT_AVAILABLE"})


class StalePageToken(Exception):
    """Zoho refuses the page token of an earlier run's job: the pages have to be read from the first one on."""


WAYS = ApiCapabilities(lambda column: column.in_bulk, coql.is_empty, coql.read_supplement)


def extract(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    """Yield the module in tables; the first may be empty, so that the table exists all the same.

    The first job is made at once. More fields than one job takes are read in slices, and what only the
    Records API has is one slice more.
    """
    _check_health(client, plan)
    readable = replace(plan, columns=tuple(c for c in plan.columns if c.in_bulk))
    some, *others = _cut(readable, limits.BULK_FIELDS_PER_JOB)
    first = _Reader(client, replace(plan, columns=some), notes)
    try:
        cap = first.begin()
        slices: list[Slice] = [(lambda *_: first.tables(), first.plan.columns)]
        slices += [(_extract_slice, columns) for columns in others]
        if cap is not None:
            slices = [
                (_extract_slice, columns) for columns in _cut(readable.drop_fields(set(notes.refused)), cap)
            ]
        yield from read_all_columns(client, plan, notes, slices, WAYS)
    finally:
        first.end()


def _check_health(client: ZohoClient, plan: Plan) -> None:
    """Raises ApiFailed where jobs of other modules have failed in this run and none has brought anything."""
    jobs = client.context.bulk_jobs
    if not plan.asked and plan.alternatives and jobs["failed"] >= GIVE_UP and not jobs["good"]:
        raise ApiFailed(f"Bulk Read has failed {jobs['failed']} times in this run and brought nothing")


def _extract_slice(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    reader = _Reader(client, plan, notes)
    try:
        cap = reader.begin()
        if cap is not None:
            raise ExtractError(f"Bulk Read first took more fields a job, then no more than {cap}")
        yield from reader.tables()
    finally:
        reader.end()


def _cut(plan: Plan, cap: int) -> list[tuple[Column, ...]]:
    """The columns in slices of at most `cap`, each with the keys that join it to the others."""
    if len(plan.columns) <= cap:
        return [plan.columns]
    keys = keys_of(plan)
    rest = rest_of(plan)
    size = max(1, cap - len(keys))
    return [(*keys, *rest[i : i + size]) for i in range(0, len(rest), size)]


class _Reader:
    """Reads one slice of a module's columns, page after page."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: ExtractNotes) -> None:
        self.client, self.plan, self.notes = client, plan, notes
        self.known_jobs = jobs_of_module(client, plan)
        self.resumes = False  # whether the pages are those of an earlier run's jobs
        self.job: Job | None = None  # of the page that comes next
        self.pages = 0
        self.counts: dict[int, int] = {}  # page -> its rows, of those that another one follows
        self.limit = RowLimit(client, plan)
        self.holds_archive_slot = False
        self.settled = False
        self.lacking: dict[frozenset[str], int] = {}  # columns -> which job was the first not to bring them
        self.refused_flags: set[str] = set()  # a module's own: another one may well take them

    def begin(self) -> int | None:
        """Make the first job. Returns the number of fields a job takes if it refuses as many as these."""
        for _ in range(len(self.plan.columns) + 3):
            try:
                self.job = Job(self.client, self._first_body(), self.known_jobs, self._expected_rows())
                return None
            except ZohoError as error:
                cap = fields_per_job(error, len(self.plan.columns))
                if cap is not None and len(self.plan.columns) > 3:
                    return cap
                self._learn(error)
        raise ExtractError(f"Bulk Read refuses every job of {self.plan.module.api_name}")

    def tables(self) -> Iterator[pa.Table | DiscardRows]:
        """All pages, and the records that moved between pages. A row may come twice; the later one holds."""
        with tempfile.TemporaryDirectory(prefix="zoho-bulk-", dir=self.client.context.temp_dir) as folder:
            try:
                yield from self._pages(Path(folder))
            except StalePageToken:
                self._begin_anew()
                yield from self._pages(Path(folder))

    def _pages(self, folder: Path) -> Iterator[pa.Table | DiscardRows]:
        """The next page's job is made before a page is downloaded."""
        gap_detector = PageGapDetector(self.client, self.plan, self.notes)
        row_completer: BulkRowCompleter | None = None
        while self.job is not None:
            gap_detector.begin_page()
            for table in self._page(folder):
                if isinstance(table, DiscardRows):
                    gap_detector.begin_page_anew()
                    yield table
                    continue
                self.settled = True  # the columns: what the first page lacks is not read
                row_completer = row_completer or BulkRowCompleter(self.client, self.plan.raw, self.notes)
                gap_detector.see(table)
                yield mask_table(row_completer.complete_rows(table), self.plan.columns)
            self._release_archive_slot()
            gap_detector.check_last_page(more=self.job is not None)
        yield from gap_detector.find_missing(self._flags())

    def _begin_anew(self) -> None:
        """Make the first job again, with what has come already in place.

        Rows that were deleted since may have come, so `read_as_of` stays as it is.
        """
        assert self.known_jobs is not None
        self.known_jobs.journal.done(self.known_jobs.module)
        self.notes.repairs["Bulk Read started again, because its pages of an earlier run are refused"] += 1
        self.resumes, self.pages, plan = False, 0, self.plan
        if self.begin() is not None or self.plan != plan:
            raise ExtractError("Bulk Read takes fewer fields than in the run before")

    def _expected_rows(self) -> int | None:
        """How many rows the next page should bring, by Zoho's count."""
        if self.plan.rows is None:
            return None
        return min(max(self.plan.rows - sum(self.counts.values()), 0), limits.BULK_ROWS_PER_JOB)

    def end(self) -> None:
        """Give back what other modules wait for, however the reading ended."""
        self._release_archive_slot()
        if self.job is not None:
            self.job.abandon()

    def _page(self, folder: Path) -> Iterator[pa.Table | DiscardRows]:
        """The tables of one page, at least one; afterwards `self.job` is the next page's, or None."""
        job, self.job, self.pages = self.job, None, self.pages + 1
        assert job is not None
        reason = ""
        attempts = self._tries() + bool(job.earlier)
        for attempt in range(attempts):
            if attempt:
                self.notes.repairs[f"Bulk Read jobs made again, {reason}"] += 1
                if self.job is not None:
                    self.job.settle()  # nobody may hold one slot while waiting for another
                with self._watching_tokens():
                    job = job.again()
            self.resumes |= job.earlier is not None
            try:
                result = job.wait()
                if result.next_page_token and self.job is None:
                    self.counts[self.pages] = result.count
                    self.limit.check(sum(self.counts.values()))
                    # The token stands for module, fields and criteria: the body holds nothing else.
                    body = {"query": {"page_token": result.next_page_token}}
                    with self._watching_tokens():
                        self.job = Job(self.client, body, self.known_jobs, self._expected_rows())
                yield from self._fetch(job, result, folder, attempt)
                self.client.context.bulk_jobs["good"] += 1
                self._tell_age(job)
                return
            except JobFailed as failure:
                self._release_archive_slot()
                job.forget()
                self.client.context.bulk_jobs["failed"] += 1
                reason = str(failure)
        times = "once" if attempts == 1 else f"{attempts} times"
        raise ApiFailed(f"Bulk Read failed {times}, the last time because {reason}")

    def _tries(self) -> int:
        """How many jobs may fail: one more is worth its price only where another API costs much more."""
        if self.plan.asked or not self.plan.alternatives:
            return JOBS_PER_PAGE
        instead = self.plan.credits_of(self.plan.alternatives[0])
        rows = MANY if self.plan.rows is None else self.plan.rows
        job = cost_of_job(min(rows, limits.BULK_ROWS_PER_JOB)).credits
        return min(JOBS_PER_PAGE, 1 + instead // (2 * job))

    @contextmanager
    def _watching_tokens(self) -> Iterator[None]:
        try:
            yield
        except ZohoError as error:
            if self.resumes and error.status in GONE and isinstance(error, Fatal):
                raise StalePageToken from error
            raise

    def _tell_age(self, job: Job) -> None:
        if job.earlier is not None:
            self.notes.repairs["Bulk Read jobs of an earlier run used again"] += 1
            self.notes.read_as_of = min(job.earlier, self.notes.read_as_of or job.earlier)

    def _fetch(self, job: Job, result: Result, folder: Path, number: int) -> Iterator[pa.Table | DiscardRows]:
        """Download the archive of a page's nth job and read it, once more if it is damaged. Raises JobFailed."""
        turns = self.client.context.archives
        self.client.waits.wait_for_slot(lambda seconds: turns.acquire(timeout=seconds), OUR_DOWNLOADS)
        self.holds_archive_slot = True
        # What may not be written as it is stays in memory; else it outlives neither its page nor the run.
        archive: Archive = BytesIO() if self.plan.secret else folder / "page.zip"
        reason = ""
        for attempt in range(FETCHES_PER_JOB):
            if attempt:
                self.notes.repairs[f"archives downloaded again, {reason}"] += 1
            try:
                download(self.client, result.download_url, archive)
                yield from self._read(archive, result.count, number)
                return
            except (CorruptArchiveError, ZohoConnectionError) as error:
                reason = str(error)
            except Retriable as error:
                reason = f"the download was refused ({error.code})"
                self._wait_after(error)
            except ZohoError as error:
                if error.status not in GONE:
                    raise
                raise JobFailed(f"the archive is gone ({error.code})") from error
            finally:
                if isinstance(archive, Path):
                    archive.unlink(missing_ok=True)
        raise JobFailed(reason)

    def _wait_after(self, refusal: Retriable) -> None:
        if isinstance(refusal, DailyLimitError):
            raise refusal
        self.client.waits.sleep(REFUSED_DOWNLOAD, f"Zoho allows no download now ({refusal.code})")

    def _read(self, path: Archive, count: int, number: int) -> Iterator[pa.Table | DiscardRows]:
        """The archive, without the columns that an earlier job did not bring either."""
        try:
            yield from self._validated_tables(path, count)
        except MissingColumnsError as error:
            fresh = number > self.lacking.setdefault(error.names, number)
            if not fresh or self.settled or "id" in error.names:
                raise
            self.plan = self.plan.drop_fields(set(error.names))
            self.notes.refused.update(dict.fromkeys(sorted(error.names), "Bulk Read sends no such column"))
            self.notes.refusals.update({("bulk", name): "no such column" for name in error.names})
            yield from self._validated_tables(path, count)

    def _validated_tables(self, path: Archive, count: int) -> Iterator[pa.Table | DiscardRows]:
        """The tables of an archive; if it turns out not to be whole, what has come of it is taken back."""
        rows = 0
        try:
            for table in read_archive(path, self.plan.raw.columns, count):
                rows += table.num_rows
                yield table
        except CorruptArchiveError:
            if rows:
                yield DiscardRows(rows)
            raise

    def _release_archive_slot(self) -> None:
        """Another module may download and unpack now."""
        if self.holds_archive_slot:
            self.holds_archive_slot = False
            self.client.context.archives.release()

    def _first_body(self) -> dict[str, Any]:
        module = {"api_name": self.plan.module.api_name}
        query: dict[str, Any] = {"module": module, "fields": [c.api_name for c in self.plan.columns]}
        criteria = criteria_of(self.plan.window, self._flags())
        if criteria:
            query["criteria"] = criteria
        return {"query": query}

    def _flags(self) -> list[str]:
        return visibility_criteria(self.plan, self.refused_flags)

    def _learn(self, error: ZohoError) -> None:
        """Drop the field that a refusal names, or the flag of the criteria, or raise it again.

        Zoho has many codes for criteria that it does not take, and not all name what is wrong. Without the flag
        converted records may be left out: that is looked at when the rows have come.
        """
        name = str(error.details.get("api_name") or "")
        flags = [name] if name in self._flags() else self._flags()
        if error.code in UNKNOWN_FIELD and name != "id" and self.plan.has(name):
            self.plan = self.plan.drop_fields({name})
            self.notes.refused[name] = f"Bulk Read refuses it ({error.code})"
            self.notes.refusals["bulk", name] = error.code
        elif error.status == 400 and isinstance(error, Fatal) and flags:
            self.refused_flags.update(flags)
            self.notes.converted_unnamed = True
        else:
            raise error

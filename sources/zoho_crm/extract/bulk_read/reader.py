"""Reads a module by Bulk Read, in parts where it has too many rows or fields.

Each job names the next one by a page token, so that a chain of jobs is one after the other. A huge module is cut into
ranges of Created_Time, each with a chain of its own; any other is one range.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
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
from ...models import Window
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
from .job import Job, JobFailed, NoRoom, Result, fields_per_job, jobs_of_module
from .page_gaps import PageGapDetector
from .ranges import ranges_of


def download(client: ZohoClient, url: str, archive: Archive) -> None:
    """Bring an archive, in place of what an earlier try has left there."""
    if isinstance(archive, BytesIO):
        archive.seek(0)
        archive.truncate()
    client.download(url, archive)


def criteria_of(window: Window, flags: Sequence[str]) -> dict[str, Any] | None:
    """The records of a window, and none hidden because of a flag; None where every record is meant."""
    ends = (("greater_equal", window.since), ("less_than", window.until))
    within = [_is(window.field, sign, end.isoformat(timespec="seconds")) for sign, end in ends if end]
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
    """Zoho refuses the page token of an earlier run's job: the range has to be read from its first page on."""


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

    def extract_slice(
        client: ZohoClient, plan: Plan, notes: ExtractNotes
    ) -> Iterator[pa.Table | DiscardRows]:
        yield from _extract_slice(client, plan, notes, first.windows)

    try:
        first.windows = ranges_of(client, plan, notes, first.known_jobs)
        cap = first.begin()
        slices: list[Slice] = [(lambda *_: first.tables(), first.plan.columns)]
        if cap is not None:
            slices, others = [], _cut(readable.drop_fields(set(notes.refused)), cap)
        slices += [(extract_slice, columns) for columns in others]
        yield from read_all_columns(client, plan, notes, slices, WAYS)
    finally:
        first.end()


def _check_health(client: ZohoClient, plan: Plan) -> None:
    """Raises ApiFailed where jobs of other modules have failed in this run and none has brought anything."""
    jobs = client.context.bulk_jobs
    if not plan.asked and plan.alternatives and jobs["failed"] >= GIVE_UP and not jobs["good"]:
        raise ApiFailed(f"Bulk Read has failed {jobs['failed']} times in this run and brought nothing")


def _extract_slice(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, windows: list[Window]
) -> Iterator[pa.Table | DiscardRows]:
    reader = _Reader(client, plan, notes)
    reader.windows = windows
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


@dataclass(eq=False)
class _Range:
    """One range of the module, on its way page after page."""

    window: Window
    body: dict[str, Any]  # what the job of its next page is asked
    gap_detector: PageGapDetector
    job: Job | None = None  # of its next page, as soon as there is room for it in Zoho's queue
    more: bool = False  # whether the latest page has another one behind it
    rows: int = 0  # of the pages that another one follows
    resumes: bool = False  # whether the pages are those of an earlier run's jobs

    @property
    def begun(self) -> bool:
        """Whether a page has named the next one, by a token that stands for module, fields and criteria."""
        return "page_token" in self.body["query"]


class _Reader:
    """Reads one slice of a module's columns: all its ranges, side by side as far as Zoho's queue has room."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: ExtractNotes) -> None:
        self.client, self.plan, self.notes = client, plan, notes
        self.known_jobs = jobs_of_module(client, plan)
        self.windows = [Window()]
        self.under_way = deque[_Range]()
        self.followed = 0  # rows of all pages that another one follows
        self.limit = RowLimit(client, plan)
        self.holds_archive_slot = False
        self.settled = False
        self.joining: ZohoError | None = None  # how Zoho refused the ranges, until a job without them is made
        self.lacking: dict[frozenset[str], int] = {}  # columns -> which job was the first not to bring them
        self.refused_flags: set[str] = set()  # a module's own: another one may well take them

    def begin(self) -> int | None:
        """Make the first job. Returns the number of fields a job takes if it refuses as many as these."""
        for _ in range(len(self.plan.columns) + 4):
            self._begin_ranges()
            try:
                self._make_job(self.under_way[0])
                return None
            except ZohoError as error:
                cap = fields_per_job(error, len(self.plan.columns))
                if cap is not None and len(self.plan.columns) > 3:
                    return cap
                self._learn(error)
        raise ExtractError(f"Bulk Read refuses every job of {self.plan.module.api_name}")

    def _begin_ranges(self) -> None:
        self.under_way, self.followed = deque(map(self._range, self.windows)), 0

    def _range(self, window: Window) -> _Range:
        plan = self.plan if window == Window() else replace(self.plan, window=window)
        gap_detector = PageGapDetector(self.client, plan, self.notes)
        return _Range(window, self._first_body(plan.window), gap_detector)

    def tables(self) -> Iterator[pa.Table | DiscardRows]:
        """All pages, and the records that moved between pages. A row may come twice; the later one holds."""
        completer: BulkRowCompleter | None = None
        with tempfile.TemporaryDirectory(prefix="zoho-bulk-", dir=self.client.context.temp_dir) as folder:
            while self.under_way:
                one = self._next()
                try:
                    for table in self._page(one, Path(folder)):
                        if isinstance(table, DiscardRows):
                            one.gap_detector.begin_page_anew()
                            yield table
                            continue
                        self.settled = True  # the columns: what the first page lacks is not read
                        completer = completer or BulkRowCompleter(self.client, self.plan.raw, self.notes)
                        one.gap_detector.see(table)
                        yield mask_table(completer.complete_rows(table), self.plan.columns)
                except StalePageToken:
                    self._begin_anew(one)
                    continue
                self._release_archive_slot()
                yield from self._go_on(one)

    def _next(self) -> _Range:
        """The range that is read next, with its next page's job; the others' jobs as far as there is room."""
        for one in [*self.under_way]:
            try:
                if one.job is None:
                    self._make_job(one)
            except NoRoom:
                break
            except StalePageToken:
                self._begin_anew(one)
                return self._next()
            except ZohoError as error:
                if one.begun or not self._join_ranges(error):
                    raise
                return self._next()
        return next(one for one in self.under_way if one.job is not None)

    def _make_job(self, one: _Range) -> None:
        """Raises NoRoom where there is no place for it while another range has a job."""
        busy = any(other.job is not None for other in self.under_way)
        with self._watching_tokens(one):
            one.job = Job(self.client, one.body, self.known_jobs, self._expected_rows(one), waits=not busy)
        if self.joining is not None:
            self.notes.remarks.append(
                "read by one Bulk Read job after the other: Zoho refuses ranges of Created_Time"
                f" ({self.joining.code})"
            )
            if self.known_jobs is not None:
                self.known_jobs.keep_boundaries([], self.client.now())
            self.joining = None

    def _begin_anew(self, one: _Range) -> None:
        """Read a range from its first page on, with what has come already in place.

        Rows that were deleted since may have come, so `read_as_of` stays as it is.
        """
        again = self._range(one.window)
        if self.known_jobs is not None:
            self.known_jobs.drop(again.body)
        self.notes.repairs["Bulk Read started again, because its pages of an earlier run are refused"] += 1
        self.under_way[self.under_way.index(one)] = again
        self.followed -= one.rows

    def _join_ranges(self, refusal: ZohoError) -> bool:
        """Whether Zoho may not take the criteria of ranges: then all is read as one, with what has come in place.

        A limit, of the jobs of a day or of the queue, would refuse a job without criteria, too: the next run goes on
        with the same ranges.
        """
        of_criteria = (
            refusal.status == 400 and refusal.code != "LIMIT_EXCEEDED" and isinstance(refusal, Fatal)
        )
        if len(self.windows) == 1 or not of_criteria:
            return False
        self.joining = refusal
        self._abandon_jobs()
        self.windows = [Window()]
        self._begin_ranges()
        return True

    def _go_on(self, one: _Range) -> Iterator[pa.Table]:
        """This range comes again after the others if it has more pages."""
        self.under_way.remove(one)
        one.gap_detector.check_last_page(more=one.more)
        if one.more:
            self.under_way.append(one)
        else:
            yield from one.gap_detector.find_missing(self._flags())

    def _expected_rows(self, one: _Range) -> int | None:
        """How many rows the next page should bring, by Zoho's count."""
        if self.plan.rows is None:
            return None
        return min(max(self.plan.rows // len(self.windows) - one.rows, 0), limits.BULK_ROWS_PER_JOB)

    def end(self) -> None:
        """Give back what other modules wait for, however the reading ended."""
        self._release_archive_slot()
        self._abandon_jobs()

    def _abandon_jobs(self) -> None:
        for one in self.under_way:
            if one.job is not None:
                one.job.abandon()

    def _page(self, one: _Range, folder: Path) -> Iterator[pa.Table | DiscardRows]:
        """The tables of a range's page, at least one; afterwards its body asks for the next page, if there is one."""
        job, one.job, one.more = one.job, None, False
        assert job is not None
        one.gap_detector.begin_page()
        reason = ""
        attempts = self._tries() + bool(job.earlier)
        for attempt in range(attempts):
            if attempt:
                self.notes.repairs[f"Bulk Read jobs made again, {reason}"] += 1
                self._settle_jobs()
                with self._watching_tokens(one):
                    job = job.again()
            one.resumes |= job.earlier is not None
            try:
                result = job.wait()
                if result.next_page_token and not one.more:
                    self._ask_for_more(one, result)
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

    def _ask_for_more(self, one: _Range, result: Result) -> None:
        """Make the next page's job, before this page is downloaded."""
        one.more = True
        one.rows += result.count
        self.followed += result.count
        self.limit.check(self.followed)
        # The token stands for module, fields and criteria: the body holds nothing else.
        one.body = {"query": {"page_token": result.next_page_token}}
        with suppress(NoRoom):
            self._make_job(one)

    def _settle_jobs(self) -> None:
        """Nobody may hold one slot while waiting for another."""
        for one in self.under_way:
            if one.job is not None:
                one.job.settle()

    def _tries(self) -> int:
        """How many jobs may fail: one more is worth its price only where another API costs much more."""
        if self.plan.asked or not self.plan.alternatives:
            return JOBS_PER_PAGE
        instead = self.plan.credits_of(self.plan.alternatives[0])
        rows = MANY if self.plan.rows is None else self.plan.rows
        job = cost_of_job(min(rows, limits.BULK_ROWS_PER_JOB)).credits
        return min(JOBS_PER_PAGE, 1 + instead // (2 * job))

    @contextmanager
    def _watching_tokens(self, one: _Range) -> Iterator[None]:
        try:
            yield
        except ZohoError as error:
            if one.resumes and error.status in GONE and isinstance(error, Fatal):
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

    def _first_body(self, window: Window) -> dict[str, Any]:
        module = {"api_name": self.plan.module.api_name}
        query: dict[str, Any] = {"module": module, "fields": [c.api_name for c in self.plan.columns]}
        criteria = criteria_of(window, self._flags())
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
        of_field = error.code in UNKNOWN_FIELD and name != "id" and self.plan.has(name)
        if not of_field and name not in self._flags() and self._join_ranges(error):
            return
        flags = [name] if name in self._flags() else self._flags()
        if of_field:
            self.plan = self.plan.drop_fields({name})
            self.notes.refused[name] = f"Bulk Read refuses it ({error.code})"
            self.notes.refusals["bulk", name] = error.code
        elif error.status == 400 and isinstance(error, Fatal) and flags:
            self.refused_flags.update(flags)
            self.notes.converted_unnamed = True
        else:
            raise error

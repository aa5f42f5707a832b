"""Calls, credits and time that a reading is expected to take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from .. import limits
from ..models import Api, CoqlPages
from ..transform.column_types import Column

# Measured with a live account: jobs of 28,000 rows x 4 columns took 3.5 s, four at once 3.5, 6.9, 9.1 and
# 12.5 s: about one at a time. Wider rows and other accounts were not measured.
BULK_ROWS_A_SECOND = 8_000
SHORTEST_JOB = 3.5
# Measured with a live account: lists come at about 300 rows a second, in pages of 200.
SECONDS_A_CALL = 0.7
PARALLEL_CALLS = 4  # the threads that read what is not Bulk Read
# A million rows of 40 columns, generated: 137 MB of archives. In JSON a value comes with its name.
CELL_IN_ARCHIVE = 3.5
CELL_IN_JSON = 30
FIRST_POLL = 0.7  # of the time that a job is expected to take
MOST_BEFORE = 5.0  # seconds between the first poll and the expected end
MEASURED_FIRST_POLL = 0.95  # of that time, once a job of this run has shown how fast Zoho is
NEAR_SHARE = 0.05  # of the time waited, up to
NEAR = 1.2  # times the expected time
# Where the end of a long job is expected: between these times the expected time, after so much of the time waited, and
# so many seconds at least.
END, END_SHARE, END_PAUSE = (0.95, 1.1), 0.02, 0.5
SOON = 0.1  # seconds; what is left of a sum of pauses may be too short for a clock to move
POLL_SHARE, SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0, 30.0  # of the time waited; seconds between two polls


@dataclass(frozen=True)
class Estimate:
    """What comes over the line, before any compression of HTTP's, and how long it keeps a thread busy."""

    bytes: int
    seconds: float
    one_at_a_time: bool = False  # whether Zoho works on nothing else of the kind meanwhile


def estimate(api: Api, rows: int, columns: int, calls: int) -> Estimate:
    """The guess for a reading of so many rows and columns that takes so many calls."""
    if api != "bulk":
        return Estimate(rows * columns * CELL_IN_JSON, calls * SECONDS_A_CALL)
    seconds = sum(map(job_seconds, rows_of_jobs(rows)))
    return Estimate(ceil(rows * columns * CELL_IN_ARCHIVE), seconds, one_at_a_time=True)


def rows_of_jobs(rows: int) -> list[int]:
    """The rows that each Bulk Read job of a module brings; there is one at least."""
    full, rest = divmod(rows, limits.BULK_ROWS_PER_JOB)
    return [limits.BULK_ROWS_PER_JOB] * full + ([rest] if rest or not full else [])


COUNTS_PER_RANGE = 8  # at most, to find where it ends


def ranges_of(rows: int | None, most: int) -> int:
    """In how many ranges a module is read by Bulk Read; one where it is not huge, or nobody counts it."""
    return max(1, min(most, (rows or 0) // limits.BULK_ROWS_PER_RANGE))


def _cost_of_ranges(ranges: int) -> Cost:
    """What ranges take more than one chain of jobs: counts for their boundaries, a look for records in none, and a job."""
    if ranges < 2:
        return Cost(0, 0)
    looks = 1 + ranges * COUNTS_PER_RANGE
    return Cost(looks, looks) + cost_of_job(limits.BULK_ROWS_PER_JOB, measured=True)


def job_seconds(rows: int, rows_a_second: float | None = None) -> float:
    """How long Zoho works on one Bulk Read job, at the speed that was measured in this run or, if none was, before."""
    return max(SHORTEST_JOB, rows / (rows_a_second or BULK_ROWS_A_SECOND))


def poll_pause(waited: float, expected: float = 0.0, *, measured: bool = False) -> float:
    """The seconds until a Bulk Read job is asked for again.

    Each poll costs a credit, so none is made before a good part of the expected time has passed. Then the pauses are a
    twentieth of the time waited, where the end is expected a fiftieth, and after that a tenth: then the end is noticed
    5 % too late on average.

    Args:
        waited: seconds since the job was made, or since it was last found waiting in Zoho's queue.
        expected: seconds that it should take; 0 if that is not known.
        measured: whether a job of this run took that long, by its rows.
    """
    long = expected > SHORTEST_JOB  # small jobs tell nothing of the speed, nor it of them
    early = max(FIRST_POLL * expected, expected - MOST_BEFORE)
    first = MEASURED_FIRST_POLL * expected if measured and long else early
    if first - waited > SOON:
        return first - waited
    if long and END[0] * expected <= waited + SOON and waited < END[1] * expected:
        return max(END_PAUSE, END_SHARE * waited)
    share = NEAR_SHARE if waited < NEAR * expected else POLL_SHARE
    return min(max(SHORTEST_PAUSE, share * waited), LONGEST_PAUSE)


def polls_of(seconds: float, expected: float = 0.0, *, measured: bool = False, queued: float = 0.0) -> int:
    """How often a job is asked for that is done after so many seconds; the first time at once.

    `queued` seconds it waited in Zoho's queue: its time is expected anew from each answer that says so.
    """
    polls, waited, begun = 1, 0.0, 0.0
    while waited < seconds:
        waited += poll_pause(waited - begun, expected, measured=measured)
        polls += 1
        if waited < queued:
            begun = waited
    return polls


def together(estimates: Iterable[Estimate]) -> float:
    """The seconds of readings that go on side by side: jobs one after the other, the rest beside them."""
    listed = list(estimates)
    queue = sum(e.seconds for e in listed if e.one_at_a_time)
    others = [e.seconds for e in listed if not e.one_at_a_time]
    return max(queue, sum(others) / PARALLEL_CALLS, *others, 0.0)


# Rows to choose by where Zoho gives no count: so many that it matters.
MANY = 20_000


@dataclass(frozen=True)
class Cost:
    """What a reading is expected to take."""

    calls: int
    credits: int

    def __add__(self, more: Cost) -> Cost:
        return Cost(self.calls + more.calls, self.credits + more.credits)


def cost_of_job(rows: int, *, measured: bool = False) -> Cost:
    """A Bulk Read job that brings so many rows and waits for no other: it is made, polled and downloaded.

    `measured`: after another one, which has shown how fast Zoho is.
    """
    polls = polls_of(job_seconds(rows), job_seconds(rows), measured=measured)
    return Cost(1 + polls + 1, limits.BULK_CREATE_CREDITS + polls + 1)


def cost_of(
    api: Api,
    rows: int,
    columns: tuple[Column, ...],
    coql: CoqlPages = limits.COQL_PAGES,
    ranges: int = 1,
) -> Cost:
    """Calls and credits of reading `rows` whole (API limits, v8), by Bulk Read in so many ranges.

    Jobs are polled for as long as Zoho should work on them. Lists cut rich text, so each record may take a call of
    its own.
    What an API does not bring, another one reads beside: COQL, if it may be asked, or the Records API.
    """
    if api == "records":
        return _cost_of_records(rows, columns)
    if api == "bulk":
        beside = tuple(c for c in columns if not c.likely_in_bulk)
        more = supplement_cost(rows, beside, coql)
        if any(c.in_coql for c in beside):
            more += Cost(1, 1)  # a look whether there are values
        slices = max(1, ceil((len(columns) - len(beside) - 2) / (limits.BULK_FIELDS_PER_JOB - 2)))
        first, *later = rows_of_jobs(rows)
        jobs = sum((cost_of_job(page, measured=True) for page in later), cost_of_job(first))
        return Cost(slices * jobs.calls, slices * jobs.credits) + more + _cost_of_ranges(ranges)
    beside = tuple(c for c in columns if not c.in_coql)
    pages = coql or limits.COQL_PAGES
    return _cost_of_coql(rows, columns, pages) + (_cost_of_records(rows, beside) if beside else Cost(0, 0))


def supplement_cost(rows: int, columns: tuple[Column, ...], coql: CoqlPages) -> Cost:
    """What it takes to read some columns beside Bulk Read, by the cheaper way."""
    if not columns:
        return Cost(0, 0)
    by_records = _cost_of_records(rows, columns)
    by_coql = tuple(c for c in columns if c.in_coql)
    if not coql or not by_coql:
        return by_records
    others = tuple(c for c in columns if not c.in_coql)
    both = _cost_of_coql(rows, by_coql, coql) + (_cost_of_records(rows, others) if others else Cost(0, 0))
    return min(by_records, both, key=lambda cost: cost.credits)


def is_coql_cheaper(rows: int | None, columns: tuple[Column, ...], coql: CoqlPages) -> bool:
    """Whether COQL is the cheaper way to read what it takes of the columns beside Bulk Read."""
    known = MANY if rows is None else rows
    return supplement_cost(known, columns, coql).credits < _cost_of_records(known, columns).credits


def _cost_of_coql(rows: int, columns: tuple[Column, ...], pages: CoqlPages) -> Cost:
    chunks = ceil(len(columns) / limits.COQL_FIELD_CAPS[0])
    calls = chunks * max(1, ceil(rows / pages[-1]))
    looks = chunks + 1  # the first one at each chunk, and at the rows without Modified_Time
    return Cost(calls + looks, calls * limits.coql_credits(coql_page(rows, pages)) + looks)


def _cost_of_records(rows: int, columns: tuple[Column, ...]) -> Cost:
    pages = max(1, ceil(rows / limits.RECORDS_PER_PAGE))
    more_chunks = max(0, ceil((len(columns) - 2) / (limits.FIELDS_PER_CALL - 2)) - 1)
    calls = pages + more_chunks * ceil(rows / limits.IDS_PER_CALL) + (rows if has_rich_text(columns) else 0)
    # Deletions meanwhile move records between pages, so several pages end with a look at them.
    return Cost(calls + 1, calls + 2) if pages > 1 else Cost(calls, calls)


def coql_page(rows: int | None, pages: CoqlPages) -> int:
    """The LIMIT of a page: a smaller one costs fewer credits, and no row if the count was too low."""
    if rows is None:
        return pages[-1]
    return next((size for size in pages if rows <= size), pages[-1])


def has_rich_text(columns: tuple[Column, ...]) -> bool:
    return any(column.field.rich_text for column in columns)


def window_credits_by_api(
    rows: int, columns: tuple[Column, ...], coql: CoqlPages = limits.COQL_PAGES
) -> dict[Api, int]:
    """The credits of reading a window of so many rows, past the first page, by each API.

    COQL looks at no query of a window beforehand, and finds no row without a time in it.
    """
    looks = ceil(len(columns) / limits.COQL_FIELD_CAPS[0]) + 1
    return {
        "records": cost_of("records", rows, columns).credits - 1,
        "coql": cost_of("coql", rows, columns, coql).credits - looks,
        "bulk": cost_of("bulk", rows, columns, coql).credits,
    }

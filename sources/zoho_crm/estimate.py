"""How long a reading should take and how much should come: guesses from what was measured, decided without a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from . import limits
from .plan import Api

# Measured with a live account: jobs of 28,000 rows x 4 columns took 3.5 s, four at once 3.5, 6.9, 9.1 and
# 12.5 s: about one at a time. Wider rows and other accounts were not measured.
BULK_ROWS_A_SECOND = 8_000
SHORTEST_JOB = 3.5
# Measured with a live account: lists come at about 300 rows a second, in pages of 200.
SECONDS_A_CALL = 0.7
CALLS_SIDE_BY_SIDE = 4  # the threads that read what is not Bulk Read
# A million rows of 40 columns, generated: 137 MB of archives. In JSON a value comes with its name.
CELL_IN_ARCHIVE = 3.5
CELL_IN_JSON = 30


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
    full, rest = divmod(rows, limits.BULK_ROWS_PER_JOB)
    jobs = full * job_seconds(limits.BULK_ROWS_PER_JOB) + (job_seconds(rest) if rest or not full else 0)
    return Estimate(ceil(rows * columns * CELL_IN_ARCHIVE), jobs, one_at_a_time=True)


def job_seconds(rows: int) -> float:
    """How long Zoho works on one Bulk Read job."""
    return max(SHORTEST_JOB, rows / BULK_ROWS_A_SECOND)


def together(estimates: Iterable[Estimate]) -> float:
    """The seconds of readings that go on side by side: jobs one after the other, the rest beside them."""
    listed = list(estimates)
    queue = sum(e.seconds for e in listed if e.one_at_a_time)
    others = [e.seconds for e in listed if not e.one_at_a_time]
    return max(queue, sum(others) / CALLS_SIDE_BY_SIDE, *others, 0.0)

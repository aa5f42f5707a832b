"""Cuts a huge module into ranges of Created_Time, so that their Bulk Read jobs need not wait for each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from math import ceil

from ... import limits
from ...client.client import ZohoClient
from ...client.job_journal import ModuleJobs
from ...client.responses import rows_in
from ...exceptions import ZohoError
from ...models import CREATED_TIME, Window
from ...planning.cost import COUNTS_PER_RANGE
from ...planning.plan import Plan, visibility_criteria
from ..coql_query import named, select_query
from ..notes import ExtractNotes
from ..record_count import read_count_of

EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)  # a guess: records before it are in the first range
ROOM = 0.1  # of a job: so many fewer rows a range has than its jobs bring, so that it rarely takes one more


def ranges_of(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, known_jobs: ModuleJobs | None
) -> list[Window]:
    """The ranges in which a module is read: those of the killed run that made jobs for them, else new ones."""
    if plan.api_availability.ranges < 2 or not plan.has_ranges:
        return [Window()]
    boundaries: Sequence[datetime] | None = known_jobs.find_boundaries(client.now()) if known_jobs else None
    if boundaries is None:
        boundaries = _find(client, plan, notes)
        if known_jobs:
            known_jobs.keep_boundaries(boundaries, client.now())
    return split(boundaries)


def split(boundaries: Sequence[datetime]) -> list[Window]:
    """Every time is in exactly one of the ranges: the first has no begin and the last no end."""
    if not boundaries:
        return [Window()]
    ends = [None, *sorted(set(boundaries)), None]
    return [Window(since, until, CREATED_TIME) for since, until in pairwise(ends)]


def find_boundaries(
    count_before: Callable[[datetime], int | None], rows: int, ranges: int, end: datetime
) -> list[datetime]:
    """Times that cut so many rows into about equal ranges, each a little smaller than its jobs; as few as are any good.

    Args:
        count_before: The records that were created before a time, up to ten minutes old; None if nobody tells.
        rows: All of them.
        end: After the last one.
    """
    points = [(int(EARLIEST.timestamp()), 0), (int(end.timestamp()), rows)]
    job = limits.BULK_ROWS_PER_JOB
    jobs, boundaries, counts = ceil(rows / job) + 1, list[datetime](), ranges * COUNTS_PER_RANGE
    for number in range(1, ranges):
        goal = round(job * (round(jobs * number / ranges) - ROOM * number))
        while counts:
            at = bisect_right(points, goal, key=lambda point: point[1])
            (low, before), (high, after) = points[max(at - 1, 0)], points[min(at, len(points) - 1)]
            if min(goal - before, after - goal) <= ROOM * job / 2 or high - low < 2:
                break
            # Where records come evenly the first guess is near; halves are certain to come nearer.
            share = 0.5 if counts % 2 else (goal - before) / (after - before)
            counts -= 1
            middle = min(max(low + round(share * (high - low)), low + 1), high - 1)
            count = count_before(_time(middle))
            if count is None:
                return []
            points.insert(at, (middle, min(max(count, before), after)))
        inner = [point for point in points if 0 < point[1] < rows]
        second, count = min(inner, key=lambda point: abs(point[1] - goal), default=(0, -rows))
        if abs(count - goal) <= rows / ranges / 2 and _time(second) not in boundaries:
            boundaries.append(_time(second))
    return sorted(boundaries)


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, timezone.utc)


def _find(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> list[datetime]:
    if not _all_have_it(client, plan):
        notes.remarks.append(
            "read by one Bulk Read job after the other: COQL does not say that each record has a Created_Time"
        )
        return []

    def count_before(at: datetime) -> int | None:
        criteria = f"({CREATED_TIME}:less_than:{at.isoformat(timespec='seconds')})"
        count = read_count_of(client, plan.module.api_name, criteria, partly=plan.counts_partly)
        return count.records if count else None

    boundaries = find_boundaries(
        count_before, plan.rows or 0, plan.api_availability.ranges, plan.until or client.now()
    )
    if not boundaries:
        notes.remarks.append(
            "read by one Bulk Read job after the other: Zoho does not count its records by Created_Time"
        )
    return boundaries


def _all_have_it(client: ZohoClient, plan: Plan) -> bool:
    """Whether COQL is sure that every record has a Created_Time; one call of one credit."""
    conditions = [f"{CREATED_TIME} is null", *named(visibility_criteria(plan))]
    query = select_query(["id"], plan.module.api_name, conditions, ["id"], 1)
    try:
        return not rows_in(client.post("coql", {"select_query": query}, credits=1), "data")
    except ZohoError:
        return False

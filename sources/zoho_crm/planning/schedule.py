"""When work that is done at intervals is due, given how often runs come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

REMEMBERED = 6  # starts of runs that the state keeps
LEAST_SLACK = 0.1  # of the interval


def is_due(last: datetime | None, every: timedelta, now: datetime, gap: timedelta | None = None) -> bool:
    """Whether the run that starts `now` is to do what was done `last` and is to be done `every` so often.

    `last` and `now` are starts of runs by Zoho's clock, `gap` is the usual time between two starts. Cron is
    never exact: a daily interval under a nightly run is short of a day by seconds or minutes as often as not.
    So it is due when this run is nearer to the time than the next one would be: half a gap before, or a tenth
    of the interval before where that is more or no gap is known. Due, too, are what was never done, and what
    was done in a future that Zoho's clock has taken back.
    """
    if last is None or now < last:
        return True
    slack = max((gap or timedelta()) / 2, every * LEAST_SLACK)
    return now - last >= every - slack


def usual_gap(starts: Sequence[datetime]) -> timedelta | None:
    """The median of the times between these starts of runs; None for fewer than two."""
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sorted(starts))]
    return timedelta(seconds=median(gaps)) if gaps else None


def next_due(
    last: datetime | None, every: timedelta, now: datetime, starts: Sequence[datetime] = ()
) -> datetime:
    """For a person who asks `now`: the time itself if the next run will do it, else when the interval ends."""
    gap = usual_gap(starts)
    coming = max(now, max(starts) + gap) if gap else now
    return now if last is None or is_due(last, every, coming, gap) else last + every

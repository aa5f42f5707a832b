"""When a job is asked for: how late its end is noticed, and how many questions that takes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.client.poll_schedule import LONGEST, Timetable


class Zoho:
    """Works on jobs one after the other, or on several at once; time passes by waiting only."""

    def __init__(self, seconds: Callable[[int], float], at_once: int = 1) -> None:
        self.now, self.seconds, self.at_once = 0.0, seconds, at_once
        self.ends: list[float] = []

    def begin(self, rows: int) -> tuple[float, float]:
        """The start and the end of a job that is made now."""
        busy = sorted(end for end in self.ends if end > self.now)
        start = busy[-self.at_once] if len(busy) >= self.at_once else self.now
        self.ends.append(start + self.seconds(rows))
        return start, self.ends[-1]


def follow(zoho: Zoho, timetable: Timetable, jobs: list[int]) -> list[tuple[float, int]]:
    """Make all jobs now, wait for each; by job how late its end was noticed, and the questions."""
    under_way = [[*zoho.begin(rows), timetable.enter(rows), 0] for rows in jobs]
    found: list[tuple[float, int]] = []
    while under_way:
        job = min(under_way, key=lambda job: timetable.due(job[2]))
        start, end, turn, asked = job
        zoho.now = max(zoho.now, timetable.due(turn))
        job[3] = asked + 1
        if zoho.now >= end:
            timetable.leave(turn, done=True)
            found.append((zoho.now - end, asked + 1))
            under_way.remove(job)
        else:
            timetable.seen(turn, queued=zoho.now < start)
    return found


def test_the_second_job_is_noticed_at_once_by_what_the_first_took():
    zoho = Zoho(lambda rows: 25.0)
    timetable = Timetable(lambda: zoho.now)
    follow(zoho, timetable, [200_000])
    for _ in range(5):
        ((late, asked),) = follow(zoho, timetable, [200_000])
        assert late <= 0.5
        assert asked <= 7
    assert asked <= 2  # the later ones are known to half a second


@given(st.floats(0.01, 600), st.integers(0, 200_000), st.integers(1, 4))
def test_every_job_is_noticed_soon_whatever_it_takes(seconds, rows, at_once):
    """The first is late by an eighth, the others by far less; none is asked for hundreds of times."""
    zoho = Zoho(lambda _: seconds, at_once)
    timetable = Timetable(lambda: zoho.now)
    ((late, asked),) = follow(zoho, timetable, [rows])
    assert late <= max(1.0, min(0.13 * seconds, LONGEST))
    ((later, asked_again),) = follow(zoho, timetable, [rows])
    assert later <= max(0.25, 0.025 * seconds)
    assert asked <= 80
    assert asked_again <= 12 + seconds / LONGEST


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("jobs", [1, 4, 12])
def test_a_queue_is_waited_for_with_few_questions(at_once, jobs):
    zoho = Zoho(lambda rows: 3.5 + rows / 8_000, at_once)
    timetable = Timetable(lambda: zoho.now)
    follow(zoho, timetable, [100_000])
    found = follow(zoho, timetable, [100_000] * jobs)
    assert zoho.now - max(zoho.ends) <= (0.6 if at_once == 1 else 4.0)  # Zoho was seen to take one at a time
    assert sum(asked for _, asked in found) / jobs <= (8 if at_once == 1 else 14)


def test_a_job_that_failed_teaches_nothing():
    timetable = Timetable(lambda: 0.0)
    turn = timetable.enter(10)
    timetable.leave(turn, done=False)
    assert timetable.due(timetable.enter(10)) == 0.0


def test_a_job_that_waits_behind_one_of_ours_is_hardly_asked_for():
    """Nothing is known yet: the first is looked for, the second now and then, the third in a half minute."""
    zoho = Zoho(lambda rows: 25.0)
    timetable = Timetable(lambda: zoho.now)
    asked = [asked for _, asked in follow(zoho, timetable, [200_000] * 3)]
    assert asked[0] <= 25
    assert asked[1] <= 14
    assert asked[2] <= 8


def test_jobs_that_zoho_takes_in_another_order_are_noticed_all_the_same():
    now = 0.0
    timetable = Timetable(lambda: now)
    first, second = timetable.enter(1_000), timetable.enter(1_000)
    timetable.seen(first, queued=True)
    now = timetable.due(second)
    assert now <= 1.0
    timetable.leave(second, done=True)
    assert timetable.due(first) == now  # it may be done as well
    timetable.seen(first, queued=True)
    assert timetable.due(first) > now


def test_a_job_of_an_earlier_run_teaches_nothing_and_waits_for_none():
    now = 0.0
    timetable = Timetable(lambda: now)
    ours, earlier = timetable.enter(1_000, "12"), timetable.enter_earlier(1_000, "9")
    timetable.seen(earlier, queued=False)
    now = timetable.due(earlier)
    assert now <= 1.0
    timetable.leave(earlier, done=True)
    timetable.leave(ours, done=False)
    assert timetable.due(timetable.enter(1_000)) == now

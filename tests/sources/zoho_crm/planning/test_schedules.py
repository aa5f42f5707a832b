"""Daily and weekly work happens as often as it should under the schedules that people give to cron."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.planning.schedule import REMEMBERED, is_due, next_due, usual_gap
from tests.support.commanding import account, command, landed

__all__ = ["account", "command"]  # fixtures

OTHERS = "users,org,roles,profiles,currencies,territories,layouts,pipelines,modules,fields"
FIRST = datetime(2026, 3, 2, 1, 0, tzinfo=timezone.utc)
MINUTE, HOUR, DAY, WEEK = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7))


def jitters(minutes: float, runs: int) -> st.SearchStrategy[list[float]]:
    """Each run as late as chance has it, or all at one end or the other."""
    by_chance = st.integers(0, 10**6).map(Random)
    at_an_end = st.lists(st.sampled_from([-minutes, minutes]), min_size=runs, max_size=runs)
    chosen = by_chance.map(lambda chance: [chance.uniform(-minutes, minutes) for _ in range(runs)])
    return st.one_of(chosen, at_an_end) if runs < 30 else chosen


def done(every: timedelta, between: timedelta, jitter: list[float]) -> tuple[list[datetime], list[int]]:
    """The starts of runs that many minutes off their schedule, and the places of those that did the work."""
    starts = [FIRST + number * between + minutes * MINUTE for number, minutes in enumerate(jitter)]
    last, places = None, []
    for place, start in enumerate(starts):
        if is_due(last, every, start, usual_gap(starts[:place][-REMEMBERED:])):
            last, places = start, [*places, place]
    return starts, places


@given(jitters(20, 15))
def test_daily_work_is_done_every_night(jitter):
    _, places = done(DAY, DAY, jitter)
    assert places == list(range(15))


@given(jitters(20, 22))
def test_weekly_work_is_done_every_seventh_night(jitter):
    _, places = done(WEEK, DAY, jitter)
    assert places == [0, 7, 14, 21]


@given(jitters(8, 120))
def test_daily_work_under_an_hourly_run_is_done_once_a_day(jitter):
    starts, places = done(DAY, HOUR, jitter)
    pauses = [starts[later] - starts[earlier] for earlier, later in pairwise(places)]
    assert len(pauses) == 5
    assert all(0.9 * DAY <= pause <= DAY for pause in pauses)


@given(jitters(3, 400))
def test_hourly_and_daily_work_under_a_run_each_quarter_of_an_hour(jitter):
    _, hourly = done(HOUR, 15 * MINUTE, jitter)
    assert all(later - earlier in (4, 5) for earlier, later in pairwise(hourly))
    _, daily = done(DAY, 15 * MINUTE, jitter)
    assert all(86 <= later - earlier <= 96 for earlier, later in pairwise(daily))
    _, each = done(15 * MINUTE, 15 * MINUTE, jitter)
    assert each[-398:] == list(range(2, 400))  # before, nobody can know how often runs come


@given(jitters(60, 8))
def test_daily_and_weekly_work_is_done_in_every_weekly_run(jitter):
    assert done(DAY, WEEK, jitter)[1] == list(range(8))
    assert done(WEEK, WEEK, jitter)[1] == list(range(8))


@given(jitters(20, 10), st.lists(st.integers(1, 600), max_size=20))
def test_runs_by_hand_in_between_keep_no_night_waiting(jitter, minutes):
    """They make the usual gap look small."""
    nights = [FIRST + number * DAY + late * MINUTE for number, late in enumerate(jitter)]
    by_hand = [nights[4] + 2 * HOUR + minute * MINUTE for minute in minutes]
    starts, last = sorted([*nights, *by_hand]), None
    for place, start in enumerate(starts):
        assert start not in nights or last is None or start - last < 1.55 * DAY
        if is_due(last, DAY, start, usual_gap(starts[:place][-REMEMBERED:])):
            last = start


def test_what_was_never_done_or_was_done_in_the_future_is_due():
    assert is_due(None, DAY, FIRST)
    assert is_due(FIRST + MINUTE, DAY, FIRST)
    assert not is_due(FIRST, DAY, FIRST)


def test_what_a_nightly_run_will_do_is_due_for_whoever_asks_by_day():
    nights = [FIRST + number * DAY for number in range(3)]
    noon = nights[-1] + 11 * HOUR
    assert next_due(nights[-1], DAY, noon, nights) == noon
    assert next_due(nights[-1], WEEK, noon, nights) == nights[-1] + WEEK
    assert next_due(nights[-1], DAY, noon) == nights[-1] + DAY


# ---- by the command


@pytest.fixture
def org():
    org = Org()
    score = Field("Score", "formula", return_type="double")
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), score]))
    for number in range(3):
        org.insert("Deals", {"Deal_Name": f"Deal {number}"})
    org.add_module(Module("Firms", [Field("Name", "text")], generated_type="custom"))
    org.insert("Firms", {"Name": "A firm that never changes"})
    org.clock.advance(hours=1)  # so that later runs do not look back at these
    return org


def test_a_nightly_run_refreshes_counts_and_reads_settings_every_night(org, account, command, tmp_path):
    """Each run starts two seconds less than a day after the one before."""
    ids = [record.id for record in org.records("Deals")]
    for night in range(3):
        org.set_computed("Deals", ids[night % 3], "Score", float(night))
        org.modules["Deals"].tags.clear()
        org.tag("Deals", f"tag {night}")
        run = command("run", "--exclude", OTHERS, "--progress", "off")
        assert run.code == 0, run.err
        file = tmp_path / "zoho.duckdb"
        held = dict(landed(file, "select id, score from zoho_crm.deals"))
        assert held == {record.id: record.values.get("Score") for record in org.records("Deals")}
        assert landed(file, "select name from zoho_crm.tags") == [(f"tag {night}",)]
        org.clock.advance(hours=23, minutes=59, seconds=58)
    counts = "select crm_count from zoho_crm.sync_runs where module = 'Firms' order by started_at"
    assert landed(file, counts) == [(1,)] * 3


@pytest.mark.long
def test_a_module_is_read_whole_after_seven_nights_and_plan_says_so(org, account, command, tmp_path):
    """Seven nights, each two seconds short."""
    assert command("run", "--modules", "Deals", "--progress", "off").code == 0
    org._remove("Deals", org.records("Deals")[0].id, "permanent", shown=False)
    org.insert("Deals", {"Deal_Name": "instead"})  # the count stays as it was
    org.clock.advance(days=7, seconds=-14)
    lines = command("plan", "--modules", "Deals", "--log-format", "json").events
    assert any("every record is read once in a while" in line.get("reason", "") for line in lines), lines
    assert command("run", "--modules", "Deals", "--progress", "off").code == 0
    held = landed(tmp_path / "zoho.duckdb", "select id from zoho_crm.deals")
    assert {id for (id,) in held} == {record.id for record in org.records("Deals")}


@pytest.mark.long
def test_the_tables_of_one_run_are_one_start(org, account, command, tmp_path):
    """A daily refresh under runs 16 hours apart is due after 16 hours: the next one would come 8 hours late."""
    words = ("run", "--modules", "Deals,users,roles,profiles", "--progress", "off")
    for _ in range(3):
        assert command(*words).code == 0
        org.clock.advance(hours=16)
    deal = org.records("Deals")[0].id
    org.set_computed("Deals", deal, "Score", 9.5)
    assert command(*words).code == 0
    assert landed(tmp_path / "zoho.duckdb", f"select score from zoho_crm.deals where id = '{deal}'") == [
        (9.5,)
    ]

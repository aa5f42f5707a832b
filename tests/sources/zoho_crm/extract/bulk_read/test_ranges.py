"""A huge module is read in ranges of Created_Time side by side: no row is lost at their edges, whatever happens meanwhile."""

from __future__ import annotations

import json
from bisect import bisect_left
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from simulators.zoho_crm.faults import Faults
from simulators.zoho_crm.generated import add_generated_module
from sources.zoho_crm import limits
from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.client.job_journal import Journal
from sources.zoho_crm.extract.bulk_read import ranges
from sources.zoho_crm.extract.bulk_read.ranges import find_boundaries, split
from sources.zoho_crm.extract.extractor import read_module
from sources.zoho_crm.planning.cost import COUNTS_PER_RANGE
from tests.sources.zoho_crm.extract.bulk_read.test_reader import (
    BULK,
    CREATE,
    DOWNLOAD,
    bodies,
    lines,
    refusal,
)
from tests.sources.zoho_crm.extract.bulk_read.test_reader_again import answered, read_again, snapshots
from tests.support.commanding import account, command
from tests.support.reading import DAY, after_call, look, read, rows_of
from tests.support.syncing import agrees, sync, tried
from tests.support.truth import truth

__all__ = ["account", "command"]  # fixtures

SECOND = timedelta(seconds=1)
REFUSED = "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED"
seconds = st.integers(946_684_800, 4_102_444_800)  # from 2000 to 2100
times = st.builds(lambda second: datetime.fromtimestamp(second, timezone.utc), seconds)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of four rows, and ranges from ten rows on."""
    monkeypatch.setattr(limits, "BULK_ROWS_PER_JOB", 4)
    monkeypatch.setattr(limits, "BULK_ROWS_PER_RANGE", 10)


@pytest.fixture
def org() -> Org:
    return Org(rules=Rules(bulk_page_size=4))


def add(org: Org, created: list[datetime]) -> list[str]:
    """A module `Things` whose records were created at these times."""
    if "Things" not in org.modules:
        org.add_module(Module("Things", [Field("F0", "text")], generated_type="custom"))
    return [
        org.insert("Things", {"F0": str(n), "Created_Time": at}, modified_time=DAY)
        for n, at in enumerate(created)
    ]


def days(count: int) -> list[datetime]:
    return [DAY + timedelta(days=day) for day in range(count)]


def first_jobs(org: Org) -> list[Any]:
    """The criteria of the jobs that no token stands for."""
    return [body["query"].get("criteria") for body in bodies(org) if "module" in body["query"]]


# ---- the ranges themselves


@given(st.lists(times, max_size=6), times)
def test_every_time_is_in_exactly_one_range(boundaries, at):
    for moment in (at, *boundaries, *(boundary - SECOND for boundary in boundaries)):
        within = [
            window
            for window in split(boundaries)
            if (not window.since or window.since <= moment) and (not window.until or moment < window.until)
        ]
        assert len(within) == 1


@given(
    st.lists(st.integers(0, 2_000_000_000), min_size=20, max_size=300).map(sorted),
    st.integers(2, 6),
    st.sampled_from([None, 0, 10**9]),
)
def test_boundaries_are_few_and_cost_no_more_counts_than_the_plan_says(created, number, always):
    asked: list[datetime] = []

    def count_before(at: datetime) -> int:
        asked.append(at)
        return bisect_left(created, at.timestamp()) if always is None else always

    found = find_boundaries(count_before, len(created), number, datetime(2040, 1, 1, tzinfo=timezone.utc))
    assert found == sorted(set(found))
    assert len(found) < number
    assert len(asked) <= number * COUNTS_PER_RANGE
    if always is not None:
        assert found == []  # whoever always says the same has not understood the question


def test_ranges_of_even_records_are_equal_and_take_one_job_more_at_most(monkeypatch):
    monkeypatch.setattr(limits, "BULK_ROWS_PER_JOB", 200_000)
    rows, begin, end = 9_300_000, DAY - timedelta(days=2_000), DAY

    def count_before(at: datetime) -> int:
        return round(rows * min(max((at - begin) / (end - begin), 0.0), 1.0))

    boundaries = find_boundaries(count_before, rows, 4, end)
    counts = [0, *map(count_before, boundaries), rows]
    sizes = [after - before for before, after in pairwise(counts)]
    assert len(sizes) == 4
    assert max(sizes) < 1.15 * rows / 4
    assert sum(ceil(size / 200_000) for size in sizes) <= ceil(rows / 200_000) + 1


# ---- rows in the destination


@pytest.mark.parametrize("boundary", [17, 5, 33], ids=str)
@pytest.mark.cases(1)
def test_records_on_a_boundary_land_once(load, org, monkeypatch, boundary):
    crowd = [DAY + timedelta(days=17)] * 11  # of one second, more than two jobs bring
    add(org, [*days(17), *crowd, *days(40)[18:]])
    at = DAY + timedelta(days=boundary)
    monkeypatch.setattr(ranges, "find_boundaries", lambda *_: [at, at + SECOND])
    sync(load, settings=BULK)
    agrees(load)
    assert len(first_jobs(org)) == 3


def test_records_far_before_and_after_all_others_land(load, org):
    add(
        org, [datetime(1970, 1, 1, tzinfo=timezone.utc), *days(40), datetime(2090, 1, 1, tzinfo=timezone.utc)]
    )
    sync(load, settings=BULK)
    agrees(load)
    assert len(first_jobs(org)) == 4
    assert "4 ranges of Created_Time side by side" in load.reading("Things").reason


def test_a_record_without_the_time_is_read_as_before(load, org):
    ids = add(org, days(41))
    org.set_computed("Things", ids[20], "Created_Time", None)
    sync(load, settings=BULK)
    agrees(load)
    assert first_jobs(org) == [None]
    assert "COQL does not say that each record has a Created_Time" in lines(load.reading("Things"))


def test_a_module_that_is_not_huge_makes_its_jobs_as_before(load, org):
    add(org, days(19))
    sync(load, settings=BULK)
    agrees(load)
    assert first_jobs(org) == [None]


def test_what_changes_while_it_is_read_is_right_after_the_next_run(load, org):
    ids = add(org, days(40))

    def change(number: int) -> None:
        org.clock.advance(seconds=1)
        org.edit("Things", ids[number], F0="edited")
        org.delete("Things", ids[number + 1])
        org.insert("Things", {"F0": f"new {number}"})
        if number > 6:
            org.restore("Things", ids[number - 5])

    todo = iter(range(0, 38, 6))
    after_call(org, DOWNLOAD, 1, lambda: change(next(todo)), times=6)
    sync(load, settings=BULK)
    assert len(first_jobs(org)) == 4
    landed = load.rows("select count(*) from things")
    org.clock.advance(minutes=30)
    sync(load, settings=BULK)
    agrees(load)
    assert landed != [(0,)]


def test_records_that_move_to_an_earlier_page_of_their_range_are_found(load, org):
    ids = add(org, days(40))

    def go() -> None:
        for id in (ids[0], ids[12], ids[24], ids[36]):
            org.delete("Things", id)

    after_call(org, DOWNLOAD, 1, go)
    reading = read(load, "Things", BULK)
    rows, true = rows_of(reading), truth(org, "Things")
    assert {id: rows.get(id) for id in true} == true
    assert "records found between two pages" in lines(reading)
    assert "read twice" not in lines(reading)  # those of other ranges are not asked for


@pytest.mark.parametrize(("jobs", "told"), [("4", True), ("1", False)])
def test_plan_tells_the_ranges_and_an_option_turns_them_off(
    org, account, command, monkeypatch, tmp_path, jobs, told
):
    monkeypatch.setattr(limits, "BULK_ROWS_PER_JOB", 200_000)
    monkeypatch.setattr(limits, "BULK_ROWS_PER_RANGE", 1_000_000)
    add_generated_module(org, "Large", rows=2_100_000, columns=4, folder=tmp_path)
    done = command("plan", "--modules", "Large", "--bulk-read-jobs", jobs)
    assert done.code == 0
    assert ("2 ranges of Created_Time side by side" in done.out) == told


# ---- Zoho's queue


@pytest.mark.parametrize(("at_once", "most"), [(1, 1.02), (4, 0.4)])
def test_ranges_are_no_slower_where_zoho_works_on_one_job_and_faster_where_on_several(
    load_from, monkeypatch, tmp_path, at_once, most
):
    monkeypatch.setattr(limits, "BULK_ROWS_PER_JOB", 1_000)
    monkeypatch.setattr(limits, "BULK_ROWS_PER_RANGE", 4_000)
    quirks = Quirks(bulk_seconds_per_job=0.1, bulk_rows_per_second=40, bulk_jobs_parallel=at_once)
    org = Org(rules=Rules(bulk_page_size=1_000), quirks=quirks)
    monkeypatch.setattr("sources.zoho_crm.planning.cost.BULK_ROWS_A_SECOND", 40)
    add_generated_module(org, "Large", rows=19_700, columns=4, folder=tmp_path / "archives")
    load = load_from(org)
    client, found = look(load, BULK, only=["Large"])
    (plan,) = found.plans
    assert plan.api_availability.ranges == 4
    begun = org.now()
    reading = read_module(client, plan, load.folder)
    chain = 19_700 / 40  # seconds of the same rows in one job after the other
    assert reading.rows == 19_700, reading.error
    assert (org.now() - begun).total_seconds() <= 1.03 * most * chain
    assert reading.usage.credits <= plan.cost.credits + 20


def test_a_queue_that_takes_one_job_is_no_deadlock(load_from):
    org = Org(rules=Rules(bulk_page_size=4, bulk_jobs_waiting=1))
    add(org, days(40))
    load = load_from(org)
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    assert len(first_jobs(org)) == 4


@pytest.mark.parametrize("nth", [2, 1, 4])
@pytest.mark.cases(1)
def test_where_the_criteria_are_refused_all_is_read_as_one(load, org, nth):
    add(org, days(40))
    org.faults.add(CREATE, nth=nth, times=1, status=400, body=refusal(REFUSED, api_name="Created_Time"))
    sync(load, settings=BULK)
    agrees(load)
    assert first_jobs(org)[-1] is None
    assert f"Zoho refuses ranges of Created_Time ({REFUSED})" in lines(load.reading("Things"))


def test_a_refusal_that_names_nothing_is_tried_without_ranges_first(load, org):
    add(org, days(40))
    org.faults.add(CREATE, times=1, status=400, body=refusal("INVALID_CRITERIA"))
    sync(load, settings=BULK)
    agrees(load)
    assert first_jobs(org) == [None]


# ---- a run that was killed


def test_a_reading_killed_at_any_call_takes_up_the_same_ranges(load, org, tmp_path):
    add(org, days(25))
    org.bulk_states = ["ADDED", "COMPLETED"]
    taken = list(snapshots(load, tmp_path / "journal"))
    whole, early = taken[-1][1], DAY - timedelta(days=900)
    later = {
        org.insert("Things", {"Created_Time": early}) for _ in range(5)
    }  # new boundaries would be others
    for disk, made in taken[::2]:
        reading = read_again(load, disk)
        rows, true = rows_of(reading), truth(org, "Things")
        assert made + len(bodies(org)) <= whole + 2  # no job is made twice, and five rows more may take two
        assert {id: rows.get(id) for id in true.keys() - later} == {
            id: true[id] for id in true.keys() - later
        }
        assert answered(org, DOWNLOAD) >= 7


def test_a_run_that_stopped_is_gone_on_with_and_its_older_rows_are_brought_up_to_date(load, org, monkeypatch):
    ids = add(org, days(40))
    bring, calls = ZohoClient.download, iter(range(99))

    def fails(self: ZohoClient, path: str, target: Any) -> None:
        if next(calls) == 5:
            raise OSError(28, "No space left on device")
        bring(self, path, target)

    monkeypatch.setattr(ZohoClient, "download", fails)
    assert tried(load, "Things", settings=BULK).exit_code == 1
    made = len(bodies(org))
    assert 5 < made < 12
    org.clock.advance(minutes=30)
    for number in range(0, 40, 3):
        org.edit("Things", ids[number], F0="edited")
        org.delete("Things", ids[number + 1 if number < 39 else 38])
    sync(load, settings=BULK)
    agrees(load)
    assert sum("Created_Time" in str(criteria) for criteria in first_jobs(org)) == 4
    assert "Bulk Read jobs of an earlier run used again" in lines(load.reading("Things"))


@pytest.mark.parametrize(("code", "times"), [("LIMIT_EXCEEDED", 1), ("INVALID_CRITERIA", 50)])
def test_a_range_refused_after_pages_of_others_is_gone_on_with_and_no_job_made_twice(load_from, code, times):
    org = Org(rules=Rules(bulk_page_size=4, bulk_jobs_waiting=2))
    add(org, days(40))
    load = load_from(org)
    refused = {"status": 400, "body": refusal(code)}

    def refuse() -> None:
        org.rules.bulk_jobs_waiting = None  # else the job that is no range would find no room
        org.faults.add(CREATE, times=times, **refused)

    after_call(org, DOWNLOAD, 1, refuse)
    org.faults.add("GET /crm/v8/{module}", module="Things", times=99, **refused)
    org.faults.add("POST /crm/v8/coql", nth=2, times=99, **refused)  # the first is about ranges
    assert tried(load, "Things", settings=BULK).exit_code == 1
    assert answered(org, DOWNLOAD) > 0
    assert "Zoho refuses ranges" not in lines(load.reading("Things"))
    org.faults = Faults()
    org.clock.advance(minutes=30)
    sync(load, settings=BULK)
    agrees(load)
    made = [json.dumps(body) for body in bodies(org)]
    assert len(made) == len({*made})
    assert len(first_jobs(org)) == 4


def test_a_range_whose_token_is_refused_is_read_from_its_first_page(load, org, tmp_path):
    ids = add(org, days(25))
    folder = tmp_path / "journal"
    read_again(load, folder)
    journal = Journal(folder)
    entries = [json.loads(line) for line in (folder / "jobs.jsonl").read_text().splitlines()]
    assert sum("boundaries" in entry for entry in entries) == 1
    org.page_tokens.clear()  # the tokens of that run, of whose jobs some are lost
    lost = [e for e in entries if "boundaries" not in e][-2:]
    for entry in lost:
        journal.drop(entry["key"])
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert "Bulk Read started again" in lines(reading)
    assert len(ids) == 25

"""Many modules at once by Bulk Read: places in Zoho's queue, downloads a minute, and what a failure gives back."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from simulators.zoho_crm.generated import add_generated_module
from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.client.throttling import JobLimiter
from sources.zoho_crm.extract.bulk_read.job import Job
from sources.zoho_crm.extract.extractor import ExtractResult, read_module
from sources.zoho_crm.planning.cost import polls_of
from sources.zoho_crm.planning.plan import Plan
from tests.support.reading import look, read, rows_of, things
from tests.support.truth import truth

BULK = "ReadAPI=Bulk"
CREATE = "POST /crm/bulk/v8/read"
POLL = "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"


def add_modules(org: Org, count: int, rows: int = 3) -> list[str]:
    names = [f"M{number}" for number in range(count)]
    for name in names:
        org.add_module(Module(name, [Field("Name", "text")], generated_type="custom"))
        for row in range(rows):
            org.insert(name, {"Name": f"{name}/{row}"})
    return names


def read_all(load, names: list[str], slots: int | None = None) -> dict[str, ExtractResult]:
    """All modules side by side, each in a thread; fails instead of hanging."""
    client, found = look(load, BULK, only=names)
    if slots is not None:
        client.context.jobs = JobLimiter(slots)
    readings: dict[str, ExtractResult] = {}

    def read_one(client: ZohoClient, plan: Plan) -> None:
        readings[plan.module.api_name] = read_module(client, plan, load.folder)

    threads = [threading.Thread(target=read_one, args=(client, p), daemon=True) for p in found.plans]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 300
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    assert set(readings) == set(names), "some modules wait for ever"
    return readings


def most_at_once(org: Org) -> int:
    """The most jobs that Zoho had under way when it took one more, by the order of its answers."""
    calls = org.ledger.calls()
    told_done = {call.path: at for at, call in enumerate(calls) if call.route == POLL}  # by the last question
    under_way, most = 0, 0
    for at, call in enumerate(calls):
        if call.route == CREATE and call.status == 201:
            under_way += 1
        elif told_done.get(call.path) == at:
            under_way -= 1
        most = max(most, under_way)
    return most


def test_ten_modules_share_a_queue_that_takes_two(load_from):
    org = Org(rules=Rules(bulk_jobs_waiting=2, bulk_page_size=2))
    names = add_modules(org, 10)
    load = load_from(org)
    readings = read_all(load, names)
    for name in names:
        assert rows_of(readings[name]) == truth(org, name), readings[name].error


def test_after_refusals_a_place_more_is_tried_again_and_all_modules_come(load_from):
    org = Org(rules=Rules(bulk_jobs_waiting=1))
    names = add_modules(org, 6)
    load = load_from(org)
    readings = read_all(load, names)
    assert {reading.status for reading in readings.values()} == {"read"}
    assert most_at_once(org) <= 2  # one that waits, one that Zoho works on


def places(slots: JobLimiter) -> int:
    """How many can be taken without waiting; gives them back."""
    taken = 0
    while slots._taken < slots._limit:
        slots.acquire()
        taken += 1
    for _ in range(taken):
        slots.release()
    return taken


def refuse(slots: JobLimiter, under_way: int) -> bool:
    """One more than those under way is asked for, and refused."""
    for _ in range(under_way + 1):
        slots.acquire()
    ours = slots.shrink()
    for _ in range(under_way):
        slots.release()
    return ours


def test_one_refusal_does_not_last_for_the_whole_run():
    slots = JobLimiter(4)
    assert refuse(slots, 1)
    found = [places(slots)]
    for _ in range(5):
        slots.grow()
        found.append(places(slots))
    assert found == [1, 2, 3, 4, 4, 4]


def test_refusals_that_come_back_are_asked_for_less_and_less_often():
    slots = JobLimiter(10)
    needed = []
    for _ in range(8):
        assert refuse(slots, 1)
        assert places(slots) == 1
        accepted = 0
        while places(slots) == 1:
            slots.grow()
            accepted += 1
        needed.append(accepted)
    assert needed == [1, 2, 4, 8, 16, 32, 64, 64]


def test_many_refusals_at_once_count_as_one():
    slots = JobLimiter(10)
    for _ in range(8):
        slots.acquire()
    for _ in range(7):
        slots.shrink()
    slots.grow()
    assert places(slots) == 1  # beside the one under way


def test_a_queue_full_of_others_jobs_leaves_one_place():
    slots = JobLimiter(3)
    assert not refuse(slots, 0)
    assert places(slots) == 1


def test_a_page_that_is_made_again_does_not_wait_for_its_own_next_page(load_from):
    org = Org(rules=Rules(bulk_page_size=2))
    names = add_modules(org, 2, rows=5)
    load = load_from(org)
    org.faults.add(DOWNLOAD, times=4, corrupt_zip="truncated")
    readings = read_all(load, names, slots=1)
    for name in names:
        assert rows_of(readings[name]) == truth(org, name), readings[name].error
    assert org.faults.unspent() == []


def test_failures_give_their_places_back(load_from):
    org = Org(rules=Rules(bulk_page_size=2))
    names = add_modules(org, 4)
    load = load_from(org)
    load.retry_policy = {"job_deadline": 30.0}
    org.faults.add(CREATE, times=6, job_states=["FAILURE"])
    readings = read_all(load, names, slots=1)
    whole = [name for name, reading in readings.items() if reading.status == "read"]
    assert len(whole) >= 2
    for name in whole:
        assert rows_of(readings[name]) == truth(org, name)


def test_a_full_disk_under_one_module_gives_its_places_back(load_from):
    org = Org(rules=Rules(bulk_page_size=2))
    names = add_modules(org, 5)
    load = load_from(org)
    for name in names[:3]:  # no file can be made where a folder is
        (load.folder / f"{name.lower()}.0.part").mkdir()
    readings = read_all(load, names, slots=1)
    assert [readings[name].status for name in names] == ["failed"] * 3 + ["read"] * 2


def test_a_job_under_way_is_asked_for_when_it_may_be_done_and_then_after_a_tenth_of_the_time(load_from):
    org = Org(quirks=Quirks(bulk_seconds_per_job=60.0))
    things(org, 3)
    load = load_from(org)
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    (made,) = [job.created for job in org.jobs.values()]
    polls = [(call.at - made).total_seconds() for call in org.ledger.calls(POLL)]
    assert len(polls) == pytest.approx(polls_of(60, expected=3.5), abs=1)
    first, *pauses = [later - earlier for earlier, later in pairwise(polls)]
    assert first == pytest.approx(0.7 * 3.5, abs=0.2)
    assert pauses == [pytest.approx(max(1.0, at / 10), abs=0.2) for at in polls[1:-1]]
    assert 60 <= polls[-1] <= 66


@pytest.mark.parametrize("rows_a_second", [2_000, 8_000, 40_000])
def test_a_job_that_has_ended_tells_when_the_next_one_will(load_from, tmp_path, rows_a_second):
    """Whatever an account's speed: after some jobs few polls are made, and hardly any time is lost."""
    org = Org(quirks=Quirks(bulk_seconds_per_job=0.1, bulk_rows_per_second=rows_a_second))
    add_generated_module(org, "Large", rows=200_000, columns=5, folder=tmp_path)
    client = load_from(org).client()
    body = {"query": {"module": {"api_name": "Large"}, "fields": ["id"]}}
    monotonic, ends = client.context.retry_policy.monotonic, []
    for _ in range(12):
        assert Job(client, body, rows=200_000).wait().count == 200_000
        ends.append((monotonic(), len(org.ledger.calls(POLL))))
    (before, polls_before), (end, polls) = ends[5], ends[-1]
    assert end - before <= 1.1 * 6 * 200_000 / rows_a_second
    assert polls - polls_before <= 6 * 6


@pytest.mark.parametrize(("parallel", "made"), [(1, 2), (1, 3), (1, 4), (2, 3), (4, 4)])
def test_a_job_that_waits_in_zohos_queue_is_polled_when_it_may_be_done(load_from, tmp_path, parallel, made):
    """However many jobs an account works on at once."""
    org = Org(
        quirks=Quirks(bulk_seconds_per_job=3.5, bulk_rows_per_second=8_000, bulk_jobs_parallel=parallel)
    )
    add_generated_module(org, "Large", rows=200_000, columns=5, folder=tmp_path)
    client = load_from(org).client()
    body = {"query": {"module": {"api_name": "Large"}, "fields": ["id"]}}
    Job(client, body, rows=200_000).wait()  # shows how fast this account is
    began, jobs = org.now(), [Job(client, body, rows=200_000) for _ in range(made)]
    polls = len(org.ledger.calls(POLL))
    jobs[-1].wait()
    done = org.jobs[jobs[-1].id].span[1]
    assert (org.now() - done).total_seconds() <= 0.05 * (done - began).total_seconds()
    assert len(org.ledger.calls(POLL)) - polls <= 14


def test_a_queue_full_of_others_jobs_is_waited_for(load, org):
    things(org, 3)
    org.faults.add(CREATE, times=12, status=429)  # the client tries six times, twice over
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    assert org.faults.unspent() == []


def test_a_queue_that_stays_full_fails_the_module_with_zohos_words(load, org):
    things(org, 3)
    org.faults.add(CREATE, times=99, status=429)
    reading = read(load, "Things", BULK)
    assert reading.status == "failed"
    assert "429 TOO_MANY_REQUESTS POST /crm/bulk/v8/read" in reading.error


def test_an_error_of_the_server_does_not_shrink_the_queue(load_from):
    org = Org()
    names = add_modules(org, 2)
    load = load_from(org)
    client, found = look(load, BULK, only=names)
    org.faults.add(CREATE, times=2, status=500)
    failed, whole = (read_module(client, plan, load.folder) for plan in found.plans)
    assert "500 INTERNAL_ERROR POST /crm/bulk/v8/read" in failed.error
    assert whole.status == "read"


def test_the_eleventh_download_of_a_minute_waits(load_from):
    org = Org(rules=Rules(bulk_page_size=1))
    things(org, 12)
    load = load_from(org)
    start = org.clock.now()
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    assert [call.status for call in org.ledger.calls(DOWNLOAD)] == [200] * 12
    assert (org.clock.now() - start).total_seconds() >= 60


@pytest.mark.parametrize("modules", [12])
def test_downloads_of_many_modules_share_the_minute(load_from, modules):
    org = Org()
    names = add_modules(org, modules, rows=1)
    load = load_from(org)
    readings = read_all(load, names)
    assert {reading.status for reading in readings.values()} == {"read"}
    assert {call.status for call in org.ledger.calls(DOWNLOAD)} == {200}

"""Bulk Read jobs that take their time, fail, get lost, and files that expire or are spoilt."""

from __future__ import annotations

import zipfile
from typing import Any

import pytest

from simulators.zoho_crm import Org, Quirks, Rules
from tests.simulators.zoho_crm.calling import BULK, call, create, finish, job_of, poll, read_archive
from tests.simulators.zoho_crm.leads import leads_org

RESULT = f"GET {BULK}/{{job_id}}/result"


@pytest.fixture
def org() -> Org:
    return leads_org()


def states(org: Org, job: str, polls: int) -> list[str]:
    return [poll(org, job)["state"] for _ in range(polls)]


def result(org: Org, job: str) -> Any:
    return call(org, "GET", f"{BULK}/{job}/result")


def test_the_states_are_the_orgs_choice(org: Org) -> None:
    org.bulk_states = ["COMPLETED"]
    assert states(org, job_of(org, "Leads"), 1) == ["COMPLETED"]


def test_one_job_may_fail_and_says_so_in_its_result(org: Org) -> None:
    org.faults.add(f"POST {BULK}", job_states=["IN PROGRESS", "FAILURE"])
    failing, good = job_of(org, "Leads"), job_of(org, "Leads")
    assert states(org, failing, 3) == ["IN PROGRESS", "FAILURE", "FAILURE"]
    error = poll(org, failing)["result"]["error_message"]
    assert (error["status"], error["code"]) == ("error", "INTERNAL_SERVER_ERROR")
    assert result(org, failing).status == 404
    assert finish(org, good)["state"] == "COMPLETED"


def test_a_job_may_get_lost(org: Org) -> None:
    org.faults.add(f"POST {BULK}", job_states=["ADDED", "LOST"])
    job = job_of(org, "Leads")
    assert states(org, job, 1) == ["ADDED"]
    for _ in range(2):
        lost = call(org, "GET", f"{BULK}/{job}")
        assert (lost.status, lost.code) == (404, "RESOURCE_NOT_FOUND")
    assert result(org, job).status == 404


@pytest.mark.parametrize("state", ["QUEUED", "PAUSED"])
def test_a_job_may_be_stuck_in_a_known_or_an_unknown_state(org: Org, state: str) -> None:
    org.faults.add(f"POST {BULK}", job_states=[state])
    assert states(org, job_of(org, "Leads"), 3) == [state] * 3


def test_an_unknown_job_is_not_found(org: Org) -> None:
    assert call(org, "GET", f"{BULK}/123").code == "RESOURCE_NOT_FOUND"
    assert result(org, "123").code == "RESOURCE_NOT_FOUND"


def test_a_file_is_there_only_when_the_job_is_done(org: Org) -> None:
    job = job_of(org, "Leads")
    assert result(org, job).status == 404
    finish(org, job)
    assert result(org, job).status == 200


def test_the_queue_may_be_full(org: Org) -> None:
    org.rules = Rules(bulk_jobs_waiting=2)
    first, _ = job_of(org, "Leads"), job_of(org, "Leads")
    full = create(org, "Leads")
    assert (full.status, full.code) == (429, "TOO_MANY_REQUESTS")
    finish(org, first)
    assert create(org, "Leads").status == 201


def test_by_the_clock_jobs_run_one_at_a_time(org: Org) -> None:
    org.quirks = Quirks(bulk_seconds_per_job=3.5)
    first, second = job_of(org, "Leads"), job_of(org, "Accounts")
    assert states(org, first, 2) == ["IN PROGRESS", "IN PROGRESS"]
    assert states(org, second, 1) == ["QUEUED"]
    org.clock.advance(3.5)
    assert states(org, first, 1) == ["COMPLETED"]
    assert states(org, second, 1) == ["IN PROGRESS"]
    org.clock.advance(3.5)
    assert states(org, second, 1) == ["COMPLETED"]


def test_by_the_clock_as_many_jobs_run_at_once_as_the_org_allows(org: Org) -> None:
    org.quirks = Quirks(bulk_seconds_per_job=3.5, bulk_jobs_parallel=2)
    jobs = [job_of(org, "Leads") for _ in range(3)]
    assert [poll(org, job)["state"] for job in jobs] == ["IN PROGRESS", "IN PROGRESS", "QUEUED"]


def test_by_the_clock_more_rows_take_longer(org: Org) -> None:
    org.quirks = Quirks(bulk_seconds_per_job=1, bulk_rows_per_second=0.5)
    job = job_of(org, "Leads")  # five rows: ten seconds
    org.clock.advance(9)
    assert states(org, job, 1) == ["IN PROGRESS"]
    org.clock.advance(1)
    assert states(org, job, 1) == ["COMPLETED"]


def test_an_eleventh_download_in_a_minute_is_429(org: Org) -> None:
    job = job_of(org, "Leads")
    finish(org, job)
    assert [result(org, job).status for _ in range(11)] == [200] * 10 + [429]
    org.clock.advance(59)
    assert result(org, job).code == "TOO_MANY_REQUESTS"
    org.clock.advance(1)
    assert result(org, job).status == 200


def test_a_file_lives_24_hours(org: Org) -> None:
    job = job_of(org, "Leads")
    finish(org, job)
    org.clock.advance(hours=23)
    assert result(org, job).status == 200
    org.clock.advance(hours=1)
    assert (result(org, job).status, result(org, job).code) == (404, "RESOURCE_NOT_FOUND")


def test_an_archive_may_be_spoilt(org: Org) -> None:
    job = job_of(org, "Leads", fields=["Last_Name", "Stage"])
    finish(org, job)
    good = read_archive(result(org, job).raw)
    for how in (
        "truncated",
        "not_zip",
        "two_members",
        "missing_row",
        "extra_row",
        "foreign_rows",
        "missing_column",
    ):
        org.faults.add(RESULT, corrupt_zip=how)
    for _ in range(2):
        with pytest.raises(zipfile.BadZipFile):
            read_archive(result(org, job).raw)
    with pytest.raises(ValueError, match="too many values"):
        read_archive(result(org, job).raw)
    assert read_archive(result(org, job).raw) == good[:-1]
    assert read_archive(result(org, job).raw) == [*good, good[-1]]
    foreign = read_archive(result(org, job).raw)
    assert [row["Id"] for row in foreign] == ["9" + row["Id"] for row in good[1:]]
    assert list(read_archive(result(org, job).raw)[0]) == ["Id", "Last_Name"]
    assert read_archive(result(org, job).raw) == good
    assert org.faults.unspent() == []


def test_a_file_without_rows_cannot_miss_one(org: Org) -> None:
    nobody = {"field": {"api_name": "Stage"}, "comparator": "equal", "value": "Lost"}
    job = job_of(org, "Leads", criteria=nobody)
    assert finish(org, job)["result"]["count"] == 0
    assert read_archive(result(org, job).raw) == []
    org.faults.add(RESULT, corrupt_zip="missing_row")
    with pytest.raises(ValueError, match="needs a file with rows"):
        result(org, job)


def test_a_fault_may_strike_one_module_only(org: Org) -> None:
    org.faults.add(f"POST {BULK}", module="Accounts", job_states=["FAILURE"])
    org.faults.add(f"GET {BULK}/{{job_id}}", module="Leads", status=502)
    org.faults.add(RESULT, module="Leads", corrupt_zip="not_zip")
    leads, accounts = job_of(org, "Leads"), job_of(org, "Accounts")
    assert finish(org, accounts)["state"] == "FAILURE"
    assert call(org, "GET", f"{BULK}/{leads}").status == 502
    finish(org, leads)
    assert result(org, leads).raw.startswith(b"<html>")
    assert org.faults.unspent() == []


def test_a_fault_of_a_module_strikes_its_later_pages_too(org: Org) -> None:
    org.rules = Rules(bulk_page_size=3)
    token = finish(org, job_of(org, "Leads"))["result"]["next_page_token"]
    org.faults.add(f"POST {BULK}", module="Leads", status=500)
    assert create(org, "Accounts").status == 201
    assert create(org, page_token=token).status == 500

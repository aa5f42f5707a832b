"""Jobs that fail and archives that are spoilt: made again, fetched again, and never a wrong row."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Rules
from sources.zoho_crm.extract.extractor import OTHER_WAYS
from tests.sources.zoho_crm.extract.bulk_read.test_reader import (
    BULK,
    CREATE,
    DOWNLOAD,
    POLL,
    QUERY,
    assert_true,
    bodies,
    lines,
)
from tests.support.reading import read, rows_of, things
from tests.support.truth import landed, truth


@pytest.fixture
def org() -> Org:
    return Org(rules=Rules(bulk_page_size=4))


# ---- jobs


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["ADDED", "FAILURE"], "a job ended as FAILURE: Internal server error occurred"),
        (["ADDED", "SUSPENDED"], "a job ended as SUSPENDED: no reason given"),
        (["QUEUED", "LOST"], "Zoho no longer knows a job that it took"),
        (["QUEUED"], "a job was still QUEUED after 60 seconds"),
    ],
    ids=["FAILURE", "unknown", "lost", "stuck"],
)
class TestAJobThatBringsNothing:
    def test_is_made_again(self, load, org, states, words):
        things(org, 9)
        load.retry_policy = {"job_deadline": 60.0}
        org.faults.add(CREATE, nth=2, job_states=states)  # the second page's
        reading = read(load, "Things", BULK)
        assert_true(reading, org)
        assert f"Bulk Read jobs made again, {words}: 1" in lines(reading)
        assert len(bodies(org)) == 4
        # Four jobs are paid, also the one that brought nothing; the rest are polls, downloads, checks, and a list.
        routes = (POLL, DOWNLOAD, QUERY, "GET /crm/v8/{module}")
        others = [c for c in org.ledger.calls() if c.route in routes and c.status < 300]
        assert reading.usage.credits == 4 * 50 + len(others)

    def test_fails_its_module_after_three(self, load, org, states, words):
        things(org, 3)
        load.retry_policy = {"job_deadline": 60.0}
        org.faults.add(CREATE, times=3, job_states=states)
        reading = read(load, "Things", BULK)
        assert reading.status == "failed"
        assert reading.error == f"Bulk Read failed 3 times, the last time because {words}; {OTHER_WAYS}"
        assert len(bodies(org)) == 3


@pytest.mark.long
def test_a_module_that_fails_leaves_the_others_alone(load, org):
    things(org, 3)
    org.faults.add(CREATE, times=5, job_states=["FAILURE"])  # three for one of them, two for the other
    org.add_module(Module("Others", [Field("Name", "text")], generated_type="custom"))
    org.insert("Others", {"Name": "x"})
    run = load(BULK, only=["Things", "Others"])
    assert run.exit_code == 1
    bad = {r.name: r.error for r in run.readings if r.status == "failed"}
    assert len(bad) == 1
    for name in {"Things", "Others"} - set(bad):
        assert landed(load, name.lower()) == truth(org, name)
    assert dict(load.rows("select module, error from sync_runs where status = 'failed'")) == bad
    assert load(BULK, only=["Things", "Others"]).exit_code == 0
    for name in ("Things", "Others"):
        assert landed(load, name.lower()) == truth(org, name)


# ---- archives


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"corrupt_zip": "truncated"}, "the archive is damaged (BadZipFile)"),
        ({"corrupt_zip": "not_zip"}, "the archive is damaged (BadZipFile)"),
        ({"corrupt_zip": "two_members"}, "the archive has 2 members instead of one"),
        ({"corrupt_zip": "missing_row"}, "the archive has 3 rows where the job counted 4"),
        ({"corrupt_zip": "extra_row"}, "the archive has 5 rows where the job counted 4"),
        ({"corrupt_zip": "foreign_rows"}, "the archive has 3 rows where the job counted 4"),
        ({"corrupt_zip": "missing_column"}, "the archive lacks the column(s) F0"),
        ({"cut_after": 200}, "the download GET /crm/bulk/v8/read/"),
        ({"cut_after": 0}, "the download GET /crm/bulk/v8/read/"),
        ({"empty": True}, "the archive is damaged (BadZipFile)"),
        ({"html": True, "status": 200}, "the archive is damaged (BadZipFile)"),
    ],
    ids=lambda case: next(iter(case.values())) if isinstance(case, dict) else "",
)
class TestASpoiltArchive:
    def test_is_fetched_again(self, load, org, fault, words):
        things(org, 9)
        org.faults.add(DOWNLOAD, **fault)
        reading = read(load, "Things", BULK)
        assert_true(reading, org)
        assert f"archives downloaded again, {words}" in lines(reading)
        assert len(bodies(org)) == 3

    def test_is_made_again_when_it_stays_spoilt(self, load, org, fault, words):
        things(org, 9)
        org.faults.add(DOWNLOAD, times=2, **fault)
        reading = read(load, "Things", BULK)
        assert_true(reading, org)
        assert f"Bulk Read jobs made again, {words}" in lines(reading)
        assert len(bodies(org)) == 4


def test_an_archive_that_is_never_whole_fails_its_module_and_lands_no_row(load, org):
    things(org, 9)
    org.faults.add(DOWNLOAD, times=6, corrupt_zip="missing_row")
    reading = read(load, "Things", BULK)
    assert reading.status == "failed"
    assert reading.error == (
        "Bulk Read failed 3 times, the last time because the archive has 3 rows where the job counted 4;"
        f" {OTHER_WAYS}"
    )
    assert org.faults.unspent() == []


def test_a_column_that_two_jobs_do_not_bring_comes_by_the_records_api(load, org):
    things(org, 9)
    org.faults.add(DOWNLOAD, times=99, corrupt_zip="missing_column")
    reading = read(load, "Things", BULK)
    assert (rows_of(reading), reading.api) == (truth(org, "Things"), "bulk")
    assert "field F0 came by the Records API: Bulk Read sends no such column" in lines(reading)
    assert len(bodies(org)) == 4  # of three pages; the first one's job was made again


def test_a_column_that_only_a_later_page_lacks_is_never_half_a_column(load, org):
    things(org, 9)
    org.faults.add(DOWNLOAD, nth=2, times=99, corrupt_zip="missing_column")
    reading = read(load, "Things", BULK)
    assert reading.status == "failed"
    assert "the archive lacks the column(s) F0" in reading.error


def test_one_job_that_lacks_a_column_in_both_its_downloads_costs_no_column(load, org):
    things(org, 9)
    org.faults.add(DOWNLOAD, times=2, corrupt_zip="not_zip")
    org.faults.add(DOWNLOAD, nth=3, times=2, corrupt_zip="missing_column")
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    assert "Bulk Read jobs made again, the archive lacks the column(s) F0: 1" in lines(reading)


def test_an_archive_without_ids_is_never_read(load, org, monkeypatch):
    things(org, 3)
    page = "Name,F0\nx,y\n"
    monkeypatch.setattr("simulators.zoho_crm.bulk_read.archive.written", lambda rows: page)
    org.faults.add(DOWNLOAD, times=99, corrupt_zip="missing_column")
    reading = read(load, "Things", BULK)
    assert reading.status == "failed"
    assert "lacks the column(s) id" in reading.error


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_file_that_is_gone_is_made_again(load, org, status):
    things(org, 3)
    gone = {"code": "RESOURCE_NOT_FOUND", "details": {}, "message": "gone", "status": "error"}
    org.faults.add(DOWNLOAD, status=status, body=gone)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    assert "Bulk Read jobs made again, the archive is gone (RESOURCE_NOT_FOUND): 1" in lines(reading)


def test_a_download_that_the_account_refuses_for_a_minute_waits_for_the_next(load, org):
    things(org, 3)
    org.faults.add(DOWNLOAD, times=6, status=429)  # as many as the client tries
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    assert "archives downloaded again, the download was refused (TOO_MANY_REQUESTS): 1" in lines(reading)

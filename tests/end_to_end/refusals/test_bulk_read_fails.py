"""Bulk Read that fails again and again: another API reads the module in the same run, and the next run knows."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.planning.cost import Cost
from tests.sources.zoho_crm.extract.bulk_read.test_reader import CREATE, DOWNLOAD, POLL
from tests.support.commanding import account, command, landed, quick
from tests.support.reading import DAY, LIST, QUERY

__all__ = ["account", "command", "quick"]  # fixtures

ONLY = ("--exclude", "modules,fields", "--progress", "off")
GONE = {"code": "INTERNAL_ERROR", "details": {}, "message": "gone", "status": "error"}

ALWAYS = {
    "jobs that end in FAILURE": (CREATE, {"job_states": ["ADDED", "FAILURE"]}),
    "jobs that nobody makes": (CREATE, {"status": 500, "body": GONE}),
    "a full queue": (CREATE, {"status": 429, "body": {**GONE, "code": "TOO_MANY_REQUESTS"}}),
    "states that nobody tells": (POLL, {"status": 500, "body": GONE}),
    "a gateway's page": (CREATE, {"status": 502, "html": True}),
    "another limit": (CREATE, {"status": 400, "body": {**GONE, "code": "LIMIT_EXCEEDED"}}),
    "archives that are spoilt": (DOWNLOAD, {"corrupt_zip": "null_id"}),
    "archives that nobody gets": (DOWNLOAD, {"status": 429, "body": {**GONE, "code": "TOO_MANY_REQUESTS"}}),
}


def rich(org: Org, rows: int, *names: str) -> None:
    """Modules that are cheaper by Bulk Read than by lists."""
    for name in names or ("Things",):
        fields = [Field("F0", "text"), Field("Story", "textarea", textarea="rich_text")]
        org.add_module(Module(name, fields, generated_type="custom"))
        for row in range(rows):
            org.insert(name, {"F0": f"{row}", "Story": "short"}, modified_time=DAY)


def things(tmp_path):
    return dict(landed(tmp_path / "zoho.duckdb", "select id, f0 from zoho_crm.things"))


def true(org):
    return {record.id: record.values["F0"] for record in org.records("Things")}


def jobs(org) -> int:
    return len([call for call in org.ledger.calls(CREATE) if call.status == 201])


def spent(org) -> int:
    return sum(call.credits for call in org.ledger.calls())


def always(org, what):
    route, options = ALWAYS[what]
    return org.faults.add(route, times=10_000, **options)


@pytest.mark.parametrize("what", ALWAYS)
@pytest.mark.cases(1)
def test_another_api_reads_the_module_in_the_same_run(account, command, quick, org, tmp_path, what):
    rich(org, 60)
    fault = always(org, what)
    done = command("run", "--modules", "Things", *ONLY)
    assert done.code == 0, done.err
    assert things(tmp_path) == true(org)
    assert fault.seen
    assert jobs(org) <= 1  # what is left costs less than a second one
    ((api, reason),) = landed(
        tmp_path / "zoho.duckdb", "select api, reason from zoho_crm.sync_runs where module = 'Things'"
    )
    assert api == "coql"
    assert reason.startswith(("bulk refused it: ", "Bulk Read failed once, ", "50", "429 "))
    assert reason in done.out


def test_the_next_run_does_not_pay_for_it_again(account, command, quick, org, tmp_path):
    rich(org, 60)
    fault = always(org, "jobs that end in FAILURE")
    assert command("run", "--modules", "Things", *ONLY).code == 0
    for hours, made in ((24, 0), (13, 1), (70, 0)):
        org.clock.advance(hours=hours)
        org.ledger.clear()
        done = command("run", "--modules", "Things", *ONLY, "--full-refresh")
        assert done.code == 0, done.err
        assert jobs(org) == made, hours
        assert things(tmp_path) == true(org)
    fault.times = 0
    org.clock.advance(days=15)
    done = command("run", "--modules", "Things", *ONLY, "--full-refresh")
    assert (done.code, jobs(org)) == (0, 1)
    org.clock.advance(hours=1)
    org.ledger.clear()
    done = command("run", "--modules", "Things", *ONLY, "--full-refresh")  # it has worked since
    assert (done.code, jobs(org)) == (0, 1)


@pytest.mark.long
def test_what_failed_is_remembered_where_no_other_api_could_read_it(account, command, quick, org, tmp_path):
    rich(org, 60)
    always(org, "jobs that end in FAILURE")
    others = [
        org.faults.add(route, times=99, status=400, body={**GONE, "code": "INVALID_DATA"})
        for route in (LIST, QUERY)
    ]
    done = command("run", "--modules", "Things", *ONLY)
    assert done.code == 1
    for fault in others:
        fault.times = 0
    org.clock.advance(hours=1)
    org.ledger.clear()
    plan = command("plan", "--modules", "Things")
    assert "Bulk Read failed on 2026-" in plan.out
    assert "a job ended as FAILURE" in plan.out
    done = command("run", "--modules", "Things", *ONLY)
    assert done.code == 0, done.err
    assert jobs(org) == 0
    assert things(tmp_path) == true(org)


@pytest.mark.long
def test_modules_that_come_later_do_not_try_what_failed_for_all_before(
    account, command, quick, org, tmp_path
):
    names = [f"M{number}" for number in range(24)]
    rich(org, 60, *names)
    always(org, "jobs that end in FAILURE")
    done = command("run", "--modules", ",".join(names), *ONLY)
    assert done.code == 0, done.err
    for name in names:
        assert landed(tmp_path / "zoho.duckdb", f"select count(*) from zoho_crm.{name.lower()}") == [(60,)]
    assert jobs(org) <= 18  # as many as begin at once, and a few


@pytest.mark.long
def test_a_large_module_is_worth_another_job(account, command, quick, org, tmp_path, monkeypatch):
    rich(org, 60)
    monkeypatch.setattr("sources.zoho_crm.extract.bulk_read.reader.cost_of_job", lambda rows: Cost(1, 1))
    org.faults.add(CREATE, job_states=["ADDED", "FAILURE"])
    done = command("run", "--modules", "Things", *ONLY)
    assert done.code == 0, done.err
    assert jobs(org) == 2
    assert landed(tmp_path / "zoho.duckdb", "select api from zoho_crm.sync_runs") == [("bulk",)]


@pytest.mark.parametrize("how", ["APIType=Bulk;", "ReadAPI=Bulk;"])
@pytest.mark.parametrize("what", ["jobs that end in FAILURE", "a full queue", "archives that are spoilt"])
@pytest.mark.cases(2)
def test_asked_for_by_name_it_fails_with_the_other_ways(
    account, command, quick, org, tmp_path, monkeypatch, what, how
):
    rich(org, 60)
    always(org, what)
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", account + how)
    done = command("run", "--modules", "Things", *ONLY)
    assert done.code == 1
    assert "ReadAPI=Auto reads by another API where Bulk Read fails" in done.err
    assert "ReadAPI=COQL" in done.err and "ReadAPI=REST" in done.err
    assert jobs(org) <= 3
    assert "FAILURE" in done.err or what != "jobs that end in FAILURE"

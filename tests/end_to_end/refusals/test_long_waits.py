"""A wait of more than half a minute is told with its reason and its end, and no table waits for ever."""

from __future__ import annotations

import json
from functools import partial

import pytest

from simulators.zoho_crm import Field, Module
from sources.zoho_crm.client import throttling
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.sync import tables
from tests.conftest import SimulatedTime
from tests.support.commanding import account, command, landed
from tests.support.reading import LIST

__all__ = ["account", "command"]  # fixtures

CREATE, POLL = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
MODULES = "GET /crm/v8/settings/modules"


@pytest.fixture
def time_passes(org, monkeypatch):
    """Pauses are as long as in a real run, by a clock that only they move."""
    clock = SimulatedTime(org)
    retry_policy = partial(RetryPolicy, sleep=clock.sleep, monotonic=clock.monotonic)
    monkeypatch.setattr(throttling, "RetryPolicy", retry_policy)
    return clock


@pytest.fixture
def sequential(monkeypatch):
    """Tables are read one after the other.

    The hours that one waits pass in no time, and the other's thread may not get as far as its first call before
    its own hours are over.
    """
    monkeypatch.setattr(tables, "BULK_READERS", 1)
    monkeypatch.setattr(tables, "OTHER_READERS", 1)


@pytest.fixture
def run(command, account, org, time_passes):
    """`run("--table-timeout", "5m", settings="ReadAPI=Bulk")`: Leads and Deals, three rows each."""
    for name in ("Leads", "Deals"):
        org.add_module(Module(name, [Field("Last_Name", "text")]))
        for number in range(3):
            org.insert(name, {"Last_Name": f"{name} {number}"})

    def call(*words, settings="ReadAPI=REST"):
        connection = f"{account}{settings};"
        return command("--connection", connection, "--modules", "Leads,Deals", *words)

    return call


def test_429_on_every_job_is_told_and_fails_the_table_alone(run, org, sequential):
    org.faults.add(CREATE, module="Leads", times=99, status=429)
    done = run(settings="ReadAPI=Bulk")
    assert done.code == 1, done.out
    told = [line for line in done.lines("Leads: waits until")]
    assert any("POST 127.0.0.1" in line and "the answer is 429" in line for line in told), done.out
    assert any("Zoho takes no more Bulk Read jobs now (TOO_MANY_REQUESTS)" in line for line in told)
    assert landed("zoho.duckdb", "select count(*) from zoho_crm.deals") == [(3,)]


def test_a_wait_that_ends_says_so(run, org):
    org.faults.add(LIST, module="Leads", times=5, status=429, headers={"Retry-After": "60"})
    done = run()
    assert done.code == 0, done.err
    waits, goes_on = [line for line in done.lines("Leads: ") if "429" in line]
    assert waits.startswith("Leads: waits until ") and " UTC at the latest: GET 127.0.0.1" in waits
    assert goes_on.startswith("Leads: goes on after 300 s (")


def test_short_waits_are_not_told(run, org):
    org.faults.add(LIST, module="Leads", times=3, status=429)
    assert not run().lines("Leads: waits")


def test_waits_for_a_job_and_for_a_download_are_told(run, org):
    org.faults.add(DOWNLOAD, module="Leads", times=5, status=429)
    org.bulk_states = ["ADDED", *["QUEUED"] * 40, "IN PROGRESS", "COMPLETED"]
    done = run("--log-format", "json", settings="ReadAPI=Bulk")
    events = [json.loads(line) for line in done.out.splitlines()]
    waits = {(e["module"], e["reason"]) for e in events if e["event"] == "wait" and "reason" in e}
    assert ("Deals", "Zoho works on a Bulk Read job") in waits
    assert any("/result is tried again" in reason for _, reason in waits), waits
    assert any("waited" in e for e in events if e["event"] == "wait")
    assert done.code == 0, done.err


def test_a_wait_before_the_first_table_is_told(run, org):
    org.faults.add(MODULES, times=5, status=503)
    done = run()
    assert done.code == 0, done.err
    assert [line for line in done.lines("waits until ") if "settings/modules" in line]


def test_without_progress_the_log_tells(run, org, caplog):
    org.faults.add(LIST, module="Leads", times=5, status=429)
    assert run("--quiet").code == 0
    told = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(" ")[:3] for line in told] == [["Leads:", "waits", "until"], ["Leads:", "goes", "on"]]


def test_a_table_has_its_time_and_the_others_go_on(run, org, sequential):
    org.faults.add(LIST, module="Leads", times=999, status=429, headers={"Retry-After": "90"})
    done = run("--table-timeout", "4m")
    assert done.code == 1
    assert "Leads: not read within 4 minutes: its table stays as it was" in done.err
    assert len(org.ledger.calls(LIST, status=429)) <= 4
    assert landed("zoho.duckdb", "select count(*) from zoho_crm.deals") == [(3,)]
    assert landed("zoho.duckdb", "select status from zoho_crm.sync_runs where module = 'Leads'") == [
        ("failed",)
    ]


def test_jobs_that_never_end_end_with_the_tables_time(run, org, monkeypatch):
    org.bulk_states = ["ADDED", *["QUEUED"] * 10_000]
    monkeypatch.setenv("SOURCES__ZOHO_CRM__TABLE_TIMEOUT", "2h")
    done = run(settings="ReadAPI=Bulk")
    assert done.code == 1
    assert "not read within 2.0 hours" in done.err

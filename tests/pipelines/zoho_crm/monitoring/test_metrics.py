"""The metrics of a run: whole, in one step, also of a run that fails; the last success stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.pipelines.zoho_crm.test_cli import account
from tests.support.commanding import command, shop

__all__ = ["account", "command"]  # fixtures

FILE = "zoho.prom"


@pytest.fixture
def org():
    return shop()


def metrics(module=None):
    """Values by name without the prefix, of the run or of a module."""
    families = text_string_to_metric_families(Path(FILE).read_text())
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["pipeline"] for sample in samples} == {"zoho_crm"}
    return {s.name.removeprefix("zoho_crm_"): s.value for s in samples if s.labels.get("module") == module}


def test_a_good_run_writes_all_that_it_did(account, command):
    done = command("--modules", "Leads,Deals", "--metrics-file", FILE, "--log-format", "json")
    assert done.code == 0, done.err
    run, leads, summary = metrics(), metrics("Leads"), done.events[-1]
    assert (run["run_exit_code"], run["run_calls"], run["run_credits"]) == (
        0,
        summary["calls"],
        summary["credits"],
    )
    assert run["last_success_timestamp_seconds"] == run["last_run_timestamp_seconds"] > 1.7e9
    assert run["run_duration_seconds"] > 0
    assert {
        name: leads[f"module_{name}"] for name in ("rows", "deleted_rows", "difference_rows", "failed")
    } == {
        "rows": 3,
        "deleted_rows": 0,
        "difference_rows": 0,
        "failed": 0,
    }
    assert leads["module_credits"] == leads["module_calls"] > 0
    assert [path.name for path in Path().glob("zoho.prom*")] == [FILE]


def test_a_run_that_fails_keeps_the_time_of_the_last_success(org, account, command):
    assert command("--modules", "Leads,Deals", "--metrics-file", FILE).code == 0
    success = metrics()["last_success_timestamp_seconds"]
    org.clock.advance(days=1)
    org.insert("Deals", {"Name": "Another"})
    org.faults.add(
        "GET /crm/v8/{module}", module="Deals", times=99, status=400, body={"code": "X", "status": "error"}
    )
    assert command("--full-refresh", "--modules", "Leads,Deals", "--metrics-file", FILE).code == 1
    after = metrics()
    assert after["last_success_timestamp_seconds"] == success < after["last_run_timestamp_seconds"]
    assert after["run_exit_code"] == 1
    assert (metrics("Deals")["module_failed"], metrics("Leads")["module_failed"]) == (1, 0)


def test_a_run_that_could_not_begin_writes_its_exit_code(command):
    assert command("--connection", "Region=Mars", "--metrics-file", FILE).code == 2
    assert metrics()["run_exit_code"] == 2
    assert "last_success_timestamp_seconds" not in metrics()


def test_a_file_of_another_kind_is_replaced(account, command):
    Path(FILE).write_bytes(b"\xff{{{")
    assert command("--modules", "Leads", "--metrics-file", FILE).code == 0
    assert metrics()["run_exit_code"] == 0


def test_a_place_that_cannot_be_written_is_a_line_and_no_failure(account, command):
    done = command("--modules", "Leads", "--metrics-file", "not/there.prom")
    assert done.code == 0
    assert done.err == ("Warning: the metrics were not written: No such file or directory (not/there.prom)\n")

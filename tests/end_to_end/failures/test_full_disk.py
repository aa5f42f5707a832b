"""A disk that is full, wherever it is: one sentence, no traceback, and the next run makes it good."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipelines.zoho_crm.run import pipeline
from simulators.zoho_crm import serve
from tests.conftest import wait_in_simulated_time
from tests.end_to_end.cost.test_growth import files
from tests.support.commanding import command, landed, shop

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;ReadAPI=Bulk;"
FULL = "The disk is full: make room and run again. Nothing half-written counts as loaded."
NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def company(command, monkeypatch):
    org = shop()
    wait_in_simulated_time(monkeypatch, org)
    with serve(org) as zoho:

        def call():
            org.clock.advance(hours=1)
            words = ("--connection", f"{zoho.connection_string}{QUICK}", "--modules", "Leads,Deals")
            return command("run", *words, "--pipelines-dir", "p", "--progress", "off")

        call.org = org
        yield call


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_load_that_fails_leaves_no_package_and_a_log_that_cannot_be_written_no_traceback(
    company, monkeypatch, tmp_path
):
    import duckdb
    from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

    def refuse(self):
        raise duckdb.IOException("No space left on device")

    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")  # dlt would try five times, and wait in between
    assert company().code == 0
    before = files(tmp_path)
    (tmp_path / "p" / "zoho_crm.log").symlink_to("/dev/full")
    company.org.insert("Leads", {"Last_Name": "New"})
    with monkeypatch.context() as full:
        full.setattr(DuckDbCopyJob, "run", refuse)
        done = company()
    assert done.code == 1
    errors = [line for line in done.err.splitlines() if not line.startswith("What dlt said is in ")]
    assert errors == [f"Error: Leads, sync_runs: {FULL}"]
    assert {path.name for path in files(tmp_path).keys() - before.keys()} == {"zoho_crm.attempts"}
    assert company().code == 0
    assert files(tmp_path).keys() == before.keys()
    assert landed(tmp_path / "zoho.duckdb", "select count(*) from zoho_crm.leads") == [(4,)]


@pytest.mark.long
@pytest.mark.parametrize("where", ["dlt's folder", "the rows", "the archive"])
@pytest.mark.cases(1)
def test_a_folder_that_is_full_is_one_sentence_and_status_tells_it(
    company, command, monkeypatch, tmp_path, where
):
    assert company().code == 0
    company.org.insert("Leads", {"Last_Name": "New"})
    with monkeypatch.context() as full:
        _fill(full, where)
        done = company()
    assert done.code == 1
    assert done.err.splitlines()[0].startswith("Error: ")
    assert done.err.splitlines()[0].endswith(FULL)
    assert done.err.count("\n") == 1
    told = command("status", "--pipelines-dir", "p", "-q")
    assert (told.code, told.out.startswith("Failing: ")) == (0, True)
    assert company().code == 0
    assert landed(tmp_path / "zoho.duckdb", "select count(*) from zoho_crm.leads") == [(4,)]
    assert command("status", "--pipelines-dir", "p", "-q").out.startswith("Fresh: ")


def _fill(patch, where):
    """What writes there finds no room."""
    from sources.zoho_crm.transform import parquet_writer

    def refuse(*_, **__):
        raise NO_SPACE

    if where == "dlt's folder":
        patch.setattr(pipeline.dlt, "pipeline", refuse)
    elif where == "the rows":
        patch.setattr(parquet_writer._Writer, "write", refuse)
    else:
        whole = Path.open

        def opened(path, mode="r", *rest, **named):
            if "w" in mode and path.suffix in (".zip", ".part"):
                return os.fdopen(os.open("/dev/full", os.O_WRONLY), mode)
            return whole(path, mode, *rest, **named)

        patch.setattr(Path, "open", opened)

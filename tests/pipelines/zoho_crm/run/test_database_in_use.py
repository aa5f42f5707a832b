"""A DuckDB file that another process has open is waited for, and whoever has it is named."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pipelines.zoho_crm.run import database
from simulators.zoho_crm import serve
from tests.support.commanding import command, landed, shop
from tests.support.progressing import at_call

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;"
LIST = "GET /crm/v8/{module}"
HOLD = """
import duckdb, sys
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def held(file, *, read_only=False):
    """An analyst has the file open, in a process of their own."""
    words = [sys.executable, "-c", HOLD, str(file), str(read_only)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.fixture
def company(command):
    org = shop()
    with serve(org) as zoho:
        text = f"{zoho.connection_string}{QUICK}ReadAPI=REST;"

        def call(*words):
            org.clock.advance(hours=1)
            done = command(*words, "--connection", text, "--modules", "Leads,Deals")
            assert "Traceback" not in done.err
            return done

        call.org = org
        yield call


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.cases(1)
def test_a_file_that_stays_open_is_5_with_its_holder_before_any_call(company, command, tmp_path, read_only):
    file = tmp_path / "zoho.duckdb"
    assert company("run").code == 0
    calls = len(company.org.ledger.calls())
    with held(file, read_only=read_only) as analyst:
        done = company("run", "--wait-for-database", "0s")
        looked = command("status", "--wait-for-database", "0s")
    assert len(company.org.ledger.calls()) == calls
    assert (done.code, looked.code) == (5, 0 if read_only else 5)
    assert done.err.startswith(f"Error: {file} is open in another process, ")
    assert f" (PID {analyst.pid}), for longer than 0 s: close it there and run again, " in done.err
    assert done.err.endswith("or wait longer with --wait-for-database; nothing was done.\n")
    assert read_only or looked.err == done.err
    assert company("run").code == 0


def test_a_file_that_is_closed_in_time_is_waited_for_and_that_is_said(company, monkeypatch, tmp_path):
    assert company("run").code == 0
    with held(tmp_path / "zoho.duckdb") as analyst:

        def sleep(_):
            analyst.kill()
            analyst.wait()

        monkeypatch.setattr(database, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0))
        done = company("run", "--progress", "log")
    assert (done.code, done.err) == (0, "")
    [line] = done.lines("zoho.duckdb is open in another process, ")
    assert line.endswith(f" (PID {analyst.pid}): waiting up to 60 s for it.")


def test_a_file_that_is_opened_in_the_middle_ends_the_run_and_the_next_one_continues(company, tmp_path):
    file = tmp_path / "zoho.duckdb"
    assert company("run").code == 0
    company.org.insert("Leads", {"Last_Name": "New"})
    analysts = []

    def open_it():
        analysts.append(held(file))
        analysts[0].__enter__()

    with at_call(company.org, LIST, open_it):
        done = company("run", "--wait-for-database", "0s")
    analysts[0].__exit__(None, None, None)
    assert done.code == 1
    assert done.err.startswith(f"Error: {file} is open in another process, ")
    assert done.err.endswith("close it there. Nothing that was loaded is lost; the next run continues.\n")
    assert done.err.count("\n") == 1
    assert company("run").code == 0
    assert landed(file, "select count(*) from zoho_crm.leads where last_name = 'New'") == [(1,)]

"""Runs that find nothing new leave nothing behind, and no row of the CRM on the disk but in the destination."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import serve
from tests.conftest import wait_in_simulated_time
from tests.support.commanding import command, shop

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;"
MARKER = "Zebra-4711"


def files(folder):
    """Every file and its size; the database itself is the data."""
    found = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {path: size for path, size in found.items() if path.suffix != ".duckdb"}


@pytest.mark.parametrize("api", ["Bulk", "REST"])
@pytest.mark.cases(1)
def test_idle_runs_and_looks_leave_no_file_more(command, tmp_path, monkeypatch, api):
    org = shop()
    wait_in_simulated_time(monkeypatch, org)
    org.insert("Leads", {"Last_Name": MARKER})
    with serve(org) as zoho:
        text = f"{zoho.connection_string}{QUICK}ReadAPI={api};"
        before = files(tmp_path)
        after = []
        for _ in range(3):
            org.clock.advance(hours=1)
            done = command("--connection", text, "--modules", "Leads,Deals,users", "--progress", "off")
            assert (done.code, done.err) == (0, "")
            after.append(files(tmp_path))
        for words in (("plan",), ("verify",), ("check",)):
            assert command(*words, "--connection", text, "--modules", "Leads").code == 0
        assert command("status").code == 0
        assert files(tmp_path) == after[2]
    assert after[2] == after[1]
    assert len(after[0].keys() - before.keys()) <= 3
    assert [path for path in after[2] if MARKER.encode() in path.read_bytes()] == []

"""`open`: the lines that it prints reach the tables, and so does the notebook of docs/notebook.md."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import duckdb
import pytest

from pipelines.zoho_crm.monitoring.programs import server_lines
from simulators.zoho_crm import Field, Module, Org
from tests.support.commanding import account, command

__all__ = ["account", "command"]  # fixtures
PAGE = (Path(__file__).parents[4] / "docs" / "notebook.md").read_text(encoding="utf-8")


@pytest.fixture
def org():
    org = Org()
    org.add_module(
        Module("Deals", [Field("Deal_Name", "text"), Field("Stage", "text"), Field("Amount", "currency")])
    )
    org.insert("Deals", {"Deal_Name": "a deal", "Stage": "Won", "Amount": "2.5"})
    return org


def test_the_lines_name_the_file_and_the_notebook_reads_it(account, command, tmp_path):
    command("run", "--progress", "off", "--quiet")
    done = command("open", "--print", "--format", "json")
    assert (done.code, done.err) == (0, "")
    lines = {event["program"]: event["line"] for event in done.events if event["event"] == "program"}
    assert lines.keys() >= {"DBeaver", "Metabase", "Superset", "Excel by ODBC"}
    assert all(str(tmp_path / "zoho.duckdb") in line for line in lines.values())
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "cell.py").write_text(code)
    names = runpy.run_path("cell.py")
    assert names["pipeline"].fetchall() == [("Won", 1, 2.5)]
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        names["crm"].execute("delete from deals")
    names["crm"].close()


def test_the_lines_of_a_server_hold_no_password():
    lines = server_lines("db.example.com", 5433, "crm", "reader")
    for line in lines.values():
        assert all(part in line for part in ("db.example.com", "5433", "crm", "reader"))

"""Calls the command line in this process and gives what a shell would see of it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass

import duckdb
import pytest

from pipelines.zoho_crm.cli import cli
from simulators.zoho_crm import Field, Module, Org, serve

DATE = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  "  # of a log line


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def lines(self, start: str) -> list[str]:
        """Those that begin so, without the date of a log line."""
        lines = [re.sub(DATE, "", line) for line in self.out.splitlines()]
        return [line for line in lines if line.startswith(start)]


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """`command("plan", "--modules", "Leads")`, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        with pytest.raises(SystemExit) as end:
            cli.main(list(words), prog_name="python -m pipelines.zoho_crm")
        said = capsys.readouterr()
        return Outcome(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture(autouse=True)
def restored_environment():
    """A .env file is read into the environment of the process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def account(org, monkeypatch):
    """The settings are in the environment, as under cron."""
    with serve(org) as zoho:
        text = f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
        monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", text)
        yield text


@pytest.fixture
def quick(org, monkeypatch):
    """Waiting takes no time: the clock of the simulated account goes on instead."""
    from tests.conftest import wait_in_simulated_time

    wait_in_simulated_time(monkeypatch, org)


def landed(path, query):
    with duckdb.connect(str(path), read_only=True) as database:
        return database.execute(query).fetchall()


def shop() -> Org:
    """Two modules with rows, one without, one that nobody may view."""
    org = Org()
    name = Field("Name", "text")
    org.add_module(Module("Leads", [Field("Last_Name", "text"), Field("Amount", "currency")]))
    org.add_module(Module("Deals", [name, Field("Shape", "hologram"), Field("Home", "address")]))
    org.add_module(Module("Vendors", [name]))
    org.add_module(Module("Secrets", [name], viewable=False))
    for number in range(3):
        org.insert("Leads", {"Last_Name": f"Lead {number}", "Amount": number})
    org.insert("Deals", {"Name": "A deal"})
    return org

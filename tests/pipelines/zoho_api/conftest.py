"""The command `zoho-api` in this process, against a served account."""

from __future__ import annotations

import pytest

from pipelines.zoho_api.cli import cli
from simulators.zoho_crm import Org
from simulators.zoho_suite import Suite, serve
from sources.zoho_api import service, session
from sources.zoho_api.session import Clock
from tests.conftest import SimulatedTime
from tests.support.commanding import Outcome, restored_environment

__all__ = ["restored_environment"]  # a fixture


@pytest.fixture
def api(capsys, monkeypatch, tmp_path):
    """`api("run", "desk")`, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(service, "_authenticators", {})

    def call(*words):
        with pytest.raises(SystemExit) as end:
            cli.main(list(words), prog_name="zoho-api")
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err and "traceback is in" not in said.err
        return Outcome(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def suite(monkeypatch):
    """A served account with a few rows, whose waiting takes no time; the settings are in the environment."""
    suite = Suite(Org())
    for number in range(3):
        suite.desk.insert("tickets", {"subject": f"ticket {number}"})
        suite.desk.insert("agents", {"name": f"agent {number}"})
        suite.books.insert("invoices", {"invoice_number": f"INV-{number}"})
        suite.recruit.insert("Candidates", {"Last_Name": f"candidate {number}"})
    time = SimulatedTime(suite)
    monkeypatch.setattr(
        session,
        "Clock",
        lambda: Clock(time.sleep, time.monotonic, lambda: suite.clock.now()),
    )
    with serve(suite) as zoho:
        text = f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
        monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", text)
        yield suite

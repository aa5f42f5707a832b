"""A run that ends before its first table leaves a trace that `status`, the report and the metrics show."""

from __future__ import annotations

import json
import re

import pytest

from pipelines.zoho_crm.run import runner
from simulators.zoho_crm import serve
from tests.pipelines.zoho_crm.run.test_database_in_use import held
from tests.support.commanding import command, landed, shop
from tests.support.progressing import in_progress

__all__ = ["command"]  # a fixture

QUICK = "OAuthSettingsLocation=memory://;ReadAPI=REST;"
ROWS = "select run_id, reason, status, error, finished_at >= started_at from zoho_crm.sync_runs where module is null"


@pytest.fixture
def company(command, monkeypatch, tmp_path):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # no pause before a call is tried again
    org = shop()
    with serve(org) as zoho:
        yield Company(org, command, tmp_path, f"{zoho.connection_string}{QUICK}")


class Company:
    def __init__(self, org, command, folder, connection):
        self.org, self.command, self.folder, self.connection = org, command, folder, connection
        self.metrics = folder / "zoho.prom"

    def run(self, *words, settings=""):
        self.org.clock.advance(hours=1)
        given = ("--connection", f"{self.connection}{settings}", "--modules", "Leads", "--progress", "off")
        return self.command("run", *given, "--metrics-file", str(self.metrics), *words)

    def status(self, *words, code=0):
        done = self.command("status", "--format", "json", *words)
        assert done.code == code
        return done.events[-1]

    def stopped(self):
        return landed(self.folder / "zoho.duckdb", f"{ROWS} order by started_at")


def unexpected(*_):
    raise RuntimeError("a mistake of ours")


def interrupted(*_):
    raise KeyboardInterrupt


# What a run is given, the exit code, and how its error begins.
CAUSES = {
    "wrong setting": ({"settings": "Region=Mars;"}, 2, "Region has a wrong value"),
    "Zoho is down": ({"settings": "AccountsServer=http://127.0.0.1:9;"}, 1, "127.0.0.1:9 cannot be reached"),
    "refused token": ({"settings": "OAuthRefreshToken=1.2.3;"}, 3, "Zoho does not know this refresh token"),
    "too few credits": (
        {"words": ("--max-credits", "1")},
        2,
        "--max-credits 1 is too low for even one table",
    ),
    "mistake": ({"look": unexpected}, 1, "Unexpected RuntimeError"),
    "Ctrl-C": ({"look": interrupted}, 130, "Interrupted."),
}


@pytest.mark.long
def test_each_run_that_is_stopped_is_a_row_and_the_headline_until_one_succeeds(company, monkeypatch):
    assert company.run().code == 0
    assert company.status("--max-age", "26h")["state"] == "fresh"
    for number, (name, (given, code, error)) in enumerate(CAUSES.items(), 1):
        with monkeypatch.context() as patch:
            if "look" in given:
                patch.setattr(runner, "look", given["look"])
            done = company.run(*given.get("words", ()), settings=given.get("settings", ""))
        assert (name, done.code) == (name, code), done.err
        rows = company.stopped()
        assert (name, len(rows)) == (name, number)
        last = rows[-1][1:]
        assert (last[0], last[1], last[3]) == (f"exit code {code}", "failed", True)
        assert last[2].startswith(error)
        told = company.status()
        assert (name, told["state"]) == (name, "failing")
        assert re.match(
            r"The last run, \d{4}-\d\d-\d\d \d\d:\d\d UTC, was stopped \(exit code ", told["headline"]
        )
        assert last[2].rstrip(".") in told["headline"]
        assert f'zoho_crm_run_exit_code{{pipeline="zoho_crm"}} {code}.0' in company.metrics.read_text()
    late = company.command("status", "--max-age", "26h")
    assert (late.code, late.err.startswith("Error: Failing: The last run, ")) == (1, True)
    assert company.command("report").out.startswith("Failing: The last run, ")
    page = (company.folder / "zoho_report.html").read_text(encoding="utf-8")
    assert "was stopped (exit code 130): Interrupted" in page
    assert "stopped (exit code 3)" in page
    assert company.run().code == 0
    told = company.status("--max-age", "26h")
    assert (told["state"], told["max_age"], told["exit_code"]) == ("fresh", 93_600, 0)
    assert len(company.stopped()) == len(CAUSES)


@pytest.mark.long
def test_while_the_destination_cannot_be_reached_the_folder_remembers(company):
    assert company.run().code == 0
    with held(company.folder / "zoho.duckdb"):
        assert company.run("--wait-for-database", "0s").code == 5
    told = company.status("--max-age", "1d", code=1)
    assert told["state"] == "failing"
    assert "was stopped (exit code 5): " in told["headline"]
    assert company.stopped() == []
    assert company.run().code == 0
    assert [row[1] for row in company.stopped()] == ["exit code 5"]
    assert company.status()["state"] == "fresh"
    assert list(company.folder.rglob("*.attempts")) == []


@pytest.mark.long
def test_before_anything_was_loaded_a_stopped_run_is_told_too(company):
    assert company.run(settings="Region=Mars;").code == 2
    assert list(company.folder.glob("*.duckdb")) == []
    done = company.command("status")
    assert done.code == 2
    assert "Nothing was ever synced here" in done.err
    assert re.search(
        r"The last run, .{16} UTC, was stopped \(exit code 2\): Region has a wrong value", done.err
    )
    assert company.run(settings="OAuthRefreshToken=1.2.3;").code == 3
    assert [row[1] for row in company.stopped()] == ["exit code 2", "exit code 3"]
    assert company.status()["headline"].endswith(" 0 tables are fresh.")
    report = company.command("report")
    assert report.code == 2
    assert "No run has come to its end here (dataset zoho_crm in duckdb). The last run, " in report.err
    assert company.run().code == 0
    assert company.status()["state"] == "fresh"


def test_a_run_that_is_killed_is_told_by_status_and_written_down_by_the_next(company):
    assert company.run().code == 0
    more = {"DLT_DATA_DIR": str(company.folder / "dlt")}
    words = ("--modules", "Leads", "--progress", "off")
    with in_progress(company.org, company.folder, company.connection, *words, **more) as process:
        assert company.status()["state"] == "fresh"
        process.kill()
        process.wait()
        told = company.status("--max-age", "1d", code=1)
    assert f"it was killed, or the machine went down (process {process.pid} on " in told["headline"]
    assert company.run().code == 0
    assert [row[1] for row in company.stopped()] == ["killed"]
    assert company.status()["state"] == "fresh"


@pytest.mark.parametrize(("age", "code"), [("3000m", 1), ("50h", 1), ("2d", 1), ("4d", 0)])
@pytest.mark.cases(1)
def test_a_table_that_is_older_than_the_age_is_1(company, age, code):
    import duckdb

    company.command("run", "--connection", company.connection, "--modules", "Leads", "--progress", "off")
    moved = ", ".join(f"{name} = {name} - interval 3 day" for name in ("started_at", "finished_at"))
    with duckdb.connect(str(company.folder / "zoho.duckdb")) as database:
        database.execute(f"update zoho_crm.sync_runs set {moved} where module = 'Leads'")
    told = company.status("--max-age", age, code=code)
    assert told["state"] == ("stale" if code else "fresh")
    assert json.dumps(told["exit_code"]) == str(code)

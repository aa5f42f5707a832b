"""What `status` says, on a machine that has nothing but the destination."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import duckdb
import pytest

from pipelines.zoho_crm.monitoring.freshness import Freshness, format_duration, headline
from simulators.zoho_crm import Field, serve
from tests.pipelines.zoho_crm.test_process import environment
from tests.support.commanding import command, shop

__all__ = ["command"]  # a fixture


@pytest.fixture
def org():
    org = shop()
    org.add_field("Leads", Field("Score", "formula", return_type="double"))
    return org


@pytest.fixture
def company(org, command, monkeypatch, tmp_path):
    with serve(org) as zoho:
        yield Company(org, command, monkeypatch, tmp_path, zoho.connection_string)


class Company:
    """Runs with credentials; whatever else is asked has none, and no folder of an earlier run."""

    def __init__(self, org, command, monkeypatch, folder, connection):
        self.org, self.command, self.folder, self.connection = org, command, folder, connection
        self.monkeypatch = monkeypatch

    def run(self, *words):
        text = f"{self.connection}OAuthSettingsLocation=memory://;"
        done = self.command("run", "--connection", text, "--progress", "off", *words)
        self.org.clock.advance(hours=1)
        shutil.rmtree(self.folder / "dlt")
        return done

    def status(self, *words):
        done = self.command("status", "--log-format", "json", *words)
        assert (done.code, done.err) == (0, "")
        self.tables = {e["module"]: e for e in done.events if e["event"] == "table"}
        self.runs = [e for e in done.events if e["event"] == "run"]
        self.summary = done.events[-1]
        return done

    def sql(self, query):
        with duckdb.connect(str(self.folder / "zoho.duckdb")) as database:
            database.execute("set timezone = 'UTC'")
            return database.execute(query).fetchall()


@pytest.mark.parametrize("name", ["status", "report"])
def test_a_place_where_nothing_was_ever_synced_is_2_and_stays_untouched(command, tmp_path, name):
    done = command(name)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: Nothing was ever synced here (dataset zoho_crm in duckdb): `python -m pipelines.zoho_crm` does it.\n"
    )
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    "lost",  # what a run writes last
    [
        ("drop table zoho_crm.sync_runs",),
        ("delete from zoho_crm.sync_runs",),
        (
            "drop table zoho_crm.sync_runs",
            "drop table zoho_crm.seat_counts",
            "delete from zoho_crm._dlt_version where schema like '%\"sync_runs\"%'",
            "delete from zoho_crm._dlt_pipeline_state",
        ),
    ],
    ids=["no table of runs", "no row", "no state either"],
)
@pytest.mark.parametrize("name", ["status", "report"])
@pytest.mark.cases(1)
def test_tables_of_a_run_that_never_came_to_its_end_are_told(company, name, lost):
    company.run()
    for statement in lost:
        company.sql(statement)
    [(tables,)] = company.sql(
        "select count(*) from information_schema.tables"
        " where table_schema = 'zoho_crm' and not starts_with(table_name, '_dlt')"
    )
    done = company.command(name)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: No run has come to its end here (dataset zoho_crm in duckdb), but one that broke off left"
        f" {tables} tables: run `python -m pipelines.zoho_crm` again, which does the rest.\n"
    )
    assert company.run().code == 0
    company.status()
    assert company.summary["state"] == "fresh"


def test_files_without_a_run_are_told_like_a_database(command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    done = command("status", "--destination", "filesystem")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: Nothing was ever synced here (dataset zoho_crm in filesystem): ")


@pytest.mark.parametrize("configured", [False, True])
@pytest.mark.long
def test_it_reads_beside_another_reader_and_leaves_the_file_as_it_is(company, configured):
    """Two processes can have a DuckDB file open only if both open it read-only."""
    company.run()
    file = company.folder / "zoho.duckdb"
    if configured:
        company.monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(file))
    before = file.read_bytes()
    reader = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1], read_only=True); print(); sys.stdin.read()"
    )
    words = [sys.executable, "-c", reader, str(file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        company.status()
        done = company.command("report")
        other.stdin.close()
    assert (done.code, done.err) == (0, "")
    assert file.read_bytes() == before
    assert not any(name.endswith("READ_ONLY") for name in os.environ)


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write whatever the mode is"
)
@pytest.mark.parametrize("words", [["status"], ["report", "--output", "../page.html"]], ids=lambda w: w[0])
@pytest.mark.long
def test_a_file_and_a_folder_that_cannot_be_written_can_be_looked_at(company, words):
    company.run()
    folder = company.folder / "protected"
    folder.mkdir()
    file = shutil.move(company.folder / "zoho.duckdb", folder / "zoho.duckdb")
    file.chmod(0o444)
    folder.chmod(0o555)
    rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    look = [*rights, sys.executable, "-m", "pipelines.zoho_crm", *words]
    try:
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run([*rights, "touch", "x"], cwd=folder, check=True, capture_output=True)
        done = subprocess.run(
            look, cwd=folder, env=environment(company.folder), capture_output=True, text=True, check=False
        )
    finally:
        folder.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["zoho.duckdb"]


def test_each_table_is_as_the_destination_has_it(company):
    company.run()
    company.run()
    company.status("--verify-every", "9999d", "--computed-refresh", "9998d", "--settings-refresh", "9997d")
    leads = company.tables["Leads"]
    assert (leads["table"], leads["state"], leads["rows"], leads["error"]) == ("leads", "fresh", 3, None)
    [(finished, until)] = company.sql(
        "select max(finished_at), max(until) from zoho_crm.sync_runs where module = 'Leads'"
    )
    assert leads["last_success"] == finished.isoformat(timespec="seconds")
    assert leads["until"] == until.isoformat(timespec="seconds")
    assert (leads["crm_count"], leads["table_count"], leads["difference"]) == (3, 3, 0)
    verified = datetime.fromisoformat(leads["verified_at"])
    assert leads["next_verify"] == (verified + timedelta(days=9999)).isoformat()
    assert leads["next_computed"] == (verified + timedelta(days=9998)).isoformat()
    assert company.tables["Deals"]["next_computed"] is None  # it has no computed field
    read = company.sql("select max(until) from zoho_crm.sync_runs where module = 'Deals'")[0][0]
    tags = datetime.fromisoformat(company.tables["tags"]["next_settings"]) - timedelta(days=9997)
    assert abs(read - tags) < timedelta(hours=2)  # by the first run
    assert company.tables["users"]["rows"] == 1
    assert company.summary["state"] == "fresh"
    assert company.summary["headline"] == f"{len(company.tables)} tables are fresh."


def test_the_last_runs_are_summed_up_from_their_rows(company):
    company.run()
    company.org.delete("Leads", company.org.records("Leads")[0].id)
    company.run()
    company.status()
    sums = company.sql(
        "select run_id, sum(rows_read), sum(rows_deleted), sum(calls), sum(credits) from zoho_crm.sync_runs"
        " group by run_id order by min(started_at) desc"
    )
    names = ("run_id", "rows_read", "rows_deleted", "calls", "credits")
    assert [tuple(run[name] for name in names) for run in company.runs] == sums
    assert company.runs[0]["rows_deleted"] == 1
    assert [run["outcome"] for run in company.runs] == ["ok", "ok"]


def test_a_module_that_fails_is_named_with_its_error_and_the_others_are_fresh(company):
    company.run()
    company.org.modules["Deals"].viewable = False
    assert company.run().code == 1
    done = company.status()
    deals = company.tables["Deals"]
    assert (deals["state"], deals["last_status"]) == ("failing", "failed")
    assert deals["error"] == "this user may not view it"
    assert deals["last_success"] < company.runs[0]["started"]
    assert company.tables["Leads"]["state"] == "fresh"
    assert company.summary["state"] == "failing"
    assert company.summary["headline"].startswith("Deals is failing; ")
    assert [e["module"] for e in done.events if e["event"] == "failure"] == ["Deals"]
    assert ("Secrets", "this user may not view it") in [
        (e["module"], e["reason"]) for e in done.events if e["event"] == "skip"
    ]


@pytest.mark.long
def test_a_table_that_differs_from_the_count_is_marked(company):
    company.run()
    company.run()  # after which nothing is read again that stands there
    company.sql("delete from zoho_crm.leads where last_name = 'Lead 1'")
    company.org.edit("Leads", company.org.records("Leads")[0].id, Last_Name="new")
    company.run()
    company.status()
    assert company.tables["Leads"]["difference"] == -1
    assert (company.tables["Leads"]["crm_count"], company.tables["Leads"]["table_count"]) == (3, 2)
    assert (company.tables["Leads"]["state"], company.summary["state"]) == ("differs", "differs")
    assert company.tables["Leads"]["next_verify"] <= company.summary["at"]
    others = len(company.tables) - 1
    assert company.summary["headline"] == (
        f"Leads differs from the CRM's count, which the next run looks into; {others} tables are fresh."
    )
    said = company.command("status").out
    line = next(line for line in said.splitlines() if line.startswith("leads "))
    assert line.split()[-7:-4] == ["2", "*", "3"]
    assert "* Zoho's own count differs from the table" in said
    company.run()
    company.status()
    assert (company.tables["Leads"]["difference"], company.summary["state"]) == (0, "fresh")


@pytest.mark.long
def test_a_table_without_a_good_run_for_too_long_is_stale(company):
    company.run()
    moved = ", ".join(f"{name} = {name} - interval 3 day" for name in ("started_at", "finished_at"))
    company.sql(f"update zoho_crm.sync_runs set {moved} where module = 'Leads'")
    company.status()
    assert company.summary["state"] == "stale"
    assert company.summary["headline"].startswith("Leads had no good run for 3 d; ")
    assert company.tables["Leads"]["age"] >= 3 * 86_400
    company.status("--stale-after", "4d")
    assert company.summary["state"] == "fresh"


def test_a_person_reads_it_as_a_table(company):
    company.run()
    done = company.command("status")
    assert done.code == 0
    line = done.lines("leads ")[0].split()
    assert line[:3] == ["leads", "fresh", "read"]
    assert line[-6:-4] == ["3", "3"]  # rows, and the CRM's count
    assert line[-4:] == ["next", "run", "next", "run"]  # long ago by the simulator's clock
    assert done.lines("All runs:")
    assert done.out.splitlines()[-1].startswith("Fresh: ")


@pytest.mark.long
def test_what_a_run_leaves_on_purpose_is_told_with_its_reason(company):
    company.run()
    company.run()
    done = company.command("status")
    [line] = [line for line in done.out.splitlines() if "read once a day" in line]
    assert re.fullmatch(
        r"  layouts, pipelines, tags: read once a day, last on \d+ [A-Z][a-z]{2}, \d\d:\d\d UTC", line
    )
    company.status()
    assert done.out.splitlines()[-1] == f"Fresh: {len(company.tables)} tables are fresh."


@pytest.mark.long
@pytest.mark.parametrize("name", ["status", "report"])
@pytest.mark.cases(1)
def test_quiet_is_the_line_that_sums_up_and_programs_get_it_as_an_event(company, name):
    company.run()
    loud, quiet = company.command(name), company.command(name, "-q")
    assert (quiet.code, quiet.err, quiet.out.count("\n")) == (0, "", 1)
    assert quiet.out == loud.out.splitlines(keepends=True)[-1]
    assert quiet.out.startswith("Fresh: ")
    events = company.command(name, "--log-format", "json").events
    assert (events[-1]["event"], events[-1]["state"]) == ("summary", "fresh")
    assert f"Fresh: {events[-1]['headline']}" in quiet.out
    told = company.command(name, "--log-format", "json", "-q").events
    assert [event["event"] for event in told] == ["summary"]


@pytest.mark.long
def test_files_tell_the_same_and_that_every_run_reads_all(company):
    company.monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(company.folder / "lake"))
    company.run("--destination", "filesystem")
    company.status("--destination", "filesystem")
    leads = company.tables["Leads"]
    assert (leads["state"], leads["rows"], leads["next_verify"]) == ("fresh", 3, None)
    said = company.command("status", "--destination", "filesystem").out
    assert "This destination cannot change single rows: every run reads every module whole." in said


def told_of(*words, **more):
    """The headline of tables A, B, C... with these words."""
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    tables = [
        Freshness(name, name.lower(), word, "read", now, timedelta(days=3), 1, None, **more)
        for name, word in zip("ABCDEFGH", words, strict=False)
    ]
    return str(headline(tables))


def test_the_headline_names_the_worst_first_and_what_is_no_fault_last():
    assert told_of("fresh") == "Fresh: 1 table is fresh."
    assert told_of("fresh", "skipped") == "Fresh: 1 table is fresh. Zoho no longer offers B."
    assert told_of("stale", "failing", "fresh", "differs") == (
        "Failing: B is failing; A had no good run for 3 d; D differs from the CRM's count, which the next run"
        " looks into; 1 table is fresh."
    )
    assert (
        told_of("stale", "stale") == "Stale: A and B had no good run for 3 d or longer; 0 tables are fresh."
    )
    assert told_of("failing", "failing", "failing", "fresh", "fresh") == (
        "Failing: A, B and C are failing; 2 tables are fresh."
    )


def test_a_count_that_may_be_late_is_no_fault_and_says_so():
    assert told_of("fresh", "fresh", difference=-1) == (
        "Fresh: 2 tables are fresh. In A and B the CRM's count differs from the table: the count may be late, and"
        " the next run counts again."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_800, "2 d"),
        (-5, "5 s"),
    ],
)
def test_a_span_is_told_as_exactly_as_a_person_wants_to_know(seconds, words):
    assert format_duration(timedelta(seconds=seconds)) == words

"""A command for many accounts: rows of each in its own place, one failing without the others, one exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest

from pipelines.zoho_crm.accounts.command import ORDER, worst
from simulators.zoho_crm import Field, Module, Org, serve
from tests.pipelines.zoho_crm.test_process import environment, run
from tests.support.commanding import landed

LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)
FILE = """\
[defaults]
modules = ["Leads"]
wait_for_database = "1s"

[accounts.acme]
connection_env = "ACME_ZOHO"

[accounts.acme_sandbox]
connection_env = "ACME_SANDBOX_ZOHO"

[accounts.beta]
connection_env = "BETA_ZOHO"
"""


def company(*names: str) -> Org:
    org = Org()
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    for name in names:
        org.insert("Leads", {"Last_Name": name}, modified_time=LONG_AGO)
    return org


@dataclass
class Group:
    """Three organisations that are served: one, its sandbox, and one whose token is dead."""

    folder: Path
    orgs: dict[str, Org]
    connections: dict[str, str]

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run(self.folder, *words, "--accounts", "accounts.toml", **self.connections, **more)

    def names(self, account: str) -> list[str]:
        found = landed(
            self.folder / f"zoho_{account}.duckdb",
            f"select last_name from {account}.leads order by last_name",
        )
        return [name for (name,) in found]


@pytest.fixture
def group(tmp_path):
    orgs = {"ACME_ZOHO": company("Ada", "Bob"), "ACME_SANDBOX_ZOHO": company("Test")}
    orgs["BETA_ZOHO"] = company("Never seen")
    with ExitStack() as stack:
        connections = {
            name: f"{stack.enter_context(serve(org)).connection_string}OAuthSettingsLocation=memory://;"
            for name, org in orgs.items()
        }
        connections["ACME_SANDBOX_ZOHO"] += "InstanceType=Sandbox;"
        dead = orgs["BETA_ZOHO"].tokens.refresh_token
        connections["BETA_ZOHO"] = connections["BETA_ZOHO"].replace(dead, "1000.dead.token1234567890abcdef")
        (tmp_path / "accounts.toml").write_text(FILE)
        yield Group(tmp_path, orgs, connections)


def rows_read(metrics: str, account: str) -> int:
    found = re.findall(rf'^zoho_crm_module_rows{{.*pipeline="{account}"}} (\S+)$', metrics, re.MULTILINE)
    return round(sum(map(float, found)))


def test_each_account_is_loaded_into_its_own_file_and_a_dead_token_stops_only_its_own(group):
    done = group.run("run", "--metrics-file", "zoho.prom")
    assert group.names("acme") == ["Ada", "Bob"]
    assert group.names("acme_sandbox") == ["Test"]
    tables = landed(group.folder / "zoho_beta.duckdb", "select table_name from information_schema.tables")
    assert ("leads",) not in tables
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    table = {line.split()[0]: line.split() for line in lines if line[:1].isalpha() and " | " not in line}
    metrics = (group.folder / "zoho.prom").read_text()
    read = {account: rows_read(metrics, account) for account in ("acme", "acme_sandbox")}
    assert read["acme"] - read["acme_sandbox"] == 1
    for account, rows in read.items():
        assert table[account][1:5] == ["done", "0", str(rows), "0"]
    assert table["beta"][1:3] == ["refused", "3"]
    assert lines[-1] == f"3 accounts: 2 done, 1 refused; {sum(read.values())} rows."
    errors = done.stderr.splitlines()
    assert errors[-1] == "Error: 1 of 3 accounts: beta (refused)."
    assert all(line.startswith("beta         | ") for line in errors[:-1])
    assert "Zoho does not know this refresh token" in errors[0]
    for account, code in (("acme", "0.0"), ("acme_sandbox", "0.0"), ("beta", "3.0")):
        assert f'zoho_crm_run_exit_code{{pipeline="{account}"}} {code}\n' in metrics
    assert 'zoho_crm_module_rows{module="Leads",pipeline="acme"} 2.0\n' in metrics
    assert "dead.token" not in done.stdout + done.stderr + metrics


@pytest.mark.long
def test_a_later_run_of_one_account_reads_what_changed_and_leaves_the_others_metrics(group):
    group.run("run", "--metrics-file", "zoho.prom")
    group.orgs["ACME_ZOHO"].insert("Leads", {"Last_Name": "Cleo"})
    done = group.run("run", "--metrics-file", "zoho.prom", "--only", "acme", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.splitlines()[-1].startswith("1 account: 1 done; ")
    assert group.names("acme") == ["Ada", "Bob", "Cleo"]
    metrics = (group.folder / "zoho.prom").read_text()
    assert 'zoho_crm_module_rows{module="Leads",pipeline="acme"} 1.0\n' in metrics
    assert 'zoho_crm_module_rows{module="Leads",pipeline="acme_sandbox"} 1.0\n' in metrics
    assert 'zoho_crm_run_exit_code{pipeline="beta"} 3.0\n' in metrics


@pytest.mark.long
def test_a_secret_that_is_not_there_is_named_and_the_others_run(group):
    del group.connections["BETA_ZOHO"]
    done = group.run("run", "--log-format", "json")
    assert done.returncode == 2
    assert group.names("acme") == ["Ada", "Bob"]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    accounts = {event["account"]: event for event in events if event["event"] == "account"}
    assert accounts["beta"]["message"] == (
        "The connection of beta is not there: connection_env names BETA_ZOHO, which is neither in the environment nor"
        " in .env."
    )
    assert accounts["acme"]["exit_code"] == 0
    tables = [event for event in events if event["event"] == "table" and event["module"] == "Leads"]
    assert {event["account"]: event["rows"] for event in tables} == {"acme": 2, "acme_sandbox": 1}
    rows = accounts["acme"]["rows"] + accounts["acme_sandbox"]["rows"]
    assert {key: events[-1][key] for key in ("event", "accounts", "not_done", "rows", "exit_code")} == {
        "event": "summary",
        "accounts": 3,
        "not_done": 1,
        "rows": rows,
        "exit_code": 2,
    }


@pytest.mark.long
def test_connections_may_stand_in_the_env_file(group):
    lines = [f"{name}='{value}'\n" for name, value in group.connections.items()]
    (group.folder / ".env").write_text("".join(lines) + "SOURCES__ZOHO_CRM__CREDENTIALS='Region=Mars'\n")
    done = run(group.folder, "--accounts", "accounts.toml", "--only", "acme,acme_sandbox")
    assert (done.returncode, done.stderr) == (0, "")
    assert (group.names("acme"), group.names("acme_sandbox")) == (["Ada", "Bob"], ["Test"])


@pytest.mark.long
def test_dlt_s_own_settings_of_another_account_and_file_are_not_mixed_in(group):
    (group.folder / ".dlt").mkdir()
    (group.folder / ".dlt" / "secrets.toml").write_text(
        '[sources.zoho_crm.credentials]\noauth_refresh_token = "1000.of.a.third.account"\nread_api = "COQL"\n'
        '[destination.duckdb.credentials]\ndatabase = "other.duckdb"\n'
    )
    done = group.run("run", "--only", "acme,acme_sandbox")
    assert (done.returncode, done.stderr) == (0, "")
    assert (group.names("acme"), group.names("acme_sandbox")) == (["Ada", "Bob"], ["Test"])
    assert not (group.folder / "other.duckdb").exists()


@pytest.mark.long
def test_verify_repairs_each_account(group):
    group.run("run", "--only", "acme,acme_sandbox")
    with duckdb.connect(str(group.folder / "zoho_acme.duckdb")) as database:
        database.execute("delete from acme.leads where last_name = 'Ada'")
    found = group.run("verify", "--only", "acme,acme_sandbox")
    assert (found.returncode, found.stdout.splitlines()[-1].partition(";")[0]) == (
        4,
        "2 accounts: 1 done, 1 differs",
    )
    repaired = group.run("verify", "--only", "acme,acme_sandbox", "--repair")
    assert repaired.returncode in (0, 4)
    assert group.names("acme") == ["Ada", "Bob"]


@pytest.mark.long
def test_accounts_in_one_duckdb_file_are_loaded_one_after_the_other(group):
    text = FILE.replace('_ZOHO"\n', '_ZOHO"\ndatabase = "all.duckdb"\n')
    (group.folder / "accounts.toml").write_text(text)
    done = group.run("run", "--only", "acme,acme_sandbox", "--parallel", "2")
    assert (done.returncode, done.stderr) == (0, "")
    both = landed(
        group.folder / "all.duckdb",
        "select last_name from acme.leads union all select last_name from acme_sandbox.leads order by 1",
    )
    assert both == [("Ada",), ("Bob",), ("Test",)]


@pytest.mark.long
def test_the_commands_that_look_do_so_for_each_account(group):
    group.run("run", "--only", "acme,acme_sandbox")
    planned = group.run("plan", "--quiet")
    assert planned.returncode == 3
    told = [line for line in planned.stdout.splitlines() if " | " in line]
    assert [line.split(" | ")[0].strip() for line in told] in (
        ["acme", "acme_sandbox"],
        ["acme_sandbox", "acme"],
    )
    assert all("Nothing was loaded." in line for line in told)
    status = group.run("status", "--log-format", "json", "--only", "acme,acme_sandbox")
    events = [json.loads(line) for line in status.stdout.splitlines()]
    rows = {event["account"]: event["rows"] for event in events if event.get("table") == "leads"}
    assert (status.returncode, rows) == (0, {"acme": 2, "acme_sandbox": 1})
    checked = group.run("check", "--only", "beta")
    assert checked.returncode == 3
    assert "beta | " in checked.stdout


@pytest.mark.long
def test_report_writes_a_page_for_each_account_and_one_that_leads_to_them(group):
    group.run("run")
    done = group.run("report", "--output", "pages")
    assert done.returncode == 2
    folder = group.folder / "pages"
    assert sorted(path.name for path in folder.iterdir()) == ["acme.html", "acme_sandbox.html", "index.html"]
    index = (folder / "index.html").read_text()
    assert '<a href="acme.html"><bdi>acme</bdi></a>' in index
    assert '<span class="badge fresh">fresh</span>' in index
    assert "No run has come to its end here (dataset beta in duckdb)" in index
    assert "leads" in (folder / "acme.html").read_text()


# Whoever runs the tests may ignore the signal, which processes inherit.
WITH_SIGINT = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from pipelines.zoho_crm.__main__ import main; main()"
)


@contextmanager
def waiting_for_zoho(group):
    """A run of two accounts, one after the other, in which the first one waits for Zoho."""
    fault = {"status": 429, "headers": {"Retry-After": "50"}}
    group.orgs["ACME_ZOHO"].faults.add("GET /crm/v8/settings/modules", **fault)
    words = ["--accounts", "accounts.toml", "--parallel", "1", "--only", "acme,acme_sandbox"]
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_SIGINT, "run", *words],
        cwd=group.folder,
        env=environment(group.folder, **group.connections),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("acme         | ")  # it tells that it waits
        yield process


@pytest.mark.long
def test_one_signal_ends_all_accounts_cleanly_and_starts_no_more(group):
    with waiting_for_zoho(group) as process:
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "2 accounts: 2 interrupted" in said
    assert "It was not started." in said
    assert "Interrupted. What was loaded stays; the next run reads the rest again." in errors.splitlines()[-1]
    assert not (group.folder / "zoho_acme_sandbox.duckdb").exists()


@pytest.mark.long
def test_an_account_whose_process_is_killed_is_told_and_the_others_run(group):
    with waiting_for_zoho(group) as process:
        (child,) = children_of(process.pid)
        assert not secrets_in_process_list(group)
        os.kill(child, signal.SIGKILL)
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "The process was ended by signal 9." in said
    assert errors.splitlines()[-1] == "Error: 1 of 2 accounts: acme (failed)."
    assert group.names("acme_sandbox") == ["Test"]


def children_of(pid: int) -> list[int]:
    """By the fourth field of /proc/PID/stat."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        fields = _read(file).decode("utf-8", "replace").rpartition(")")[2].split()
        if fields[1:2] == [str(pid)]:
            found.append(int(file.parent.name))
    return found


def secrets_in_process_list(group: Group) -> list[str]:
    shown = [_read(file) for file in Path("/proc").glob("[0-9]*/cmdline")]
    secrets = [org.tokens.refresh_token for org in group.orgs.values()]
    return [secret for secret in secrets if any(secret.encode() in words for words in shown)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--only", "acme"], "--only and --parallel go with --accounts: name its file."),
        (
            ["--accounts", "a.toml", "--demo"],
            "--demo: of one account; --accounts has those of each in its file.",
        ),
        (["--accounts", "a.toml", "--dataset", "x"], "--dataset: of one account;"),
        (
            ["--accounts", "a.toml"],
            "The file a.toml of --accounts cannot be read: No such file or directory.",
        ),
    ],
)
@pytest.mark.cases(1)
def test_options_that_contradict_each_other_start_nothing(words, sentence, tmp_path):
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 6), 6),
        ((6, 5), 5),
        ((5, 1, 0), 1),
        ((1, 3), 3),
        ((3, 2, 1), 2),
        ((2, 130), 130),
    ],
)
def test_the_worst_exit_code_is_that_of_all(codes, code):
    assert worst(codes) == code


def test_every_exit_code_has_its_place_in_the_order_and_the_reference_tells_it():
    reference = Path(__file__).parents[4].joinpath("docs", "reference.md").read_text()
    assert ", ".join(str(code) for code in reversed(ORDER)) in reference

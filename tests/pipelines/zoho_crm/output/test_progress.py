"""How far a run is, in lines: which ones, for whom, and that a view is chosen only where it can be seen."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.output.live_progress import LiveProgress
from pipelines.zoho_crm.output.progress import choose_progress
from pipelines.zoho_crm.run.progress import LogProgress, Progress
from sources.zoho_crm.sync.tables import Table
from tests.pipelines.zoho_crm.output.test_run_report import reading
from tests.pipelines.zoho_crm.test_cli import account
from tests.support.commanding import DATE, command, shop

__all__ = ["account", "command"]  # fixtures

LEADS = Table("Leads", "leads", (), lambda folder, watch: reading(), 3)


@pytest.fixture
def org():
    return shop()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("preferred_api", "log_format", "stdout", "term", "kind"),
    [
        ("auto", "text", io.StringIO, "xterm", LogProgress),
        ("auto", "text", Terminal, "xterm", LiveProgress),
        ("auto", "text", Terminal, "dumb", LogProgress),
        ("auto", "json", Terminal, "xterm", LogProgress),
        ("bar", "json", Terminal, "xterm", LogProgress),
        ("bar", "text", io.StringIO, "xterm", LogProgress),
        ("bar", "text", Terminal, "xterm", LiveProgress),
        ("log", "text", Terminal, "xterm", LogProgress),
        ("off", "text", Terminal, "xterm", Progress),
    ],
)
def test_auto_is_a_view_on_a_terminal_and_lines_elsewhere(
    preferred_api, log_format, stdout, term, kind, monkeypatch
):
    monkeypatch.setattr(sys, "stdout", stdout())
    monkeypatch.setenv("TERM", term)
    assert type(choose_progress(preferred_api, Console(log_format))) is kind


def test_who_wants_it_quiet_sees_no_progress(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert type(choose_progress("bar", Console(quiet=True))) is Progress


def test_a_log_has_one_line_a_table_when_it_is_done(capsys):
    log = LogProgress(Console())
    watch = log.watch(LEADS)
    watch.waits("QUEUED")
    watch.rows(1234)
    with log("Load zoho_crm"):
        log.update("Jobs", 1, total=3)
    log.done(reading())
    log.done(reading("Calls", rows=None).end("failed", "it broke off"))
    log.close()
    assert re.sub(DATE, "", capsys.readouterr().out, flags=re.MULTILINE) == (
        "Leads: 1,234 rows in 2.5 s by bulk\nCalls: failed: it broke off\n"
    )


def test_a_log_that_is_to_say_more_names_each_way_station_once(capsys):
    watch = LogProgress(Console(), verbose=True).watch(LEADS)
    for state in ("ADDED", "IN PROGRESS", "IN PROGRESS", "COMPLETED"):
        watch.waits(state)
    for size in (0, 100, 100):
        watch.downloads(size)
    watch.rows(10)
    watch.rows(-10)
    assert re.sub(DATE, "", capsys.readouterr().out, flags=re.MULTILINE).splitlines() == [
        "Leads: waiting at Zoho: ADDED",
        "Leads: waiting at Zoho: IN PROGRESS",
        "Leads: waiting at Zoho: COMPLETED",
        "Leads: downloading",
        "Leads: reading",
    ]


def test_a_log_for_programs_is_an_event_a_table(capsys):
    LogProgress(Console("json")).done(reading())
    event = json.loads(capsys.readouterr().out)
    assert event.pop("time").endswith("+00:00")
    assert event == {
        "event": "read",
        "module": "Leads",
        "table": "leads",
        "status": "read",
        "rows": 1234,
        "seconds": 2.5,
        "api": "bulk",
        "error": None,
    }


def test_no_progress_prints_nothing(capsys):
    progress = choose_progress("off", Console())
    with progress("Load"):
        progress.update("Jobs", 1)
    progress.watch(LEADS).rows(3)
    progress.done(reading())
    progress.close()
    assert capsys.readouterr().out == ""


def test_a_run_for_programs_tells_when_it_begins_each_table_and_the_end_each_with_its_time(account, command):
    done = command("--modules", "Leads,Deals", "--log-format", "json")
    events = [event["event"] for event in done.events]
    assert events[0] == "start"
    assert events[-1] == "summary"
    read = {event["module"]: event["rows"] for event in done.events if event["event"] == "read"}
    assert (read["Leads"], read["Deals"]) == (3, 1)
    start, summary = done.events[0], done.events[-1]
    assert (start["modules"], start["rows_expected"]) == (2, 4)
    assert summary["credits_expected"] == start["credits_expected"] > 0
    assert all(event["time"][10] == "T" for event in done.events)


@pytest.mark.long
def test_quiet_is_the_last_line_and_nothing_else(account, command):
    done = command("-q", "--modules", "Leads")
    assert (done.code, done.err) == (0, "")
    assert len(done.out.splitlines()) == 1
    assert done.out.endswith("0 failed.\n")
    assert [e["event"] for e in command("-q", "--log-format", "json").events] == ["summary"]
    assert len(command("plan", "--quiet").out.splitlines()) == 1
    assert len(command("modules", "-q").out.splitlines()) == 1


def test_quiet_still_tells_what_went_wrong(org, account, command):
    org.faults.add(
        "GET /crm/v8/{module}", module="Deals", times=99, status=400, body={"code": "X", "status": "error"}
    )
    done = command("-q", "--modules", "Leads,Deals")
    assert done.code == 1
    assert done.err.startswith("Error: Deals: 400 X ")
    assert done.out.count("\n") == 1


def test_an_error_that_ends_a_run_is_an_event_too(command):
    done = command("--connection", "Region=Mars", "--log-format", "json")
    assert done.code == 2
    assert [(e["event"], e["exit_code"]) for e in done.events] == [("error", 2)]
    assert done.err == f"Error: {done.events[0]['error']}\n"

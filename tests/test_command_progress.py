"""How far a run is: lines for a log, a bar for a terminal, and threads that do not get in each other's way."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.progress import BarProgress, LogProgress, Progress, choose_progress
from tests.test_report import reading


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("wish", "log_format", "stdout", "kind"),
    [
        ("auto", "text", io.StringIO, LogProgress),
        ("auto", "text", Terminal, BarProgress),
        ("auto", "json", Terminal, LogProgress),
        ("bar", "json", Terminal, LogProgress),
        ("bar", "text", io.StringIO, BarProgress),
        ("log", "text", Terminal, LogProgress),
        ("off", "text", Terminal, Progress),
    ],
)
def test_auto_is_a_bar_on_a_terminal_and_lines_elsewhere(wish, log_format, stdout, kind, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stdout())
    assert type(choose_progress(wish, Console(log_format))) is kind


def test_a_log_has_one_line_a_table_when_it_is_done(capsys):
    log = LogProgress(Console())
    log.update("leads", 200, total=1234, label="bulk")
    with log("Load zoho_crm"):
        log.update("Jobs", 1, total=3)
    log.done(reading())
    log.done(reading("Calls", rows=None).end("failed", "it broke off"))
    log.close()
    assert capsys.readouterr().out == "Leads: 1,234 rows in 2.5 s by bulk\nCalls: failed: it broke off\n"


def test_a_log_for_programs_is_an_event_a_table(capsys):
    LogProgress(Console("json")).done(reading())
    assert '{"event": "read", "module": "Leads", "table": "leads", "status": "read", "rows": 1234' in (
        capsys.readouterr().out
    )


def test_no_progress_prints_nothing(capsys):
    progress = choose_progress("off", Console())
    with progress("Load"):
        progress.update("Jobs", 1)
    progress.done(reading())
    progress.close()
    assert capsys.readouterr().out == ""


@pytest.fixture
def bar(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    progress = BarProgress()
    yield progress
    progress.close()


def shown(bar):
    return {task.description: (task.completed, task.total) for task in bar._bars.tasks}


def test_a_bar_has_a_line_a_table_that_goes_when_it_is_done(bar):
    bar.update("leads", 200, total=1234, label="bulk")
    bar.update("leads", 200, total=1234, label="bulk")
    bar.update("deals", 5, label="records")
    assert shown(bar) == {"leads (bulk)": (400, 1234), "deals (records)": (5, None)}
    bar.done(reading())
    assert shown(bar) == {"deals (records)": (5, None)}


def test_a_table_that_dlt_takes_is_whole(bar):
    bar.update("leads", 200, label="bulk")
    bar.update("deals", 5, label="records")
    with bar("Extract"):
        bar.update("Resources", 0, total=1)
        bar.update("leads", 200)
    assert shown(bar) == {"deals (records)": (5, None)}


def test_loading_is_one_line_until_it_ends(bar):
    bar.update("leads", 200, label="bulk")
    with bar("Load"):
        bar.update("Jobs", 1, total=3)
        bar.update("Jobs", 1, inc_total=2)
        bar.update("leads.x.parquet", 1, label="Failed")
        assert shown(bar) == {"leads (bulk)": (200, None), "loading": (2, 5)}
    assert shown(bar) == {"leads (bulk)": (200, None)}


def test_a_bar_counts_right_from_many_threads(bar):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: bar.update(f"table_{n % 4}", 1, label="bulk"), range(400)))
    assert {count for count, _ in shown(bar).values()} == {100}


def test_a_closed_bar_stays_closed_and_leaves_a_clean_screen(bar):
    bar.update("leads", 200, label="bulk")
    bar.close()
    bar.update("leads", 200, label="bulk")
    assert shown(bar) == {"leads (bulk)": (200, None)}
    assert bar._bars.finished is False
    assert not bar._bars.live.is_started

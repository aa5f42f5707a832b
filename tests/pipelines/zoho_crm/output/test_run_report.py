"""The report: every table, every skip with its reason, every note, and a last line that sums it up."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.zoho_crm.console import Console, aligned, counted, plain
from pipelines.zoho_crm.output.run_report import WHY_IT_DIFFERS, print_report, summary
from pipelines.zoho_crm.run.run_result import RunResult
from sources.zoho_crm.client.context import ApiUsage
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.models import Module, Skip
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.transform.parquet_writer import ParquetFile

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def reading(name="Leads", rows=1234, crm_count=1234, **given):
    found = ExtractResult(name, name.lower(), "bulk", "5,000 rows: 54 credits, Records takes 90", **given)
    found.crm_count, found.usage = crm_count, ApiUsage(5, 54)
    found.started, found.finished = START, START + timedelta(seconds=2.5)
    if rows is not None:
        found.parquet_file = ParquetFile(Path("x"), rows, pa.schema([]))
    return found


def finished(*readings, **given):
    run = RunResult(readings=list(readings), started=START, finished=START + timedelta(seconds=61), **given)
    run.calls, run.credits = 12, 1340
    return run


def report(run, capsys, *, verbose=False, **given):
    print_report(Console(verbose=verbose), run, **given)
    return capsys.readouterr().out.splitlines()


def test_one_table_with_a_row_for_each_reading(capsys):
    lines = report(finished(reading()), capsys)
    assert [line.split() for line in lines[1:3]] == [
        [
            "module",
            "table",
            "API",
            "reason",
            "rows",
            "deleted",
            "in",
            "table",
            "CRM",
            "count",
            "seconds",
            "calls",
            "credits",
            "status",
        ],
        [
            "Leads",
            "leads",
            "bulk",
            "5,000",
            "rows:",
            "54",
            "credits,",
            "Records",
            "takes",
            "90",
            "1,234",
            "1,234",
            "2.5",
            "5",
            "54",
            "read",
        ],
    ]
    assert WHY_IT_DIFFERS not in lines


def test_a_count_of_the_crm_that_differs_is_marked_and_explained(capsys):
    lines = report(finished(reading(crm_count=1300), reading("Notes", crm_count=None)), capsys)
    assert " 1,234                       * 1,300 " in lines[2]
    assert WHY_IT_DIFFERS in lines


def test_skips_of_one_reason_share_a_line_and_failures_and_notes_are_told(capsys):
    offline = "Zoho does not offer it by API"
    left = reading("Tasks", rows=None).end("skipped", "403 NO_PERMISSION")
    broken = reading("Calls", rows=None).end("failed", "it broke off")
    noted = reading()
    noted.notes.refused["Colour"] = "FIELD_NOT_SUPPORTED"
    run = finished(noted, left, broken)
    run.skips = [Skip(Module("Home"), offline), Skip(Module("Feeds"), offline)]
    run.failures = [Skip(Module("Odd"), "500 INTERNAL_ERROR")]
    lines = report(run, capsys)
    for line in (
        f"  Home, Feeds: {offline}",
        "  Tasks: 403 NO_PERMISSION",
        "  Calls: it broke off",
        "  Odd: 500 INTERNAL_ERROR",
        "  Leads: field Colour left out: FIELD_NOT_SUPPORTED",
    ):
        assert line in lines
    assert lines[-1] == "1 table, 1,234 rows in 61.0 s: 12 calls, 1,340 credits; 3 skipped, 2 failed."


def test_fields_that_are_no_columns_are_named_when_few(capsys):
    few = Plan(Module("Leads"), "leads", "bulk", (), "", left_out=(("Home", "in parts"),))
    many = Plan(
        Module("Deals"), "deals", "bulk", (), "", left_out=tuple((f"F{n}", "in parts") for n in range(6))
    )
    run = finished(reading(plan=few), reading("Deals", plan=many))
    assert {"  Leads: Home: in parts", "  Deals: 6 fields: in parts"} <= set(report(run, capsys))
    assert "  Deals: F0, F1, F2, F3, F4, F5: in parts" in report(run, capsys, verbose=True)


def test_the_last_line_tells_the_credits_that_are_left():
    assert "1,340 credits (4,000 left today); 0 skipped, 0 failed." in summary(
        finished(credits_remaining=4000)
    )


def test_a_remark_stands_above_the_last_line(capsys):
    assert report(finished(), capsys, remark="A simulated Zoho.")[-2] == "A simulated Zoho."


def test_for_programs_every_fact_is_an_object_and_the_sums_come_last(capsys):
    run = finished(reading(), reading("Calls", rows=None).end("failed", "it broke off"))
    run.skips = [Skip(Module("Home"), "not by API")]
    print_report(Console("json"), run)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["table", "table", "skip", "failure", "summary"]
    assert events[0]["rows"] == 1234
    assert events[1]["error"] == "it broke off"
    assert events[-1]["tables"] == 1


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal of some width."""

    def of(width):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")

    return of


@pytest.mark.parametrize("width", [0, 60, 99, 100, 120, 200])
def test_no_cell_is_cut_at_any_width(width, terminal, capsys):
    if width:
        terminal(width)
    Console().table(("module", "reason", "rows"), [("A_long_name_of_a_module", "because " * 30, 1234567)])
    shown = "".join(letter for letter in capsys.readouterr().out if letter.isalnum())
    assert "Alongnameofamodule" in shown
    assert shown.count("because") == 30
    assert "1234567" in shown


def test_a_wide_terminal_gets_colours_and_a_rule_and_no_color_is_honoured(terminal, capsys, monkeypatch):
    terminal(120)
    Console().table(("module",), [("Leads",)])
    assert "\x1b[1m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    Console().table(("module",), [("[red]Leads",)])
    plain_table = capsys.readouterr().out
    assert "\x1b" not in plain_table
    assert "[red]Leads" in plain_table


def test_numbers_stand_on_the_right_and_wide_letters_take_their_room():
    rows = [["客户", "rows"], ["Leads", "12"]]
    assert aligned(rows, [False, True]) == ["客户   rows", "Leads    12"]


def test_what_zoho_sends_cannot_move_the_cursor():
    assert plain("a\x1b[2Jb\r\nc\u202ed") == r"a\u001b[2Jb\u000d c\u202ed"


@pytest.mark.parametrize(("number", "told"), [(0, "0 rows"), (1, "1 row"), (2000, "2,000 rows")])
def test_one_is_not_many(number, told):
    assert counted(number, "row") == told

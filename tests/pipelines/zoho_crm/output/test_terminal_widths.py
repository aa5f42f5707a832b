"""What each command shows on a terminal: no line is wider, what matters is there, and a pipe gets all of it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest
from rich.cells import cell_len

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.output.run_report import COLUMNS, print_report
from pipelines.zoho_crm.streams import remark
from pipelines.zoho_crm.wrapping import wrapped
from sources.zoho_crm.models import Module, Skip
from sources.zoho_crm.planning.plan import Plan
from tests.pipelines.zoho_crm.output.terminal import Terminal
from tests.pipelines.zoho_crm.output.test_run_report import finished, reading
from tests.support.commanding import DATE, account, command, shop

__all__ = ["account", "command"]  # fixtures

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDE = "Lighthouses_X_Products_of_the_North"
CHANGED, FAILED = 5, ("Invoices", "客户反馈", WIDE)


@pytest.fixture
def org():
    return shop()


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal of some width."""

    def of(width):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")

    return of


def lines_of(out):
    return [line.rstrip() for line in ESCAPES.sub("", out).splitlines()]


def widest(lines):
    """Of the lines with more than one word: a path or an address is not broken."""
    return max(cell_len(line) for line in lines if " " in line.strip())


def module(name, *, rows, before=True, error=None, **given):
    plan = Plan(Module(name), name.lower(), "bulk", (), "", loaded_before=before)
    found = reading(name, rows=rows, crm_count=None, plan=plan, **given)
    return found.end("failed", error) if error else found


def forty(*, first=False):
    """Forty modules, and the account's own tables, which hold what they held."""
    readings = [module(f"Module_{n}", rows=n * 100_000, before=False) for n in range(40)]
    if not first:
        changed = [module(f"Module_{n}", rows=1_234_567, deleted_rows=1_000) for n in range(CHANGED)]
        lost = [module(name, rows=None, error="500 INTERNAL_ERROR: it broke off " * 4) for name in FAILED]
        readings = [*changed, *lost, *(module(f"Module_{n}", rows=0) for n in range(8, 40))]
    ours = [replace(reading("users", crm_count=None), unchanged=not first)]
    return finished(*readings, *ours, skips=[Skip(Module(f"Odd_{n}"), "not by API") for n in range(30)])


def printed(run, capsys, **given):
    print_report(Console(**given), run)
    return lines_of(capsys.readouterr().out)


def test_a_run_of_forty_modules_fits_one_screen_with_what_changed_and_all_that_failed(terminal, capsys):
    terminal(80)
    lines = printed(forty(), capsys)
    assert widest(lines) <= 80
    assert len(lines) <= 24
    rows = {line.split()[0]: line.split() for line in lines if line}
    assert [rows[f"module_{n}"][1:3] for n in range(CHANGED)] == [["1,234,567", "1,000"]] * CHANGED
    assert "33 other tables: nothing new, or not due." in lines
    assert not any("module_20" in line for line in lines)
    for name in FAILED:
        assert rows[name.lower()][-1] == "failed"
        assert any(name in line for line in lines[lines.index("Failed:") :])
    assert lines.index("Failed:") > lines.index("30 skipped: `status` says why.")


def test_a_first_run_shows_every_table(terminal, capsys):
    terminal(80)
    lines = printed(forty(first=True), capsys)
    assert widest(lines) <= 80
    assert {f"module_{n}" for n in range(40)} | {"users"} <= {line.split()[0] for line in lines if line}
    assert not any("nothing new" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_who_wants_all_gets_every_table_and_every_column_at_any_width(width, terminal, capsys):
    terminal(width)
    lines = printed(forty(), capsys, verbose=True)
    assert widest(lines) <= width
    heads = " ".join(line for n, line in enumerate(lines[:-1]) if lines[n + 1].startswith("──"))
    words = {word for column in COLUMNS for word in column.split()}
    assert words <= set(heads.split()) or width == 40  # where a name of a column is wrapped, too
    shown = "".join(lines).replace(" ", "")
    assert all(f"module_{n}" in shown for n in range(8, 40))


def test_a_pipe_gets_whole_lines_all_tables_and_all_columns(capsys):
    lines = printed(forty(), capsys)
    head = next(line for line in lines if line.startswith("module"))
    assert re.split(r"  +", head) == [*COLUMNS]
    rows = [line for line in lines if "5,000 rows: 54 credits, Records takes 90" in line]
    assert len(rows) == 41
    right = head.index("status")
    assert {cell_len(row[: row.rindex("  ")]) + 2 for row in rows} == {right}


def test_a_count_that_differs_is_shown_where_nothing_else_has_changed(terminal, capsys):
    terminal(80)
    lost = module("Accounts", rows=0)
    lost.crm_count = 13
    run = finished(lost, module("Deals", rows=0), table_counts={"accounts": 12, "deals": 3})
    lines = printed(run, capsys)
    assert re.search(r"\b12 +\* 13\b", next(line for line in lines if line.startswith("accounts")))
    assert "1 other table: nothing new, or not due." in lines


def test_a_module_asked_for_by_name_is_skipped_with_its_reason(terminal, capsys):
    terminal(80)
    run = finished(named=frozenset({"Odd"}), skips=[Skip(Module("Odd"), "not by API")])
    assert "  Odd: not by API" in printed(run, capsys)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    "words",
    [
        ("run", "--progress", "log"),
        ("plan",),
        ("modules",),
        ("modules", "--modules", "Leads,Deals"),
        ("verify", "--progress", "off"),
        ("status",),
        ("check",),
    ],
    ids=" ".join,
)
@pytest.mark.cases(2)
def test_no_line_of_a_command_is_wider_than_the_terminal(words, width, account, command, terminal):
    if words[0] in ("status", "verify"):
        assert command("run", "--progress", "off").code == 0
    terminal(width)
    done = command(*words)
    assert done.code == 0, done.err
    lines = lines_of(done.out)
    assert widest(lines) <= width
    assert any("Leads" in line or line.startswith("leads") for line in lines) or words[0] == "verify"


@pytest.mark.long
def test_tables_of_the_account_that_hold_what_they_held_are_counted_only(account, command, terminal):
    terminal(80)
    first, second = (lines_of(command("run", "--progress", "off").out) for _ in range(2))
    ours = {"users", "org", "roles", "profiles", "modules", "fields"}
    assert ours <= {line.split()[0] for line in first if line}
    assert not ours & {line.split()[0] for line in second if line}
    assert "10 other tables: nothing new, or not due." in second
    assert "3 skipped (Secrets, currencies, territories): `status` says why." in second


def test_log_lines_are_dated_and_those_for_programs_are_as_they_were(account, command):
    told = command("run", "--progress", "log", "--modules", "Leads").out.splitlines()
    dated = [re.sub(DATE, "", line) for line in told if re.match(DATE, line)]
    assert dated[0].startswith("Reading 1 module, ")
    assert any(line.startswith("Leads: 3 rows in ") for line in dated)
    events = command("run", "--log-format", "json", "--modules", "Leads").events
    assert {"start", "read", "table", "summary"} <= {event["event"] for event in events}
    assert {event["status"] for event in events if event["event"] == "table"} <= {"read", "kept"}


@pytest.mark.long
def test_a_run_on_a_real_terminal_of_80_columns(tmp_path):
    for _ in range(2):
        terminal = Terminal(tmp_path, "--demo", "--modules", "Vendors,Products", columns=80)
        assert terminal.end() == 0
        report = lines_of(terminal.raw.decode().replace("\r\n", "\n").rpartition("\r")[2])
        assert widest(report) <= 80
        assert any(line.startswith("products ") for line in report)


def test_words_are_wrapped_whole_and_what_is_one_word_is_not_broken():
    address = "https://accounts.zoho.com/oauth/v2/auth?" + "x" * 60
    assert wrapped(f"  Leads: open {address} and press Accept", 40) == [
        "  Leads: open",
        f"    {address}",
        "    and press Accept",
    ]
    assert wrapped("客户反馈 客户反馈", 10) == ["客户反馈", "  客户反馈"]
    assert wrapped("a " * 100, 0) == ["a " * 100]


def test_an_error_on_a_terminal_is_wrapped_too_and_in_a_file_it_is_one_line(monkeypatch, capsys):
    remark("Error: " + "because " * 20)
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    remark("Error: " + "because " * 20)
    told = capsys.readouterr().err
    assert told.split().count("because") == 20
    assert widest(told.splitlines()) <= 80

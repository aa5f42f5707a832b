"""What the live view shows: each way station of a table, what fits on a terminal of any size, and an honest footer."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from types import SimpleNamespace

import pyte
import pytest
from rich.cells import cell_len
from rich.console import Console

from pipelines.zoho_crm.output.live_progress import LiveProgress, rough
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.models import Module
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.sync.tables import Table
from tests.support.commanding import shop


class Clock:
    """Goes on when a test says so."""

    seconds = 0.0

    def __call__(self):
        return self.seconds


NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def table(name, rows=1000, api="bulk", until=NOON):
    plan = None if rows is None else Plan(Module(name), name.lower(), api, (), "", rows=rows, until=until)
    return Table(
        name, name.lower(), (), lambda folder, watch: ExtractResult(name, name.lower(), "", ""), 1, plan
    )


def board_of(*tables):
    clock = Clock()
    live = LiveProgress(Console(file=io.StringIO(), force_terminal=True, color_system=None), clock)
    live.clock = clock
    live.display.expect(tables)
    return live


def shown(live, width=120, height=24, spent=54, left=None):
    """The lines, as a person sees them on a terminal of that size; each check of size is made for every view."""
    live.display.context = SimpleNamespace(spent=spent, credits_remaining=left)
    console = live.display.console
    console.size = (width, height)
    console.file = io.StringIO()
    console.print(live.display.get_renderable())
    screen = pyte.Screen(max(2, width), max(2, height))
    pyte.Stream(screen).feed(console.file.getvalue().replace("\n", "\r\n"))
    lines = console.file.getvalue().splitlines()
    assert len(lines) < max(2, height)
    assert all(cell_len(line) < max(2, width) for line in lines)
    seen = [line.rstrip() for line in screen.display]
    while seen and not seen[-1]:
        seen.pop()
    return seen


def row(board, name="Leads", **size):
    return (
        next(line for line in shown(board, **size) if line.startswith(name)).split(maxsplit=1)[1].split("  ")
    )


def cells(board, name="Leads"):
    return [cell.strip() for cell in row(board, name) if cell.strip()]


def watch(live, table):
    return live.watch(SimpleNamespace(table=table))


def ended(name, status="read", error=None):
    return ExtractResult(name, name.lower(), "bulk", "").end(status, error)


def test_a_table_goes_from_way_station_to_way_station():
    board = board_of(table("Leads"))
    assert cells(board) == ["to come", "1,000 rows", "bulk"]
    leads = watch(board, "leads")
    assert cells(board) == ["asking", "0 of 1,000", "0:00:00", "bulk"]
    for state, told in (
        ("ADDED", "queued"),
        ("IN PROGRESS", "at work"),
        ("COMPLETED", "ready"),
        ("ODD", "odd"),
    ):
        leads.waits(state)
        assert cells(board)[0] == f"Zoho: {told}"
    board.clock.seconds = 63
    leads.downloads(0)
    leads.downloads(2_500_000)
    assert cells(board)[0] == "downloading 2.5 MB"
    leads.rows(630)
    assert cells(board) == ["reading", "630 of 1,000", "10/s", "0:01:03", "bulk"]
    leads.rows(-30)
    assert cells(board)[1] == "600 of 1,000"
    board.display.set("leads", "read")
    assert cells(board)[0] == "waiting to load"
    board.display.set("leads", "loading")
    board.clock.seconds = 99
    board.done(ended("Leads"))
    assert cells(board) == ["done", "600 rows", "10/s", "0:01:03", "bulk"]


@pytest.mark.parametrize(
    ("status", "told"), [("failed", "failed"), ("skipped", "left out"), ("kept", "left out")]
)
def test_a_table_that_does_not_come_says_so(status, told):
    board = board_of(table("Leads"), table("Deals"))
    board.done(ended("Leads", status, "why"))
    assert cells(board)[0] == told
    assert ("1 failed" in shown(board)[-2]) == (status == "failed")


def test_the_footer_tells_what_is_done_and_what_it_cost():
    board = board_of(table("Leads"), table("Deals"))
    watch(board, "leads").rows(1000)
    board.done(ended("Leads"))
    board.clock.seconds = 4
    assert shown(board, spent=1, left=3766)[-2] == (
        "1 of 2 done · 1,000 rows · 250/s · 1 credit (3,766 left today) · 0:00:04"
    )


def test_the_time_left_is_told_only_when_somebody_can_know():
    board = board_of(table("Leads", 8_000_000), table("Deals", 8_000_000))
    board.clock.seconds = 100
    watch(board, "leads").rows(100_000)
    assert "left" not in shown(board)[-2]
    watch(board, "leads").rows(3_900_000)
    assert shown(board)[-2].endswith("about 5 min left")
    for name in ("Leads", "Deals"):
        board.done(ended(name))
    assert "left" not in shown(board)[-2]


@pytest.mark.parametrize(
    ("seconds", "told"), [(1, "5 s"), (33, "35 s"), (61, "1 min"), (3599, "60 min"), (9000, "2.5 h")]
)
def test_what_is_left_is_told_no_more_exactly_than_it_is_known(seconds, told):
    assert rough(seconds) == told


def test_a_small_terminal_shows_what_failed_and_what_is_under_way_and_counts_the_rest():
    names = [f"M{number:02}" for number in range(30)]
    board = board_of(*(table(name) for name in names))
    for name in names[:10]:
        board.done(ended(name))
    board.done(ended("M07", "failed", "why"))
    watch(board, "m11").waits("QUEUED")
    watch(board, "m29").rows(5)
    lines = shown(board, height=9)
    assert [line.split()[0] for line in lines[:-3]] == ["M07", "M10", "M11", "M12", "M29"]
    assert lines[-3] == "and 25 more: 9 done, 16 to come"


@pytest.mark.parametrize("width", [1, 2, 10, 30, 60, 80, 100, 300])
@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 50])
def test_it_fits_every_terminal(width, height):
    board = board_of(table("客户反馈" * 9), table("Leads", 10_000_000), table("org", None, "settings"))
    watch(board, "leads").downloads(123_456_789)
    board.display.remark = "counting the rows"
    assert shown(board, width, height)


def test_eighty_columns_have_room_for_the_rate():
    board = board_of(table("Lighthouses_X_Products"), table("Leads", 200_000))
    board.clock.seconds = 10
    watch(board, "leads")
    board.clock.seconds = 20
    watch(board, "leads").rows(12_345)
    assert "1,234/s" in " ".join(row(board, width=80)) or "1,235/s" in " ".join(row(board, width=80))


def test_what_zoho_calls_a_module_cannot_move_the_cursor():
    board = board_of(table("\x1b[2JLeads\n[red]"))
    assert any("[2JLeads [red]" in line for line in shown(board))


def test_that_it_is_stopping_is_in_sight_even_in_one_line():
    board = board_of(table("Leads"))
    board.stopping()
    assert any("Stopping" in line for line in shown(board))
    assert shown(board, height=2)[0].startswith("Stopping")


def test_a_table_that_is_read_once_more_has_its_line_anew():
    board = board_of(table("Leads"), table("Deals"))
    watch(board, "leads").rows(1000)
    board.done(ended("Leads"))
    board.display.expect([table("Leads", 1000, "records", until=None)])
    assert cells(board) == ["to come", "1,000 rows", "records"]
    board.display.set("leads", "read")
    assert cells(board)[0] == "waiting to compare"
    assert shown(board)[0].startswith("Leads")


@pytest.mark.whole_account
def test_each_table_of_a_run_shows_the_rows_that_it_got(load_from):
    load = load_from(shop())
    live = load.progress = board_of()
    run = load()
    rows = {task.description: task.completed for task in live.display.tasks}
    read = {reading.name: reading.rows for reading in run.readings if reading.status == "read"}
    assert {name: rows[name] for name in read} == read
    assert read["fields"] > 0

"""What a run is expected to take, and how far off that was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.zoho_crm.output.run_report import estimate_line
from pipelines.zoho_crm.run.plan_totals import PlanLine, PlanTotals, total_plan
from simulators.zoho_crm import Field, Module
from sources.zoho_crm.planning.cost import (
    Estimate,
    cost_of,
    cost_of_job,
    estimate,
    poll_pause,
    polls_of,
    together,
)
from tests.pipelines.zoho_crm.output.test_run_report import finished, reading
from tests.pipelines.zoho_crm.test_cli import account
from tests.support.commanding import command, shop
from tests.support.reading import look

__all__ = ["account", "command"]  # fixtures


@pytest.fixture
def org():
    return shop()


@pytest.mark.parametrize(
    ("rows", "seconds"),
    [(0, 3.5), (1, 3.5), (28_000, 3.5), (200_000, 25), (200_001, 28.5), (1_000_000, 125)],
)
def test_a_bulk_job_takes_as_long_as_was_measured(rows, seconds):
    assert estimate("bulk", rows, 40, 5).seconds == seconds


@pytest.mark.parametrize(
    ("waited", "expected", "pause"),
    [
        (0, 0, 1),
        (5, 0, 1),
        (10, 0, 1),
        (25, 0, 2.5),
        (100, 0, 10),
        (300, 0, 30),
        (3_000, 0, 30),
        (0, 25, 20),
        (2, 25, 18),
        (22, 25, 1.1),
        (40, 25, 4),
        (100, 25, 10),
    ],
)
def test_a_job_is_asked_for_when_it_may_be_done_and_then_after_a_tenth_of_the_time_waited(
    waited, expected, pause
):
    assert poll_pause(waited, expected) == pytest.approx(pause)


@pytest.mark.parametrize(
    ("waited", "expected", "pause"),
    [
        (0, 25, 23.75),
        (24, 25, 0.5),
        (27.4, 25, 0.548),
        (29, 25, 1.45),
        (40, 25, 4),
        (0, 3.5, 2.45),
        (0, 100, 95),
    ],
)
def test_a_job_whose_time_was_measured_is_asked_for_more_closely(waited, expected, pause):
    assert poll_pause(waited, expected, measured=True) == pytest.approx(pause)


@given(st.floats(0, 3_600), st.floats(0, 25), st.booleans())
def test_the_end_of_a_job_is_noticed_soon(seconds, expected, measured):
    """A second or a tenth too late at most, or a job that is done early when it is first asked for."""
    waited, polls = 0.0, 1
    while waited < seconds:
        waited, polls = waited + poll_pause(waited, expected, measured=measured), polls + 1
    first = 0.95 * expected if measured else 0.0
    assert waited <= max(first, 0.7 * expected, expected - 5, seconds + max(1.0, 0.1 * seconds)) + 1e-6
    assert polls == polls_of(seconds, expected, measured=measured)


def test_a_million_rows_cost_at_most_three_hundred_credits():
    assert cost_of("bulk", 1_000_000, ()).credits <= 300


def test_only_the_first_job_of_a_module_is_asked_for_without_knowing_its_time():
    assert cost_of("bulk", 1_000_000, ()).credits == 5 * 51 + 8 + 4 * 5


@pytest.mark.parametrize(("rows", "polls"), [(0, 4), (28_000, 4), (100_000, 6), (200_000, 8)])
def test_a_job_costs_its_making_its_polls_and_a_download(rows, polls):
    assert cost_of_job(rows).calls == 1 + polls + 1
    assert cost_of_job(rows).credits == 50 + polls + 1


def test_a_million_rows_of_forty_columns_are_as_large_as_was_measured():
    assert estimate("bulk", 1_000_000, 40, 25).bytes == pytest.approx(137e6, rel=0.05)


def test_lists_take_as_long_as_their_pages():
    assert estimate("records", 600, 10, 3) == Estimate(180_000, pytest.approx(2.1))


def test_jobs_wait_for_each_other_and_the_rest_goes_on_beside_them():
    jobs, lists = Estimate(0, 10, one_at_a_time=True), Estimate(0, 8)
    assert together([jobs, jobs, lists]) == 20
    assert together([lists] * 12) == 24
    assert together([lists]) == 8
    assert together([]) == 0


@pytest.mark.parametrize(("sequential", "polls"), [(False, [5, 7, 9]), (True, [5, 5, 5])])
def test_jobs_that_wait_for_each_other_are_polled_meanwhile(load, org, sequential, polls):
    """Each takes 3.5 s; the second is done after 7, the third after 10.5."""
    for name in ("First", "Second", "Third"):
        org.add_module(Module(name, [Field("Name", "text")], generated_type="custom"))
    _, found = look(load, "ReadAPI=Bulk", only=["First", "Second", "Third"])
    lines = total_plan(replace(found, sequential=sequential), [], 0).lines[:-1]
    beside = [plan.cost.credits - 56 for plan in found.plans]
    assert [line.credits - more - 51 for line, more in zip(lines, beside, strict=True)] == polls


def expectation(credits, seconds):
    line = PlanLine("Leads", "leads", "bulk", "", 10, 5, credits, Estimate(100, seconds, one_at_a_time=True))
    planning = PlanLine("modules", "modules", "settings", "", None, 0, 0, Estimate(0, 0.0))
    return PlanTotals((line, planning), 1)


@pytest.mark.parametrize(
    ("credits", "seconds", "off"),
    [
        (1340, 61, "Expected 1,340 credits and 61 s; it took 1,340 and 61 s."),
        (1000, 122, "Expected 1,000 credits and 122 s; it took 1,340 and 61 s."),
        (0, 61, "Expected 0 credits and 61 s; it took 1,340 and 61 s."),
    ],
)
def test_a_run_says_how_far_the_estimate_was_off(credits, seconds, off):
    assert estimate_line(finished(reading(), expected=expectation(credits, seconds))) == off
    assert estimate_line(finished(reading())) == ""


def test_plan_says_how_much_and_how_long(account, command):
    done = command("plan", "--log-format", "json")
    leads = next(event for event in done.events if event.get("module") == "Leads")
    assert (leads["rows"], leads["seconds"]) == (3, 0.7)
    assert leads["bytes"] == 3 * 30 * 14  # rows, letters, columns
    summary = done.events[-1]
    assert summary["bytes"] == sum(event["bytes"] for event in done.events if event["event"] == "plan")
    assert summary["seconds"] > 0
    text = command("plan")
    assert text.out.splitlines()[0].split()[-2:] == ["MB", "seconds"]
    assert f" MB, {summary['seconds']:.0f} s; " in text.out.splitlines()[-1]


def test_plan_and_run_expect_the_same(account, command):
    plan = command("plan", "--log-format", "json").events[-1]
    start = command("--log-format", "json").events[0]
    assert start["event"] == "start"
    assert (start["credits_expected"], start["seconds_expected"]) == (plan["credits"], plan["seconds"])


def test_the_report_has_the_line_above_the_last(account, command):
    lines = command("--modules", "Leads").out.splitlines()
    assert lines[-2].startswith("Expected ")
    assert lines[-1].endswith("0 failed.")

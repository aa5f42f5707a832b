"""Counts with a criteria, and what lags behind the truth."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.calling import read, rows_of
from tests.simulators.zoho_crm.wire import refusal, wired

COUNT = "Leads/actions/count"


@pytest.fixture
def wire():
    org = Org()
    org.add_module(Module("Accounts", [Field("Account_Name", "text")]))
    org.add_module(
        Module(
            "Leads",
            [
                Field("Last_Name", "text"),
                Field("Stage", "picklist", pick_list_values=["Open", "Won (at last)"]),
                Field("Rating", "integer"),
                Field("Due", "date"),
                Field("Active", "boolean"),
                Field("Account_Name", "lookup", lookup_module="Accounts"),
            ],
        )
    )
    acme = org.insert("Accounts", {"Account_Name": "Acme"})
    for number in range(1, 5):
        values = {
            "Last_Name": f"x{number}",
            "Rating": number,
            "Due": date(2026, 3, number),
            "Active": number > 3,
        }
        stage = "Open" if number < 3 else "Won (at last)"
        links = {"Account_Name": acme} if number == 1 else {}
        at = org.now() + timedelta(hours=number)
        org.insert("Leads", {**values, **links, "Stage": stage}, modified_time=at)
    with wired(org) as wire:
        yield wire


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ("(Modified_Time:greater_equal:2026-03-02T11:00:00+00:00)", 3),
        ("(Modified_Time:greater_than:2026-03-02T16:30:00+05:30)", 2),
        ("(Modified_Time:between:2026-03-02T10:00:00Z,2026-03-02T12:00:00Z)", 3),
        ("((Modified_Time:greater_equal:2026-03-02T11:00:00Z)and(Modified_Time:less_than:2026-03-02T13:00:00Z))", 2),
        ("(Due:less_equal:2026-03-02)", 2),
        ("(Due:equals:2026-03-02)", 1),
        ("(Stage:equals:Open)", 2),
        (r"(Stage:equals:Won \(at last\))", 2),
        (r"(Stage:in:Open,Won \(at last\))", 4),
        ("(Stage:not_equal:Open)", 2),
        ("(Rating:in:1,4,9)", 2),
        ("(Active:equals:true)", 1),
        ("((Rating:equals:1)or(Rating:equals:2)or(Rating:equals:4))", 3),
        ("(((Rating:greater_than:1)and(Stage:equals:Open))or(Rating:equals:4))", 2),
        ("(Rating:equals:1)and(Stage:equals:Open)", 1),
        ("(Rating:equals:9)", 0),
    ],
)  # fmt: skip
def test_a_criteria_counts_what_meets_it(wire, criteria, count):
    assert wire.get(COUNT, criteria=criteria).json() == {"count": count}


def test_a_lookup_is_compared_by_id(wire):
    (acme,) = wire.org.records("Accounts")
    assert wire.get(COUNT, criteria=f"(Account_Name:equals:{acme.id})").json() == {"count": 1}


@pytest.mark.parametrize(
    "criteria",
    ["Rating:equals:1", "(Rating:equals:1", "(Rating:equals:1))", "(Rating:equals:)", "(Rating:equals:one)", "",
     "(Nonsense:equals:1)", "(Due:equals:2026-13-01)", "(Modified_Time:greater_than:2026-03-02 11:00:00)",
     "(Rating:between:1)", "((Rating:equals:1)and)", "((Rating:equals:1)xor(Rating:equals:2))"],
)  # fmt: skip
def test_a_criteria_that_makes_no_sense_is_an_invalid_query(wire, criteria):
    assert refusal(wire.get(COUNT, criteria=criteria)) == (400, "INVALID_QUERY")


@pytest.mark.parametrize(
    "criteria",
    ["(Last_Name:equals:x1)", "(Last_Name:starts_with:x)", "(Active:greater_than:true)",
     "((Rating:equals:1)and(Rating:equals:2)or(Rating:equals:3))"],
)  # fmt: skip
def test_what_nobody_wrote_down_of_criteria_is_418(wire, criteria):
    assert wire.get(COUNT, criteria=criteria).status_code == 418


@pytest.mark.parametrize("limit", [10, 15])
def test_a_criteria_has_a_cap_on_conditions(wire, limit):
    wire.org.quirks.search_criteria = limit
    criteria = "or".join(["(Rating:equals:1)"] * limit)
    assert wire.get(COUNT, criteria=f"({criteria})").json() == {"count": 1}
    over = wire.get(COUNT, criteria=f"({criteria}or(Rating:equals:2))")
    assert refusal(over) == (400, "CRITERIA_LIMIT_EXCEEDED")


def test_a_count_with_a_criteria_needs_the_scopes_of_a_count(wire):
    wire.org.scopes -= {"ZohoSearch.securesearch.READ"}
    assert refusal(wire.get(COUNT, criteria="(Rating:equals:1)")) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_count_with_a_criteria_lags_as_any_count(wire):
    org = wire.org
    org.quirks.count_lag_minutes = 10
    org.clock.advance(minutes=20)
    first = org.records("Leads")[0]
    org.edit("Leads", first.id, Rating=4)
    org.delete("Leads", org.records("Leads")[1].id)
    org.insert("Leads", {"Last_Name": "new", "Rating": 4})
    assert wire.get(COUNT, criteria="(Rating:equals:4)").json() == {"count": 1}
    assert wire.get(COUNT).json() == {"count": 4}
    org.clock.advance(minutes=10)
    assert wire.get(COUNT, criteria="(Rating:equals:4)").json() == {"count": 3}
    assert wire.get(COUNT).json() == {"count": 4}


# -- lists that lag


def test_lists_coql_and_bulk_show_a_change_seconds_later(wire):
    org = wire.org
    org.quirks.list_lag_seconds = 5
    org.clock.advance(60)
    first = org.records("Leads")[0].id
    org.edit("Leads", first, Last_Name="renamed")
    new = org.insert("Leads", {"Last_Name": "new"})
    assert (seen(wire)[first], new in seen(wire)) == ("x1", False)
    assert wire.rows(f"Leads/{new}")[0]["Last_Name"] == "new"
    org.clock.advance(5)
    assert (seen(wire)[first], seen(wire)[new]) == ("renamed", "new")


def seen(wire) -> dict[str, str]:
    """Id -> name by the Records API; COQL and Bulk Read agree."""
    listed = {row["id"]: row["Last_Name"] for row in wire.rows("Leads", fields="Last_Name")}
    queried = rows_of(wire.org, "select Last_Name from Leads where id is not null")
    assert {row["id"]: row["Last_Name"] for row in queried} == listed
    archive = read(wire.org, "Leads", fields=["Last_Name"])
    assert {row["Id"]: row["Last_Name"] for row in archive} == listed
    return listed


def test_a_count_is_not_fresher_than_the_lists(wire):
    wire.org.clock.advance(60)
    wire.org.quirks.list_lag_seconds = 5
    wire.org.insert("Leads", {"Last_Name": "new"})
    assert wire.get(COUNT).json() == {"count": 4}


def test_a_record_that_appears_late_with_an_old_time_is_seen_by_every_api(wire):
    at = wire.org.now() - timedelta(days=3)
    late = wire.org.insert("Leads", {"Last_Name": "late"}, modified_time=at)
    assert seen(wire)[late] == "late"
    since = {"If-Modified-Since": (at - timedelta(seconds=1)).isoformat()}
    rows = wire.get("Leads", since, fields="Modified_Time").json()["data"]
    assert {row["Modified_Time"] for row in rows if row["id"] == late} == {"2026-02-27T14:30:00+05:30"}


def test_two_edits_in_one_second_leave_one_modified_time(wire):
    first = wire.org.records("Leads")[0]
    wire.org.clock.advance(60.25)
    wire.org.edit("Leads", first.id, Rating=7)
    once = first.modified
    wire.org.clock.advance(0.5)
    wire.org.edit("Leads", first.id, Rating=8)
    assert first.modified == once == wire.org.now()
    assert wire.org.clock.now() > once


def test_a_change_shows_when_the_lag_is_over_and_not_a_second_later(wire):
    org = wire.org
    org.quirks.count_lag_minutes = 1
    org.clock.advance(minutes=5)
    first, second = org.records("Leads")[:2]
    org.delete("Leads", first.id)
    org.clock.advance(1)
    org.delete("Leads", second.id)
    org.clock.advance(58)
    assert wire.get(COUNT).json() == {"count": 4}
    org.clock.advance(1)
    assert wire.get(COUNT).json() == {"count": 3}
    org.clock.advance(1)
    assert wire.get(COUNT).json() == {"count": 2}

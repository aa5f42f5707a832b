"""Deletions: what /deleted tells, for how long, and what it never tells."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Rules

from .wire import refusal, wired


@pytest.fixture
def wire():
    org = Org(Rules(per_page=20, discrete_reach=200))
    org.add_module(
        Module("Deals", [Field("Deal_Name", "text"), Field("Rows", "subform", subform_module="Rows")])
    )
    org.add_module(
        Module("Rows", [Field("Quantity", "integer")], generated_type="subform", parent_module="Deals")
    )
    with wired(org) as wire:
        yield wire


def fill(org: Org, count: int) -> list[str]:
    return [org.insert("Deals", {"Deal_Name": f"deal {number}"}) for number in range(count)]


def test_a_deleted_record_leaves_the_list_and_enters_the_deleted(wire):
    (id,) = fill(wire.org, 1)
    wire.org.delete("Deals", id)
    assert wire.get("Deals", fields="id").status_code == 204
    (row,) = wire.rows("Deals/deleted")
    assert row == {
        "deleted_by": wire.org.account.me,
        "id": id,
        "display_name": "deal 0",
        "type": "recycle",
        "created_by": wire.org.account.me,
        "deleted_time": "2026-03-02T14:30:00+05:30",
    }


def test_a_permanent_deletion_forgets_the_names(wire):
    first, second = fill(wire.org, 2)
    wire.org.delete("Deals", first, permanent=True)
    wire.org.delete("Deals", second)
    wire.org.delete("Deals", second, permanent=True)
    rows = wire.rows("Deals/deleted", type="permanent")
    assert [row["id"] for row in rows] == [second, first]
    assert all(row["display_name"] is row["deleted_by"] is row["created_by"] is None for row in rows)
    assert wire.get("Deals/deleted", type="recycle").status_code == 204


def test_a_wrong_type_is_pattern_not_matched(wire):
    assert refusal(wire.get("Deals/deleted", type="gone")) == (400, "PATTERN_NOT_MATCHED")


def test_a_restored_record_leaves_no_trace_and_keeps_its_modified_time(wire):
    id = wire.org.insert("Deals", {"Deal_Name": "x", "Rows": [{"Quantity": 1}]})
    modified = wire.org.record("Deals", id).modified
    wire.org.clock.advance(60)
    wire.org.delete("Deals", id)
    assert wire.org.records("Rows") == []
    wire.org.restore("Deals", id)
    assert wire.get("Deals/deleted").status_code == 204
    assert wire.org.record("Deals", id).modified == modified
    assert len(wire.org.records("Rows")) == 1


def test_the_recycle_bin_remembers_60_days_and_the_rest_120(wire):
    first, second = fill(wire.org, 2)
    wire.org.delete("Deals", first)
    wire.org.delete("Deals", second, permanent=True)
    wire.org.clock.advance(days=60)
    assert [row["id"] for row in wire.rows("Deals/deleted")] == [second]
    wire.org.clock.advance(days=60)
    del wire.session.headers["Authorization"]
    assert wire.get("Deals/deleted").status_code == 204


@pytest.mark.parametrize("status", [204, 304])
def test_deletions_since_a_time(wire, status):
    wire.org.quirks.deleted_nothing_new_status = status
    first, second = fill(wire.org, 2)
    wire.org.delete("Deals", first)
    wire.org.clock.advance(60)
    wire.org.delete("Deals", second)
    since = {"If-Modified-Since": "2026-03-02T09:00:00+00:00"}
    assert [row["id"] for row in wire.get("Deals/deleted", since).json()["data"]] == [second]
    later = {"If-Modified-Since": "2026-03-02T09:01:00+00:00"}
    assert wire.get("Deals/deleted", later).status_code == status


@pytest.mark.parametrize(("works", "status"), [(True, 200), (False, 400)])
def test_page_11_of_the_deleted(wire, works, status):
    wire.org.quirks.deleted_page_11 = works
    for id in fill(wire.org, 201):
        wire.org.delete("Deals", id)
    info = wire.get("Deals/deleted", page=10).json()["info"]
    assert info == {"per_page": 20, "count": 20, "page": 10, "more_records": True}
    assert wire.get("Deals/deleted", page=11).status_code == status


@pytest.mark.parametrize(("shown", "count"), [(False, 0), (True, 2)])
def test_rows_of_a_subform_go_with_their_record_and_usually_without_a_trace(wire, shown, count):
    wire.org.quirks.subform_rows_in_deleted = shown
    id = wire.org.insert("Deals", {"Deal_Name": "x", "Rows": [{"Quantity": 1}, {"Quantity": 2}]})
    wire.org.delete("Deals", id)
    assert wire.org.records("Rows") == []
    answer = wire.get("Rows/deleted")
    assert (len(answer.json()["data"]) if answer.content else 0) == count


@pytest.mark.parametrize("kind", ["recycle", "permanent", None])
def test_the_losers_of_a_merge(wire, kind):
    wire.org.quirks.merged_shown_as = kind
    master, loser = fill(wire.org, 2)
    before = wire.org.record("Deals", master).modified
    wire.org.clock.advance(60)
    wire.org.merge("Deals", master, [loser])
    assert wire.org.record("Deals", master).modified > before
    answer = wire.get("Deals/deleted")
    found = [(row["id"], row["type"]) for row in answer.json()["data"]] if answer.content else []
    assert found == ([(loser, kind)] if kind else [])


def test_the_deleted_cost_two_credits(wire):
    wire.get("Deals/deleted")
    assert wire.org.ledger.calls("GET /crm/v8/{module}/deleted")[0].credits == 2

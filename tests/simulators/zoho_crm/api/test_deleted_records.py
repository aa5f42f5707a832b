"""Deletions: what /deleted tells, for how long, and what it never tells."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Rules
from tests.simulators.zoho_crm.wire import refusal, wired


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


def listed(wire, **params):
    """(id, type) of the deleted; a new token, because the old one dies while days go by."""
    wire.session.headers.pop("Authorization", None)
    answer = wire.get("Deals/deleted", **params)
    return [(row["id"], row["type"]) for row in answer.json()["data"]] if answer.content else []


def test_after_60_days_in_the_recycle_bin_a_record_is_gone_for_good_and_known_for_120(wire):
    first, second = fill(wire.org, 2)
    wire.org.delete("Deals", first)
    wire.org.delete("Deals", second, permanent=True)
    wire.org.clock.advance(days=59, hours=23)
    assert listed(wire) == [(second, "permanent"), (first, "recycle")]
    wire.org.clock.advance(hours=1)
    assert listed(wire) == [(second, "permanent"), (first, "permanent")]
    with pytest.raises(ValueError, match="for good"):
        wire.org.restore("Deals", first)
    wire.org.clock.advance(days=59, hours=23)
    assert len(listed(wire)) == 2
    wire.org.clock.advance(hours=1)
    assert listed(wire) == []


def test_what_the_recycle_bin_lets_go_may_leave_no_trace(wire):
    wire.org.quirks.purged_shown = False
    (id,) = fill(wire.org, 1)
    wire.org.delete("Deals", id)
    wire.org.clock.advance(days=60)
    assert listed(wire) == []


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize(("tells", "day"), [("deleted", "2026-03-02"), ("purged", "2026-05-01")])
def test_which_time_a_record_tells_that_left_the_recycle_bin(wire, tells, day, by_hand):
    wire.org.quirks.purged_time = tells
    (id,) = fill(wire.org, 1)
    wire.org.delete("Deals", id)
    wire.org.clock.advance(days=60)
    if by_hand:
        wire.org.delete("Deals", id)
    (row,) = wire.rows("Deals/deleted")
    assert (row["type"], row["display_name"], row["deleted_time"][:10]) == ("permanent", None, day)


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_order_of_the_deleted_is_a_switch(wire, newest_first):
    wire.org.quirks.deleted_newest_first = newest_first
    ids = fill(wire.org, 3)
    for id in ids:
        wire.org.delete("Deals", id)
        wire.org.clock.advance(60)
    expected = ids[::-1] if newest_first else ids
    assert [row["id"] for row in wire.rows("Deals/deleted")] == expected


@pytest.mark.parametrize("keeps", [True, False])
def test_a_restored_record_may_still_be_listed_as_deleted(wire, keeps):
    wire.org.quirks.deleted_keeps_restored = keeps
    (id,) = fill(wire.org, 1)
    wire.org.delete("Deals", id)
    wire.org.restore("Deals", id)
    assert listed(wire) == ([(id, "recycle")] if keeps else [])
    assert wire.rows(f"Deals/{id}")
    wire.org.delete("Deals", id)
    assert listed(wire) == [(id, "recycle")]


@pytest.mark.parametrize("moves", [True, False])
def test_a_restore_may_move_the_modified_time(wire, moves):
    wire.org.quirks.restore_moves_modified_time = moves
    (id,) = fill(wire.org, 1)
    before = wire.org.record("Deals", id).modified
    wire.org.clock.advance(60)
    wire.org.delete("Deals", id)
    wire.org.restore("Deals", id)
    assert (wire.org.record("Deals", id).modified > before) is moves


def test_a_record_comes_back_with_the_fields_of_today(wire):
    org = wire.org
    org.add_field("Deals", Field("Stage", "text"))
    org.add_field("Deals", Field("Grade", "integer"))
    id = org.insert("Deals", {"Deal_Name": "x", "Stage": "7", "Grade": 7})
    org.delete("Deals", id)
    org.retype_field("Deals", "Stage", "integer", convert=int)
    org.drop_field("Deals", "Grade")
    org.add_field("Deals", Field("Fresh", "boolean"), value=True)
    org.restore("Deals", id)
    (row,) = wire.rows("Deals", fields="Stage,Grade,Fresh")
    assert row == {"Stage": 7, "Fresh": True, "id": id}


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
    wire.org.quirks.deleted_of_rows = "offered"
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

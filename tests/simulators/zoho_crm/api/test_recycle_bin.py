"""The recycle bin of the whole org: what could still be restored."""

from __future__ import annotations

import pytest

from tests.simulators.zoho_crm.deals import children_org, deal_of
from tests.simulators.zoho_crm.wire import refusal, wired

BIN = "settings/recycle_bin"


@pytest.fixture
def wire():
    with wired(children_org()) as wire:
        yield wire


def names(wire, **params):
    wire.session.headers.pop("Authorization", None)
    answer = wire.get(BIN, **params)
    return [row["display_name"] for row in answer.json()["recycle_bin"]] if answer.content else []


def test_an_empty_recycle_bin_is_no_content(wire):
    assert wire.get(BIN).status_code == 204


def test_the_recycle_bin_tells_module_owner_and_who_deleted(wire):
    wire.org.quirks.notes_in_recycle_bin = False
    deal = deal_of(wire.org)
    wire.org.delete("Deals", deal)
    body = wire.get(BIN).json()
    me = wire.org.account.me
    assert body["recycle_bin"] == [
        {
            "display_name": "boat",
            "deleted_time": "2026-03-02T14:30:00+05:30",
            "owner": me,
            "module": {"api_name": "Deals", "id": wire.org.modules["Deals"].id},
            "deleted_by": me,
            "id": deal,
        }
    ]
    assert body["info"] == {"per_page": 200, "count": 1, "page": 1, "more_records": False}


def test_notes_and_files_lie_in_the_bin_next_to_their_record_and_rows_do_not(wire):
    wire.org.delete("Deals", deal_of(wire.org))
    assert sorted(names(wire)) == ["about the boat", "boat", "boat.pdf", "in the note"]


def test_what_is_restored_emptied_or_too_old_is_not_in_the_bin(wire):
    wire.org.quirks.notes_in_recycle_bin = False
    wire.org.quirks.deleted_keeps_restored = True
    deals = [deal_of(wire.org, name) for name in ("back", "emptied", "direct", "old")]
    for deal in deals:
        wire.org.delete("Deals", deal, permanent=deal == deals[2])
    wire.org.restore("Deals", deals[0])
    wire.org.delete("Deals", deals[1])
    assert names(wire) == ["old"]
    wire.org.clock.advance(days=60)
    assert names(wire) == []


def test_the_newest_comes_first_unless_the_call_sorts(wire):
    wire.org.quirks.notes_in_recycle_bin = False
    deals = {name: deal_of(wire.org, name) for name in ("b", "a", "c")}
    for deal in deals.values():
        wire.org.delete("Deals", deal)
        wire.org.clock.advance(60)
    assert names(wire) == ["c", "a", "b"]
    assert names(wire, sort_by="display_name", sort_order="asc") == ["a", "b", "c"]
    assert names(wire, per_page=2, page=2) == ["b"]
    assert names(wire, ids=f"{deals['a']},{deals['c']}") == ["c", "a"]


def test_the_recycle_bin_has_a_scope_of_its_own(wire):
    wire.org.scopes = {"ZohoCRM.modules.READ", "ZohoCRM.settings.modules.READ"}
    assert refusal(wire.get(BIN)) == (401, "OAUTH_SCOPE_MISMATCH")
    wire.org.scopes = {"ZohoCRM.settings.recycle_bin.READ"}
    wire.session.headers.pop("Authorization")
    assert wire.get(BIN).status_code == 204


def test_filters_of_the_recycle_bin_are_not_modelled(wire):
    assert wire.get(BIN, filters="{}").status_code == 418

"""What is deleted and restored with a record: subform rows, links, notes, files and histories."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.deals import NAMES, children_org, deal_of, sizes
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def org() -> Org:
    return children_org()


@pytest.fixture
def wire(org):
    with wired(org) as wire:
        yield wire


def deleted(wire, module):
    answer = wire.get(f"{module}/deleted")
    return [row["id"] for row in answer.json()["data"]] if answer.content else []


def test_rows_links_notes_and_their_files_go_with_a_record_and_come_back_with_it(org):
    deal = deal_of(org)
    before = sizes(org)
    assert before == dict(zip(NAMES, (1, 2, 1, 1, 1, 2, 1), strict=True))
    org.delete("Deals", deal)
    assert sizes(org) == dict(zip(NAMES, (0, 0, 1, 0, 0, 0, 1), strict=True))
    org.restore("Deals", deal)
    assert sizes(org) == before


def test_notes_may_outlive_their_record(org):
    org.quirks.notes_go_with_record = False
    org.delete("Deals", deal_of(org))
    assert (len(org.records("Notes")), len(org.records("Attachments"))) == (1, 2)


def test_what_went_with_a_record_does_not_come_back_alone(org):
    deal = deal_of(org)
    (note,) = org.records("Notes")
    org.delete("Deals", deal)
    with pytest.raises(ValueError, match="with its record"):
        org.restore("Notes", note.id)


def test_a_record_emptied_out_of_the_bin_takes_its_notes_with_it(org):
    deal = deal_of(org)
    org.delete("Deals", deal)
    org.delete("Deals", deal)
    assert [gone.kind for gone in org.deletions["Notes"]] == ["permanent"]
    with pytest.raises(ValueError, match="for good"):
        org.restore("Deals", deal)


@pytest.mark.parametrize("shown", [True, False])
def test_notes_that_went_with_their_record_may_show_in_their_own_feed(wire, shown):
    wire.org.quirks.notes_in_deleted = shown
    deal = deal_of(wire.org)
    (note,) = wire.org.records("Notes")
    wire.org.delete("Deals", deal)
    assert deleted(wire, "Notes") == ([note.id] if shown else [])
    wire.org.restore("Deals", deal)
    assert deleted(wire, "Notes") == []


def test_a_note_that_is_deleted_by_itself_shows_in_the_feed(wire):
    deal_of(wire.org)
    (note,) = wire.org.records("Notes")
    wire.org.delete("Notes", note.id)
    assert deleted(wire, "Notes") == [note.id]
    assert len(wire.org.records("Attachments")) == 1


@pytest.mark.parametrize("answer", ["INVALID_MODULE", "NOT_SUPPORTED", "offered"])
@pytest.mark.parametrize("module", ["Rows", "Links", "DealHistory", "Notes", "Attachments"])
def test_the_feed_of_rows_and_notes_is_refused_or_offered(wire, module, answer):
    wire.org.quirks.deleted_of_rows = wire.org.quirks.deleted_of_notes = answer
    reply = wire.get(f"{module}/deleted")
    assert reply.status_code == 204 if answer == "offered" else refusal(reply) == (400, answer)


def test_by_default_only_notes_of_them_have_a_feed(wire):
    statuses = [
        wire.get(f"{module}/deleted").status_code for module in ("Rows", "Links", "DealHistory", "Notes")
    ]
    assert statuses == [400, 400, 400, 204]


@pytest.mark.parametrize("call", ["remove_row", "delete"])
def test_a_row_taken_out_of_a_subform_moves_its_record_and_leaves_no_trace(wire, call):
    org = wire.org
    org.quirks.deleted_of_rows = "offered"
    deal = deal_of(org)
    before = org.record("Deals", deal).modified
    org.clock.advance(60)
    row = org.records("Rows")[0]
    getattr(org, call)("Rows", row.id)
    assert org.record("Deals", deal).modified > before
    assert [held.values["Count"] for held in org.records("Rows")] == [2]
    assert deleted(wire, "Rows") == []
    with pytest.raises(ValueError, match="for good"):
        org.restore("Rows", row.id)


def test_a_row_taken_out_of_a_subform_may_show_in_the_feed(wire):
    wire.org.quirks.deleted_of_rows = "offered"
    wire.org.quirks.subform_rows_in_deleted = True
    deal_of(wire.org)
    row = wire.org.records("Rows")[0]
    wire.org.remove_row("Rows", row.id)
    assert deleted(wire, "Rows") == [row.id]


@pytest.mark.parametrize("touches", [True, False])
def test_a_link_taken_away_edits_the_record_that_shows_it(org, touches):
    org.quirks.unlinking_touches_record = touches
    deal = deal_of(org)
    before = org.record("Deals", deal).modified
    skill = org.records("Skills")[0].modified
    org.clock.advance(60)
    org.remove_row("Links", org.records("Links")[0].id)
    assert org.records("Links") == []
    assert (org.record("Deals", deal).modified > before) is touches
    assert org.records("Skills")[0].modified == skill


@pytest.mark.parametrize("touched", [True, False])
def test_an_edit_may_move_the_rows_of_the_record(org, touched):
    org.quirks.rows_touched_by_edit = touched
    deal = deal_of(org)
    org.clock.advance(60)
    org.edit("Deals", deal, Deal_Name="ship")
    assert {row.modified == org.now() for row in org.records("Rows")} == {touched}
    assert not any(note.modified == org.now() for note in org.records("Notes"))


@pytest.mark.parametrize("loses", [True, False])
def test_the_history_of_a_deleted_record_stays_and_may_not_name_it(wire, loses):
    wire.org.quirks.history_loses_record = loses
    deal = deal_of(wire.org)
    (history,) = wire.org.records("DealHistory")
    before = history.modified
    wire.org.clock.advance(60)
    wire.org.delete("Deals", deal)
    (row,) = wire.rows("DealHistory", fields="Potential_Name")
    assert (row["Potential_Name"] is None) is loses
    assert history.modified == before
    wire.org.restore("Deals", deal)
    (row,) = wire.rows("DealHistory", fields="Potential_Name")
    assert row["Potential_Name"]["id"] == deal


@pytest.mark.parametrize("moves", ["moved", "silently", "lost"])
def test_a_merge_takes_the_notes_of_the_losers_along_or_loses_them(org, moves):
    org.quirks.merge_moves_notes = moves
    master, loser = deal_of(org, "master"), deal_of(org, "loser")
    org.clock.advance(60)
    org.merge("Deals", master, [loser])
    notes = [note for note in org.records("Notes") if note.values["Parent_Id"]["id"] == master]
    assert len(org.records("Notes")) == len(notes) == (1 if moves == "lost" else 2)
    assert any(note.modified == org.now() for note in notes) is (moves == "moved")
    assert len(org.records("Rows")) == 2


def test_a_note_emptied_out_of_the_bin_does_not_come_back_with_its_record(org):
    deal = deal_of(org)
    (note,) = org.records("Notes")
    org.delete("Deals", deal)
    org.delete("Notes", note.id)
    org.restore("Deals", deal)
    assert org.records("Notes") == []
    assert len(org.records("Rows")) == 2


def test_a_record_that_looks_up_to_a_deleted_one_keeps_its_id(org):
    org.add_module(Module("Quotes", [Field("Deal_Name", "lookup", lookup_module="Deals")]))
    deal = deal_of(org)
    quote = org.insert("Quotes", {"Deal_Name": deal})
    org.delete("Deals", deal)
    assert org.record("Quotes", quote).values["Deal_Name"]["id"] == deal

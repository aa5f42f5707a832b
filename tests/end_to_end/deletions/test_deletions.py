"""Whatever leaves the CRM leaves its table in the next run, with all that hung on it, and is remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from tests.support.reading import things
from tests.support.syncing import agrees, everything, sync
from tests.support.truth import landed

FEED = "GET /crm/v8/{module}/deleted"
FAMILY = ("Deals", "Lines", "Labels", "Deals_X_Labels", "Notes")


def family(org):
    """Two deals with lines, links to labels, and notes."""
    title = ("Title", "text")
    subform = Field("Lines", "subform", subform_module="Lines")
    org.add_module(Module("Deals", [Field(*title), subform], generated_type="default"))
    org.add_module(Module("Lines", [Field(*title)], generated_type="subform", parent_module="Deals"))
    org.add_module(Module("Labels", [Field(*title)], generated_type="custom"))
    ends = [Field("Deal", "lookup", lookup_module="Deals"), Field("Other", "lookup", lookup_module="Labels")]
    org.add_module(Module("Deals_X_Labels", ends, generated_type="linking"))
    people = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")
    notes = [Field(*title), Field("Parent_Id", "multi_module_lookup")]
    org.add_module(Module("Notes", notes, system_fields=people))
    labels = [org.insert("Labels", {"Title": f"label {n}"}) for n in range(2)]
    deals = []
    for number in range(3):
        rows = [{"Title": f"line {row}"} for row in range(3)]
        deal = org.insert("Deals", {"Title": f"deal {number}", "Lines": rows})
        deals.append(deal)
        for label in labels:
            org.insert("Deals_X_Labels", {"Deal": deal, "Other": label})
        for title in ("one", "two"):
            parent = {"id": deal, "name": None, "module": "Deals"}
            org.insert("Notes", {"Title": title, "Parent_Id": parent})
    org.clock.advance(hours=1)
    return deals


def family_agrees(load):
    for module in FAMILY:
        agrees(load, module)


def remembered(load):
    return sorted(load.rows("select module, id, type from zoho.deleted_records"))


# ---- single records


def test_deleted_records_leave_their_table_and_are_remembered(load, org):
    ids = things(org, 5)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.delete("Things", ids[1], permanent=True)
    run = sync(load)
    agrees(load)
    assert load.reading("Things").deleted_rows == 2
    assert remembered(load) == [("Things", ids[0], "recycle"), ("Things", ids[1], "permanent")]
    (time,) = load.rows(f"select deleted_time from zoho.deleted_records where id = '{ids[0]}'")
    assert time[0] == org.now() - timedelta(seconds=1)
    query = f"select rows_deleted from zoho.sync_runs where run_id = '{run.run_id}' and module = 'Things'"
    assert load.rows(query) == [(2,)]


@pytest.mark.long
def test_a_second_run_changes_nothing(load, org):
    ids = things(org, 5)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.edit("Things", ids[1], F0="new")
    sync(load)
    before = everything(load)
    sync(load)
    assert everything(load) == before


@pytest.mark.long
def test_more_than_two_thousand_deletions_are_all_followed(load_from):
    org = Org(rules=Rules(per_page=200), quirks=Quirks(deleted_page_11=False))
    load = load_from(org)
    ids = things(org, 2_300)
    sync(load)
    org.clock.advance(hours=1)
    for number, id in enumerate(ids[:2_250]):
        org.delete("Things", id, permanent=number % 2 == 0)
    sync(load)
    agrees(load)
    assert load.rows("select count(*) from zoho.deleted_records") == [(2_250,)]


def test_more_deletions_than_the_feed_shows_are_found_by_comparing_ids(load_from):
    org = Org(quirks=Quirks(deleted_page_11=False))
    load = load_from(org)
    ids = things(org, 2_100)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids[:2_050]:
        org.delete("Things", id)
    sync(load)
    agrees(load)
    kinds = dict(load.rows("select type, count(*) from zoho.deleted_records group by 1"))
    assert kinds == {"recycle": 2_000, "untraced": 50}


@pytest.mark.long
@pytest.mark.parametrize(("keeps", "edited"), [(False, True), (True, False)])
@pytest.mark.cases(1)
def test_what_was_deleted_and_restored_between_two_runs_stays(load_from, keeps, edited):
    org = Org(quirks=Quirks(deleted_keeps_restored=keeps))
    load = load_from(org)
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.restore("Things", ids[0])
    if edited:
        org.edit("Things", ids[0], F0="edited")
    sync(load)
    agrees(load)
    assert remembered(load) == []


@pytest.mark.long
@pytest.mark.parametrize(("keeps", "moves"), [(False, False), (True, True)])
@pytest.mark.cases(1)
def test_what_was_removed_and_is_restored_later_comes_back(load_from, keeps, moves):
    org = Org(quirks=Quirks(deleted_keeps_restored=keeps, restore_moves_modified_time=moves))
    load = load_from(org)
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load)
    assert ids[0] not in landed(load, "things")
    org.clock.advance(hours=1)
    org.restore("Things", ids[0])
    if not moves:  # nothing tells of it but the comparison of every id
        org.clock.advance(days=7)
    sync(load)
    agrees(load)


@pytest.mark.long
@pytest.mark.parametrize("shown", ["permanent", None])
@pytest.mark.cases(1)
def test_the_loser_of_a_merge_goes_whether_or_not_the_feed_names_it(load_from, shown):
    org = Org(quirks=Quirks(merged_shown_as=shown))
    load = load_from(org)
    ids = things(org, 4)
    sync(load)
    org.clock.advance(hours=1)
    org.merge("Things", ids[0], [ids[1]])
    sync(load)
    if shown is None:
        # The count tells of it, and the next run compares every id.
        assert ids[1] in landed(load, "things")
        org.clock.advance(minutes=11)
        sync(load)
    agrees(load)
    assert remembered(load) == [("Things", ids[1], shown or "untraced")]


@pytest.mark.long
def test_a_lead_that_was_converted_stays_with_its_flag(load, org):
    org.add_module(Module("Leads", [Field("Title", "text")], convertable=True))
    lead = org.insert("Leads", {"Title": "a"})
    sync(load, "Leads")
    org.clock.advance(hours=1)
    org.convert(lead)
    sync(load, "Leads")
    agrees(load, "Leads")
    assert load.rows("select converted_s from zoho.leads") == [(True,)]


def test_a_deletion_that_a_whole_reading_finds_is_remembered_too(load, org):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, refresh=True)
    agrees(load)
    assert remembered(load) == [("Things", ids[0], "recycle")]


def test_a_deletion_is_one_row_of_deleted_records_however_often_it_is_seen(load, org):
    ids = things(org, 3)
    sync(load)
    org.delete("Things", ids[0])
    for _ in range(2):
        sync(load)
    assert remembered(load) == [("Things", ids[0], "recycle")]
    org.restore("Things", ids[0])
    org.edit("Things", ids[0], F0="back")
    sync(load)
    agrees(load)
    org.clock.advance(minutes=1)
    org.delete("Things", ids[0])
    sync(load)
    agrees(load)
    assert remembered(load) == [("Things", ids[0], "recycle")] * 2


@pytest.mark.long
def test_deleted_rows_stay_with_their_time_where_the_user_wants_that(load, org):
    ids = things(org, 4)
    sync(load, deletes="soft")
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    went = org.now()
    org.edit("Things", ids[1], F0="new")
    sync(load, deletes="soft")
    rows = landed(load, "things")
    assert {id: row.get("deleted_at") for id, row in rows.items()} == {
        **dict.fromkeys(ids),
        ids[0]: went,
    }
    before = everything(load)
    sync(load, deletes="soft")
    assert everything(load) == before


# ---- what hangs on a record


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.cases(1)
def test_rows_links_and_notes_come_back_with_their_record(load_from, moves):
    org = Org(quirks=Quirks(restore_moves_modified_time=moves, rows_touched_by_edit=moves))
    load = load_from(org)
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Deals", deals[0])
    sync(load, *FAMILY)
    family_agrees(load)
    org.clock.advance(hours=1)
    org.restore("Deals", deals[0])
    if not moves:
        org.edit("Deals", deals[0], Title="restored and edited")
    sync(load, *FAMILY)
    family_agrees(load)


@pytest.mark.parametrize("coql", [True, False])
@pytest.mark.cases(1)
def test_a_line_that_is_taken_out_goes_and_a_new_one_comes(load_from, coql):
    org = Org()
    if not coql:
        org.scopes = {scope for scope in org.scopes if "coql" not in scope.lower()}
    load = load_from(org)
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.remove_row("Deals_X_Labels", org.records("Deals_X_Labels")[0].id)
    org.delete("Notes", org.records("Notes")[0].id)
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    org.edit("Lines", org.records("Lines")[-1].id, Title="edited")
    sync(load, *FAMILY)
    family_agrees(load)


@pytest.mark.long
def test_a_link_that_goes_without_a_trace_is_found_by_the_count_or_the_week(load_from):
    org = Org(quirks=Quirks(unlinking_touches_record=False))
    load = load_from(org)
    family(org)
    sync(load, *FAMILY)
    org.clock.advance(days=1)
    org.remove_row("Deals_X_Labels", org.records("Deals_X_Labels")[0].id)
    for _ in range(3):
        sync(load, *FAMILY)
        org.clock.advance(minutes=11)
    family_agrees(load)


@pytest.mark.long
def test_children_that_this_run_was_not_asked_for_are_right_when_it_is_their_turn(load, org):
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Deals", deals[0])
    org.remove_row("Lines", org.records("Lines")[0].id)
    sync(load, "Deals")
    agrees(load, "Deals")
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    family_agrees(load)


def test_children_that_could_not_be_followed_are_followed_by_the_next_run(load, org):
    from tests.support.syncing import tried

    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Deals", deals[0])
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.faults.add("GET /crm/v8/{module}", module="Lines", status=500, times=99)
    assert tried(load, *FAMILY).exit_code == 1
    org.faults = type(org.faults)()
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    family_agrees(load)

"""What goes with a record comes back with it in the same run, and the losers of a merge go for good."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.end_to_end.deletions.test_deletions import remembered
from tests.support.reading import things
from tests.support.syncing import agrees, live, sync, tried
from tests.support.truth import landed, truth

OFFICE = ("Accounts", "Contacts", "Tasks", "Calls", "Notes", "Attachments")
LIST = "GET /crm/v8/{module}"


def office(org):
    """Two accounts with a contact, a task, a call, notes and files, also on the task."""
    title = Field("Title", "text")
    about = [Field("What_Id", "multi_module_lookup"), Field("Who_Id", "lookup", lookup_module="Contacts")]
    org.add_module(Module("Accounts", [title]))
    org.add_module(Module("Contacts", [Field("Title", "text")]))
    for name in ("Tasks", "Calls"):
        org.add_module(Module(name, [Field("Title", "text"), *[Field(**vars_of(f)) for f in about]]))
    people = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")
    for name in ("Notes", "Attachments"):
        fields = [Field("Title", "text"), Field("Parent_Id", "multi_module_lookup")]
        org.add_module(Module(name, fields, system_fields=people))
    accounts = []
    for number in range(2):
        account = org.insert("Accounts", {"Title": f"account {number}"})
        contact = org.insert("Contacts", {"Title": f"contact {number}"})
        task = org.insert("Tasks", {"Title": f"task {number}", "What_Id": on("Accounts", account)})
        org.insert("Calls", {"Title": f"call {number}", "Who_Id": contact})
        note = org.insert("Notes", {"Title": "on the account", "Parent_Id": on("Accounts", account)})
        org.insert("Notes", {"Title": "on the task", "Parent_Id": on("Tasks", task)})
        for module, id in (("Accounts", account), ("Tasks", task), ("Notes", note)):
            org.insert("Attachments", {"Title": f"on {module}", "Parent_Id": on(module, id)})
        accounts.append(account)
    org.clock.advance(hours=1)
    return accounts


def vars_of(field):
    return {"api_name": field.api_name, "data_type": field.data_type, "lookup_module": field.lookup_module}


def on(module, id):
    return {"id": id, "name": None, "module": module}


def office_agrees(load):
    for module in OFFICE:
        agrees(load, module)


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.cases(1)
def test_a_restored_record_is_back_in_the_next_run_though_no_time_moves(load_from, keeps):
    load = load_from(Org(quirks=Quirks(deleted_keeps_restored=keeps)))
    org, ids = load.org, things(load.org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.delete("Things", ids[1])
    org.clock.advance(hours=1)  # or the next look at the list names them again
    sync(load)
    agrees(load)
    org.clock.advance(hours=12)
    org.restore("Things", ids[0])
    before = len(org.ledger.calls(LIST))
    sync(load)
    agrees(load)
    assert len(org.ledger.calls(LIST)) - before == 3  # the changes, both ids, and the whole row
    assert len(remembered(load)) == 2


@pytest.mark.long
def test_a_restored_record_is_back_where_deleted_records_is_excluded(load, org):
    ids = things(org, 3)

    def run():
        org.clock.advance(hours=1)
        load(only=["Things"], never=["modules", "fields", "deleted_records"])
        assert load.run.exit_code == 0
        agrees(load)

    run()
    org.delete("Things", ids[0])
    run()
    org.restore("Things", ids[0])
    run()


@pytest.mark.long
def test_what_was_deleted_for_good_or_long_ago_is_not_asked_for(load, org):
    ids = things(org, 4)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0], permanent=True)
    org.delete("Things", ids[1])
    sync(load)
    for _ in range(2):
        org.clock.advance(days=31)
        sync(load)
    org.ledger.clear()
    sync(load)
    assert [call.query["ids"] for call in org.ledger.calls(LIST) if "ids" in call.query] == []


@pytest.mark.long
def test_of_many_deletions_the_newest_are_asked_for_and_a_count_tells_of_the_others(load, org, monkeypatch):
    monkeypatch.setattr("sources.zoho_crm.state.MOST_DELETED", 2)
    ids = things(org, 6)
    sync(load)
    for id in ids[:4]:
        org.clock.advance(hours=1)
        org.delete("Things", id)
    sync(load)
    org.clock.advance(hours=1)
    sync(load)
    assert load.run.fully_refreshed == set()
    org.restore("Things", ids[0])  # the oldest
    org.clock.advance(hours=1)
    sync(load)
    agrees(load)


@pytest.mark.parametrize(
    "quirks",
    [
        {},
        {"notes_in_deleted": True, "activities_in_deleted": True},
        {"restore_moves_modified_time": True, "deleted_of_notes": "INVALID_MODULE"},
        {"coql_modules_refused": frozenset(), "activities_go_with_record": False},
    ],
)
@pytest.mark.long
def test_tasks_notes_and_files_go_and_come_back_with_their_record(load_from, quirks):
    load = load_from(Org(quirks=Quirks(**quirks)))
    org, accounts = load.org, office(load.org)
    sync(load, *OFFICE)
    office_agrees(load)
    org.clock.advance(hours=1)
    org.delete("Accounts", accounts[0])
    org.delete("Contacts", org.records("Contacts")[0].id)
    sync(load, *OFFICE)
    office_agrees(load)
    assert len(landed(load, "tasks")) == (1 if org.quirks.activities_go_with_record else 2)
    org.clock.advance(hours=1)
    org.restore("Accounts", accounts[0])
    org.clock.advance(minutes=1)
    sync(load, *OFFICE)
    office_agrees(load)


def test_what_went_and_came_back_between_two_runs_stays(load, org):
    accounts = office(org)
    sync(load, *OFFICE)
    org.clock.advance(hours=1)
    org.delete("Accounts", accounts[0])
    org.restore("Accounts", accounts[0])
    sync(load, *OFFICE)
    office_agrees(load)


@pytest.mark.long
def test_a_restored_row_that_stayed_with_its_mark_loses_it(load, org):
    ids = things(org, 3)
    sync(load, deletes="soft")
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, deletes="soft")
    assert ids[0] not in live(load, "Things")
    org.restore("Things", ids[0])
    org.clock.advance(hours=1)
    sync(load, deletes="soft")
    assert live(load, "Things") == truth(org, "Things")


def test_a_module_that_cannot_be_asked_for_what_is_back_fails_by_name(load, org):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load)
    body = {"code": "NO_PERMISSION", "status": "error", "message": "no", "details": {}}
    org.faults.add(LIST, module="Things", nth=2, status=403, body=body)
    assert tried(load).exit_code == 1
    assert "NO_PERMISSION" in load.reading("Things").error


# ---- merges


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.cases(1)
def test_the_losers_of_a_merge_are_gone_for_good_and_what_hung_on_them_moves(load, org, background):
    winner, loser = office(org)
    sync(load, *OFFICE)
    org.clock.advance(hours=1)
    org.merge("Accounts", winner, [loser], background=background)
    sync(load, *OFFICE)
    office_agrees(load)
    assert remembered(load) == [("Accounts", loser, "permanent")]
    org.clock.advance(minutes=30)
    org.finish_merges()
    sync(load, *OFFICE)
    office_agrees(load)
    assert {row["what_id__id"] for row in landed(load, "tasks").values()} == {winner}

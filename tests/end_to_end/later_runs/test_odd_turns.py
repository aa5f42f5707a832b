"""Turns that an account, a table or a person may take between two runs, each once the cause of a wrong table."""

from __future__ import annotations

from datetime import datetime

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from sources.zoho_crm.exceptions import SettingsError
from tests.support.reading import after_call, things
from tests.support.syncing import MARKS, agrees, everything, sync, synced, tried

READ = {"coql": "ReadAPI=COQL", "bulk": "ReadAPI=Bulk", "records": "ReadAPI=REST"}
SOFT, HISTORY = {"deletes": "soft"}, {"history": frozenset({"Things"})}


@pytest.mark.parametrize("settings", READ.values(), ids=READ)
@pytest.mark.cases(1)
def test_a_record_edited_before_a_run_and_again_in_it_is_not_left_for_the_next(load, org, settings):
    ids = things(org, 3)
    sync(load, settings=settings)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="before")
    org.insert("Things", {"F0": "new"})
    org.clock.advance(seconds=5)

    def work_on() -> None:
        org.clock.advance(seconds=5)
        for record in org.records("Things"):
            org.edit("Things", record.id, F0=f"{record.id} again")

    after_call(org, "GET /crm/v8/settings/fields", 1, work_on)
    sync(load, settings=settings)
    agrees(load)


def test_a_field_that_is_made_anew_under_its_old_name_has_its_own_values(load, org):
    things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.drop_field("Things", "F0")
    org.add_field("Things", Field("F0", "text"))
    sync(load)
    assert {row[0] for row in load.rows("select f0 from things")} == {None}


@pytest.mark.long
def test_a_field_that_bulk_read_refuses_from_now_on_keeps_what_its_column_holds(load, org):
    things(org, 3)
    sync(load, settings=READ["bulk"])
    org.clock.advance(hours=1)
    org.modules["Things"].refused_by_bulk = {"F0"}
    sync(load, settings=READ["bulk"], refresh=True)
    agrees(load)


@pytest.mark.long
def test_what_hangs_on_a_record_goes_with_it_when_only_a_comparison_of_ids_shows_that_it_went(load_from):
    org = Org(quirks=Quirks(merged_shown_as=None))
    org.add_module(Module("Quotes", [Field("Subject", "text")]))
    lookup = Field("Parent_Id", "lookup", lookup_module="Quotes")
    org.add_module(
        Module("Lines", [lookup, Field("Title", "text")], generated_type="subform", parent_module="Quotes")
    )
    quotes = [org.insert("Quotes", {"Subject": f"{n}"}) for n in range(3)]
    for quote in quotes:
        org.insert("Lines", {"Parent_Id": quote, "Title": "line"})
    load = load_from(org)
    sync(load, "Quotes", "Lines")
    org.clock.advance(hours=1)
    org.merge("Quotes", quotes[0], [quotes[1]])
    for _ in range(3):
        sync(load, "Quotes", "Lines")
        org.clock.advance(minutes=11)
    agrees(load, "Quotes")
    agrees(load, "Lines")


@pytest.mark.parametrize("keeps", [SOFT, HISTORY], ids=["soft", "history"])
def test_files_cannot_keep_what_was_and_say_so(load, org, tmp_path, keeps):
    things(org, 3)
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    with pytest.raises(SettingsError, match="single rows cannot be changed"):
        sync(load, **keeps)


@pytest.mark.long
def test_a_deletion_in_the_middle_of_a_run_is_remembered_once_on_files(load, org, tmp_path):
    ids = things(org, 3)
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    sync(load)
    org.clock.advance(hours=1)

    def delete() -> None:
        org.clock.advance(seconds=5)
        org.delete("Things", ids[0])

    after_call(org, "GET /crm/v8/settings/fields", 1, delete)
    for _ in range(3):
        sync(load)
    assert load.rows("select id from zoho.deleted_records") == [(ids[0],)]


@pytest.mark.parametrize(("keeps", "word"), [(SOFT, "--deletes soft"), (HISTORY, "--history")])
@pytest.mark.cases(1)
def test_one_run_without_the_option_drops_nothing_that_the_table_keeps(load, org, keeps, word):
    ids = things(org, 3)
    sync(load, **keeps)
    org.clock.advance(hours=1)
    org.edit("Things", ids[1], F0="edited")
    org.delete("Things", ids[0])
    sync(load, **keeps)
    before = everything(load)["things"]
    run = tried(load)
    assert run.exit_code == 1
    assert word in run.failures[0].reason
    assert everything(load)["things"] == before
    sync(load, refresh=True)
    agrees(load, besides=MARKS)


@pytest.mark.long
def test_a_count_without_converted_leads_is_explained_once(load_from):
    org = Org(quirks=Quirks(count_parameters="ignored"))
    org.add_module(Module("Leads", [Field("Title", "text")], convertable=True))
    ids = [org.insert("Leads", {"Title": f"{n}"}) for n in range(30)]
    load = load_from(org)
    sync(load, "Leads")
    org.convert(ids[0])
    for _ in range(3):
        org.clock.advance(minutes=30)
        sync(load, "Leads")
    entry = synced(load, "Leads")
    assert (entry["hides_converted"], entry["difference"]) == (True, 0)
    verified = datetime.fromisoformat(entry["verified_at"])
    org.clock.advance(minutes=30)
    org.convert(ids[5])
    sync(load, "Leads")
    assert datetime.fromisoformat(synced(load, "Leads")["verified_at"]) == verified


@pytest.mark.long
def test_converted_leads_do_not_hide_a_row_too_many(load_from):
    org = Org(quirks=Quirks(merged_shown_as=None))
    org.add_module(Module("Leads", [Field("Title", "text")], convertable=True))
    ids = [org.insert("Leads", {"Title": f"{n}"}) for n in range(30)]
    org.convert(ids[0])
    load = load_from(org)
    sync(load, "Leads")
    org.clock.advance(hours=1)
    org.merge("Leads", ids[1], [ids[2]])
    for _ in range(3):
        org.clock.advance(minutes=11)
        sync(load, "Leads")
    agrees(load, "Leads")


@pytest.mark.parametrize("keeps", [{}, SOFT, HISTORY], ids=["hard", "soft", "history"])
@pytest.mark.cases(1)
def test_no_name_of_a_field_is_in_the_way(load, org, keeps):
    names = ["Since", "Fate", "Gone_At", "File_Row_Number", "Deleted_At", "Place"]
    ids = things(org, 3, extra=[Field(name, "text") for name in names])
    sync(load, **keeps)
    for refresh in (False, True):
        org.clock.advance(hours=1)
        org.edit("Things", ids[0], **{name: f"{refresh}" for name in names})
        org.insert("Things", {"F0": "new"})
        sync(load, refresh=refresh, **keeps)
    mark = {"soft": " where deleted_at is null", "hard": ""}.get(keeps.get("deletes", "hard"), "")
    mark = " where _dlt_valid_to is null" if keeps is HISTORY else mark
    assert load.rows(f"select count(*) from things{mark}") == [(5,)]
    assert load.rows(f"select since, place from things where id = '{ids[0]}' and since = 'True'") == [
        ("True", "True")
    ]

"""A schema that changes under a reader's feet: what each API then shows of a field."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.calling import create, query, read, rows_of
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org()
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), Field("Stage", "text")]))
    org.insert("Deals", {"Deal_Name": "boat", "Stage": "7"})
    org.clock.advance(60)
    with wired(org) as wire:
        yield wire


def described(wire) -> dict[str, str]:
    answer = wire.get("settings/fields", module="Deals", type="all").json()["fields"]
    return {field["api_name"]: field["data_type"] for field in answer}


def test_a_dropped_field_vanishes_everywhere(wire):
    wire.org.drop_field("Deals", "Stage")
    assert "Stage" not in described(wire)
    (row,) = wire.rows("Deals", fields="Deal_Name,Stage")
    assert set(row) == {"Deal_Name", "id"}
    assert query(wire.org, "select Stage from Deals where id is not null").code == "INVALID_QUERY"
    assert create(wire.org, "Deals", fields=["Stage"]).code == "FIELD_NOT_AVAILABLE"


def test_a_retyped_field_keeps_its_id_and_changes_its_values(wire):
    before = wire.org.modules["Deals"].field("Stage").id
    wire.org.retype_field("Deals", "Stage", "integer", convert=int)
    assert described(wire)["Stage"] == "integer"
    assert wire.org.modules["Deals"].field("Stage").id == before
    assert rows_of(wire.org, "select Stage from Deals where id is not null")[0]["Stage"] == 7
    assert read(wire.org, "Deals", fields=["Stage"])[0]["Stage"] == "7"


def test_a_field_retyped_without_a_way_loses_its_values(wire):
    wire.org.retype_field("Deals", "Stage", "date")
    assert wire.rows("Deals", fields="Stage")[0]["Stage"] is None


def test_an_added_field_has_a_value_and_moves_no_modified_time(wire):
    before = wire.org.records("Deals")[0].modified
    wire.org.add_field("Deals", Field("Grade", "integer"), value=3)
    assert wire.rows("Deals", fields="Grade")[0]["Grade"] == 3
    assert wire.org.records("Deals")[0].modified == before < wire.org.now()


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("change", ["add", "drop", "retype"])
def test_the_modules_list_may_tell_when_the_fields_of_a_module_changed(wire, moves, change):
    wire.org.quirks.module_time_moves = moves
    assert module_time(wire) is None
    if change == "add":
        wire.org.add_field("Deals", Field("Grade", "integer"))
    elif change == "drop":
        wire.org.drop_field("Deals", "Stage")
    else:
        wire.org.retype_field("Deals", "Stage", "picklist")
    assert module_time(wire) == ("2026-03-02T14:31:00+05:30" if moves else None)


def module_time(wire) -> str | None:
    (module,) = wire.get("settings/modules").json()["modules"]
    return module["modified_time"]


def test_a_schema_change_shows_at_once_even_where_lists_lag(wire):
    wire.org.quirks.list_lag_seconds = 45
    wire.org.edit("Deals", wire.org.records("Deals")[0].id, Stage="8")
    wire.org.add_field("Deals", Field("Grade", "integer"), value=3)
    assert wire.rows("Deals", fields="Stage,Grade") == [
        {"Stage": "8", "Grade": 3, "id": wire.org.records("Deals")[0].id}
    ]


def test_users_changed_since_a_time_and_304_when_there_are_none(wire):
    later = {"If-Modified-Since": wire.org.now().isoformat()}
    assert wire.get("users", later).status_code == 304
    wire.org.clock.advance(60)
    grace = wire.org.account.add_user("Grace", "O'Malley")
    assert [user["id"] for user in wire.get("users", later).json()["users"]] == [grace["id"]]
    wire.org.clock.advance(60)
    later = {"If-Modified-Since": wire.org.now().isoformat()}
    assert wire.get("users", later).status_code == 304
    wire.org.clock.advance(60)
    wire.org.account.edit_user(wire.org.user["id"], first_name="Augusta")
    (user,) = wire.get("users", later).json()["users"]
    assert (user["first_name"], user["Modified_Time"]) == ("Augusta", "2026-03-02T14:34:00+05:30")


def test_an_invalid_time_since_which_users_changed_is_refused(wire):
    assert refusal(wire.get("users", {"If-Modified-Since": "yesterday"})) == (400, "INVALID_DATA")


def test_what_changes_after_a_schema_change_of_the_same_second_lags_again(wire):
    wire.org.quirks.list_lag_seconds = 45
    (deal,) = wire.org.records("Deals")
    wire.org.edit("Deals", deal.id, Stage="8")
    wire.org.add_field("Deals", Field("Grade", "integer"))
    wire.org.edit("Deals", deal.id, Stage="9")
    assert wire.rows("Deals", fields="Stage")[0]["Stage"] == "8"
    wire.org.clock.advance(45)
    assert wire.rows("Deals", fields="Stage")[0]["Stage"] == "9"


def test_a_restored_record_that_is_still_listed_as_deleted_is_converted_once(wire):
    wire.org.quirks.deleted_keeps_restored = True
    (deal,) = wire.org.records("Deals")
    wire.org.delete("Deals", deal.id)
    wire.org.restore("Deals", deal.id)
    wire.org.retype_field("Deals", "Stage", "textarea", convert=lambda old: f"{old}!")
    assert wire.rows("Deals", fields="Stage")[0]["Stage"] == "7!"
    with pytest.raises(KeyError, match="neither live nor deleted"):
        wire.org.restore("Deals", deal.id)

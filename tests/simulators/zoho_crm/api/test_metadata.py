"""Metadata: modules, fields and what else a module has."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, PickListValue
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org()
    org.add_module(Module("Accounts", [Field("Account_Name", "text", length=200)]))
    org.add_module(
        Module(
            "Deals",
            [
                Field("Deal_Name", "text", custom=True),
                Field(
                    "Stage",
                    "picklist",
                    pick_list_values=[
                        "Open",
                        PickListValue("Won!", "Won"),
                        PickListValue("Old", "Old", used=False),
                    ],
                ),
                Field("Colours", "multiselectpicklist", pick_list_values=["Red", "Green"]),
                Field("Account", "lookup", lookup_module="Accounts"),
                Field("Worth", "formula", return_type="currency"),
                Field("Total", "rollup_summary", return_type="double"),
                Field("Number", "autonumber"),
                Field("Amount", "currency", decimal_place=4),
                Field("Story", "textarea", textarea="rich_text"),
                Field("Rows", "subform", subform_module="Rows"),
                Field("People", "multiselectlookup", linking_module="DealsXPeople", lookup_module="Accounts"),
                Field("Secret", "text", visible=False),
                Field("Retired", "text", unused=True),
                Field(
                    "Odd", "text", extra={"json_type": "jsonarray", "tooltip": {"name": "x", "value": "y"}}
                ),
            ],
        )
    )
    org.add_module(
        Module("Rows", [Field("Quantity", "integer")], generated_type="subform", parent_module="Deals")
    )
    org.add_module(Module("Notes", [Field("Note_Title", "text")]))
    org.add_module(Module("Home", api_supported=False, status="user_hidden"))
    with wired(org) as wire:
        yield wire


def field(wire, name: str, module: str = "Deals", **params: str) -> dict:
    rows = wire.get("settings/fields", module=module, **params).json()["fields"]
    return next(row for row in rows if row["api_name"] == name)


# -- modules


def test_modules_are_listed_readable_or_not(wire):
    rows = {row["api_name"]: row for row in wire.get("settings/modules").json()["modules"]}
    assert set(rows) == {"Accounts", "Deals", "Rows", "Notes", "Home"}
    assert rows["Home"]["api_supported"] is False
    assert (rows["Rows"]["generated_type"], rows["Rows"]["parent_module"]["api_name"]) == ("subform", "Deals")
    assert (rows["Deals"]["parent_module"], rows["Deals"]["generated_type"]) == ({}, "default")


def test_modules_can_be_chosen_by_status(wire):
    hidden = wire.get("settings/modules", status="user_hidden").json()["modules"]
    assert [row["api_name"] for row in hidden] == ["Home"]
    assert wire.get("settings/modules", status="system_hidden").status_code == 204
    assert refusal(wire.get("settings/modules", status="lost")) == (400, "INVALID_DATA")


def test_a_single_module_adds_fields_and_layouts(wire):
    (row,) = wire.get("settings/modules/Deals").json()["modules"]
    assert "Deal_Name" in [known["api_name"] for known in row["fields"]]
    assert row["display_field"]["api_name"] == "Deal_Name"
    assert refusal(wire.get("settings/modules/Nope")) == (400, "INVALID_MODULE")


# -- fields


def test_fields_need_a_module(wire):
    assert refusal(wire.get("settings/fields")) == (400, "REQUIRED_PARAM_MISSING")
    assert refusal(wire.get("settings/fields", module="Nope")) == (400, "INVALID_MODULE")
    assert refusal(wire.get("settings/fields", module="Home")) == (400, "INVALID_MODULE")


def test_unused_fields_are_listed_only_when_asked_for(wire):
    names = {
        kind: {
            row["api_name"] for row in wire.get("settings/fields", module="Deals", type=kind).json()["fields"]
        }
        for kind in ("used", "unused", "all")
    }
    assert names["unused"] == {"Retired"}
    assert names["all"] == names["used"] | names["unused"]
    assert refusal(wire.get("settings/fields", module="Deals", type="some")) == (400, "INVALID_DATA")


def test_a_field_hidden_from_the_user_is_listed_as_invisible(wire):
    assert field(wire, "Secret")["visible"] is False
    assert field(wire, "Secret")["profiles"][0]["permission_type"] == "hidden"
    assert field(wire, "Deal_Name")["visible"] is True


def test_system_fields_are_there(wire):
    id = field(wire, "id")
    assert (id["data_type"], id["json_type"]) == ("bigint", "string")
    assert field(wire, "Owner")["data_type"] == "ownerlookup"
    assert field(wire, "Modified_Time")["read_only"] is True
    assert field(wire, "Tag")["json_type"] == "jsonarray"
    assert field(wire, "Parent_Id", "Rows")["lookup"]["module"]["api_name"] == "Deals"


def test_picklists_tell_display_and_actual_values_and_unused_ones(wire):
    rows = field(wire, "Stage")["pick_list_values"]
    assert [(row["display_value"], row["actual_value"], row["type"]) for row in rows] == [
        ("-None-", "-None-", "used"),
        ("Open", "Open", "used"),
        ("Won!", "Won", "used"),
        ("Old", "Old", "unused"),
    ]
    assert [row["display_value"] for row in field(wire, "Colours")["pick_list_values"]] == ["Red", "Green"]


def test_each_type_tells_its_particulars(wire):
    assert field(wire, "Account")["lookup"]["module"]["api_name"] == "Accounts"
    assert field(wire, "Worth")["formula"]["return_type"] == "currency"
    assert field(wire, "Total")["rollup_summary"]["return_type"] == "double"
    assert field(wire, "Number")["auto_number"]["start_number"] == 1
    assert (field(wire, "Amount")["decimal_place"], field(wire, "Amount")["currency"]["precision"]) == (4, 4)
    assert (field(wire, "Story")["textarea"], field(wire, "Story")["length"]) == (
        {"type": "rich_text"},
        50_000,
    )
    assert field(wire, "Rows")["associated_module"]["module"] == "Rows"
    assert "length" not in field(wire, "Rows")
    assert field(wire, "Account_Name", "Accounts")["length"] == 200
    assert (field(wire, "Deal_Name")["lookup"], field(wire, "Deal_Name")["formula"]) == ({}, {})
    assert field(wire, "Odd")["json_type"] == "jsonarray"


@pytest.mark.parametrize(("keys", "name"), [("v8", "linking_details"), ("v7", "linking_module")])
def test_a_multi_select_lookup_has_the_names_of_v8_or_v7(wire, keys, name):
    wire.org.quirks.multiselectlookup_keys = keys
    assert name in field(wire, "People")["multiselectlookup"]


@pytest.mark.parametrize("status", [400, 403])
def test_no_permission_on_fields_has_a_status_of_its_own(wire, status):
    wire.org.add_module(Module("Visits", [Field("Name", "text")], no_permission=True))
    wire.org.quirks.no_permission_status_on_fields = status
    answer = wire.get("settings/fields", module="Visits")
    assert refusal(answer) == (status, "NO_PERMISSION")
    assert answer.json()["details"] == {"permissions": ["Crm_Implied_View_Visits"]}


@pytest.mark.parametrize(
    ("oddity", "status", "code"),
    [
        ({"invalid_module": True}, 400, "INVALID_MODULE"),
        ({"scope_mismatch": True}, 401, "OAUTH_SCOPE_MISMATCH"),
    ],
)
def test_a_listed_module_may_refuse_its_fields(wire, oddity, status, code):
    wire.org.add_module(Module("Odd", [Field("Name", "text")], **oddity))
    assert refusal(wire.get("settings/fields", module="Odd")) == (status, code)


def test_a_module_may_have_no_fields_at_all(wire):
    wire.org.add_module(Module("Actions_Performed", [Field("Name", "text")], fields_204=True))
    answer = wire.get("settings/fields", module="Actions_Performed")
    assert (answer.status_code, answer.content) == (204, b"")


# -- how a schema changes


def test_a_new_field_is_empty_everywhere_and_moves_no_modified_time(wire):
    id = wire.org.insert("Accounts", {"Account_Name": "x"})
    wire.org.clock.advance(60)
    wire.org.add_field("Accounts", Field("Rating", "integer"))
    assert field(wire, "Rating", "Accounts")["data_type"] == "integer"
    assert wire.rows("Accounts", fields="Rating,Modified_Time") == [
        {"Rating": None, "Modified_Time": "2026-03-02T14:30:00+05:30", "id": id}
    ]


def test_a_dropped_field_is_gone_from_metadata_and_rows(wire):
    id = wire.org.insert("Accounts", {"Account_Name": "x"})
    wire.org.drop_field("Accounts", "Account_Name")
    names = [row["api_name"] for row in wire.get("settings/fields", module="Accounts").json()["fields"]]
    assert "Account_Name" not in names
    assert wire.rows("Accounts", fields="Account_Name") == [{"id": id}]


def test_a_retyped_field_shows_its_new_type(wire):
    id = wire.org.insert("Accounts", {"Account_Name": "12"})
    wire.org.retype_field("Accounts", "Account_Name", "integer", convert=int)
    assert field(wire, "Account_Name", "Accounts")["json_type"] == "integer"
    assert wire.rows("Accounts", fields="Account_Name") == [{"Account_Name": 12, "id": id}]


@pytest.mark.parametrize(("rewrite", "stored"), [(True, "Running"), (False, "Open")])
def test_a_renamed_picklist_value_reaches_stored_records_or_not(wire, rewrite, stored):
    wire.org.insert("Deals", {"Stage": "Open", "Colours": ["Red", "Green"]})
    wire.org.rename_picklist_value("Deals", "Stage", "Open", "Running", rewrite=rewrite)
    wire.org.rename_picklist_value("Deals", "Colours", "Red", "Pink", rewrite=rewrite)
    assert wire.rows("Deals", fields="Stage")[0]["Stage"] == stored
    assert wire.rows("Deals", fields="Colours")[0]["Colours"][0] == ("Pink" if rewrite else "Red")
    row = field(wire, "Stage")["pick_list_values"][1]
    assert (row["display_value"], row["actual_value"]) == ("Running", stored)


def test_a_dropped_module_is_unknown(wire):
    wire.org.drop_module("Notes")
    assert refusal(wire.get("Notes", fields="id")) == (400, "INVALID_MODULE")


# -- what else a module has


def test_layouts_hold_sections_with_fields(wire):
    (layout,) = wire.get("settings/layouts", module="Deals").json()["layouts"]
    required = [row["api_name"] for row in layout["sections"][0]["fields"] if row["required"]]
    assert (layout["name"], layout["status"], required) == ("Standard", "active", ["Deal_Name"])


def test_related_lists_are_what_looks_up_to_the_module(wire):
    rows = wire.get("settings/related_lists", module="Accounts").json()["related_lists"]
    assert [row["module"]["api_name"] for row in rows] == ["Notes", "Deals"]
    assert rows[1]["href"] == "Accounts/{ENTITYID}/Account_Deals"
    assert wire.get("settings/related_lists", module="Rows").status_code == 204


def test_custom_views_have_pages(wire):
    body = wire.get("settings/custom_views", module="Deals").json()
    assert [row["name"] for row in body["custom_views"]] == ["All Deals"]
    assert body["info"]["more_records"] is False
    assert wire.get("settings/custom_views", module="Deals", page=2).status_code == 204


def test_tags_are_of_one_module(wire):
    assert wire.get("settings/tags", module="Deals").status_code == 204
    wire.org.insert("Deals", {"Tag": ["hot", "cold"]})
    wire.org.insert("Deals", {"Tag": ["hot"]})
    body = wire.get("settings/tags", module="Deals").json()
    assert ([row["name"] for row in body["tags"]], body["info"]["count"]) == (["hot", "cold"], 2)
    assert refusal(wire.get("settings/tags")) == (400, "REQUIRED_PARAM_MISSING")


def test_pipelines_need_a_layout(wire):
    layout = wire.org.modules["Deals"].layouts[0]["id"]
    assert refusal(wire.get("settings/pipeline")) == (400, "REQUIRED_PARAM_MISSING")
    assert refusal(wire.get("settings/pipeline", layout_id="12")) == (400, "INVALID_DATA")
    assert wire.get("settings/pipeline", layout_id=layout).status_code == 204
    wire.org.account.add_pipeline(layout, "Sales", ["Open", "Won"])
    (row,) = wire.get("settings/pipeline", layout_id=layout).json()["pipeline"]
    assert (row["display_value"], [stage["display_value"] for stage in row["maps"]]) == (
        "Sales",
        ["Open", "Won"],
    )

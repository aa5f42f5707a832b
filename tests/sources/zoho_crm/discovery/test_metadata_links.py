"""Which modules hang on which is told by the metadata, in each of the forms that it has."""

from __future__ import annotations

from sources.zoho_crm.discovery.metadata import list_fields, list_modules, parse_field
from sources.zoho_crm.extract.related_rows import Relationship, links
from sources.zoho_crm.models import Module as Known
from tests.support.families import company


def found_in(load):
    client = load.client()
    modules = {m.api_name: m for m in list_modules(client) if m.api_supported and m.viewable}
    del modules["Payroll"]
    return links({name: list_fields(client, name) for name in modules}, modules)


def test_the_metadata_tells_which_modules_hang_on_which(load_from):
    found = found_in(load_from(company()))
    beside = ("Notes", "Attachments", "Tasks", "Events", "Calls")
    own = [link for link in found if link.child not in beside]
    assert own == [
        Relationship("Quotes", "Quoted_Items", "Parent_Id"),
        Relationship("Deals", "DealHistory", "Potential_Name", edited=False),
        Relationship("Lighthouses", "Lighthouses_X_Products", "Lighthouse"),
        Relationship("Products", "Lighthouses_X_Products", "Product"),
    ]


def test_notes_and_files_hang_on_records_of_every_module_and_files_on_notes(load_from):
    found = [link for link in found_in(load_from(company())) if link.child in ("Notes", "Attachments")]
    assert {(link.field, link.edited) for link in found} == {("Parent_Id", False)}
    parents = {
        child: {link.parent for link in found if link.child == child} for child in ("Notes", "Attachments")
    }
    assert parents["Attachments"] == parents["Notes"] | {"Notes"}
    assert {"Leads", "Deals", "Lighthouses", "客户反馈"} <= parents["Notes"]
    assert not {"Quoted_Items", "DealHistory", "Lighthouses_X_Products", "Attachments"} & parents["Notes"]
    assert [link.child for link in found] == sorted((link.child for link in found), reverse=True)


def test_activities_hang_on_what_they_are_about_and_notes_on_them(load_from):
    found = found_in(load_from(company()))
    about = [link for link in found if link.child in ("Tasks", "Events", "Calls")]
    assert {(link.child, link.field) for link in about} >= {("Tasks", "What_Id"), ("Events", "Who_Id")}
    assert not any(link.edited for link in about)
    parents = {link.parent for link in about if (link.child, link.field) == ("Tasks", "What_Id")}
    assert {"Leads", "Deals", "Lighthouses"} <= parents
    assert not {"Tasks", "Events", "Notes", "Quoted_Items"} & parents
    assert {"Tasks", "Events", "Calls"} <= {link.parent for link in found if link.child == "Notes"}


def test_a_subform_whose_parent_only_the_parent_names_is_tied_to_it():
    modules = {name: Known(name, kind) for name, kind in (("Trips", "custom"), ("Stops", "subform"))}
    own = parse_field({"api_name": "S", "data_type": "subform", "associated_module": {"module": "Stops"}})
    up = parse_field({"api_name": "Parent_Id", "data_type": "lookup", "lookup": {}})
    assert links({"Trips": [own], "Stops": [up]}, modules) == [Relationship("Trips", "Stops", "Parent_Id")]


def test_a_subform_without_a_parent_id_is_tied_by_the_lookup_that_points_there():
    modules = {
        "Trips": Known("Trips"),
        "Stops": Known("Stops", "subform", raw={"parent_module": {"api_name": "Trips", "id": "1"}}),
    }
    towns = parse_field(
        {"api_name": "Town", "data_type": "lookup", "lookup": {"module": {"api_name": "Towns"}}}
    )
    up = parse_field({"api_name": "Trip", "data_type": "lookup", "lookup": {"module": "Trips"}})
    assert links({"Trips": [], "Stops": [towns, up]}, modules) == [Relationship("Trips", "Stops", "Trip")]
    assert links({"Trips": [], "Stops": [towns]}, modules) == []


def test_parents_that_the_account_does_not_offer_are_no_links():
    modules = {"Stops": Known("Stops", "subform", raw={"parent_module": {"api_name": "Trips"}})}
    up = parse_field({"api_name": "Parent_Id", "data_type": "lookup", "lookup": {}})
    assert links({"Stops": [up]}, modules) == []


def test_ordinary_lookups_are_no_links():
    modules = {"Deals": Known("Deals"), "Accounts": Known("Accounts")}
    up = parse_field({"api_name": "A", "data_type": "lookup", "lookup": {"module": {"api_name": "Accounts"}}})
    assert links({"Deals": [up], "Accounts": []}, modules) == []

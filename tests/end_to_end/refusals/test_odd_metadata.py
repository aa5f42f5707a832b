"""Whatever JSON Zoho's metadata may be, a run ends with a table or a sentence, never with an unexpected error."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, serve
from tests.support.checking import check, small
from tests.support.commanding import command, shop
from tests.support.reading import readings, things

pytestmark = pytest.mark.whole_account

__all__ = ["check", "command"]  # fixtures

MODULES, FIELDS = "GET /crm/v8/settings/modules", "GET /crm/v8/settings/fields"
ODD = (None, "", "odd", 7, 1.5, True, [], ["odd"], [None], {}, {"odd": [1]}, {"id": None}, [[{}]])

A_MODULE = {
    "id": "1",
    "api_name": "Odd",
    "module_name": "Odd",
    "generated_type": "custom",
    "api_supported": True,
    "viewable": True,
    "plural_label": "Odds",
    "modified_time": "2026-01-01T00:00:00+00:00",
    "modified_by": {"id": "2", "name": "Ann"},
    "sequence_number": 3,
    "parent_module": {"api_name": "Things", "id": "4"},
    "profiles": [{"id": "5", "name": "Standard"}],
}
A_FIELD = {
    "id": "1",
    "api_name": "Odd",
    "data_type": "lookup",
    "json_type": "jsonobject",
    "field_label": "Odd",
    "pick_list_values": [{"id": "2", "actual_value": "A", "display_value": "a"}],
    "lookup": {"module": {"api_name": "Things", "id": "3"}},
    "multiselectlookup": {"linking_module": {"api_name": "Things"}},
    "multiuserlookup": {"linking_details": {"module": {"api_name": "Things"}}},
    "associated_module": {"module": "Things"},
    "subform": {"module": "Things"},
    "formula": {"return_type": "double"},
    "rollup_summary": {"return_type": "double"},
    "textarea": {"type": "rich_text"},
    "length": 100,
    "custom_field": True,
    "created_time": "2026-01-01T00:00:00+00:00",
    "layouts": [{"id": "1"}],
}
LISTS = {  # the account's own tables: the route, the key of its rows, and a row
    "users": ("GET /crm/v8/users", "users"),
    "org": ("GET /crm/v8/org", "org"),
    "roles": ("GET /crm/v8/settings/roles", "roles"),
    "profiles": ("GET /crm/v8/settings/profiles", "profiles"),
    "currencies": ("GET /crm/v8/org/currencies", "currencies"),
    "territories": ("GET /crm/v8/settings/territories", "territories"),
    "tags": ("GET /crm/v8/settings/tags", "tags"),
    "layouts": ("GET /crm/v8/settings/layouts", "layouts"),
}
A_ROW = {
    "id": "1",
    "name": "Odd",
    "full_name": "Odd",
    "status": "active",
    "type__s": "Regular User",
    "confirm": True,
    "created_time": "2026-01-01T00:00:00+00:00",
    "created_by": {"id": "2", "name": "Ann"},
    "profile": {"id": "3", "name": "Standard"},
    "license_details": {"paid_type": "ultimate", "users_license_purchased": 3},
    "exchange_rate": "1.0",
    "sections": [],
    "unheard_of": "odd",
}


def variants(row, **fixed):
    """The row with each of its keys missing, and with each odd value for each key."""
    for key in row:
        for number, value in enumerate((..., *ODD)):
            odd = {**row, **{name: f"{text}_{key}_{number}" for name, text in fixed.items()}, key: value}
            yield {name: part for name, part in odd.items() if part is not ...}


def finished(load, **choice):
    """A run that ends with one of its own exit codes, and says nothing of Python's."""
    run = load(**choice)
    told = [r.error or "" for r in run.readings] + [skip.reason for skip in run.failures]
    assert not [words for words in told if "Error" in words or "Arrow" in words], told
    return run


def test_no_module_ends_a_run_by_its_own_description(load, org):
    things(org, 1)
    odd = list(variants(A_MODULE, api_name="Odd", id="7"))
    good = {**A_MODULE, "api_name": "Things", "module_name": "Things"}
    org.faults.add(MODULES, times=2, status=200, body={"modules": [good, *odd]})
    for _ in range(2):
        run = finished(load, never=["tags", "layouts", "pipelines"])
        assert {r.name: r.status for r in run.readings}["Things"] == "read"
        assert load.rows("select count(*) from modules where id is not null") == [(len(odd) + 1,)]
    assert org.faults.unspent() == []


def test_no_field_ends_a_run_by_its_own_description(load, org):
    things(org, 1)
    odd = list(variants(A_FIELD, api_name="Odd", id="7"))
    org.faults.add(FIELDS, times=2, status=200, body={"fields": odd})
    for _ in range(2):
        run = finished(load, only=["Things", "fields"])
        assert {r.name: r.status for r in run.readings}["fields"] == "read"
        there = "select count(*) from fields where id is not null"
        assert load.rows(there)[0][0] >= len(odd)
    assert org.faults.unspent() == []


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.cases(3)
def test_no_row_of_the_account_ends_a_run_by_its_own_form(name, load, org):
    things(org, 1)
    route, key = LISTS[name]
    odd = list(variants(A_ROW, id="7"))
    org.faults.add(route, status=200, body={key: odd, "info": {"more_records": False}})
    run = finished(load, only=[name])
    assert (load.reading(name).status, run.exit_code) == ("read", 0)
    assert load.reading(name).rows >= len(odd)
    assert org.faults.unspent() == []


@pytest.mark.parametrize("absent", [{}, {"id": None}, {"id": ""}])
@pytest.mark.cases(1)
def test_a_field_without_an_id_keeps_its_row_and_its_column_and_is_told(absent, load, org):
    things(org, 2)
    listed = [
        {"api_name": "F0", "data_type": "text", **absent},
        {"id": "8", "api_name": "F1", "data_type": "text"},
    ]
    org.faults.add(FIELDS, status=200, body={"fields": listed})
    assert load(only=["Things", "fields"]).exit_code == 0
    assert load.rows("select id, column_name from fields order by id") == [("8", "f1"), ("Things.F0", "f0")]
    assert load.rows("select count(f0) from things") == [(2,)]
    (note,) = load.reading("fields").notes.lines()
    assert note == "1 row(s) came without an id; theirs is made of the name or the place in the list"


def test_a_module_without_an_id_has_its_name_and_other_rows_their_place(load, org):
    things(org, 1)
    good = {"api_name": "Things", "generated_type": "custom", "api_supported": True, "viewable": True}
    org.faults.add(MODULES, times=9, status=200, body={"modules": [good, {**good, "api_name": None}]})
    roles = [{"name": "CEO"}, {"id": "no id 1", "name": "Chief"}, {"id": {}, "name": "Boss"}]
    org.faults.add("GET /crm/v8/settings/roles", status=200, body={"roles": roles})
    assert load(only=["Things", "roles"]).exit_code == 0
    assert {row[0] for row in load.rows("select id from modules")} == {"Things", "no id 2"}
    assert dict(load.rows("select name, id from roles")) == {
        "CEO": "no id 1_2",
        "Chief": "no id 1",
        "Boss": "no id 2",
    }


def test_a_layout_without_an_id_hides_no_other_and_its_pipelines_are_told(load_from):
    org = Org()
    org.add_module(Module("Deals", [Field("Stage", "picklist")]))
    layout = org.modules["Deals"].layouts[0]["id"]
    org.account.add_pipeline(layout, "Standard", ["New", "Won"])
    body = {"layouts": [{"name": "Odd"}, {"id": layout, "name": "Standard"}]}
    org.faults.add("GET /crm/v8/settings/layouts", times=2, status=200, body=body)
    found = readings(load_from(org))
    assert (found["layouts"].rows, found["pipelines"].rows) == (2, 1)
    assert found["pipelines"].notes.lines()[0].startswith("not offered: ")


@pytest.mark.parametrize("listed", [[None], ["Leads"], [[]], [3]])
@pytest.mark.cases(2)
def test_a_list_of_modules_that_holds_no_objects_is_one_sentence(listed, command, org):
    org = shop()
    org.faults.add(MODULES, times=9, status=200, body={"modules": listed})
    for words in (["run"], ["plan"], ["modules"], ["verify"]):
        with serve(org) as zoho:
            done = command(
                *words, "--connection", f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
            )
        assert (done.code, done.err) == (
            1,
            "Error: Zoho's list of modules holds something that is not an object\n",
        )


@pytest.mark.parametrize("odd", [*ODD, {"users_license_purchased": "many", "paid_type": "free"}])
@pytest.mark.cases(5)
def test_check_ends_in_lines_whatever_the_organisation_and_the_user_are(odd, check):
    org = small()
    for route, key in (("GET /crm/v8/org", "org"), ("GET /crm/v8/users", "users")):
        row = {"license_details": odd, "profile": odd, "full_name": odd, "type": odd, "zgid": odd}
        org.faults.add(route, status=200, body={key: [row]})
    assert check(org)["organisation"] in ("ok", "failed")

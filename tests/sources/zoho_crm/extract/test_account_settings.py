"""Tags, layouts, pipelines, modules and fields: once a day where they take many calls, and about all modules."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Field, Module, PickListValue
from sources.zoho_crm.discovery.catalog import PreviousState
from sources.zoho_crm.sync.tables import account_tables, not_due
from sources.zoho_crm.transform.naming import remember
from tests.support.reading import look, readings, table, things

pytestmark = pytest.mark.whole_account
USERS, ORG = "GET /crm/v8/users", "GET /crm/v8/org"
ONCE_A_DAY = {"tags", "layouts", "pipelines"}


# ---- tables that take a call for each module


def deals(org):
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), Field("Stage", "picklist")]))
    org.account.add_pipeline(org.modules["Deals"].layouts[0]["id"], "Standard", ["New", "Won"])
    org.tag("Deals", "hot, new")
    things(org, 1)
    org.tag("Things", "cold")


def test_tags_layouts_and_pipelines_tell_what_they_belong_to(load, org):
    deals(org)
    assert {(r["module"], r["name"]) for r in table(load, "tags")} == {
        ("Deals", "hot, new"),
        ("Things", "cold"),
    }
    assert {r["module"] for r in table(load, "layouts")} == {"Deals", "Things"}
    (pipeline,) = table(load, "pipelines")
    assert pipeline["layout__id"] == org.modules["Deals"].layouts[0]["id"]
    assert [stage["actual_value"] for stage in json.loads(pipeline["maps"])] == ["New", "Won"]


def test_a_module_without_layouts_hides_no_other_and_is_named(load, org):
    deals(org)
    refusal = {"code": "NOT_SUPPORTED", "status": "error", "message": "no"}
    org.faults.add("GET /crm/v8/settings/layouts", module="Things", status=400, body=refusal)
    reading = readings(load)["layouts"]
    assert (reading.status, reading.rows) == ("read", 1)
    assert reading.notes.lines() == ["not offered: NOT_SUPPORTED for Things"]


def test_asked_for_by_name_they_are_about_all_modules(load, org):
    deals(org)
    assert {r["module"] for r in table(load, "tags", only=["tags"])} == {"Deals", "Things"}
    assert {r["module"] for r in table(load, "tags", only=["tags", "Deals"])} == {"Deals", "Things"}
    assert {r["module"] for r in table(load, "tags", never=["Deals"])} == {"Things"}


def test_they_are_read_once_a_day_by_zohos_clock(load, org):
    deals(org)
    others = ["Things", "users", "org", "roles", "profiles", "currencies", "territories"]
    assert load("ReadAPI=REST", never=others).exit_code == 0

    def asked():
        org.ledger.clear()
        assert load("ReadAPI=REST", never=others).exit_code == 0
        return len(org.ledger.calls("GET /crm/v8/settings/tags"))

    org.tag("Deals", "later")
    org.clock.advance(hours=20)
    assert asked() == 0
    assert {load.reading(name).status for name in ONCE_A_DAY} == {"kept"}
    assert load.reading("tags").reason == "read once a day, last on 2 Mar, 09:00 UTC"
    told = (
        "select status, error, reason from sync_runs where module = 'tags' order by started_at desc limit 1"
    )
    assert load.rows(told) == [("kept", None, "read once a day, last on 2 Mar, 09:00 UTC")]
    assert load.rows("select name from tags") == [("hot, new",)]
    assert load.rows("select count(*) from layouts") == [(1,)]
    org.clock.advance(hours=4)
    assert asked() == 1
    assert sorted(load.rows("select name from tags")) == [("hot, new",), ("later",)]


def test_whoever_asks_for_one_by_name_gets_it_now(load, org):
    things(org, 0)
    memory = PreviousState(
        settings_read={"tags": "2026-03-02T08:59:00+00:00", "layouts": "2026-03-02T08:59:00+00:00"}
    )
    client, found = look(load, memory=memory, only=["tags"])
    assert [t.name for t in account_tables(client, found)] == ["tags"]
    client, found = look(load, memory=memory)
    assert {r.name for r in not_due(found)} == {"tags", "layouts"}


def test_a_time_ahead_of_zohos_clock_is_no_reason_to_wait(load, org):
    things(org, 0)
    memory = PreviousState(settings_read={"tags": "2031-01-01T00:00:00+00:00"})
    client, found = look(load, memory=memory)
    assert "tags" in {t.name for t in account_tables(client, found)}
    assert not_due(found) == []


# ---- modules and fields


def test_fields_have_labels_values_columns_and_the_reason_of_those_left_out(load, org):
    values = [PickListValue("Shown", "kept"), PickListValue("Old", "old", used=False)]
    extra = [
        Field("Stage", "picklist", label="The Stage", pick_list_values=values),
        Field("Rows", "subform", subform_module="Parts"),
        Field("LeadSource", "text"),
        Field("Lead_Source", "text"),
    ]
    things(org, 1, extra=extra)
    rows = {row["api_name"]: row for row in table(load, "fields")}
    assert rows["Stage"]["field_label"] == "The Stage"
    values = json.loads(rows["Stage"]["pick_list_values"])
    assert [(v["display_value"], v["actual_value"], v["type"]) for v in values][-2:] == [
        ("Shown", "kept", "used"),
        ("Old", "old", "unused"),
    ]
    assert (rows["Owner"]["column_name"], rows["Owner"]["column_type"]) == ("owner__id", "text")
    assert {rows[n]["column_name"] for n in ("LeadSource", "Lead_Source")} == {"lead_source", "lead_source_2"}
    assert (rows["Rows"]["column_name"], rows["Rows"]["skip_reason"]) == (
        None,
        "its rows are the module Parts",
    )


def test_a_refused_field_whose_column_is_empty_is_told_in_fields_and_sync_runs(load, org):
    things(org, 2, extra=[Field("F1", "text", visible=False)])
    assert load("ReadAPI=COQL", only=["Things"]).exit_code == 0
    reason = "COQL refuses it (INVALID_QUERY), and the Records API sends no values of it"
    query = "select api_name, column_name, skip_reason from fields where skip_reason is not null"
    assert load.rows(query) == [("F1", "f1", reason)]
    assert load.rows("select distinct f1 from things") == [(None,)]
    org.clock.advance(hours=1)
    assert load("ReadAPI=COQL", only=["Things"]).exit_code == 0
    again = "an API refused it when the module was read whole, and no record had a value"
    assert load.rows(query) == [("F1", "f1", again)]
    skipped = "select skipped_fields from sync_runs where module = 'Things' order by started_at limit 1"
    assert load.rows(skipped) == [('["F1"]',)]


def test_modules_tell_their_table_and_why_they_are_not_read(load, org):
    things(org, 1)
    org.add_module(Module("Other"))
    org.add_module(Module("Home", api_supported=False))
    rows = {
        r["api_name"]: (r["table_name"], r["skip_reason"]) for r in table(load, "modules", only=["Things"])
    }
    assert rows == {
        "Things": ("things", None),
        "Other": (None, "not chosen"),
        "Home": (None, "Zoho does not offer it by API"),
    }


def test_a_run_for_a_few_modules_keeps_the_fields_of_the_others(load, org):
    things(org, 1)
    org.add_module(Module("Other", [Field("Name", "text")]))
    memory = PreviousState(tables={"Things": "things", "Other": "other"})
    assert readings(load, memory, only=["Other"])["fields"].status == "kept"
    assert readings(load, PreviousState(tables={"Other": "other"}), only=["Other"])["fields"].status == "read"
    assert {r["module"] for r in table(load, "fields", only=["fields"])} == {"Things", "Other"}


def test_keys_that_nobody_declared_keep_their_columns(load, org):
    org.account.org_values = {"new_key": 7}
    first = readings(load, only=["org"])["org"]
    memory = PreviousState(columns={"org": remember(first.columns, {})})
    org.account.org_values = {"new_key": "seven"}
    (row,) = pq.read_table(readings(load, memory, only=["org"])["org"].parquet_file.path).to_pylist()
    assert row["new_key_2"] == "seven"

"""The account's own tables: whole, paged, typed, and left out with a word where the account has none."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Field, Module, Org, PickListValue, Quirks
from sources.zoho_crm.naming import remember
from sources.zoho_crm.survey import Memory
from sources.zoho_crm.tables import account_tables, metadata_tables, not_due
from tests.reading import look, things

USERS, ORG = "GET /crm/v8/users", "GET /crm/v8/org"
ONCE_A_DAY = {"tags", "layouts", "pipelines"}


def readings(load, memory=None, **choice):
    client, found = look(load, memory=memory, **choice)
    tables = [*account_tables(client, found), *metadata_tables(found)]
    return {table.name: table.read(load.folder, lambda rows: None) for table in tables}


def table(load, name, **choice):
    reading = readings(load, **choice)[name]
    assert reading.status == "read", reading.error
    return pq.read_table(reading.spooled.path).to_pylist()


# ---- users and the organisation


@pytest.mark.parametrize("count", [1, 199, 200, 201, 400])
@pytest.mark.parametrize("also_deleted", [False, True])
def test_all_users_come_the_deleted_ones_too(load_from, count, also_deleted):
    org = Org(quirks=Quirks(all_users_hold_deleted=also_deleted))
    load = load_from(org)
    for number in range(count - 1):
        org.account.add_user(None, f"No {number}", status="active" if number % 2 else "inactive")
    org.account.add_user("Gone", "Girl", status="deleted")
    rows = table(load, "users", only=["users"])
    assert {row["id"]: (row["full_name"], row["status"]) for row in rows} == {
        user["id"]: (user["full_name"], user["status"]) for user in org.account.users
    }
    assert len(rows) == count + 1


def test_a_user_is_typed_and_its_lookups_are_ids(load, org):
    chief = org.account.roles[0]
    (row,) = table(load, "users", only=["users"])
    assert (row["role__id"], row["profile__id"]) == (chief["id"], org.account.profiles[0]["id"])
    assert (row["confirm"], row["offset"]) == (True, 19_800_000)
    assert row["created_time"] == org.now()
    assert isinstance(row["modified_time"], datetime)


def test_the_organisation_has_its_licence_beside(load, org):
    org.account.license = {
        "paid_expiry": datetime(2027, 1, 1, tzinfo=timezone.utc),
        "users_license_purchased": 17,
        "paid_type": "ultimate",
    }
    org.account.org_values = {"brand_new_key": {"a": [1]}, "brand_new_flag": True, "brand_new_sum": 1.5}
    (row,) = table(load, "org", only=["org"])
    assert (row["zgid"], row["company_name"]) == (org.account.zgid, "Example Company")
    assert (row["license_details_paid"], row["license_details_paid_type"]) == (True, "ultimate")
    assert row["license_details_users_license_purchased"] == 17
    assert row["license_details_paid_expiry"] == datetime(2027, 1, 1, tzinfo=timezone.utc)
    assert json.loads(row["brand_new_key"]) == {"a": [1]}
    assert (row["brand_new_flag"], row["brand_new_sum"]) == (True, 1.5)


def test_roles_profiles_and_territories(load, org):
    org.account.add_role("Sales", reporting_to="CEO")
    org.account.add_territory("World")
    org.account.add_territory("North", reporting_to="World")
    roles = {row["name"]: row for row in table(load, "roles", only=["roles"])}
    assert roles["Sales"]["reporting_to__id"] == roles["CEO"]["id"]
    assert {row["name"] for row in table(load, "profiles", only=["profiles"])} == {
        "Administrator",
        "Standard",
    }
    rows = {row["name"]: row for row in table(load, "territories", only=["territories"])}
    assert rows["North"]["reporting_to__id"] == rows["World"]["id"]


def test_a_list_that_is_empty_is_an_empty_table(load, org):
    org.faults.add("GET /crm/v8/settings/territories", status=204)
    assert table(load, "territories", only=["territories"]) == []


def test_currencies_are_exact(load, org):
    org.account.add_currency("USD", "US Dollar", "1.000000000")
    org.account.add_currency("EUR", "Euro", "0.923456789")
    rows = table(load, "currencies", only=["currencies"])
    assert {row["iso_code"]: row["exchange_rate"] for row in rows} == {
        "USD": Decimal("1.000000000"),
        "EUR": Decimal("0.923456789"),
    }
    assert json.loads(rows[0]["format"])["decimal_places"] == "2"


@pytest.mark.parametrize("status", [403, 400])
@pytest.mark.parametrize("code", ["CURRENCIES_NOT_ENABLED", "FEATURE_NOT_SUPPORTED", "FEATURE_NOT_ENABLED"])
def test_what_is_switched_off_is_a_skip_with_zohos_words(load_from, status, code):
    load = load_from(Org(quirks=Quirks(feature_off_status=status, currencies_off_code=code)))
    reading = readings(load, only=["currencies"])["currencies"]
    assert reading.status == "skipped"
    assert reading.error.startswith(f"{status} {code} GET /crm/v8/org/currencies")


def test_a_table_without_its_scope_is_a_skip_that_hides_no_other(load, org):
    org.scopes -= {"ZohoCRM.users.READ"}
    found = readings(load)
    assert (found["users"].status, "OAUTH_SCOPE_MISMATCH" in found["users"].error) == ("skipped", True)
    assert {name for name, r in found.items() if r.status != "read"} == {
        "users",
        "currencies",
        "territories",
    }


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"html": True},
        {"html": True, "status": 200},
        {"reset": True},
        {"empty": True},
        {"truncate_json": True},
        {"status": 429},
    ],
)
def test_a_table_that_is_answered_at_the_third_try_is_read(load, org, fault):
    org.faults.add(USERS, times=2, **fault)
    assert len(table(load, "users", only=["users"])) == 1
    assert org.faults.unspent() == []


@pytest.mark.parametrize("fault", [{"status": 500}, {"html": True}, {"reset": True}, {"empty": True}])
def test_a_table_that_is_never_answered_is_one_sentence(load, org, fault):
    org.faults.add(USERS, times=99, **fault)
    found = readings(load, only=["users", "org"])
    assert (found["users"].status, found["org"].status) == ("failed", "read")
    assert found["users"].error.count("\n") == 0
    assert len(org.ledger.calls(USERS)) == 6


@pytest.mark.parametrize(
    "body", [{"users": None}, {"users": [["no", "row"]]}, {"users": {"id": "1"}}, {"info": {}}, {}, []]
)
def test_a_table_in_an_unforeseen_form_fails_and_does_not_become_an_empty_one(load, org, body):
    org.faults.add(USERS, status=200, body=body, times=9)
    reading = readings(load, only=["users"])["users"]
    assert (reading.status, reading.spooled) == ("failed", None)


def test_calls_and_credits_are_those_of_the_ledger(load, org):
    for number in range(250):
        org.account.add_user(None, f"No {number}")
    reading = readings(load, only=["users"])["users"]
    calls = org.ledger.calls(USERS)
    assert (
        (reading.usage.calls, reading.usage.credits) == (3, 3) == (len(calls), sum(c.credits for c in calls))
    )


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
    org.clock.advance(hours=23)
    assert asked() == 0
    assert {load.reading(name).status for name in ONCE_A_DAY} == {"skipped"}
    assert load.reading("tags").error == "read at 2026-03-02T09:00:00+00:00, due again a day later"
    assert load.rows("select name from tags") == [("hot, new",)]
    assert load.rows("select count(*) from layouts") == [(1,)]
    org.clock.advance(hours=1)
    assert asked() == 1
    assert sorted(load.rows("select name from tags")) == [("hot, new",), ("later",)]


def test_whoever_asks_for_one_by_name_gets_it_now(load, org):
    memory = Memory(
        settings_read={"tags": "2026-03-02T08:59:00+00:00", "layouts": "2026-03-02T08:59:00+00:00"}
    )
    client, found = look(load, memory=memory, only=["tags"])
    assert [t.name for t in account_tables(client, found)] == ["tags"]
    client, found = look(load, memory=memory)
    assert {r.name for r in not_due(found, client.now())} == {"tags", "layouts"}


def test_a_time_ahead_of_zohos_clock_is_no_reason_to_wait(load, org):
    memory = Memory(settings_read={"tags": "2031-01-01T00:00:00+00:00"})
    client, found = look(load, memory=memory)
    assert "tags" in {t.name for t in account_tables(client, found)}
    assert not_due(found, client.now()) == []


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
        "its rows are a table of their own Parts",
    )


def test_a_field_refused_while_reading_is_told_in_fields_and_sync_runs(load, org):
    things(org, 2, fields=2, refused_by_coql={"F1"})
    assert load("ReadAPI=COQL", only=["Things"]).exit_code == 0
    reason = "COQL refuses it (INVALID_QUERY)"
    assert load.rows("select api_name, skip_reason from fields where skip_reason is not null") == [
        ("F1", reason)
    ]
    assert load.rows("select skipped_fields from sync_runs where module = 'Things'") == [('["F1"]',)]


def test_modules_tell_their_table_and_why_they_are_not_read(load, org):
    things(org, 1)
    org.add_module(Module("Other"))
    org.add_module(Module("Home", api_supported=False))
    rows = {
        r["api_name"]: (r["table_name"], r["skip_reason"]) for r in table(load, "modules", only=["Things"])
    }
    assert rows == {
        "Things": ("things", None),
        "Other": ("other", "not chosen"),
        "Home": ("home", "Zoho does not offer it by API"),
    }


def test_a_run_for_a_few_modules_keeps_the_fields_of_the_others(load, org):
    things(org, 1)
    org.add_module(Module("Other", [Field("Name", "text")]))
    memory = Memory(tables={"Things": "things", "Other": "other"})
    assert readings(load, memory, only=["Other"])["fields"].status == "skipped"
    assert readings(load, Memory(tables={"Other": "other"}), only=["Other"])["fields"].status == "read"
    assert {r["module"] for r in table(load, "fields", only=["fields"])} == {"Things", "Other"}


def test_keys_that_nobody_declared_keep_their_columns(load, org):
    org.account.org_values = {"new_key": 7}
    first = readings(load, only=["org"])["org"]
    memory = Memory(columns={"org": remember(first.columns, {})})
    org.account.org_values = {"new_key": "seven"}
    (row,) = pq.read_table(readings(load, memory, only=["org"])["org"].spooled.path).to_pylist()
    assert row["new_key_2"] == "seven"

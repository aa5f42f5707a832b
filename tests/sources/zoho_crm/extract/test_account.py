"""The account's own tables: whole, paged, typed, and left out with a word where the account has none."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from simulators.zoho_crm import Org, Quirks
from tests.support.reading import readings, table, things

pytestmark = pytest.mark.whole_account

USERS, ORG = "GET /crm/v8/users", "GET /crm/v8/org"
ONCE_A_DAY = {"tags", "layouts", "pipelines"}


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
    things(org, 0)
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
    assert (reading.status, reading.parquet_file) == ("failed", None)


def test_calls_and_credits_are_those_of_the_ledger(load, org):
    for number in range(250):
        org.account.add_user(None, f"No {number}")
    reading = readings(load, only=["users"])["users"]
    calls = org.ledger.calls(USERS)
    assert (
        (reading.usage.calls, reading.usage.credits) == (3, 3) == (len(calls), sum(c.credits for c in calls))
    )

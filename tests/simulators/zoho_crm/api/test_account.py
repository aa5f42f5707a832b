"""The account: users, org, profiles, roles, currencies and other settings."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from simulators.zoho_crm import Org, Rules
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org(Rules(per_page=3, territories_per_page=2))
    people = org.account
    people.add_user("Bea", "Busy", profile="Standard")
    people.add_user("Ina", "Inactive", status="inactive")
    people.add_user(None, "Gone", status="deleted")
    people.add_user("Nia", "New", confirm=False)
    with wired(org) as wire:
        yield wire


def names(wire, **params: object) -> list[str]:
    answer = wire.get("users", **params)
    return [row["full_name"] for row in answer.json()["users"]] if answer.content else []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("AllUsers", ["Ada Admin", "Bea Busy", "Ina Inactive"]),
        ("ActiveUsers", ["Ada Admin", "Bea Busy", "Nia New"]),
        ("DeactiveUsers", ["Ina Inactive"]),
        ("ConfirmedUsers", ["Ada Admin", "Bea Busy", "Ina Inactive"]),
        ("NotConfirmedUsers", ["Nia New"]),
        ("DeletedUsers", ["Gone"]),
        ("ActiveConfirmedUsers", ["Ada Admin", "Bea Busy"]),
        ("AdminUsers", ["Ada Admin", "Ina Inactive", "Nia New"]),
        ("ActiveConfirmedAdmins", ["Ada Admin"]),
        ("CurrentUser", ["Ada Admin"]),
    ],
)
def test_each_type_of_users(wire, kind, expected):
    assert names(wire, type=kind) == expected


def test_a_wrong_type_of_users_is_pattern_not_matched(wire):
    assert refusal(wire.get("users", type="Robots")) == (400, "PATTERN_NOT_MATCHED")


def test_users_have_pages(wire):
    info = wire.get("users").json()["info"]
    assert info == {"per_page": 3, "count": 3, "page": 1, "more_records": True}
    assert names(wire, page=2) == ["Nia New"]
    assert names(wire, page=3) == []


def test_all_users_may_hold_deleted_ones(wire):
    wire.org.quirks.all_users_hold_deleted = True
    assert names(wire, page=2) == ["Gone", "Nia New"]


def test_users_by_id_and_since_a_time(wire):
    bea = wire.org.account.users[1]
    assert names(wire, ids=bea["id"]) == ["Bea Busy"]
    (row,) = wire.get(f"users/{bea['id']}").json()["users"]
    assert row["profile"]["name"] == "Standard"
    assert wire.get("users/12").status_code == 204
    many = ",".join(str(number) for number in range(101))
    assert refusal(wire.get("users", ids=many)) == (400, "LIMIT_EXCEEDED")
    since = {"If-Modified-Since": "2026-03-02T10:00:00+00:00"}
    assert wire.get("users", since).status_code == 304
    bea["Modified_Time"] = datetime(2026, 3, 2, 11, tzinfo=timezone.utc)
    assert [row["full_name"] for row in wire.get("users", since).json()["users"]] == ["Bea Busy"]


def test_the_offset_follows_the_zone_of_the_user(wire):
    assert (wire.org.user["time_zone"], wire.org.user["offset"]) == ("Asia/Kolkata", 19_800_000)
    wire.org.time_zone = "America/New_York"
    (row,) = wire.get("users", type="CurrentUser").json()["users"]
    assert (row["time_zone"], row["offset"]) == ("America/New_York", -18_000_000)
    assert row["created_time"] == "2026-03-02T04:00:00-05:00"


def test_the_org_tells_its_zgid_and_its_licence(wire):
    wire.org.account.license["paid_type"] = "ultimate"
    (row,) = wire.get("org").json()["org"]
    assert (row["zgid"], row["domain_name"]) == (wire.org.account.zgid, f"org{wire.org.account.zgid}")
    assert row["license_details"]["paid_type"] == "ultimate"
    assert row["license_details"]["users_license_purchased"] == 5
    assert row["mc_status"] is False


def test_profiles_and_roles(wire):
    wire.org.account.add_role("Sales", reporting_to="CEO")
    profiles = wire.get("settings/profiles").json()["profiles"]
    assert [row["name"] for row in profiles] == ["Administrator", "Standard"]
    roles = wire.get("settings/roles").json()["roles"]
    assert [(row["name"], row["reporting_to"] and row["reporting_to"]["name"]) for row in roles] == [
        ("CEO", None),
        ("Sales", "CEO"),
    ]


@pytest.mark.parametrize("status", [403, 400])
def test_what_the_edition_lacks_is_refused(wire, status):
    wire.org.quirks.feature_off_status = status
    assert refusal(wire.get("org/currencies")) == (status, "CURRENCIES_NOT_ENABLED")
    assert refusal(wire.get("settings/territories")) == (status, "FEATURE_NOT_ENABLED")
    wire.org.quirks.currencies_off_code = "FEATURE_NOT_SUPPORTED"
    assert refusal(wire.get("org/currencies")) == (status, "FEATURE_NOT_SUPPORTED")


def test_currencies_have_their_rate_as_text(wire):
    wire.org.account.add_currency("EUR", "Euro", "1.000000000")
    wire.org.account.add_currency("USD", "US Dollar", "1.080000000")
    rows = wire.get("org/currencies").json()["currencies"]
    assert [(row["iso_code"], row["exchange_rate"], row["is_base"]) for row in rows] == [
        ("EUR", "1.000000000", True),
        ("USD", "1.080000000", False),
    ]


def test_territories_have_pages(wire):
    for name, parent in (("World", None), ("North", "World"), ("South", "World")):
        wire.org.account.add_territory(name, parent)
    body = wire.get("settings/territories", per_page=2).json()
    world, north = body["territories"]
    assert (world["name"], world["reporting_to"]) == ("World", None)
    assert north["reporting_to"] == {"name": "World", "id": world["id"]}
    assert body["info"]["more_records"] is True
    assert [
        row["name"] for row in wire.get("settings/territories", per_page=2, page=2).json()["territories"]
    ] == ["South"]
    assert wire.get("settings/territories", per_page=2, page=9).status_code == 204
    assert refusal(wire.get("settings/territories", per_page=3)) == (400, "INVALID_DATA")


def test_variables(wire):
    assert wire.get("settings/variables").status_code == 204
    wire.org.account.add_variable("Tax_Rate", "percent", "19")
    (row,) = wire.get("settings/variables").json()["variables"]
    assert (row["api_name"], row["type"], row["value"]) == ("Tax_Rate", "percent", "19")


def test_apis_tells_what_the_simulator_charges(wire):
    rows = {row["path"]: row["operation_types"] for row in wire.get("__apis").json()["__apis"]}
    assert rows["/crm/bulk/v8/read"][0]["max_credits"] == 50
    assert (rows["/crm/v8/coql"][0]["min_credits"], rows["/crm/v8/coql"][0]["max_credits"]) == (1, 3)
    assert rows["/crm/v8/{module}/deleted"][0]["min_credits"] == 2
    assert not any(path.startswith("/oauth") for path in rows)

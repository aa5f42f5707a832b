"""The shape of each type of field in JSON."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.wire import wired

NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)
DAY = datetime(2026, 3, 29, 1, 30, tzinfo=timezone.utc)
FIELDS = {
    "text": ("007", '"007"'),
    "picklist": ("A;B", '"A;B"'),
    "multiselectpicklist": (["A", "B,C"], '["A","B,C"]'),
    "integer": (42, "42"),
    "bigint": (9_007_199_254_740_993, '"9007199254740993"'),
    "double": (1.5, "1.5"),
    "percent": (12.25, "12.25"),
    "currency": (Decimal("1234567890123456.123456789"), "1234567890123456.123456789"),
    "boolean": (True, "true"),
    "date": (date(2026, 3, 1), '"2026-03-01"'),
    "datetime": (NIGHT, '"2026-03-29T01:30:00+01:00"'),
    "RRULE": ({"RRULE": "FREQ=DAILY"}, '{"RRULE":"FREQ=DAILY"}'),
    "fileupload": ([{"id": "1", "File_Name__s": "a.txt"}], '[{"id":"1","File_Name__s":"a.txt"}]'),
    "hologram": ("a type nobody met", '"a type nobody met"'),
}


@pytest.fixture
def org():
    org = Org()
    org.time_zone = "Europe/Berlin"
    org.add_module(Module("Accounts", [Field("Account_Name", "text")]))
    org.add_module(
        Module(
            "Things",
            [
                *(Field(f"A_{name}", name) for name in FIELDS),
                Field("Account", "lookup", lookup_module="Accounts"),
                Field("What_Id", "multi_module_lookup"),
                Field("Consent", "consent_lookup"),
                Field("Worth", "formula", return_type="currency"),
                Field("Later", "datetime"),
            ],
        )
    )
    return org


@pytest.mark.parametrize("name", FIELDS)
def test_each_type_has_its_json_and_null(org, name):
    value, text = FIELDS[name]
    full = org.insert("Things", {f"A_{name}": value})
    empty = org.insert("Things", {})
    nothing = "false" if name == "boolean" else "null"
    with wired(org) as wire:
        shown = wire.get("Things", fields=f"A_{name}", ids=full).text
        assert f'"data":[{{"A_{name}":{text},"id":"{full}"}}]' in shown
        shown = wire.get("Things", fields=f"A_{name}", ids=empty).text
        assert f'"data":[{{"A_{name}":{nothing},"id":"{empty}"}}]' in shown


def test_the_offset_is_that_of_the_instant(org):
    org.insert("Things", {"A_datetime": NIGHT, "Later": DAY})
    with wired(org) as wire:
        (row,) = wire.rows("Things", fields="A_datetime,Later")
    assert row["A_datetime"] == "2026-03-29T01:30:00+01:00"
    assert row["Later"] == "2026-03-29T03:30:00+02:00"


def test_a_lookup_shows_the_name_as_it_is_now(org):
    account = org.insert("Accounts", {"Account_Name": "Old"})
    org.insert("Things", {"Account": account, "What_Id": {"id": account, "module": "Accounts"}})
    org.edit("Accounts", account, Account_Name="New")
    with wired(org) as wire:
        (row,) = wire.rows("Things", fields="Account,What_Id")
    assert row["Account"] == {"name": "New", "id": account}
    module = {"api_name": "Accounts", "id": org.modules["Accounts"].id}
    assert row["What_Id"] == {"name": "New", "id": account, "module": module}


def test_a_lookup_to_a_deleted_record_keeps_its_last_name(org):
    account = org.insert("Accounts", {"Account_Name": "Old"})
    org.insert("Things", {"Account": account})
    org.delete("Accounts", account)
    with wired(org) as wire:
        assert wire.rows("Things", fields="Account")[0]["Account"] == {"name": "Old", "id": account}


def test_a_user_comes_with_an_email_and_a_consent_with_its_id_only(org):
    org.insert("Things", {"Consent": {"id": "77", "name": "x"}})
    with wired(org) as wire:
        (row,) = wire.rows("Things", fields="Owner,Consent")
    assert row["Owner"] == {"name": "Ada Admin", "id": org.user["id"], "email": "ada@example.com"}
    assert row["Consent"] == {"id": "77"}


def test_tags_are_objects_and_none_is_an_empty_list(org):
    org.insert("Things", {})
    org.insert("Things", {"Tag": ["hot"]})
    with wired(org) as wire:
        newest, oldest = wire.rows("Things", fields="Tag")
    assert oldest["Tag"] == []
    assert newest["Tag"] == [{"name": "hot", "id": org.modules["Things"].tags[0]["id"], "color_code": None}]


def test_a_formula_changes_without_a_modified_time(org):
    id = org.insert("Things", {"Worth": "1.10"})
    before = org.record("Things", id).modified
    org.clock.advance(60)
    org.set_computed("Things", id, field="Worth", value=Decimal("2.000000001"))
    assert org.record("Things", id).modified == before
    with wired(org) as wire:
        assert '"Worth":2.000000001,' in wire.get("Things", fields="Worth").text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A_text", 7), ("A_integer", 1.5), ("A_boolean", "true"), ("A_date", NIGHT),
        ("A_datetime", NIGHT.replace(tzinfo=None)), ("Account", 12), ("What_Id", "12"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_a_mistake_of_the_test(org, name, value):
    with pytest.raises((TypeError, ValueError)):
        org.insert("Things", {name: value})


def test_a_field_nobody_declared_is_a_mistake_of_the_test(org):
    with pytest.raises(KeyError):
        org.insert("Things", {"Nmae": "x"})

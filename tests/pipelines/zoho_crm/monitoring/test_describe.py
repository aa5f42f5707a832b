"""`describe`: what each column of a table is, and whether anybody fills it."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.support.commanding import account, command

__all__ = ["account", "command"]  # fixtures
LABEL = 'Betrag "netto" 💶'


@pytest.fixture
def org():
    org = Org()
    org.add_module(Module("Deals", [Field("Name", "text"), Field("Amount", "currency", label=LABEL)]))
    org.add_module(
        Module(
            "Things",
            [
                Field("Name", "text"),
                Field("Deal", "lookup", lookup_module="Deals"),
                Field("Keeper", "userlookup"),
                Field("Home", "address"),
                Field("Empty", "text"),
            ],
        )
    )
    deal = org.insert("Deals", {"Name": "a deal", "Amount": "12.5"})
    for number in range(3):
        org.insert("Things", {"Name": f"thing {number}", "Deal": {"id": deal}} if number else {})
    return org


@pytest.fixture
def describe(org, account, command, monkeypatch):
    assert command("run", "--progress", "off", "--quiet").code == 0
    monkeypatch.delenv("SOURCES__ZOHO_CRM__CREDENTIALS")
    calls = len(org.ledger.calls())

    def call(*words):
        done = command("describe", *words)
        assert len(org.ledger.calls()) == calls
        return done

    return call


def test_each_column_has_label_type_nulls_example_and_reference(org, describe):
    done = describe("things", "--format", "json")
    assert (done.code, done.err) == (0, "")
    columns = {e["column"]: e for e in done.events if e["event"] == "column"}
    ids = {record.id for record in org.records("Things")}
    assert columns["id"]["example"] in ids
    assert columns["id"]["nulls"] == 0
    deal = columns["deal__id"]
    assert (deal["field"], deal["zoho_type"], deal["references"]) == ("Deal", "lookup", ["deals"])
    assert (deal["nulls"], deal["null_share"]) == (1, 0.3333)
    assert deal["example"] == org.records("Deals")[0].id
    assert columns["keeper__id"]["references"] == ["users"]
    assert columns["owner__id"]["references"] == ["users"]
    assert (columns["empty"]["null_share"], columns["empty"]["example"]) == (1.0, None)
    assert done.events[-1]["rows"] == 3


@pytest.mark.long
def test_a_person_sees_the_labels_and_the_fields_without_a_column(describe):
    done = describe("things")
    assert (done.code, done.err) == (0, "")
    assert "  Home (Home): " in done.out.partition("Fields without a column")[2]
    assert LABEL in describe("deals").out


@pytest.mark.long
def test_a_modules_name_will_do(describe):
    assert describe("Deals").out == describe("deals").out


@pytest.mark.long
def test_tables_about_the_account_refer_to_each_other(describe):
    events = describe("users", "--format", "json").events
    found = {e["column"]: e["references"] for e in events if e["event"] == "column"}
    assert found["role__id"] == ["roles"]
    assert found["profile__id"] == ["profiles"]
    assert found["reporting_to__id"] == ["users"]
    assert found["full_name"] == []


@pytest.mark.long
def test_a_table_that_is_not_there_is_guessed(describe):
    done = describe("thing")
    assert (done.code, done.out) == (2, "")
    assert "There is no table thing in the dataset zoho_crm in duckdb: did you mean" in done.err

"""Values that do not fit their type: the row stays, the text is kept beside, and the report counts it."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.reading import read, rows_of

APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}
CREATE = "POST /crm/bulk/v8/read"
TYPED = {
    "Size": ("integer", "many"),
    "Big": ("bigint", "9223372036854775808"),
    "Share": ("double", "nan"),
    "Money": ("currency", "0.1234567891"),
    "Day": ("date", "soon"),
    "Moment": ("datetime", "2026-01-01T00:00:00"),
    "Flag": ("boolean", "perhaps"),
}


def odd_things() -> Org:
    org = Org()
    fields = [Field(name, data_type) for name, (data_type, _) in TYPED.items()]
    org.add_module(Module("Things", [*fields, Field("Name", "text")], generated_type="custom"))
    for number in range(3):
        row = org.insert("Things", {"Name": f"row {number}"})
        if number == 1:  # as it stands in an account whose fields changed their types
            org.record("Things", row).values.update({name: text for name, (_, text) in TYPED.items()})
    return org


@pytest.mark.parametrize("api", APIS)
def test_a_value_that_does_not_fit_keeps_its_row_and_its_text(load_from, api):
    reading = read(load_from(odd_things()), "Things", APIS[api])
    assert reading.api == api
    rows = sorted(rows_of(reading).values(), key=lambda row: row["name"])
    assert [row["name"] for row in rows] == ["row 0", "row 1", "row 2"]
    for name, (_, text) in TYPED.items():
        assert rows[1][name.lower()] is None
        assert [row[f"{name.lower()}_text"] for row in rows] == [None, text, None]
        words = f"1 value(s) of {name.lower()} do not fit its type; they are in {name.lower()}_text"
        assert words in reading.notes.lines()


def test_the_text_twins_land_in_the_destination_and_may_come_in_a_later_run(load_from):
    org = Org()
    columns = [Field("Amount", "currency"), Field("Amount_Text", "text")]
    org.add_module(Module("Things", columns, generated_type="custom"))
    row = org.insert("Things", {"Amount": 1, "Amount_Text": "one"})
    load = load_from(org)
    assert load(APIS["bulk"], only=["Things"]).exit_code == 0
    assert load.rows("select amount, amount_text from things") == [(1, "one")]
    org.record("Things", row).values["Amount"] = "a lot"
    assert load(APIS["bulk"], only=["Things"]).exit_code == 0
    assert load.rows("select amount, amount_text, amount_text_2 from things") == [(None, "one", "a lot")]


def test_a_field_that_comes_later_leaves_the_text_twin_alone(load_from):
    org = Org()
    org.add_module(Module("Things", [Field("Amount", "currency")], generated_type="custom"))
    row = org.insert("Things", {})
    org.record("Things", row).values["Amount"] = "a lot"
    load = load_from(org)
    assert load(APIS["bulk"], only=["Things"]).exit_code == 0
    assert load.rows("select amount, amount_text from things") == [(None, "a lot")]
    org.add_field("Things", Field("Amount_Text", "text"))
    org.record("Things", row).values["Amount_Text"] = "own"
    assert load(APIS["bulk"], only=["Things"]).exit_code == 0
    assert load.rows("select amount, amount_text, amount_text_2 from things") == [(None, "a lot", "own")]


def test_half_an_emoji_in_json_ends_no_reading(load_from):
    org = Org()
    org.add_module(Module("Things", [Field("Name", "text")], generated_type="custom"))
    org.insert("Things", {"Name": "x"})
    org.faults.add(
        "GET /crm/v8/{module}",
        module="Things",
        body='{"data": [{"id": "7", "Name": "cut \\ud83d"}], "info": {"more_records": false}}',
    )
    rows = rows_of(read(load_from(org), "Things", APIS["records"]))
    assert rows["7"]["name"] == "cut \ufffd"


def test_tags_with_commas_on_a_later_page_are_split_by_the_accounts_own_list(load_from):
    org = Org()
    org.rules.bulk_page_size = 2
    org.add_module(Module("Things", [Field("Name", "text")], generated_type="custom"))
    tags = [["one"], ["two"], ["one", "two"], ["a, b", "one"]]
    ids = [org.insert("Things", {"Name": "x", "Tag": names}) for names in tags]
    rows = rows_of(read(load_from(org), "Things", APIS["bulk"]))
    assert [rows[row]["tag"] for row in ids] == tags
    assert len(org.ledger.calls("GET /crm/v8/settings/tags")) == 1
    (asked,) = org.ledger.calls("GET /crm/v8/{module}")
    assert asked.query["approved"] == "false"  # no row was asked for


def test_tags_that_nobody_may_list_are_asked_for_row_by_row(load_from):
    org = Org()
    org.add_module(Module("Things", [Field("Name", "text")], generated_type="custom"))
    row = org.insert("Things", {"Name": "x", "Tag": ["a", "b"]})
    org.faults.add("GET /crm/v8/settings/tags", status=403)
    reading = read(load_from(org), "Things", APIS["bulk"])
    assert rows_of(reading)[row]["tag"] == ["a", "b"]
    assert "cells of Tag asked for by the Records API: 1" in reading.notes.lines()

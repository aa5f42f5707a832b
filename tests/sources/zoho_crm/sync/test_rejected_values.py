"""Values that do not fit their type: the row stays, the text is kept beside, and the report counts it."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.end_to_end.later_runs.test_state import _spoil
from tests.support.reading import read, rows_of

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
        assert [row[f"{name.lower()} rejected"] for row in rows] == [None, text, None]


REJECTED = "select module, id, field, text, reason from rejected_values where deleted_at is null"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_values_that_do_not_fit_are_rows_of_rejected_values_until_they_fit(load_from, api):
    org = Org()
    columns = [Field("Amount", "currency"), Field("Amount_Text", "text")]
    org.add_module(Module("Things", columns, generated_type="custom"))
    rows = [org.insert("Things", {"Amount": 1, "Amount_Text": "one"}) for _ in range(3)]
    load = load_from(org)
    assert load(APIS[api], only=["Things"]).exit_code == 0
    assert load.rows(REJECTED) == []
    org.clock.advance(hours=1)
    org.edit("Things", rows[0], Amount_Text="odd")
    org.record("Things", rows[0]).values["Amount"] = "a lot"
    org.edit("Things", rows[1], Amount_Text="odd")
    org.record("Things", rows[1]).values["Amount"] = "very much"
    assert load(APIS[api], only=["Things"]).exit_code == 0
    assert sorted(load.rows(REJECTED)) == [
        ("Things", rows[0], "Amount", "a lot", "not a decimal"),
        ("Things", rows[1], "Amount", "very much", "not a decimal"),
    ]
    assert load.rows(f"select amount, amount_text from things where id = '{rows[0]}'") == [(None, "odd")]
    assert (
        "2 value(s) of amount do not fit its type; they are in rejected_values"
        in load.reading("Things").notes.lines()
    )
    org.clock.advance(hours=1)
    org.edit("Things", rows[0], Amount=5)
    org.delete("Things", rows[1])
    assert load(APIS[api], only=["Things"]).exit_code == 0
    assert load.rows(REJECTED) == []
    assert load.rows(f"select amount from things where id = '{rows[0]}'") == [(5,)]


@pytest.mark.parametrize("table", ["rejected_values", "deleted_records"])
@pytest.mark.cases(1)
def test_a_table_of_ours_that_somebody_has_dropped_is_made_again(load_from, table):
    org = Org()
    org.add_module(Module("Things", [Field("Amount", "currency")], generated_type="custom"))
    rows = [org.insert("Things", {"Amount": 1}) for _ in range(3)]
    load = load_from(org)
    assert load(only=["Things"]).exit_code == 0
    load.rows(f"drop table {table}")
    org.clock.advance(hours=1)
    org.edit("Things", rows[0], Amount=2)
    org.record("Things", rows[0]).values["Amount"] = "a lot"
    org.delete("Things", rows[1])
    assert load(only=["Things"]).exit_code == 0
    expected = {"rejected_values": rows[0], "deleted_records": rows[1]}
    assert load.rows(f"select id from {table}") == [(expected[table],)]


@pytest.mark.long
def test_text_that_an_earlier_version_kept_beside_its_column_moves(load_from):
    """Its column stays, empty; the run says why it reads the module whole."""
    org = Org()
    org.add_module(Module("Things", [Field("Amount", "currency")], generated_type="custom"))
    row = org.insert("Things", {})
    org.record("Things", row).values["Amount"] = "a lot"
    load = load_from(org)
    assert load(only=["Things"]).exit_code == 0
    load.rows("delete from rejected_values")
    load.rows("alter table things add column amount_text varchar")
    load.rows("update things set amount_text = 'a lot'")
    load.let_go()
    _spoil(load, lambda state: state["resources"]["things"]["module_state"].pop("layout"))
    org.clock.advance(hours=1)
    assert load(only=["Things"]).exit_code == 0
    assert load.rows(REJECTED) == [("Things", row, "Amount", "a lot", "not a decimal")]
    assert load.rows("select amount, amount_text from things") == [(None, None)]
    assert load.reading("Things").reason.startswith(
        "values that its columns do not hold move to rejected_values"
    )
    org.clock.advance(hours=1)
    assert load(only=["Things"]).exit_code == 0
    assert not load.reading("Things").plan.is_full_refresh


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

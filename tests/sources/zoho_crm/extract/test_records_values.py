"""What the Records API gives of a record: all its fields, of one moment, whole and in every state."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.reading import LIST, after_call, read, rows_of, things
from tests.support.truth import truth


def with_quirks(load_from, **quirks):
    return load_from(Org(quirks=Quirks(**quirks)))


# ---- more fields than one call takes


@pytest.mark.parametrize(("fields", "chunks"), [(40, 1), (41, 2), (61, 2), (130, 3)])
def test_wide_modules_come_in_chunks(load, org, fields, chunks):
    things(org, 201, fields=fields)  # and ten system fields
    assert rows_of(read(load)) == truth(org, "Things")
    calls = org.ledger.calls(LIST)
    assert len(calls) == 2 + 3 * (chunks - 1)
    assert max(len(c.query["fields"].split(",")) for c in calls) <= 50
    assert {len(c.query["ids"].split(",")) for c in calls if "ids" in c.query} <= {100, 1}


def test_a_record_edited_between_two_chunks_is_read_again(load, org):
    ids = things(org, 5, fields=61)

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[2], F0="edited", F60="edited")

    after_call(org, LIST, 1, work)
    reading = read(load)
    assert rows_of(reading) == truth(org, "Things")
    assert reading.notes.lines() == ["records read again because they changed while being read: 1"]


def test_a_record_that_changes_all_the_time_is_one_sentence(load, org):
    ids = things(org, 2, fields=61)

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[0])

    after_call(org, LIST, 1, work, times=20)
    assert read(load).error == f"Things {ids[0]} changed each of the 3 times it was read"


def test_a_record_deleted_between_two_chunks_is_gone(load, org):
    ids = things(org, 5, fields=61)
    after_call(org, LIST, 1, lambda: org.delete("Things", ids[2]))
    assert rows_of(read(load)) == truth(org, "Things")


# ---- values


LONG = "<p>" + "x" * 600 + "</p>"


@pytest.mark.parametrize("text", [LONG, "y" * 500, "z" * 499, "🦊" * 300, "é" * 501, None])
def test_rich_text_comes_whole(load, org, text):
    things(org, 0, extra=[Field("Body", "textarea", textarea="rich_text"), Field("Plain", "textarea")])
    org.insert("Things", {"Body": text, "Plain": text})
    reading = read(load)
    assert rows_of(reading) == truth(org, "Things")
    assert len(org.ledger.calls("GET /crm/v8/{module}/{id}/actions/fetch_full_data")) == (
        len(text or "") >= 500
    )


def test_rich_text_cut_in_utf_16_units_is_seen_as_cut(load, org):
    """Zoho does not say what it counts; a foxes' tale of 300 characters has 600 units."""
    things(org, 0, extra=[Field("Body", "textarea", textarea="rich_text")])
    id = org.insert("Things", {"Body": "🦊" * 300})
    row = {"id": id, "Modified_Time": "2026-03-02T14:30:00+05:30", "Body": "🦊" * 250}
    org.faults.add(LIST, status=200, body={"data": [row], "info": {"more_records": False}})
    assert rows_of(read(load))[id]["body"] == "🦊" * 300


@pytest.mark.parametrize("answer", ["204", "INVALID_DATA", "404"])
def test_rich_text_of_a_record_that_is_gone_by_then_fails_nothing(load_from, answer):
    load = with_quirks(load_from, unknown_id=answer)
    things(load.org, 3, extra=[Field("Body", "textarea", textarea="rich_text")])
    id = load.org.insert("Things", {"Body": LONG})
    after_call(load.org, LIST, 1, lambda: load.org.delete("Things", id))
    found = rows_of(read(load))
    assert truth(load.org, "Things").items() <= found.items()


@pytest.mark.parametrize("approved", ["honoured", "ignored"])
def test_converted_and_unapproved_records_come_too(load_from, approved):
    load = with_quirks(load_from, list_approved=approved)
    org = load.org
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    for name in "abc":
        org.insert("Leads", {"Last_Name": name})
    org.convert(org.records("Leads")[0].id)
    org.insert("Leads", {"Last_Name": "waits"}, approved=False)
    assert rows_of(read(load, "Leads")) == truth(org, "Leads")
    assert len(truth(org, "Leads")) == 4


def test_a_field_that_zoho_drops_is_null_and_named(load, org):
    things(org, 3, fields=60, extra=[Field("Hidden", "text", visible=False)])
    reading = read(load)
    rows = rows_of(reading)
    assert {row.pop("hidden") for row in rows.values()} == {None}
    assert rows == truth(org, "Things")
    assert reading.notes.lines() == ["Zoho lists these fields but sends no values of them: Hidden"]


def test_unknown_names_refused_instead_of_dropped_are_one_sentence(load_from):
    load = with_quirks(load_from, unknown_fields="INVALID_DATA")
    things(load.org, 3)
    after_call(load.org, "GET /crm/v8/settings/fields", 1, lambda: load.org.drop_field("Things", "F0"))
    reading = read(load)
    assert (reading.status, "400 INVALID_DATA GET /crm/v8/Things" in reading.error) == ("failed", True)


def test_a_module_without_modified_time(load, org):
    things(org, 250, fields=61, system_fields=("id", "Owner"))
    assert rows_of(read(load)) == truth(org, "Things")


def test_a_module_whose_modified_time_is_hidden(load, org):
    things(org, 250, fields=61, hidden_modified_time=True)
    rows = rows_of(read(load))
    assert {row.pop("modified_time") for row in rows.values()} == {None}
    assert rows == truth(org, "Things")

"""Modules whose fields no single job brings: slices joined by id, and never a torn row."""

from __future__ import annotations

import json

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from sources.zoho_crm import limits
from sources.zoho_crm.extract.extractor import read_module
from sources.zoho_crm.transform import parquet_writer
from tests.support.private import rules
from tests.support.reading import after_call, look, read, rows_of, things
from tests.support.truth import landed, truth

BULK = "ReadAPI=Bulk"
CREATE = "POST /crm/bulk/v8/read"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
LIST = "GET /crm/v8/{module}"


def fields_of_jobs(org: Org) -> list[int]:
    taken = [json.loads(call.body)["query"] for call in org.ledger.calls(CREATE) if call.status == 201]
    return [len(query["fields"]) for query in taken if "fields" in query]


def lines(reading) -> str:
    return "\n".join(reading.notes.lines())


@pytest.fixture
def org() -> Org:
    """Jobs of at most 8 fields: id, Modified_Time and six others."""
    return Org(quirks=Quirks(bulk_field_cap=8))


@pytest.mark.long
def test_250_fields_come_in_slices_of_what_the_account_takes(load_from):
    org = Org(quirks=Quirks(bulk_field_cap=200))
    things(org, 5, fields=250)
    load = load_from(org)
    assert load(BULK, only=["Things"]).exit_code == 0
    assert load.reading("Things").api == "bulk"
    assert landed(load, "things") == truth(org, "Things")
    assert max(fields_of_jobs(org)) == 200
    assert len(fields_of_jobs(org)) == 2


def test_slices_and_pages_go_together(load_from):
    org = Org(quirks=Quirks(bulk_field_cap=8), rules=Rules(bulk_page_size=3))
    things(org, 10, fields=12)
    reading = read(load_from(org), "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")


def test_an_empty_module_in_slices_is_an_empty_table(load, org):
    things(org, 0, fields=12)
    reading = read(load, "Things", BULK)
    assert reading.status == "read", reading.error
    assert rows_of(reading) == {}
    assert {"f0", "f11", "modified_time"} <= set(reading.parquet_file.schema.names)


def test_a_row_edited_between_two_slices_is_read_again_whole(load, org):
    ids = things(org, 5, fields=12)
    org.clock.advance(days=1)
    after_call(org, DOWNLOAD, 1, lambda: org.edit("Things", ids[2], F0="new", F11="new"))
    reading = read(load, "Things", BULK)
    rows = rows_of(reading)
    assert rows == truth(org, "Things")
    assert (rows[ids[2]]["f0"], rows[ids[2]]["f11"]) == ("new", "new")
    assert "records read again because they changed while being read: 1" in lines(reading)


def test_a_row_deleted_between_two_slices_is_not_there(load, org):
    ids = things(org, 5, fields=12)
    after_call(org, DOWNLOAD, 1, lambda: org.delete("Things", ids[2]))
    assert rows_of(read(load, "Things", BULK)) == truth(org, "Things")


def test_a_row_inserted_between_two_slices_is_whole(load, org):
    things(org, 5, fields=12)
    after_call(org, DOWNLOAD, 1, lambda: org.insert("Things", {"F0": "late", "F11": "late"}))
    assert rows_of(read(load, "Things", BULK)) == truth(org, "Things")


def test_every_row_torn_is_every_row_read_again(load, org):
    ids = things(org, 4, fields=12)
    org.clock.advance(days=1)
    after_call(org, DOWNLOAD, 1, lambda: [org.edit("Things", row, F0="new") for row in ids])
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    assert "records read again because they changed while being read: 4" in lines(reading)


def test_fields_refused_in_a_later_slice_come_by_the_records_api(load, org):
    ids = things(org, 4, fields=12, refused_by_bulk={"F1", "F11"})
    org.clock.advance(days=1)
    after_call(org, DOWNLOAD, 2, lambda: org.edit("Things", ids[0], F0="torn"))
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    for name in ("F1", "F11"):
        assert f"field {name} came by the Records API: Bulk Read refuses it (FIELD_NOT_SUPPORTED)" in lines(
            reading
        )


@pytest.mark.parametrize("fields", [1, 12])
def test_the_time_that_tells_torn_rows_may_be_refused_too(load, org, fields):
    files = [Field("Files", "fileupload")]
    things(org, 4, fields=fields, extra=files, refused_by_bulk={"Modified_Time", "F0"})
    after_call(org, DOWNLOAD, 1, lambda: org.insert("Things", {"F0": "torn"}))
    reading = read(load, "Things", BULK)
    assert (rows_of(reading), reading.api) == (truth(org, "Things"), "bulk")


def test_a_slice_that_is_refused_after_all_never_becomes_an_empty_table(load, org):
    things(org, 4, fields=12)
    less = {"code": "LIMIT_EXCEEDED", "details": {"limit": 4}, "message": "too many", "status": "error"}
    org.faults.add(CREATE, nth=3, status=400, body=less)
    reading = read(load, "Things", BULK)
    assert reading.status == "failed"
    assert "Bulk Read first took more fields a job, then no more than 4" in reading.error


def test_converted_leads_are_in_every_slice(load, org):
    names = [f"F{number}" for number in range(12)]
    org.add_module(Module("Leads", [Field(name, "text") for name in names]))
    for number in range(3):
        lead = org.insert("Leads", dict.fromkeys(names, str(number)), approved=number != 2)
        if number == 1:
            org.convert(lead)
    reading = read(load, "Leads", BULK)
    assert rows_of(reading) == truth(org, "Leads")
    # The one that waits for approval; no slice lacks a row that another one has.
    assert reading.notes.repairs == {"records read by id, because bulk leaves them out": 1}


def test_what_only_the_records_api_has_comes_as_one_slice_more(load_from):
    org = Org(rules=Rules(bulk_page_size=2))
    extra = [Field("Files", "fileupload"), Field("Shape", "hologram", json_type="jsonobject")]
    extra.append(Field("Territories", "territories"))
    ids = things(org, 5, extra=extra)
    for row in ids[:4]:
        org.edit(
            "Things",
            row,
            Files=[{"id": row, "File_Name__s": "a,b.pdf"}],
            Shape={"a": 1, "b": [2]},
            Territories=[{"id": "77", "name": "North"}],
        )
    load = load_from(org)
    assert load(BULK, only=["Things"]).exit_code == 0
    assert load.reading("Things").api == "bulk"
    assert landed(load, "things") == truth(org, "Things")
    bulk = [json.loads(call.body)["query"] for call in org.ledger.calls(CREATE)]
    assert not {"Files", "Shape", "Territories"} & set(bulk[0]["fields"])


def test_a_module_without_modified_time_is_joined_by_id_alone(load, org):
    things(org, 4, fields=12, hidden_modified_time=True)
    rows = rows_of(read(load, "Things", BULK))
    assert {row.pop("modified_time") for row in rows.values()} == {None}
    assert rows == truth(org, "Things")


def test_values_that_do_not_fit_keep_their_text_in_every_slice_and_in_torn_rows(load, org):
    extra = [Field("Size", "integer"), Field("Size_Text", "text")]
    ids = things(org, 4, fields=12, extra=extra)
    for row in ids:
        org.record("Things", row).values.update({"Size": "many", "Size_Text": "own"})
    org.clock.advance(days=1)
    after_call(org, DOWNLOAD, 1, lambda: org.edit("Things", ids[0], F0="torn"))
    rows = rows_of(read(load, "Things", BULK))
    assert {(row["size"], row["size_text"], row["size rejected"]) for row in rows.values()} == {
        (None, "own", "many")
    }


@pytest.mark.parametrize("fields", [2, 12])
def test_a_reading_that_fails_gives_its_slots_back(load_from, fields, monkeypatch):
    org = Org(quirks=Quirks(bulk_field_cap=8))
    things(org, 6, fields=fields, refused_by_bulk={"F1"})
    client, found = look(load_from(org), BULK, only=["Things"])
    write = parquet_writer._Writer.write

    def on_a_full_disk(self, table):
        if table.num_rows:
            raise OSError(28, "No space left on device", "x")
        write(self, table)

    monkeypatch.setattr(parquet_writer._Writer, "write", on_a_full_disk)
    reading = read_module(client, found.plans[0], load_from(org).folder)
    assert (reading.status, reading.cause is not None) == ("failed", True)  # which holds the frames
    free = [client.context.archives.acquire(blocking=False) for _ in range(limits.ARCHIVES_AT_ONCE)]
    assert free == [True] * limits.ARCHIVES_AT_ONCE


@pytest.mark.parametrize("settings", [BULK, "ReadAPI=COQL"])
@pytest.mark.parametrize("fields", [2, 12])
@pytest.mark.cases(1)
def test_a_filter_of_a_refused_field_is_for_the_records_api(load_from, settings, fields):
    org = Org(quirks=Quirks(bulk_field_cap=8))
    things(org, 4, fields=fields, refused_by_bulk={"F1"}, refused_by_coql={"F1"})
    load = load_from(org)
    run = load(settings, only=["Things"], rules=rules(filters=("Things.F1: equal 1/2",)))
    assert run.exit_code == 0
    assert load.rows("select f1 from things") == [("1/2",)]
    assert "refused F1, which a filter needs" in load.reading("Things").reason


@pytest.mark.parametrize("settings", [BULK, "ReadAPI=COQL"])
def test_a_refused_time_of_change_stands_once_in_the_slice_beside(load, org, settings):
    refused = {"Modified_Time", "Size"}
    ids = things(org, 4, extra=[Field("Size", "integer")], refused_by_bulk=refused, refused_by_coql=refused)
    for number, row in enumerate(ids):
        org.record("Things", row).values["Size"] = "many" if number == 1 else number
    reading = read(load, "Things", settings)
    rows = rows_of(reading)
    assert sorted((row["size"], row["size rejected"]) for row in rows.values() if row["size"] is not None) == [
        (0, None), (2, None), (3, None)
    ]  # fmt: skip
    assert rows[ids[1]]["size rejected"] == "many"
    assert all(row["modified_time"] for row in rows.values())


def test_of_an_empty_module_nobody_says_that_a_field_is_hidden(load, org):
    things(org, 0, refused_by_bulk={"F0"})
    reading = read(load, "Things", BULK)
    assert reading.notes.empty == {
        "F0": "Bulk Read refuses it (FIELD_NOT_SUPPORTED), and no record has a value"
    }

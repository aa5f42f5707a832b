"""Bulk Read from the account to rows: pages and what falls between, what it leaves out, how it spells cells."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from sources.zoho_crm.extract.extractor import read_module
from tests.support.reading import after_call, look, read, rows_of, things
from tests.support.truth import landed, truth

BULK = "ReadAPI=Bulk"
CREATE = "POST /crm/bulk/v8/read"
POLL = "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
QUERY = "POST /crm/v8/coql"


def bodies(org: Org) -> list[dict]:
    """The bodies of all jobs that Zoho took."""
    return [json.loads(call.body) for call in org.ledger.calls(CREATE) if call.status == 201]


def refusal(code: str, **details) -> dict:
    return {"code": code, "details": details, "message": "refused", "status": "error"}


def lines(reading) -> str:
    return "\n".join(reading.notes.lines())


def assert_true(reading, org: Org) -> None:
    assert rows_of(reading) == truth(org, reading.name)
    assert reading.api == "bulk"
    assert org.faults.unspent() == []


@pytest.fixture
def org() -> Org:
    return Org(rules=Rules(bulk_page_size=4))


# ---- pages


def test_pages_are_followed_by_tokens_that_stand_alone(load, org):
    things(org, 11)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    first, *others = bodies(org)
    assert first["query"]["fields"][0] == "id"
    assert len(others) == 2
    assert all(set(body) == {"query"} and set(body["query"]) == {"page_token"} for body in others)


def test_a_page_that_ends_with_the_module_is_the_last(load, org):
    things(org, 8)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    assert len(bodies(org)) == 2


def test_the_job_of_the_next_page_is_made_before_this_page_is_downloaded(load, org):
    things(org, 9)
    read(load, "Things", BULK)
    routes = [call.route for call in org.ledger.calls() if call.route in (CREATE, DOWNLOAD)]
    assert routes == [CREATE, CREATE, DOWNLOAD, CREATE, DOWNLOAD, DOWNLOAD]


def test_an_empty_module_is_a_table_with_all_its_columns(load, org):
    things(org, 0)
    load(BULK, only=["Things"])
    assert load.reading("Things").api == "bulk"
    columns = load.pipeline.default_schema.get_table_columns("things")
    assert {"id", "f0", "modified_time", "owner__id"} <= set(columns)
    assert load.rows("select count(*) from things") == [(0,)]


def test_rows_inserted_and_edited_between_two_jobs_come_as_they_are_then(load, org):
    ids = things(org, 11)

    def change() -> None:
        org.edit("Things", ids[-1], F0="edited")
        org.insert("Things", {"F0": "new"})

    after_call(org, DOWNLOAD, 1, change)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)


@pytest.mark.parametrize("hides", [True, False])
def test_a_row_deleted_between_two_jobs_hides_no_other_row(load_from, hides):
    org = Org(rules=Rules(bulk_page_size=4), quirks=Quirks(coql_hides_unapproved=hides))
    ids = things(org, 11)
    org.approve("Things", ids[5], approved=False)
    load = load_from(org)
    # Pages are positions: the fifth row moves into the first page, which is made already.
    after_call(org, CREATE, 2, lambda: org.delete("Things", ids[0]))
    # And of the rows left, more move over the next border.
    after_call(org, DOWNLOAD, 2, lambda: [org.delete("Things", row) for row in ids[1:3]])
    reading = read(load, "Things", BULK)
    rows, true = rows_of(reading), truth(org, "Things")
    assert {row_id: rows.get(row_id) for row_id in true} == true
    assert set(rows) - set(true) <= set(ids[:3])
    assert "records found between two pages, because others were deleted" in lines(reading)


def test_a_module_that_coql_refuses_says_that_its_pages_were_not_checked(load, org):
    things(org, 6, coql_supported=False)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    words = "not checked whether a deletion moved a record from one page of Bulk Read to another: "
    assert words in lines(reading)
    assert "where the CRM counted" not in lines(reading)


def test_rows_that_are_missing_where_pages_cannot_be_checked_are_said_in_numbers(load, org):
    ids = things(org, 6, coql_supported=False)
    after_call(org, CREATE, 1, lambda: org.delete("Things", ids[0]))
    after_call(org, DOWNLOAD, 1, lambda: [org.delete("Things", row) for row in ids[1:3]])
    reading = read(load, "Things", BULK)
    assert reading.crm_count == 6
    missing = f"Bulk Read brought {reading.rows} records where the CRM counted 6, and it is not checked"
    assert reading.rows < 6
    assert missing in lines(reading)


def test_one_page_is_not_checked_for_what_falls_between(load, org):
    things(org, 4)
    assert_true(read(load, "Things", BULK), org)
    assert not org.ledger.calls(QUERY)


def test_a_row_that_comes_twice_is_kept_once_the_newer(load, org):
    ids = things(org, 11)

    def restore_moves_rows() -> None:
        org.restore("Things", ids[0])
        org.edit("Things", ids[4], F0="newer")

    org.delete("Things", ids[0])
    after_call(org, DOWNLOAD, 1, restore_moves_rows)
    reading = read(load, "Things", BULK)
    rows, true = rows_of(reading), truth(org, "Things")
    assert rows == {row_id: row for row_id, row in true.items() if row_id != ids[0]}
    assert rows[ids[4]]["f0"] == "newer"
    assert "rows that were read twice, the newer one kept: 1" in lines(reading)


# ---- what Bulk Read leaves out


@pytest.mark.parametrize("hides", [True, False])
def test_converted_leads_and_records_to_be_approved_are_there(load_from, hides):
    org = Org(quirks=Quirks(bulk_hides_converted=hides, bulk_hides_unapproved=hides))
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.convert(org.insert("Leads", {"Last_Name": "converted"}))
    org.insert("Leads", {"Last_Name": "waits"}, approved=False)
    org.insert("Leads", {"Last_Name": "usual"})
    load = load_from(org)
    assert_true(read(load, "Leads", BULK), org)


@pytest.mark.parametrize("code", ["FIELD_IN_CRITERIA_NOT_AVAILABLE", "FIELD_IN_CRITERIA_NOT_SUPPORTED"])
def test_a_flag_that_the_criteria_may_not_name_is_left_out(load, org, code):
    things(org, 3, convertable=True)
    org.convert(org.records("Things")[0].id, "Things")
    org.faults.add(CREATE, status=400, body=refusal(code, api_name="Converted__s"))
    assert_true(read(load, "Things", BULK), org)
    assert "criteria" not in bodies(org)[0]["query"]


UNNAMED = ["INVALID_CRITERIA", "CRITERIA_NOT_SUPPORTED", "AMBIGUOUS_CRITERIA", "INVALID_QUERY", "SOMETHING"]


@pytest.mark.parametrize("code", UNNAMED)
def test_criteria_refused_without_a_name_are_left_out(load, org, code):
    things(org, 3, convertable=True)
    org.faults.add(CREATE, status=400, body=refusal(code))
    reading = read(load, "Things", BULK)
    assert_true(reading, org)
    assert "criteria" not in bodies(org)[0]["query"]


def test_no_criteria_are_sent_where_nothing_can_be_converted(load, org):
    things(org, 3)
    assert_true(read(load, "Things", BULK), org)
    assert "criteria" not in bodies(org)[0]["query"]


def test_a_refusal_that_is_not_about_the_flag_is_tried_once_without_it(load, org):
    things(org, 3, convertable=True)
    org.faults.add(CREATE, times=2, status=400, body=refusal("INVALID_QUERY"))
    reading = read(load, "Things", BULK)
    assert rows_of(reading) == truth(org, "Things")
    assert (reading.api, reading.reason) == ("records", "bulk refused it: INVALID_QUERY")
    assert org.faults.unspent() == []


def test_a_flag_that_one_module_refuses_is_still_named_in_the_next(load, org):
    org.quirks.bulk_hides_converted = True
    things(org, 2, convertable=True)
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.convert(org.insert("Leads", {"Last_Name": "converted"}))
    client, found = look(load, BULK, only=["Things", "Leads"])
    plans = {plan.module.api_name: plan for plan in found.plans}
    code = "FIELD_IN_CRITERIA_NOT_AVAILABLE"
    org.faults.add(CREATE, status=400, body=refusal(code, api_name="Converted__s"))
    assert read_module(client, plans["Things"], load.folder).rows == 2
    assert read_module(client, plans["Leads"], load.folder).rows == 1


STRANGE = [Field("Coordinates", "text"), Field("Strange", "text"), Field("Secret", "text", visible=False)]
REFUSED = "Bulk Read refuses it (FIELD_NOT_SUPPORTED)"


def strange(org, rows, **values):
    """`Things` of whose fields Bulk Read refuses three; of the last record these have values."""
    ids = things(org, rows, extra=STRANGE, refused_by_bulk={"Strange"})
    org.edit("Things", ids[0], Secret="none of yours", **values)


def whole(load):
    """The rows of `Things`, of which nobody sees the secret."""
    rows = landed(load, "things")
    assert {row.pop("secret") for row in rows.values()} == {None}
    return rows


def test_fields_that_bulk_read_refuses_come_by_the_records_api(load, org):
    strange(org, 3, Coordinates="1,2", Strange="yes")
    run = load(BULK, only=["Things"])
    assert run.exit_code == 0
    reading = load.reading("Things")
    assert reading.api == "bulk"
    assert whole(load) == truth(org, "Things")
    for name in ("Coordinates", "Strange"):
        assert f"field {name} came by the Records API: {REFUSED}" in lines(reading)
    assert "(FIELD_NOT_AVAILABLE), and the Records API sends no values of it" in reading.notes.empty["Secret"]


@pytest.mark.parametrize(("rows", "queries"), [(150, 1), (250, 3)])
def test_a_refused_field_without_a_value_costs_no_page_of_records(load, org, rows, queries):
    strange(org, rows)
    run = load(BULK, only=["Things"])
    assert whole(load) == truth(org, "Things")
    reading = load.reading("Things")
    assert run.exit_code == 0
    assert set(reading.notes.empty) == {"Coordinates", "Strange", "Secret"}
    lists = [call.query for call in org.ledger.calls("GET /crm/v8/{module}", module="Things")]
    assert [query["approved"] for query in lists] == ["false", "both"]
    assert (
        len(org.ledger.calls(QUERY, module="Things")) == queries
    )  # one of them asks for rows past the pages


@pytest.mark.parametrize(("settings", "sure"), [(BULK, True), ("APIType=Bulk;UseCOQL=false", False)])
def test_a_value_past_the_first_page_is_not_missed(load, org, settings, sure):
    strange(org, 250, Strange="yes")
    load(settings, only=["Things"])
    assert whole(load) == truth(org, "Things")
    assert ("Coordinates" in load.reading("Things").notes.empty) is sure


def test_a_table_has_the_same_columns_whichever_api_reads_it(load, org):
    strange(org, 3, Coordinates="1,2")
    columns = """select column_name, data_type from information_schema.columns
        where table_schema = 'zoho' and table_name = 'things'"""
    found = []
    for api in (BULK, "ReadAPI=COQL;", "ReadAPI=REST;"):
        load(api, only=["Things"], refresh=True)
        found.append((sorted(load.rows(columns)), landed(load, "things")))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("notes_allowed", [True, False])
def test_notes_and_refused_linking_modules_are_read_by_records(load_from, notes_allowed):
    refused = frozenset() if notes_allowed else frozenset({"Notes"})
    org = Org(quirks=Quirks(bulk_modules_refused=refused, bulk_linking_modules=False))
    org.add_module(Module("Notes", [Field("Note_Title", "text")]))
    org.add_module(Module("Links", [Field("Name", "text")], generated_type="linking"))
    org.insert("Notes", {"Note_Title": "hello"})
    org.insert("Links", {"Name": "a link"})
    load = load_from(org)
    notes, links = read(load, "Notes", BULK), read(load, "Links", BULK)
    assert {notes.api, links.api} == {"records"}
    assert links.reason == "bulk refused it: MODULE_NOT_SUPPORTED"
    assert rows_of(notes) == truth(org, "Notes")
    assert rows_of(links) == truth(org, "Links")


# ---- how cells are spelt


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(bulk_booleans=("TRUE", "FALSE")),
        Quirks(bulk_booleans=("True", "False")),
        Quirks(bulk_id_header="id"),
        Quirks(bulk_line_end="\r\n"),
        Quirks(bulk_rich_text_cut=True),
        Quirks(bulk_multiselect_separator=",", bulk_line_end="\r\n", bulk_id_header="id"),
        Quirks(bulk_refuses_address_fields=False),
    ],
    ids=["TRUE", "True", "id", "CRLF", "cut", "comma", "address"],
)
def test_every_spelling_of_an_archive_gives_the_true_rows(load_from, quirks):
    org = Org(quirks=quirks)
    org.add_module(
        Module(
            "Things",
            [
                Field("Flag", "boolean"),
                Field("Body", "textarea", textarea="rich_text"),
                Field("Multi", "multiselectpicklist", pick_list_values=["A", "B;C", "D,E"]),
                Field("Moment", "datetime"),
            ],
            generated_type="custom",
        )
    )
    for number in range(6):
        org.insert(
            "Things",
            {
                "Flag": bool(number % 2),
                "Body": "line\r\n" + "🦊é" * 100 + "x" * (490 - 206 - number % 3) * (number % 2) + "y" * 200,
                "Multi": [["A"], ["B;C", "A"], ["D,E", "B;C"]][number % 3],
                "Moment": datetime(2026, 1, number + 1, tzinfo=timezone.utc),
                "Tag": ["one", "two, three"] if number % 2 else [],
            },
        )
    load = load_from(org)
    reading = read(load, "Things", BULK)
    assert_true(reading, org)

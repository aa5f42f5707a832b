"""Bulk Read, rule by rule: the job's body, its file, its pages."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from tests.simulators.zoho_crm.calling import (
    BULK,
    call,
    create,
    download,
    finish,
    job_of,
    poll,
    read,
    read_archive,
)
from tests.simulators.zoho_crm.leads import REFUSED, leads_org


@pytest.fixture
def org() -> Org:
    return leads_org()


def test_a_job_is_created_goes_through_its_states_and_gives_a_file(org: Org) -> None:
    reply = create(org, "Leads", fields=["Last_Name"])
    assert reply.status == 201
    answer = reply.body["data"][0]
    assert (answer["status"], answer["code"]) == ("success", "ADDED_SUCCESSFULLY")
    details = answer["details"]
    assert (details["operation"], details["state"]) == ("read", "ADDED")
    assert details["created_time"] == "2026-03-01T13:00:00+01:00"
    job = details["id"]
    seen = [poll(org, job) for _ in range(5)]
    assert [seen_["state"] for seen_ in seen] == ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED", "COMPLETED"]
    assert [("result" in seen_) for seen_ in seen] == [False, False, False, True, True]
    assert seen[-1]["result"] == {
        "page": 1,
        "per_page": 200_000,
        "count": 5,
        "download_url": f"{BULK}/{job}/result",
        "more_records": False,
    }
    assert seen[-1]["query"]["module"] == {"api_name": "Leads", "id": org.modules["Leads"].id}
    raw = call(org, "GET", f"{BULK}/{job}/result").raw
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        assert files.namelist() == [f"{job}.csv"]
    assert len(read_archive(raw)) == 5


def test_a_row_has_bare_ids_offsets_and_plain_texts(org: Org) -> None:
    org.quirks.approval_in_criteria = "$approved"
    columns = [
        "Last_Name", "Colours", "Amount", "Due", "Seen", "Active", "Account_Name", "Owner", "Repeats", "Tag",
        "Account_Name.Phone", "Owner.last_name", "$converted", "$approved",
    ]  # fmt: skip
    row = read(org, "Leads", fields=columns)[0]
    assert row == {
        "Id": org.records("Leads")[0].id,
        "Last_Name": 'Say "hi",\nthen go',
        "Colours": "Red;Green",
        "Amount": "10.123456789",
        "Due": "2026-03-01",
        "Seen": "2026-03-01T13:00:00+01:00",
        "Active": "true",
        "Account_Name": org.records("Accounts")[0].id,
        "Owner": org.user["id"],
        "Repeats": "FREQ=DAILY",
        "Tag": "a,b",
        "Account_Name.Phone": "007",
        "Owner.last_name": "Admin",
        "$converted": "false",
        "$approved": "true",
    }


def test_the_column_is_still_id_with_a_capital_when_it_is_asked_for(org: Org) -> None:
    assert list(read(org, "Leads", fields=["id", "Stage"])[0]) == ["Id", "Stage"]
    org.quirks = Quirks(bulk_id_header="id")
    assert list(read(org, "Leads", fields=["id", "Stage"])[0]) == ["id", "Stage"]


def test_without_fields_all_readable_ones_come_and_more_than_metadata_lists(org: Org) -> None:
    row = read(org, "Leads")[0]
    readable = {field.api_name for field in org.modules["Leads"].readable_fields} - {"id", *REFUSED}
    assert set(row) == {"Id", "Change_Log_Time__s", *readable}


def test_the_open_questions_of_the_file_are_switches(org: Org) -> None:
    org.quirks = Quirks(
        bulk_multiselect_separator=",",
        bulk_booleans=("TRUE", "FALSE"),
        bulk_rich_text_cut=True,
        bulk_line_end="\r\n",
    )
    row = read(org, "Leads", fields=["Colours", "Active", "Story"])[0]
    assert (row["Colours"], row["Active"], len(row["Story"])) == ("Red,Green", "TRUE", 500)
    org.quirks = Quirks()
    assert len(read(org, "Leads", fields=["Story"])[0]["Story"]) == 600


@pytest.mark.parametrize("name", REFUSED)
def test_fields_of_some_types_are_not_supported_and_named(org: Org, name: str) -> None:
    reply = create(org, "Leads", fields=["Last_Name", name])
    assert (reply.status, reply.code, reply.details) == (400, "FIELD_NOT_SUPPORTED", {"api_name": name})


def test_whether_address_fields_are_refused_is_a_switch(org: Org) -> None:
    org.quirks = Quirks(bulk_refuses_address_fields=False)
    assert create(org, "Leads", fields=["Mailing_Coordinates"]).status == 201


def test_a_module_may_refuse_fields_of_its_own(org: Org) -> None:
    org.modules["Leads"].refused_by_bulk = {"Stage"}
    assert create(org, "Leads", fields=["Stage"]).details == {"api_name": "Stage"}


@pytest.mark.parametrize("name", ["Nope", "Hidden", "Id", "Account_Name.Nope"])
def test_unknown_fields_are_not_available(org: Org, name: str) -> None:
    assert create(org, "Leads", fields=[name]).code == "FIELD_NOT_AVAILABLE"


def test_the_flag_of_conversion_exists_only_where_records_convert(org: Org) -> None:
    assert create(org, "Leads", fields=["$converted"]).status == 201
    for name in ("$converted", "Converted__s"):
        assert create(org, "Accounts", fields=[name]).code == "FIELD_NOT_AVAILABLE"


def test_with_more_fields_than_a_job_takes_every_field_comes_without_an_error(org: Org) -> None:
    for number in range(201):
        org.add_field("Accounts", Field(f"F_{number}", "text"))
    org.add_field("Accounts", Field("Not_Asked", "text"))
    fields = [f"F_{number}" for number in range(201)]
    columns = {}
    for count in (200, 201):
        job = create(org, "Accounts", fields=fields[:count])
        assert job.status == 201
        columns[count] = {c.path for c in org.jobs[job.body["data"][0]["details"]["id"]].query.columns}
    assert columns[200] == set(fields[:200])
    assert columns[201] >= {*fields, "Not_Asked", "Owner"}


def test_the_cap_on_fields_is_a_switch(org: Org) -> None:
    for number in range(201):
        org.add_field("Accounts", Field(f"F_{number}", "text"))
    fields = [f"F_{number}" for number in range(201)]
    org.quirks = Quirks(bulk_field_cap=200)
    assert create(org, "Accounts", fields=fields).details["limit"] == 200
    assert create(org, "Accounts", fields=fields[:200]).status == 201


def test_modules_that_bulk_read_does_not_read_are_refused(org: Org) -> None:
    for name, more in {
        "Notes": {},
        "Odd": {"bulk_supported": False},
        "Home": {"api_supported": False},
        "Secret": {"no_permission": True},
        "Links": {"generated_type": "linking"},
        "Scored": {"scope_mismatch": True},
    }.items():
        org.add_module(Module(name, [Field("Name", "text")], **more))  # type: ignore[arg-type]
    modules = ("Nope", "Notes", "Odd", "Home", "Secret", "Scored")
    assert {name: create(org, name).code for name in modules} == {
        "Nope": "MODULE_NOT_AVAILABLE",
        "Notes": "MODULE_NOT_SUPPORTED",
        "Odd": "MODULE_NOT_SUPPORTED",
        "Home": "MODULE_NOT_AVAILABLE",
        "Secret": "NO_PERMISSION",
        "Scored": "OAUTH_SCOPE_MISMATCH",
    }
    assert create(org, "Links").status == 201
    org.quirks = Quirks(bulk_modules_refused=frozenset(), bulk_linking_modules=False)
    assert create(org, "Notes").status == 201
    assert create(org, "Links").code == "MODULE_NOT_SUPPORTED"


MODULE = {"module": {"api_name": "Leads"}}
BODIES: list[tuple[Any, str]] = [
    (b"", "REQUEST_BODY_IS_EMPTY"),
    (b"{", "REQUEST_BODY_NOT_READABLE"),
    ([], "INVALID_REQUEST"),
    ({}, "INVALID_REQUEST"),
    ({"query": {"module": "Leads"}}, "INVALID_DATA"),
    ({"query": {}}, "INVALID_DATA"),
    ({"query": {**MODULE, "fields": []}}, "INVALID_DATA"),
    ({"query": {**MODULE, "fields": "Last_Name"}}, "INVALID_DATA"),
    ({"query": {**MODULE, "fields": ["Stage", "Stage"]}}, "INVALID_DATA"),
    ({"query": {**MODULE, "page": 0}}, "INVALID_DATA"),
    ({"query": {**MODULE, "page": "1"}}, "INVALID_DATA"),
    ({"query": {**MODULE, "page": 51}}, "PAGE_RANGE_EXCEEDED"),
    ({"query": MODULE, "file_type": "xls"}, "INVALID_DATA"),
    ({"query": {"page_token": "feed"}}, "INVALID_DATA"),
    ({"query": {"page_token": 7}}, "INVALID_DATA"),
    ({"query": {"page_token": "feed", **MODULE}}, "QUERY_NOT_SUPPORTED"),
    ({"query": {"page_token": "feed"}, "file_type": "csv"}, "QUERY_NOT_SUPPORTED"),
]


@pytest.mark.parametrize(("body", "code"), BODIES)
def test_a_body_that_breaks_a_rule_is_refused(org: Org, body: Any, code: str) -> None:
    reply = call(org, "POST", BULK, body)
    assert (reply.status, reply.code) == (400, code)


@pytest.mark.parametrize(
    "body",
    [
        {"query": {**MODULE, "cvid": "1"}},
        {"query": {**MODULE, "sort_by": "id"}},
        {"query": MODULE, "callback": {"url": "https://example.com", "method": "post"}},
        {"query": MODULE, "file_type": "ics"},
        {"query": {**MODULE, "fields": ["Account_Name.Owner.last_name"]}},
    ],
)
def test_what_is_not_modelled_is_a_teapot(org: Org, body: Any) -> None:
    assert call(org, "POST", BULK, body).status == 418


def test_the_body_must_be_called_json(org: Org) -> None:
    reply = call(org, "POST", BULK, {"query": MODULE}, content_type="application/x-www-form-urlencoded")
    assert (reply.status, reply.code) == (415, "MEDIA_TYPE_NOT_SUPPORTED")


def test_both_scopes_are_needed(org: Org) -> None:
    org.scopes = {"ZohoCRM.bulk.READ", "ZohoCRM.modules.accounts.READ"}
    assert create(org, "Accounts").status == 201
    assert create(org, "Leads").code == "OAUTH_SCOPE_MISMATCH"


def test_a_create_costs_50_credits_and_the_ledger_knows_the_module(org: Org) -> None:
    create(org, "Leads")
    (made,) = org.ledger.calls(f"POST {BULK}")
    assert (made.credits, made.module) == (50, "Leads")


def test_history_rows_without_their_record_are_left_out(org: Org) -> None:
    fields = [Field("Lead", "lookup", lookup_module="Leads"), Field("Stage", "text")]
    org.add_module(Module("LeadHistory", fields, generated_type="field_tracker", parent_module="Leads"))
    org.insert("LeadHistory", {"Lead": org.records("Leads")[0].id, "Stage": "kept"})
    org.insert("LeadHistory", {"Stage": "orphan"})
    assert [row["Stage"] for row in read(org, "LeadHistory")] == ["kept"]
    org.quirks = Quirks(bulk_drops_orphans=False)
    assert [row["Stage"] for row in read(org, "LeadHistory")] == ["kept", "orphan"]


# -- pages


def test_pages_are_positions_and_follow_by_token(org: Org) -> None:
    org.rules = Rules(bulk_page_size=2)
    job = job_of(org, "Leads", fields=["Last_Name"])
    counts = []
    while True:
        result = finish(org, job)["result"]
        counts.append((result["page"], result["count"], result["more_records"]))
        assert len(download(org, job)) == result["count"]
        if not result["more_records"]:
            break
        assert len(result["next_page_token"]) == 96
        job = job_of(org, page_token=result["next_page_token"])
    assert counts == [(1, 2, True), (2, 2, True), (3, 1, False)]
    assert "next_page_token" not in result


def test_a_page_may_also_be_asked_by_number(org: Org) -> None:
    org.rules = Rules(bulk_page_size=2)
    assert len(read(org, "Leads", page=3)) == 1
    assert read(org, "Leads", page=4) == []


def test_a_token_carries_fields_and_criteria(org: Org) -> None:
    org.rules = Rules(bulk_page_size=2)
    criteria = {"field": {"api_name": "Stage"}, "comparator": "equal", "value": "Won"}
    first = finish(org, job_of(org, "Leads", fields=["Last_Name"], criteria=criteria))
    second = job_of(org, page_token=first["result"]["next_page_token"])
    assert finish(org, second)["query"]["criteria"]["field"]["api_name"] == "Stage"
    assert [row["Last_Name"] for row in download(org, second)] == ["Lead 3", "Lead 4"]


def test_a_token_lives_24_hours(org: Org) -> None:
    org.rules = Rules(bulk_page_size=2)
    token = finish(org, job_of(org, "Leads"))["result"]["next_page_token"]
    org.clock.advance(hours=24)
    reply = create(org, page_token=token)
    assert (reply.status, reply.code) == (400, "EXPIRED_VALUE")


def test_a_job_shows_the_crm_as_it_ran_so_later_pages_see_changes(org: Org) -> None:
    org.rules = Rules(bulk_page_size=2)
    first = job_of(org, "Leads", fields=["Last_Name"])
    result = finish(org, first)["result"]
    gone = org.records("Leads")[0].id
    org.delete("Leads", gone)
    assert gone in [row["Id"] for row in download(org, first)]
    second = job_of(org, page_token=result["next_page_token"])
    finish(org, second)
    assert [row["Last_Name"] for row in download(org, second)] == [
        "Lead 3",
        "Lead 4",
    ]  # Lead 2 slipped through

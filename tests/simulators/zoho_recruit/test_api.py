"""Recruit: modules, fields, pages of records, what changed since a time, and refusals."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from simulators.zoho_crm.rules import Rules
from simulators.zoho_recruit import Field, Module, Recruit, RecruitQuirks
from simulators.zoho_suite import Suite
from tests.simulators.asking import ask


def get(recruit, path, since=None, **query):
    headers = query.pop("headers", {}) | ({"if-modified-since": since} if since else {})
    return ask(recruit, f"/recruit/v2/{path}", headers=headers, **query)


def recruit_with(candidates=0, quirks=None, rules=None):
    recruit = Recruit(quirks=quirks, rules=rules)
    recruit.tokens.scopes = set(Suite().tokens.scopes)
    for number in range(candidates):
        at = recruit.now() - timedelta(hours=1) + timedelta(seconds=number)
        recruit.insert("Candidates", {"Last_Name": f"C{number}"}, modified_time=at)
    return recruit


def names(reply):
    return [row["Last_Name"] for row in reply.body["data"]]


def test_modules_and_their_fields():
    recruit = recruit_with()
    recruit.add_module(Module("Assessments", "Assessment", "custom", [Field("Points", "integer")]))
    modules = get(recruit, "settings/modules").body["modules"]
    assert [row["api_name"] for row in modules] == [
        "Candidates", "Clients", "Job_Openings", "Applications", "Interviews", "Assessments",
    ]  # fmt: skip
    fields = {
        row["api_name"]: row for row in get(recruit, "settings/fields", module="Job_Openings").body["fields"]
    }
    assert fields["Client_Name"]["lookup"] == {"module": "Clients"}
    assert (fields["Salary"]["data_type"], fields["Salary"]["json_type"]) == ("currency", "double")
    assert get(recruit, "settings/fields").body["code"] == "REQUIRED_PARAM_MISSING"


def test_a_record_holds_every_field_of_its_module():
    recruit = recruit_with()
    client = recruit.insert("Clients", {"Client_Name": "Lamp & Sons"})
    id = recruit.insert(
        "Job_Openings",
        {
            "Client_Name": recruit.lookup("Clients", client), "Salary": Decimal("1.250"), "Date_Opened": date(1969, 1, 2),
            "Job_Description": "One\r\ntwo 🚨",
        },
    )  # fmt: skip
    (row,) = get(recruit, "Job_Openings").body["data"]
    fields = {known.api_name for known in recruit.modules["Job_Openings"].fields}
    assert {"id", *fields} == {name for name in row if not name.startswith("$")}
    assert (row["id"], row["Client_Name"]) == (id, {"name": "Lamp & Sons", "id": client})
    assert (row["Salary"], row["Date_Opened"], row["Target_Date"]) == (1.25, "1969-01-02", None)
    assert row["Modified_Time"] == "2026-03-02T14:30:00+05:30"
    assert get(recruit, f"Job_Openings/{id}").body["data"] == [row]
    assert get(recruit, "Job_Openings/1").status == 204


def test_an_empty_module_is_204():
    reply = get(recruit_with(), "Candidates")
    assert (reply.status, reply.body) == (204, None)


def test_pages_go_on_while_there_are_more_records():
    recruit = recruit_with(5)
    first = get(recruit, "Candidates", per_page=3)
    assert first.body["info"] == {"page": 1, "per_page": 3, "count": 3, "more_records": True}
    second = get(recruit, "Candidates", per_page=3, page=2)
    assert second.body["info"]["more_records"] is False
    assert names(first) + names(second) == ["C4", "C3", "C2", "C1", "C0"]
    assert get(recruit, "Candidates", page=3).status == 204
    assert get(recruit, "Candidates", per_page=201).body["code"] == "INVALID_DATA"


def test_records_are_sorted_by_modified_time():
    recruit = recruit_with(3)
    recruit.edit("Candidates", recruit.records("Candidates")[0]["id"], City="Ærø")
    assert names(get(recruit, "Candidates", sort_by="Modified_Time", sort_order="asc")) == ["C1", "C2", "C0"]
    assert get(recruit, "Candidates", sort_by="Nothing").status == 400


def test_only_the_fields_that_are_asked_for():
    (row,) = get(recruit_with(1), "Candidates", fields="Last_Name,Nothing").body["data"]
    assert set(row) == {"id", "Last_Name"}


@pytest.mark.parametrize(("inclusive", "found"), [(False, ["C2"]), (True, ["C2", "C1"])])
def test_records_that_changed_since_a_time(inclusive, found):
    recruit = recruit_with(3, RecruitQuirks(since_inclusive=inclusive))
    assert names(get(recruit, "Candidates", since="2026-03-02T08:00:01+00:00")) == found


@pytest.mark.parametrize("status", [304, 204])
def test_nothing_new_since_a_time(status):
    recruit = recruit_with(3, RecruitQuirks(nothing_new_status=status))
    assert get(recruit, "Candidates", since="2026-03-02T08:00:02+00:00").status == status


@pytest.mark.parametrize("text", ["yesterday", "2026-03-02T08:00:02"])
def test_a_time_without_an_offset_is_refused(text):
    assert get(recruit_with(1), "Candidates", since=text).body["code"] == "INVALID_DATA"


def test_a_deleted_record_is_gone_and_a_new_field_changes_no_time():
    recruit = recruit_with(2)
    gone, stays = (row["id"] for row in recruit.records("Candidates"))
    before = recruit.records("Candidates")[1]["Modified_Time"]
    recruit.delete("Candidates", gone)
    recruit.add_field("Candidates", Field("Shoe_Size", "double"))
    (row,) = get(recruit, "Candidates").body["data"]
    assert (row["id"], row["Shoe_Size"], row["Modified_Time"]) == (stays, None, before)


def test_an_unknown_module_is_refused():
    reply = get(recruit_with(), "Unicorns")
    assert (reply.status, reply.body["code"]) == (400, "INVALID_MODULE")


def test_get_records_costs_three_credits():
    recruit = recruit_with(1, rules=Rules(daily_credits=4))
    assert get(recruit, "Candidates").status == 200
    assert recruit.ledger.calls(service="recruit")[0].credits == 3
    reply = get(recruit, "Candidates")
    assert (reply.status, reply.body["code"]) == (429, "TOO_MANY_REQUESTS")
    assert get(recruit, "settings/modules").status == 200


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("Candidates", "ZohoRecruit.modules.ALL"), ("Candidates", "ZohoRECRUIT.modules.candidate.READ"),
        ("Job_Openings", "ZohoRecruit.modules.jobopening.READ"), ("settings/modules", "ZohoRecruit.settings.all"),
        ("settings/modules", "ZohoRecruit.settings.modules.READ"),
    ],
)  # fmt: skip
def test_each_call_needs_its_scope(path, scope):
    recruit = recruit_with(1)
    assert get(recruit, path, scopes={scope}).status in (200, 204)
    reply = get(recruit, path, scopes={"ZohoRecruit.modules.client.READ", "ZohoCRM.modules.ALL"})
    assert (reply.status, reply.body["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_an_account_without_recruit():
    recruit = recruit_with(1)
    recruit.enabled = False
    reply = get(recruit, "Candidates")
    assert (reply.status, reply.body["code"]) == (403, "NO_PERMISSION")


def test_what_is_not_modelled_is_418():
    assert get(recruit_with(1), "Candidates", cvid=1).status == 418
    assert get(recruit_with(1), "Candidates/1/Notes").status == 418


def test_deleted_records_are_listed_until_they_are_restored():
    recruit = recruit_with(2)
    id = recruit.records("Candidates")[0]["id"]
    assert get(recruit, "Candidates/deleted").status == 204
    recruit.delete("Candidates", id)
    (row,) = get(recruit, "Candidates/deleted", type="All").body["data"]
    assert (row["id"], row["display_name"], row["type"]) == (id, "C0", "recycle")
    assert row["deleted_time"] == "2026-03-02T14:30:00+05:30"
    assert recruit.ledger.calls()[-1].credits == 2
    assert get(recruit, "Candidates/deleted", since="2026-03-02T09:00:00+00:00").status == 304
    assert get(recruit, "Candidates/deleted", type="some").body["code"] == "INVALID_DATA"
    recruit.restore("Candidates", id)
    assert get(recruit, "Candidates/deleted").status == 204
    assert {row["id"] for row in get(recruit, "Candidates").body["data"]} == {
        row["id"] for row in recruit.records("Candidates")
    }


def test_converted_and_unapproved_records_have_to_be_asked_for():
    recruit = recruit_with(3)
    ids = [row["id"] for row in recruit.records("Candidates")]
    recruit.unapproved.add(ids[0])
    recruit.converted.add(ids[1])
    assert names(get(recruit, "Candidates")) == ["C2"]
    assert names(get(recruit, "Candidates", approved="false")) == ["C0"]
    assert names(get(recruit, "Candidates", converted="both", approved="both")) == ["C2", "C1", "C0"]
    assert get(recruit, "Candidates", converted="yes").status == 400


def test_a_module_may_be_listed_as_supported_and_refused():
    recruit = recruit_with()
    recruit.add_module(Module("J1_Candidates", "J1 Candidate", "custommodule", permitted=False))
    for reply in (get(recruit, "J1_Candidates"), get(recruit, "settings/fields", module="J1_Candidates")):
        assert (reply.status, reply.body["code"]) == (403, "NO_PERMISSION")

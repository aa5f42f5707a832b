"""The export of the audit log refuses what Zoho's pages say that it refuses, and holds what users did."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import timedelta

import pytest

from simulators.zoho_crm import Field, Module
from tests.simulators.zoho_crm.calling import call, get

PATH = "/crm/v8/settings/audit_log_export"


@pytest.fixture
def org(org):
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.edit("Leads", org.insert("Leads", {"Last_Name": 'a "b",\nc'}), Last_Name="d")
    return org


def body(org, days=30, **more):
    ends = [org.now() - timedelta(days=days), org.now()]
    criteria = {
        "field": {"api_name": "audited_time"},
        "comparator": "between",
        "value": [end.isoformat() for end in ends],
        **more,
    }
    return {"audit_log_export": [{"criteria": criteria}]}


def finished(org, **more):
    job = call(org, "POST", PATH, body(org, **more)).body["audit_log_export"][0]
    assert job["code"] == "SCHEDULED"
    states = [get(org, f"{PATH}/{job['details']['id']}").body["audit_log_export"][0] for _ in range(3)]
    assert [state["status"] for state in states] == ["scheduled", "progress", "finished"]
    return states[-1]


def test_a_job_leaves_a_file_with_what_users_did(org):
    (link,) = finished(org)["download_links"]
    rows = list(csv.reader(io.StringIO(get(org, link).raw.decode(), newline="")))
    assert [row[3] for row in rows] == ["Action", "Added", "Updated"]
    assert rows[1][6] == 'a "b",\nc'


def test_more_entries_than_a_csv_holds_are_several_in_a_zip(org):
    org.rules.audit_entries_per_file = 1
    (link,) = finished(org)["download_links"]
    assert link.endswith("/AuditLog_001.zip")
    with zipfile.ZipFile(io.BytesIO(get(org, link).raw)) as files:
        assert len(files.namelist()) == 2


def test_a_job_without_entries_has_no_link(org):
    org.clock.advance(days=40)
    assert finished(org)["download_links"] is None


def test_a_link_expires(org):
    (link,) = finished(org)["download_links"]
    org.clock.advance(days=7)
    assert (get(org, link).status, get(org, link).code) == (404, "INVALID_URL_PATTERN")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"days": 181}, "INVALID_DATA"),
        ({"comparator": "greater_than"}, "INVALID_DATA"),
        ({"field": {"api_name": "Owner"}}, "NOT_SUPPORTED"),
        ({"value": "yesterday"}, "DEPENDENT_MISMATCH"),
    ],
)
def test_criteria_that_zoho_refuses_are_refused(org, wanted, code):
    answer = call(org, "POST", PATH, body(org, **wanted))
    assert (answer.status, answer.code) == (400, code)


def test_there_is_one_job_at_a_time(org):
    first = call(org, "POST", PATH, body(org)).body["audit_log_export"][0]["details"]["id"]
    second = call(org, "POST", PATH, body(org))
    assert (second.status, second.code, second.details) == (400, "ALREADY_SCHEDULED", {"id": first})


def test_it_takes_an_administrator_and_the_edition(org):
    org.user["profile"], org.user["role"] = {"name": "Standard"}, {"name": "Sales"}
    assert call(org, "POST", PATH, body(org)).code == "NO_PERMISSION"
    org.user["role"] = {"name": "CEO"}
    assert call(org, "POST", PATH, body(org)).status == 200
    org.account.has_audit_log = False
    assert get(org, PATH).code == "NO_PERMISSION"


@pytest.mark.parametrize(
    "criteria", [{"group": [], "group_operator": "and"}, {"field": {"api_name": "action"}}]
)
def test_other_criteria_are_not_modelled(org, criteria):
    assert call(org, "POST", PATH, body(org, **criteria)).status == 418

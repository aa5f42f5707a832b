"""Each refusal says what helps: not "try again later" where that brings the same, and no field cut for a full day."""

from __future__ import annotations

import sys

import pytest

from pipelines.zoho_crm.check.account_checks import remedy_for
from simulators.zoho_crm import Field, Module
from sources.zoho_crm.exceptions import zoho_error
from tests.support.commanding import account, command
from tests.support.reading import things
from tests.support.syncing import tried
from tests.support.truth import landed as rows_landed
from tests.support.truth import truth

__all__ = ["account", "command"]  # fixtures

MODULES, TOKEN = "GET /crm/v8/settings/modules", "POST /oauth/v2/token"
ORG, CREATE = "GET /crm/v8/org", "POST /crm/bulk/v8/read"
BULK = "ReadAPI=Bulk"


def refusal(code, message="no", **details):
    return {"code": code, "details": details, "message": message, "status": "error"}


@pytest.fixture
def leads(org):
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.insert("Leads", {"Last_Name": "one"})


def test_a_wrong_api_domain_names_the_settings_to_change(command, account, org, leads):
    for route in (MODULES, ORG):
        org.faults.add(route, times=99, status=400, body=refusal("INVALID_HOST"))
    done = command("run")
    assert done.code == 2
    assert (
        "set Region to its data centre and InstanceType to its environment, and leave APIDomain out"
        in done.err
    )
    done = command("check", "--modules", "Leads")
    assert done.code == 2
    assert "correct Region, InstanceType or APIDomain" in done.out
    assert "try again later" not in done.out


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "AUTHENTICATION_FAILURE", "authorize"),
        (400, "INVALID_HOST", "correct Region"),
        (400, "INVALID_DATA", "brings the same"),
        (400, "INVALID_MODULE", "brings the same"),
        (400, "LIMIT_EXCEEDED", "brings the same"),
        (400, "API_NOT_SUPPORTED", "brings the same"),
        (400, "INVALID_REQUEST_METHOD", "brings the same"),
        (404, "INVALID_URL_PATTERN", "brings the same"),
        (415, "MEDIA_TYPE_NOT_SUPPORTED", "brings the same"),
        (403, "NO_PERMISSION", "brings the same"),
        (429, "TOO_MANY_REQUESTS", "try again later"),
        (500, "INTERNAL_ERROR", "try again later"),
        (503, "", "try again later"),
    ],
)
def test_only_what_passes_is_to_be_tried_again(status, code, words):
    assert words in remedy_for(zoho_error("GET /x", status, refusal(code)))


@pytest.mark.parametrize(
    "body",
    [
        refusal("LIMIT_EXCEEDED", "the limit of bulk read jobs for the day is exceeded", limit=3),
        refusal("LIMIT_EXCEEDED", "the limit is exceeded"),
        refusal("LIMIT_EXCEEDED", "the limit is exceeded", limit=5_000),
        refusal("LIMIT_EXCEEDED", "the limit is exceeded", limit=3, api_name="jobs"),
    ],
    ids=["day", "nothing", "high", "jobs"],
)
@pytest.mark.cases(1)
def test_a_full_day_of_jobs_cuts_no_column(load, org, body):
    things(org, 5, fields=10)
    org.faults.add(CREATE, times=99, status=400, body=body)
    assert tried(load, settings=BULK).exit_code == 0
    assert rows_landed(load, "things") == truth(org, "Things")
    assert load.reading("Things").api == "records"
    assert "LIMIT_EXCEEDED" in load.reading("Things").reason
    assert not load.reading("Things").notes.refused


@pytest.mark.parametrize(
    "body",
    [
        refusal("LIMIT_EXCEEDED", "the limit is exceeded", limit=5, api_name="fields"),
        refusal("LIMIT_EXCEEDED", "too many fields", max_limit=5),
    ],
    ids=["details", "message"],
)
@pytest.mark.cases(1)
def test_a_limit_of_fields_is_read_in_slices(load, org, body):
    things(org, 5, fields=10)
    org.faults.add(CREATE, status=400, body=body)
    assert tried(load, settings=BULK).exit_code == 0
    assert rows_landed(load, "things") == truth(org, "Things")
    assert load.reading("Things").api == "bulk"


def test_a_refused_refresh_token_names_what_ends_one(command, account, org, leads):
    org.tokens.revoke(org.tokens.refresh_token)
    done = command("run")
    assert done.code == 3
    for words in (
        "terminate all API tokens",
        "Connected Apps",
        "the 21st of a client",
        "does not end by not being used",
    ):
        assert words in done.err


def test_a_missing_library_of_a_destination_is_named_with_its_extra(command, account, monkeypatch, leads):
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://me:hidden1@127.0.0.1:1/db")
    for name in [
        name for name in sys.modules if name.startswith(("psycopg2", "dlt.destinations.impl.postgres.sql"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.delitem(sys.modules, "dlt.destinations.impl.postgres.postgres", raising=False)
    done = command("run", "--destination", "postgres")
    assert done.code == 2
    assert 'pip install "dlt[postgres]"' in done.err


@pytest.mark.parametrize("user", ["me@", "me:hidden1@", ""])
def test_a_directory_of_sockets_is_a_host(command, account, monkeypatch, leads, tmp_path, user):
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", f"postgresql://{user}/db?host={tmp_path}/run")
    done = command("run", "--destination", "postgres")
    assert "Missing" not in done.err
    assert f'on socket "{tmp_path}/run/.s.PGSQL.5432" failed' in done.err
    assert done.code != 0

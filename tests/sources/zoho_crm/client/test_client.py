"""The HTTP client: whatever goes wrong on the way, a call ends in its rows or in one sentence."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
import requests

from simulators.zoho_crm import Org, Quirks
from sources.zoho_crm.client.client import connect
from sources.zoho_crm.client.progress import NO_PROGRESS
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.exceptions import Retriable, ZohoConnectionError
from sources.zoho_crm.sync.tables import account_tables, module_tables
from tests.support.reading import COQL, LIST, QUERY, RECORDS, look, read, rows_of, things
from tests.support.truth import truth

BULK = "ReadAPI=Bulk"
USERS, TOKEN = "GET /crm/v8/users", "POST /oauth/v2/token"
CREATE, POLL = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
CALLS = {LIST: RECORDS, QUERY: COQL, CREATE: BULK, POLL: BULK, DOWNLOAD: BULK, USERS: None}
PASSING = {
    "500 twice": {"status": 500, "times": 2},
    "503 HTML": {"status": 503, "html": True},
    "HTML of a gateway": {"html": True},
    "HTML with 200": {"status": 200, "html": True},
    "an empty body": {"empty": True},
    "half a JSON": {"truncate_json": True},
    "a reset": {"reset": True},
    "a body cut off": {"cut_after": 20},
    "429": {"status": 429},
    "429 in a list": {"status": 429, "body": [{"code": "TOO_MANY_REQUESTS", "status": "error"}]},
}
LASTING = {name: {**fault, "times": 99} for name, fault in PASSING.items() if "list" not in name}
SHAPES = ["object", "data", "list"]


def ends(load, route):
    """What a reading that makes this kind of call comes to: its error, or None when all rows came."""
    if route == USERS:
        client, found = look(load, only=["users"])
        reading = next(t for t in account_tables(client, found) if t.name == "users").read(
            load.folder, NO_PROGRESS
        )
        assert reading.status != "read" or reading.rows == 1
        return reading
    reading = read(load, settings=CALLS[route])
    assert reading.status != "read" or rows_of(reading) == truth(load.org, "Things")
    return reading


@pytest.fixture(params=CALLS)
def route(request, org):
    things(org, 3)
    return request.param


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_not_noticed(load, org, route, fault):
    # A job that may have been made is made again once only: each costs 50 credits.
    times = {"times": 1} if route == CREATE else {}
    org.faults.add(route, **{**PASSING[fault], **times})
    reading = ends(load, route)
    assert (reading.status, reading.error) == ("read", None)
    assert reading.api == {RECORDS: "records", COQL: "coql", BULK: "bulk", None: "settings"}[CALLS[route]]
    assert org.faults.unspent() == []


@pytest.mark.parametrize("fault", ["500 twice", "HTML with 200", "an empty body", "a reset", "429"])
def test_what_does_not_pass_is_one_sentence(load, org, route, fault):
    org.faults.add(route, **LASTING[fault])
    reading = ends(load, route)
    assert (reading.status, reading.parquet_file) == ("failed", None)
    assert len(reading.error.splitlines()) == 1
    assert "Traceback" not in reading.error


def kill_the_token_at(org, route, times=1):
    """As the sixteenth token of a refresh token kills the oldest: right before this call."""
    take, left = org.faults.take, [times]

    def killing(name, module):
        if name == route and left[0]:
            left[0] -= 1
            org.tokens.kill_access_tokens()
        return take(name, module)

    org.faults.take = killing


@pytest.mark.parametrize("shape", SHAPES)
def test_a_token_that_dies_before_a_call_is_renewed_once(load, org, route, shape):
    org.quirks.error_shape = shape
    kill_the_token_at(org, route)
    assert ends(load, route).status == "read"
    assert len(org.ledger.calls(TOKEN)) == 2
    assert len(org.ledger.calls(route, status=401)) == 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("route", "scope"),
    [
        (LIST, "ZohoCRM.modules.READ"),
        (QUERY, "ZohoCRM.coql.READ"),
        (CREATE, "ZohoCRM.bulk.READ"),
        (USERS, "ZohoCRM.users.READ"),
    ],
)
def test_a_missing_scope_never_renews(load, org, route, scope, shape):
    things(org, 3)
    org.quirks.error_shape = shape
    org.scopes -= {scope}
    reading = ends(load, route)
    assert len(org.ledger.calls(TOKEN)) == 1
    assert len(org.ledger.calls(route, status=401)) == 1
    others = {QUERY: ("read", "records"), CREATE: ("read", "records"), LIST: ("skipped", "records")}
    assert (reading.status, reading.api) == others.get(route, ("skipped", "settings"))


def test_a_token_that_is_always_refused_is_one_sentence_for_a_person(load, org):
    things(org, 3)
    client, found = look(load)
    kill_the_token_at(org, LIST, times=99)
    body = {"code": "INVALID_TOKEN", "status": "error", "message": "invalid oauth token"}
    org.faults.add(LIST, status=401, body=body, times=99)
    (table,) = module_tables(client, found)
    reading = table.read(load.folder, NO_PROGRESS)
    assert reading.status == "failed"
    assert "refuses a token that Zoho has just handed out" in reading.error
    assert len(org.ledger.calls(TOKEN)) == 2


# ---- how long it waits


class Clock:
    """Notes the pauses between tries, and makes none."""

    def __init__(self):
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize(("quirk", "pauses"), [(None, [2, 4, 8]), (17, [17, 17, 17]), (3_600, [90, 90, 90])])
def test_a_429_waits_as_long_as_zoho_says_or_longer_each_time(load_from, clock, quirk, pauses):
    load = load_from(Org(quirks=Quirks(retry_after=quirk)))
    client = connect(load.credentials(), RetryPolicy(sleep=clock.sleep))
    headers = {"Retry-After": str(quirk)} if quirk else {}
    load.org.faults.add("GET /crm/v8/org", status=429, times=3, headers=headers)
    assert client.get("org")["org"]
    assert clock.pauses == pauses


def test_a_call_is_tried_six_times_in_about_a_minute(load, org, clock):
    org.faults.add("GET /crm/v8/org", status=500, times=99)
    client = connect(load.credentials(), RetryPolicy(sleep=clock.sleep))
    with pytest.raises(Retriable, match="500 INTERNAL_ERROR GET /crm/v8/org: a fault"):
        client.get("org")
    assert clock.pauses == [2, 4, 8, 16, 32]
    assert (client.usage.calls, client.usage.credits) == (6, 0)


def test_a_refusal_is_not_asked_again(load, org, clock):
    with pytest.raises(Exception, match="400 INVALID_MODULE"):
        load.client().get("Nothing", {"fields": "id"})
    assert len(org.ledger.calls(LIST)) == 1
    assert clock.pauses == []


# ---- what the headers tell


def test_zohos_clock_is_the_one_that_counts(load, org):
    client = load.client()
    client.get("org")
    assert client.now() == org.now()
    for text in ("yesterday", "Mon, 99 Xyz 2026 09:00:00 GMT", ""):
        answer = requests.Response()
        answer.headers["Date"] = text
        client.context.on_response(answer)
    assert client.now() == org.now()


def test_before_any_answer_the_clock_is_our_own(load):
    assert abs((load.client().now() - datetime.now(timezone.utc)).total_seconds()) < 60


def test_the_credits_that_are_left_are_kept(load_from):
    org = Org(quirks=Quirks(credits_remaining_header="always"))
    org.rules.daily_credits = 5_000
    client = load_from(org).client()
    client.get("org")
    assert client.context.credits_remaining == 4_999


def test_an_archive_on_another_host_is_not_fetched(load, tmp_path):
    client = load.client()
    with pytest.raises(ZohoConnectionError, match=r"another host to download from: evil\.example"):
        client.download("https://evil.example/crm/bulk/v8/read/1/result", tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()

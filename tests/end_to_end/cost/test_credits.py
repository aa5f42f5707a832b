"""Credits: what Zoho took, what the report says and what the budget holds are one number."""

from __future__ import annotations

import socket

import pytest
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator, SinglePagePaginator

from simulators.zoho_crm import Field, Module
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.client.client import connect
from sources.zoho_crm.exceptions import CreditBudgetExceeded, ExtractError, ZohoCrmError, ZohoError
from sources.zoho_crm.service import CRM
from tests.conftest import SimulatedTime
from tests.support.reading import things
from tests.support.truth import landed, truth

pytestmark = pytest.mark.whole_account

DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
CREATE = "POST /crm/bulk/v8/read"
ORG, USERS = "GET /crm/v8/org", "GET /crm/v8/users"
JOB = {"query": {"module": {"api_name": "Things"}, "fields": ["id"]}}
QUERY = "select id from Things where id is not null limit 1000"


def counts(client):
    return client.usage.credits, client.context.spent


def pages(client, paginator=None):
    return list(client.paginate("users", "users", paginator or SinglePagePaginator(), {"per_page": "1"}))


def numbered():
    return PageNumberPaginator(base_page=1, total_path=None, has_more_path="info.more_records")


def test_a_run_of_mixed_calls_is_counted_as_zoho_counts_it(load, org, tmp_path):
    things(org, 3)
    client = load.client()
    client.get("org")
    assert len(pages(client)) == 1
    for name in "abc":
        org.account.add_user("Some", name)
    assert pages(client, numbered())
    client.get("Things", {"fields": "id", **CRM.all_records})
    client.get("Things/deleted", {"type": "all"}, credits=2)
    client.post("coql", {"select_query": QUERY}, credits=2)
    with pytest.raises(ZohoError):
        client.get("Nothing", {"fields": "id"})
    with pytest.raises(ZohoError):
        list(client.paginate("settings/tags", "tags", SinglePagePaginator(), {"module": "Nothing"}))
    job = client.create_bulk_job(JOB)["data"][0]["details"]["id"]
    for _ in range(9):
        answer = client.read_bulk_job(job)["data"][0]
        client.context.retry_policy.sleep(60)
    client.download(answer["result"]["download_url"], tmp_path / "a.zip")
    assert counts(client) == (org.ledger.credits, org.ledger.credits)
    assert client.usage.calls == len([call for call in org.ledger if "/oauth/" not in call.path])


def test_a_list_may_cost_the_last_credit(load, org):
    client = load.client()
    client.context.max_credits = 1
    assert len(pages(client)) == 1
    with pytest.raises(CreditBudgetExceeded):
        pages(client)
    assert (len(org.ledger.calls(USERS)), counts(client)) == (1, (1, 1))


def test_a_refused_call_gives_its_credits_back(load, org):
    client = load.client()
    client.context.max_credits = 1
    for _ in range(3):
        with pytest.raises(ZohoError):
            client.get("Nothing", {"fields": "id"})
    assert client.get("org")["org"]
    assert counts(client) == (1, 1)


@pytest.mark.parametrize(("told", "tries"), [("half", 1), ("never", 6)])
def test_nothing_is_asked_for_again_once_the_days_credits_are_gone(load, org, told, tries):
    things(org, 1)
    org.rules.daily_credits, org.quirks.credits_remaining_header = 0, told
    client = load.client()
    for ask in (lambda: client.get("org"), lambda: client.create_bulk_job(JOB)):
        before = len(org.ledger.calls(status=429))
        with pytest.raises(ZohoError, match="429 TOO_MANY_REQUESTS"):
            ask()
        assert len(org.ledger.calls(status=429)) - before == tries


USED_UP = {
    "status": 429,
    "headers": {"X-API-CREDITS-REMAINING": "0"},
    "body": {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "used up", "status": "error"},
}


def test_used_up_credits_lose_no_deletion(load, org):
    ids = things(org, 5)
    assert load(only=["Things"]).exit_code == 0
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.edit("Things", ids[1], F0="new")
    org.faults.add("GET /crm/v8/{module}/deleted", times=1, **USED_UP)
    run = load(only=["Things"])
    assert (run.exit_code, load.reading("Things").status) == (1, "failed")
    assert load(only=["Things"]).exit_code == 0
    assert landed(load, "things") == truth(org, "Things")


def test_used_up_credits_cut_no_table_of_the_account(load, org):
    for name in ("Things", "Aaa", "Bbb"):
        org.add_module(Module(name, [Field("F", "text")], generated_type="custom"))
    assert load(only=["layouts"]).exit_code == 0
    whole = landed(load, "layouts")
    org.faults.add("GET /crm/v8/settings/layouts", nth=2, times=9, **USED_UP)
    org.clock.advance(days=2)
    assert load(only=["layouts"]).exit_code == 1
    assert landed(load, "layouts") == whole


def test_a_run_without_credits_fails_its_tables_and_asks_no_other_api(load, org):
    things(org, 500)
    org.quirks.credits_remaining_header = "always"
    assert load(only=["Things"]).exit_code == 0
    org.clock.advance(hours=1)
    org.rules.daily_credits = org.ledger.credits + 3  # for the lists of modules and fields, and the count
    run = load(only=["Things"], refresh=True)
    assert run.exit_code == 1
    assert "no API credits are left; each call's come back 24 hours later" in run.readings[0].error
    assert len(load.rows("select * from things")) == 500


def test_each_try_that_brought_a_torn_body_is_counted(load, org):
    org.faults.add(ORG, truncate_json=True, times=3)
    org.faults.add(USERS, truncate_json=True, times=2)
    client = load.client()
    client.get("org")
    pages(client)
    assert counts(client) == (7, 7)
    assert org.ledger.credits == 7


# ---- lists that never end


@pytest.mark.parametrize("users", [[], [{"id": "1"}]], ids=["no rows", "the same rows"])
def test_a_list_that_promises_more_for_ever_is_not_read_for_ever(load, org, users):
    body = {"users": users, "info": {"more_records": True}}
    org.faults.add(USERS, times=50, status=200, body=body)
    with pytest.raises(ExtractError, match="more users, and brings none|one page of users again"):
        pages(load.client(), numbered())
    assert len(org.ledger.calls(USERS)) <= 2


# ---- jobs


@pytest.mark.parametrize(
    "fault",
    [
        {"truncate_json": True},
        {"empty": True},
        {"cut_after": 20},
        {"status": 500},
        {"status": 503, "html": True},
        {"reset": True},
    ],
    ids=str,
)
def test_a_job_that_may_have_been_made_is_made_again_once_and_counted_twice(load, org, fault):
    things(org, 3)
    org.faults.add(CREATE, times=4, **fault)
    client = load.client()
    with pytest.raises(ZohoCrmError):
        client.create_bulk_job(JOB)
    assert len(org.ledger.calls(CREATE)) == 2
    assert counts(client) == (100, 100)
    assert org.ledger.credits <= 100


def test_the_second_try_of_a_job_is_within_the_limit_of_the_run(load, org):
    things(org, 3)
    org.faults.add(CREATE, times=4, truncate_json=True)
    client = load.client()
    client.context.max_credits = 60
    with pytest.raises(CreditBudgetExceeded):
        client.create_bulk_job(JOB)
    assert (len(org.ledger.calls(CREATE)), counts(client)) == (1, (50, 50))


def test_a_job_that_is_refused_for_now_is_asked_for_again_and_counted_once(load, org):
    things(org, 3)
    org.faults.add(CREATE, times=5, status=429)
    client = load.client()
    assert client.create_bulk_job(JOB)["data"]
    assert len(org.ledger.calls(CREATE)) == 6
    assert counts(client) == (50, 50)


def test_a_job_that_is_refused_for_good_costs_nothing(load, org):
    client = load.client()
    with pytest.raises(ZohoError):
        client.create_bulk_job({"query": {"module": {"api_name": "Nothing"}}})
    assert (len(org.ledger.calls(CREATE)), counts(client)) == (1, (0, 0))


def test_a_job_that_never_left_this_machine_costs_nothing_and_is_tried_as_any_call(load, org, caplog):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        there = f"http://127.0.0.1:{free.getsockname()[1]}"
        credentials = resolve_credentials(f"OAuthAccessToken=1;InitiateOAuth=OFF;APIDomain={there}")
        client = connect(credentials, SimulatedTime(org).retry_policy())
        with caplog.at_level("INFO", "zoho_crm"), pytest.raises(ZohoCrmError, match="could not be reached"):
            client.create_bulk_job(JOB)
    assert counts(client) == (0, 0)
    said = [record.getMessage() for record in caplog.records if "again" in record.getMessage()]
    host = there.partition("//")[2]
    assert said == [
        f"Trying again: POST {host}/crm/bulk/v8/read (ConnectionError)",
        f"No answer from {host} (ConnectionError): trying again for up to a minute",
    ]


# ---- what is said about it


def test_a_second_try_is_told_once_a_call_by_host_and_path(load, org, caplog):
    org.faults.add(ORG, status=500, times=3)
    org.faults.add(USERS, truncate_json=True, times=2)
    client = load.client()
    with caplog.at_level("INFO", "zoho_crm"):
        client.get("org")
        pages(client)
        client.get("org")
    host = client.context.auth.api_domain.partition("//")[2]
    assert [record.getMessage() for record in caplog.records if record.name == "zoho_crm"] == [
        f"Trying again: GET {host}/crm/v8/org (500)",
        f"Trying again: GET {host}/crm/v8/users (ZohoConnectionError)",
    ]


def test_each_try_of_a_download_waits_for_its_turn(load, org, tmp_path):
    things(org, 1)
    client = load.client()
    job = client.create_bulk_job(JOB)["data"][0]["details"]["id"]
    for _ in range(9):
        answer = client.read_bulk_job(job)["data"][0]
        client.context.retry_policy.sleep(60)
    org.faults.add(DOWNLOAD, times=5, status=429)
    org.faults.add(DOWNLOAD, times=5, nth=7, status=500)
    start = client.context.retry_policy.monotonic()
    for name in "abcdef":
        client.download(answer["result"]["download_url"], tmp_path / name)
    assert len(org.ledger.calls(DOWNLOAD)) == 16
    assert client.context.retry_policy.monotonic() - start >= 60

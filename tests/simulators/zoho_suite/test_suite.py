"""One account with several services: what they share, and what each has for itself."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from simulators.zoho_crm import Org, Rules
from simulators.zoho_crm.oauth.tokens import TokenError
from simulators.zoho_desk import Desk
from simulators.zoho_suite import SUITE_SCOPES, Suite, demo_suite, serve
from tests.simulators.asking import ask

REDIRECT = "http://localhost:8080/callback"
PATHS = {
    "crm": "/crm/v8/users",
    "desk": "/api/v1/tickets",
    "books": "/books/v3/items",
    "recruit": "/recruit/v2/Candidates",
}


def get(suite, kind, **options):
    more = {"organization_id": suite.books.default_organization} if kind == "books" else {}
    return ask(suite, PATHS[kind], headers={"orgid": suite.desk.org_id}, **more, **options)


def filled():
    suite = Suite()
    suite.desk.insert("tickets")
    suite.recruit.insert("Candidates", {"Last_Name": "A"})
    return suite


def tokens_of(zoho, **form):
    pairs = dict(pair.split("=", 1) for pair in zoho.connection_string.strip(";").split(";"))
    client = {"client_id": pairs["OAuthClientId"], "client_secret": pairs["OAuthClientSecret"]}
    form = {"grant_type": "refresh_token", "refresh_token": pairs["OAuthRefreshToken"], **form}
    return requests.post(f"{zoho.accounts_url}/oauth/v2/token", data={**client, **form}, timeout=300).json()


def test_all_services_answer_on_one_host_with_one_token():
    suite = filled()
    with serve(suite) as zoho:
        answer = tokens_of(zoho)
        assert answer["api_domain"] == zoho.api_url
        assert f"APIDomain={zoho.api_url};" in zoho.connection_string
        headers = {"Authorization": f"Zoho-oauthtoken {answer['access_token']}", "orgId": suite.desk.org_id}
        query = {"books": {"organization_id": suite.books.default_organization}}
        for kind, path in PATHS.items():
            reply = requests.get(zoho.api_url + path, headers=headers, params=query.get(kind), timeout=300)
            assert reply.status_code == 200, reply.text
        # Real bytes: the time of a ticket in UTC, that of a candidate with an offset.
        assert '"createdTime":"2026-03-02T09:00:00.000Z"' in requests.get(
            zoho.api_url + PATHS["desk"], headers=headers, timeout=300
        ).text  # fmt: skip


def test_services_share_clock_ledger_faults_and_tokens():
    suite = filled()
    suite.faults.add("GET /api/v1/tickets", status=500)
    suite.faults.add("GET /books/v3/{kind}".replace("{kind}", "items"), status=500)
    assert get(suite, "desk").body["errorCode"] == "INTERNAL_SERVER_ERROR"
    assert get(suite, "books").body == {"code": 1000, "message": "Internal error"}
    assert suite.desk.faults.unspent() == []
    suite.clock.advance(hours=2)
    assert suite.desk.now() == suite.crm.now() == suite.books.now()
    assert [call.service for call in suite.ledger] == ["desk", "books"]
    with pytest.raises(ValueError, match="no route"):
        suite.faults.add("GET /api/v1/nothing")


def test_limits_are_not_shared():
    suite = filled()
    suite.desk.rules = Rules(daily_credits=3)
    assert get(suite, "desk").status == 200
    assert get(suite, "desk").status == 429
    for kind in ("crm", "books", "recruit"):
        assert get(suite, kind).status == 200, kind
    assert suite.crm.credits_of_a_day() == 1


@pytest.mark.parametrize("kind", PATHS)
def test_an_account_may_lack_a_service(kind):
    suite = filled()
    next(service for service in suite.services if service.kind == kind).enabled = False
    refused = {other for other in PATHS if get(suite, other).status >= 400}
    assert refused == {kind}


def test_a_token_has_the_scopes_that_were_granted():
    suite = filled()
    scopes = {"Desk.tickets.READ", "ZohoBooks.settings.READ"}
    answered = {kind for kind in PATHS if get(suite, kind, scopes=scopes).status == 200}
    assert answered == {"desk", "books"}


def test_one_consent_may_give_scopes_of_several_services():
    suite = filled()
    with serve(suite) as zoho:
        query = {
            "response_type": "code", "client_id": suite.tokens.client_id, "redirect_uri": REDIRECT, "state": "s",
            "scope": ",".join(sorted(SUITE_SCOPES)), "access_type": "offline", "prompt": "consent",
        }  # fmt: skip
        shown = requests.get(f"{zoho.accounts_url}/oauth/v2/auth", params=query, timeout=300).text
        assert "ZohoBooks.banking.READ" in shown and "Desk.tickets.READ" in shown
        sent = requests.post(
            f"{zoho.accounts_url}/oauth/v2/approve",
            data={**query, "decision": "accept"},
            allow_redirects=False,
            timeout=300,
        )
        code = parse_qs(urlsplit(sent.headers["Location"]).query)["code"][0]
        answer = tokens_of(zoho, grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
    assert set(answer["scope"].split()) == SUITE_SCOPES
    assert answer["refresh_token"] != suite.tokens.refresh_token


@pytest.mark.parametrize("scope", ["Desk.tickets", "Salesforce.api.READ", "Deskk.tickets.READ", ""])
def test_a_name_that_is_no_scope_of_zohos(scope):
    with pytest.raises(TokenError, match="invalid_scope"):
        Suite().tokens.checked_scopes([scope])


def test_a_service_can_be_served_by_itself_and_knows_no_other():
    desk = Desk()
    assert ask(desk, "/crm/v8/users").status == 418
    assert ask(Org(), "/api/v1/organizations").status == 418
    with serve(desk) as zoho:
        assert tokens_of(zoho)["access_token"]


@pytest.mark.long
def test_the_demo_account_is_the_same_for_the_same_seed():
    one, two, other = demo_suite(), demo_suite(), demo_suite(seed=1)
    for kind in ("tickets", "comments", "contacts"):
        assert one.desk.records(kind) == two.desk.records(kind)
    assert one.books.records("invoices") == two.books.records("invoices") != other.books.records("invoices")
    assert one.recruit.records("Candidates") == two.recruit.records("Candidates")
    assert len(one.crm.records("Leads")) > 0


def test_the_demo_account_has_rows_that_a_loader_may_get_wrong():
    suite = demo_suite()
    tickets = suite.desk.records("tickets")
    times = [ticket["modifiedTime"] for ticket in tickets]
    assert len(tickets) > 600 and max(times.count(time) for time in times) > 30
    assert any("\n" in (ticket["description"] or "") for ticket in tickets)
    assert any("🚨" in ticket["subject"] for ticket in tickets)
    assert all(len(ticket["id"]) == 18 and ticket["id"].isdigit() for ticket in tickets)
    invoices = suite.books.records("invoices")
    assert len({row["invoice_number"] for row in invoices}) > 400
    assert any(row["total"] != round(row["total"], 2) for row in invoices)
    assert {row["due_date"] == "" for row in invoices} == {True, False}
    candidates = suite.recruit.records("Candidates")
    for name in candidates[0]:
        if name not in ("id", "Candidate_ID", "Last_Name", "Rating", "Expected_Salary", "Email_Opt_Out",
                        "Date_of_Birth", "Mobile", "Candidate_Status", "Candidate_Owner", "Created_By",
                        "Modified_By", "Created_Time", "Modified_Time"):  # fmt: skip
            assert any(row[name] is None for row in candidates), name

"""The accounts server: tokens, their limits and their errors."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.simulators.zoho_crm.wire import Wire, refusal, wired


@pytest.fixture
def wire():
    org = Org()
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    with wired(org) as wire:
        yield wire


def test_a_refresh_gives_an_hour_and_the_host_of_the_api(wire):
    answer = wire.token_call()
    body = answer.json()
    assert answer.status_code == 200
    assert (body["expires_in"], body["token_type"], body["api_domain"]) == (3600, "Bearer", wire.zoho.api_url)
    assert "ZohoCRM.modules.READ" in body["scope"].split(" ")
    assert "refresh_token" not in body


def test_old_answers_count_in_milliseconds_and_lack_the_scope(wire):
    wire.org.quirks.expires_in_milliseconds = True
    wire.org.quirks.scope_in_token_answer = False
    body = wire.token_call().json()
    assert (body["expires_in"], body["expires_in_sec"]) == (3_600_000, 3_600)
    assert "scope" not in body


def test_parameters_may_stand_in_the_query(wire):
    tokens = wire.org.tokens
    query = {
        "grant_type": "refresh_token",
        "client_id": tokens.client_id,
        "client_secret": tokens.client_secret,
        "refresh_token": tokens.refresh_token,
    }
    answer = requests.post(f"{wire.zoho.accounts_url}/oauth/v2/token", params=query)
    assert "access_token" in answer.json()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "1000.OTHER"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"refresh_token": "1000.gone"}, "invalid_code"),
        ({"grant_type": "authorization_code"}, "general_error"),
        ({"grant_type": "authorization_code", "code": "1000.unknown"}, "invalid_code"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_refused_token_is_an_error_in_a_body_whose_status_may_be_200(wire, form, error, status):
    wire.org.quirks.token_error_status = status
    answer = wire.token_call(**form)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("status", [200, 400])
def test_the_11th_token_in_ten_minutes_is_throttled_until_the_window_ends(wire, status):
    wire.org.quirks.throttle_status = status
    for _ in range(10):
        assert "access_token" in wire.token_call().json()
    answer = wire.token_call()
    assert answer.status_code == status
    assert answer.json()["error"] == "Access Denied"
    assert "too many requests continuously" in answer.json()["error_description"]
    wire.org.clock.advance(minutes=9, seconds=59)
    assert "error" in wire.token_call().json()
    wire.org.clock.advance(seconds=1)
    assert "access_token" in wire.token_call().json()


def test_the_16th_live_token_kills_the_oldest(wire):
    first = wire.new_token()
    for _ in range(9):
        wire.new_token()
    wire.org.clock.advance(minutes=10)
    for _ in range(5):
        wire.new_token()
    wire.session.headers["Authorization"] = f"Zoho-oauthtoken {first}"
    assert wire.get("users").status_code == 200
    last = wire.new_token()
    assert refusal(wire.get("users")) == (401, "INVALID_TOKEN")
    wire.session.headers["Authorization"] = f"Zoho-oauthtoken {last}"
    assert wire.get("users").status_code == 200


def test_a_token_dies_after_an_hour(wire):
    wire.get("users")
    wire.org.clock.advance(seconds=3599)
    assert wire.get("users").status_code == 200
    wire.org.clock.advance(seconds=1)
    answer = wire.get("users")
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error",
    }  # fmt: skip


def test_without_a_token_it_is_an_authentication_failure(wire):
    answer = requests.get(f"{wire.zoho.api_url}/crm/v8/users")
    assert refusal(answer) == (401, "AUTHENTICATION_FAILURE")


@pytest.mark.parametrize(("accepted", "status"), [(True, 200), (False, 401)])
def test_bearer_works_where_zoho_takes_it(wire, accepted, status):
    wire.org.quirks.bearer_accepted = accepted
    wire.session.headers["Authorization"] = f"bearer {wire.new_token()}"
    assert wire.get("users").status_code == status


def test_a_missing_scope_is_401_too_but_another_code(wire):
    wire.org.scopes = {"ZohoCRM.settings.READ", "ZohoCRM.modules.deals.READ"}
    assert wire.get("Deals", fields="id").status_code == 204
    assert wire.get("settings/modules").status_code == 200
    assert refusal(wire.get("users")) == (401, "OAUTH_SCOPE_MISMATCH")
    assert refusal(wire.get("Deals/actions/count")) == (401, "OAUTH_SCOPE_MISMATCH")


def test_the_module_that_no_scope_covers_answers_a_mismatch(wire):
    wire.org.add_module(Module("Scoring_Rules__s", [Field("Name", "text")], scope_mismatch=True))
    assert refusal(wire.get("Scoring_Rules__s", fields="id")) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_wider_scope_covers_a_narrow_call(wire):
    wire.org.scopes = {"ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.users.ALL"}
    for path in ("users", "settings/fields?module=Deals", "settings/roles"):
        assert wire.get(path).status_code == 200


def test_a_revoked_refresh_token_takes_its_access_tokens_along(wire):
    assert wire.get("users").status_code == 200
    revoke = f"{wire.zoho.accounts_url}/oauth/v2/token/revoke"
    answer = requests.post(revoke, data={"token": wire.org.tokens.refresh_token})
    assert answer.json() == {"status": "success"}
    assert refusal(wire.get("users")) == (401, "INVALID_TOKEN")
    assert wire.token_call().json() == {"error": "invalid_code"}
    again = requests.post(revoke, params={"token": wire.org.tokens.refresh_token})
    assert (again.status_code, again.headers["Content-Type"][:9]) == (400, "text/html")


def test_a_self_client_code_works_once_and_without_a_redirect(wire):
    code = wire.org.tokens.self_client_code(["ZohoCRM.modules.READ"])
    body = wire.token_call(grant_type="authorization_code", code=code).json()
    assert body["scope"] == "ZohoCRM.modules.READ"
    assert "access_token" in wire.token_call(refresh_token=body["refresh_token"]).json()
    assert wire.token_call(grant_type="authorization_code", code=code).json() == {"error": "invalid_code"}


@pytest.mark.parametrize("seconds", [180, 120])
def test_a_code_lives_minutes(wire, seconds):
    wire.org.quirks.grant_code_seconds = seconds
    early, late = (wire.org.tokens.self_client_code(["ZohoCRM.modules.READ"]) for _ in range(2))
    wire.org.clock.advance(seconds - 1)
    assert "access_token" in wire.token_call(grant_type="authorization_code", code=early).json()
    wire.org.clock.advance(1)
    assert wire.token_call(grant_type="authorization_code", code=late).json() == {"error": "invalid_code"}


def test_the_21st_refresh_token_kills_the_oldest(wire):
    for _ in range(20):
        wire.org.clock.advance(minutes=10)
        code = wire.org.tokens.self_client_code(["ZohoCRM.modules.READ"])
        wire.token_call(grant_type="authorization_code", code=code)
    assert wire.token_call().json() == {"error": "invalid_code"}


@pytest.mark.parametrize(("path", "token", "auth"), [("token", True, False), ("auth", False, True)])
def test_client_credentials_need_no_refresh_token(wire, path, token, auth):
    wire.org.quirks.client_credentials_path = path
    form = {
        "grant_type": "client_credentials",
        "client_id": wire.org.tokens.client_id,
        "client_secret": wire.org.tokens.client_secret,
        "scope": "ZohoCRM.modules.READ,ZohoCRM.users.READ",
        "soid": f"ZohoCRM.{wire.org.account.zgid}",
    }
    bodies = [
        requests.post(f"{wire.zoho.accounts_url}/oauth/v2/{end}", data=form).json()
        for end in ("token", "auth")
    ]
    assert ["access_token" in body for body in bodies] == [token, auth]
    assert not any("refresh_token" in body for body in bodies)


def test_client_credentials_of_another_org_are_refused(wire):
    form = {"grant_type": "client_credentials", "scope": "ZohoCRM.modules.READ", "soid": "ZohoCRM.1"}
    assert wire.token_call(**form).json() == {"error": "invalid_client"}


def consent(wire: Wire, decision: str, **query: str) -> dict[str, list[str]]:
    """Open the page, press a button; give the parameters of the redirect."""
    usual = {
        "response_type": "code",
        "client_id": wire.org.tokens.client_id,
        "scope": "ZohoCRM.modules.READ",
        "redirect_uri": "http://localhost:8080/callback",
        "access_type": "offline",
        "state": "a b",
    }
    page = requests.get(f"{wire.zoho.accounts_url}/oauth/v2/auth", params={**usual, **query})
    assert "ZohoCRM.modules.READ" in page.text
    answer = requests.post(
        f"{wire.zoho.accounts_url}/oauth/v2/approve",
        data={**usual, **query, "decision": decision},
        allow_redirects=False,
    )
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def test_consent_leads_back_with_a_code_and_the_place_of_the_account(wire):
    back = consent(wire, "accept")
    assert (back["state"], back["location"], back["accounts-server"]) == (
        ["a b"],
        ["us"],
        [wire.zoho.accounts_url],
    )
    form = {"grant_type": "authorization_code", "code": back["code"][0]}
    wrong = wire.token_call(**form, redirect_uri="http://localhost:9/else")
    assert wrong.json() == {"error": "invalid_redirect_uri"}
    right = wire.token_call(**form, redirect_uri="http://localhost:8080/callback").json()
    assert right["refresh_token"].startswith("1000.")


def test_a_refused_consent_leads_back_with_access_denied(wire):
    assert consent(wire, "reject")["error"] == ["access_denied"]


@pytest.mark.parametrize(
    ("query", "again"),
    [({}, False), ({"prompt": "consent"}, True), ({"access_type": "online", "prompt": "consent"}, False)],
)
def test_a_second_consent_gives_a_refresh_token_only_when_prompted(wire, query, again):
    consent(wire, "accept")
    code = consent(wire, "accept", **query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "http://localhost:8080/callback",
    }
    assert ("refresh_token" in wire.token_call(**form).json()) is again


def test_the_11th_code_in_ten_minutes_is_access_denied(wire):
    for _ in range(10):
        wire.org.tokens.self_client_code(["ZohoCRM.modules.READ"])
    assert consent(wire, "accept")["error"] == ["access_denied"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"client_id": "1000.X"}, "invalid_client"),
        ({"redirect_uri": "http://evil.example"}, "invalid_redirect_uri"),
        ({"scope": "everything"}, "Scope does not exist"),
    ],
)
def test_a_wrong_consent_url_is_a_page_that_says_so(wire, query, word):
    usual = {
        "response_type": "code",
        "client_id": wire.org.tokens.client_id,
        "scope": "ZohoCRM.modules.READ",
        "redirect_uri": "http://localhost:8080/callback",
    }
    page = requests.get(f"{wire.zoho.accounts_url}/oauth/v2/auth", params={**usual, **query})
    assert word in page.text
    assert "<form" not in page.text


def test_two_orgs_made_alike_have_the_same_tokens():
    assert Org().tokens.refresh_token == Org(quirks=Quirks()).tokens.refresh_token


def test_an_unknown_grant_is_refused_in_the_simulators_own_voice(wire):
    answer = wire.token_call(grant_type="password")
    assert answer.status_code == 418
    assert "simulator" in answer.json()

"""The protocol of a consent: its URL, what its redirect may say, which data centre is followed, what a code brings."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.data_centers import DATA_CENTRES
from sources.zoho_crm.auth.oauth_client import (
    CODE,
    AuthorizationCode,
    consent_url,
    exchange,
    new_state,
    read_answer,
    settings_for_location,
    token_post,
)
from sources.zoho_crm.exceptions import CredentialsError, SettingsError, ZohoCrmError
from tests.support.loopback import App, Reply, served

CODE_TEXT = "1000.0123456789abcdef.fedcba9876543210"
CLIENT = "OAuthClientId=1000.ABC;OAuthClientSecret=5ecre7c11ent5ecre7;"
BACK = "http://localhost:8080/callback"


def settled(text=""):
    return resolve_credentials(CLIENT + text, for_consent=True)


def test_the_consent_url_asks_for_a_refresh_token_every_time():
    url = consent_url(settled("Region=EU"), ["ZohoCRM.modules.READ", "ZohoCRM.org.READ"], "st/a te")
    assert url.startswith("https://accounts.zoho.eu/oauth/v2/auth?")
    assert dict(parse_qsl(urlsplit(url).query)) == {
        "response_type": "code",
        "client_id": "1000.ABC",
        "scope": "ZohoCRM.modules.READ,ZohoCRM.org.READ",
        "redirect_uri": BACK,
        "access_type": "offline",
        "prompt": "consent",
        "state": "st/a te",
    }
    assert "5ecre7" not in url


def test_no_two_states_are_alike():
    assert len({new_state() for _ in range(100)}) == 100


def test_an_address_or_a_bare_code_is_an_answer():
    address = f"{BACK}?state=s&code={CODE_TEXT}&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu"
    assert read_answer(f" {address}\n", "s") == AuthorizationCode(CODE_TEXT, "eu", "https://accounts.zoho.eu")
    assert read_answer(f"?code={CODE_TEXT}", None) == AuthorizationCode(CODE_TEXT)
    assert read_answer(CODE_TEXT, "s") == AuthorizationCode(CODE_TEXT)
    assert CODE_TEXT not in repr(read_answer(address, "s"))


@pytest.mark.parametrize("query", [{"state": "other", "code": CODE_TEXT}, {"code": CODE_TEXT}])
def test_an_answer_to_another_consent_is_refused(query):
    with pytest.raises(SettingsError, match="its state differs"):
        read_answer(f"{BACK}?{urlencode(query)}", "s")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("access_denied", "Reject was pressed, or this client was given 10 codes"),
        ("no_org", "the user who is signed in there has no account of this service"),
        ("invalid_scope", "Correct Scope"),
        ("server_error", "Zoho answered the consent with server_error"),
        ("<b>1000.x</b>", "an error that is no word"),
    ],
)
def test_a_refusal_in_the_redirect_is_one_sentence_with_a_remedy(error, said):
    with pytest.raises(CredentialsError, match=said):
        read_answer(f"{BACK}?{urlencode({'state': 's', 'error': error})}", "s")


@given(st.text() | st.text(alphabet="htp:/[]?&=codestaer. #%1000").map(lambda text: f"http://{text}"))
def test_whatever_is_pasted_is_a_code_or_one_sentence_that_does_not_repeat_it(text):
    try:
        found = read_answer(text, "s")
    except ZohoCrmError as error:
        assert len(text) < 12 or text not in str(error)
    else:
        assert CODE.fullmatch(found.code)


@pytest.mark.parametrize("centre", DATA_CENTRES, ids=lambda centre: centre.code)
def test_every_data_centre_of_zohos_is_followed(centre):
    moved = {"Region": centre.region} if centre.region != "US" else {}
    named = AuthorizationCode(CODE_TEXT, centre.code, centre.accounts_server)
    assert settings_for_location(settled(), named) == moved
    assert settings_for_location(settled(), replace(named, accounts_server=None)) == moved
    assert settings_for_location(settled(), replace(named, location=None)) == moved
    changed = settings_for_location(settled("AccountsServer=https://accounts.zoho.com"), named)
    assert changed == ({**moved, "AccountsServer": centre.accounts_server} if moved else {})


def test_an_api_domain_of_zohos_moves_along_and_anothers_stays():
    there = AuthorizationCode(CODE_TEXT, "eu", "https://accounts.zoho.eu")
    changed = settings_for_location(settled("APIDomain=https://www.zohoapis.com"), there)
    assert changed == {"Region": "Europe", "APIDomain": "https://www.zohoapis.eu"}
    assert "APIDomain" not in settings_for_location(settled("APIDomain=https://gateway.example"), there)


STRANGERS = (
    "https://accounts.zoho.com.evil.example",
    "https://evil.example/accounts.zoho.eu",
    "https://accounts.zoho.eu@evil.example",
    "https://accounts.zoho.eu:8443",
    "http://accounts.zoho.eu",
    "https://accounts.zohoeu",
    "//accounts.zoho.eu",
    "javascript:alert(1)",
    "https://[",
    "",
)


@pytest.mark.parametrize("server", STRANGERS)
@pytest.mark.parametrize("settings", ["", "AccountsServer=http://127.0.0.1:9"])
def test_a_host_that_somebody_put_into_a_redirect_is_not_followed(server, settings):
    with pytest.raises(CredentialsError, match="none of Zoho's accounts servers"):
        settings_for_location(settled(settings), AuthorizationCode(CODE_TEXT, "eu", server))


@given(st.text(alphabet="htps:/@.[]?#%\\accountszoheu0:", min_size=1) | st.text(min_size=1))
def test_no_address_makes_the_secret_leave_zoho(server):
    try:
        changed = settings_for_location(settled(), AuthorizationCode(CODE_TEXT, None, server))
    except CredentialsError:
        return
    assert changed.get("AccountsServer", "https://accounts.zoho.com") in {
        c.accounts_server for c in DATA_CENTRES
    }


def test_a_location_that_nobody_knows_is_not_guessed():
    with pytest.raises(CredentialsError, match=r"location zz\), which is none of"):
        settings_for_location(settled(), AuthorizationCode(CODE_TEXT, "zz"))


def test_a_server_that_the_user_named_is_never_left():
    own = settled("AccountsServer=http://127.0.0.1:9")
    assert settings_for_location(own, AuthorizationCode(CODE_TEXT, "us", "http://127.0.0.1:9/")) == {}
    assert settings_for_location(own, AuthorizationCode(CODE_TEXT, "zz", "http://127.0.0.1:9")) == {}
    assert settings_for_location(own, AuthorizationCode(CODE_TEXT, "sg", "http://127.0.0.1:9")) == {
        "Region": "Singapore"
    }
    assert settings_for_location(own, AuthorizationCode(CODE_TEXT, "eu", "http://127.0.0.1:9")) == {
        "Region": "Europe"
    }
    assert settings_for_location(own, AuthorizationCode(CODE_TEXT, "eu", "https://accounts.zoho.eu")) == {
        "Region": "Europe"
    }


def test_a_location_that_contradicts_zohos_own_server_does_not_count():
    here = AuthorizationCode(CODE_TEXT, "eu", "https://accounts.zoho.com")
    assert settings_for_location(settled(), here) == {}


def bring(answer, status=200, moved=False, callback=BACK):
    """The tokens or the sentence, and the call that was made."""
    with served(App(lambda call: Reply(answer, status))) as app:
        credentials = settled(f"AccountsServer={app.url}")
        try:
            found = exchange(
                token_post(credentials, backoff=0),
                credentials,
                AuthorizationCode(CODE_TEXT),
                callback,
                moved=moved,
            )
        except CredentialsError as error:
            found = str(error)
    return found, app.calls[0]


def test_the_code_is_exchanged_in_a_form_with_the_redirect_uri():
    found, call = bring({"access_token": "1000.a", "refresh_token": "1000.r", "scope": "A.b.C D.e.F"})
    assert (found.access_token, found.refresh_token, found.scopes) == ("1000.a", "1000.r", {"A.b.C", "D.e.F"})
    assert "1000.r" not in repr(found)
    assert call.path == "/oauth/v2/token"
    assert call.form == {
        "grant_type": "authorization_code",
        "client_id": "1000.ABC",
        "client_secret": "5ecre7c11ent5ecre7",
        "code": CODE_TEXT,
        "redirect_uri": BACK,
    }


def test_the_code_of_a_self_client_has_no_redirect_uri():
    assert "redirect_uri" not in bring({"access_token": "1", "refresh_token": "2"}, callback=None)[1].form


THROTTLE = {
    "error": "Access Denied",
    "error_description": "You have made too many requests continuously. Please try again after some time.",
    "status": "failure",
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "invalid_code"}, "does not take this code .* Run authorize again"),
        ({"error": "invalid_client"}, "registered in another data centre .*https://api-console.zoho.com"),
        ({"error": "invalid_client_secret"}, "OAuthClientSecret does not fit OAuthClientId"),
        ({"error": "invalid_redirect_uri"}, f"has not registered the redirect URI {BACK}: add exactly"),
        ({"error": "general error"}, "answers general_error to the code"),
        ({"error": "odd_word"}, "refuses the code: odd_word"),
        ({"error": "access_denied"}, r"10 codes and 10 tokens in 10 minutes.*at \d\d:\d\d UTC"),
        (THROTTLE, r"run authorize again at \d\d:\d\d UTC"),
        ({"access_token": "1000.a"}, "no refresh token, .*prompt=consent.*Connected Apps"),
    ],
)
def test_a_refused_code_is_one_sentence_with_a_remedy(answer, said, status):
    text = bring(answer, status)[0]
    assert re.search(said, text), text
    assert "\n" not in text
    assert not any(secret in text for secret in (CODE_TEXT, "5ecre7", "1000.a"))


def test_a_client_that_is_unknown_where_the_account_lives_is_told_of_the_switch():
    text = bring({"error": "invalid_client"}, moved=True)[0]
    assert "in its Settings enable US and the same OAuth credentials for all data centres" in text


@pytest.mark.parametrize("centre", DATA_CENTRES, ids=lambda centre: centre.code)
def test_each_data_centre_has_its_api_console(centre):
    assert centre.console.startswith("https://api-console.zoho")
    assert centre.console.partition("api-console.")[2] == centre.accounts_server.partition("accounts.")[2]

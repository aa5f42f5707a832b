"""The token against the simulated Zoho, which hands out ten in ten minutes and kills the sixteenth-oldest."""

from __future__ import annotations

import pytest
import requests

from simulators.zoho_crm import Org, Quirks, serve
from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.token_store import TokenCache
from sources.zoho_crm.exceptions import CredentialsError


def auth_for(zoho, settings="", place="memory://"):
    credentials = resolve_credentials(f"{zoho.connection_string}OAuthSettingsLocation={place};{settings}")
    return ZohoAuthenticator(credentials, TokenCache(place), sleep=lambda _: None)


def read_org(auth):
    return requests.get(f"{auth.api_domain}/crm/v8/org", auth=auth, timeout=300)


@pytest.fixture
def org():
    return Org()


@pytest.fixture
def zoho(org):
    with serve(org) as served:
        yield served


def test_the_connection_string_opens_the_api(org, zoho):
    auth = auth_for(zoho)
    assert read_org(auth).json()["org"][0]["zgid"] == org.account.zgid
    assert auth.api_domain == zoho.api_url
    assert auth.scope == org.tokens.scopes


def test_a_token_that_dies_in_the_middle_is_renewed_unseen(org, zoho):
    auth = auth_for(zoho)
    assert read_org(auth).status_code == 200
    org.tokens.kill_access_tokens()
    assert read_org(auth).status_code == 200
    org.clock.advance(hours=2)
    assert read_org(auth).status_code == 200


def test_a_missing_scope_is_handed_on_without_a_renewal(org, zoho):
    org.tokens.scopes.discard("ZohoCRM.org.READ")
    auth = auth_for(zoho)
    answer = read_org(auth)
    assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")
    assert answer.history == []
    assert "ZohoCRM.org.READ" not in auth.scope


def test_more_runs_than_zoho_hands_out_tokens_for_work_with_a_shared_cache(zoho, tmp_path):
    tokens = {auth_for(zoho, place=str(tmp_path)).token() for _ in range(12)}
    assert len(tokens) == 1


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(throttle_status=200)], ids=["default", "200"])
def test_the_eleventh_token_in_ten_minutes_is_refused_with_the_time(quirks):
    with serve(Org(quirks=quirks)) as zoho:
        for _ in range(10):
            auth_for(zoho).token()
        with pytest.raises(CredentialsError, match=r"try again at \d\d:\d\d UTC"):
            auth_for(zoho).token()


@pytest.mark.parametrize("path", ["token", "auth"])
def test_client_credentials_find_the_path_that_works(path):
    with serve(Org(quirks=Quirks(client_credentials_path=path))) as zoho:
        auth = auth_for(zoho, "AuthScheme=ClientCredentials;OAuthRefreshToken=;Scope=ZohoCRM.org.READ")
        assert read_org(auth).status_code == 200
        assert auth.scope == {"ZohoCRM.org.READ"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("OAuthRefreshToken=1000.revoked", "does not know this refresh token"),
        ("OAuthClientId=1000.OTHER", "does not know this client"),
        ("OAuthClientSecret=wrong", "OAuthClientSecret does not fit|does not know this client"),
    ],
)
def test_wrong_settings_get_their_sentence(zoho, settings, words):
    with pytest.raises(CredentialsError, match=words):
        auth_for(zoho, settings).token()


def test_a_stale_access_token_in_the_settings_does_no_harm(zoho):
    assert read_org(auth_for(zoho, "OAuthAccessToken=1000.stale.stale")).status_code == 200


def test_without_the_explicit_api_domain_a_loopback_host_is_not_believed(zoho):
    with pytest.raises(CredentialsError, match=f"{zoho.api_url.rpartition(':')[0]}.* set it as APIDomain"):
        auth_for(zoho, "APIDomain=").token()


def test_an_answer_without_scope_leaves_it_unknown():
    with serve(Org(quirks=Quirks(scope_in_token_answer=False))) as zoho:
        assert auth_for(zoho).scope is None

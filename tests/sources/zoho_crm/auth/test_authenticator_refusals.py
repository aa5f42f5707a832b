"""What the accounts server may answer instead of a token, and the sentence that each gets."""

from __future__ import annotations

import pytest
import requests

from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.token_store import TokenCache
from sources.zoho_crm.exceptions import ZohoConnectionError
from tests.support.loopback import Reply, served
from tests.support.token_server import REFRESH, SECRET, Clock, Zoho, refusal


@pytest.fixture
def zoho():
    found = Zoho()
    with served(found.app):
        yield found


# ---- refusals


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_code", ["revoked", "Region=US", "Connected Apps"]),
        ("invalid_client", ["OAuthClientId is wrong", "data centre"]),
        ("invalid_client_secret", ["OAuthClientSecret does not fit"]),
        ("invalid_scope", ["Scope"]),
        ("some_new_error", ["refuses the token request: some_new_error"]),
        (f"Sorry: client_secret={SECRET}", ["no word"]),
        (["a"], ["refuses the token request"]),
    ],
)
def test_each_refusal_has_its_own_sentence_though_the_status_is_200(zoho, error, words):
    zoho.token_reply = Reply({"error": error})
    auth = zoho.auth()
    text = refusal(auth)
    assert all(word in text for word in words)
    assert refusal(auth) == text
    assert zoho.app.tokens_asked() == 1, "a refusal is remembered"


def test_a_general_error_is_asked_again_once(zoho):
    clock = Clock()
    answers = [Reply({"error": "general error"}), Reply({"access_token": "1000.x.y"})]
    zoho.token_reply = lambda _: answers.pop(0)
    assert zoho.auth(clock=clock).token() == "1000.x.y"
    assert clock.slept == [1.0]
    zoho.token_reply = Reply({"error": "general_error"})
    assert "general_error to the token request, twice" in refusal(zoho.auth())


@pytest.mark.parametrize("status", [200, 400])
def test_the_throttle_names_the_time_and_is_not_asked_again_before(zoho, status):
    text = "You have made too many requests continuously. Please try again after some time."
    zoho.token_reply = Reply(
        {"error_description": text, "error": "Access Denied", "status": "failure"}, status
    )
    clock = Clock()
    auth = zoho.auth(clock=clock)
    assert "10 access tokens in 10 minutes" in refusal(auth)
    assert "22:24 UTC" in refusal(auth)
    assert zoho.app.tokens_asked() == 1
    clock.now += 600
    zoho.token_reply = None
    assert auth.token() == "1000.new.1"


@pytest.mark.parametrize(
    ("reply", "words", "asked"),
    [
        (
            Reply("<html>login</html>", headers={"Content-Type": "text/html"}),
            "200 and 18 bytes of text/html",
            1,
        ),
        (Reply(""), "0 bytes", 1),
        (Reply('{"access_token": "100'), "instead of a token", 1),
        (Reply("[]"), "instead of a token", 1),
        (Reply({"status": "success"}), "instead of a token", 1),
        (
            Reply("<html>", 302, {"Location": "http://127.0.0.1:1/"}),
            "answered with a redirect to 127.0.0.1:1",
            1,
        ),
        (Reply("oops", 503), "answers 503: Zoho's side", 3),
    ],
)
def test_an_answer_that_is_no_token_answer_says_what_came(zoho, reply, words, asked):
    zoho.token_reply = reply
    with pytest.raises(ZohoConnectionError, match=words):
        zoho.auth().token()
    assert zoho.app.tokens_asked() == asked


def test_a_server_that_does_not_answer_is_left_alone_for_half_a_minute(zoho):
    clock = Clock()
    zoho.token_reply = Reply("oops", 503)
    auth = zoho.auth(clock=clock)
    for _ in range(2):
        with pytest.raises(ZohoConnectionError, match="answers 503"):
            auth.token()
    assert zoho.app.tokens_asked() == 3
    clock.now += 30
    zoho.token_reply = None
    assert auth.token() == "1000.new.1"


def test_a_503_that_passes_is_not_seen(zoho):
    answers = [Reply("", 503), Reply({"access_token": "1000.x.y"})]
    zoho.token_reply = lambda _: answers.pop(0)
    assert zoho.auth().token() == "1000.x.y"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("AccountsServer=http://127.0.0.1:9", "127.0.0.1:9 cannot be reached .*check the network"),
        ("AccountsServer=https://{host}", "No safe connection to .*certificate"),
        (
            "AccountsServer=https://accounts.zoho.com;ProxyServer=http://127.0.0.1:9",
            "The proxy .* accounts.zoho.com",
        ),
    ],
)
def test_no_answer_names_the_host_and_what_to_check(zoho, settings, words):
    auth = zoho.auth(settings.format(host=zoho.app.url.removeprefix("http://")))
    with pytest.raises(ZohoConnectionError, match=words) as caught:
        auth.token()
    assert not any(secret in str(caught.value) for secret in (SECRET, REFRESH))


def test_a_server_that_never_answers_is_a_timeout(zoho):
    def slow(url, form):
        raise requests.exceptions.ReadTimeout

    credentials = resolve_credentials("OAuthClientId=1;OAuthClientSecret=2;OAuthRefreshToken=3")
    with pytest.raises(ZohoConnectionError, match="accounts.zoho.com did not answer in time"):
        ZohoAuthenticator(credentials, TokenCache("memory://"), post=slow).token()


def test_the_token_goes_through_the_proxy_of_the_settings(zoho):
    auth = zoho.auth(f"AccountsServer=http://accounts.example;ProxyServer={zoho.app.url}")
    assert auth.token() == "1000.new.1"
    assert zoho.app.calls[0].headers["Host"] == "accounts.example"


# ---- client credentials


BY_CLIENT = "AuthScheme=ClientCredentials;OrgId=600;OAuthRefreshToken=;Scope=A.READ,B.READ"


def test_client_credentials_name_the_org_and_need_no_refresh_token(zoho):
    assert zoho.auth(BY_CLIENT).token() == "1000.new.1"
    form = zoho.app.calls[0].form
    assert (form["grant_type"], form["soid"], form["scope"]) == (
        "client_credentials",
        "ZohoCRM.600",
        "A.READ,B.READ",
    )
    assert "refresh_token" not in form


@pytest.mark.parametrize("first", [Reply({"error": "invalid_client"}), Reply("<html>", 404)])
def test_client_credentials_try_the_path_of_zohos_page_as_well(zoho, first):
    zoho.token_reply = lambda call: (
        first if call.path.endswith("token") else Reply({"access_token": "1000.x.y"})
    )
    assert zoho.auth(BY_CLIENT).token() == "1000.x.y"
    assert zoho.app.paths() == ["/oauth/v2/token", "/oauth/v2/auth"]


def test_client_credentials_that_both_paths_refuse_get_the_sentence_of_the_first(zoho):
    zoho.token_reply = lambda call: Reply(
        {"error": "invalid_client"} if call.path.endswith("token") else "<html>"
    )
    assert "OAuthClientId is wrong" in refusal(zoho.auth(BY_CLIENT))


def test_tokens_of_client_credentials_are_shared_by_org(zoho, tmp_path):
    assert zoho.auth(BY_CLIENT, TokenCache(str(tmp_path))).token() == "1000.new.1"
    assert zoho.auth(BY_CLIENT, TokenCache(str(tmp_path))).token() == "1000.new.1"
    assert zoho.auth(BY_CLIENT + ";OrgId=601", TokenCache(str(tmp_path))).token() == "1000.new.2"


# ---- hosts


@pytest.mark.parametrize(
    ("region", "url", "may"),
    [
        ("US", "https://www.zohoapis.com/crm/v8/org", True),
        ("US", "https://download.zoho.com/v2/crm/1/auditlog/2/AuditLog.csv", True),
        ("EU", "https://download.zoho.eu/v2/crm/1/auditlog/2/AuditLog.csv", True),
        ("Australia", "https://download.zoho.com.au/v2/x", True),
        ("Canada", "https://download.zohocloud.ca/v2/x", True),
        ("EU", "https://download.zoho.com/v2/x", False),
        ("US", "http://download.zoho.com/v2/x", False),
        ("US", "https://download.zoho.com.example.com/v2/x", False),
        ("US", "https://download.zoho.com:8443/v2/x", False),
        ("US", "https://download.zoho.com@example.com/v2/x", False),
        ("US", "", False),
    ],
)
def test_a_token_goes_to_the_api_and_to_the_exported_files_of_its_data_centre_only(region, url, may):
    settings = f"Region={region};OAuthAccessToken=1000.x.y;InitiateOAuth=OFF;OAuthSettingsLocation=memory://"
    auth = ZohoAuthenticator(resolve_credentials(settings))
    assert auth.may_ask(url) == may
    request = requests.Request("GET", url or "https://example.com").prepare()
    if may:
        assert auth(request).headers["Authorization"] == "Zoho-oauthtoken 1000.x.y"
    else:
        with pytest.raises(ZohoConnectionError, match="is not the host that this token is for"):
            auth(request)
        assert "Authorization" not in request.headers

"""No redirect is followed, and no token leaves for a host that it is not for."""

from __future__ import annotations

import pytest
import requests
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.client.client import connect
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.exceptions import ZohoConnectionError
from tests.support.loopback import App, Reply, served
from tests.support.token_server import GIVEN, INVALID, Zoho


@pytest.fixture
def zoho():
    found = Zoho()
    with served(found.app):
        yield found


@pytest.fixture
def elsewhere():
    """A host that would like to have a token, fresh if possible."""
    with served(App(lambda call: Reply(INVALID, 401))) as app:
        yield app


def connected(zoho):
    return connect(
        resolve_credentials(
            "OAuthClientId=1;OAuthClientSecret=2;OAuthRefreshToken=3;OAuthSettingsLocation=memory://;Timeout=5;"
            f"AccountsServer={zoho.app.url};APIDomain={zoho.app.url}"
        ),
        RetryPolicy(sleep=lambda seconds: None, backoff=0),
    )


CALLS = {
    "get": lambda client, folder: client.get("org"),
    "post": lambda client, folder: client.post("coql", {}),
    "create": lambda client, folder: client.create_bulk_job({}),
    "poll": lambda client, folder: client.read_bulk_job("1"),
    "download": lambda client, folder: client.download("/crm/bulk/v8/read/1/result", folder / "a.zip"),
    "paginate": lambda client, folder: list(client.paginate("users", "users", SinglePagePaginator(), {})),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_no_call_follows_a_redirect(zoho, elsewhere, tmp_path, call, status):
    there = elsewhere.url.replace("127.0.0.1", "localhost") + "/x?a=b"
    zoho.api_reply = Reply("", status, {"Location": there})
    with pytest.raises(
        ZohoConnectionError, match="answered with a redirect to localhost:[0-9]+: is a gateway"
    ) as caught:
        CALLS[call](connected(zoho), tmp_path)
    assert "a=b" not in str(caught.value)
    assert elsewhere.calls == []
    assert zoho.app.tokens_asked() == 1
    assert len(zoho.app.calls) == 2  # the token and the call, which is not tried again


@pytest.mark.parametrize("place", ["http://[x", "//[", "http://me:pw@gateway.example/"])
@pytest.mark.parametrize("call", CALLS)
def test_a_redirect_to_nowhere_is_a_sentence_as_well(zoho, tmp_path, call, place):
    zoho.api_reply = Reply("", 302, {"Location": place})
    with pytest.raises(
        ZohoConnectionError, match="redirect to (an address that nobody can read|gateway.example):"
    ):
        CALLS[call](connected(zoho), tmp_path)


def test_a_call_repeated_with_a_new_token_follows_none_either(zoho, elsewhere):
    client = connected(zoho)
    client.get("org")
    zoho.dead.update(zoho.handed_out)
    zoho.api_reply = Reply("", 302, {"Location": elsewhere.url})
    with pytest.raises(ZohoConnectionError, match="answered with a redirect"):
        client.get("org")
    assert elsewhere.calls == []


def test_the_token_request_follows_none(zoho, elsewhere):
    zoho.token_reply = Reply("", 307, {"Location": f"{elsewhere.url}/oauth/v2/token"})
    with pytest.raises(ZohoConnectionError, match="answered with a redirect to 127.0.0.1"):
        zoho.auth().token()
    assert elsewhere.calls == []


def test_a_client_that_follows_redirects_gets_no_token_for_them(zoho, elsewhere):
    zoho.api_reply = Reply("", 302, {"Location": elsewhere.url.replace("127.0.0.1", "localhost")})
    with pytest.raises(ZohoConnectionError, match="answered with a redirect"):
        requests.get(f"{zoho.app.url}/crm/v8/org", auth=zoho.auth(), timeout=300)
    assert elsewhere.calls == []


def test_a_request_to_another_host_is_not_signed(zoho, elsewhere):
    with pytest.raises(ZohoConnectionError, match="is not the host that this token is for"):
        requests.get(elsewhere.url, auth=zoho.auth(f"OAuthAccessToken={GIVEN}"), timeout=300)
    assert elsewhere.calls == []


def test_the_answer_of_another_host_renews_nothing(zoho, elsewhere):
    auth = zoho.auth()
    request = requests.Request("GET", f"{zoho.app.url}/crm/v8/org", auth=auth).prepare()
    request.url = elsewhere.url  # as a redirect leaves the request's hooks in place
    with requests.Session() as session:
        assert session.send(request, timeout=300).status_code == 401
    assert [call.token for call in elsewhere.calls] == ["1000.new.1"]
    assert zoho.handed_out == ["1000.new.1"]

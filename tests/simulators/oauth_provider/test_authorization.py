"""The provider's tokens: consent, codes, refresh tokens that change, and the forms of its answers."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from simulators.oauth_provider import Provider, ProviderQuirks, serve

REDIRECT = "http://localhost:8080/callback"


class Client:
    def __init__(self, provider, urls):
        self.provider, self.tokens, self.urls = provider, provider.tokens, urls

    def post(self, path="/oauth/token", *, basic=False, **form):
        client = {"client_id": self.tokens.client_id, "client_secret": self.tokens.client_secret}
        auth = tuple(client.values()) if basic else None
        return requests.post(
            self.urls.accounts_url + path, data=form if basic else {**client, **form}, auth=auth, timeout=300
        )

    def refresh(self, token=None, path="/oauth/token", **more):
        token = token or self.tokens.refresh_token
        return self.post(path, grant_type="refresh_token", refresh_token=token, **more)

    def query(self, **more):
        return {
            "response_type": "code", "client_id": self.tokens.client_id, "redirect_uri": REDIRECT, "state": "abc",
            "scope": "projects:read offline_access", "audience": "https://api.example.invalid", **more,
        }  # fmt: skip

    def consent(self, decision="accept", **more):
        """The query of the redirect."""
        query = self.query(**more)
        shown = requests.get(f"{self.urls.accounts_url}/oauth/authorize", params=query, timeout=300)
        assert shown.status_code == 200, shown.text
        sent = requests.post(
            f"{self.urls.accounts_url}/oauth/decision",
            data={**query, "decision": decision},
            allow_redirects=False,
            timeout=300,
        )
        return {name: texts[0] for name, texts in parse_qs(urlsplit(sent.headers["Location"]).query).items()}


@contextmanager
def client(**quirks):
    provider = Provider(quirks=ProviderQuirks(**quirks))
    with serve(provider) as urls:
        yield Client(provider, urls)


def error(reply):
    return reply.status_code, reply.json()["error"]


def test_a_refresh_token_is_refused_after_its_use():
    with client() as c:
        first = c.tokens.refresh_token
        answer = c.refresh(first).json()
        assert answer["expires_in"] == 3600 and answer["refresh_token"] != first
        assert error(c.refresh(first)) == (400, "invalid_grant")
        assert c.refresh(answer["refresh_token"]).status_code == 200
        assert c.tokens.refresh_token not in (first, answer["refresh_token"])


def test_the_second_use_of_a_refresh_token_may_end_the_whole_family():
    with client(reuse_revokes=True) as c:
        first = c.tokens.refresh_token
        answer = c.refresh(first).json()
        assert error(c.refresh(first)) == (400, "invalid_grant")
        assert error(c.refresh(answer["refresh_token"])) == (400, "invalid_grant")
        assert c.tokens.holder(answer["access_token"]) is None


def test_refresh_tokens_may_stay():
    with client(rotates=False) as c:
        assert "refresh_token" not in c.refresh().json()
        assert c.refresh().status_code == 200


def test_the_answer_may_be_form_encoded():
    with client(token_format="form") as c:
        reply = c.refresh()
        assert reply.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert dict(parse_qsl(reply.text))["token_type"] == "bearer"
        assert dict(parse_qsl(c.refresh("wrong").text)) == {"error": "invalid_grant"}


def test_the_answer_may_not_tell_when_the_token_ends():
    with client(tells_expiry=False) as c:
        assert "expires_in" not in c.refresh().json()


def test_the_refresh_url_may_be_another_one():
    with client(refresh_path="/oauth/refresh") as c:
        assert error(c.refresh()) == (400, "unsupported_grant_type")
        assert c.refresh(path="/oauth/refresh").status_code == 200


@pytest.mark.parametrize("kind", ["body", "basic"])
def test_the_client_names_itself_in_one_way(kind):
    with client(client_authentication=kind) as c:
        assert c.refresh(basic=kind == "basic").status_code == 200
        assert error(c.refresh(basic=kind != "basic")) == (401, "invalid_client")


def test_a_consent_gives_a_code_that_works_once():
    with client() as c:
        back = c.consent()
        assert back["state"] == "abc"
        form = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": REDIRECT}
        answer = c.post(**form).json()
        assert answer["scope"] == "offline_access projects:read"
        assert c.refresh(answer["refresh_token"]).status_code == 200
        assert error(c.post(**form)) == (400, "invalid_grant")


def test_without_offline_access_there_is_no_refresh_token():
    with client() as c:
        code = c.consent(scope="projects:read")["code"]
        answer = c.post(grant_type="authorization_code", code=code, redirect_uri=REDIRECT).json()
        assert "refresh_token" not in answer


def test_a_consent_that_is_refused():
    with client() as c:
        assert c.consent("reject") == {"state": "abc", "error": "access_denied"}


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"audience": "other"}, "invalid_request: audience"), ({"scope": "admin"}, "invalid_scope"),
        ({"redirect_uri": "http://evil/"}, "invalid redirect_uri"), ({"client_id": "x"}, "unauthorized_client"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "x"}, "invalid_request: code_challenge"),
    ],
)  # fmt: skip
def test_an_authorization_url_that_is_not_right(change, title):
    with client() as c:
        reply = requests.get(f"{c.urls.accounts_url}/oauth/authorize", params=c.query(**change), timeout=300)
        assert reply.status_code == 400 and f"<title>{title}</title>" in reply.text


def test_a_code_with_a_challenge_needs_its_verifier():
    with client(needs_pkce=True) as c:
        reply = requests.get(f"{c.urls.accounts_url}/oauth/authorize", params=c.query(), timeout=300)
        assert reply.status_code == 400
        challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
        code = c.consent(code_challenge=challenge, code_challenge_method="S256")["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        assert error(c.post(**form, code_verifier="other")) == (400, "invalid_grant")
        assert c.post(**form, code_verifier="verifier").status_code == 200


def test_zohos_own_urls_are_not_the_providers():
    with client() as c:
        assert c.post("/oauth/v2/token").status_code == 418

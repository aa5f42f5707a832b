"""The consent page and its errors, as far as no browser is needed."""

from __future__ import annotations

import pytest
import requests

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.wire import wired
from tests.support.consenting import Form


@pytest.fixture
def wire():
    org = Org()
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    with wired(org) as wire:
        yield wire


def usual(wire, **query):
    tokens = wire.org.tokens
    return {
        "response_type": "code",
        "client_id": tokens.client_id,
        "scope": "ZohoCRM.modules.READ",
        "redirect_uri": next(iter(tokens.redirect_uris)),
        "access_type": "offline",
        "state": '<i>"&',
        **query,
    }


def open_page(wire, **query):
    return requests.get(f"{wire.zoho.accounts_url}/oauth/v2/auth", params=usual(wire, **query), timeout=300)


def test_the_page_names_who_wants_what_and_loads_nothing(wire):
    wire.org.account.company_name = "<script>A & B"
    page = open_page(wire, scope="ZohoCRM.org.READ,ZohoCRM.modules.leads.READ")
    for text in ("&lt;script&gt;A &amp; B", "ada@example.com", "ZohoCRM.modules.leads.READ", "licence"):
        assert text in page.text
    form = Form(page.text)
    assert (form.buttons, form.loads) == (["reject", "accept"], [])
    assert form.fields == usual(wire, scope="ZohoCRM.org.READ,ZohoCRM.modules.leads.READ")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in page.text


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"client_id": "1000.X"}, "invalid_client"),
        ({"redirect_uri": "http://evil.example"}, "invalid_redirect_uri"),
        ({"scope": "everything"}, "Scope does not exist"),
        ({"scope": ""}, "Scope does not exist"),
        ({"response_type": "token"}, "invalid_response_type"),
    ],
)
def test_a_form_that_somebody_made_up_is_no_way_around_the_page(wire, query, word):
    assert f"<h1>{word}</h1>" in open_page(wire, **query).text
    sent = usual(wire, decision="accept", **query)
    answer = requests.post(
        f"{wire.zoho.accounts_url}/oauth/v2/approve", data=sent, timeout=300, allow_redirects=False
    )
    assert f"<h1>{word}</h1>" in answer.text
    assert wire.org.tokens.codes == {}


def test_what_the_redirect_uris_are_is_a_value_of_the_org(wire):
    wire.org.tokens.redirect_uris = {"https://mine.example/back"}
    assert "<form" in open_page(wire, redirect_uri="https://mine.example/back").text
    assert "invalid_redirect_uri" in open_page(wire, redirect_uri="http://localhost:8080/callback").text


def test_where_the_account_lives_is_a_value_of_the_org(wire):
    wire.org.tokens.location, wire.org.tokens.accounts_server = "eu", "https://accounts.zoho.eu"
    answer = requests.post(
        f"{wire.zoho.accounts_url}/oauth/v2/approve",
        data=usual(wire, decision="accept"),
        timeout=300,
        allow_redirects=False,
    )
    assert answer.headers["Location"].endswith("&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu")

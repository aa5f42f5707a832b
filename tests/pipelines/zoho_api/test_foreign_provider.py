"""A connector for an API that is not Zoho's: consent, tokens that change with each use, and rows of rows."""

from __future__ import annotations

import io
import stat
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
import requests

from simulators.oauth_provider import demo_provider, serve
from sources.zoho_api.authentication import OAuth2, authorization_address
from sources.zoho_api.connector import load_connector
from sources.zoho_api.service import open_service
from sources.zoho_crm.auth.token_store import TokenCache

PAGE = Path(__file__).parents[3].joinpath("docs/other-services.md").read_text()
REDIRECT = "http://127.0.0.1:8080/callback"


@pytest.fixture
def provider():
    return demo_provider()


@pytest.fixture
def tracker(provider, tmp_path):
    """The page's own example, at the ports of this test."""
    with serve(provider) as served:
        text = PAGE.partition("```yaml\ntitle: Tracker")[2].partition("```")[0]
        text = f"title: Tracker{text}".replace("http://127.0.0.1:8766", served.accounts_url)
        file = tmp_path / "tracker.yaml"
        file.write_text(text.replace("http://127.0.0.1:8765", served.api_url))
        yield file


def consent(provider, file):
    """The address that a person is led to after they have accepted."""
    declared = load_connector(file).authentication
    address = authorization_address(declared, provider.tokens.client_id, REDIRECT, "s")
    query = {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
    assert query["audience"] == "https://api.example.invalid"
    host = f"{urlsplit(address).scheme}://{urlsplit(address).netloc}"
    answer = requests.post(
        f"{host}/oauth/decision", data={**query, "decision": "accept"}, allow_redirects=False, timeout=30
    )
    return answer.headers["Location"]


def authorize(api, provider, file, code):
    tokens = provider.tokens
    return api(
        "authorize", str(file), "--client-id", tokens.client_id, "--client-secret", tokens.client_secret,
        "--code", code,
    )  # fmt: skip


def rows(query):
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        return database.sql(query).fetchall()


@pytest.mark.parametrize("token_format", ["json", "form"])
@pytest.mark.cases(1)
def test_consent_then_rows_then_what_changed(api, provider, tracker, tmp_path, token_format):
    provider.quirks.token_format = token_format
    done = authorize(api, provider, tracker, consent(provider, tracker))
    assert (done.code, done.err) == (0, "")
    env = tmp_path / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    for secret in (provider.tokens.client_secret, *provider.tokens.grants):
        assert secret not in done.out
    assert api("check", str(tracker)).code == 0

    assert api("run", str(tracker)).code == 0
    projects = {(row["id"], row["name"], row["budget"]) for row in provider.records("projects")}
    assert set(rows("select id, name, budget from zoho_tracker.projects")) == projects
    tasks = {(row["id"], row["hours"]) for row in provider.records("tasks")}
    assert set(rows("select id, hours from zoho_tracker.tasks")) == tasks

    project = provider.rows("projects")[-1].id
    provider.edit("projects", project, name="renamed")
    new = provider.insert("tasks", {"title": "new"}, parent=project)
    assert api("run", str(tracker)).code == 0
    assert rows(f"select name from zoho_tracker.projects where id = '{project}'") == [("renamed",)]
    assert rows(f"select title from zoho_tracker.tasks where id = '{new}'") == [("new",)]
    assert rows("select count(*), count(distinct id) from zoho_tracker.tasks") == [(len(tasks) + 1,) * 2]


def test_a_bare_code_is_taken_as_it_is_and_a_refused_one_is_a_sentence(api, provider, tracker):
    (code,) = parse_qs(urlsplit(consent(provider, tracker)).query)["code"]
    assert authorize(api, provider, tracker, code).code == 0
    done = authorize(api, provider, tracker, code)
    assert done.code == 3
    assert "gave no token (invalid_grant): authorize again" in done.err
    assert code not in done.err


def test_refresh_tokens_that_change_are_used_by_one_process_after_the_other(provider, tracker):
    provider.quirks.reuse_revokes = True
    location = urlsplit(consent(provider, tracker)).query
    declared = load_connector(tracker).authentication
    form = {"client_id": provider.tokens.client_id, "client_secret": provider.tokens.client_secret}
    from sources.zoho_api.authentication import exchange_code

    (code,) = parse_qs(location)["code"]
    refresh = exchange_code(declared, {"code": code, "redirect_uri": REDIRECT, **form})
    tokens = set()
    for day in range(1, 4):  # each with a new cache object, as in a new process
        clock = lambda day=day: provider.clock.now().timestamp() + day * 1e6
        signer = OAuth2("http://x", declared, {**form, "refresh_token": refresh}, TokenCache(), clock=clock)
        tokens.add(signer.token())
        assert signer.granted_scopes() >= {"projects:read"}
    assert len(tokens) == 3


def test_a_refresh_url_of_its_own(provider, tracker):
    provider.quirks.refresh_path = "/oauth/refresh"
    declared = load_connector(tracker).authentication
    declared = replace(declared, refresh_url=declared.token_url.replace("/oauth/token", "/oauth/refresh"))
    tokens = provider.tokens
    settings = {
        "client_id": tokens.client_id,
        "client_secret": tokens.client_secret,
        "refresh_token": tokens.refresh_token,
    }
    assert OAuth2("http://x", declared, settings, TokenCache("memory://")).token() in tokens.access


def test_without_settings_the_missing_ones_are_named(tracker):
    with pytest.raises(
        ValueError, match="Tracker needs client_id: set SOURCES__ZOHO_API__TRACKER__CLIENT_ID"
    ):
        open_service(load_connector(tracker))


def test_without_a_person_and_a_code_the_address_is_shown_and_a_sentence_says_what_to_do(
    api, provider, tracker, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    tokens = provider.tokens
    words = ("--client-id", tokens.client_id, "--client-secret", tokens.client_secret)
    done = api("authorize", str(tracker), *words)
    assert done.code == 2
    assert "Open this address and give your consent:" in done.out
    assert "Standard input is not a terminal and brings no answer" in done.err
    assert not Path(".env").exists()

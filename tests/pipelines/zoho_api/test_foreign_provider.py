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
from tests.support.loopback import App, Reply, served

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
        f"{host}/oauth/decision", data={**query, "decision": "accept"}, allow_redirects=False, timeout=300
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


def test_a_token_url_that_is_busy_for_a_moment_is_asked_again(tracker, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answers = [Reply("busy", 503), Reply({"access_token": "t", "expires_in": 60})]
    with served(App(lambda call: answers.pop(0))) as app:
        declared = replace(load_connector(tracker).authentication, token_url=f"{app.url}/oauth/token")
        settings = {"client_id": "c", "client_secret": "s", "refresh_token": "r"}
        assert OAuth2("http://x", declared, settings, TokenCache("memory://")).token() == "t"


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


# ---- the page's other example: a key in a header, cursors, Unix time, a column that YAML 1.1 would take for false

KEY = "s3cret-key-42"
BOATS = [{"no": n, "changed": 1_767_225_600 + n, "name": f"Boat {n}"} for n in range(1, 8)]
TRIPS = {n: [{"trip": f"{n}-{i}", "km": i / 4} for i in range(n)] for n in range(7)}


def harbour(call):
    if call.headers.get("X-Harbour-Key") != KEY:
        return Reply({"fault": "unknown key"}, 401)
    if call.path.endswith("/log"):
        return Reply({"entries": [{"number": n, "text": f"{call.path} {n}"} for n in (1, 2)]})
    if call.path.endswith("/trips"):
        trips = TRIPS.get(int(call.path.split("/")[3]), [])
        page = int(call.query["p"])
        return Reply({"trips": trips[page * 2 : page * 2 + 2]}) if trips else Reply({"fault": "none"}, 404)
    boats = [boat for boat in BOATS if boat["changed"] > int(call.query["changed_after"])]
    first = int(call.query.get("after", 0))
    more = str(first + 3) if len(boats) > first + 3 else None
    return Reply({"meta": {"next": more}, "result": {"entries": boats[first : first + 3]}})


def test_the_example_with_a_key_loads(api, monkeypatch):
    text = PAGE.partition("```yaml\ntitle: Harbour")[2].partition("```")[0]
    with served(App(harbour)) as app:
        Path("harbour.yaml").write_text(f"title: Harbour{text}".replace("http://127.0.0.1:8770", app.url))
        done = api("run", "harbour.yaml")
        assert "needs a value for ${key}: --param key=..., or SOURCES__ZOHO_API__HARBOUR__KEY" in done.err
        monkeypatch.setenv("SOURCES__ZOHO_API__HARBOUR__KEY", KEY)
        assert api("check", "harbour.yaml").code == 0
        done = api("call", "harbour.yaml", "trips", "--param", "boat_no=6")
        assert done.out.endswith("2 rows found by the selector trips.\n")
        for _ in range(2):
            done = api("run", "harbour.yaml")
            assert (done.code, KEY in done.out + done.err) == (0, False), done.err
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        rows = database.sql(
            "select no::int, changed::bigint, name from zoho_harbour.boats order by 1"
        ).fetchall()
        trips = database.sql(
            "select boats, count(*) from (select split_part(trip, '-', 1)::int boats from zoho_harbour.trips) group by 1 order by 1"
        ).fetchall()
        columns = database.sql("select * from zoho_harbour.boats").columns
        log = database.sql(
            "select distinct _boats_no::int, number::int, text from zoho_harbour.log"
        ).fetchall()
    assert rows == [(boat["no"], boat["changed"], boat["name"]) for boat in BOATS]
    assert trips == [(n, n) for n in range(1, 7)]
    assert set(log) == {(n, i, f"/api/boats/{n}/log {i}") for n in range(1, 8) for i in (1, 2)}
    assert not [name for name in columns if "__v_" in name]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("type: cursr", "line 13: there is no paginator cursr: did you mean cursor?"),
        ("primary_key: 3", "line 20: primary_key has to be a text or a list"),
        ("status: 404", "line 29: trips: received unexpected fields `{'status'}`"),
    ],
)
def test_check_says_in_one_sentence_what_dlt_does_not_understand(api, wrong, said):
    text = PAGE.partition("```yaml\ntitle: Harbour")[2].partition("```")[0]
    right = {
        "type: cursr": "type: cursor",
        "primary_key: 3": "primary_key: no",
        "status: 404": "status_code: 404",
    }
    Path("harbour.yaml").write_text(f"title: Harbour{text}".replace(right[wrong], wrong))
    done = api("check", "harbour.yaml", "--param", "key=x")
    assert done.code == 2
    (line,) = [line for line in done.out.splitlines() if line.startswith("FAILED")]
    assert said in line and len(line) < 300

"""What Zoho sends cannot move a terminal, and no secret that it repeats is kept or shown anywhere."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org, dispatch, serve, server
from sources.zoho_crm import zoho_crm
from sources.zoho_crm.redaction import redact
from tests.support.commanding import command, landed
from tests.support.loopback import App, Reply, served

__all__ = ["command"]  # a fixture

ODD = "\x1b[2J\x1b]0;owned\x07 \x9b31m \x00\x08\x7f \u202egnp.exe\u202c \u2066x\u2069 \r\u2028"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
LIST, QUERY, COUNT = "GET /crm/v8/{module}", "POST /crm/v8/coql", "GET /crm/v8/{module}/actions/count"
CREATE, POLL = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
DELETED = "GET /crm/v8/{module}/deleted"
FIELDS, MODULES, TOKEN = "GET /crm/v8/settings/fields", "GET /crm/v8/settings/modules", "POST /oauth/v2/token"
USERS, TAGS = "GET /crm/v8/users", "GET /crm/v8/settings/tags"
CLIENT_SECRET = 'cl"ient/secr+et&<sharp>'
PROXY_PASSWORD = "pr0xy%2Fpassw0rd"


def forms(secret):
    plain = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
    }
    return {*plain, base64.b64encode(secret.encode()).decode()}


class Account:
    """An org whose refusals repeat each secret that it was sent or gave out, in several spellings."""

    def __init__(self, org, monkeypatch):
        self.org, self.tokens = org, set()
        org.tokens.client_secret = CLIENT_SECRET
        self.refresh = org.tokens.refresh_token
        minted = org.tokens._mint

        def mint(*words):
            token = minted(*words)
            self.tokens.add(token if isinstance(token, str) else token.text)
            return token

        monkeypatch.setattr(org.tokens, "_mint", mint)

    @property
    def secrets(self):
        proxy = {PROXY_PASSWORD, "pr0xy/passw0rd"}
        return {CLIENT_SECRET, self.refresh, *self.tokens, *proxy}

    @property
    def message(self):
        return " ".join(f"{form}{ODD}" for secret in sorted(self.secrets) for form in sorted(forms(secret)))

    def refuse(self, monkeypatch, *routes, module=None):
        """Every call of these routes answers with an error in all whose parts secrets are repeated."""
        called = dispatch._called

        def echoing(org, known, request, variables):
            answer = called(org, known, request, variables)
            if known.name in routes and module in (None, request.module):
                told = self.message
                details = {"api_name": told, "permissions": [told], "limit": told}
                error = {"code": f"X_{self.refresh}", "details": details, "message": told, "status": "error"}
                answer.status, answer.body, answer.raw, answer.file = 400, error, None, None
            return answer

        monkeypatch.setattr(dispatch, "_called", echoing)


@pytest.fixture
def org():
    org = Org()
    label = f"Label{ODD}"
    for name in ("Leads", "Deals", "Cases", "Tasks"):
        org.add_module(Module(name, [Field("Last_Name", "text"), Field("Shape", "text", label=label)]))
        for number in range(3):
            org.insert(name, {"Last_Name": f"{name} {number}"})
    return org


@pytest.fixture
def told(org, monkeypatch):
    return Account(org, monkeypatch)


@pytest.fixture
def connection(org, told, monkeypatch):
    """Through a proxy with a password, which is the API server itself: it answers for both hosts."""

    def proxied(org, host, request):
        return dispatch.dispatch(org, "accounts" if request.path.startswith("/oauth") else "api", request)

    monkeypatch.setattr(server, "dispatch", proxied)
    with serve(org) as zoho:
        port = urlsplit(zoho.api_url).port
        text = zoho.connection_string.replace(CLIENT_SECRET, f"'{CLIENT_SECRET}'")
        proxy = f"ProxyServer=http://cron:{PROXY_PASSWORD}@127.0.0.1:{port};"
        yield f"{text}OAuthSettingsLocation=memory://;{proxy}"


def leaks(text, told):
    """Every form of every secret in a text, and every character that could move a terminal."""
    found = {form for secret in told.secrets for form in forms(secret) if form in text}
    return found | set(CONTROLS.findall(text))


def bytes_of(*folders):
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


def assert_no_file_has_a_secret(told, *folders):
    wrong = [
        (str(path), form)
        for path, content in bytes_of(*folders)
        for secret in told.secrets
        for form in forms(secret)
        if form.encode() in content
    ]
    assert wrong == []


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.cases(1)
def test_secrets_and_controls_of_refusals_are_nowhere(
    command, connection, told, org, monkeypatch, tmp_path, caplog, log_format
):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", connection)
    told.refuse(monkeypatch, LIST, QUERY, CREATE, USERS, TAGS, COUNT, DELETED)
    caplog.set_level(logging.DEBUG, "zoho_crm")
    with served(App(lambda call: Reply("ok"))) as hook:
        monkeypatch.setenv("SOURCES__ZOHO_CRM__NOTIFY_WEBHOOK", f"{hook.url}/services/x")
        done = command(
            "--pipelines-dir", "p", "--log-format", log_format, "--metrics-file", "metrics.prom", "-v"
        )
    assert done.code == 1
    assert "400 X_***" in done.out + done.err
    outputs = [done.out, done.err, *(record.getMessage() for record in caplog.records)]
    outputs += [call.body.decode() for call in hook.calls]
    rows = landed("zoho.duckdb", "select error, reason from zoho_crm.sync_runs")
    outputs += [str(cell) for row in rows for cell in row]
    assert sum(leaks(text, told) != set() for text in outputs) == 0
    assert sum("***" in str(error) for error, _ in rows) >= 4
    for words in (("status",), ("report",), ("plan",), ("modules",), ("check",), ("verify",)):
        more = command(*words, "--pipelines-dir", "p", "--log-format", log_format)
        assert leaks(more.out + more.err, told) == set(), words
    page = Path("zoho_report.html").read_text(encoding="utf-8")
    assert "***" in page
    assert leaks(page, told) == set()
    assert_no_file_has_a_secret(told, tmp_path)


@pytest.mark.parametrize(
    "routes", [[TOKEN], [MODULES], [FIELDS], [POLL], pytest.param([DOWNLOAD], marks=pytest.mark.long)]
)
@pytest.mark.cases(1)
def test_other_refusals_show_nothing_either(command, connection, told, monkeypatch, tmp_path, routes):
    told.refuse(monkeypatch, *routes)
    for words in (("run",), ("check",)):
        done = command(*words, "--connection", f"{connection}ReadAPI=Bulk", "--pipelines-dir", "p")
        assert done.out + done.err
        assert leaks(done.out + done.err, told) == set(), words
    assert_no_file_has_a_secret(told, tmp_path)


def test_a_plain_dlt_run_keeps_no_secret_in_its_folder(connection, told, monkeypatch, tmp_path):
    told.refuse(monkeypatch, LIST, QUERY, CREATE)
    pipeline = dlt.pipeline(
        "p",
        destination=dlt.destinations.duckdb(str(tmp_path / "x.duckdb")),
        pipelines_dir=str(tmp_path / "d"),
    )
    with pytest.raises(Exception, match="400 X") as failed:
        pipeline.run(zoho_crm(connection, modules=["Leads"]))
    assert leaks(str(failed.value), told) == set()
    assert_no_file_has_a_secret(told, tmp_path)


def test_names_of_other_alphabets_are_shown_as_they_are():
    names = "Größe 客户 לקוח مشتری‌ها 👩‍👩‍👧 a\u00a0b"
    assert redact(names) == names
    assert all(unicodedata.category(letter) != "Cc" for letter in redact(ODD))


def test_a_clients_id_is_no_secret_and_a_token_nobody_knows_is_one():
    client = "1000.ABCDEFGHIJ0123456789ABCDEFGHIJ"
    assert redact(f"client_id={client}&x=1 {client}") == f"client_id={client}&x=1 {client}"
    token = "1000.0123456789abcdef0123456789abcdef"
    assert redact(f"{token} {token}.fedcba9876543210 {client}.AB") == "*** *** ***"

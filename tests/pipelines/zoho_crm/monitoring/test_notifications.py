"""Who is not looking hears how a run ended, by a webhook; its URL is a secret, and its trouble is no failure."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from pipelines.zoho_crm.monitoring import notifications
from pipelines.zoho_crm.monitoring.notifications import body
from pipelines.zoho_crm.run.run_result import CommandOutcome
from tests.pipelines.zoho_crm.output.test_run_report import finished, reading
from tests.pipelines.zoho_crm.test_cli import account
from tests.support.commanding import command, shop
from tests.support.loopback import App, Reply, served

__all__ = ["account", "command"]  # fixtures

KEY = "SOURCES__ZOHO_CRM__NOTIFY_WEBHOOK"
SECRET = "T0PS3CRET"


@pytest.fixture
def org():
    return shop()


@pytest.fixture
def hook(monkeypatch):
    """A webhook that remembers what it was told."""
    with served(App(lambda call: Reply("ok"))) as app:
        monkeypatch.setenv(KEY, f"{app.url}/services/{SECRET}")
        yield app


def texts(app):
    return [json.loads(call.body)["text"] for call in app.calls]


def broken(org, module="Deals"):
    body = {"code": "X", "status": "error", "message": "<!channel> & co"}
    org.faults.add("GET /crm/v8/{module}", module=module, times=99, status=400, body=body)


def test_a_failure_is_told_with_module_and_reason(org, account, command, hook):
    broken(org)
    done = command("--modules", "Leads,Deals")
    assert done.code == 1
    (text,) = texts(hook)
    first, second = text.splitlines()
    assert first.startswith("zoho_crm: run ended with exit code 1. ")
    assert first.endswith("1 failed.")
    assert second.startswith("- Deals: 400 X ")
    assert "&lt;!channel&gt; &amp; co" in second
    assert (hook.calls[0].method, hook.paths()) == ("POST", [f"/services/{SECRET}"])
    assert SECRET not in done.out + done.err


@pytest.mark.long
def test_a_good_run_is_told_only_to_those_who_want_to_hear_it(account, command, hook):
    assert command("--modules", "Leads").code == 0
    assert texts(hook) == []
    assert command("--modules", "Leads", "--notify", "always").code == 0
    (text,) = texts(hook)
    assert text.startswith("zoho_crm: run is done. ")
    assert text.endswith("0 failed.")


def test_never_is_never(org, account, command, hook):
    broken(org)
    assert command("--modules", "Deals", "--notify", "never").code == 1
    assert hook.calls == []


def test_a_run_that_could_not_begin_is_told_too(command, hook):
    assert command("--connection", "Region=Mars").code == 2
    (text,) = texts(hook)
    assert text.startswith("zoho_crm: run ended with exit code 2. Region has a wrong value (Mars).")


def test_a_difference_that_verify_finds_is_told(account, command, hook):
    assert command("--modules", "Leads").code == 0
    done = command("verify", "--modules", "Leads,Deals")
    assert done.code == 4
    assert texts(hook)[-1].endswith(
        "- The destination differs from the CRM in Deals: run `verify --repair` to correct it."
    )


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_a_line_and_no_failure(status, account, command, hook):
    hook.answer = lambda call: Reply("no", status, {"Location": f"{hook.url}/other"})
    done = command("--modules", "Leads", "--notify", "always")
    assert done.code == 0
    assert done.err == f"Warning: the notification was not sent: 127.0.0.1 answered {status}\n"
    assert len(hook.calls) == 1


@pytest.mark.long
def test_a_webhook_that_is_not_there_or_says_nothing_is_a_line(account, command, monkeypatch):
    monkeypatch.setattr(notifications, "TIMEOUT", (0.5, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv(KEY, f"http://127.0.0.1:{port}/{SECRET}")
        mute = command("--modules", "Leads", "--notify", "always")
    gone = command("--modules", "Leads", "--notify", "always")
    assert (mute.code, gone.code) == (0, 0)
    line = "Warning: the notification was not sent: 127.0.0.1 cannot be reached"
    assert mute.err == f"{line} (ReadTimeout)\n"
    assert gone.err == f"{line} (ConnectionError)\n"


@pytest.mark.parametrize(
    "url", ["hooks.slack.com/T0PS3CRET", "ftp://a/T0PS3CRET", "https://[T0PS3CRET", "https://a b/T0PS3CRET"]
)
def test_a_wrong_url_is_2_and_is_not_shown(url, account, command, monkeypatch):
    monkeypatch.setenv(KEY, url)
    done = command("--modules", "Leads")
    assert done.code == 2
    assert done.err.startswith("Error: notify_webhook is not a URL that begins with https://")
    assert SECRET not in done.err


def test_who_wants_to_be_told_has_to_say_where(account, command):
    done = command("--notify", "always")
    assert done.code == 2
    assert done.err.startswith(
        "Error: --notify always needs the webhook's URL (SOURCES__ZOHO_CRM__NOTIFY_WEBHOOK"
    )


@pytest.mark.long
def test_a_demo_tells_nobody_unless_it_is_told_to(command, hook):
    assert command("--demo", "--modules", "Vendors", "--exclude", "Vendors").code == 2
    assert hook.calls == []
    assert command("--demo", "--modules", "Nobody", "--notify", "always").code == 2
    assert len(hook.calls) == 1


def test_the_url_comes_from_secrets_toml_too(account, command, hook, monkeypatch):
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    monkeypatch.delenv(KEY)
    Path(".dlt").mkdir()
    Path(".dlt/secrets.toml").write_text(f'[sources.zoho_crm]\nnotify_webhook = "{hook.url}/toml"\n')
    context = Container()[PluggableRunContext]
    context.reload_providers()
    try:
        assert command("--modules", "Leads", "--notify", "always").code == 0
    finally:
        Path(".dlt/secrets.toml").unlink()
        context.reload_providers()
    assert hook.paths() == ["/toml"]


def test_teams_takes_a_card():
    ending = CommandOutcome("run", "zoho_crm", 1, run=finished(reading().end("failed", "it <broke> off")))
    for host in (
        "prod-12.westeurope.logic.azure.com",
        "x.1.environment.api.powerplatform.com",
        "acme.webhook.office.com",
    ):
        (attachment,) = body(host, ending)["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        card = attachment["content"]
        assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
        title, reason = (block["text"] for block in card["body"])
        assert title.startswith("zoho_crm: run ended with exit code 1. ")
        assert reason == "Leads: it <broke> off"


def test_many_reasons_are_cut():
    run = finished(*(reading(f"M{n:02}").end("failed", f"reason {n} " + "x" * 999) for n in range(14)))
    lines = body("hooks.slack.com", CommandOutcome("run", "zoho_crm", 1, run=run))["text"].splitlines()
    assert len(lines) == 12
    assert all(len(line) <= 302 for line in lines)
    assert lines[-1] == "- and 4 more reasons"

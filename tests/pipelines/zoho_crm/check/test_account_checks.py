"""`check`: each line about the account with its remedy, the exit code of the first that failed, and its price."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.zoho_crm import Module, serve
from tests.support.checking import MEMORY, check, small
from tests.support.commanding import command
from tests.support.loopback import App, Reply, served

__all__ = ["check", "command"]  # fixtures

ROOT = Path(__file__).parents[4]
SECRET = "5ecre7c11ent5ecre7"
DEAD = f"OAuthClientId=1;OAuthClientSecret={SECRET};OAuthRefreshToken={SECRET}r;{MEMORY}"
NAMES = [
    *("settings", "permissions", "names", "lock", "destination", "disk"),
    *("accounts", "token", "organisation", "user", "clock", "modules"),
    *("scope ZohoCRM.modules.READ", "scope ZohoCRM.settings.READ", "scope ZohoSearch.securesearch.READ"),
    *("scope ZohoCRM.users.READ", "scope ZohoCRM.org.READ", "bulk", "coql", "credits"),
]


def test_a_good_account_has_a_tick_on_each_line_and_nothing_is_left(command, tmp_path):
    org = small()
    with serve(org) as zoho:
        done = command("check", "--connection", f"{zoho.connection_string}{MEMORY}")
    assert (done.code, done.err) == (0, "")
    *lines, last = done.out.splitlines()
    assert all(line.startswith("✓ ") for line in lines)
    assert [line[2:].split("  ")[0] for line in lines] == NAMES
    assert "Example Company, enterprise edition, US, production, id 60012345678" in done.out
    assert last == "A run would work."
    assert not list(tmp_path.glob("zoho.duckdb*"))


def test_it_costs_three_credits_and_no_bulk_read_job(command, check):
    org = small()
    assert check(org).code == 0
    api = org.ledger.calls()
    assert [call.path.rpartition("/crm/v8/")[2] for call in api] == [
        "/oauth/serverinfo", "/oauth/v2/token", "org", "users", "settings/modules",
    ]  # fmt: skip
    assert org.ledger.credits == 3
    assert "3 API credits" in command("check", "--help").out
    assert "3 API credits" in (ROOT / "docs" / "check.md").read_text()


def test_json_lines_have_the_same_facts_and_a_sum(command):
    with serve(small()) as zoho:
        words = ("--connection", f"{zoho.connection_string}{MEMORY}", "--log-format", "json")
        done = command("check", *words)
    *lines, last = done.events
    assert [line["name"] for line in lines] == NAMES
    assert set(lines[0]) == {"event", "time", "name", "status", "message", "remedy"}
    assert (last["event"], last["ok"], last["failed"], last["exit_code"]) == ("summary", len(NAMES), 0, 0)


def test_one_json_document_is_all_that_standard_output_gets(command):
    done = command("check", "--demo", "--json")
    document = json.loads(done.out)
    assert done.code == 0
    assert all(list(check) == ["name", "status", "message", "remedy"] for check in document)
    assert {check["status"] for check in document} == {"ok"}


def test_quiet_prints_only_what_is_wrong_and_not_what_nobody_asked(command):
    with serve(small()) as zoho:
        good = command("check", "-q", "--connection", f"{zoho.connection_string}{MEMORY}")
        bad = f"{zoho.connection_string}{MEMORY}OAuthRefreshToken=1000.n0t.it"
        wrong = command("check", "--quiet", "--connection", bad)
    assert (good.code, good.out) == (0, "")
    assert wrong.code == 3
    assert [line[:7] for line in wrong.out.splitlines()] == ["✗ token"]


def test_quiet_and_verbose_contradict_each_other(command):
    done = command("check", "-q", "-v")
    assert (done.code, done.out) == (2, "")
    assert "--quiet and --verbose contradict each other" in done.err


def on_a_terminal(folder, **more):
    """What the command writes to a terminal."""
    kept = {n: v for n, v in os.environ.items() if n not in ("NO_COLOR", "TERM")}
    ours, theirs = pty.openpty()
    env = {**kept, "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(folder), "TERM": "xterm", **more}
    command = [sys.executable, "-m", "pipelines.zoho_crm", "check", "-q"]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    assert process.wait(60) == 2
    os.close(ours)
    return said.decode()


@pytest.mark.long
def test_a_cross_is_red_on_a_terminal_unless_no_color_is_set(tmp_path):
    assert "\x1b[31m✗\x1b[0m settings" in on_a_terminal(tmp_path)
    plain = on_a_terminal(tmp_path, NO_COLOR="1")
    assert plain.startswith("✗ settings")
    assert "\x1b" not in plain


@pytest.mark.long
def test_a_terminal_without_such_signs_gets_letters(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DLT_DATA_DIR": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "pipelines.zoho_crm", "check", "-q"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.startswith("x settings")
    assert " -> put it into .env" in done.stdout


# ---- the accounts server and the token


def test_an_accounts_server_that_does_not_answer_is_1_and_the_rest_is_told(command):
    done = command("check", "--connection", f"{DEAD}AccountsServer=http://127.0.0.1:9;Timeout=2")
    assert done.code == 1
    assert "127.0.0.1:9 cannot be reached" in done.lines("✗ accounts")[0]
    assert "→ check the network" in done.lines("✗ accounts")[0]
    (line,) = done.lines("! not asked")
    assert line.endswith(
        "  token, organisation, user, modules, scopes, bulk, coql, credits: first correct what failed"
    )
    assert done.lines("✓ destination")
    assert done.out.splitlines()[-1] == "1 of 16 checks failed (accounts)."


def test_a_gateway_in_the_place_of_the_accounts_server_is_1(command):
    page = Reply("<html>Who are you?</html>", headers={"Content-Type": "text/html"})
    with served(App(lambda call: page)) as gateway:
        done = command("check", "--connection", f"{DEAD}AccountsServer={gateway.url}")
    assert done.code == 1
    assert "text/html instead of a token: check AccountsServer" in done.lines("✗ token")[0]
    assert "organisation, user, " in done.lines("! not asked")[0]
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("OAuthRefreshToken=1000.n0t.it;", "Zoho does not know this refresh token"),
        ("OAuthClientId=1000.OTHER;", "the client belongs to another data centre than Region=US"),
        (f"OAuthClientSecret={SECRET};", "OAuthClientSecret does not fit OAuthClientId"),
    ],
)
def test_refused_credentials_are_3_with_authorize_as_the_remedy(settings, sentence, check):
    done = check(small(), settings=MEMORY + settings)
    assert (done.code, done["accounts"], done["token"]) == (3, "ok", "failed")
    assert sentence in done.says("token")
    assert "authorize`, which gets new tokens" in done.says("token")
    assert SECRET not in done.outcome.out


def test_a_refresh_token_that_was_revoked_is_3_though_a_token_is_in_the_cache(command, tmp_path):
    org = small()
    with serve(org) as zoho:
        words = (
            "check",
            "--connection",
            f"{zoho.connection_string}OAuthSettingsLocation={tmp_path / 'cache'}",
        )
        assert command(*words).code == 0
        org.tokens.revoke(org.tokens.refresh_token)
        done = command(*words)
    assert done.code == 3
    assert "it was revoked or pushed out" in done.lines("✗ token")[0]


def test_the_wrong_region_is_3_and_the_right_one_is_named(command):
    token = {"access_token": "1000.a.b", "api_domain": "https://www.zohoapis.eu", "expires_in": 3600}
    with served(App(lambda call: Reply(token))) as accounts:
        done = command("check", "--connection", f"{DEAD}AccountsServer={accounts.url};Region=US")
    assert done.code == 3
    assert "set Region=Europe;InstanceType=Production" in done.lines("✗ token")[0]


def test_a_token_is_renewed_to_see_whether_it_can_be_but_not_every_minute(command, tmp_path):
    org, cache = small(), tmp_path / "cache"
    with serve(org) as zoho:
        words = ("check", "--connection", f"{zoho.connection_string}OAuthSettingsLocation={cache}")
        assert [command(*words).code, command(*words).code] == [0, 0]
        assert len(org.ledger.calls("POST /oauth/v2/token")) == 1
        (file,) = cache.glob("token-*.json")
        kept = json.loads(file.read_text())
        kept["token"]["expires_at"] = time.time() + 2_900  # twelve minutes old
        file.write_text(json.dumps(kept))
        third = command(*words)
    assert len(org.ledger.calls("POST /oauth/v2/token")) == 2
    assert "valid for 60 minutes, renewed by itself" in third.lines("✓ token")[0]


def test_a_token_that_lives_for_less_than_an_hour_is_a_warning(check):
    org = small()
    org.rules.access_token_seconds = 1_200
    done = check(org)
    assert (done.code, done["token"]) == (0, "warning")
    assert "a new one is valid for 20 minutes only, not an hour" in done.says("token")


def test_a_token_that_cannot_be_renewed_is_a_warning_and_a_dead_one_is_3(check):
    org = small()
    access = org.tokens.renew(org.tokens.refresh_token)
    settings = f"{MEMORY}InitiateOAuth=OFF;OAuthAccessToken={access};"
    alive = check(org, settings=settings)
    org.tokens.kill_access_tokens()
    dead = check(org, settings=settings)
    assert (alive.code, alive["token"]) == (0, "warning")
    assert "it cannot be renewed -> run" in alive.says("token")
    assert (dead.code, dead["token"]) == (3, "failed")
    assert access not in alive.outcome.out + dead.outcome.out


# ---- whose account it is


def test_a_sandbox_behind_a_production_setting_is_2(check):
    org = small()
    org.account.org_values["type"] = "sandbox"
    done = check(org)
    assert (done.code, done["organisation"]) == (2, "failed")
    assert "sandbox, id 60012345678, but InstanceType=Production -> set InstanceType" in done.says(
        "organisation"
    )
    assert check(org, settings=f"{MEMORY}InstanceType=Sandbox;")["organisation"] == "ok"


def test_another_organisation_than_orgid_is_2(check):
    done = check(small(), settings=f"{MEMORY}OrgId=6111;")
    assert (done.code, done["organisation"]) == (2, "failed")
    assert "but OrgId=6111 -> correct OrgId" in done.says("organisation")


def test_an_organisation_that_zoho_cannot_tell_now_is_1(check):
    org = small()
    org.faults.add("GET /crm/v8/org", times=9, status=500)
    done = check(org)
    assert (done.code, done["token"], done["organisation"], done["user"]) == (1, "ok", "failed", "ok")
    assert "INTERNAL_ERROR" in done.says("organisation")


def test_a_secret_that_an_error_repeats_is_not_printed(check):
    org = small()
    said = {
        "code": "ODD",
        "message": f"what is {org.tokens.client_secret}?",
        "status": "error",
        "details": {},
    }
    org.faults.add("GET /crm/v8/org", status=400, body=said)
    assert "what is ***?" in check(org).says("organisation")


def test_a_user_who_is_no_administrator_is_a_warning(check):
    org = small()
    org.user["profile"] = {"name": "Standard", "id": "1"}
    done = check(org)
    assert (done.code, done["user"]) == (0, "warning")
    assert "acts as Ada Admin (Standard): records that this user may not see are not read" in done.says(
        "user"
    )
    assert done.says("user").endswith("as an administrator")


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (50, "ok"), (70, "warning"), (3 * 86_400, "warning")]
)
def test_a_clock_that_differs_by_a_minute_is_a_warning(seconds, status, check):
    org = small()
    org.clock.advance(seconds=seconds)
    done = check(org)
    assert (done.code, done["clock"]) == (0, status)
    if status == "warning":
        assert "Zoho's differ by " in done.says("clock")
        assert "it is behind -> turn on network time" in done.says("clock")


def test_the_clock_is_compared_with_the_accounts_server_if_there_is_no_token(check):
    org = small()
    org.clock.advance(minutes=5)
    done = check(org, settings=f"{MEMORY}OAuthRefreshToken=1000.n0t.it;")
    assert "the accounts server's differ by 5 minutes" in done.says("clock")


# ---- credits


def test_credits_are_told_from_the_header_else_by_what_its_absence_means(check):
    org = small()
    assert "more than half of about 51,000 a day is left" in check(org).says("credits")
    org.rules.daily_credits, org.quirks.credits_remaining_header = 51_000, "always"
    assert "50,994 left of about 51,000 a day" in check(org).says("credits")  # two checks


def test_too_few_credits_for_a_run_that_finds_nothing_are_1(check):
    org = small()
    org.rules.daily_credits, org.quirks.credits_remaining_header = 20, "always"
    done = check(org)
    assert (done.code, done["credits"]) == (1, "failed")
    assert "17 left" in done.says("credits")
    assert "takes up to 23 -> wait: each call's credits come back 24 hours later" in done.says("credits")


def test_credits_that_are_used_up_are_1_and_the_rest_is_told(check):
    org = small()
    org.rules.daily_credits = 0
    done = check(org)
    assert (done.code, done["organisation"], done["destination"]) == (1, "failed", "ok")
    assert "429 TOO_MANY_REQUESTS" in done.says("organisation")


def test_fewer_credits_than_the_last_run_took_are_a_warning(command, check):
    org = small()
    for name in ("Vendors", "Tasks", "Calls"):
        org.add_module(Module(name))
    with serve(org) as zoho:
        ran = command("--connection", f"{zoho.connection_string}{MEMORY}")
    assert ran.code == 0, ran.err
    took = org.ledger.credits
    org.quirks.credits_remaining_header = "always"
    org.rules.daily_credits = took + 4 + (took - 1)  # one too few, after a check of four
    done = check(org, "--modules", "Leads")
    assert (done.code, done["credits"]) == (0, "warning")
    assert f"the last run took {took}" in done.says("credits")

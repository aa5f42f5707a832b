"""The two ports, the ledger, the limits and the README."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from simulators.zoho_crm import Clock, Field, Module, Org, Rules, coverage, serve
from simulators.zoho_crm.routes import ROUTES
from tests.simulators.zoho_crm.wire import refusal, wired


def company(rules: Rules | None = None, clock: Clock | None = None) -> Org:
    org = Org(rules, clock=clock)
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    for number in range(50):
        org.insert("Deals", {"Deal_Name": f"deal {number}"})
    return org


def test_the_connection_string_names_both_hosts():
    org = company()
    with serve(org) as zoho:
        pairs = dict(part.split("=", 1) for part in zoho.connection_string.rstrip(";").split(";"))
    assert pairs["AccountsServer"] == zoho.accounts_url != zoho.api_url == pairs["APIDomain"]
    assert pairs["OAuthRefreshToken"] == org.tokens.refresh_token
    assert (pairs["Region"], pairs["OrgId"]) == ("US", org.account.zgid)


def test_the_two_hosts_do_not_answer_for_each_other():
    with wired(company()) as wire:
        wire.get("users")
        accounts = wire.session.get(f"{wire.zoho.accounts_url}/crm/v8/users")
        api = wire.session.post(f"{wire.zoho.api_url}/oauth/v2/token")
    assert (accounts.status_code, api.status_code) == (418, 418)


def test_two_orgs_share_no_token():
    first, second = company(), company()
    with wired(first) as one, wired(second) as other:
        other.session.headers["Authorization"] = f"Zoho-oauthtoken {one.new_token()}"
        assert refusal(other.get("users")) == (401, "INVALID_TOKEN")


def test_nobody_answers_after_the_end_not_even_on_a_connection_that_was_kept():
    with requests.Session() as session:
        with serve(company()) as zoho:
            assert session.get(f"{zoho.api_url}/crm/v8/users").status_code == 401
        with pytest.raises(requests.ConnectionError):
            session.get(f"{zoho.api_url}/crm/v8/users")


def test_a_port_that_is_taken_is_an_error_and_leaves_no_other_open():
    with serve(company()) as zoho:
        taken = int(zoho.api_url.rsplit(":", 1)[1])
        for ports in ((taken, 0), (0, taken)):
            with pytest.raises(OSError, match="in use"), serve(company(), *ports):
                raise AssertionError("served on a port that is taken")


def test_every_answer_tells_the_orgs_time():
    org = company()
    org.clock.advance(days=1)
    with wired(org) as wire:
        assert wire.get("users").headers["Date"] == "Tue, 03 Mar 2026 09:00:00 GMT"
        assert wire.token_call().headers["Date"] == "Tue, 03 Mar 2026 09:00:00 GMT"


@pytest.mark.parametrize("wanted", [True, False])
def test_json_is_compressed_for_who_accepts_it(wanted):
    org = company()
    org.quirks.gzip = wanted
    with wired(org) as wire:
        answer = wire.session.get(
            f"{wire.zoho.api_url}/crm/v8/Deals?fields=Deal_Name",
            headers={"Authorization": f"Zoho-oauthtoken {wire.new_token()}", "Accept-Encoding": "gzip"},
            stream=True,
        )
        raw = answer.raw.read(decode_content=False)
    assert (answer.headers.get("Content-Encoding") == "gzip") is wanted
    assert (gzip.decompress(raw) if wanted else raw).startswith(b'{"data"')


def test_a_mistake_of_the_simulator_is_raised_at_the_end():
    org = company()
    with pytest.raises(KeyError), wired(org) as wire:
        del org.records("Deals")[0].values["Modified_Time"]
        with pytest.raises(requests.ConnectionError):
            wire.get("Deals", fields="id", sort_by="Modified_Time")


# -- ledger, credits, limits


def test_the_ledger_knows_what_was_called_and_what_it_cost():
    org = company()
    with wired(org) as wire:
        wire.get("Deals", fields="id")
        wire.get("Deals/deleted")
        wire.get("Deals")
        wire.get("settings/fields", module="Deals")
    token, rows, deleted, refused, fields = org.ledger
    assert (token.route, token.credits) == ("POST /oauth/v2/token", 0)
    assert (rows.route, rows.module, rows.status, rows.credits) == ("GET /crm/v8/{module}", "Deals", 200, 1)
    assert rows.query == {"fields": "id"}
    assert (deleted.credits, refused.status, refused.credits, fields.module) == (2, 400, 0, "Deals")
    assert org.ledger.credits == 4
    assert org.ledger.calls("GET /crm/v8/{module}", status=400) == [refused]
    org.ledger.clear()
    assert len(org.ledger) == 0


def test_the_days_credits_come_back_24_hours_after_each_call():
    org = company(Rules(daily_credits=3))
    with wired(org) as wire:
        for _ in range(3):
            assert wire.get("users").status_code == 200
        assert refusal(wire.get("users")) == (429, "TOO_MANY_REQUESTS")
        org.clock.advance(hours=24)
        del wire.session.headers["Authorization"]
        assert wire.get("users").status_code == 200


@pytest.mark.parametrize(
    ("when", "seen"), [("half", [None, "2", "1"]), ("always", ["3", "2", "1"]), ("never", [None, None, None])]
)
def test_credits_left_are_told_from_half_way_on(when, seen):
    org = company(Rules(daily_credits=4))
    org.quirks.credits_remaining_header = when
    with wired(org) as wire:
        assert [wire.get("users").headers.get("X-API-CREDITS-REMAINING") for _ in range(3)] == seen


@pytest.mark.parametrize(("seconds", "header"), [(None, None), (60, "60")])
def test_a_429_tells_when_to_come_back_only_where_zoho_does(seconds, header):
    org = company(Rules(daily_credits=0))
    org.quirks.retry_after = seconds
    org.quirks.credits_for_refused_calls = 1
    with wired(org) as wire:
        assert wire.get("users").headers.get("Retry-After") == header
    assert org.ledger.credits == 1


def test_the_token_may_tell_when_it_ends():
    org = company()
    org.quirks.access_token_reset_header = True
    with wired(org) as wire:
        assert wire.get("users").headers["X-ACCESSTOKEN-RESET"] == "2026-03-02T15:30:00+05:30"


class Gate:
    """Stands in for the org's lock: whoever comes waits until it opens."""

    def __init__(self):
        self.waiting = threading.Semaphore(0)
        self.opened = threading.Event()

    def __enter__(self):
        self.waiting.release()
        assert self.opened.wait(10)

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("path", "rules"),
    [
        ("Deals?fields=id", Rules(concurrency=1)),
        ("Deals?fields=id&sort_by=id", Rules(sub_concurrency=1)),
    ],
)
def test_too_many_calls_at_once_are_429(path, rules):
    org = company(rules)
    with wired(org) as wire, ThreadPoolExecutor(1) as pool:
        wire.get("users")
        url, headers = f"{wire.zoho.api_url}/crm/v8/{path}", dict(wire.session.headers)
        org.lock = gate = Gate()
        first = pool.submit(requests.get, url, headers=headers)
        assert gate.waiting.acquire(timeout=10)
        assert refusal(wire.get(path)) == (429, "TOO_MANY_REQUESTS")
        gate.opened.set()
        assert first.result().status_code == 200
    assert org.running == org.running_heavy == 0


def test_light_calls_do_not_count_for_the_sub_concurrency():
    org = company(Rules(sub_concurrency=1))
    with wired(org) as wire, ThreadPoolExecutor(2) as pool:
        wire.get("users")
        url, headers = f"{wire.zoho.api_url}/crm/v8/Deals?fields=id", dict(wire.session.headers)
        org.lock = gate = Gate()
        calls = [pool.submit(requests.get, url, headers=headers) for _ in range(2)]
        assert gate.waiting.acquire(timeout=10)
        assert gate.waiting.acquire(timeout=10)
        gate.opened.set()
        assert [call.result().status_code for call in calls] == [200, 200]


# -- the org's clock


def test_the_clock_stands_until_it_is_moved():
    clock = Clock()
    assert clock.now() == clock.now()
    before = clock.now()
    assert clock.advance(1.5, minutes=1) - before == timedelta(seconds=61.5)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_a_real_clock_runs_and_can_be_moved_too():
    clock = Clock.real()
    before = clock.now()
    assert clock.advance(hours=1) - before >= timedelta(hours=1)


# -- the README and the command


def test_the_readme_names_every_route_and_switch():
    text = coverage.README.read_text(encoding="utf-8")
    assert coverage.fresh(text) == text, "run python -m simulators.zoho_crm.coverage"
    assert all(f"`{known.name}`" in text for known in ROUTES)


def test_every_switch_says_on_what_authority_it_stands():
    rows = coverage.switches_table().splitlines()[2:]
    assert len(rows) == len(vars(Org().quirks))
    words = ("documented", "seen", "inferred", "conflict")
    assert all(row.split("|")[4].strip().startswith(words) for row in rows)


def test_the_command_serves_the_demo_company_until_it_is_stopped():
    command = [sys.executable, "-m", "simulators.zoho_crm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = []
        while not lines or not lines[-1].startswith("python -m pipelines.zoho_crm authorize"):
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        process.terminate()
        assert process.wait(10) == 0
    setting = next(line for line in lines if line.startswith("SOURCES__ZOHO_CRM__CREDENTIALS='"))
    pairs = dict(part.split("=", 1) for part in setting.split("'")[1].rstrip(";").split(";"))
    assert pairs["APIDomain"].startswith("http://127.0.0.1:")
    assert f"--connection 'OAuthClientId={pairs['OAuthClientId']};" in lines[-1]
    assert "OAuthRefreshToken" not in lines[-1]

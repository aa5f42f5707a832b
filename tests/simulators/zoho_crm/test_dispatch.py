"""Between request and answer: the ledger, credits, and calls at one time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from simulators.zoho_crm import Rules
from tests.simulators.zoho_crm.deals import company
from tests.simulators.zoho_crm.wire import refusal, wired


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
        assert gate.waiting.acquire(timeout=300)
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
        assert gate.waiting.acquire(timeout=300)
        assert gate.waiting.acquire(timeout=300)
        gate.opened.set()
        assert [call.result().status_code for call in calls] == [200, 200]

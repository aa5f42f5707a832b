"""An answer that trickles in byte by byte ends as a call that got none, for every kind of call."""

from __future__ import annotations

from datetime import datetime

import pytest

from simulators.zoho_crm.clock import START
from sources.zoho_crm.client.client import connect
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.exceptions import ZohoConnectionError
from sources.zoho_crm.extract.extractor import read_module
from tests.support.reading import COQL, LIST, QUERY, RECORDS, look, rows_of, things
from tests.support.truth import truth

BULK = "ReadAPI=Bulk"
CREATE, POLL = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}"
DOWNLOAD = "GET /crm/bulk/v8/read/{job_id}/result"
TOKEN, MODULES = "POST /oauth/v2/token", "GET /crm/v8/settings/modules"
CALLS = {LIST: RECORDS, QUERY: COQL, CREATE: BULK, POLL: BULK, DOWNLOAD: BULK}


@pytest.fixture
def timed(load, org, monkeypatch):
    """Clients measure by the simulated account's clock, which a dripping answer moves."""

    def now() -> float:
        moment: datetime = org.clock.now()
        return (moment - START).total_seconds()

    retry_policy = RetryPolicy(sleep=org.clock.advance, monotonic=now, answer_clock=now, backoff=0)
    monkeypatch.setattr(load, "client", lambda settings="": connect(load.credentials(settings), retry_policy))
    return load


@pytest.mark.parametrize("drip_body", [False, True], ids=["head", "body"])
@pytest.mark.parametrize("route", CALLS)
def test_a_call_that_drips_is_given_up_and_its_table_fails(timed, org, route, drip_body):
    things(org, 60)
    client, found = look(timed, CALLS[route], only=["Things"])
    org.faults.add(route, times=99, drip=0.5, drip_body=drip_body)
    began = org.clock.now()
    reading = read_module(client, found.plans[0], timed.folder)
    assert (reading.status, reading.parquet_file) == ("failed", None)
    assert "too slow" in reading.error
    tries = len(org.ledger.calls(route))
    assert tries <= 12
    assert (org.clock.now() - began).total_seconds() < 60 * 60 * 2


@pytest.mark.parametrize("route", CALLS)
def test_one_answer_that_drips_is_asked_for_again(timed, org, route):
    things(org, 60)
    client, found = look(timed, CALLS[route], only=["Things"])
    org.faults.add(route, drip=0.5)
    reading = read_module(client, found.plans[0], timed.folder)
    assert rows_of(reading) == truth(org, "Things"), reading.error
    assert org.faults.unspent() == []


@pytest.mark.parametrize("route", [TOKEN, MODULES])
def test_a_run_that_cannot_begin_ends(timed, org, route):
    things(org, 3)
    org.faults.add(route, times=99, drip=0.5)
    with pytest.raises(ZohoConnectionError, match="too slow|did not answer in time"):
        look(timed, only=["Things"])
    assert len(org.ledger.calls(route)) <= 3


def test_a_large_archive_on_a_slow_line_is_no_fault(timed, org):
    """9,000 bytes a second over many minutes: slow, and yet it comes."""
    things(org, 60)
    client, found = look(timed, BULK, only=["Things"])
    org.faults.add(DOWNLOAD, drip=1 / 9_000, drip_body=True)
    assert rows_of(read_module(client, found.plans[0], timed.folder)) == truth(org, "Things")


def test_timeout_of_the_connection_string_is_the_measure(timed, org):
    things(org, 60)
    client, found = look(timed, f"{RECORDS};Timeout=3600", only=["Things"])
    org.faults.add(LIST, drip=0.1)
    assert read_module(client, found.plans[0], timed.folder).status == "read"
    assert len(org.ledger.calls(LIST)) == 1

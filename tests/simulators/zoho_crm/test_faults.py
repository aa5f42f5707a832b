"""Faults: each kind as a client meets it, and how they are spent."""

from __future__ import annotations

import pytest
import requests

from simulators.zoho_crm import Field, Module, Org
from tests.simulators.zoho_crm.wire import refusal, wired

LIST = "GET /crm/v8/{module}"


@pytest.fixture
def wire():
    org = Org()
    for name in ("Deals", "Leads"):
        org.add_module(Module(name, [Field("Name", "text")]))
        for number in range(100):
            org.insert(name, {"Name": f"name {number}"})
    with wired(org) as wire:
        wire.get("users")
        yield wire


def test_the_second_call_fails_and_the_third_works(wire):
    wire.org.faults.add(LIST, nth=2, status=429, headers={"Retry-After": "1"})
    statuses = []
    for _ in range(3):
        answer = wire.get("Deals", fields="id")
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["code"] == "TOO_MANY_REQUESTS"
    assert statuses == [200, 429, 200]
    assert wire.org.faults.unspent() == []


def test_a_fault_of_one_module_spares_the_others(wire):
    fault = wire.org.faults.add(LIST, module="Deals", status=500)
    assert wire.get("Leads", fields="id").status_code == 200
    assert wire.org.faults.unspent() == [fault]
    assert refusal(wire.get("Deals", fields="id")) == (500, "INTERNAL_ERROR")
    assert wire.org.faults.unspent() == []


def test_faults_are_spent_in_their_order(wire):
    wire.org.faults.add(LIST, status=502, html=True)
    wire.org.faults.add(LIST, nth=2, times=2, status=503)
    assert [wire.get("Deals", fields="id").status_code for _ in range(4)] == [502, 503, 503, 200]


def test_a_gateways_page_is_html(wire):
    wire.org.faults.add(LIST, html=True)
    answer = wire.get("Deals", fields="id")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html")


def test_a_body_of_the_tests_own(wire):
    wire.org.faults.add(
        LIST, status=400, body={"code": "NOVEL", "details": {}, "message": "", "status": "error"}
    )
    assert refusal(wire.get("Deals", fields="id")) == (400, "NOVEL")


def test_an_empty_200(wire):
    wire.org.faults.add(LIST, empty=True)
    answer = wire.get("Deals", fields="id")
    assert (answer.status_code, answer.content) == (200, b"")


def test_json_that_ends_in_the_middle(wire):
    wire.org.faults.add(LIST, truncate_json=True)
    answer = wire.get("Deals", fields="id")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_connection_that_dies_in_the_body(wire):
    wire.org.faults.add(LIST, cut_after=100)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        wire.get("Deals", fields="id")
    assert wire.get("Deals", fields="id").status_code == 200


def test_a_connection_that_dies_before_the_answer(wire):
    wire.org.faults.add(LIST, reset=True)
    with pytest.raises(requests.ConnectionError):
        wire.get("Deals", fields="id")
    assert wire.get("Deals", fields="id").status_code == 200


def test_headers_alone_spoil_nothing_else(wire):
    wire.org.faults.add(LIST, headers={"X-Odd": "1"})
    answer = wire.get("Deals", fields="id")
    assert (answer.status_code, answer.headers["X-Odd"], len(answer.json()["data"])) == (200, "1", 100)


def test_a_fault_at_the_accounts_server(wire):
    wire.org.faults.add("POST /oauth/v2/token", status=503, body="busy")
    assert wire.token_call().status_code == 503
    assert wire.token_call().status_code == 200


def test_a_fault_of_a_route_that_is_not_there_is_a_mistake(wire):
    with pytest.raises(ValueError, match="no route"):
        wire.org.faults.add("GET /crm/v8/Deals", status=500)


@pytest.mark.parametrize("shape", ["object", "data", "list"])
def test_an_error_has_one_of_three_shapes(wire, shape):
    wire.org.quirks.error_shape = shape
    body = wire.get("Nope", fields="id").json()
    error = {"object": lambda: body, "data": lambda: body["data"][0], "list": lambda: body[0]}[shape]()
    assert error["code"] == "INVALID_MODULE"
    assert set(error) == {"code", "details", "message", "status"}

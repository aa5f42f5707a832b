"""Zoho's answers in all their shapes: data, errors, nothing, and what is not Zoho's at all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
import requests

from sources.zoho_crm.auth.transport import body_of, where
from sources.zoho_crm.client.responses import more_in, rows_in
from sources.zoho_crm.client.throttling import is_retryable, unreachable
from sources.zoho_crm.exceptions import ExtractError, Fatal, NotAvailableError, Retriable, ZohoConnectionError

ERROR = {"code": "INVALID_DATA", "details": {"param_name": "ids"}, "message": "wrong", "status": "error"}


def answer(body, status=200, url="https://www.zohoapis.com/crm/v8/Leads?page=1"):
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response._content_consumed = True
    response.url = url
    response.request = requests.Request("GET", url).prepare()
    return response


@pytest.mark.parametrize("body", [ERROR, {"data": [ERROR]}, [ERROR], {"fields": [ERROR]}])
@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_error_is_one_in_every_shape_and_status(body, status):
    with pytest.raises(Fatal) as raised:
        body_of(answer(body, status))
    error = raised.value
    assert (error.status, error.code, error.details) == (status, "INVALID_DATA", {"param_name": "ids"})
    assert str(error) == f"{status} INVALID_DATA GET /crm/v8/Leads?page=1: wrong"


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_is_an_empty_body(status):
    assert body_of(answer(b"", status)) == {}


def test_numbers_are_exact():
    body = body_of(answer(b'{"data": [{"Amount": 1234567890123456.78}]}'))
    assert body == {"data": [{"Amount": Decimal("1234567890123456.78")}]}


@pytest.mark.parametrize(
    "row",
    [
        {"id": "1", "status": "error", "code": "x"},
        {"status": "error"},
        {"status": "success", "code": "ADDED_SUCCESSFULLY"},
    ],
)
def test_a_row_that_looks_like_an_error_is_a_row(row):
    assert body_of(answer({"data": [row]})) == {"data": [row]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Bad Gateway</html>", "brought HTML"),
        (b"  \n<!DOCTYPE html>", "brought HTML"),
        (b"", "brought an empty body"),
        (b"{}", "brought an empty body"),
        (b"[]", "brought an empty body"),
        (b'{"data": [{"id": "1', "brought no JSON"),
        (b"\xff\xfe\x00", "brought no JSON"),
    ],
)
def test_what_is_not_zohos_is_one_sentence(body, words):
    with pytest.raises(ZohoConnectionError, match=f"200 GET /crm/v8/Leads.page=1 {words}.*www.zohoapis.com"):
        body_of(answer(body))
    assert is_retryable(answer(body), None)


def test_html_with_a_404_is_not_asked_again():
    response = answer(b"<html>", 404)
    assert not is_retryable(response, None)
    with pytest.raises(ZohoConnectionError, match="404 GET"):
        body_of(response)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415])
def test_a_refusal_is_not_worth_another_try(status):
    assert not is_retryable(answer(ERROR, status), None)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_throttle_and_a_server_error_are_worth_it(status):
    assert is_retryable(answer(ERROR, status), None)


@pytest.mark.parametrize(
    ("error", "worth"),
    [
        (requests.ConnectionError(), True),
        (requests.Timeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.ContentDecodingError(), True),
        (ZohoConnectionError("a gateway"), True),
        (Retriable("GET /", 500, {}), True),
        (requests.exceptions.SSLError(), False),
        (requests.exceptions.InvalidURL(), False),
        (NotAvailableError("GET /", 403, {}), False),
        (ExtractError("half a page"), False),
    ],
)
def test_which_exceptions_are_worth_another_try(error, worth):
    assert is_retryable(None, error) is worth


def test_an_answer_tells_its_rows_or_fails():
    assert rows_in({}, "data") == []
    assert rows_in({"data": [{"id": "1"}]}, "data") == [{"id": "1"}]
    for body in ({"info": {}}, {"data": None}, {"data": {"id": "1"}}):
        with pytest.raises(ExtractError, match="no list of data"):
            rows_in(body, "data")


def test_a_page_tells_whether_there_is_more_or_fails():
    assert more_in({}) is False
    assert more_in({"data": [], "info": {"more_records": True}}) is True
    for info in (None, {}, [], {"more_records": None}, {"more_records": "true"}):
        with pytest.raises(ExtractError, match="more records"):
            more_in({"data": [], "info": info})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError(), "TLS to www.zohoapis.com failed"),
        (requests.ReadTimeout(), "did not answer in time"),
        (requests.ConnectionError("secret"), "could not be reached"),
    ],
)
def test_no_answer_is_a_sentence_without_the_librarys_words(error, words):
    text = str(unreachable("https://www.zohoapis.com/crm/v8/org", error))
    assert words in text
    assert "secret" not in text


def test_a_long_query_is_cut():
    assert len(where(answer({}, url="https://h.example/x?fields=" + "a" * 500))) < 100

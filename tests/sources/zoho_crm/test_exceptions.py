"""The kind of an error goes by Zoho's code, because one condition comes under several statuses."""

from __future__ import annotations

import pytest

from sources.zoho_crm.exceptions import (
    AuthenticationError,
    Fatal,
    NotAvailableError,
    Retriable,
    ZohoCrmError,
    zoho_error,
)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "NO_PERMISSION", NotAvailableError),
        (403, "NO_PERMISSION", NotAvailableError),
        (401, "OAUTH_SCOPE_MISMATCH", NotAvailableError),
        (400, "INVALID_MODULE", NotAvailableError),
        (403, "NOT_SUPPORTED", NotAvailableError),
        (400, "FEATURE_NOT_ENABLED", NotAvailableError),
        (403, "CURRENCIES_NOT_ENABLED", NotAvailableError),
        (429, "TOO_MANY_REQUESTS", Retriable),
        (400, "TOO_MANY_REQUESTS", Retriable),
        (500, "INTERNAL_ERROR", Retriable),
        (502, "", Retriable),
        (429, "", Retriable),
        (500, "NEVER_HEARD_OF", Retriable),
        (400, "NEVER_HEARD_OF", Fatal),
        (400, "PAGINATION_LIMIT_EXCEEDED", Fatal),
        (401, "AUTHENTICATION_FAILURE", AuthenticationError),
        (418, "", Fatal),
    ],
)
def test_the_kind_goes_by_the_code_then_by_the_status(status, code, kind):
    error = zoho_error("GET /x", status, {"code": code, "message": "why"})
    assert type(error) is kind
    assert isinstance(error, ZohoCrmError)
    assert (error.status, error.code, str(error)) == (status, code, f"{status} {code} GET /x: why")


@pytest.mark.parametrize("details", [None, "text", ["list"], 7])
def test_details_that_are_no_object_are_none(details):
    assert zoho_error("GET /x", 400, {"code": "C", "details": details}).details == {}


def test_an_error_without_a_message_says_so():
    assert str(zoho_error("GET /x", 400, {})) == "400  GET /x: no message"

"""COQL's odd answers: pages without an end, and refusals that name nothing."""

from __future__ import annotations

import pytest

from tests.sources.zoho_crm.extract.test_coql import leads
from tests.support.reading import COQL, QUERY, queries, read, rows_of, things
from tests.support.truth import truth


def page(rows):
    return {"data": rows, "info": {"count": len(rows), "more_records": True}}


ROW = {"id": "1", "Modified_Time": "2026-01-01T00:00:00+00:00", "F0": "x"}


@pytest.mark.parametrize("rows", [[], [ROW]], ids=["no rows", "the same rows"])
@pytest.mark.parametrize("nth", [2, 3])
def test_more_records_that_never_come_fail_the_module_instead_of_going_on_for_ever(load, org, rows, nth):
    things(org, 3)
    if nth == 3:
        org.faults.add(QUERY, nth=2, status=200, body=page([{**ROW, "id": "0"}]))
    org.faults.add(QUERY, nth=nth, times=50, status=200, body=page(rows))
    reading = read(load, settings=COQL)
    assert reading.status == "failed"
    assert "COQL says that there are more records, and brings none" in reading.error
    assert len(org.ledger.calls(QUERY)) <= 5


NO_API_NAME = [
    {"code": "SYNTAX_ERROR", "details": {"line": 1, "column": 90, "near": "Converted__s"}},
    {"code": "INVALID_QUERY", "details": {"reason": "something"}},
    {"code": "NEVER_HEARD_OF", "details": {}},
]


@pytest.mark.parametrize("refusal", NO_API_NAME, ids=lambda refusal: refusal["code"])
def test_a_refusal_that_names_nothing_is_asked_again_without_flags_where_nothing_is_hidden(
    load, org, refusal
):
    things(org, 3, convertable=True)
    org.faults.add(QUERY, status=400, body={**refusal, "status": "error", "message": "no"})
    reading = read(load, settings=COQL)
    assert (rows_of(reading), reading.api) == (truth(org, "Things"), "coql")
    assert not [query for query in queries(org)[1:] if "Converted__s =" in query]


@pytest.mark.parametrize("refusal", NO_API_NAME, ids=lambda refusal: refusal["code"])
def test_where_something_is_hidden_no_flag_is_left_out(load, org, refusal):
    leads(org)
    org.faults.add(QUERY, status=400, body={**refusal, "status": "error", "message": "no"})
    reading = read(load, "Leads", COQL)
    assert len(queries(org)) == 1
    assert reading.api == "records" or reading.status == "failed"


def test_a_query_that_is_refused_without_flags_as_well_is_refused(load, org):
    things(org, 3, convertable=True)
    org.faults.add(QUERY, status=400, times=9, body={**NO_API_NAME[0], "status": "error", "message": "no"})
    read(load, settings=COQL)
    assert len(queries(org)) == 2

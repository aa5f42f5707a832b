"""What changed since the last sync is looked at first; then the cheapest API reads the rest."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from simulators.zoho_crm import Org, Quirks
from sources.zoho_crm.exceptions import AuthenticationError, Retriable
from sources.zoho_crm.extract.probe import plan_changes
from sources.zoho_crm.models import ApiAvailability, Field, Module
from sources.zoho_crm.planning.api_selection import Changes, choose_api_for_changes
from sources.zoho_crm.transform.naming import name_columns
from tests.support.reading import DAY, LIST, QUERY, things
from tests.support.windowing import changed, planned, since_then, window

SINCE = datetime(2026, 11, 20, 7, 45, tzinfo=timezone(timedelta(hours=5, minutes=30)))
WORDS = "changed since 2026-11-20 02:15"
COUNT = "GET /crm/v8/{module}/actions/count"
JOB = "POST /crm/bulk/v8/read"
DEALS, NOTES = Module("Deals"), Module("Notes")
HISTORY = Module("DealHistory", generated_type="field_tracker")


def columns(count=10, **field):
    return name_columns(
        [Field("id", "bigint"), *(Field(f"F{n}", "text", **field) for n in range(count - 1))], {}
    )


def many(rows, *, counted=True, at_most=None):
    return Changes(SINCE, rows, more=True, counted=counted, at_most=at_most)


@pytest.mark.parametrize(
    ("module", "preferred_api", "changes", "api", "reason"),
    [
        (DEALS, "auto", Changes(SINCE, 0), "records", f"nothing {WORDS}"),
        (DEALS, "bulk", Changes(SINCE, 0), "records", f"nothing {WORDS}"),
        (DEALS, "records", Changes(SINCE, 0), "records", f"as configured, nothing {WORDS}"),
        (DEALS, "auto", Changes(SINCE, 12), "records", f"12 {WORDS}"),
        (DEALS, "bulk", Changes(SINCE, 12), "bulk", f"as configured, 12 {WORDS}"),
        (DEALS, "auto", many(900), "coql", f"900 {WORDS}: COQL 2 credits; Records 6, Bulk Read 55"),
        (DEALS, "auto", many(2_200), "coql", f"2,200 {WORDS}: COQL 6 credits; Records 12, Bulk Read 55"),
        (DEALS, "auto", many(38_001), "bulk", f"38,001 {WORDS}: Bulk Read 55 credits; Records 192, COQL 60"),
        (DEALS, "records", many(36_001), "records", f"as configured, 36,001 {WORDS}"),
        (DEALS, "bulk", many(201, counted=False), "bulk", f"as configured, at least 201 {WORDS}"),
        (DEALS, "auto", many(201, counted=False), "coql", f"at least 201 {WORDS}, Zoho gives no count"),
        (NOTES, "auto", many(90_000), "coql", f"90,000 {WORDS}: COQL 135 credits; Records 451"),
        (NOTES, "bulk", many(900), "records", f"Bulk Read does not offer it, 900 {WORDS}"),
        (HISTORY, "auto", many(90_000), "records", f"90,000 {WORDS}"),
        (
            HISTORY,
            "bulk",
            Changes(SINCE, 3),
            "records",
            f"Bulk Read leaves out the history of deleted records, 3 {WORDS}",
        ),
    ],
)
def test_the_choice_and_its_reason(module, preferred_api, changes, api, reason):
    assert choose_api_for_changes(module, preferred_api, changes, columns(), ApiAvailability()) == (
        api,
        reason,
    )


@pytest.mark.parametrize(
    ("module", "changes", "api"),
    [
        (DEALS, many(10_800), "records"),
        (DEALS, many(11_001), "bulk"),
        (DEALS, many(201, counted=False), "bulk"),
        (DEALS, many(201, counted=False, at_most=3_000), "records"),  # it cannot be more than all
        (DEALS, many(201, counted=False, at_most=500_000), "bulk"),
        (NOTES, many(201, counted=False), "records"),
        (NOTES, many(1_000_000), "records"),
    ],
)
def test_without_the_scope_of_coql(module, changes, api):
    assert choose_api_for_changes(module, "auto", changes, columns(), ApiAvailability(coql=()))[0] == api


def test_rich_text_makes_lists_dear():
    assert (
        choose_api_for_changes(DEALS, "auto", many(300), columns(rich_text=True), ApiAvailability(coql=()))[0]
        == "bulk"
    )


def test_wide_modules_make_coql_dear():
    assert (
        choose_api_for_changes(DEALS, "auto", many(150_000), columns(1_200), ApiAvailability())[0] == "bulk"
    )


# ---- against an account


def ledger(org, *routes):
    return [len(org.ledger.calls(route)) for route in routes]


@pytest.mark.parametrize("preferred_api", ["auto", "bulk", "records"])
def test_an_idle_module_is_one_call(load, org, preferred_api):
    things(org, 450)
    client, plan = planned(load, DAY + timedelta(days=1), preferred_api, coql=True)
    assert (plan.api, plan.rows, plan.first.more) == ("records", 0, False)
    assert changed(load, client, plan) == {}
    assert ledger(org, LIST, COUNT, QUERY, JOB) == [1, 0, 0, 0]
    (call,) = org.ledger.calls(LIST)
    assert (call.status, call.credits, "sort_by" in call.query) == (304, 1, False)


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("rows", [1, 199, 200])
def test_a_page_of_changes_is_one_call(load_from, rows, inclusive):
    load = load_from(Org(quirks=Quirks(if_modified_since_inclusive=inclusive)))
    org = load.org
    things(org, 450)
    since = DAY + timedelta(seconds=450 - rows + inclusive)
    expected = since_then(org, since)
    client, plan = planned(load, since)
    assert plan.reason.endswith(f" changed since 2026-01-01 00:0{(450 - rows) // 60}")
    found = changed(load, client, plan)
    assert expected.items() <= found.items()
    assert plan.rows == len(found) == rows
    assert ledger(org, LIST, COUNT) == [1, 0]


def test_the_walk_goes_on_from_the_page_that_was_read(load, org):
    things(org, 1_000)
    client, plan = planned(load, DAY + timedelta(seconds=350), "records")
    assert changed(load, client, plan) == since_then(org, DAY + timedelta(seconds=350))
    pages = org.ledger.calls(LIST)
    assert len(pages) == 4
    assert [c.query.get("page_token") is None for c in pages] == [True, False, False, False]


def test_a_wish_of_coql_looks_at_nothing_first(load, org):
    things(org, 450)
    client, plan = planned(load, DAY + timedelta(seconds=445), "coql", coql=True)
    assert (plan.api, plan.first, plan.rows) == ("coql", None, None)
    assert plan.reason == "as configured, what changed since 2026-01-01 00:07"
    assert len(changed(load, client, plan)) == 5
    assert ledger(org, LIST, COUNT, QUERY) == [1, 0, 1]  # the list tells which records wait for approval
    assert org.ledger.calls(QUERY)[0].credits == 1


def test_zohos_count_says_how_many_changed(load, org):
    things(org, 1_000)
    _, plan = planned(load, DAY + timedelta(seconds=100), coql=True)
    assert (plan.api, plan.rows) == ("coql", 900)
    assert plan.reason == "900 changed since 2026-01-01 00:01: COQL 2 credits; Records 6, Bulk Read 55"


@pytest.mark.parametrize("refusal", ["the scope", "an error", "no number", "it lags"])
def test_without_a_count_it_is_at_least_one_more_than_the_page(load_from, refusal):
    org = Org(quirks=Quirks(count_lag_minutes=10 if refusal == "it lags" else 0))
    load = load_from(org)
    things(org, 450)
    if refusal == "the scope":
        org.scopes -= {"ZohoSearch.securesearch.READ"}
    elif refusal == "an error":
        org.faults.add(COUNT, status=500, times=99)
    elif refusal == "no number":
        org.faults.add(COUNT, status=200, body={"count": None})
    _, plan = planned(load, DAY, coql=True)
    assert (plan.api, plan.rows) == ("coql", 201)
    assert plan.reason == "at least 201 changed since 2026-01-01 00:00, Zoho gives no count"


@pytest.mark.parametrize(
    ("preferred_api", "coql", "api"),
    [("auto", True, "coql"), ("auto", False, "bulk"), ("bulk", True, "bulk"), ("records", True, "records")],
)
def test_a_module_that_lists_refuse_is_read_another_way(load, org, preferred_api, coql, api):
    things(org, 3)
    org.faults.add(LIST, status=400, body={"code": "NOT_SUPPORTED", "status": "error"})
    _, plan = planned(load, DAY, preferred_api, coql=coql)
    assert (plan.api, plan.first) == (api, None)
    assert plan.reason == "lists refuse it (NOT_SUPPORTED), what changed since 2026-01-01 00:00"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(500, "INTERNAL_ERROR", Retriable), (401, "AUTHENTICATION_FAILURE", AuthenticationError)],
)
def test_what_passes_or_needs_a_person_is_raised(load, org, status, code, error):
    things(org, 3)
    client, plan = window(load, DAY)
    org.faults.add(LIST, status=status, body={"code": code, "status": "error"}, times=99)
    with pytest.raises(error):
        plan_changes(client, plan, "auto", False)

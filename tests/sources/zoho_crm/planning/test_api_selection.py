"""Which API reads a module, for which reason, and what that will cost: decided without a call."""

from __future__ import annotations

import pytest

from sources.zoho_crm.models import Field, Module
from sources.zoho_crm.planning.api_selection import choose_api
from sources.zoho_crm.planning.cost import cost_of
from sources.zoho_crm.transform.naming import name_columns
from tests.support.reading import COQL, QUERY, RECORDS, look, read, things

LEADS = Module("Leads")


def columns(count, **field):
    fields = [Field("id", "bigint"), *(Field(f"F{n}", "text", **field) for n in range(count - 1))]
    return name_columns(fields, {})


@pytest.mark.parametrize(
    ("rows", "fields", "api", "reason"),
    [
        (0, 10, "records", "1 credit; Bulk Read 55"),
        (53 * 200, 10, "records", "55 credits; Bulk Read 55"),
        (53 * 200 + 1, 10, "bulk", "55 credits; Records 56"),
        (4_000, 60, "bulk", "55 credits; Records 62"),
        (1_000_000, 10, "bulk", "283 credits; Records 5,002"),
        (None, 10, "bulk", "first load, Zoho gives no count"),
    ],
)
def test_the_cheaper_api_reads(rows, fields, api, reason):
    assert choose_api(LEADS, "auto", rows, columns(fields)) == (api, reason)


def test_rich_text_that_lists_cut_makes_records_dear():
    rich = columns(3, rich_text=True)
    assert choose_api(LEADS, "auto", 60, rich) == (
        "bulk",
        "55 credits; Records up to 61, as lists cut rich text",
    )


@pytest.mark.parametrize("preferred_api", ["bulk", "coql", "records"])
def test_a_wish_is_a_command(preferred_api):
    assert choose_api(LEADS, preferred_api, 1_000_000, columns(500)) == (preferred_api, "as configured")


@pytest.mark.parametrize("preferred_api", ["auto", "bulk"])
@pytest.mark.parametrize("module", ["Notes", "Attachments"])
def test_what_bulk_read_does_not_offer_comes_by_records(preferred_api, module):
    assert choose_api(Module(module), preferred_api, 1_000_000, columns(10)) == (
        "records",
        "Bulk Read does not offer it",
    )


@pytest.mark.parametrize("rows", [0, 1, 150, 200, 201])
@pytest.mark.parametrize("fields", [1, 40, 41, 120])
def test_the_cost_of_records_is_what_the_ledger_says(load, org, rows, fields):
    things(org, rows, fields=fields)
    cost = cost_of("records", rows, look(load)[1].plans[0].columns)
    reading = read(load)
    assert (reading.usage.calls, reading.usage.credits) == (cost.calls, cost.credits)


@pytest.mark.parametrize(("rows", "credits"), [(3, 3), (201, 4), (1_001, 5), (2_001, 8)])
def test_the_cost_of_coql_is_what_the_ledger_says(load, org, rows, credits):
    things(org, rows)
    cost = look(load, COQL)[1].plans[0].cost
    reading = read(load, settings=COQL)
    assert (cost.calls, cost.credits) == (reading.usage.calls, reading.usage.credits)
    # And a list, to ask which records are not approved.
    assert cost.credits - 1 == credits == sum(call.credits for call in org.ledger.calls(QUERY))


def test_a_plan_of_a_survey_knows_its_count_and_cost(load, org):
    things(org, 450)
    (plan,) = look(load, RECORDS)[1].plans
    assert (plan.rows, plan.cost.calls, plan.reason) == (450, 4, "as configured")

"""The test that holds the house up: Bulk Read, COQL and the Records API give the same table, and the true one."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.truth import landed, truth

APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}
AWKWARD = [
    "plain",
    "007",
    " blanks ",
    "comma, \"quotes\", and 'single'",
    "two\nlines",
    "three\r\nlines\r\n",
    "emoji 🦊 עברית",
    "NULL",
    "NA",
    "nan",
    "\\ and \ttab",
    "x" * 31_999,
]
MULTI = [["A"], ["A", "B"], ["B;C"], ["A", "B;C"], ["D,E", "A"], ["A", "B", "C"], ["B", "C"], ["gone", "A"]]


def every_type() -> Module:
    return Module(
        "Everything",
        generated_type="custom",
        fields=[
            Field("Text", "text"),
            Field("Area", "textarea", textarea="large"),
            Field("Rich", "textarea", textarea="rich_text"),
            Field("Email", "email"),
            Field("Phone", "phone"),
            Field("Site", "website"),
            Field("Pick", "picklist", pick_list_values=["A", "B;C", "D,E"]),
            Field("Multi", "multiselectpicklist", pick_list_values=["A", "B", "C", "B;C", "D,E"]),
            Field("Int", "integer"),
            Field("Big", "bigint"),
            Field("Double", "double"),
            Field("Percent", "percent"),
            Field("Money", "currency", decimal_place=9),
            Field("Flag", "boolean"),
            Field("Day", "date"),
            Field("Moment", "datetime"),
            Field("Related", "lookup", lookup_module="Everything"),
            Field("Colleague", "userlookup"),
            Field("Number__s", "autonumber"),
            Field("Image", "profileimage"),
            Field("Sum", "formula", return_type="currency"),
            Field("When", "formula", return_type="datetime"),
            Field("Says", "formula", return_type="text"),
            Field("Yes", "formula", return_type="boolean"),
            Field("Count_c", "rollup_summary", return_type="integer"),
            Field("Rule", "RRULE"),
            Field("Alarm", "ALARM"),
            Field("Files", "fileupload"),
            Field("Strange", "hologram"),
        ],
    )


def fill(org: Org) -> None:
    org.add_module(every_type())
    first = org.insert("Everything", {"Text": "only text"})  # a null in every other type
    for number, text in enumerate(AWKWARD):
        org.insert(
            "Everything",
            {
                "Text": text,
                "Area": text,
                "Rich": text[:500] + "r" * (498 + number % 4),
                "Email": f"a{number}@example.com",
                "Phone": "0049",
                "Site": "https://example.com/?a=b,c",
                "Pick": ["A", "B;C", "D,E"][number % 3],
                "Multi": MULTI[number % len(MULTI)],
                "Int": [0, -1, 999_999_999][number % 3],
                "Big": 9_223_372_036_854_775_807 - number,
                "Double": [0.1, -1e-9, 123456.789][number % 3],
                "Percent": [0.0, 12.5, 100.0][number % 3],
                "Money": [Decimal("0.123456789"), Decimal("1234567890123456.78"), Decimal(-5)][number % 3],
                "Flag": bool(number % 2),
                "Day": date(2024, 2, 29),
                # both sides of the end of daylight saving in New York, one hour apart in UTC
                "Moment": datetime(2025, 11, 2, 5 + number % 2, 30, tzinfo=timezone.utc),
                "Related": {"id": first, "name": "only text"},
                "Colleague": {"id": org.account.me["id"], "name": "x"},
                "Number__s": f"INV-{number:04}",
                "Sum": Decimal("7.25"),
                "When": datetime(2025, 3, 9, 7, 59, 59, tzinfo=timezone.utc),
                "Says": text[:100],
                "Yes": True,
                "Count_c": number,
                "Rule": {"RRULE": "FREQ=DAILY;INTERVAL=1"},
                "Alarm": {"ALARM": "ACTION=EMAIL;TRIGGER=PT5M"},
                "Files": [{"id": str(number), "File_Name__s": "a,b.pdf"}],
                "Strange": "a hologram",
            },
        )


@pytest.fixture(params=[";", ","])
def org(request: pytest.FixtureRequest) -> Org:
    org = Org(quirks=Quirks(bulk_multiselect_separator=request.param))
    org.time_zone = "America/New_York"
    fill(org)
    return org


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(3)
def test_every_type_lands_true(load, org, api):
    run = load(APIS[api], only=["Everything"])
    assert run.exit_code == 0, [r.error for r in run.readings]
    assert load.reading("Everything").api == api
    assert landed(load, "everything") == truth(org, "Everything")

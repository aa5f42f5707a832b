"""The criteria of a Bulk Read job, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.zoho_crm import Org
from tests.simulators.zoho_crm.calling import create, job_of, poll, read
from tests.simulators.zoho_crm.leads import leads_org


@pytest.fixture
def org() -> Org:
    return leads_org()


def names(org: Org, criteria: Any) -> list[str]:
    return [row["Last_Name"][:6] for row in read(org, "Leads", fields=["Last_Name"], criteria=criteria)]


def single(field: str, comparator: str, value: Any) -> dict[str, Any]:
    return {"field": {"api_name": field}, "comparator": comparator, "value": value}


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        (single("Stage", "equal", "Open"), ['Say "h']),
        (single("Last_Name", "starts_with", "Lead"), ["Lead 1", "Lead 2", "Lead 3", "Lead 4"]),
        (single("Last_Name", "ends_with", "2"), ["Lead 2"]),
        (single("Last_Name", "contains", "hi"), ['Say "h']),
        (single("Last_Name", "not_contains", "Lead"), ['Say "h']),
        (single("Rating", "greater_than", 3), ["Lead 4"]),
        (single("Rating", "less_equal", "1"), ["Lead 1"]),
        (single("Rating", "in", [1, "2"]), ["Lead 1", "Lead 2"]),
        (single("Rating", "not_in", [1, 2, 3]), ["Lead 4"]),
        (single("Active", "equal", True), ['Say "h']),
        (single("Active", "equal", "true"), ['Say "h']),
        (single("Due", "equal", "2026-03-01"), ['Say "h']),
        (single("Due", "equal", "${EMPTY}"), ["Lead 1", "Lead 2", "Lead 3", "Lead 4"]),
        (single("Due", "not_equal", "${EMPTY}"), ['Say "h']),
        (single("Colours", "contains", "Green"), ['Say "h']),
        (single("Modified_Time", "greater_equal", "2026-03-01T16:00:00+01:00"), ["Lead 3", "Lead 4"]),
        (single("Modified_Time", "greater_equal", "2026-03-01T15:00:00Z"), ["Lead 3", "Lead 4"]),
        (
            single("Modified_Time", "between", ["2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z"]),
            ["Lead 1", "Lead 2"],
        ),
        (
            {
                "group_operator": "AND",
                "group": [single("Stage", "equal", "Won"), single("Rating", "less_than", 2)],
            },
            ["Lead 1"],
        ),
        (
            {
                "group_operator": "or",
                "group": [
                    single("Stage", "equal", "Open"),
                    {
                        "group_operator": "and",
                        "group": [single("Rating", "greater_than", 1), single("Rating", "less_than", 3)],
                    },
                ],
            },
            ['Say "h', "Lead 2"],
        ),
    ],
)
def test_criteria_filter(org: Org, criteria: Any, expected: list[str]) -> None:
    assert names(org, criteria) == expected


def test_lookups_compare_by_id_and_ids_as_numbers(org: Org) -> None:
    acme, first = org.records("Accounts")[0].id, org.records("Leads")[0].id
    assert names(org, single("Account_Name", "equal", acme)) == ['Say "h']
    assert len(names(org, single("id", "greater_than", first))) == 4


GROUP = {"group_operator": "and", "group": [single("Stage", "equal", "Won")]}


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ("Stage = Won", "INVALID_CRITERIA"),
        ({"field": {"api_name": "Stage"}}, "INVALID_CRITERIA"),
        ({"field": "Stage", "comparator": "equal", "value": "Won"}, "INVALID_CRITERIA"),
        ({"group_operator": "and", "group": []}, "INVALID_CRITERIA"),
        ({"group": [single("Stage", "equal", "Won")]}, "INVALID_CRITERIA"),
        ({**GROUP, "group_operator": "xor"}, "GROUP_OPERATOR_NOT_SUPPORTED"),
        ({**GROUP, **single("Stage", "equal", "Won")}, "AMBIGUOUS_CRITERIA"),
        (single("Nope", "equal", "x"), "FIELD_IN_CRITERIA_NOT_AVAILABLE"),
        (single("Files", "equal", "x"), "FIELD_IN_CRITERIA_NOT_SUPPORTED"),
        (single("Story", "equal", "x"), "FIELD_IN_CRITERIA_NOT_SUPPORTED"),
        (single("Stage", "like", "x"), "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED"),
        (single("Stage", "between", ["a", "b"]), "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Active", "not_equal", True), "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Rating", "contains", "1"), "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Rating", "in", 1), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Rating", "equal", [1]), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Due", "between", ["2026-01-01"]), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Rating", "less_than", "${EMPTY}"), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Rating", "equal", True), "VALUE_TYPE_NOT_SUPPORTED"),
        (single("Stage", "equal", 7), "VALUE_TYPE_NOT_SUPPORTED"),
        (single("Stage", "equal", None), "VALUE_TYPE_NOT_SUPPORTED"),
        (single("Rating", "equal", "many"), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Seen", "equal", "2026-03-01T12:00:00.000Z"), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Seen", "equal", "2026-03-01"), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"),
        (single("Last_Name", "contains", "x" * 256), "VALUE_IN_CRITERIA_NOT_SUPPORTED"),
        (single("Rating", "in", list(range(201))), "VALUE_LIMIT_EXCEEDED_IN_CRITERIA"),
        ({"group_operator": "or", "group": [single("Rating", "equal", 1)] * 26}, "CRITERIA_LIMIT_EXCEEDED"),
    ],
)
def test_criteria_that_break_a_rule_are_refused(org: Org, criteria: Any, code: str) -> None:
    reply = create(org, "Leads", criteria=criteria)
    assert (reply.status, reply.code) == (400, code)


def test_the_echo_of_criteria_names_each_field_with_its_id(org: Org) -> None:
    job = job_of(org, "Leads", criteria=GROUP)
    field = poll(org, job)["query"]["criteria"]["group"][0]["field"]
    assert field == {
        "api_name": "Stage",
        "id": next(f.id for f in org.modules["Leads"].fields if f.api_name == "Stage"),
    }


@pytest.mark.parametrize("flag", ["$converted", "Converted__s"])
def test_converted_records_are_hidden_unless_the_criteria_name_the_flag(org: Org, flag: str) -> None:
    org.convert(org.records("Leads")[0].id)
    assert len(read(org, "Leads")) == 5
    org.quirks.bulk_hides_converted = True
    assert len(read(org, "Leads", fields=["Last_Name", flag])) == 4
    assert names(org, single(flag, "equal", True)) == ['Say "h']
    either = {"group_operator": "or", "group": [single(flag, "equal", True), single(flag, "equal", False)]}
    rows = read(org, "Leads", fields=["Last_Name", flag], criteria=either)
    assert [row[flag] for row in rows] == ["true", "false", "false", "false", "false"]


@pytest.mark.parametrize(
    ("name", "value"), [("$approved", False), ("$approval_state", "approval_process_pending")]
)
def test_unapproved_records_are_hidden_unless_the_criteria_may_name_the_approval(
    org: Org, name: str, value: object
) -> None:
    org.approve("Leads", org.records("Leads")[0].id, False)
    assert len(read(org, "Leads")) == 4
    refused = create(org, "Leads", criteria=single(name, "equal", value))
    assert (refused.status, refused.code) == (400, "FIELD_IN_CRITERIA_NOT_AVAILABLE")
    org.quirks.approval_in_criteria = name
    assert names(org, single(name, "equal", value)) == ['Say "h']
    org.quirks.bulk_hides_unapproved = False
    assert len(read(org, "Leads")) == 5


def test_a_lead_that_is_inserted_as_converted_bears_the_flag_in_every_api(org: Org) -> None:
    id = org.insert("Leads", {"Last_Name": "Done"}, converted=True)
    assert org.record("Leads", id).values["Converted__s"] is True  # type: ignore[union-attr]
    (row,) = read(org, "Leads", fields=["Converted__s"], criteria=single("Converted__s", "equal", True))
    assert row == {"Id": id, "Converted__s": "true"}

"""COQL's where clause: what filters, what is refused, which records are hidden."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Org, Quirks
from tests.simulators.zoho_crm.calling import query, rows_of
from tests.simulators.zoho_crm.leads import coql_org


@pytest.fixture
def org() -> Org:
    return coql_org()


def names(org: Org, where: str) -> list[str]:
    return [row["Last_Name"] for row in rows_of(org, f"select Last_Name from Leads where {where}")]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Last_Name = 'O''Neil'", ["O'Neil"]),
        ("Last_Name != 'O''Neil'", ["Lead 1", "Lead 2", "Lead 3", "Lead 4"]),
        ("Last_Name like '%3'", ["Lead 3"]),
        ("Last_Name like 'O%'", ["O'Neil"]),
        ("Last_Name like '%ead%'", ["Lead 1", "Lead 2", "Lead 3", "Lead 4"]),
        ("Last_Name not like '%ead%'", ["O'Neil"]),
        ("Rating > 3", ["Lead 4"]),
        ("Rating >= '3' and Rating <= 3", ["O'Neil", "Lead 3"]),
        ("Rating between 1 and 2", ["Lead 1", "Lead 2"]),
        ("Rating not between 1 and 3", ["Lead 4"]),
        ("Rating in (1, '4')", ["Lead 1", "Lead 4"]),
        ("Rating not in (1, 2, 3)", ["Lead 4"]),
        ("Amount = 10.123456789", ["O'Neil"]),
        ("Amount is null", ["Lead 1", "Lead 2", "Lead 3", "Lead 4"]),
        ("Amount != 1", ["O'Neil"]),  # a null is not unequal, it is nothing
        ("Due = '2026-03-01'", ["O'Neil"]),
        ("Active = 'true'", ["O'Neil"]),
        ("Colours = 'Red;Green'", ["O'Neil"]),
        ("Account_Name is not null", ["O'Neil"]),
        ("Account_Name.Phone = '007'", ["O'Neil"]),
        ("Modified_Time >= '2026-03-01T16:00:00+01:00'", ["Lead 3", "Lead 4"]),
        ("Modified_Time >= '2026-03-01T15:00:00Z'", ["Lead 3", "Lead 4"]),
        ("((Stage = 'Won' and Rating > 2) or Stage = 'Open')", ["O'Neil", "Lead 3", "Lead 4"]),
        ("'Order' = 'first'", ["O'Neil"]),
    ],
)
def test_a_where_clause_filters(org: Org, where: str, expected: list[str]) -> None:
    assert names(org, where) == expected


def test_ids_compare_as_numbers_and_lookups_by_id(org: Org) -> None:
    first = org.records("Leads")[0]
    assert len(names(org, f"id > {first.id}")) == 4
    assert names(org, f"Account_Name = '{first.values['Account_Name']['id']}'") == ["O'Neil"]


@pytest.mark.parametrize(
    ("where", "column"),
    [
        ("Active != 'true'", "Active"),
        ("Active is null", "Active"),
        ("Last_Name > 'A'", "Last_Name"),
        ("Rating like '1%'", "Rating"),
        ("Account_Name > '1'", "Account_Name"),
        ("Notes_Text = 'x'", "Notes_Text"),
        ("Last_Name not like 'x%'", "Last_Name"),
        ("Last_Name = 7", "Last_Name"),
        ("Rating = 'many'", "Rating"),
        ("Due = '2026-13-01'", "Due"),
        ("Seen > '2026-03-01T12:00:00'", "Seen"),
        ("Seen > '2026-03-01T12:00:00.000Z'", "Seen"),
        ("Seen > '2026-03-01'", "Seen"),
        ("Active = 'yes'", "Active"),
        ("Nonsense = 'x'", "Nonsense"),
        ("Hidden = 'x'", "Hidden"),
        ("Files is null", "Files"),
    ],
)
def test_what_a_column_does_not_take_is_an_invalid_query_that_names_it(
    org: Org, where: str, column: str
) -> None:
    reply = query(org, f"select id from Leads where {where}")
    assert (reply.status, reply.code) == (400, "INVALID_QUERY")
    assert reply.details["column_name"] == column


@pytest.mark.parametrize("flag", ["Converted__s", "$converted"])
def test_converted_records_are_hidden_unless_the_where_clause_names_the_flag(org: Org, flag: str) -> None:
    org.convert(org.records("Leads")[0].id)
    assert len(names(org, "id is not null")) == 4
    assert names(org, f"{flag} = 'true'") == ["O'Neil"]
    assert len(names(org, f"({flag} = 'true' or {flag} = 'false')")) == 5
    org.quirks = Quirks(coql_hides_converted=False)
    assert len(names(org, "id is not null")) == 5


@pytest.mark.parametrize(
    ("flag", "value"), [("$approved", "false"), ("$approval_state", "approval_process_pending")]
)
def test_unapproved_records_are_hidden_unless_the_where_clause_may_name_the_approval(
    org: Org, flag: str, value: str
) -> None:
    org.approve("Leads", org.records("Leads")[0].id, False)
    assert len(names(org, "id is not null")) == 4
    assert query(org, f"select id from Leads where {flag} = '{value}'").code == "INVALID_QUERY"
    org.quirks.approval_in_criteria = flag
    assert names(org, f"{flag} = '{value}'") == ["O'Neil"]
    org.quirks.coql_hides_unapproved = False
    assert len(names(org, "id is not null")) == 5

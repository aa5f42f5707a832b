"""COQL asked for the rows of given records: subforms, links and notes by their lookups, many ids at once."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Org
from tests.simulators.zoho_crm.calling import query, rows_of
from tests.simulators.zoho_crm.deals import children_org, deal_of


@pytest.fixture
def org() -> Org:
    org = children_org()
    org.quirks.coql_modules_refused = frozenset()
    return org


@pytest.mark.parametrize(
    ("module", "lookup"),
    [("Rows", "Parent_Id"), ("Links", "Deal"), ("Notes", "Parent_Id"), ("Attachments", "Parent_Id")],
)
def test_the_rows_of_some_records_are_found_by_their_lookup(org: Org, module: str, lookup: str) -> None:
    first, second, third = (deal_of(org, name) for name in "abc")
    expected = {
        deal: {row.id for row in org.records(module) if (row.values[lookup] or {}).get("id") == deal}
        for deal in (first, second, third)
    }
    for where, deals in (
        (f"{lookup} = '{first}'", [first]),
        (f"{lookup} in ('{first}','{third}')", [first, third]),
        (f"{lookup} in ({second}, '{third}')", [second, third]),
    ):
        found = rows_of(org, f"select id, {lookup} from {module} where {where}")
        assert {row["id"] for row in found} == set().union(*(expected[deal] for deal in deals))
        assert {row[lookup]["id"] for row in found} == set(deals)


def test_records_are_found_by_many_ids(org: Org) -> None:
    deals = [deal_of(org, name) for name in "abc"]
    rows = rows_of(org, f"select id from Deals where id in ('{deals[0]}', {deals[2]}, '1')")
    assert {row["id"] for row in rows} == {deals[0], deals[2]}


@pytest.mark.parametrize("cap", [50, 100])
@pytest.mark.parametrize(("module", "column"), [("Rows", "Parent_Id"), ("Deals", "id")])
def test_the_values_of_one_in_are_capped(org: Org, cap: int, module: str, column: str) -> None:
    org.quirks.coql_in_values = cap
    deal_of(org)
    ids = ", ".join(f"'{number}'" for number in range(cap))
    assert query(org, f"select id from {module} where {column} in ({ids})").status == 204
    over = query(org, f"select id from {module} where {column} in ({ids}, '{cap}')")
    assert (over.status, over.code, over.details["limit"]) == (400, "LIMIT_EXCEEDED", cap)


def test_a_value_that_is_no_id_is_an_invalid_query(org: Org) -> None:
    reply = query(org, "select id from Rows where Parent_Id in ('1', 'x')")
    assert (reply.status, reply.code) == (400, "INVALID_QUERY")


@pytest.mark.parametrize(
    ("refused", "statuses"),
    [(("Notes", "Attachments"), (400, 400)), (("Attachments",), (204, 400)), ((), (204, 204))],
)
def test_coql_may_not_offer_notes_and_attachments(
    org: Org, refused: tuple[str, ...], statuses: tuple[int, int]
) -> None:
    org.quirks.coql_modules_refused = frozenset(refused)
    for module, status in zip(("Notes", "Attachments"), statuses, strict=True):
        reply = query(org, f"select id from {module} where Parent_Id = '1'")
        assert reply.status == status
        assert status == 204 or reply.code == "INVALID_QUERY"

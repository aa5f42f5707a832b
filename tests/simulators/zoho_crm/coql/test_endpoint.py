"""The COQL call: rows, aggregates, caps, refusals."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from tests.simulators.zoho_crm.calling import call, query, rows_of
from tests.simulators.zoho_crm.leads import coql_org


@pytest.fixture
def org() -> Org:
    return coql_org()


def test_a_row_has_the_shapes_of_the_records_api_and_always_its_id(org: Org) -> None:
    (row,) = rows_of(
        org,
        "select Last_Name, Colours, Amount, Due, Seen, Active, Account_Name, Owner, Total, 'Order' "
        "from Leads where Stage = 'Open'",
    )
    account = org.records("Accounts")[0]
    assert row == {
        "id": org.records("Leads")[0].id,
        "Last_Name": "O'Neil",
        "Colours": ["Red", "Green"],
        "Amount": 10.123456789,
        "Due": "2026-03-01",
        "Seen": "2026-03-01T13:00:00+01:00",
        "Active": True,
        "Account_Name": {"id": account.id, "name": "Acme"},
        "Owner": {"id": org.user["id"], "name": org.user["full_name"]},
        "Total": 99.5,
        "Order": "first",
    }


def test_joined_columns_stand_under_their_dotted_key_and_aliases_under_theirs(org: Org) -> None:
    first, second, *_ = rows_of(
        org,
        "select Account_Name.Phone, Owner.last_name, Last_Name as 'The name' from Leads where id is not null",
    )
    assert first["Account_Name.Phone"] == "007"
    assert first["Owner.last_name"] == "Admin"
    assert first["The name"] == "O'Neil"
    assert second["Account_Name.Phone"] is None


@pytest.mark.parametrize("column", ["Lines", "Files", "Nonsense", "Hidden", "$converted"])
def test_columns_that_cannot_be_selected_are_named(org: Org, column: str) -> None:
    reply = query(org, f"select id, {column} from Leads where id is not null")
    assert (reply.status, reply.code) == (400, "INVALID_QUERY")
    assert reply.details["column_name"] == column


def test_the_types_that_cannot_be_selected_are_a_switch_and_a_module_may_add_fields(org: Org) -> None:
    org.quirks = Quirks(coql_refused_types=frozenset())
    assert query(org, "select Files from Leads where id is not null").status == 200
    org.modules["Leads"].refused_by_coql = {"Stage"}
    assert query(org, "select Stage from Leads where id is not null").details["column_name"] == "Stage"


def test_rich_text_is_whole_or_cut(org: Org) -> None:
    text = "select Notes_Text from Leads where Stage = 'Open'"
    assert len(rows_of(org, text)[0]["Notes_Text"]) == 600
    org.quirks = Quirks(coql_rich_text_cut=True)
    assert len(rows_of(org, text)[0]["Notes_Text"]) == 500


def test_order_is_by_id_unless_it_is_asked_for(org: Org) -> None:
    text = "select Last_Name from Leads where id is not null"
    assert rows_of(org, text)[0]["Last_Name"] == "O'Neil"
    by_rating = rows_of(org, f"{text} order by Rating desc, id asc")
    assert [row["Last_Name"] for row in by_rating] == ["Lead 4", "O'Neil", "Lead 3", "Lead 2", "Lead 1"]


def test_order_may_name_an_alias(org: Org) -> None:
    rows = rows_of(org, "select Rating as 'R' from Leads where id is not null order by R desc limit 1")
    assert rows[0]["R"] == 4


def test_pages_are_cut_by_limit_and_offset_and_say_whether_more_follows(org: Org) -> None:
    first = query(org, "select id from Leads where id is not null limit 3")
    assert first.body["info"] == {"count": 3, "more_records": True}
    last = query(org, "select id from Leads where id is not null limit 3 offset 3")
    assert last.body["info"] == {"count": 2, "more_records": False}
    assert query(org, "select id from Leads where id is not null limit 5, 3").status == 204


def test_no_rows_are_204(org: Org) -> None:
    assert query(org, "select id from Leads where Last_Name = 'nobody'").status == 204


def test_aggregates_are_one_row_or_one_a_group(org: Org) -> None:
    assert rows_of(
        org, "select COUNT(id), MAX(Modified_Time), MIN(Rating), SUM(Amount) from Leads where id is not null"
    ) == [
        {
            "COUNT(id)": 5,
            "MAX(Modified_Time)": "2026-03-01T17:00:00+01:00",
            "MIN(Rating)": 1,
            "SUM(Amount)": 10.123456789,
        }
    ]
    groups = rows_of(
        org,
        "select Stage, COUNT(id), AVG(Rating) from Leads where id is not null group by Stage order by Stage asc",
    )
    assert groups == [
        {"Stage": "Open", "COUNT(id)": 1, "AVG(Rating)": 3},
        {"Stage": "Won", "COUNT(id)": 4, "AVG(Rating)": 2.5},
    ]
    assert rows_of(org, "select MAX(id) from Leads where id is not null") == [
        {"MAX(id)": org.records("Leads")[-1].id}
    ]


def test_counting_nothing_is_zero(org: Org) -> None:
    nothing = "select COUNT(id), MAX(Modified_Time) from Leads where Stage = 'Lost'"
    assert rows_of(org, nothing) == [{"COUNT(id)": 0, "MAX(Modified_Time)": None}]


@pytest.mark.parametrize(
    "text",
    [
        "select Stage, COUNT(id) from Leads where id is not null",
        "select COUNT(Last_Name) from Leads where id is not null",
        "select SUM(Stage) from Leads where id is not null",
        "select MAX(Last_Name) from Leads where id is not null",
        "select Stage, COUNT(id) from Leads where id is not null group by Stage order by Rating",
    ],
)
def test_aggregates_that_zoho_does_not_take_are_invalid(org: Org, text: str) -> None:
    assert query(org, text).code == "INVALID_QUERY"


def caps() -> list[tuple[str, str, int]]:
    terms = "Rating = 1"
    for _ in range(25):
        terms = f"({terms} or Rating = 1)"
    return [
        ("limit", "select id from Leads where id > 1 limit 2001", 2_000),
        ("offset", "select id from Leads where id > 1 limit 2000 offset 98001", 100_000),
        ("where", f"select id from Leads where {terms}", 25),
        ("in", f"select id from Leads where Rating in ({', '.join(['1'] * 101)})", 100),
        ("group by", "select COUNT(id) from Leads where id > 1 group by a, b, c, d, e", 4),
        ("order by", "select id from Leads where id > 1 order by a, b, c, d, e, f, g, h, i, j, k", 10),
        (
            "aggregate",
            "select COUNT(id), MAX(id), MIN(id), SUM(Rating), AVG(Rating), MAX(Rating) from Leads where id > 1",
            5,
        ),
    ]


@pytest.mark.parametrize(("clause", "text", "limit"), caps(), ids=[clause for clause, _, _ in caps()])
def test_caps_are_limit_exceeded_and_name_the_limit(org: Org, clause: str, text: str, limit: int) -> None:
    reply = query(org, text)
    assert (reply.status, reply.code) == (400, "LIMIT_EXCEEDED")
    assert (reply.details["clause"], reply.details["limit"]) == (clause, limit)


def test_the_reach_ends_exactly_at_100_000(org: Org) -> None:
    assert query(org, "select id from Leads where id > 1 limit 2000 offset 98000").status == 204


@pytest.mark.parametrize("cap", [500, 200, 50])
def test_the_cap_on_columns_is_a_switch(org: Org, cap: int) -> None:
    org.quirks = Quirks(coql_columns=cap)
    for number in range(cap + 1):
        org.add_field("Leads", Field(f"F_{number}", "text"))
    columns = [f"F_{number}" for number in range(cap + 1)]
    over = query(org, f"select {', '.join(columns)} from Leads where id is not null")
    assert (over.code, over.details["limit"]) == ("LIMIT_EXCEEDED", cap)
    assert query(org, f"select {', '.join(columns[:cap])} from Leads where id is not null").status == 200


def test_the_bracket_rule_is_a_switch(org: Org) -> None:
    flat = "select id from Leads where Rating > 0 and Rating < 9 and Active = 'false'"
    assert len(rows_of(org, flat)) == 4
    org.quirks = Quirks(coql_flat_triples=False)
    assert query(org, flat).code == "SYNTAX_ERROR"
    paired = "select id from Leads where ((Rating > 0 and Rating < 9) and Active = 'false')"
    assert len(rows_of(org, paired)) == 4


def test_a_column_twice_is_refused(org: Org) -> None:
    assert query(org, "select Stage, Stage from Leads where id > 1").code == "DUPLICATE_DATA"
    assert query(org, "select Stage as 'a', Rating as 'a' from Leads where id > 1").code == "DUPLICATE_ALIAS"
    assert query(org, "select id from Leads where id > 1 order by id, id").code == "DUPLICATE_DATA"


def test_credits_follow_the_limit(org: Org) -> None:
    for limit, credits in ((200, 1), (201, 2), (1_000, 2), (1_001, 3), (2_000, 3)):
        org.ledger.clear()
        query(org, f"select id from Leads where id > 1 limit {limit}")
        assert org.ledger.credits == credits


def test_the_ledger_knows_the_module(org: Org) -> None:
    query(org, "select id from Leads where id > 1")
    assert [call.module for call in org.ledger.calls("POST /crm/v8/coql")] == ["Leads"]


def test_modules_that_cannot_be_queried_are_refused_in_their_words(org: Org) -> None:
    org.add_module(Module("Secrets", [Field("Name", "text")], no_permission=True))
    org.add_module(Module("Closed", [Field("Name", "text")], coql_supported=False))
    org.add_module(Module("Home", [], api_supported=False))
    org.add_module(Module("Scored", [], scope_mismatch=True))
    seen = {name: query(org, f"select id from {name} where id > 1") for name in ("Nope", "Home", "Closed")}
    assert {name: reply.code for name, reply in seen.items()} == {
        "Nope": "INVALID_MODULE",
        "Home": "INVALID_MODULE",
        "Closed": "INVALID_QUERY",
    }
    assert query(org, "select id from Secrets where id > 1").status == 403
    assert query(org, "select id from Scored where id > 1").code == "OAUTH_SCOPE_MISMATCH"


def test_both_scopes_are_needed(org: Org) -> None:
    org.scopes = {"ZohoCRM.coql.READ", "ZohoCRM.modules.accounts.READ"}
    assert query(org, "select id from Accounts where id > 1").status == 200
    assert query(org, "select id from Leads where id > 1").code == "OAUTH_SCOPE_MISMATCH"


def test_the_body_holds_a_query(org: Org) -> None:
    assert call(org, "POST", "/crm/v8/coql", {}).code == "MANDATORY_NOT_FOUND"
    assert call(org, "POST", "/crm/v8/coql", {"select_query": 7}).code == "INVALID_DATA"


@pytest.mark.parametrize(
    "text",
    [
        "select Spooky from Leads where Spooky = 'x'",
        "select id from Leads where id > 1 order by Colours",
        "select Account_Name.Owner.name from Leads where id > 1",
        "select Owner.profile from Leads where id > 1",
        "select id from Users where id > 1",
    ],
)
def test_what_is_not_modelled_is_a_teapot(org: Org, text: str) -> None:
    assert query(org, text).status == 418


def test_include_meta_is_not_modelled(org: Org) -> None:
    body = {"select_query": "select id from Leads where id > 1", "include_meta": ["fields"]}
    assert call(org, "POST", "/crm/v8/coql", body).status == 418


def test_rules_may_be_lowered(org: Org) -> None:
    org.rules = Rules(coql_limit=2)
    assert query(org, "select id from Leads where id > 1 limit 3").details["limit"] == 2


def test_a_fault_may_strike_one_module_only(org: Org) -> None:
    org.faults.add("POST /crm/v8/coql", module="Accounts", status=500)
    assert query(org, "select id from Leads where id > 1").status == 200
    assert query(org, "select id\nfrom Accounts where id > 1").status == 500

"""The grammar of COQL: what parses, and what is refused with which words."""

from __future__ import annotations

import pytest

from simulators.zoho_crm.coql.parser import (
    Column,
    Comparison,
    CoqlError,
    Group,
    Literal,
    Query,
    parse,
)
from simulators.zoho_crm.exceptions import Unmodelled


def where(condition: str, *, flat_conditions: bool = True) -> Comparison | Group:
    return parse(f"select id from Leads where {condition}", flat_conditions=flat_conditions).where


def refusal(query: str, *, flat_conditions: bool = True) -> CoqlError:
    with pytest.raises(CoqlError) as caught:
        parse(query, flat_conditions=flat_conditions)
    return caught.value


def test_a_whole_query_is_taken_apart() -> None:
    query = parse(
        "SELECT Last_Name, 'Account_Name' AS 'The account', Owner.last_name FROM Contacts\n"
        "WHERE id IS NOT NULL ORDER BY Modified_Time DESC, id LIMIT 2000 OFFSET 400"
    )
    assert query == Query(
        (Column("Last_Name"), Column("Account_Name", alias="The account"), Column("Owner.last_name")),
        "Contacts",
        Comparison("id", "is not null"),
        order_by=(("Modified_Time", True), ("id", False)),
        limit=2000,
        offset=400,
    )
    assert [column.key for column in query.columns] == ["Last_Name", "The account", "Owner.last_name"]


def test_aggregates_are_keyed_by_their_spelling() -> None:
    query = parse(
        "select COUNT(id), MAX(Modified_Time), Stage from Deals where id is not null group by Stage"
    )
    assert [column.key for column in query.columns] == ["COUNT(id)", "MAX(Modified_Time)", "Stage"]
    assert query.group_by == ("Stage",)
    assert query.aggregated


def test_limit_defaults_to_200_and_the_short_form_puts_the_offset_first() -> None:
    assert (parse("select id from Leads where id > 1").limit) == 200
    short = parse("select id from Leads where id > 1 limit 400, 50")
    assert (short.offset, short.limit) == (400, 50)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a = 'x'", Comparison("a", "=", (Literal("x", True),))),
        ("a != -1.5", Comparison("a", "!=", (Literal("-1.5", False),))),
        ("a>=7", Comparison("a", ">=", (Literal("7", False),))),
        ("a = 'O''Neil'", Comparison("a", "=", (Literal("O'Neil", True),))),
        ("a between '1' and '2'", Comparison("a", "between", (Literal("1", True), Literal("2", True)))),
        ("a not between 1 and 2", Comparison("a", "not between", (Literal("1", False), Literal("2", False)))),
        ("a in ('x','y')", Comparison("a", "in", (Literal("x", True), Literal("y", True)))),
        ("a not in (1)", Comparison("a", "not in", (Literal("1", False),))),
        ("a like '%x%'", Comparison("a", "like", (Literal("%x%", True),))),
        ("a not like '%x%'", Comparison("a", "not like", (Literal("%x%", True),))),
        ("a is null", Comparison("a", "is null")),
        ("a IS NOT NULL", Comparison("a", "is not null")),
        ("'order' = 'x'", Comparison("order", "=", (Literal("x", True),))),
        ("$converted = 'true'", Comparison("$converted", "=", (Literal("true", True),))),
    ],
)
def test_every_operator_is_read(condition: str, expected: Comparison) -> None:
    assert where(condition) == expected


A, B, C = (Comparison(name, "is null") for name in "abc")


def test_brackets_group_conditions() -> None:
    assert where("((a is null and b is null) or c is null)", flat_conditions=False) == Group(
        "or", (Group("and", (A, B)), C)
    )


def test_three_conditions_without_brackets_are_accepted_or_a_syntax_error() -> None:
    flat = "a is null and b is null and c is null"
    assert where(flat) == Group("and", (A, B, C))
    strict = refusal(f"select id from Leads where {flat}", flat_conditions=False)
    assert strict.code == "SYNTAX_ERROR"


@pytest.mark.parametrize(
    "condition", ["a is null and b is null or c is null", "a is null or b is null or c is null"]
)
def test_only_a_chain_of_ands_goes_without_brackets(condition: str) -> None:
    assert refusal(f"select id from Leads where {condition}").code == "SYNTAX_ERROR"


@pytest.mark.parametrize(
    ("query", "clause"),
    [
        ("select id from Leads", "where"),
        ("select id where id > 1", "from"),
        ("from Leads where id > 1", "select"),
    ],
)
def test_a_missing_clause_is_named(query: str, clause: str) -> None:
    assert refusal(query).details == {"clause": clause}


def test_a_syntax_error_says_line_column_and_what_is_near() -> None:
    error = refusal("select id\nfrom Leads where order = 'x'")
    assert error.code == "SYNTAX_ERROR"
    assert error.details == {"line": 2, "column": 18, "near": "order = 'x'"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "select * from Leads where id > 1",
        "select id, from Leads where id > 1",
        "select count(id) from Leads where id > 1",  # aggregates are upper case
        "select from from Leads where id > 1",
        "select id from Leads where id > 1 limit -1",
        "select id from Leads where id > 1 limit '5'",
        "select id from Leads where id in ()",
        "select id from Leads where id in 1, 2",
        "select id from Leads where a = true",
        "select id from Leads where a = 2026-03-01T00:00:00Z",
        "select id from Leads where a = 'open",
        'select id from Leads where a = "x"',
        "select id from Leads where (a = 1",
        "select id from Leads where a = 1)",
        "select id from Leads where a = 1 and",
        "select id from Leads where a not = 1",
        "select id from Leads where a is 1",
        "select id from Leads where id > 1 order by",
        "select id from Leads where id > 1 order Modified_Time",
        "select id from Leads where id > 1; select id from Leads where id > 1",
    ],
)
def test_nonsense_is_a_syntax_error(query: str) -> None:
    assert refusal(query).code == "SYNTAX_ERROR"


@pytest.mark.parametrize(
    "query",
    [
        "select id from Leads#123 where id > 1",
        "select 'What_Id->Leads.Last_Name' from Tasks where id > 1",
        "select !Leads.Owner from Leads where id > 1",
        "select id from Leads where id in (select id from Contacts where id > 1)",
        "select Stage, COUNT(id) from Deals where id > 1 group by Stage having COUNT(id) > 1",
    ],
)
def test_coql_that_zoho_may_take_but_is_not_modelled_is_told_apart(query: str) -> None:
    with pytest.raises(Unmodelled):
        parse(query)

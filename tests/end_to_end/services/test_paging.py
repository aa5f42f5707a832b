"""Rows change while their list is read, and the lists have their edges: no row is lost, and none is there twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.connecting import assert_tables
from tests.support.reading import after_call


def many(suite, count, connector):
    """Rows over several pages, each with a time of its own."""
    begin = suite.clock.now() - timedelta(days=30)
    kind = {"desk": "tickets", "books": "invoices", "recruit": "Candidates"}[connector]
    service = getattr(suite, connector)
    for number in range(count):
        values = {"subject": f"{number}"} if connector == "desk" else {}
        service.insert(kind, values, modified_time=begin + timedelta(minutes=number))
    return service, kind


ROUTES = {
    "desk": ("GET /api/v1/tickets/search", "tickets", 350),
    "books": ("GET /books/v3/invoices", "invoices", 650),
    "recruit": ("GET /recruit/v2/{module}", "candidates", 650),
}
CHANGES = {
    "edit": lambda service, kind: [service.edit(kind, row.id) for row in service.rows(kind)[:3]],
    "insert": lambda service, kind: [service.insert(kind, {}) for _ in range(3)],
    "delete": lambda service, kind: [service.delete(kind, row.id) for row in service.rows(kind)[:3]],
    "delete many": lambda service, kind: [service.delete(kind, row.id) for row in service.rows(kind)[:250]],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("connector", ROUTES)
@pytest.mark.cases(3)
def test_rows_that_change_between_two_pages_hide_no_others(suite, read, connector, change):
    route, table, count = ROUTES[connector]
    service, kind = many(suite, count, connector)
    before = {row.id for row in service.rows(kind)}
    after_call(suite, route, 2, lambda: CHANGES[change](service, kind))
    try:
        read.good(connector, table)
    finally:
        del suite.ledger.add
    key = "invoice_id" if connector == "books" else "id"
    found = [row[key] for row in read.rows(connector, table)]
    assert len(found) == len(set(found))
    assert before & {row.id for row in service.rows(kind)} <= set(found)
    suite.clock.advance(minutes=1)
    read.good(connector, table, full=change.startswith("delete"))
    assert_tables(read, suite, connector, table)


@pytest.mark.parametrize("starts_at", [0, 1])
@pytest.mark.cases(1)
def test_desks_lists_begin_with_row_0_or_1(suite, read, starts_at):
    suite.desk.quirks.list_starts_at = starts_at
    for number in range(205):
        suite.desk.insert("agents", {"name": f"{number}"})
    read.good("desk", "agents")
    assert_tables(read, suite, "desk", "agents")


def test_desks_search_is_read_beyond_what_it_reaches(suite, read):
    suite.desk.quirks.search_reach = 999
    many(suite, 1_100, "desk")
    for _ in range(250):
        suite.desk.insert("tickets", {"subject": "all at one time"})
    read.good("desk", "tickets")
    assert_tables(read, suite, "desk", "tickets")
    assert (
        max(int(call.query["from"]) for call in suite.ledger.calls(service="desk") if "from" in call.query)
        <= 999
    )


def test_a_search_that_shows_changes_late_is_looked_at_again(suite, read):
    suite.desk.quirks.search_lag_seconds = 60
    suite.desk.insert("tickets", {"subject": "early"})
    suite.clock.advance(seconds=61)
    suite.desk.insert("tickets", {"subject": "unseen"})
    suite.clock.advance(seconds=30)
    read.good("desk", "tickets")
    suite.desk.insert("tickets", {"subject": "later"})
    suite.clock.advance(seconds=61)
    read.good("desk", "tickets")
    assert_tables(read, suite, "desk", "tickets")


def test_a_minute_of_books_has_100_calls(suite, read):
    books = suite.books
    for number in range(130):
        books.insert("invoices", {"line_items": [{"name": "a", "rate": number}]})
    run = read.good("books", "invoices", "invoice_details")
    assert run.calls > 130
    assert {call.status for call in suite.ledger.calls(service="books")} == {200}
    lines = {row["invoice_id"]: row["line_items"] for row in read.rows("books", "invoice_details")}
    assert len(lines) == 130 and {len(line) for line in lines.values()} == {1}


@pytest.mark.parametrize("day", ["2026-03-08T09:30:00+00:00", "2026-11-01T08:30:00+00:00"])
@pytest.mark.cases(1)
def test_books_times_over_the_change_of_the_organisations_clock(suite, read, day):
    from datetime import datetime

    at = datetime.fromisoformat(day)
    suite.clock.advance((at - suite.clock.now()).total_seconds())
    for step in range(6):
        suite.clock.advance(minutes=20)
        suite.books.insert("invoices", {"reference_number": f"{step}"})
        read.good("books", "invoices")
        assert_tables(read, suite, "books", "invoices")


@pytest.mark.parametrize("status", [304, 204])
@pytest.mark.cases(1)
def test_recruit_says_that_nothing_is_new(suite, read, status):
    suite.recruit.quirks.nothing_new_status = status
    read.good("recruit", "candidates")
    assert read.last.readings[0].rows == 0
    suite.recruit.insert("Candidates", {"Last_Name": "A"})
    suite.clock.advance(days=1)
    read.good("recruit", "candidates")
    read.good("recruit", "candidates")
    assert_tables(read, suite, "recruit", "candidates")

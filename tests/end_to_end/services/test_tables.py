"""The tables of Desk, Books and Recruit equal the account row by row, after the first run and after later ones."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.connecting import assert_tables, tables_of

CONNECTORS = ("desk", "books", "recruit")


@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_first_run_brings_every_row_and_the_second_brings_nothing_new(full_suite, read_full, connector):
    run = read_full.good(connector)
    assert_tables(read_full, full_suite, connector)
    full_suite.clock.advance(hours=2)
    again = read_full.good(connector)
    assert_tables(read_full, full_suite, connector)
    changes = [one for one in again.readings if one.reason.startswith("what changed")]
    assert changes and sum(one.rows for one in changes) < 0.2 * sum(one.rows for one in run.readings)
    assert {one.name: run.table_counts[one.table] for one in run.readings} == {
        one.name: again.table_counts[one.table] for one in again.readings
    }


def test_amounts_are_exact_times_are_zoned_ids_and_dates_have_their_types(full_suite, read_full):
    books = full_suite.books
    id = books.insert("invoices", {"invoice_number": "007", "total": Decimal("12345678901234567.123456789")})
    read_full.good("books", "invoices")
    (row,) = [r for r in read_full.rows("books", "invoices") if r["invoice_id"] == id]
    assert (row["total"], row["invoice_number"]) == (Decimal("12345678901234567.123456789"), "007")
    kinds = dict(
        read_full.sql(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'zoho_books' and table_name = 'invoices'"
        )
    )
    assert kinds["invoice_id"] == "VARCHAR"
    assert kinds["last_modified_time"] == "TIMESTAMP WITH TIME ZONE"
    assert (kinds["date"], kinds["total"]) == ("DATE", "DECIMAL(38,9)")


def change(suite):
    """Rows that are new, changed and emptied in each table that lists its changes."""
    suite.clock.advance(hours=1)
    desk, books, recruit = suite.desk, suite.books, suite.recruit
    for kind in ("tickets", "contacts", "tasks"):
        ids = [row.id for row in desk.rows(kind)]
        desk.edit(kind, ids[0], description="a\nb")
        desk.edit(kind, ids[-1], description=None)
        desk.insert(kind, {"description": "new"})
    for kind in ("invoices", "bills", "creditnotes"):
        ids = [row.id for row in books.rows(kind, books.default_organization)]
        books.edit(kind, ids[0], status="paid", balance=Decimal("0.10"))
        books.edit(kind, ids[1], reference_number=None)
        books.insert(kind, {"total": Decimal(3)})
    for module in ("Candidates", "Interviews"):
        ids = [row.id for row in recruit.rows(module)]
        recruit.edit(module, ids[0], Created_By={"name": "Bo", "id": "1"})
        recruit.insert(module, {})


@pytest.mark.parametrize("connector", CONNECTORS)
def test_later_runs_bring_edits_and_new_rows(full_suite, read_full, connector):
    read_full.good(connector)
    change(full_suite)
    read_full.good(connector)
    assert_tables(read_full, full_suite, connector)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_two_changes_in_one_second_with_a_run_between_them(full_suite, read_full, connector):
    read_full.good(connector)
    change(full_suite)
    read_full.good(connector)
    full_suite.desk.edit("tickets", full_suite.desk.rows("tickets")[0].id, subject="again")
    books = full_suite.books
    books.edit("invoices", books.rows("invoices", books.default_organization)[0].id, status="void")
    full_suite.recruit.edit("Candidates", full_suite.recruit.rows("Candidates")[0].id, City="again")
    read_full.good(connector)
    assert_tables(read_full, full_suite, connector)


def delete_some(suite):
    for kind in ("tickets", "accounts", "agents"):
        suite.desk.delete(kind, suite.desk.rows(kind)[3].id)
    for kind in ("invoices", "items"):
        rows = suite.books.rows(kind, suite.books.default_organization)
        suite.books.delete(kind, rows[3].id)
    suite.recruit.delete("Candidates", suite.recruit.rows("Candidates")[3].id)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_deletions_leave_by_a_full_refresh(full_suite, read_full, connector):
    read_full.good(connector)
    delete_some(full_suite)
    run = read_full.good(connector, full=True)
    assert_tables(read_full, full_suite, connector)
    assert {one.reason.partition(":")[0] for one in run.readings} == {"read whole"}


@pytest.mark.parametrize("connector", CONNECTORS)
def test_deletions_leave_on_the_day_that_the_report_names(full_suite, read_full, connector):
    read_full.good(connector)
    delete_some(full_suite)
    run = read_full.good(connector)
    first = next(one for one in run.readings if one.reason.startswith("what changed"))
    assert first.reason.startswith("what changed; deletions are seen on 20")
    full_suite.clock.advance(days=400)  # the run's own times are those of this machine
    read_full.good(connector)
    assert_tables(read_full, full_suite, connector)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_table_that_was_dropped_is_read_from_the_beginning(full_suite, read_full, connector):
    table = {"desk": "tickets", "books": "invoices", "recruit": "candidates"}[connector]
    read_full.good(connector, table)
    with read_full.database() as database:
        database.sql(f"drop table zoho_{connector}.{table}")
    full_suite.clock.advance(hours=2)
    read_full.good(connector, table)
    assert_tables(read_full, full_suite, connector, table)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_database_that_was_deleted_is_filled_again(full_suite, read_full, connector):
    table = tables_of(connector)[0]
    read_full.good(connector, table)
    read_full.file.unlink()
    read_full.good(connector, table)
    assert_tables(read_full, full_suite, connector, table)


def test_a_run_long_after_the_one_before_misses_nothing(full_suite, read_full):
    read_full.good("desk", "tickets")
    for _ in range(3):
        full_suite.clock.advance(timedelta(days=1).total_seconds())
        full_suite.desk.insert("tickets", {"subject": "late"})
    read_full.good("desk", "tickets")
    assert_tables(read_full, full_suite, "desk", "tickets")

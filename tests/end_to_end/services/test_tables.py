"""The tables of Desk, Books and Recruit equal the account row by row, after the first run and after later ones."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.connecting import assert_tables

CONNECTORS = ("desk", "books", "recruit")
SOME = {
    "desk": ("tickets", "contacts", "agents"),
    "books": ("invoices", "credit_notes", "items"),
    "recruit": ("candidates", "interviews"),
}


@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.cases(1)
def test_the_first_run_brings_every_row_and_the_second_brings_nothing_new(full_suite, read_full, connector):
    run = read_full.good(connector)
    assert_tables(read_full, full_suite, connector)
    full_suite.clock.advance(hours=2)
    again = read_full.good(connector)
    assert_tables(read_full, full_suite, connector)
    changes = [one for one in again.readings if one.reason.startswith("what changed")]
    assert changes and sum(one.rows for one in changes) < 0.2 * sum(one.rows or 0 for one in run.readings)
    assert run.table_counts == again.table_counts


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
    for kind in ("tickets", "contacts"):
        ids = [row.id for row in desk.rows(kind)]
        desk.edit(kind, ids[0], description="a\nb")
        desk.edit(kind, ids[-1], description=None)
        desk.insert(kind, {"description": "new"})
    for kind in ("invoices", "creditnotes"):
        ids = [row.id for row in books.rows(kind, books.default_organization)]
        books.edit(kind, ids[0], status="paid", balance=Decimal("0.10"))
        books.edit(kind, ids[1], reference_number=None)
        books.insert(kind, {"total": Decimal(3)})
    for module in ("Candidates", "Interviews"):
        ids = [row.id for row in recruit.rows(module)]
        recruit.edit(module, ids[0], Created_By={"name": "Bo", "id": "1"})
        recruit.insert(module, {})


def delete_some(suite):
    for kind in ("tickets", "contacts", "agents"):
        suite.desk.delete(kind, suite.desk.rows(kind)[3].id)
    for kind in ("invoices", "items"):
        rows = suite.books.rows(kind, suite.books.default_organization)
        suite.books.delete(kind, rows[3].id)
    suite.recruit.delete("Candidates", suite.recruit.rows("Candidates")[3].id)


@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.cases(1)
def test_edits_new_rows_and_deletions(full_suite, read_full, connector):
    """Deletions leave at once where they are listed, or on the day that the report names, or by --full-refresh."""
    suite, some = full_suite, SOME[connector]
    read_full.good(connector, *some)
    change(suite)
    read_full.good(connector, *some)
    assert_tables(read_full, suite, connector, *some)

    # in the same second as the run before
    suite.desk.edit("tickets", suite.desk.rows("tickets")[0].id, subject="again")
    suite.books.edit(
        "invoices", suite.books.rows("invoices", suite.books.default_organization)[0].id, status="void"
    )
    suite.recruit.edit("Candidates", suite.recruit.rows("Candidates")[0].id, City="again")
    read_full.good(connector, *some)
    assert_tables(read_full, suite, connector, *some)

    delete_some(suite)
    run = read_full.good(connector, *some)
    if connector == "recruit":
        assert run.readings[0].reason == "what changed, and what was deleted"
        assert_tables(read_full, suite, connector, *some)
    else:
        assert run.readings[0].reason.startswith("what changed; deletions are seen on 20")
    assert run.table_counts[some[0]] == len(read_full.rows(connector, some[0]))
    suite.clock.advance(days=400)  # the run's own times are those of this machine
    run = read_full.good(connector, *some)
    assert run.readings[0].reason == "read whole"
    assert_tables(read_full, suite, connector, *some)

    delete_some(suite)
    read_full.good(connector, some[0], full=True)
    assert_tables(read_full, suite, connector, some[0])


@pytest.mark.long
@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.cases(1)
def test_a_table_or_a_database_that_is_gone_is_filled_again(full_suite, read_full, connector):
    table = SOME[connector][0]
    read_full.good(connector, table)
    read_full.let_go()
    with read_full.database() as database:
        database.sql(f"drop table zoho_{connector}.{table}")
    full_suite.clock.advance(hours=2)
    read_full.good(connector, table)
    assert_tables(read_full, full_suite, connector, table)
    read_full.let_go()
    read_full.file.unlink()
    read_full.good(connector, table)
    assert_tables(read_full, full_suite, connector, table)

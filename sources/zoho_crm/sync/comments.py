"""Labels of Zoho as comments on tables and columns, in DuckDB and PostgreSQL: dlt keeps them in its schema alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dlt

# What each comment hangs on: table, column (null of the table itself), comment.
STORED = {
    "dlt.destinations.duckdb": (
        "select table_name, null, comment from duckdb_tables()"
        " where schema_name = {dataset} and database_name = current_database()"
        " union all select table_name, column_name, comment from duckdb_columns()"
        " where schema_name = {dataset} and database_name = current_database()"
    ),
    "dlt.destinations.postgres": (
        "select c.relname, a.attname, d.description from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " left join (select attrelid, attname, attnum from pg_attribute where attnum > 0 and not attisdropped"
        " union all select oid, null, 0 from pg_class) a on a.attrelid = c.oid"
        " left join pg_description d"
        " on d.classoid = 'pg_class'::regclass and d.objoid = c.oid and d.objsubid = a.attnum"
        " where n.nspname = {dataset} and c.relkind = 'r'"
    ),
}
Place = tuple[str, "str | None"]


def labels(schema: dlt.Schema) -> dict[Place, str]:
    """The descriptions of dlt's schema, of tables that are not its own."""
    found: dict[Place, str] = {}
    for name, table in schema.tables.items():
        if name.startswith("_dlt"):
            continue
        if text := table.get("description"):
            found[name, None] = text
        for column, hints in table["columns"].items():
            if text := hints.get("description"):
                found[name, column] = text
    return found


def has_comments(kind: str) -> bool:
    """Whether a type of destination, as dlt names it, gets comments from here."""
    return kind in STORED


def write_comments(client: Any, kind: str, before: Mapping[Place, str]) -> int:
    """Bring the comments up to date; gives how many were written.

    A comment that is neither of these labels nor one of `before`, the labels that the schema had before the run, is
    a user's own, and stays.
    """
    sql, wanted = client.sql_client, labels(client.schema)
    literal = sql.capabilities.escape_literal
    stored = sql.execute_sql(STORED[kind].format(dataset=literal(sql.dataset_name))) or []
    there = {(table, column): comment for table, column, comment in stored}
    statements = list(_statements(sql, wanted, there, before))
    for start in range(0, len(statements), 100):
        sql.execute_many(statements[start : start + 100])
    return len(statements)


def _statements(
    sql: Any, wanted: Mapping[Place, str], there: Mapping[Place, str | None], before: Mapping[Place, str]
) -> Iterator[str]:
    for place, text in wanted.items():
        if place not in there or there[place] == text:
            continue
        if there[place] is not None and there[place] != before.get(place):
            continue
        table, column = place
        name = sql.make_qualified_table_name(table)
        what = f"table {name}" if column is None else f"column {name}.{sql.escape_column_name(column)}"
        yield f"comment on {what} is {sql.capabilities.escape_literal(text)}"

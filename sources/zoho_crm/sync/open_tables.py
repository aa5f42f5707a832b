"""Rows of Delta and Iceberg tables by SQL: a DuckDB in memory looks at what dlt's own client opens.

dlt's SQL client for them needs an extension that DuckDB downloads when it is first asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import dlt
import duckdb
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.impl.duckdb.sql_client import DuckDBDBApiCursorImpl

OPEN_FORMATS = frozenset({"delta", "iceberg"})
PACKAGES: Mapping[str, tuple[str, str]] = {
    "delta": ("deltalake", "deltalake"),
    "iceberg": ("pyiceberg", "pyiceberg"),
}


def open_table(client: Any, table_format: str, table: str) -> Any:
    """The table as the library of its format has it; None if it does not exist, or is of another format."""
    try:
        if not client.is_open_table(table_format, table):
            return None
        return client.load_open_table(table_format, table)
    except DestinationUndefinedEntity:
        return None


def columns_of(opened: Any) -> list[str]:
    """The names of the columns of a Delta or an Iceberg table."""
    return [field.name for field in opened.schema().fields]


def rows_of(opened: Any) -> Any:
    """Something that DuckDB can read once, a part at a time."""
    if hasattr(opened, "to_pyarrow_dataset"):
        return opened.to_pyarrow_dataset()
    return opened.scan().to_arrow_batch_reader()


class OpenTablesSql:
    """As much of dlt's SQL client as is asked of one."""

    def __init__(self, client: Any, table_format: str, database: duckdb.DuckDBPyConnection) -> None:
        self._client, self._format, self._database = client, table_format, database
        self._tables: dict[str, Any] = {}
        self.capabilities = client.capabilities
        self.native_connection = database

    def make_qualified_table_name(self, table: str) -> str:
        self._tables[table] = open_table(self._client, self._format, table)
        return self.escape_column_name(table)

    def escape_column_name(self, name: str) -> str:
        return str(self.capabilities.escape_identifier(name))

    @contextmanager
    def execute_query(self, query: str) -> Iterator[Any]:
        for name, opened in self._tables.items():
            if self.escape_column_name(name) in query:
                self._database.register(name, rows_of(opened))
        yield DuckDBDBApiCursorImpl(cast(Any, self._database.execute(query)))

    def execute_sql(self, query: str) -> list[tuple[Any, ...]]:
        with self.execute_query(query) as cursor:
            return list(cursor.fetchall())


@contextmanager
def open_tables_sql(pipeline: dlt.Pipeline, table_format: str) -> Iterator[OpenTablesSql]:
    """SQL that only reads the tables of a pipeline."""
    with pipeline.destination_client() as client, duckdb.connect() as database:
        database.execute("set time zone 'UTC'")
        # Arrow cannot compare text with the views of strings that Delta's files are made of: DuckDB does it.
        database.execute("set disabled_optimizers = 'filter_pushdown, join_filter_pushdown'")
        yield OpenTablesSql(client, table_format, database)

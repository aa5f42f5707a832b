"""Rows of a destination as Arrow tables with exact types, whatever its driver makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import get_py_arrow_datatype
from dlt.destinations.sql_client import DBApiCursorImpl

from sources.zoho_crm.spool import GROUP_ROWS

CELLS = 1_000_000  # in one batch, to bound memory: rows of some drivers are Python objects

# How JSON becomes text; a driver that parses it would lose digits of numbers.
JSON_AS_TEXT = {"duckdb": "cast({} as varchar)", "postgres": "cast({} as text)"}


@dataclass(frozen=True)
class TypedColumn:
    """A column as dlt describes it, and as Arrow has it."""

    hints: Mapping[str, Any]
    field: pa.Field


def typed(name: str, column: Mapping[str, Any]) -> TypedColumn:
    hints: Any = {
        key: column[key] for key in ("data_type", "precision", "scale", "timezone") if key in column
    }
    kind = get_py_arrow_datatype(hints, DestinationCapabilitiesContext.generic_capabilities(), "UTC")
    field = pa.field(name, kind, nullable=column.get("nullable", True))
    return TypedColumn({**hints, "name": name, "nullable": True}, field)


def id_list(ids: Collection[str]) -> str:
    """The ids as literals between commas. Raises ValueError for what is no id."""
    strange = [id for id in ids if not (id.isascii() and id.isdigit())]
    if strange:
        raise ValueError(f"{strange[0]!r} is no id of Zoho's")
    return ", ".join(f"'{id}'" for id in ids)


def parts(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Each id once, in lists of at most `size`."""
    once = list(dict.fromkeys(ids))
    return (once[start : start + size] for start in range(0, len(once), size))


def tables_of(sql: Any, queries: Sequence[str], columns: Mapping[str, TypedColumn]) -> Iterator[pa.Table]:
    """The rows of queries that begin with `from`, one after the other; at least one table, for its schema."""
    schema = pa.schema([column.field for column in columns.values()])
    yield schema.empty_table()
    as_text = JSON_AS_TEXT.get(sql.capabilities.sqlglot_dialect, "{}")
    names = [
        as_text.format(sql.escape_column_name(name))
        if column.hints["data_type"] == "json"
        else sql.escape_column_name(name)
        for name, column in columns.items()
    ]
    size = max(1_024, min(GROUP_ROWS, CELLS // len(columns)))
    for query in queries:
        with _cursor(sql, f"select {', '.join(names)} {query}") as cursor:
            cursor.columns_schema = {name: column.hints for name, column in columns.items()}
            for table in cursor.iter_arrow(chunk_size=size):
                yield table.rename_columns(schema.names).cast(schema)


@contextmanager
def _cursor(sql: Any, query: str) -> Iterator[Any]:
    """A cursor that holds only the rows that are fetched; PostgreSQL's would hold them all."""
    if sql.capabilities.sqlglot_dialect != "postgres":
        with sql.execute_query(query) as cursor:
            yield cursor
        return
    sql.execute_sql("set time zone 'UTC'")  # the driver has no times before the year 1 or after 9999
    with sql.begin_transaction(), sql.native_connection.cursor("held") as native:
        native.execute(query)
        yield DBApiCursorImpl(native)

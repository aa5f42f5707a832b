"""Rows of a destination as Arrow tables with exact types, whatever its driver makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.libs.pyarrow import get_py_arrow_datatype
from dlt.destinations.sql_client import DBApiCursorImpl

from .spool import GROUP_ROWS

CELLS = 1_000_000  # in one batch, to bound memory: rows of some drivers are Python objects

# How JSON becomes text; a driver that parses it would lose digits of numbers.
JSON_AS_TEXT = {"duckdb": "cast({} as varchar)", "postgres": "cast({} as text)"}

# Ids as one text: as literals each is a part of the plan, which takes DuckDB longer than the rows do, and
# older PostgreSQLs compare every row with every literal.
IDS_AS_TEXT = {
    "duckdb": "{} in (select unnest(string_split('{}', ',')))",
    "postgres": "{} in (select unnest(string_to_array('{}', ',')))",
}
IDS_A_QUERY = 20_000  # MotherDuck's queries may have 512 kB
IDS_A_LIST = 5_000  # SQL Server gives up at "many thousands", Snowflake at 16,384


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


def id_list(ids: Sequence[str]) -> str:
    """The ids as literals between commas."""
    return ", ".join(f"'{id}'" for id in ids)


def among(sql: Any, column: str, ids: Iterable[str]) -> Iterator[str]:
    """Conditions that together find the rows with one of the ids in a column, each row once."""
    name, as_text = sql.escape_column_name(column), IDS_AS_TEXT.get(sql.capabilities.sqlglot_dialect)
    for some in parts(ids, IDS_A_QUERY if as_text else IDS_A_LIST):
        yield as_text.format(name, ",".join(some)) if as_text else f"{name} in ({id_list(some)})"


def parts(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Each id once, in lists of at most `size`. Raises ValueError for what is no id of Zoho's."""
    once = list(dict.fromkeys(ids))
    strange = [id for id in once if not (id.isascii() and id.isdigit())]
    if strange:
        raise ValueError(f"{strange[0]!r} is no id of Zoho's")
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

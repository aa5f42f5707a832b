"""Reads rows in the destination, through dlt's own clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import dlt
import pyarrow as pa
from dlt.common.data_writers.escape import format_datetime_literal
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.libs.pyarrow import get_py_arrow_datatype
from dlt.common.schema.typing import TWriteDispositionConfig
from dlt.destinations.sql_client import DBApiCursorImpl

from ..exceptions import SettingsError, ZohoCrmError
from ..transform.parquet_writer import GROUP_ROWS, write_parquet
from .comments import Place, has_comments, labels, write_comments
from .json_columns import writes_json_itself
from .open_tables import OPEN_FORMATS, PACKAGES, columns_of, open_table, open_tables_sql

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
FIRST_ROWS = 1_000  # that examples are looked for in
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


DELETED_AT, VALID_TO = "deleted_at", "_dlt_valid_to"
# Those whose DELETE and UPDATE are the standard's, by the name that sqlglot gives them. The others are
# read whole, which is right everywhere.
MERGE_DIALECTS = frozenset(
    {
        "bigquery",
        "databricks",
        "duckdb",
        "fabric",
        "postgres",
        "redshift",
        "snowflake",
        "tsql",
    }
)
# By SQLAlchemy, those that a test loads into; `mysql` is MariaDB, too.
BY_SQLALCHEMY = frozenset({"mysql", "sqlite"})
# Rows take the place of those with the same key, and of rows with one key that a broken load staged twice
# dlt keeps one: done again after its commit, a load leaves the same table.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert"}
UPSERT: TWriteDispositionConfig = {"disposition": "merge", "strategy": "upsert"}


def is_duckdb(pipeline: dlt.Pipeline) -> bool:
    return pipeline.destination is not None and pipeline.destination.destination_type.endswith(".duckdb")


@dataclass(frozen=True)
class NewestTime:
    """A time, and where it stands."""

    time: datetime
    table: str
    key_column: str | None
    time_column: str


class MissingTable(ZohoCrmError):
    """The destination has no such table or column."""


class Warehouse:
    """The destination's side of a pipeline. Every look is a new one: loads add tables and columns.

    A row is live if it is neither marked as deleted nor a version that has been closed. Not to be used in
    one thread while another loads: DuckDB fails when a file is opened as its last connection closes.
    """

    def __init__(self, pipeline: dlt.Pipeline, folder: Path, table_format: str | None = None) -> None:
        self._pipeline = pipeline
        self._folder = folder
        self._format = table_format
        self._naming: Any = None
        self._clients: list[Any] = []  # that nobody uses now: dlt resolves a hundred settings to make one

    @cached_property
    def _capabilities(self) -> DestinationCapabilitiesContext:
        """Those of dlt itself where a pipeline has no destination: somebody looks at the rows of a source."""
        destination = self._pipeline.destination
        generic = DestinationCapabilitiesContext.generic_capabilities
        return generic() if destination is None else destination.capabilities()

    @property
    def can_merge(self) -> bool:
        """Whether single rows can be replaced and removed; files and vector stores cannot."""
        return self.merge is not None

    @property
    def merge(self) -> TWriteDispositionConfig | None:
        """How rows take the place of others; None where they cannot.

        dlt's merge into Iceberg leaves a deleted row there as a row of nulls, so those tables are loaded whole.
        """
        capabilities = self._capabilities
        strategies = capabilities.supported_merge_strategies or ()
        if self._is_filesystem:
            return UPSERT if self.table_format == "delta" else None
        known = BY_SQLALCHEMY if writes_json_itself(self._pipeline) else MERGE_DIALECTS
        return MERGE if "delete-insert" in strategies and capabilities.sqlglot_dialect in known else None

    @cached_property
    def table_format(self) -> str | None:
        """The format of the tables: the one that was asked for, or the one that they have."""
        if self._format in (None, "native"):
            had = self._formats_had()
            return next(iter(had)) if had and self._format is None else self._native()
        return self._format

    def _native(self) -> str | None:
        """How dlt is told of tables in a destination's own format: mostly by not telling it of one."""
        known = self._capabilities.supported_table_formats or ()
        return self._format if self._format in known else None

    def _formats_had(self) -> set[str | None]:
        """The formats of the tables that earlier runs made."""
        if self._pipeline.default_schema_name is None:
            return set()
        return {t.get("table_format") for t in self._pipeline.default_schema.data_tables(seen_data_only=True)}

    @property
    def open_format(self) -> str | None:
        """`delta` or `iceberg` for files of that format, which dlt replaces and merges in one step."""
        return self.table_format if self._is_filesystem and self.table_format in OPEN_FORMATS else None

    @property
    def can_replace_partition(self) -> bool:
        """Whether rows can take the place of those with the same value in some column; Delta knows keys alone."""
        return self.merge == MERGE

    @property
    def _is_filesystem(self) -> bool:
        destination = self._pipeline.destination
        return destination is not None and destination.destination_type.endswith(".filesystem")

    def check(self, *, keeps_more: bool) -> None:
        """Raises SettingsError for what this destination cannot have; `keeps_more`: deleted rows, or a history."""
        wanted, had = self._format, self._formats_had() - {self.table_format}
        known = self._capabilities.supported_table_formats or ()
        if wanted not in (None, "native", *known):
            names = f"formats that it has: {', '.join(known)}" if known else "leave the format out"
            raise SettingsError(f"this destination has no tables of the format {wanted}: {names}")
        if wanted is not None and had:
            names = ", ".join(sorted(name or "no format of its own" for name in had))
            raise SettingsError(
                f"the tables of this dataset are of another format than {wanted} ({names}): load into another dataset"
            )
        package, extra = PACKAGES.get(self.open_format or "", ("", ""))
        if package and find_spec(package) is None:
            raise SettingsError(
                f'the format {self.open_format} takes a library: run pip install "dlt[{extra}]"'
            )
        if keeps_more and not self.can_merge:
            more = ""
            if self.open_format == "iceberg":
                more = " in Iceberg tables, where dlt's merge leaves a deleted row as a row of nulls"
            elif self._is_filesystem:
                more = ", but in Delta tables they can: --table-format delta, or table_format"
            raise SettingsError(
                f"this destination cannot keep deleted rows or histories: single rows cannot be changed{more}"
            )

    def shorten(self, name: str) -> str:
        """The name of a table or column as dlt spells it here: PostgreSQL's have 63 characters at most."""
        if self._naming is None:
            nowhere = self._pipeline.destination is None
            schema = dlt.Schema("zoho_crm") if nowhere else self._pipeline.destination_client().schema
            self._naming = schema.naming
        return str(self._naming.normalize_path(name))

    @contextmanager
    def open_connection(self) -> Iterator[None]:
        """DuckDB opens a file as slowly as it loads a small table: this keeps it open meanwhile.

        Nobody else can read the file then, so not to be used around what waits for Zoho.
        """
        if not is_duckdb(self._pipeline):
            yield
            return
        with self._client():
            yield

    def tables(self, named: Iterable[str] | None = None) -> dict[str, frozenset[str]]:
        """The tables that exist, with the names of their columns, as this pipeline's schema spells them.

        Of those that this pipeline has made, or of these, which another one may have made.
        """
        return {table: frozenset(columns) for table, columns in self._look(named).items()}

    def columns(self, named: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """The tables of this pipeline that exist, or those of these, with dlt's hints of their columns; none of dlt's."""
        return {t: columns for t, columns in self._look(named).items() if not t.startswith("_dlt")}

    def batches(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """All rows in parts that fit into memory, also deleted ones and versions that have ended; at least one part.

        The types are those of the schema, so JSON is text. Raises MissingTable for what does not exist.
        """
        found = self._columns_of(table, columns)
        wanted = {name: typed(name, found[name]) for name in columns}
        with self._sql() as sql:
            yield from tables_of(sql, [f"from {sql.make_qualified_table_name(table)}"], wanted)

    def count(self, tables: Iterable[str], flags: Mapping[str, str] | None = None) -> dict[str, int]:
        """Live rows, of tables in `flags` only those where that column is true; absent tables are left out."""
        found = self._look(tables)
        if not found:
            return {}
        dialect = self._capabilities.sqlglot_dialect
        true = "1" if dialect in ("tsql", "fabric") else "true"
        with self._sql() as sql:
            counts = [
                f"select '{table}', count(*) from {sql.make_qualified_table_name(table)}"
                f" where {_live(sql, columns)}"
                + (f" and {sql.escape_column_name(flag)} = {true}" if flag else "")
                for table, columns in found.items()
                if (flag := (flags or {}).get(table)) is None or flag in columns
            ]
            rows = sql.execute_sql(" union all ".join(counts)) if counts else []
        return {str(table): int(count) for table, count in rows or []}

    def newest(self, columns: Iterable[tuple[str, str | None, str]]) -> dict[str, NewestTime]:
        """The newest time of live rows by a key, over all of these: table, column of the key, column of the time.

        Without a column of the key the table's name is the key. Absent tables and columns are left out; of equal
        times the one that is named first counts.
        """
        columns = list(columns)
        found = self._look({table for table, _, _ in columns})
        wanted = {
            "row_key": typed("row_key", {"data_type": "text"}),
            "newest": typed("newest", {"data_type": "timestamp", "timezone": True}),
            "place": typed("place", {"data_type": "bigint"}),
        }
        newest: dict[str, NewestTime] = {}
        with self._sql() as sql:
            queries = []
            for place, (table, key, time) in enumerate(columns):
                there = found.get(table, {})
                if time not in there or (key is not None and key not in there):
                    continue
                name, moment = sql.make_qualified_table_name(table), sql.escape_column_name(time)
                shown = f"'{table}'" if key is None else sql.escape_column_name(key)
                group = "" if key is None else f" group by {shown}"
                rows = (
                    f"select {shown} as row_key, max({moment}) as newest, {place} as place"
                    f" from {name} where {_live(sql, there)}"
                )
                queries.append(f"from ({rows}{group}) as grouped_rows where newest is not null")
            for part in tables_of(sql, queries, wanted) if queries else ():
                for row in part.to_pylist():
                    known = newest.get(row["row_key"])
                    if row["row_key"] is not None and (known is None or row["newest"] > known.time):
                        newest[row["row_key"]] = NewestTime(row["newest"], *columns[row["place"]])
        return newest

    def count_before(
        self, columns: Mapping[str, str], moments: Sequence[datetime]
    ) -> dict[str, tuple[int, ...]]:
        """By table: the live rows whose time in this column is before each of the moments."""
        found = self._look(columns)
        with self._sql() as sql:
            counts = []
            for table, there in found.items():
                if columns[table] not in there:
                    continue
                column = sql.escape_column_name(columns[table])
                sums = [
                    f"coalesce(sum(case when {column} < {_instant(sql, m)} then 1 else 0 end), 0)"
                    for m in moments
                ]
                name = sql.make_qualified_table_name(table)
                counts.append(f"select '{table}', {', '.join(sums)} from {name} where {_live(sql, there)}")
            rows = sql.execute_sql(" union all ".join(counts)) if counts else []
        return {str(row[0]): tuple(int(count) for count in row[1:]) for row in rows or []}

    def count_filled(self, table: str, columns: Sequence[str]) -> tuple[int, dict[str, int]]:
        """The live rows, and how many of them have a value in each column. Raises MissingTable."""
        found = self._columns_of(table, columns)
        with self._sql() as sql:
            counts = ", ".join(["count(*)", *(f"count({sql.escape_column_name(name)})" for name in columns)])
            name = sql.make_qualified_table_name(table)
            rows = sql.execute_sql(f"select {counts} from {name} where {_live(sql, found)}")
        number, *filled = rows[0] if rows else (0, *(0 for _ in columns))
        return int(number), {name: int(count) for name, count in zip(columns, filled, strict=True)}

    def examples(self, table: str, columns: Sequence[str]) -> dict[str, Any]:
        """A value of each column that has one: of the first live rows, or of the first that has one. Raises MissingTable."""
        found = self._columns_of(table, columns)
        examples: dict[str, Any] = {}
        if not columns:
            return examples
        with self._sql() as sql:
            query = f"from {sql.make_qualified_table_name(table)} where {_live(sql, found)}"
            for row in _first_rows(sql, query, {name: typed(name, found[name]) for name in columns}):
                for name, value in row.items():
                    if value is not None:
                        examples.setdefault(name, value)
            for name in (name for name in columns if name not in examples):
                there = f"{query} and {sql.escape_column_name(name)} is not null"
                for row in _first_rows(sql, there, {name: typed(name, found[name])})[:1]:
                    examples.update(row)
        return examples

    def count_all(self, table: str) -> int:
        """Rows of any kind. Raises MissingTable."""
        self._columns_of(table, ())
        with self._sql() as sql:
            rows = sql.execute_sql(f"select count(*) from {sql.make_qualified_table_name(table)}")
        return int(rows[0][0]) if rows else 0

    def count_inactive(self, table: str) -> int:
        """Rows that are not live: versions that have ended, and deleted rows that stay."""
        columns = self._columns_of(table, ())
        with self._sql() as sql:
            name = sql.make_qualified_table_name(table)
            rows = sql.execute_sql(f"select count(*) from {name} where not ({_live(sql, columns)})")
        return int(rows[0][0]) if rows else 0

    def read(
        self,
        table: str,
        columns: Sequence[str],
        ids: Iterable[str] | None = None,
        by: str = "id",
        since: tuple[str, datetime] | None = None,
    ) -> Path:
        """Live rows as a Parquet file: all, or those whose column `by` is one of the ids, or of such a time and later.

        The types are those of the schema, so JSON is text. Raises MissingTable for what does not exist.
        """
        found = self._columns_of(table, [*columns, by] if ids is not None else columns)
        wanted = {name: typed(name, found[name]) for name in columns}
        path = self._folder / f"{table}-{uuid4().hex}.parquet"
        with self._sql() as sql:
            query = f"from {sql.make_qualified_table_name(table)} where {_live(sql, found)}"
            if since is not None:
                query += f" and {sql.escape_column_name(since[0])} >= {_instant(sql, since[1])}"
            queries = [query]
            if ids is not None:
                queries = [f"{query} and {some}" for some in among(sql, by, ids)]
            write_parquet(tables_of(sql, queries, wanted), path, key=None)
        return path

    def clear_columns(self, table: str, columns: Iterable[str], where: str = "") -> int:
        """Set columns to null in every row, deleted ones and closed versions too; returns how many rows had a value.

        Columns and tables that do not exist hold nothing.
        """
        found, emptied = self._look([table]).get(table, {}), 0
        if self.open_format is not None:
            return self._empty_open(table, [c for c in columns if c in found], where)
        with self._sql() as sql:
            name = sql.make_qualified_table_name(table)
            for column in (sql.escape_column_name(c) for c in columns if c in found):
                only = f"{column} is not null" + (f" and {where}" if where else "")
                emptied += _changed_rows(sql, f"update {name} set {column} = null where {only}")
        return emptied

    @property
    def schema_version(self) -> str | None:
        """What changes with each change of dlt's schema; None before there is one."""
        return (
            None if self._pipeline.default_schema_name is None else self._pipeline.default_schema.version_hash
        )

    def labels(self) -> dict[Place, str]:
        """The labels of tables and columns that dlt's schema holds."""
        return {} if self._pipeline.default_schema_name is None else labels(self._pipeline.default_schema)

    def write_comments(self, before: Mapping[Place, str]) -> int:
        """The labels as comments, where the destination has some; `before` are those that it had before the run."""
        destination = self._pipeline.destination
        if destination is None or not has_comments(destination.destination_type):
            return 0
        with self._client() as client:
            return write_comments(client, destination.destination_type, before)

    def stored_version(self) -> int | None:
        """The version of this pipeline's newest state in the destination; None if it has none."""
        with self._client() as client:
            if not hasattr(client, "get_stored_state") or not client.is_storage_initialized():
                return None
            try:
                stored = client.get_stored_state(self._pipeline.pipeline_name)
            except DestinationUndefinedEntity:  # the dataset is there, but no table of states
                return None
        return None if stored is None else int(stored.version)

    def _empty_open(self, table: str, columns: Sequence[str], where: str) -> int:
        emptied = 0
        with self._client() as client:
            opened: Any = open_table(client, "delta", table) if columns else None
            for column in columns:
                only = f'"{column}" is not null' + (f" and {where}" if where else "")
                emptied += int(opened.update({column: "null"}, predicate=only)["num_updated_rows"])
        return emptied

    @contextmanager
    def _sql(self) -> Iterator[Any]:
        """A client that reads tables by SQL."""
        if self.open_format is not None:
            with open_tables_sql(self._pipeline, self.open_format) as sql:
                yield sql
        elif self._is_filesystem:
            with self._pipeline.sql_client() as sql:  # with a view for each table that there is now
                yield sql
        else:
            with self._client() as client:
                yield client.sql_client

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """dlt's client of the destination, connected."""
        schemas: Any = self._pipeline.schemas
        live = schemas.live_schemas.get(self._pipeline.default_schema_name)
        client = self._clients.pop() if self._clients and live is not None else None
        if client is None:
            client = self._pipeline.destination_client()
        else:
            client.schema = live  # a load puts another one in its place
        with client:
            yield client
        self._clients.append(client)

    def _columns_of(self, table: str, names: Iterable[str]) -> dict[str, Any]:
        found = self._look([table]).get(table)
        if found is None:
            raise MissingTable(f"the destination has no table {table}")
        missing = [name for name in names if name not in found]
        if missing:
            raise MissingTable(f"the destination's table {table} has no column {', '.join(missing)}")
        return found

    def _look(self, tables: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """What exists of the tables, by default of all that the schema knows: columns as dlt describes them."""
        if self._pipeline.destination is None:
            return {}
        with self._client() as client:
            names = list(client.schema.tables if tables is None else tables)
            if not hasattr(client, "get_storage_tables") or not client.is_storage_initialized():
                return {}
            stored = list(client.get_storage_tables(names))
            if self.open_format is not None:
                stored = list(self._open_columns(client, stored))
            return {
                table: _as_the_schema_says(client, table, columns) for table, columns in stored if columns
            }

    def _open_columns(
        self, client: Any, stored: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The columns that the files have."""
        for table, known in stored:
            opened = open_table(client, str(self.open_format), table) if known else None
            there = {} if opened is None else {name: known.get(name, {}) for name in columns_of(opened)}
            yield table, {name: column for name, column in there.items() if "data_type" in column}


def _first_rows(sql: Any, query: str, columns: Mapping[str, TypedColumn]) -> list[dict[str, Any]]:
    """The first rows of a query that begins with `from`; the others are not fetched."""
    parts = tables_of(sql, [query], columns)
    try:
        first = next((part for part in parts if part.num_rows), None)
    finally:
        cast(Any, parts).close()
    return [] if first is None else list(first.slice(0, FIRST_ROWS).to_pylist())


def _as_the_schema_says(client: Any, table: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by the schema's names: a database may spell them in capitals, and knows less of their types."""
    schema = client.schema.tables.get(table, {}).get("columns", {})
    spelt = {client.capabilities.casefold_identifier(name): name for name in schema}
    columns = {}
    for name, column in stored.items():
        known = schema.get(spelt.get(name, name), {})
        columns[spelt.get(name, name)] = known if "data_type" in known else column
    return columns


def _live(sql: Any, columns: Iterable[str]) -> str:
    marks = [mark for mark in (DELETED_AT, VALID_TO) if mark in columns]
    return " and ".join(f"{sql.escape_column_name(mark)} is null" for mark in marks) or "1 = 1"


def _instant(sql: Any, time: datetime) -> str:
    known = sql.capabilities
    spell = known.format_datetime_literal or format_datetime_literal
    return str(spell(time, known.timestamp_precision, no_tz=not known.supports_tz_aware_datetime))


def _changed_rows(sql: Any, statement: str) -> int:
    """As the driver tells; DuckDB's tells it as a row."""
    with sql.execute_query(statement) as cursor:
        if cursor.rowcount >= 0:
            return int(cursor.rowcount)
        row = cursor.fetchone()
        return int(row[0]) if row else 0

"""Turns rows that were read into versions of rows, for tables that keep their history."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .arrow_tables import rejected_columns
from .column_types import COMPUTED_TYPES, INSTANT, Column
from .converters import plain_json
from .parquet_writer import ParquetFile, conform, write_parquet

# Beside the columns of fields, which never begin with _dlt_. None is NOT NULL: a table that begins to keep
# its history has rows, and no database adds such a column to them.
ROW_VERSION, VALID_FROM, VALID_TO = "_dlt_row_version", "_dlt_valid_from", "_dlt_valid_to"
MARKS = (pa.field(ROW_VERSION, pa.string()), pa.field(VALID_FROM, INSTANT), pa.field(VALID_TO, INSTANT))

DELETED_AT = pa.field("deleted_at", INSTANT)

BATCH = 20_480  # rows at a time; ten of DuckDB's vectors


def add_deleted_at(table: pa.Table) -> pa.Table:
    """The rows of records that exist: their `deleted_at` is null."""
    return table.append_column(DELETED_AT, pa.nulls(table.num_rows, DELETED_AT.type))


def with_versions(
    parquet_file: ParquetFile, columns: Sequence[Column], begins: datetime, path: Path
) -> ParquetFile:
    """The same rows as open versions from `begins` on, in another file.

    `_dlt_row_version` is two hashes over the names and values that are not null: one of the fields that
    somebody sets, one of those that Zoho computes. So a new column that is empty changes none, and a new
    value of a formula is told from an edit. A `Modified_Time` of its own is a version: the open row is
    what the CRM has. The hashes are the same for any order of columns, platform and spelling of JSON.
    """
    computed = {c.name for c in columns if c.field.data_type in COMPUTED_TYPES}
    texts = {c.name for c in columns if c.kind.dlt_type == "json"}
    ours = {mark.name for mark in (*MARKS, DELETED_AT)}
    own = [field for field in parquet_file.schema if field.name not in ours]
    computed |= {
        rejected_text
        for rejected_text, name in rejected_columns(parquet_file.schema).items()
        if name in computed
    }
    parts = [[f for f in own if (f.name in computed) is wanted] for wanted in (False, True)]
    query = f"select {_hash(parts[0])} || '.' || {_hash(parts[1])} from rows"
    deleted = [field for field in parquet_file.schema if field.name == DELETED_AT.name]
    schema = pa.schema([*own, *MARKS, *deleted])

    def tables() -> Iterator[pa.Table]:
        yield schema.empty_table()
        with pq.ParquetFile(parquet_file.path) as file, duckdb.connect() as database:
            for batch in file.iter_batches(BATCH, columns=[field.name for field in own]):
                table = pa.Table.from_batches([batch])
                database.register("rows", _plain_json(table, texts))
                versions = database.execute(query).to_arrow_table().column(0)
                never = _always(None, table.num_rows)
                marks = (versions, _always(begins, table.num_rows), never, *(never for _ in deleted))
                yield pa.table([*table.columns, *marks], schema=schema)

    return _written(parquet_file, tables(), path)


@dataclass(frozen=True)
class VersionMerge:
    """What becomes of the open versions of a table when rows have been read.

    `rows` come from `with_versions`; `opened` holds id, version and begin of open versions: those of the ids
    in `rows`, or after a whole reading all, because a version without a row ends.
    """

    rows: ParquetFile
    opened: Path
    begins: datetime

    def ending(self) -> list[str]:
        """The ids whose open version ends."""
        with self._compared() as database:
            ids = database.execute("select id from fates where fate in ('changed', 'gone') order by id")
            return [row[0] for row in ids.fetchall()]

    def write(self, ended: Path, gone: Mapping[str, datetime], path: Path) -> ParquetFile:
        """What is to land by the key of id and begin: the open version of an id, if it has one, is among it.

        `ended` holds the whole rows of the open versions that end, `gone` the times of deletions, where they
        are known. A row of the same version is left out. If only computed values differ, or the open version
        is of this very run, the row takes its place; else that is closed, and the row begins.
        """
        schema = _widened(self.rows.schema, ended)
        with self._compared() as database:
            database.register("gone", _times(gone))
            database.execute(f"create view ended as select * from {_file(ended)}")

            def tables() -> Iterator[pa.Table]:
                yield schema.empty_table()
                yield from _queried(database, NEW, schema)
                yield from _queried(database, CLOSED, schema, begins=self.begins)

            return _written(self.rows, tables(), path)

    @contextmanager
    def _compared(self) -> Iterator[duckdb.DuckDBPyConnection]:
        folder = self.rows.path.parent / "duckdb"
        with duckdb.connect(config={"temp_directory": str(folder)}) as database:
            database.execute(f"create view rows as select * from {_file(self.rows.path)}")
            database.execute(f"create view opened as select * from {_file(self.opened)}")
            database.execute(ROW_ACTIONS, {"begins": self.begins})
            yield database


def absent_ids(rows: ParquetFile, destination_rows: Path) -> list[str]:
    """The ids of the destination that have no row."""
    with duckdb.connect() as database:
        query = f"select distinct id from {_file(destination_rows)} where id not in (select id from {_file(rows.path)})"
        return [row[0] for row in database.execute(f"{query} order by id").fetchall()]


def with_deleted(
    rows: ParquetFile, ended: Path, gone: Mapping[str, datetime], begins: datetime, path: Path
) -> ParquetFile:
    """The rows, and behind them those of `ended` as deleted: when `gone` says, or at `begins`."""
    names = rows.schema.names
    own = rows.schema if DELETED_AT.name in names else rows.schema.append(DELETED_AT)
    schema = _widened(own, ended)

    def tables() -> Iterator[pa.Table]:
        yield schema.empty_table()
        with pq.ParquetFile(rows.path) as file, duckdb.connect() as database:
            for batch in file.iter_batches(BATCH):
                yield conform(pa.Table.from_batches([batch]), schema)
            database.register("gone", _times(gone))
            database.execute(f"create view ended as select * from {_file(ended)}")
            yield from _queried(database, DELETED, schema, begins=begins)

    return _written(rows, tables(), path)


ROW_ACTIONS = f"""
    create temp table fates as
    select coalesce(r.id, o.id) as id, o.{VALID_FROM} as since, case
        when o.id is null then 'new'
        when r.id is null then 'gone'
        when r.{ROW_VERSION} = o.{ROW_VERSION} then 'same'
        when split_part(r.{ROW_VERSION}, '.', 1) = split_part(o.{ROW_VERSION}, '.', 1) then 'in place'
        when o.{VALID_FROM} >= $begins then 'in place'
        else 'changed' end as fate
    from (select id, {ROW_VERSION} from rows) r
    full join (select id, {ROW_VERSION}, {VALID_FROM} from opened) o on r.id = o.id
"""
NEW = f"""
    select rows.* replace (if(fates.fate = 'in place', fates.since, rows.{VALID_FROM}) as {VALID_FROM})
    from rows join fates on rows.id = fates.id where fates.fate in ('new', 'changed', 'in place')
"""
CLOSED = f"""
    select ended.* replace (
        greatest(if(fates.fate = 'gone', coalesce(gone.gone_at, $begins), $begins), fates.since) as {VALID_TO}
    )
    from ended join fates on ended.id = fates.id left join gone on ended.id = gone.id
    where fates.fate in ('changed', 'gone')
"""

DELETED = f"""
    select ended.* exclude ({DELETED_AT.name}), coalesce(gone.gone_at, $begins) as {DELETED_AT.name}
    from ended left join gone on ended.id = gone.id
"""


def _hash(fields: Sequence[pa.Field]) -> str:
    """64 bits, which only ever are compared with those of the same record; no value holds a NUL."""
    terms = sorted(f"(chr(0) || '{field.name}' || chr(0)) || {_text(field)}" for field in fields)
    return f"left(md5(concat({', '.join(terms)})), 16)" if terms else "left(md5(''), 16)"


def _text(field: pa.Field) -> str:
    """A spelling that no version of DuckDB changes: doubles by all their digits, without -0.0."""
    if pa.types.is_floating(field.type):
        return f"format('{{:.17e}}', \"{field.name}\" + 0)"
    if pa.types.is_timestamp(field.type):
        return f'epoch_us("{field.name}")::varchar'
    return f'"{field.name}"::varchar'


def _plain_json(table: pa.Table, names: Collection[str]) -> pa.Table:
    """JSON in one spelling: what a row has that comes back from a database which keeps its own."""
    for number, field in enumerate(table.schema):
        if field.name in names:
            coded = table.column(number).combine_chunks().dictionary_encode()
            plain = pa.array([plain_json(text) for text in coded.dictionary.to_pylist()], pa.string())
            table = table.set_column(number, field, pc.take(plain, coded.indices))
    return table


def _widened(schema: pa.Schema, destination_rows: Path) -> pa.Schema:
    """With the columns that only the destination's rows have: nothing of them is lost."""
    older = [field for field in pq.read_schema(destination_rows) if field.name not in schema.names]
    return pa.schema([*schema, *(field.with_nullable(True) for field in older)])


def _times(gone: Mapping[str, datetime]) -> pa.Table:
    ids, times = pa.array(list(gone), pa.string()), pa.array(list(gone.values()), INSTANT)
    return pa.table({"id": ids, "gone_at": times})


def _queried(
    database: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema, **values: datetime
) -> Iterator[pa.Table]:
    for batch in database.execute(query, values).to_arrow_reader(BATCH):
        yield conform(pa.Table.from_batches([batch]), schema)


def _always(value: datetime | None, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, INSTANT), rows)


def _written(parquet_file: ParquetFile, tables: Iterator[pa.Table], path: Path) -> ParquetFile:
    """Rejected values and repeated rows are those of the reading."""
    made = write_parquet(tables, path, key=None)
    return replace(parquet_file, path=made.path, rows=made.rows, schema=made.schema)


def _file(path: Path) -> str:
    return "read_parquet('{}')".format(str(path).replace("'", "''"))

"""Collects the tables of a module in one Parquet file, so that its load is one statement: all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .arrow_tables import rejected_columns

GROUP_ROWS = 122_880  # DuckDB's own row group: other sizes are written twice
PLACE = "= place"  # of a row in its file; no column is called so
KEYS_AT_ONCE = 2_000_000  # compared with each other: 300 MB, where all of ten million took 1.4 GB
GROUP_BYTES = 64 << 20  # wide tables get smaller groups, to bound memory


@dataclass(frozen=True)
class ParquetFile:
    """One Parquet file with one row an id."""

    path: Path
    rows: int
    schema: pa.Schema
    repeated: int = 0  # rows that came more than once; the newest is kept


@dataclass(frozen=True)
class DiscardRows:
    """Stands among tables for: the last so many rows were part of something that is not whole."""

    rows: int


Tables: TypeAlias = Iterable["pa.Table | DiscardRows"]


def write_parquet(
    tables: Tables, path: Path, key: str | None = "id", newest: str | None = None
) -> ParquetFile:
    """Write all tables to `path`; at least one is needed, for its schema.

    A column of rejected texts that appears later is null in the rows before. Of two rows with one `key` the newer by
    the column `newest` is kept; without a key all are.
    """
    writer = _Writer(path)
    try:
        for table in tables:
            writer.forget(table.rows) if isinstance(table, DiscardRows) else writer.write(table)
    finally:
        if isinstance(tables, Generator):
            tables.close()  # now: an error that somebody keeps would keep it, and what it holds, alive
        try:
            writer.close()
        finally:
            writer.thread.shutdown()
    schema = writer.unify()
    pa.default_memory_pool().release_unused()  # what comes next needs memory of its own
    repeated = _drop_repeated(path, schema, key, newest) if key else 0
    return ParquetFile(path, writer.rows - repeated, schema, repeated)


def without_rows(parquet_file: ParquetFile, ids: Collection[str]) -> ParquetFile:
    """The same file without the rows of these ids: records that went after they were read."""
    if not ids or not parquet_file.rows:
        return parquet_file
    table = pq.read_table(parquet_file.path, columns=["id"])
    there = set(ids) & set(table["id"].to_pylist())
    if not there:
        return parquet_file
    with duckdb.connect() as database:
        gone = pa.table({"id": sorted(there)})
        database.register("gone", gone)
        kept = database.execute(
            f"select * from {_parquet(parquet_file.path)} where id not in (select id from gone)"
        ).to_arrow_reader(GROUP_ROWS)
        _rewrite(parquet_file.path, kept, parquet_file.schema)
    return replace(parquet_file, rows=parquet_file.rows - len(there))


def with_others(parquet_file: ParquetFile, others: Path) -> ParquetFile:
    """These rows, and of another file those with other ids."""
    schema, path = parquet_file.schema, parquet_file.path.with_suffix(".all.parquet")
    with duckdb.connect() as database:
        database.execute("set time zone 'UTC'")
        rows = database.execute(
            f"select * from {_parquet(parquet_file.path)} union all by name"
            f" select * from {_parquet(others)} where id not in (select id from {_parquet(parquet_file.path)})"
        ).to_arrow_reader(GROUP_ROWS)

        def tables() -> Iterator[pa.Table]:
            yield schema.empty_table()
            yield from (conform(pa.Table.from_batches([batch]), schema) for batch in rows)

        return write_parquet(tables(), path, key=None)


@dataclass
class _Part:
    """A file with one schema; of its rows the first so many count."""

    path: Path
    schema: pa.Schema
    file: pq.ParquetWriter
    rows: int = 0
    written: int = 0


class _Writer:
    """Writes groups of exactly one size; begins a new part when the schema grows by a column of rejected texts, or rows go.

    A group is written in a thread while the next one is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.parts: list[_Part] = []
        self.thread = ThreadPoolExecutor(1, "parquet")
        self._writing: Future[None] | None = None
        self._pending: list[pa.Table] = []
        self._waiting = 0  # rows that are pending
        self._group = GROUP_ROWS
        self._measured = False

    def write(self, table: pa.Table) -> None:
        self._size_by(table)
        schema = table.schema
        if self.parts and schema != self.parts[-1].schema:
            schema = _union([self.parts[-1].schema, schema])
        if not self.parts or schema != self.parts[-1].schema:
            self._begin(schema)
        self._pending.append(conform(table, schema))
        self._waiting += table.num_rows
        self.rows += table.num_rows
        if self._waiting >= self._group:
            whole = pa.concat_tables(self._pending)
            cut = whole.num_rows - whole.num_rows % self._group
            self._write(whole.slice(0, cut))
            self._pending, self._waiting = [whole.slice(cut)], whole.num_rows - cut

    def forget(self, rows: int) -> None:
        """Take back the last so many rows, also those that are on disk."""
        self.rows -= rows
        kept = max(0, self._waiting - rows)
        rows -= self._waiting - kept
        self._pending, self._waiting = [pa.concat_tables(self._pending).slice(0, kept)], kept
        if rows:
            self._begin(self.parts[-1].schema)
        for part in reversed(self.parts):
            taken = min(rows, part.rows)
            part.rows -= taken
            rows -= taken

    def close(self) -> None:
        if self.parts and self.parts[-1].file.is_open:
            if self._waiting or not self.parts[-1].written:
                self._write(pa.concat_tables(self._pending))
            self._pending, self._waiting = [], 0
            self._wait()
            self.parts[-1].file.close()

    def unify(self) -> pa.Schema:
        """One file with the union of the parts' columns, and its schema."""
        schema, first = self.parts[-1].schema, self.parts[0]
        if len(self.parts) == 1:
            first.path.rename(self.path)
            return schema
        with pq.ParquetWriter(self.path, schema, use_dictionary=False) as whole:
            for part in self.parts:
                for table in _rows_of(part):
                    whole.write_table(conform(table, schema))
                part.path.unlink()
        return schema

    def _size_by(self, table: pa.Table) -> None:
        """Smaller groups for wide rows, by the first that come."""
        if self._measured or not table.num_rows:
            return
        self._measured = True
        while self._group > 1_024 and table.nbytes / table.num_rows * self._group > GROUP_BYTES:
            self._group //= 2

    def _begin(self, schema: pa.Schema) -> None:
        self.close()
        path = self.path.with_suffix(f".{len(self.parts)}.part")
        self.parts.append(_Part(path, schema, pq.ParquetWriter(path, schema, use_dictionary=False)))
        self._pending, self._waiting = [schema.empty_table()], 0

    def _write(self, table: pa.Table) -> None:
        self._wait()
        part = self.parts[-1]
        self._writing = self.thread.submit(part.file.write_table, table, row_group_size=self._group)
        part.rows += table.num_rows
        part.written += table.num_rows

    def _wait(self) -> None:
        """For the group that is being written, whose error comes up here."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def _rows_of(part: _Part) -> Iterator[pa.Table]:
    """The rows of a part that count, a group at a time."""
    left = part.rows
    for group in groups_of(part.path):
        yield group.slice(0, left)
        left -= min(left, group.num_rows)


def groups_of(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a Parquet file, of these columns, a row group at a time; one table without rows for an empty file."""
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number, columns=columns)
        if not file.num_row_groups:
            yield file.read(columns=columns)


def _union(schemas: list[pa.Schema]) -> pa.Schema:
    """The columns of the first schema and the rejected texts of all, each behind its column."""
    marked = rejected_columns(schemas[0])
    own = [field for field in schemas[0] if field.name not in marked]
    rejected_by_column = {
        column: schema.field(name) for schema in schemas for name, column in rejected_columns(schema).items()
    }
    fields = []
    for field in own:
        fields.append(field)
        if field.name in rejected_by_column:
            fields.append(rejected_by_column[field.name])
    return pa.schema(fields)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of the schema, of its types, null where the table has none."""
    if table.schema == schema:
        return table
    there = set(table.column_names)
    columns = [
        table[field.name].cast(field.type) if field.name in there else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _drop_repeated(path: Path, schema: pa.Schema, key: str, newest: str | None) -> int:
    """Keep one row a key, the newest, of equals the one that came last; returns how many went.

    Rows come twice when a record is edited while Zoho is read in the order of edits, or when a page
    of Bulk Read overlaps the one before.
    """
    repeated = 0 if _rises(path, key) else _count_repeated(path, key)
    if not repeated:
        return 0
    rows = _parquet(path)
    with duckdb.connect() as database:
        numbered = f'(select *, row_number() over () as "{PLACE}" from {rows})'
        order = f'"{newest}" desc nulls last, ' if newest in schema.names else ""
        rank = f'row_number() over (partition by "{key}" order by {order}"{PLACE}" desc)'
        older = f'select "{PLACE}" from {numbered} qualify {rank} > 1'
        kept = database.execute(
            f'select * exclude ("{PLACE}") from {numbered} where "{PLACE}" not in ({older})'
        ).to_arrow_reader(GROUP_ROWS)
        _rewrite(path, kept, schema)
    return repeated


def _rises(path: Path, key: str) -> bool:
    """Whether each key is greater than the one before, as in most readings; looks at a group at a time."""
    before = pa.chunked_array([], pa.int64())
    for group in groups_of(path, [key]):
        try:
            keys = pa.chunked_array([*before.chunks, *pc.cast(group[key], pa.int64()).chunks], pa.int64())
        except pa.ArrowInvalid:  # no ids of Zoho's
            return False
        if keys.null_count or not pc.all(pc.less(keys[:-1], keys[1:]), min_count=0).as_py():
            return False
        before = keys[-1:]
    return True


def _count_repeated(path: Path, key: str) -> int:
    """In some passes over the file, so that millions of keys need little memory at a time."""
    parts = 1 + pq.read_metadata(path).num_rows // KEYS_AT_ONCE
    counted = f'select count("{key}") - count(distinct "{key}") from {_parquet(path)}'
    with duckdb.connect() as database:
        some = (
            database.execute(f'{counted} where hash("{key}") % {parts} = {part}') for part in range(parts)
        )
        return sum(found.fetchall()[0][0] for found in some)


def _rewrite(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Put other rows into the file, at one stroke."""
    clean = path.with_suffix(".clean")
    with pq.ParquetWriter(clean, schema, use_dictionary=False) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    clean.replace(path)


def _parquet(path: Path) -> str:
    return "read_parquet('{}')".format(str(path).replace("'", "''"))

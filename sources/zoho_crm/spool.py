"""Collects the tables of a module in one Parquet file, so that its load is one statement: all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from .arrow import twins_of

GROUP_ROWS = 122_880  # DuckDB's own row group: other sizes are written twice
PLACE = "= place"  # of a row in its file; no column is called so
GROUP_BYTES = 64 << 20  # wide tables get smaller groups, to bound memory


@dataclass(frozen=True)
class Spooled:
    """One Parquet file with one row an id."""

    path: Path
    rows: int
    schema: pa.Schema
    misfits: Counter[str]  # column -> values that are only in its text twin
    repeated: int  # rows that came more than once; the newest is kept


def spool(
    tables: Iterable[pa.Table], path: Path, key: str | None = "id", newest: str | None = None
) -> Spooled:
    """Write all tables to `path`; at least one is needed, for its schema.

    A text twin that appears later is null in the rows before. Of two rows with one `key` the newer by
    the column `newest` is kept; without a key all are.
    """
    writer = _Writer(path)
    misfits: Counter[str] = Counter()
    try:
        for table in tables:
            for name, column in twins_of(table.schema).items():
                misfits[column] += table.num_rows - table[name].null_count
            writer.write(table)
    finally:
        if isinstance(tables, Generator):
            tables.close()  # now: an error that somebody keeps would keep it, and what it holds, alive
        writer.close()
    schema = writer.unify()
    repeated = _drop_repeated(path, schema, key, newest) if key else 0
    return Spooled(path, writer.rows - repeated, schema, misfits, repeated)


def without_rows(spooled: Spooled, ids: Collection[str]) -> Spooled:
    """The same file without the rows of these ids: records that went after they were read."""
    if not ids or not spooled.rows:
        return spooled
    table = pq.read_table(spooled.path, columns=["id"])
    there = set(ids) & set(table["id"].to_pylist())
    if not there:
        return spooled
    with duckdb.connect() as database:
        gone = pa.table({"id": sorted(there)})
        database.register("gone", gone)
        kept = database.execute(
            f"select * from {_parquet(spooled.path)} where id not in (select id from gone)"
        ).to_arrow_reader(GROUP_ROWS)
        _rewrite(spooled.path, kept, spooled.schema)
    return replace(spooled, rows=spooled.rows - len(there))


class _Writer:
    """Writes groups of exactly one size; begins a new part when the schema grows by a twin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.parts: list[tuple[Path, pa.Schema]] = []
        self._file: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._group = GROUP_ROWS

    def write(self, table: pa.Table) -> None:
        schema = _union([self.parts[-1][1], table.schema]) if self.parts else table.schema
        if not self.parts or schema != self.parts[-1][1]:
            self._begin(schema)
        table = _widen(table, schema)
        self.rows += table.num_rows
        self._pending.append(table)
        if sum(t.num_rows for t in self._pending) >= self._group:
            whole = pa.concat_tables(self._pending)
            cut = whole.num_rows - whole.num_rows % self._group
            self._write(whole.slice(0, cut))
            self._pending = [whole.slice(cut)]

    def close(self) -> None:
        if self._file is not None:
            rest = pa.concat_tables(self._pending)
            if rest.num_rows or not self._file_has_rows:
                self._write(rest)
            self._file.close()
            self._file = None

    def unify(self) -> pa.Schema:
        """One file with the union of the parts' columns, and its schema."""
        if len(self.parts) == 1:
            self.parts[0][0].rename(self.path)
            return self.parts[0][1]
        schema = self.parts[-1][1]
        with pq.ParquetWriter(self.path, schema, use_dictionary=False) as whole:
            for part, _ in self.parts:
                file = pq.ParquetFile(part)
                for group in range(file.num_row_groups):
                    whole.write_table(_widen(file.read_row_group(group), schema))
                file.close()
                part.unlink()
        return schema

    def _begin(self, schema: pa.Schema) -> None:
        self.close()
        part = self.path.with_suffix(f".{len(self.parts)}.part")
        self.parts.append((part, schema))
        self._file = pq.ParquetWriter(part, schema, use_dictionary=False)
        self._file_has_rows = False
        self._pending = []

    def _write(self, table: pa.Table) -> None:
        assert self._file is not None
        if table.num_rows and not self._file_has_rows:
            while self._group > 1_024 and table.nbytes / table.num_rows * self._group > GROUP_BYTES:
                self._group //= 2
        self._file_has_rows = True
        self._file.write_table(table, row_group_size=self._group)


def _union(schemas: list[pa.Schema]) -> pa.Schema:
    """The columns of the first schema and the twins of all, each behind its column."""
    own = [field for field in schemas[0] if field.name not in twins_of(schemas[0])]
    twins = {column: schema.field(name) for schema in schemas for name, column in twins_of(schema).items()}
    fields = []
    for field in own:
        fields.append(field)
        if field.name in twins:
            fields.append(twins[field.name])
    return pa.schema(fields)


def _widen(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if table.schema == schema:
        return table
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _drop_repeated(path: Path, schema: pa.Schema, key: str, newest: str | None) -> int:
    """Keep one row a key, the newest, of equals the one that came last; returns how many went.

    Rows come twice when a record is edited while Zoho is read in the order of edits, or when a page
    of Bulk Read overlaps the one before.
    """
    rows = _parquet(path)
    with duckdb.connect() as database:
        found = database.execute(f'select count(*) - count(distinct "{key}") from {rows}').fetchone()
        repeated = int(found[0]) if found else 0
        if not repeated:
            return 0
        numbered = f'(select *, row_number() over () as "{PLACE}" from {rows})'
        order = f'"{newest}" desc nulls last, ' if newest in schema.names else ""
        rank = f'row_number() over (partition by "{key}" order by {order}"{PLACE}" desc)'
        older = f'select "{PLACE}" from {numbered} qualify {rank} > 1'
        kept = database.execute(
            f'select * exclude ("{PLACE}") from {numbered} where "{PLACE}" not in ({older})'
        ).to_arrow_reader(GROUP_ROWS)
        _rewrite(path, kept, schema)
    return repeated


def _rewrite(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    """Put other rows into the file, at one stroke."""
    clean = path.with_suffix(".clean")
    with pq.ParquetWriter(clean, schema, use_dictionary=False) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    clean.replace(path)


def _parquet(path: Path) -> str:
    return "read_parquet('{}')".format(str(path).replace("'", "''"))

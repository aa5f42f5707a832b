"""Rows made of two files: new values in the destination's own rows, and kept values in rows read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from .spool import Spooled, spool

# DuckDB takes two columns of different types for one of a third, which may lose digits: each is cast first.
DUCKDB_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "varchar",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamptz",
}
BATCH = 20_480  # joined rows at a time; ten of DuckDB's vectors


def patched(held: Path, patches: Path | pa.Table, schema: pa.Schema, target: Path) -> Spooled:
    """The rows of `held`, with the columns that `patches` has beside `id` taken from there.

    A row that no patch names stays as it is; a patch of a row that is not held is left out. The file has
    the columns of `schema`, with null in those that neither has.
    """
    schema = _with_key(schema)
    ours = set(pq.read_schema(held).names)
    theirs = set(patches.column_names if isinstance(patches, pa.Table) else pq.read_schema(patches).names)
    columns = [_patched_column(field, field.name in ours, field.name in theirs) for field in schema]
    query = f"select {', '.join(columns)} from held left join patches on held.id = patches.id"
    return _join(query, schema, target, held=held, patches=patches)


def carried(read: Path, held: Path, target: Path) -> Spooled:
    """The rows of `read`, with the columns that only `held` has behind them, by id.

    They are null in rows that are not held.
    """
    own = pq.read_schema(read)
    older = [field.with_nullable(True) for field in pq.read_schema(held) if field.name not in own.names]
    schema = _with_key(pa.schema([*own, *older]))
    columns = [f"{'read' if name in own.names else 'held'}.{_quoted(name)}" for name in schema.names]
    query = f"select {', '.join(columns)} from read left join held on read.id = held.id"
    return _join(query, schema, target, read=read, held=held)


def _patched_column(field: pa.Field, ours: bool, theirs: bool) -> str:
    name, kind = _quoted(field.name), _duckdb_type(field.type)
    held = f"cast(held.{name} as {kind})" if ours else f"cast(null as {kind})"
    if not theirs or field.name == "id":
        return held
    return f"case when patches.id is null then {held} else cast(patches.{name} as {kind}) end"


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    return DUCKDB_TYPES[kind]


def _with_key(schema: pa.Schema) -> pa.Schema:
    """dlt wants to see in the file that a key is never null."""
    return pa.schema([field.with_nullable(False) if field.name == "id" else field for field in schema])


def _join(query: str, schema: pa.Schema, target: Path, **parts: Path | pa.Table) -> Spooled:
    with _opened(target.parent, **parts) as database:

        def tables() -> Iterator[pa.Table]:
            yield schema.empty_table()
            for batch in database.execute(query).to_arrow_reader(BATCH):
                yield pa.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)

        return spool(tables(), target)


@contextmanager
def _opened(folder: Path, **parts: Path | pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that holds nothing and sees the files by their names."""
    with duckdb.connect(config={"temp_directory": str(folder / "duckdb")}) as database:
        for name, part in parts.items():
            if isinstance(part, Path):
                path = str(part).replace("'", "''")
                database.execute(f"create view {name} as select * from read_parquet('{path}')")
            else:
                database.register(name, part)
        yield database


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

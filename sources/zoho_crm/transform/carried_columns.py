"""Columns of fields that are gone stay in rows that are read again: the old values, joined by id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from .parquet_writer import ParquetFile, write_parquet

BATCH = 20_480  # joined rows at a time; ten of DuckDB's vectors


def carried(read: Path, destination_rows: Path, target: Path) -> ParquetFile:
    """The rows of `read`, with the columns that only `held` has behind them, by id.

    They are null in rows that are not held.
    """
    own = pq.read_schema(read)
    older = [
        field.with_nullable(True) for field in pq.read_schema(destination_rows) if field.name not in own.names
    ]
    # dlt wants to see in the file that a key is never null.
    schema = pa.schema([f.with_nullable(False) if f.name == "id" else f for f in [*own, *older]])
    columns = [f'{"read" if name in own.names else "held"}."{name}"' for name in schema.names]
    query = f"select {', '.join(columns)} from read left join held on read.id = held.id"

    def tables() -> Iterator[pa.Table]:
        yield schema.empty_table()
        with duckdb.connect(config={"temp_directory": str(target.parent / "duckdb")}) as database:
            for name, path in (("read", read), ("held", destination_rows)):
                quoted = str(path).replace("'", "''")
                database.execute(f"create view {name} as select * from read_parquet('{quoted}')")
            for batch in database.execute(query).to_arrow_reader(BATCH):
                yield pa.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)

    return write_parquet(tables(), target)

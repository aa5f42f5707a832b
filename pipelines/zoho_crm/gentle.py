"""Bounds what DuckDB needs to load wide rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dlt
import pyarrow.parquet as pq

from sources.zoho_crm.spool import GROUP_ROWS

from .held import is_duckdb

WIDE = 128 << 20  # bytes of one of DuckDB's row groups; each thread builds one


@contextmanager
def gently(pipeline: dlt.Pipeline, files: Sequence[Path]) -> Iterator[None]:
    """Load wide tables into DuckDB by one thread.

    Two threads share the rows of a group between them and then write it anew: for 200 columns that took twice
    the time and half as much memory again. The setting is the database's while any connection to it is open.
    """
    if not is_duckdb(pipeline) or not any(_is_wide(path) for path in files):
        yield
        return
    with pipeline.sql_client() as sql:
        before = sql.execute_sql("select current_setting('threads')")
        sql.execute_sql("set global threads = 1")
        try:
            yield
        finally:
            sql.execute_sql(f"set global threads = {int(before[0][0]) if before else 1}")


def _is_wide(path: Path) -> bool:
    found = pq.read_metadata(path)
    size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    return bool(found.num_rows and size / found.num_rows * GROUP_ROWS > WIDE)

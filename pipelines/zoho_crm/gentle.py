"""Bounds what DuckDB needs to load many rows: as much memory for ten million as for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow.parquet as pq
from dlt.destinations.exceptions import DatabaseException

from .failures import causes
from .held import is_duckdb

MANY = 64 << 20  # bytes of values, uncompressed, from which on the settings pay
LEAST, MOST = 256 << 20, 700 << 20  # bytes of memory; MOST for more threads than one
# A thread builds a row group of its own, with some blocks of 256 KiB a column. DuckDB 1.5 refuses a load of
# 200 to 500 columns below 0.9 MiB.
BYTES_PER_COLUMN = 3 << 19
SETTINGS = ("memory_limit", "threads", "preserve_insertion_order")
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@contextmanager
def gently(pipeline: dlt.Pipeline, files: Sequence[Path], room: int = 1) -> Iterator[None]:
    """Load files of many rows into DuckDB without keeping what is written already in memory.

    That takes the order of rows in a table out of hands, which no table promises. Keeping it, DuckDB loads on
    one thread near a limit, and writes wide rows twice. The settings are the database's as long as any
    connection to it is open; a lower limit of the user's stays. `room` is for a load that was starved: so many
    times the memory.
    """
    sizes = [_size(path) for path in files] if is_duckdb(pipeline) else []
    if sum(size for _, size in sizes) < MANY:
        yield
        return
    with pipeline.sql_client() as sql:
        names = ", ".join(f"'{name}'" for name in SETTINGS)
        found = sql.execute_sql(f"select name, value from duckdb_settings() where name in ({names})")
        before: dict[str, str] = {name: value for name, value in found or ()}
        try:
            _set(sql, _settings(sizes, before, room))
            yield
        finally:
            # DuckDB cuts 18.87 GiB to `18.8 GiB`; set to just that, it would be less each time.
            _set(sql, {name: re.sub(r"(\.\d) ", r"\g<1>5 ", value) for name, value in before.items()})


def starved(error: BaseException) -> bool:
    """Whether DuckDB refused a load because the memory that it was given is too little."""
    return any(isinstance(cause, duckdb.OutOfMemoryException) for cause in causes(error))


def _settings(sizes: Sequence[tuple[int, int]], before: Mapping[str, str], room: int) -> dict[str, str]:
    """What to load files of so many columns and bytes with."""
    widest = max(columns for columns, _ in sizes) * BYTES_PER_COLUMN
    threads = max(1, min(int(before["threads"]), MOST // widest))
    # The files of a package are loaded side by side; a small one needs no more than what is in it.
    needed = sum(min(columns * BYTES_PER_COLUMN * threads, 2 * size) for columns, size in sizes)
    limit = min(max(LEAST, needed) * room, _bytes(before["memory_limit"]))
    return {"threads": str(threads), "preserve_insertion_order": "false", "memory_limit": f"{limit} bytes"}


def _set(sql: Any, settings: Mapping[str, str]) -> None:
    """As many as it takes: it may be locked, or hold more already than it shall, and loads all the same."""
    with suppress(DatabaseException):
        for name, value in settings.items():
            sql.execute_sql(f"set global {name} = '{value}'")


def _bytes(spelt: str) -> int:
    """`18.6 GiB`, as DuckDB spells a limit."""
    found = re.fullmatch(r"([\d.]+) (\w+)", spelt)
    return int(float(found[1]) * UNITS[found[2]]) if found and found[2] in UNITS else MOST


def _size(path: Path) -> tuple[int, int]:
    """The columns of a file, and the bytes of its values."""
    found = pq.read_metadata(path)
    return found.num_columns, sum(found.row_group(n).total_byte_size for n in range(found.num_row_groups))

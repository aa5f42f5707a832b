"""Bounds what DuckDB needs to load many rows: as much memory for ten million as for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pyarrow.parquet as pq
from dlt.destinations.exceptions import DatabaseException

from sources.zoho_crm.sync.warehouse import is_duckdb
from sources.zoho_crm.transform.parquet_writer import GROUP_ROWS

from ..errors import causes

MANY = 64 << 20  # bytes of values, uncompressed, from which on the settings pay
LEAST, MOST = 160 << 20, 700 << 20  # bytes of memory; MOST for more threads than one
# A thread builds a row group of its own, with some blocks of 256 KiB a column. DuckDB 1.5 refuses a load of
# 200 to 500 columns below 0.9 MiB.
BYTES_PER_COLUMN = 3 << 19
SETTINGS = ("memory_limit", "threads", "preserve_insertion_order")
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@dataclass(frozen=True)
class _File:
    columns: int
    rows: int
    size: int  # bytes of its values, uncompressed


@contextmanager
def limited_memory(pipeline: dlt.Pipeline, files: Sequence[Path], memory_factor: int = 1) -> Iterator[None]:
    """Load files of many rows into DuckDB without keeping what is written already in memory.

    Row order is then not preserved; SQL tables do not guarantee one. With it, DuckDB loads on one thread near
    a limit, and writes wide rows twice. A thread needs row groups of its own to be of use: of
    too few rows all have to wait on disk for their end. The settings are the database's as long as any
    connection to it is open; a lower limit of the user's stays. `room` is for a load that was starved: so many
    times the memory.
    """
    found = [_look(path) for path in files] if is_duckdb(pipeline) else []
    if sum(file.size for file in found) < MANY:
        yield
        return
    with pipeline.sql_client() as sql:
        told = sql.execute_sql(f"select name, value from duckdb_settings() where name in {SETTINGS}")
        before: dict[str, str] = {name: value for name, value in told or ()}
        try:
            _set(sql, _settings(found, before, memory_factor))
            yield
        finally:
            # DuckDB cuts 18.87 GiB to `18.8 GiB`; set to just that, it would be less each time.
            _set(sql, {name: re.sub(r"(\.\d) ", r"\g<1>5 ", value) for name, value in before.items()})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether DuckDB refused a load because the memory that it was given is too little."""
    return any(isinstance(cause, duckdb.OutOfMemoryException) for cause in causes(error))


def _settings(files: Sequence[_File], before: Mapping[str, str], memory_factor: int) -> dict[str, str]:
    """What to load these files with."""
    largest = max(files, key=lambda file: file.size)
    threads = min(int(before["threads"]), MOST // (BYTES_PER_COLUMN * max(file.columns for file in files)))
    if largest.size > LEAST:
        threads = min(threads, largest.rows // (2 * GROUP_ROWS))
    threads = max(1, threads)
    # The files of a package are loaded side by side; a small one needs no more than what is in it.
    needed = sum(min(file.columns * BYTES_PER_COLUMN * threads, 2 * file.size) for file in files)
    limit = min(max(LEAST, needed) * memory_factor, _bytes(before["memory_limit"]))
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


def _look(path: Path) -> _File:
    found = pq.read_metadata(path)
    size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    return _File(found.num_columns, found.num_rows, size)

"""The table `deleted_records`: one row a deletion that Zoho told of."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ..client.client import ZohoClient
from ..discovery.account_tables import AccountTable, fields
from ..extract.deletions import NO_SUCH_LIST, Deletion, read_deletions
from ..extract.extractor import ExtractResult
from ..models import Module
from ..transform.arrow_tables import records_table
from ..transform.column_types import Column
from ..transform.parquet_writer import ParquetFile, write_parquet

DELETED_RECORDS = AccountTable(
    "deleted_records",
    "",
    "",
    fields(text="module id display_name type", datetime="deleted_time", lookup="deleted_by"),
    each="module",  # a record can be deleted, restored and deleted again
)
KEY = ("module", "id", "deleted_time")
BATCH = 20_000  # rows that are Python objects at once

logger = logging.getLogger("zoho_crm")


def deleted_records_reading(readings: Iterable[ExtractResult], folder: Path) -> ExtractResult:
    """The deletions that these readings were told of."""
    reading = ExtractResult("deleted_records", "deleted_records", "", "", key=KEY)
    reading.columns = DELETED_RECORDS.columns(DELETED_RECORDS.fields, {})
    path = folder / f"{DELETED_RECORDS.table}.parquet"
    reading.parquet_file = write_parquet(_tables(readings, reading.columns), path, key=None)
    return reading.end("read")


def _tables(readings: Iterable[ExtractResult], columns: tuple[Column, ...]) -> Iterator[pa.Table]:
    """In parts, as there may be millions of deletions."""
    yield records_table([], columns)
    rows = (_row(reading.name, gone) for reading in readings for gone in reading.deletions)
    while part := list(islice(rows, BATCH)):
        yield records_table(part, columns)


def _row(module: str, gone: Deletion) -> dict[str, Any]:
    return {
        "module": module,
        "id": gone.id,
        "display_name": gone.display_name,
        "type": gone.type,
        "deleted_time": gone.deleted_time.isoformat(),
        "deleted_by": gone.deleted_by,
    }


def deletions_only(
    client: ZohoClient, modules: Iterable[Module], since: datetime, until: datetime, *, named: bool
) -> Iterator[ExtractResult]:
    """What Zoho's lists tell of modules that are read in other runs; `named` keeps the names of the records."""
    for module in modules:
        if not module.has_own_records:
            continue
        feed = read_deletions(client, module.api_name, since)
        if feed.gap and feed.refusal not in NO_SUCH_LIST:
            logger.warning("deleted_records may lack rows of %s: %s", module.api_name, feed.gap)
        reading = ExtractResult(module.api_name, "", "", "")
        reading.gap = feed.gap if feed.refusal not in NO_SUCH_LIST else None
        reading.deletions = tuple(
            gone if named else replace(gone, display_name=None)
            for gone in feed.deletions
            if since <= gone.deleted_time < until
        )
        yield reading


def with_earlier(new: ParquetFile, there: Path, nameless: Collection[str]) -> ParquetFile:
    """These deletions and those that the table has, for a table that can only be replaced.

    Earlier rows of the modules in `nameless` lose their names: a rule of privacy is new.
    """
    with duckdb.connect() as database:
        database.execute("set time zone 'UTC'")
        rows = database.execute(
            """
            select distinct on (module, id, deleted_time) * from (
                select * from read_parquet($new)
                union all by name
                select * replace (case when not list_contains($nameless, module) then display_name end as display_name)
                from read_parquet($there)
            ) order by deleted_time, module, id
            """,
            {"new": str(new.path), "there": str(there), "nameless": list(nameless)},
        ).to_arrow_table()
    return write_parquet(
        [rows.select(new.schema.names).cast(new.schema)], new.path.with_suffix(".all.parquet"), key=None
    )

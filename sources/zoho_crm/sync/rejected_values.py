"""The table `rejected_values`: one row a value that its column's type does not hold. The column is null there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..discovery.account_tables import AccountTable, fields
from ..extract.extractor import ExtractResult, require_file
from ..transform.arrow_tables import rejected_columns
from ..transform.column_types import INSTANT, Column
from ..transform.naming import name_columns
from ..transform.parquet_writer import ParquetFile, groups_of
from ..transform.row_versions import DELETED_AT
from .warehouse import Warehouse

REJECTED_VALUES = AccountTable(
    "rejected_values",
    "",
    "",
    fields(text="module id field text reason", datetime="rejected_at"),
    each="module",  # a record may have several such values
)
KEY = ("module", "id", "field")
SCHEMA = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=name not in KEY)
            for name in ("module", *KEY[1:], "text", "reason")
        ),
        pa.field("rejected_at", INSTANT),
        DELETED_AT,
    ]
)


@dataclass(frozen=True)
class RejectedValue:
    """A value of Zoho's as text, and why its column does not hold it."""

    id: str
    field: str  # the API name
    text: str
    reason: str


def split_rejected(
    parquet_file: ParquetFile, columns: Sequence[Column]
) -> tuple[ParquetFile, list[RejectedValue]]:
    """The file without the columns of texts that did not fit, and what they held. Its Parquet file is written anew."""
    rejected_by_column = rejected_columns(parquet_file.schema)
    if not rejected_by_column:
        return parquet_file, []
    by_name = {column.name: column for column in columns}
    schema = pa.schema([field for field in parquet_file.schema if field.name not in rejected_by_column])
    rejected = []
    clean = parquet_file.path.with_suffix(".typed")
    with pq.ParquetWriter(clean, schema, use_dictionary=False) as writer:
        for group in groups_of(parquet_file.path):
            for name, own in rejected_by_column.items():
                column = by_name[own]
                some = group.select(["id", name]).filter(pc.is_valid(group[name]))
                reason = f"not a {column.kind.value}"
                rejected += [
                    RejectedValue(id, column.api_name, text, reason)
                    for id, text in zip(some["id"].to_pylist(), some[name].to_pylist(), strict=True)
                ]
            writer.write_table(group.select(schema.names))
    clean.replace(parquet_file.path)
    return replace(parquet_file, schema=schema), rejected


def rejected_values_reading(
    readings: Iterable[ExtractResult], warehouse: Warehouse, folder: Path, now: datetime
) -> ExtractResult:
    """The values of these readings that did not fit, and as deletions those of earlier runs that are no more."""
    known = _known(warehouse)
    rows, module_rows = list[dict[str, object]](), [r for r in readings if r.status == "read"]
    for reading in module_rows:
        kept = {(one.id, one.field) for one in reading.rejected}
        rows += [
            {
                "module": reading.name,
                "id": one.id,
                "field": one.field,
                "text": one.text,
                "reason": one.reason,
                "rejected_at": now,
            }
            for one in reading.rejected
        ]
        before = known.get(reading.name, set()) - kept
        if before:
            again = _read_again(reading, {id for id, _ in before})
            rows += [
                {"module": reading.name, "id": id, "field": field, "deleted_at": now}
                for id, field in sorted(before)
                if id in again
            ]
    reading = ExtractResult(REJECTED_VALUES.table, REJECTED_VALUES.table, "", "", key=KEY)
    reading.columns = name_columns(REJECTED_VALUES.fields, {})
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    if not warehouse.can_merge and REJECTED_VALUES.table in warehouse.tables([REJECTED_VALUES.table]):
        table = pa.concat_tables([table, _of_others(warehouse, {one.name for one in module_rows})])
    path = folder / "rejected_values.parquet"
    pq.write_table(table, path, use_dictionary=False)
    reading.parquet_file = ParquetFile(path, table.num_rows, SCHEMA)
    return reading.end("read")


def _of_others(warehouse: Warehouse, modules: set[str]) -> pa.Table:
    """The rows of modules that were not read, for a table that can only be replaced."""
    there = pq.read_table(warehouse.read(REJECTED_VALUES.table, [field.name for field in SCHEMA]))
    kept = there.filter(pc.invert(pc.is_in(there["module"], pa.array(sorted(modules), pa.string()))))
    return pa.table({f.name: kept[f.name].cast(f.type) for f in SCHEMA}, schema=SCHEMA)


def _known(warehouse: Warehouse) -> dict[str, set[tuple[str, str]]]:
    """By module: the ids and fields that the destination has."""
    found: dict[str, set[tuple[str, str]]] = {}
    if not warehouse.can_merge or REJECTED_VALUES.table not in warehouse.tables([REJECTED_VALUES.table]):
        return found
    rows = pq.read_table(warehouse.read(REJECTED_VALUES.table, list(KEY)))
    for row in rows.to_pylist():
        found.setdefault(row["module"], set()).add((row["id"], row["field"]))
    return found


def _read_again(reading: ExtractResult, ids: set[str]) -> set[str]:
    """Those of the ids of which this reading tells: all, if it is whole."""
    if not reading.adds and (reading.plan is None or reading.plan.is_full_refresh):
        return ids
    with duckdb.connect() as database:
        asked = pa.table({"id": sorted(ids)})
        database.register("asked", asked)
        path = str(require_file(reading).path).replace("'", "''")
        there = database.execute(f"select id from asked where id in (select id from read_parquet('{path}'))")
        return {row[0] for row in there.fetchall()} | (ids & reading.gone.keys())

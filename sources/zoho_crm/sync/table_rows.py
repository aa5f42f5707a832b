"""What dlt is given of a reading: the rows with what the table keeps, how they land, and what the columns are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.schema.typing import TWriteDispositionConfig

from ..discovery.catalog import Catalog
from ..extract.extractor import ExtractResult, require_file
from ..planning.plan import Plan
from ..transform.carried_columns import carried
from ..transform.column_types import Column
from ..transform.parquet_writer import ParquetFile, groups_of
from ..transform.row_versions import DELETED_AT
from .extraction import Extraction
from .row_history import RetentionWriter, disposition, extra_hints, has_deletion_mode


@dataclass(frozen=True)
class Rows:
    """Rows for dlt: a file, and how it joins the table."""

    file: ParquetFile
    disposition: TWriteDispositionConfig
    hints: Mapping[str, Mapping[str, Any]]  # of columns that are no field's


def rows_of(extraction: Extraction, reading: ExtractResult, *, tombstones: bool = True) -> Rows | None:
    """The rows of a module's reading; None if nothing has changed.

    Deleted records are rows with `deleted_at` set and all else null, which dlt takes for deletions in a merge
    (`hard_delete`). Where deleted rows are kept, they come whole, with the time. Without `tombstones` they are left
    out, as an `append` would keep them as rows.
    """
    plan = reading.plan
    assert plan is not None
    parquet_file = require_file(reading)
    there = (extraction.memory.destination_columns or {}).get(plan.table, frozenset())
    before = plan.synced.keeps if plan.synced else None
    exists = bool(there) and has_deletion_mode(plan.keeps, there, before)
    if (
        not plan.is_full_refresh
        and not parquet_file.rows
        and not reading.gone
        and not _new_columns(reading, there)
    ):
        return None
    if there:
        parquet_file = _carried(extraction, plan, parquet_file, there)
    how = disposition(plan.keeps, plan.is_full_refresh, exists)
    if plan.keeps != "hard":
        assert plan.until is not None
        gone = {deletion.id: deletion.deleted_time for deletion in reading.deletions} | reading.gone
        kept = RetentionWriter(plan.table, plan.keeps, plan.is_full_refresh, exists, plan.until)
        return Rows(
            kept.prepare(extraction.warehouse, parquet_file, reading.columns, gone),
            how,
            extra_hints(plan.keeps, merge=how != "replace"),
        )
    if how == "replace":
        return Rows(parquet_file, how, extra_hints("hard", merge=False))
    gone = reading.gone if tombstones else {}
    return Rows(_with_tombstones(parquet_file, gone), how, extra_hints("hard", merge=True))


def _new_columns(reading: ExtractResult, there: Collection[str]) -> bool:
    """Whether a new field has no column yet; it gets one from the first run on that sees it."""
    return any(column.name not in there for column in reading.columns)


def _with_tombstones(parquet_file: ParquetFile, gone: Mapping[str, datetime]) -> ParquetFile:
    if not gone:
        return parquet_file
    path = parquet_file.path.with_suffix(".landing.parquet")
    with pq.ParquetWriter(path, parquet_file.schema, use_dictionary=False) as writer:
        for group in groups_of(parquet_file.path):
            writer.write_table(group)
        columns = {
            "id": pa.array(list(gone), pa.string()),
            DELETED_AT.name: pa.array(list(gone.values()), DELETED_AT.type),
        }
        empty = [columns.get(f.name, pa.nulls(len(gone), f.type)) for f in parquet_file.schema]
        writer.write_table(pa.Table.from_arrays(empty, schema=parquet_file.schema))
    return replace(parquet_file, path=path, rows=parquet_file.rows + len(gone))


def _carried(
    extraction: Extraction, plan: Plan, parquet_file: ParquetFile, there: Collection[str]
) -> ParquetFile:
    """Values of fields that are gone, or of another type now, stay in rows that are read again."""
    own = set(parquet_file.schema.names)
    names = dict.fromkeys([*older_columns(extraction.found, plan), *(column.name for column in plan.columns)])
    older = [name for name in names if name in there and name not in own]
    if not older or not parquet_file.rows:
        return parquet_file
    ids = None if plan.is_full_refresh else pq.read_table(parquet_file.path, columns=["id"])["id"].to_pylist()
    older_values = extraction.warehouse.read(plan.table, ["id", *older], ids=ids)
    return carried(parquet_file.path, older_values, extraction.folder / f"{plan.table}.carried.parquet")


def older_columns(found: Catalog, plan: Plan) -> list[str]:
    """The columns that were given to fields which are gone, or to their earlier types."""
    remembered = found.memory.columns.get(plan.table, {})
    private = {entry.rpartition(": ")[0] for entry in plan.private}
    names = [name for field, forms in remembered.items() if field not in private for name in forms[::2]]
    current = {column.name for column in plan.columns}
    return [name for name in names if name not in current]


def column_hints(columns: Sequence[Column], key: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Types, labels and keys, as dlt's schema holds them."""
    hints: dict[str, dict[str, Any]] = {}
    for column in columns:
        hints[column.name] = {"name": column.name, "data_type": column.kind.dlt_type}
        label = column.field.raw.get("field_label")
        if isinstance(label, str) and label:
            hints[column.name]["description"] = label
    for name in key:
        if name in hints:
            hints[name].update(nullable=False, primary_key=True)
    return hints


def references(columns: Sequence[Column], tables: Mapping[str, str]) -> list[Any]:
    """The lookups of a table as dlt's references; `tables` are those of the source, by module."""
    found = []
    for column in columns:
        if target := tables.get(_target(column) or ""):
            found.append({"columns": [column.name], "referenced_table": target, "referenced_columns": ["id"]})
    return found


def _target(column: Column) -> str | None:
    """The module, or our table, whose records a lookup names."""
    if column.field.data_type in ("ownerlookup", "userlookup"):
        return "users"
    lookup = column.field.raw.get("lookup")
    module = lookup.get("module") if isinstance(lookup, Mapping) else None
    name = module.get("api_name") if isinstance(module, Mapping) else module
    return str(name) if name else None

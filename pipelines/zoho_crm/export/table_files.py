"""The rows of a table as one file: Parquet, CSV or lines of JSON; and what its columns are, as JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from sources.zoho_crm.transform.parquet_writer import write_parquet

from ..monitoring.columns import TableColumn, TableColumns

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# dlt's types, as a value is in a line of JSON.
JSON_TYPES: dict[str, dict[str, str]] = {
    "text": {"type": "string"},
    "bigint": {"type": "integer"},
    "double": {"type": "number"},
    "decimal": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "json": {},  # any value
}
EXACT = "An exact decimal: read it as one, not as a floating-point number."


def write_rows(
    tables: Iterator[pa.Table], columns: Sequence[TableColumn], file_format: str, path: Path
) -> int:
    """Write all tables; gives the number of rows. No more than a part of the rows is in memory."""
    if file_format == "parquet":
        return write_parquet(tables, path, key=None).rows
    return _csv(tables, path) if file_format == "csv" else _json_lines(tables, columns, path)


def _csv(tables: Iterator[pa.Table], path: Path) -> int:
    """Every text is in quotes, so a null, which is nothing at all, differs from an empty text."""
    rows, first = 0, next(tables)
    with pa.csv.CSVWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)
            rows += table.num_rows
    return rows


def _json_lines(tables: Iterator[pa.Table], columns: Sequence[TableColumn], path: Path) -> int:
    rows = 0
    names = [json.dumps(column.name, ensure_ascii=False) for column in columns]
    writers = [_json if column.type == "json" else _plain for column in columns]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for table in tables:
            for batch in table.to_batches(max_chunksize=1_024):
                lines = _lines(batch, names, writers)
                file.write("".join(lines))
                rows += batch.num_rows
    return rows


def _lines(batch: pa.RecordBatch, names: Sequence[str], writers: Sequence[Callable[[Any], str]]) -> list[str]:
    cells = [
        [f"{name}:{write(value)}" for value in column.to_pylist()]
        for name, write, column in zip(names, writers, batch.columns, strict=True)
    ]
    return ["{" + ",".join(row) + "}\n" for row in zip(*cells, strict=True)]


def _plain(value: Any) -> str:
    """A decimal keeps all its digits, but for the zeros at its end."""
    if isinstance(value, Decimal):
        whole, point, fraction = f"{value:f}".partition(".")
        return f"{whole}{point}{fraction}".rstrip("0").rstrip(".") if point else whole
    return json.dumps(value.isoformat() if isinstance(value, (date, datetime)) else value, ensure_ascii=False)


def _json(value: Any) -> str:
    """The text of JSON itself, in one line: numbers keep their digits, and no string of JSON has a line break."""
    if value is None:
        return "null"
    try:
        json.loads(value)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return str(value).replace("\r", " ").replace("\n", " ")


def json_schema(table: TableColumns) -> dict[str, Any]:
    """The columns as JSON Schema of a row."""
    return {
        "$schema": DIALECT,
        "title": table.label or table.table,
        "type": "object",
        "properties": {column.name: _property(column) for column in table.columns},
        "required": [column.name for column in table.columns],
        "additionalProperties": False,
        "x-table": table.table,
        "x-module": table.module,
    }


def _property(column: TableColumn) -> dict[str, Any]:
    of: Mapping[str, Any] = JSON_TYPES.get(column.type, JSON_TYPES["text"])
    found: dict[str, Any] = dict(of)
    if column.nullable and "type" in found:
        found["type"] = [found["type"], "null"]
    if column.label:
        found["title"] = column.label
    if column.type == "decimal":
        found["description"] = EXACT
    found["x-type"] = column.type
    if column.field:
        found |= {"x-field": column.field, "x-zoho-type": column.zoho_type}
    if column.references:
        found["x-references"] = [f"{table}.id" for table in column.references]
    return found

"""Columns of fields that are gone stay in rows that are read again."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.zoho_crm.transform.arrow_tables import REJECTED_OF, rejected_columns
from sources.zoho_crm.transform.carried_columns import carried
from sources.zoho_crm.transform.column_types import DECIMAL, INSTANT

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("amount", DECIMAL),
        pa.field("modified_time", INSTANT),
        pa.field("day", pa.date32()),
        pa.field("approved", pa.bool_()),
        pa.field("big", pa.int64()),
        pa.field("share", pa.float64()),
        pa.field("tags", pa.string()),
    ]
)
FULL: dict[str, Any] = {
    "name": "Ann \u200f\U0001f600",
    "amount": Decimal("12345678901234567.123456789"),
    "modified_time": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
    "day": date(1, 1, 1),
    "approved": False,
    "big": 2**63 - 1,
    "share": 0.1,
    "tags": '["a;b", "\\"", ""]',
}


def file_of(path: Path, *rows: dict[str, Any], names: str = "") -> Path:
    schema = pa.schema([SCHEMA.field(name) for name in names.split()]) if names else SCHEMA
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return path


def rows_of(parquet_file: Any) -> dict[str, dict[str, Any]]:
    table = pq.read_table(parquet_file.path)
    assert table.num_rows == parquet_file.rows
    assert table.schema.equals(parquet_file.schema)
    return {row.pop("id"): row for row in table.to_pylist()}


def test_values_of_fields_that_are_gone_are_carried_over(tmp_path):
    read = file_of(
        tmp_path / "r.parquet", {"id": "1", "name": "new"}, {"id": "3", "name": "c"}, names="id name"
    )
    held = file_of(
        tmp_path / "h.parquet",
        {"id": "1", "name": "old", "amount": FULL["amount"], "tags": FULL["tags"]},
        {"id": "2", "name": "gone", "amount": None, "tags": None},
        names="id name amount tags",
    )
    found = carried(read, held, tmp_path / "whole.parquet")
    assert found.schema.names == ["id", "name", "amount", "tags"]
    assert rows_of(found) == {
        "1": {"name": "new", "amount": FULL["amount"], "tags": FULL["tags"]},
        "3": {"name": "c", "amount": None, "tags": None},
    }


def test_rejected_texts_stay_marked(tmp_path):
    rejected_text = pa.field("big_text", pa.string(), metadata={REJECTED_OF: b"big"})
    schema = pa.schema([SCHEMA.field("id"), SCHEMA.field("big"), rejected_text])
    rows = [{"id": "1", "big": None, "big_text": "many"}, {"id": "2", "big": 2, "big_text": None}]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "r.parquet")
    held = file_of(tmp_path / "h.parquet", {"id": "2", "day": FULL["day"]}, names="id day")
    found = carried(tmp_path / "r.parquet", held, tmp_path / "whole.parquet")
    assert rejected_columns(found.schema) == {"big_text": "big"}
    assert rows_of(found)["2"] == {"big": 2, "big_text": None, "day": FULL["day"]}

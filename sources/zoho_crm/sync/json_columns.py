"""JSON for SQLAlchemy destinations (SQLite, MySQL, MariaDB), which make text of every value that they are given.

Text would become text once more: `"[\\"A\\"]"`. There a column of JSON has an Arrow type of its own, whose values are
Python objects as soon as somebody asks for them, and the text of JSON in the file.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any
from uuid import uuid4

import dlt
import pyarrow as pa
import pyarrow.parquet as pq

from ..transform.parquet_writer import groups_of


class JsonScalar(pa.ExtensionScalar):  # type: ignore[misc]
    """One value, parsed."""

    def as_py(self, **_: Any) -> Any:
        return None if self.value is None else json.loads(self.value.as_py())


class JsonType(pa.ExtensionType):  # type: ignore[misc]
    """The type of JSON that is text in Arrow and an object in Python."""

    def __init__(self) -> None:
        super().__init__(pa.string(), "zoho_crm.json")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, data: bytes) -> JsonType:
        return cls()

    def __arrow_ext_scalar_class__(self) -> type[JsonScalar]:
        return JsonScalar


pa.register_extension_type(JsonType())


def writes_json_itself(pipeline: dlt.Pipeline) -> bool:
    """Whether the destination of a pipeline makes text of JSON by itself, also of what is text already."""
    destination = pipeline.destination
    return destination is not None and destination.destination_type.endswith(".sqlalchemy")


def with_json(table: pa.Table, names: Collection[str]) -> pa.Table:
    """The table with these columns of text as JSON."""
    for position, field in enumerate(table.schema):
        if field.name in names and pa.types.is_string(field.type):
            chunks = [pa.ExtensionArray.from_storage(JsonType(), chunk) for chunk in table[field.name].chunks]
            column = pa.chunked_array(chunks, JsonType())
            table = table.set_column(position, field.with_type(JsonType()), column)
    return table


def file_with_json(path: Path, names: Collection[str]) -> Path:
    """A file beside that one, with these columns of text as JSON."""
    target = path.with_suffix(".json.parquet")
    schema = with_json(pq.read_schema(path).empty_table(), names).schema
    with pq.ParquetWriter(target, schema) as writer:
        for group in groups_of(path):
            writer.write_table(with_json(group, names))
    return target


def imported_with_json(hints: Any, names: Collection[str], folder: Path, item: Any, meta: Any = None) -> Any:
    """The last step of a resource with steps: its rows as a file in which these columns are JSON.

    dlt takes the types of its columns from a table without rows, in which they are text. Rows that a user's step
    has made Python objects stay as they are.
    """
    if not isinstance(item, (pa.Table, pa.RecordBatch)):
        return item
    table = pa.Table.from_batches([item]) if isinstance(item, pa.RecordBatch) else item
    path = folder / f"{uuid4().hex}.parquet"
    pq.write_table(with_json(table, names), path)
    marked = dlt.mark.with_file_import(str(path), "parquet", table.num_rows, hints)
    marked.data = table.schema.empty_table()
    return marked

"""Each destination that the tests can load into, and the rows that are there afterwards, as the CRM has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq

MARKS = ("deleted_at", "_dlt_valid_from", "_dlt_valid_to", "_dlt_row_version")


@dataclass
class Place:
    """A destination; `changes` says whether a run changes single rows there, or loads whole tables."""

    name: str
    destination: Any
    table_format: Any = None
    changes: bool = True

    def rows(self, pipeline: Any, table: str) -> list[dict[str, Any]]:
        """Every row of a table, deleted and closed ones too; values as Python has them, JSON parsed once."""
        columns = pipeline.default_schema.get_table_columns(table)
        return [
            {name: plain(value, columns[name]) for name, value in row.items()}
            for row in self._raw(pipeline, table)
        ]

    def _raw(self, pipeline: Any, table: str) -> list[dict[str, Any]]:
        if self.table_format is not None:
            with pipeline.destination_client() as client:
                opened = client.load_open_table(self.table_format, table)
                if self.table_format == "iceberg":
                    return list(opened.scan().to_arrow().to_pylist())
                return list(opened.to_pyarrow_table().to_pylist())
        if self.name == "parquet":
            with pipeline.destination_client() as client:
                files = client.list_table_files(table)
                return [row for file in files for row in pq.read_table(file).to_pylist()]
        with pipeline.sql_client() as sql:
            query = f"select * from {sql.make_qualified_table_name(table)}"
            with sql.execute_query(query) as cursor:
                names = cursor.keys() if hasattr(cursor, "keys") else [part[0] for part in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute(self, pipeline: Any, *statements: str) -> None:
        """Statements of SQL, in which `{name}` is the qualified name of a table."""
        with pipeline.sql_client() as sql:
            tables = pipeline.default_schema.tables
            names = {name: sql.make_qualified_table_name(name) for name in tables}
            for statement in statements:
                sql.execute_sql(statement.format(**names))


def plain(value: Any, column: Mapping[str, Any]) -> Any:
    """A value as the tests' truth has it, from whatever type the destination has for it."""
    kind = column["data_type"]
    if value is None:
        return None
    if kind == "json":
        return json.loads(value) if isinstance(value, str) else value
    if kind == "timestamp":
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "decimal":
        return Decimal(str(value)).quantize(Decimal("1.000000000"))
    return bool(value) if kind == "bool" else value

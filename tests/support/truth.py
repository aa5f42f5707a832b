"""What a table should hold, straight from the simulated org; shares nothing with the source's type table."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import timezone
from decimal import Decimal
from typing import Any

from simulators.zoho_crm import Field, Org

LOOKUPS = {"lookup", "ownerlookup", "userlookup", "multi_module_lookup", "consent_lookup", "layout"}
IN_OTHER_TABLES = {"subform", "multiselectlookup", "multiuserlookup", "address"}


def column_of(field: Field) -> str | None:
    """The column of a field whose name is plain ASCII words joined by underscores."""
    if field.data_type in IN_OTHER_TABLES or not field.visible:
        return None
    name = "_".join(word for word in field.api_name.split("_") if word).lower()
    return f"{name}__id" if field.data_type in LOOKUPS else name


def value_of(field: Field, value: Any) -> Any:
    """The value as DuckDB should give it back."""
    if value is None or value in ("", [], {}):
        return None
    data_type = field.value_type
    if data_type in LOOKUPS:
        return value["id"]
    if field.api_name == "Tag":
        return [tag["name"] for tag in value]
    if data_type == "territories":
        return [territory["id"] for territory in value]
    if data_type in ("RRULE", "ALARM"):
        return next(iter(value.values()))
    if data_type == "datetime":
        return value.astimezone(timezone.utc)
    if data_type == "currency":
        return Decimal(value)
    if data_type in ("double", "percent"):
        return float(value)
    return int(value) if data_type in ("integer", "bigint") and field.api_name != "id" else value


def truth(
    org: Org, module: str, without: Collection[str] = (), names: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Every live record by id, as column -> value; `names` are the columns that follow no plain rule."""
    fields = {f.api_name: f for f in org.modules[module].fields}
    return {
        record.id: {
            (names or {}).get(name, column): value_of(field, record.values.get(name))
            for name, field in fields.items()
            if (column := column_of(field)) and name not in without
        }
        | {"id": record.id}
        for record in org.records(module)
    }


def landed(load: Any, table: str, where: str = "true") -> dict[str, dict[str, Any]]:
    """Every row by id, as column -> value; JSON parsed."""
    query = f"select * from {table} where {where}"
    with load.pipeline.sql_client() as sql, sql.execute_query(query) as cursor:
        names = [part[0] for part in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    types = load.pipeline.default_schema.get_table_columns(table)
    assert len({row["id"] for row in rows}) == len(rows), f"{table} holds an id twice"
    return {
        row["id"]: {
            name: _plain(value, types[name])
            for name, value in row.items()
            if (name, value) != ("deleted_at", None)  # of every row that is there
        }
        for row in rows
    }


def _plain(value: Any, column: Mapping[str, Any]) -> Any:
    if column["data_type"] == "json" and isinstance(value, str):
        return json.loads(value)
    return value.astimezone(timezone.utc) if column["data_type"] == "timestamp" and value else value

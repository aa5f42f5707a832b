"""Sources and staging models: each table as dbt sees it, with descriptions from Zoho's labels and tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from sources.zoho_crm.sync.warehouse import DELETED_AT, VALID_TO

from ..monitoring.columns import TableColumn, TableColumns

MARKS = (DELETED_AT, "_dlt_valid_from", VALID_TO)
JINJA = ("{{", "{%", "{#")  # dbt would run what such a text says
# In Zoho an id may point to a record that is gone, and a record may hold a choice that was removed.
WARN = {"severity": "warn"}


def staging_name(dataset: str, table: str) -> str:
    return f"stg_{dataset}__{table}"


def sources_yaml(dataset: str, schema: str, tables: Mapping[str, TableColumns]) -> str:
    """The tables as sources of dbt; `schema` is the dataset as the destination spells it."""
    listed = [
        {
            "name": table.table,
            **_described(_words(table)),
            "columns": [{"name": column.name, **_described(column.label)} for column in table.columns],
        }
        for table in tables.values()
    ]
    return to_yaml({"version": 2, "sources": [{"name": dataset, "schema": schema, "tables": listed}]})


def staging_yaml(dataset: str, tables: Mapping[str, TableColumns]) -> str:
    """Descriptions and tests of the staging models."""
    models = [
        {
            "name": staging_name(dataset, table.table),
            **_described(_words(table)),
            "columns": [
                {"name": column.name, **_described(column.label), **_tests(dataset, column, tables)}
                for column in table.columns
                if column.name not in MARKS
            ],
        }
        for table in tables.values()
    ]
    return to_yaml({"version": 2, "models": models})


def staging_sql(dataset: str, table: TableColumns, quote: Callable[[str], str]) -> str:
    """The rows that exist, in their open version."""
    names = [column.name for column in table.columns]
    shown = ",\n    ".join(quote(name) for name in names if name not in MARKS)
    live = " and ".join(f"{quote(mark)} is null" for mark in (DELETED_AT, VALID_TO) if mark in names)
    where = f"where {live}\n" if live else ""
    return f"select\n    {shown}\nfrom {{{{ source('{dataset}', '{table.table}') }}}}\n{where}"


def to_yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=110))


def _words(table: TableColumns) -> str | None:
    return f"{table.label or table.module} (module {table.module})" if table.module else None


def _described(text: str | None) -> dict[str, str]:
    """dbt runs Jinja in descriptions."""
    for sign in JINJA:
        text = text and text.replace(sign, f"{sign[0]} {sign[1]}")
    return {"description": text} if text else {}


def _tests(dataset: str, column: TableColumn, tables: Mapping[str, TableColumns]) -> dict[str, list[Any]]:
    tests: list[Any] = []
    if column.name == "id" and column.label is not None:
        tests += ["unique", "not_null"]
    if len(column.references) == 1 and column.references[0] in tables:
        to = f"ref('{staging_name(dataset, column.references[0])}')"
        tests.append({"relationships": {"arguments": {"to": to, "field": "id"}, "config": WARN}})
    values = [value for value, _ in column.picklist]
    if values and column.type == "text" and not any(sign in value for value in values for sign in JINJA):
        spelt = [value.replace("'", "''") for value in dict.fromkeys(values)]  # dbt puts them between quotes
        tests.append({"accepted_values": {"arguments": {"values": spelt}, "config": WARN}})
    return {"data_tests": tests} if tests else {}

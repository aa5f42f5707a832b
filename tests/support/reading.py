"""Reads one module as a run does, without a destination, and lets a test change the org between two calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow.parquet as pq

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.client.progress import NO_PROGRESS
from sources.zoho_crm.config import ModuleSelection
from sources.zoho_crm.discovery.catalog import PreviousState
from sources.zoho_crm.extract.extractor import ExtractResult, read_module
from sources.zoho_crm.extract.probe import discover
from sources.zoho_crm.sync.tables import account_tables, metadata_tables
from sources.zoho_crm.transform.column_types import ColumnType

RECORDS, COQL = "ReadAPI=REST", "ReadAPI=COQL"
LIST, QUERY = "GET /crm/v8/{module}", "POST /crm/v8/coql"
DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)
LISTS = (ColumnType.NAMES, ColumnType.IDS, ColumnType.OBJECTS)


def things(org: Org, rows: int, *, per_second: int = 1, fields: int = 1, **options: Any) -> list[str]:
    """A module `Things` with text fields `F0`, `F1`...; so many rows share one Modified_Time."""
    named = [Field(f"F{n}", "text") for n in range(fields)]
    extra = options.pop("extra", [])
    org.add_module(Module("Things", [*named, *extra], generated_type="custom", **options))
    return add(org, rows, per_second=per_second, fields=fields)


def add(org: Org, rows: int, *, per_second: int = 1, fields: int = 1) -> list[str]:
    return [
        org.insert(
            "Things",
            {f"F{n}": f"{n}/{row}" for n in range(fields)},
            modified_time=DAY + timedelta(seconds=row // per_second),
        )
        for row in range(rows)
    ]


def look(load: Any, settings: str = RECORDS, memory: PreviousState | None = None, **choice: Any) -> Any:
    """The client and its survey."""
    client = load.client(settings)
    chosen = ModuleSelection(**{key: frozenset(names) for key, names in choice.items()})
    preferred_api = load.credentials(settings).api
    return client, discover(client, chosen, preferred_api, memory or PreviousState())


def read(load: Any, module: str = "Things", settings: str = RECORDS) -> ExtractResult:
    client, found = look(load, settings, only=[module])
    return read_module(client, found.plans[0], load.folder)


def rows_of(reading: ExtractResult) -> dict[str, dict[str, Any]]:
    """Every row of the file by id; JSON parsed. Records that exist have no `deleted_at`."""
    assert reading.status == "read", reading.error
    lists = {c.name for c in reading.columns if c.kind in LISTS}
    rows = pq.read_table(reading.parquet_file.path).to_pylist()
    assert len(rows) == reading.rows
    assert {row.pop("deleted_at") for row in rows} <= {None}
    return {
        row["id"]: {
            name: json.loads(value) if name in lists and value else value for name, value in row.items()
        }
        for row in rows
    }


def after_call(org: Org, route: str, nth: int, act: Callable[[], Any], times: int = 1) -> None:
    """Change the org right after the nth answer on a route, and the next ones: `times` in all."""
    enter, seen = org.ledger.add, [0]

    def add(call: Any) -> None:
        enter(call)
        if call.route == route:
            seen[0] += 1
            if nth <= seen[0] < nth + times:
                act()

    org.ledger.add = add  # type: ignore[method-assign]


def queries(org: Org) -> list[str]:
    return [json.loads(call.body)["select_query"] for call in org.ledger.calls(QUERY)]


def readings(load: Any, memory: PreviousState | None = None, **choice: Any) -> dict[str, ExtractResult]:
    """The account's own tables that a run reads, by name."""
    client, found = look(load, memory=memory, **choice)
    tables = [*account_tables(client, found), *metadata_tables(found)]
    return {table.name: table.read(load.folder, NO_PROGRESS) for table in tables}


def table(load: Any, name: str, **choice: Any) -> list[dict[str, Any]]:
    reading = readings(load, **choice)[name]
    assert reading.status == "read", reading.error
    rows: list[dict[str, Any]] = pq.read_table(reading.parquet_file.path).to_pylist()
    return rows

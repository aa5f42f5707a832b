"""Runs of a few modules only, and what has to hold after each."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dlt

from pipelines.zoho_crm.run.run_result import RunResult
from simulators.zoho_crm import Org
from tests.support.truth import landed, truth

MARKS = frozenset({"deleted_at", "_dlt_valid_from", "_dlt_valid_to", "_dlt_row_version"})


def sync(load: Any, *modules: str, settings: str = "", **policy: Any) -> RunResult:
    """A run of these modules that has to end well; without the tables about the account, which take a second."""
    run = tried(load, *modules, settings=settings, **policy)
    assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error] + run.troubles
    return run


def tried(load: Any, *modules: str, settings: str = "", **policy: Any) -> RunResult:
    """A run one second after whatever happened: what happens in the second of a run is the next one's."""
    load.org.clock.advance(seconds=1)
    run: RunResult = load(settings, only=modules or ("Things",), never=("modules", "fields"), **policy)
    return run


def agrees(load: Any, module: str = "Things", besides: Collection[str] = ()) -> None:
    """The table of a module is what the CRM has; `besides` are columns that no field has any more."""
    rows, expected = landed(load, module.lower()), truth(load.org, module)
    assert rows.keys() == expected.keys()
    for id, row in rows.items():
        assert {name: value for name, value in row.items() if name not in besides} == expected[id]


def tables_in(org: Org, file: Path, dataset: str) -> Any:
    """The tables of a DuckDB file, for `agrees` and `landed`, whichever pipelines have loaded them."""
    database = dlt.destinations.duckdb(str(file))
    folder = str(file.with_suffix(".read"))
    reader = dlt.pipeline("read", destination=database, dataset_name=dataset, pipelines_dir=folder)
    columns: dict[str, Any] = {}  # each pipeline has stored the schema of its own tables
    with reader.sql_client() as sql:
        for (schema,) in sql.execute_sql("select schema from _dlt_version order by inserted_at") or []:
            columns.update((name, table["columns"]) for name, table in json.loads(schema)["tables"].items())
    known = SimpleNamespace(get_table_columns=columns.__getitem__)
    return SimpleNamespace(
        org=org, pipeline=SimpleNamespace(sql_client=reader.sql_client, default_schema=known)
    )


def live(load: Any, module: str, mark: str = "deleted_at") -> dict[str, dict[str, Any]]:
    """The rows without a mark, without the columns of marks."""
    rows = landed(load, module.lower(), f"{mark} is null")
    return {id: {name: value for name, value in row.items() if name not in MARKS} for id, row in rows.items()}


def synced(load: Any, module: str = "Things") -> dict[str, Any]:
    """What the state says of a module."""
    resources = load.pipeline.state["sources"]["zoho_crm"]["resources"].values()
    entries = [entry["module_state"] for entry in resources if "module_state" in entry]
    found: dict[str, Any] = next(entry for entry in entries if entry["module"] == module)
    return found


def watermark(load: Any, module: str = "Things") -> datetime:
    return datetime.fromisoformat(synced(load, module)["until"])


def everything(load: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but those that each run adds to."""
    names = load.rows("select table_name from information_schema.tables where table_schema = 'zoho'")
    ours = sorted(name for (name,) in names if not name.startswith("_dlt") and name != "sync_runs")
    return {name: sorted(load.rows(f"select * from zoho.{name}"), key=repr) for name in ours}

"""One destination of the model test: its pipeline, what its tables hold, and how a run there ends."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import timezone
from pathlib import Path
from typing import Any

import dlt
import duckdb

from pipelines.zoho_crm.failures import explain
from pipelines.zoho_crm.opening import open_pipeline
from pipelines.zoho_crm.outcome import Run
from pipelines.zoho_crm.progress import Progress
from pipelines.zoho_crm.sync import sync
from simulators.zoho_crm import Org
from sources.zoho_crm.client import Pace, connect
from sources.zoho_crm.credentials import resolve_credentials
from sources.zoho_crm.survey import Choice

Row = dict[str, Any]
Tables = dict[str, dict[str, Row]]  # table -> id -> column -> value


@dataclass
class Target:
    """Where one pipeline loads to."""

    folder: Path
    database: Path
    name: str = "zoho_crm"
    dataset: str = "zoho"
    fresh: bool = True
    """It holds nothing yet: the next run reads everything, and so has no excuse."""
    before: Tables = field(default_factory=dict)
    """What the tables held before the latest run."""
    reshaped: int = 0
    """How often the fields had changed when the latest good run began."""

    @property
    def pipelines_dir(self) -> Path:
        return self.folder / self.name

    def run(self, connection_string: str, pace: Pace, refresh: bool = False) -> Run:
        credentials = resolve_credentials(connection_string)
        client = connect(credentials, pace)
        destination = dlt.destinations.duckdb(str(self.database))
        collector = Progress()
        pipeline = open_pipeline(self.name, destination, self.dataset, str(self.pipelines_dir), collector)
        return sync(pipeline, client, Choice(refresh=refresh), credentials.api, collector)

    def lose_machine(self) -> None:
        shutil.rmtree(self.pipelines_dir, ignore_errors=True)

    def lose_destination(self) -> None:
        for file in (self.database, self.database.with_name(f"{self.database.name}.wal")):
            file.unlink(missing_ok=True)
        self.fresh = True

    def tables(self) -> Tables:
        """Every table whose rows have an id, as it is now; a repeated id is an error."""
        if not self.database.exists():
            return {}
        with duckdb.connect(str(self.database), read_only=True) as database:
            database.execute("set timezone = 'UTC'")
            query = "select table_name, column_name, data_type from duckdb_columns() where schema_name = ?"
            columns: dict[str, dict[str, str]] = {}
            for table, column, data_type in database.execute(query, [self.dataset]).fetchall():
                columns.setdefault(table, {})[column] = data_type
            return {
                table: _rows(database, f'"{self.dataset}"."{table}"', types)
                for table, types in columns.items()
                if "id" in types and not table.startswith("_dlt")
            }

    def column_names(self, org: Org) -> dict[str, dict[str, str | None]]:
        """The column of each field of each module, as the table `fields` says."""
        names: dict[str, dict[str, str | None]] = {module: {} for module in org.modules}
        if "fields" not in self.tables():
            return names
        with duckdb.connect(str(self.database), read_only=True) as database:
            query = f'select module, api_name, column_name from "{self.dataset}".fields'
            for module, api_name, column in database.execute(query).fetchall():
                names.setdefault(module, {})[api_name] = column
            return names


def _rows(database: duckdb.DuckDBPyConnection, table: str, types: dict[str, str]) -> dict[str, Row]:
    names = [name for name in types if not name.startswith("_dlt")]
    listed = ", ".join(f'"{name}"' for name in names)
    found: dict[str, Row] = {}
    for values in database.execute(f"select {listed} from {table}").fetchall():
        row = {name: _plain(value, types[name]) for name, value in zip(names, values, strict=True)}
        assert row["id"] not in found, f"{table} holds the id {row['id']} twice"
        found[row["id"]] = row
    return found


def _plain(value: Any, data_type: str) -> Any:
    if value is not None and data_type == "JSON":
        return json.loads(value)
    if value is not None and data_type.startswith("TIMESTAMP"):
        return value.astimezone(timezone.utc)
    return value


def exit_code_of(error: BaseException) -> int:
    """The exit code of the command line; what it would show as a traceback is raised again."""
    told = explain(error)
    if told is None:
        raise error
    return told[1]

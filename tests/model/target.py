"""One destination of the model test: its pipeline, what its tables hold, and how a run there ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dlt
import duckdb

from pipelines.zoho_crm.errors import describe_error
from pipelines.zoho_crm.run.pipeline import open_pipeline
from pipelines.zoho_crm.run.progress import Progress
from pipelines.zoho_crm.run.run_result import RunResult
from pipelines.zoho_crm.run.runner import sync
from simulators.zoho_crm import Org
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.client.client import connect
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.config import ModuleSelection, SyncConfig

Row = dict[str, Any]
Rows = dict[str, Row]  # by id
NOT_DATA = frozenset({"deleted_at", "_dlt_valid_from", "_dlt_valid_to"})


@dataclass
class Held:
    """What a module's table holds."""

    live: Rows = field(default_factory=dict)
    dead: Rows = field(default_factory=dict)
    """Rows with a `deleted_at`."""
    closed: dict[str, list[Row]] = field(default_factory=dict)
    """The versions of each row that are over, the oldest first."""

    def add(self, row: Row) -> None:
        id = row["id"]
        if row.get("_dlt_valid_to") is not None:
            self.closed.setdefault(id, []).append(row)
            return
        assert id not in self.live and id not in self.dead, f"{id} is there twice"
        (self.live if row.get("deleted_at") is None else self.dead)[id] = row


@dataclass
class Target:
    """Where one pipeline loads to."""

    org: Org
    folder: Path
    database: Path
    policy: SyncConfig = field(default_factory=SyncConfig)
    name: str = "zoho_crm"
    dataset: str = "zoho"
    fresh: bool = True
    """It holds nothing yet: the next run reads everything, and so has no excuse."""
    before: dict[str, Held] = field(default_factory=dict)
    """What the tables held before the latest run."""
    reshaped: int = 0
    """How often the fields had changed when the latest good run began."""
    good: datetime | None = None
    """When that was."""

    @property
    def pipelines_dir(self) -> Path:
        return self.folder / self.name

    def run(self, connection_string: str, retry_policy: RetryPolicy) -> RunResult:
        credentials = resolve_credentials(connection_string)
        client = connect(credentials, retry_policy)
        destination = dlt.destinations.duckdb(str(self.database))
        collector = Progress()
        with self.opened():
            pipeline = open_pipeline(self.name, destination, self.dataset, str(self.pipelines_dir), collector)
            return sync(pipeline, client, ModuleSelection(policy=self.policy), credentials.api, collector)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While one connection is open, each further one takes a millisecond instead of twenty."""
        with duckdb.connect(str(self.database)):
            yield

    def lose_machine(self) -> None:
        shutil.rmtree(self.pipelines_dir, ignore_errors=True)

    def lose_destination(self) -> None:
        for file in (self.database, self.database.with_name(f"{self.database.name}.wal")):
            file.unlink(missing_ok=True)
        self.fresh = True

    def tables(self) -> dict[str, Held]:
        """The table of each module, as far as there is one; an id that is there twice is an error."""
        found = {}
        for table in [module.lower() for module in self.org.modules]:
            rows = self._rows(table)
            if rows is not None:
                found[table] = held = Held()
                for row in rows:
                    held.add(row)
        return found

    def column_names(self) -> dict[str, dict[str, str | None]]:
        """The column of each field of each module, as the table `fields` says."""
        names: dict[str, dict[str, str | None]] = {module: {} for module in self.org.modules}
        for row in self._rows("fields") or ():
            names.setdefault(row["module"], {})[row["api_name"]] = row["column_name"]
        return names

    def deletions(self) -> set[tuple[str, str]]:
        return {(row["module"], row["id"]) for row in self._rows("deleted_records") or ()}

    def _rows(self, table: str) -> list[Row] | None:
        with duckdb.connect(str(self.database)) as database:
            database.execute("set timezone = 'UTC'")
            query = (
                "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ?"
            )
            types = dict(database.execute(query, [self.dataset, table]).fetchall())
            if not types:
                return None
            names = [name for name in types if name in NOT_DATA or not name.startswith("_dlt")]
            order = " order by _dlt_valid_from" if "_dlt_valid_from" in types else ""
            listed = ", ".join(f'"{name}"' for name in names)
            rows = database.execute(f'select {listed} from "{self.dataset}"."{table}"{order}').fetchall()
            return [{n: _plain(v, types[n]) for n, v in zip(names, row, strict=True)} for row in rows]


def _plain(value: Any, data_type: str) -> Any:
    if value is not None and data_type == "JSON":
        return json.loads(value)
    if value is not None and data_type.startswith("TIMESTAMP"):
        return value.astimezone(timezone.utc)
    return value


def exit_code_of(error: BaseException) -> int:
    """The exit code of the command line; what it would show as a traceback is raised again."""
    told = describe_error(error)
    if told is None:
        raise error
    return told[1]

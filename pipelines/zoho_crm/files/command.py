"""The commands `files` and `verify --files`: the CRM's files in a folder or bucket, and whether they are there still."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.pipeline.exceptions import PipelineStepFailed

from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.exceptions import SettingsError, StorageError
from sources.zoho_crm.extract.file_store import FileStore
from sources.zoho_crm.sync.files import (
    FILES,
    SCHEMA,
    FileChoice,
    FileCopier,
    FileListing,
    Row,
    files_resource,
    items_of,
)
from sources.zoho_crm.sync.pipeline_state import SOURCE, load_previous_state
from sources.zoho_crm.sync.warehouse import Warehouse

from ..console import Console, counted
from ..errors import DIFFERENT, FAILED, REFUSED, print_error, root_message
from ..monitoring.freshness import open_destination
from ..options import Options, rules_from
from ..run.loading import abort_load, recreate_columns, source_of, work_folder
from ..run.run_result import OUT_OF_SCOPE
from ..run.stopping import STOP

ROWS_A_LOAD, SECONDS_A_LOAD = (
    500,
    60.0,
)  # what a kill may cost: their rows, but none of the files that are whole
SHOWN = 20  # files that are named, without --verbose
WORDS = {
    "copied": "copied",
    "too_large": "too large",
    "link": "linked",
    "gone": "gone",
    "skipped": "skipped",
    "failed": "failed",
}


@dataclass
class FilesRun:
    """One run of the command, and what came of it."""

    console: Console
    options: Options
    pipeline: dlt.Pipeline
    client: ZohoClient
    states: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    troubles: list[Row] = field(default_factory=list)  # rows of files that were not copied
    started: float = field(default_factory=time.monotonic)

    def copy(self, store: FileStore) -> int:
        """Copy what is not copied yet; gives the exit code."""
        with work_folder(self.pipeline) as place:
            self.client.context.temp_dir = place
            warehouse = Warehouse(self.pipeline, place)
            listing = listing_of(self.pipeline, warehouse, self.options, store.url)
            if not listing.memory.tables:
                raise SettingsError("No table of a module is here, so nothing tells of files: run first.")
            if self.options.repair:
                found = list(differences(store, listing.known.values()))
                for path, why in found:
                    self.console.text(f"{path} {why}")
                listing.distrust([path for path, _ in found])
            listing.look(self.client.now())
            total = len(listing.pending)
            self.console.text(f"{counted(total, 'file')} to copy, {listing.bytes:,} bytes by Zoho's records.")
            known = {(row["kind"], row["id"]): row for row in listing.known.values()}
            for part in parts_of(FileCopier(self.client, store, listing).rows()):
                known.update({(row["kind"], row["id"]): row for row in part})
                self._load(part if warehouse.can_merge else [*known.values()], warehouse)
                self._count(part)
                self.console.text(
                    f"{sum(self.states.values()):,} of {counted(total, 'file')}, {self.bytes:,} bytes"
                )
        return self._tell(store)

    def _load(self, rows: Sequence[Row], warehouse: Warehouse) -> None:
        try:
            with STOP.defer_interrupt(), warehouse.open_connection():
                recreate_columns(self.pipeline, [FILES], warehouse.tables() if warehouse.can_merge else {})
                self.pipeline.run(source_of([files_resource(lambda: iter([items_of(rows, warehouse)]))]))
        except PipelineStepFailed as error:
            abort_load(self.pipeline, error)
            raise StorageError(
                f"the destination refused the rows of {FILES}: {root_message(error)}. The files stay, and the next run"
                " finds them"
            ) from error

    def _count(self, part: Sequence[Row]) -> None:
        for row in part:
            if row["deleted_at"] is not None:
                self.states["deleted"] += 1
                continue
            self.states[row["state"]] += 1
            self.bytes += (row["size"] or 0) if row["state"] == "copied" else 0
            if row["state"] != "copied":
                self.troubles.append(row)

    def _tell(self, store: FileStore) -> int:
        refused = any(OUT_OF_SCOPE in (row["reason"] or "") for row in self.troubles)
        code = REFUSED if refused else FAILED if self.states["failed"] else 0
        shown = self.troubles if self.options.verbose else self.troubles[:SHOWN]
        lines = [f"{row['module']} {row['record_id']} {row['name']}: {row['reason']}" for row in shown]
        if len(shown) < len(self.troubles):
            lines.append(f"and {len(self.troubles) - len(shown):,} more: table {FILES}, column reason")
        self.console.paragraph("Not copied", lines)
        for row in self.troubles:
            facts = {name: row[name] for name in ("module", "record_id", "kind", "name", "reason")}
            self.console.event("file", {"file": row["path"], "status": row["state"], **facts})
        usage = self.client.usage
        sums = {
            "path": store.url,
            **{state: self.states[state] for state in (*WORDS, "deleted")},
            "bytes": self.bytes,
            "calls": usage.calls,
            "credits": usage.credits,
            "exit_code": code,
        }
        self.console.text()
        self.console.event("summary", sums)
        told = ", ".join(
            f"{self.states[state]:,} {word}" for state, word in WORDS.items() if self.states[state]
        )
        self.console.last(
            f"{told or 'Nothing new'}; {self.bytes:,} bytes into {store.url}, {counted(usage.credits, 'credit')}."
        )
        if code:
            print_error(
                f"{counted(self.states['failed'], 'file')} failed: run it again, which copies only these."
            )
        return code


def parts_of(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in parts for the destination; also those that came before an error, which is raised behind them."""
    error: BaseException | None = None
    more = True
    while more and error is None:
        part: list[Row] = []
        begun = time.monotonic()
        try:
            while more and len(part) < ROWS_A_LOAD and time.monotonic() - begun <= SECONDS_A_LOAD:
                row = next(rows, None)
                more = row is not None
                part += [row] if row is not None else []
        except BaseException as raised:  # noqa: BLE001 - also Ctrl-C
            error = raised
        if part:
            yield part
    if error is not None:
        raise error


def listing_of(
    pipeline: dlt.Pipeline, warehouse: Warehouse, options: Options, folder: str | None
) -> FileListing:
    """What the tables tell of files, not looked at yet."""
    memory = load_previous_state(pipeline.state.get("sources", {}).get(SOURCE, {}), warehouse)
    spelt = {name.casefold(): name for name in memory.tables}
    modules, exclude = (
        frozenset(spelt.get(name.casefold(), name) for name in names)
        for names in (options.modules, options.exclude)
    )
    choice = FileChoice(modules, exclude, options.max_size, rules_from(options))
    return FileListing(warehouse, memory, choice, folder)


def verify_files(console: Console, options: Options) -> int:
    """Compare every copy with its row, without a call; gives the exit code."""
    store = FileStore(options.files or "")
    with open_destination(options, console) as view:
        if FILES not in view.warehouse.tables([FILES]):
            raise SettingsError(f"There is no table {FILES} here: the command `files` makes it.")
        rows = [row for part in view.warehouse.batches(FILES, SCHEMA.names) for row in part.to_pylist()]
    paths = {row["path"] for row in rows if row["state"] == "copied"}
    found = dict(differences(store, rows))
    for path in sorted(paths):
        console.event("file", {"file": path, "status": found.get(path, "equal")})
    console.paragraph("Differences", [f"{path} {why}" for path, why in found.items()])
    code = DIFFERENT if found else 0
    console.text()
    console.event(
        "summary", {"path": store.url, "files": len(paths), "differ": len(found), "exit_code": code}
    )
    console.last(
        f"{counted(len(paths), 'file')} in {store.url} compared with the table {FILES}: {counted(len(found), 'difference')}."
    )
    if found:
        print_error(f"{counted(len(found), 'file')} differ: files FOLDER --repair copies them again.")
    return code


def differences(store: FileStore, rows: Any) -> Iterator[tuple[str, str]]:
    """The copies that are not as they were made, each with how it differs."""
    for path, row in {row["path"]: row for row in rows if row["state"] == "copied"}.items():
        found = store.sha256(path)
        if found is None:
            yield path, "is missing"
        elif found[0] != row["size"]:
            yield path, f"has {found[0]:,} instead of {row['size']:,} bytes"
        elif found[1] != row["sha256"]:
            yield path, "has other content: its SHA-256 differs"


def files_to_copy(pipeline: dlt.Pipeline, options: Options, now: datetime) -> tuple[int, int] | None:
    """How many files are not copied yet, and their bytes as far as Zoho states them; None where no table tells of any."""
    listing = listing_of(pipeline, Warehouse(pipeline, Path(pipeline.working_dir)), options, None)
    there = listing.memory.tables.keys()
    modules = listing.choice.modules & there
    if not there or (options.modules and not modules):
        return None
    listing.choice = replace(listing.choice, modules=modules)
    listing.look(now)
    return len(listing.pending), listing.bytes

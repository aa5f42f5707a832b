"""Checks of where the rows go: the names, the lock, whether it can be written to, and the room on the disks."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sources.zoho_crm.errors import SettingsError
from sources.zoho_crm.held import Held

from .check_finding import Finding, failed, ok, unknown, warning
from .destination import choose_destination, database_file, unfilled
from .dlt_runtime import dlt_log
from .failures import USAGE, one_line
from .lock import dataset_lock_file, holder_of, lock_file
from .opening import open_pipeline
from .progress import Progress
from .working import LOOK

if TYPE_CHECKING:
    import dlt

    from .check_state import State

PROBE = "zoho_crm_check_"
GIGABYTE = 1_000_000_000
ROW = 1_000  # bytes that a row is expected to take on the way: in an archive, in Parquet and in the load package
LEAST_ROOM = 50_000_000  # bytes, for a small account's packages, its database and what it writes beside
MAKE_ROOM = "make room, or use --pipelines-dir"
# Where `drop schema` refuses a schema that is not empty, so that one made for a look may be dropped again.
REFUSES_FULL = frozenset({"duckdb", "postgres"})


def check_names(state: State) -> Finding:
    """A DuckDB file and a schema of one name make every reference ambiguous."""
    options = state.options
    try:
        chosen = choose_destination(options.destination, options.dataset, options.pipeline_name, options.demo)
    except SettingsError as error:
        return failed("names", str(error), "correct --destination, --dataset or the file's name", USAGE)
    state.destination = chosen
    state.database = database_file(chosen, options.pipeline_name, options.demo)
    if state.database is None:
        return ok("names", f"destination {options.destination}, dataset {options.dataset}")
    return ok("names", f"the file {state.database.name} and the schema {options.dataset} can be told apart")


def check_lock(state: State) -> Finding:
    """Whether another run of this pipeline is in progress. Takes no lock: that would refuse a run that begins."""
    name = state.options.pipeline_name
    try:
        Path(state.place).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state.place):
            pass
    except OSError as error:
        told = f"The pipelines dir {state.place} cannot be used ({error.strerror})"
        return failed("lock", told, "name a folder that you may write to with --pipelines-dir", USAGE)
    locks = [lock_file(state.place, name)]
    if state.database is not None:
        locks.append(dataset_lock_file(state.database.resolve(), state.options.dataset))
    holder = next((held for lock in locks if (held := holder_of(lock)) and held.is_alive), None)
    if holder is not None:
        state.busy = True
        return warning(
            "lock",
            f"another run is in progress ({holder}), and keeps a second one out",
            "wait until it is done",
        )
    return ok("lock", f"no other run of the pipeline {name} is in progress")


def check_destination(state: State) -> Finding:
    """Really write something small beside the user's tables, and take it away again."""
    name, options, chosen = "destination", state.options, state.destination
    if chosen is None:
        return unknown(name, "not opened: nobody knows it by that name")
    if state.busy:
        return unknown(name, "not opened: the other run has it")
    file = state.database
    if file is not None and (trouble := _folder_trouble(file.parent)):
        return failed(name, trouble, "name another file in DESTINATION__DUCKDB__CREDENTIALS", USAGE)
    try:
        with _opened(state) as pipeline:
            try:
                _write_and_remove(pipeline)
            except Exception as error:  # noqa: BLE001 - each destination has errors of its own
                told = f"{options.destination} is open, but not writable: {one_line(str(error), 300)}"
                return failed(name, told, "grant the right to create schemas and tables", USAGE)
            _remember_runs(state, pipeline)
    except SettingsError as error:
        return _not_open(state, str(error))
    where = str(file) if file is not None else options.destination
    return ok(name, f"{where} is open and writable, dataset {options.dataset}")


@contextmanager
def _opened(state: State) -> Iterator[dlt.Pipeline]:
    """From a folder of its own: a run may begin meanwhile."""
    options, place = state.options, state.place if Path(state.place).is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix=LOOK, dir=place, ignore_cleanup_errors=True) as folder,
        dlt_log(folder, options.pipeline_name),
        unfilled(state.destination, state.database),
    ):
        yield open_pipeline(options.pipeline_name, state.destination, options.dataset, folder, Progress())


def _not_open(state: State, told: str) -> Finding:
    held = re.search(r"Could not set lock.*?(?:\(PID (\d+)\)|$)", told)
    if held is None:
        return failed("destination", told, "set what dlt's page on this destination asks for", USAGE)
    by = f", PID {held[1]}" if held[1] else ""
    return failed(
        "destination",
        f"{state.database} is open in another process{by}: a DuckDB file has one writer at a time",
        "close it there, and read it with read_only=True while no run is on",
        USAGE,
    )


def _folder_trouble(folder: Path) -> str:
    """DuckDB writes beside its file, too."""
    if not folder.is_dir():
        return f"the folder {folder} of the DuckDB file does not exist"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"the folder {folder} of the DuckDB file cannot be written to ({error.strerror})"


def _write_and_remove(pipeline: dlt.Pipeline) -> None:
    from dlt.destinations.sql_client import WithSqlClient

    with pipeline.destination_client() as client:
        files = getattr(client, "fs_client", None)
        if files is not None:
            _probe_files(files, str(getattr(client, "dataset_path", "")))
        elif isinstance(client, WithSqlClient):
            _probe_database(client.sql_client, str(client.capabilities.sqlglot_dialect))


def _probe_files(files: Any, folder: str) -> None:
    existed, probe = files.exists(folder), f"{folder}{PROBE}{uuid4().hex}"
    files.makedirs(folder, exist_ok=True)
    files.write_text(probe, "")
    files.rm(probe)
    if not existed and files.isdir(folder):  # object stores have no folders
        files.rmdir(folder)


def _probe_database(sql: Any, dialect: str) -> None:
    existed = sql.has_dataset()
    if not existed:
        sql.create_dataset()
    table = sql.make_qualified_table_name(f"{PROBE}{uuid4().hex[:12]}")
    try:
        sql.execute_sql(f"create table {table} (probe int)")
        sql.execute_sql(f"drop table {table}")
    finally:
        if not existed and dialect in REFUSES_FULL:
            sql.execute_sql(f"drop schema {sql.fully_qualified_dataset_name()}")


def _remember_runs(state: State, pipeline: dlt.Pipeline) -> None:
    """What the last runs found and took, from `sync_runs`; a destination that cannot tell is no trouble."""
    with suppress(Exception):
        if "sync_runs" not in Held(pipeline, Path(pipeline.working_dir)).tables(["sync_runs"]):
            return
        with pipeline.sql_client() as sql:
            runs = sql.make_qualified_table_name("sync_runs")
            most = f"select module, max(coalesce(crm_count, rows_read)) as most from {runs} group by module"
            state.rows = _number(sql.execute_sql(f"select sum(most) from ({most}) as m"))
            names = sql.execute_sql(f"select distinct module from {runs} where status = 'read'")
            state.loaded = frozenset(name for (name,) in names or ())
            last = f"select run_id from {runs} where module is not null order by started_at desc limit 1"
            state.last_credits = _number(
                sql.execute_sql(f"select sum(credits) from {runs} where run_id in ({last})")
            )


def _number(rows: Any) -> int:
    return int(rows[0][0] or 0) if rows else 0


def check_disk(state: State) -> Finding:
    """The room in the working folder and in DuckDB's."""
    wanted = max(GIGABYTE, state.rows * ROW)
    rooms = {"the working folder": (_existing(Path(state.place)), wanted)}
    if state.database is not None:
        # A table that is read whole stands beside its old one until it takes its place.
        size = state.database.stat().st_size if state.database.is_file() else 0
        rooms["DuckDB's folder"] = (_existing(state.database.parent), max(wanted, size))
    free = {name: shutil.disk_usage(folder).free for name, (folder, _) in rooms.items()}
    told = ", ".join(f"{_size(free[name])} free in {name} {folder}" for name, (folder, _) in rooms.items())
    if min(free.values()) < LEAST_ROOM:
        return failed("disk", f"{told}; a run takes at least {_size(LEAST_ROOM)}", MAKE_ROOM)
    short = [f"{_size(need)} in {name}" for name, (_, need) in rooms.items() if free[name] < need]
    if short:
        return warning("disk", f"{told}; a run may want {' and '.join(short)}", MAKE_ROOM)
    return ok("disk", told)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _size(number: int) -> str:
    return f"{number / GIGABYTE:,.1f} GB" if number >= GIGABYTE else f"{number / 1_000_000:,.0f} MB"

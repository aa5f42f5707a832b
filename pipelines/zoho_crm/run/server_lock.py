"""One run at a time into a dataset of a server, whatever machine it is on: two at once would load rows twice.

In PostgreSQL runs of other modules may go on at the same time; they load one after the other.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import dlt
from dlt.destinations.exceptions import DatabaseException

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.sync.warehouse import Warehouse, is_duckdb

from ..errors import PipelineBusy, root_message
from .database import raise_if_disconnected

LEASE_TABLE = "_zoho_crm_lock"
LEASE = timedelta(minutes=15)  # of a run that was killed: so long its dataset is closed to others
RENEWED = 120.0  # seconds between two renewals
SETTLES = 3.0  # seconds in which a row that was inserted is seen by everybody
TURN = 1.0  # seconds between two tries to be the one that loads


@contextmanager
def server_lock(pipeline: dlt.Pipeline, command: str, modules: Collection[str] = ()) -> Iterator[None]:
    """Hold the dataset's lock at its server while a run goes on. Raises PipelineBusy with the holder.

    PostgreSQL has locks that end with the connection; there a run of these `modules` alone keeps out only runs of the
    same modules and of the whole account. Other servers get a row that is valid for a quarter of an hour and is
    renewed meanwhile. A DuckDB file has a lock of its own, and files are not locked: docs/running.md. Raises
    SettingsError for a server that refuses the lock.
    """
    with ExitStack() as stack:
        try:
            if _is_postgres(pipeline):
                stack.enter_context(_advisory_lock(pipeline, command, modules))
            elif not is_duckdb(pipeline) and Warehouse(pipeline, Path(pipeline.working_dir)).can_merge:
                stack.enter_context(lease_row(pipeline, command))
        except DatabaseException as error:
            raise_if_disconnected(error)
            raise SettingsError(
                f"The destination refuses the lock of the dataset {pipeline.dataset_name}: {root_message(error)}. Its user"
                " has to be allowed to create tables in it; nothing was done"
            ) from error
        yield


@contextmanager
def loading_turn(
    pipeline: dlt.Pipeline, modules: Collection[str], tell: Callable[[str], None]
) -> Iterator[None]:
    """Of runs of some modules, which share a dataset, one loads or makes views at a time, from what the one before has stored.

    dlt stores the state of a pipeline whole, so a run out of turn would take the other's watermarks back.
    """
    if not modules or not _is_postgres(pipeline):
        yield
        return
    key = _key(pipeline, "loads")
    with pipeline.sql_client() as sql:
        waited = False
        while not _take(sql, key):
            if not waited:
                tell("Another run loads into this dataset: waiting for its end.")
            waited = True
            threading.Event().wait(TURN)  # in Python, where a signal is heard
        try:
            pipeline.sync_destination()
            yield
        finally:
            _give_back(sql)


def this_run(command: str) -> str:
    return f"{command} of process {os.getpid()} on {socket.gethostname()}, in {Path.cwd()}"


def _busy(pipeline: dlt.Pipeline, holder: str, since: datetime | None) -> PipelineBusy:
    when = f", since {since.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if since else ""
    by = f" ({holder}{when})" if holder else ""
    return PipelineBusy(
        f"Another run into the dataset {pipeline.dataset_name} is in progress{by}; nothing was done."
    )


# ---- PostgreSQL


@contextmanager
def _advisory_lock(pipeline: dlt.Pipeline, command: str, modules: Collection[str]) -> Iterator[None]:
    """Locks of the session (PostgreSQL, Explicit Locking): the server gives them back when the connection ends."""
    with pipeline.sql_client() as sql:
        name = f"zoho_crm {this_run(command)}".encode("ascii", "replace").decode()[:63]
        sql.execute_sql("select set_config('application_name', %s, false)", name)
        try:
            _take_or_raise(sql, pipeline, _key(pipeline), shared=bool(modules))
            for module in sorted({name.casefold() for name in modules}):
                _take_or_raise(sql, pipeline, _key(pipeline, "module", module))
            yield
        finally:
            _give_back(sql)


def _key(pipeline: dlt.Pipeline, *parts: str) -> int:
    digest = sha256("\n".join([f"zoho_crm {pipeline.dataset_name}", *parts]).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _take(sql: Any, key: int, *, shared: bool = False) -> bool:
    taken = sql.execute_sql(f"select pg_try_advisory_lock{'_shared' if shared else ''}({key})")
    return bool(taken and taken[0][0])


def _take_or_raise(sql: Any, pipeline: dlt.Pipeline, key: int, *, shared: bool = False) -> None:
    if _take(sql, key, shared=shared):
        return
    high, low = (key >> 32) & 0xFFFFFFFF, key & 0xFFFFFFFF
    found = sql.execute_sql(
        "select application_name, backend_start from pg_locks join pg_stat_activity using (pid)"
        " where locktype = 'advisory' and granted and objsubid = 1"
        f" and classid::bigint = {high} and objid::bigint = {low}"
    )
    holder, since = found[0] if found else ("", None)
    raise _busy(pipeline, str(holder).removeprefix("zoho_crm "), since)


def _give_back(sql: Any) -> None:
    with suppress(Exception):  # the connection may be gone, and the locks with it
        sql.execute_sql("select pg_advisory_unlock_all()")


def _is_postgres(pipeline: dlt.Pipeline) -> bool:
    return pipeline.destination is not None and pipeline.destination.destination_type.endswith(".postgres")


# ---- other servers


@contextmanager
def lease_row(pipeline: dlt.Pipeline, command: str) -> Iterator[None]:
    """A row of the dataset says who is at work, and until when; whoever came first has it."""
    mine = uuid.uuid4().hex
    with pipeline.sql_client() as sql:
        if not sql.has_dataset():
            sql.create_dataset()
        table = sql.make_qualified_table_name(LEASE_TABLE)
        sql.execute_sql(
            f"create table if not exists {table}"
            " (id varchar(64), holder varchar(500), taken_at varchar(40), expires_at varchar(40))"
        )
        now = datetime.now(timezone.utc)
        lease = sql.execute_sql(f"select taken_at, holder from {table} where expires_at > '{_spell(now)}'")
        if lease:  # whatever the clock of its machine says
            raise _busy(pipeline, str(lease[0][1]), datetime.fromisoformat(str(lease[0][0])))
        holder = this_run(command).replace("'", "''")[:500]
        sql.execute_sql(
            f"insert into {table} values ('{mine}', '{holder}', '{_spell(now)}', '{_spell(now + LEASE)}')"
        )
        try:
            threading.Event().wait(SETTLES)
            rows = sql.execute_sql(
                f"select taken_at, id, holder from {table} where expires_at > '{_spell(now)}' order by taken_at, id"
            )
            if rows and rows[0][1] != mine:
                raise _busy(pipeline, str(rows[0][2]), datetime.fromisoformat(str(rows[0][0])))
        except BaseException:
            sql.execute_sql(f"delete from {table} where id = '{mine}'")
            raise
    with _renewed(pipeline, mine):
        try:
            yield
        finally:
            with suppress(Exception), pipeline.sql_client() as sql:  # it runs out anyway
                over = _spell(datetime.now(timezone.utc))
                sql.execute_sql(f"delete from {table} where id = '{mine}' or expires_at <= '{over}'")


@contextmanager
def _renewed(pipeline: dlt.Pipeline, mine: str) -> Iterator[None]:
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEWED):
            with suppress(Exception), pipeline.sql_client() as sql:
                until = _spell(datetime.now(timezone.utc) + LEASE)
                table = sql.make_qualified_table_name(LEASE_TABLE)
                sql.execute_sql(f"update {table} set expires_at = '{until}' where id = '{mine}'")

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _spell(moment: datetime) -> Any:
    return moment.isoformat(timespec="microseconds")

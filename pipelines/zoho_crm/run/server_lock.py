"""One run at a time into a dataset of a server, whatever machine it is on: two at once would load rows twice."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import dlt

from sources.zoho_crm.sync.warehouse import Warehouse, is_duckdb

from ..errors import PipelineBusy

LEASE_TABLE = "_zoho_crm_lock"
LEASE = timedelta(minutes=15)  # of a run that was killed: so long its dataset is closed to others
RENEWED = 120.0  # seconds between two renewals
SETTLES = 3.0  # seconds in which a row that was inserted is seen by everybody


@contextmanager
def server_lock(pipeline: dlt.Pipeline, command: str) -> Iterator[None]:
    """Hold the dataset's lock at its server while a run goes on. Raises PipelineBusy with the holder.

    PostgreSQL has locks that end with the connection. Other servers get a row that is valid for a quarter of an hour and is
    renewed meanwhile. A DuckDB file has a lock of its own, and files are not locked: docs/running.md.
    """
    destination = pipeline.destination
    kind = destination.destination_type if destination is not None else ""
    with ExitStack() as stack:
        if kind.endswith(".postgres"):
            stack.enter_context(_advisory_lock(pipeline, command))
        elif not is_duckdb(pipeline) and Warehouse(pipeline, Path(pipeline.working_dir)).can_merge:
            stack.enter_context(lease_row(pipeline, command))
        yield


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
def _advisory_lock(pipeline: dlt.Pipeline, command: str) -> Iterator[None]:
    """A lock of the session (PostgreSQL, Explicit Locking): the server gives it back when the connection ends."""
    digest = sha256(f"zoho_crm {pipeline.dataset_name}".encode()).digest()
    high, low = (int.from_bytes(digest[at : at + 4], "big") for at in (0, 4))
    key = int.from_bytes(digest[:8], "big", signed=True)
    with pipeline.sql_client() as sql:
        name = f"zoho_crm {this_run(command)}".encode("ascii", "replace").decode()[:63]
        sql.execute_sql("select set_config('application_name', %s, false)", name)
        taken = sql.execute_sql(f"select pg_try_advisory_lock({key})")
        if not taken or not taken[0][0]:
            found = sql.execute_sql(
                "select application_name, backend_start from pg_locks join pg_stat_activity using (pid)"
                " where locktype = 'advisory' and granted and objsubid = 1"
                f" and classid::bigint = {high} and objid::bigint = {low}"
            )
            holder, since = found[0] if found else ("", None)
            raise _busy(pipeline, str(holder).removeprefix("zoho_crm "), since)
        try:
            yield
        finally:
            with suppress(Exception):  # the connection may be gone, and the lock with it
                sql.execute_sql(f"select pg_advisory_unlock({key})")


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

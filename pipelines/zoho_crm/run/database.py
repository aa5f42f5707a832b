"""A DuckDB file that another process has open is waited for; and what is said of a destination that goes away."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dlt
from dlt.destinations.impl.duckdb.configuration import DuckDbConnectionPool

from sources.zoho_crm.exceptions import ZohoCrmError

from ..errors import PipelineBusy, causes
from .stopping import STOP

AGAIN = 0.5  # seconds between two attempts to open the file
# DuckDB's words for a file that another process has open, on Unix and on Windows.
HELD = re.compile(r"Could not set lock on file|File is already open in|being used by another process")
HOLDER = re.compile(r"(?:lock is held in|already open in)\s+(.+?\(PID \d+\)|[^\n]+?(?=\. See also|\n|$))")


class DatabaseInUse(PipelineBusy):
    """Another process has the DuckDB file open, and nothing was read yet."""


class DatabaseLost(ZohoCrmError):
    """The destination went away in the middle of a run."""


@dataclass
class Waiting:
    """How long to wait for a DuckDB file, once a command."""

    seconds: float
    tell: Callable[[str], None]
    began: bool = False  # Zoho has been asked, so that the end is another one
    given_up: bool = False

    def open(self, connect: Callable[[], Any], credentials: Any) -> Any:
        """Connect as soon as the file is free. Raises DatabaseInUse, or DatabaseLost in the middle of a run."""
        until, told = time.monotonic() + (0 if self.given_up else self.seconds), False
        while True:
            try:
                return connect()
            except Exception as error:
                if not HELD.search(str(error)):
                    raise
                file = str(credentials.database)
                if time.monotonic() >= until:
                    self.given_up = True
                    raise self._end(file, holder_in(str(error))) from error
                if not told:
                    by = f", {found}" if (found := holder_in(str(error))) else ""
                    name = Path(file).name
                    self.tell(
                        f"{name} is open in another process{by}: waiting up to {self.seconds:,.0f} s for it."
                    )
                told = True
            if STOP.asked:
                raise KeyboardInterrupt
            time.sleep(AGAIN)

    def _end(self, file: str, holder: str) -> Exception:
        by = f", {holder}," if holder else ""
        if self.began:
            return DatabaseLost(
                f"{file} is open in another process{by} for longer than {self.seconds:,.0f} s: close it there."
                " Nothing that was loaded is lost; the next run continues."
            )
        return DatabaseInUse(
            f"{file} is open in another process{by} for longer than {self.seconds:,.0f} s: close it there and run"
            " again, or wait longer with --wait-for-database; nothing was done."
        )


def holder_in(text: str) -> str:
    """The process that has the file open, as DuckDB names it: `/usr/bin/python3 (PID 123)`."""
    found = HOLDER.search(text)
    return found[1].strip() if found else ""


@contextmanager
def waiting_for_database(wait: timedelta, tell: Callable[[str], None]) -> Iterator[Waiting]:
    """In here dlt waits wherever it opens a DuckDB file: all its connections come from one place."""
    waiting, borrow = Waiting(wait.total_seconds(), tell), DuckDbConnectionPool.borrow_conn

    def borrow_when_free(pool: DuckDbConnectionPool, *args: Any, **names: Any) -> Any:
        return waiting.open(lambda: borrow(pool, *args, **names), pool.credentials)

    pool_type: Any = DuckDbConnectionPool
    pool_type.borrow_conn = borrow_when_free
    try:
        yield waiting
    finally:
        pool_type.borrow_conn = borrow


def raise_if_disconnected(error: Exception) -> None:
    """Raise the error again if the destination went away: no other table could be loaded either."""
    if _is_gone(error):
        raise error


def _is_gone(error: BaseException) -> bool:
    return any(isinstance(cause, (DatabaseInUse, DatabaseLost)) or _is_cut(cause) for cause in causes(error))


@contextmanager
def report_disconnect(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Raises DatabaseLost, in one sentence, for a connection that broke off."""
    try:
        yield
    except Exception as error:
        known = next((c for c in causes(error) if isinstance(c, (DatabaseInUse, DatabaseLost))), None)
        if known is not None:
            raise known from None
        if _is_gone(error):
            raise DatabaseLost(
                f"Lost the connection to {_where(pipeline)}. Nothing was lost; the next run continues."
            ) from error
        raise


def _is_cut(error: BaseException) -> bool:
    """Whether a driver of PostgreSQL's says that there is no connection any more, or no server."""
    kind = type(error)
    if not kind.__module__.startswith("psycopg2") or kind.__module__.endswith("extensions"):
        return False
    code, names = getattr(error, "pgcode", None), {base.__name__ for base in kind.__mro__}
    if code:
        return str(code).startswith(("08", "57P"))  # connection exceptions; an operator intervened
    return bool(names & {"OperationalError", "InterfaceError"})


def _where(pipeline: dlt.Pipeline) -> str:
    """`PostgreSQL (db.example.com:5432)`."""
    config: Any = pipeline.destination_client().config
    name = {"postgres": "PostgreSQL", "redshift": "Redshift"}.get(
        config.destination_type, config.destination_type
    )
    host, port = (getattr(config.credentials, part, None) for part in ("host", "port"))
    return f"{name} ({unquote(str(host))}:{port})" if host else name

"""The command `open`: DuckDB's own page on this machine, and the lines that other programs take to reach the tables."""

from __future__ import annotations

import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sources.zoho_crm.exceptions import SettingsError

from ..console import Console
from ..errors import one_line
from ..options import Options
from ..run.destination import choose_destination, database_file
from .freshness import open_destination


def open_tables(console: Console, options: Options) -> int:
    """Print the lines, and start DuckDB's page until Ctrl-C. Raises SettingsError for a destination of files."""
    name = options.pipeline_name
    destination = choose_destination(options.destination, options.dataset, name, options.demo)
    file = database_file(destination, name, options.demo)
    with open_destination(options, console) as view:
        lines = duckdb_lines(file) if file else _server_lines(view.pipeline, options.destination)
    console.text(f"The {view.place} in other programs:")
    for program, line in lines.items():
        console.text(f"{program}: {line}", whole=True)
        console.event("program", {"program": program, "line": line})
    if file is None or options.print:
        console.event("summary", {"place": view.place, "url": None})
        console.last(f"The tables are in the {view.place}.")
        return 0
    with _duckdb_page(file) as url:
        if not url.startswith("http"):
            console.event("summary", {"place": view.place, "url": None})
            console.last(f"DuckDB's page could not be started ({url}); the lines above reach the tables.")
            return 0
        console.event("summary", {"place": view.place, "url": url})
        console.last(f"DuckDB shows the tables at {url} until Ctrl-C; meanwhile no run can write.")
        webbrowser.open(url)
        _wait_for_interrupt()
    return 0


def duckdb_lines(file: Path) -> dict[str, str]:
    """What each program takes to reach a DuckDB file."""
    return {
        "DuckDB": f'duckdb -readonly "{file}"',
        "DBeaver": f"jdbc:duckdb:{file}, with the driver property duckdb.read_only = true",
        "Metabase": f"the driver DuckDB, database file {file}, read-only",
        "Superset": f"duckdb:///{file}?access_mode=read_only, after pip install duckdb-engine",
        "Excel by ODBC": f"Driver={{DuckDB Driver}};Database={file};access_mode=READ_ONLY",
    }


def server_lines(host: str, port: int, database: str, user: str) -> dict[str, str]:
    """What each program takes to reach PostgreSQL; each asks for the password itself."""
    return {
        "psql": f"psql --host {host} --port {port} --username {user} {database}",
        "DBeaver": f"jdbc:postgresql://{host}:{port}/{database}, user {user}",
        "Metabase": f"the driver PostgreSQL, host {host}, port {port}, database {database}, user {user}",
        "Superset": f"postgresql+psycopg2://{user}@{host}:{port}/{database}, after pip install psycopg2-binary",
        "Excel by ODBC": (
            f"Driver={{PostgreSQL Unicode(x64)}};Server={host};Port={port};Database={database};Uid={user}"
        ),
    }


def _server_lines(pipeline: Any, destination: str) -> dict[str, str]:
    with pipeline.destination_client() as client:
        known = client.config
        if known.destination_type != "dlt.destinations.postgres":
            raise SettingsError(
                f"`open` knows DuckDB and PostgreSQL; how programs reach {destination}, its own pages say."
            )
        at = known.credentials
        return server_lines(at.host, at.port, at.database, at.username)


@contextmanager
def _duckdb_page(file: Path) -> Iterator[str]:
    """Serve the page on this machine; gives its address, or why there is none."""
    import duckdb

    with duckdb.connect() as database:
        try:
            database.execute("load ui")  # which downloads it if need be
            name = str(file).replace("'", "''")
            database.execute(f"attach '{name}' as crm (read_only)")
            database.execute("use crm")
            database.execute("call start_ui_server()")
            ((port,),) = database.execute("select current_setting('ui_local_port')").fetchall()
            url = f"http://localhost:{port}/"
            with urlopen(url, timeout=30):  # which DuckDB takes from ui.duckdb.org
                pass
        except duckdb.Error as error:
            yield one_line(str(error), 200)
            return
        except OSError:
            yield "it comes from ui.duckdb.org, which cannot be reached"
            return
        yield url


def _wait_for_interrupt() -> None:
    ended = threading.Event()
    with suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ended.wait()

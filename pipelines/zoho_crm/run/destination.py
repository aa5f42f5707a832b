"""The destination by its name: dlt's own configuration of it, or a DuckDB file in the working directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.destination.reference import Destination
from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase

from sources.zoho_crm.exceptions import SettingsError, suggest

DEFAULT_FILE = "zoho.duckdb"
DEMO_FILE = "zoho_demo.duckdb"

# What dlt ships; only to guess what a misspelt name meant.
KNOWN = (
    "athena",
    "bigquery",
    "clickhouse",
    "databricks",
    "dremio",
    "ducklake",
    "duckdb",
    "fabric",
    "filesystem",
    "lancedb",
    "motherduck",
    "mssql",
    "postgres",
    "qdrant",
    "redshift",
    "snowflake",
    "sqlalchemy",
    "synapse",
    "weaviate",
)


def choose_destination(name: str, dataset: str, pipeline_name: str, demo: bool = False) -> Any:
    """dlt's destination. Raises SettingsError for a name nobody knows, and for a file named like the dataset."""
    try:
        found: Any = Destination.from_reference(name)
    except UnknownDestinationModule:
        raise SettingsError(_unknown(name)) from None
    except ImportError as error:
        raise SettingsError(missing_library(error, name)) from None
    if found.destination_type == "dlt.destinations.postgres" and not demo:
        from .postgres_socket import socket_credentials

        credentials = socket_credentials(found.destination_name, pipeline_name)
        return Destination.from_reference(name, credentials=credentials) if credentials else found
    if found.destination_type != "dlt.destinations.duckdb":
        return found
    configured = None if demo else _configured(found.destination_name, pipeline_name)
    path = configured or _default_file(demo)
    schema = SnakeCase().normalize_identifier(dataset)  # as dlt names it in the database
    if Path(path).stem.casefold() in (schema, dataset.casefold()):
        raise SettingsError(
            f"The DuckDB file {Path(path).name} and the dataset {dataset} have one name, which makes every reference to"
            " a table ambiguous: rename the file, or choose another --dataset."
        )
    if configured:
        return found
    return Destination.from_reference(name, credentials=path)


def missing_library(error: ImportError, destination: str) -> str:
    """What to install for a destination, by dlt's own name for it."""
    from importlib.metadata import metadata

    from dlt.common.exceptions import MissingDependencyException

    extra = destination.rpartition(".")[2]
    if isinstance(error, MissingDependencyException):
        wanted = " ".join(f'"{name}"' for name in error.dependencies)
    elif extra in (metadata("dlt").get_all("Provides-Extra") or ()):
        wanted = f'"dlt[{extra}]"'
    else:
        wanted = f'"{error.name}"'
    which = f" ({error.name})" if error.name else ""
    return f"a library of the destination {extra} is not installed{which}: run pip install {wanted}"


def database_file(destination: Any, pipeline_name: str, demo: bool = False) -> Path | None:
    """The file of a DuckDB database; None for other destinations, and for a database in memory."""
    if destination.destination_type != "dlt.destinations.duckdb":
        return None
    path = (None if demo else _configured(destination.destination_name, pipeline_name)) or _default_file(demo)
    return None if path.startswith(":") else Path(path).absolute()


def _default_file(demo: bool) -> str:
    return str(Path(DEMO_FILE if demo else DEFAULT_FILE).absolute())


@contextmanager
def remove_if_empty(destination: Any, file: Path | None = None) -> Iterator[None]:
    """Looking leaves no empty database behind: DuckDB makes the file when it is opened.

    `file` is where it is if the user has configured that.
    """
    given = destination.config_params.get("credentials")
    path = (
        Path(given) if isinstance(given, str) and destination.destination_type.endswith(".duckdb") else file
    )
    existed = path is None or path.exists()
    try:
        yield
    finally:
        if path is not None and not existed and _is_empty(path):
            path.unlink(missing_ok=True)


@contextmanager
def opened_read_only(destination: Any) -> Iterator[None]:
    """Whoever looks opens a DuckDB file read-only: it may be write-protected, or open in another reader.

    By dlt's own configuration, in which the environment comes first, so that all else that is configured stays.
    """
    if destination.destination_type != "dlt.destinations.duckdb":
        yield
        return
    key = f"DESTINATION__{destination.destination_name}__CREDENTIALS__READ_ONLY".upper()
    before = os.environ.get(key)
    os.environ[key] = "true"
    try:
        yield
    finally:
        del os.environ[key]
        if before is not None:
            os.environ[key] = before


def _is_empty(path: Path) -> bool:
    """Whether a DuckDB file holds no table; another pipeline may have filled it meanwhile."""
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as database:
            return not database.execute("select 1 from information_schema.tables limit 1").fetchall()
    except duckdb.Error:
        return False


def _configured(destination: str, pipeline_name: str) -> str | None:
    """The path of the database that the user gave dlt, in any of the places where dlt looks."""
    places = (f"destination.{destination}.credentials", "destination.credentials", "credentials")
    for place in (f"{prefix}{place}" for place in places for prefix in (f"{pipeline_name}.", "")):
        for key in (place, f"{place}.database"):
            value: Any = dlt.secrets.get(key)
            if isinstance(value, str) and value:
                return value.removeprefix("duckdb:///").split("?")[0]
            if isinstance(value, dict) and value.get("database"):
                return str(value["database"])
    return None


def _unknown(name: str) -> str:
    near = suggest(name, KNOWN)
    hint = f": did you mean {near}?" if near else "; dlt's own are " + ", ".join(KNOWN) + "."
    return f"dlt has no destination {name!r}{hint}"

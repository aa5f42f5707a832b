"""The ways that are compared. Each loads the module into a new DuckDB file and returns its rows."""

from __future__ import annotations

import zipfile
from pathlib import Path

import duckdb

from benchmarks.server import MODULE
from sources.zoho_crm.client import connect
from sources.zoho_crm.columns import Kind
from sources.zoho_crm.credentials import resolve_credentials
from sources.zoho_crm.jobs import Job
from sources.zoho_crm.metadata import list_fields
from sources.zoho_crm.naming import name_columns

DUCKDB_TYPES = {
    Kind.BIGINT: "BIGINT",
    Kind.DOUBLE: "DOUBLE",
    Kind.DECIMAL: "DECIMAL(38,9)",
    Kind.BOOL: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "TIMESTAMPTZ",
}


def pipeline(connection: str, folder: Path) -> int:
    """The command's own road: `run --modules Generated`."""
    import dlt

    from pipelines.zoho_crm.opening import open_pipeline
    from pipelines.zoho_crm.progress import Progress
    from pipelines.zoho_crm.sync import sync
    from sources.zoho_crm.survey import Choice

    client = connect(resolve_credentials(connection))
    destination = dlt.destinations.duckdb(str(folder / "crm.duckdb"))
    opened = open_pipeline("bench", destination, "zoho", str(folder), Progress())
    run = sync(opened, client, Choice(only=frozenset({MODULE})), "bulk", Progress())
    if run.exit_code:
        raise SystemExit("; ".join(f"{r.name}: {r.error}" for r in run.readings if r.error))
    return run.table_counts["generated"]


def plain(connection: str, folder: Path) -> int:
    """Download each archive, unzip it, and let read_csv put it into a table with the types given."""
    client = connect(resolve_credentials(connection))
    columns = name_columns(list_fields(client, MODULE), {})
    types = {c.api_name: DUCKDB_TYPES.get(c.kind, "VARCHAR") for c in columns if c.api_name != "id"}
    query = {"module": {"api_name": MODULE}, "fields": [c.api_name for c in columns]}
    body: dict[str, object] | None = {"query": query}
    with duckdb.connect(str(folder / "crm.duckdb")) as database:
        statement = "create table generated as"
        while body is not None:
            result = Job(client, body).wait()
            client.download(result.download_url, folder / "page.zip")
            with zipfile.ZipFile(folder / "page.zip") as archive:
                text = archive.extract(archive.namelist()[0], folder)
            given = str({"Id": "VARCHAR", **types})
            database.execute(f"{statement} from read_csv('{text}', types={given})")
            Path(text).unlink()
            statement = "insert into generated"
            token = result.next_page_token
            body = {"query": {"page_token": token}} if token else None
        row = database.execute("select count(*) from generated").fetchone()
    return int(row[0]) if row else 0

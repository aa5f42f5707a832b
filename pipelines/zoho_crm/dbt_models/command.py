"""The command `models`: a dbt project in a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase

from ..console import Console, counted
from ..monitoring.columns import table_columns
from ..monitoring.freshness import DestinationView, open_destination
from ..options import Options
from ..run.destination import choose_destination, database_file
from .marts import Marts
from .project_files import write_project
from .staging import sources_yaml, staging_name, staging_sql, staging_yaml, to_yaml

DBT_VERSION = ">=1.10.5"  # the first that takes the arguments of a test in a block of their own


def write_models(console: Console, options: Options) -> int:
    """Write the project; files that somebody changed are kept."""
    if not options.dbt:
        raise click.UsageError("models needs a folder to write: --dbt DIR.", click.get_current_context())
    folder = Path(options.dbt).expanduser().absolute()
    with open_destination(options, console) as view:
        files = project(view, options)
    own = f"models/{SnakeCase().normalize_identifier(options.dataset)}"
    changes = write_project(folder, files, own)
    kept = [change.file for change in changes if change.status == "kept"]
    console.paragraph("Kept, because somebody made or changed them", kept)
    for change in changes:
        console.event("file", {"file": change.file, "status": change.status})
    counts = Counter(str(change.status) for change in changes)
    console.event("summary", {"path": str(folder), "files": len(changes), **counts})
    told = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    console.last(f"{counted(len(changes), 'file')} of a dbt project in {folder}: {told}.")
    return 0


def project(view: DestinationView, options: Options) -> dict[str, str]:
    """The text of each file, by its path in the folder."""
    destination = choose_destination(
        options.destination, options.dataset, options.pipeline_name, options.demo
    )
    known = destination.capabilities()

    def quote(name: str) -> str:
        return str(known.escape_identifier(known.casefold_identifier(name)))

    dataset = SnakeCase().normalize_identifier(options.dataset)
    schema = known.casefold_identifier(dataset)
    tables = {name: table for name, table in table_columns(view).items() if table.columns}
    modules = {table.module: name for name, table in tables.items() if table.module is not None}
    marts = Marts(dataset, tables, modules, quote)
    staging, of_marts = f"models/{dataset}/staging", f"models/{dataset}/marts"
    files = {
        "dbt_project.yml": _project_yaml(dataset),
        ".gitignore": "target/\nlogs/\ndbt_packages/\n",
        f"{staging}/_{dataset}__sources.yml": sources_yaml(dataset, schema, tables),
        f"{staging}/_{dataset}__staging.yml": staging_yaml(dataset, tables),
        f"{of_marts}/_{dataset}__marts.yml": marts.yaml(),
    }
    files |= {
        f"{staging}/{staging_name(dataset, name)}.sql": staging_sql(dataset, table, quote)
        for name, table in tables.items()
    }
    files |= {f"{of_marts}/{name}.sql": sql for name, sql in marts.files().items()}
    if (profile := _profile(destination, options, dataset)) is not None:
        files["profiles.yml"] = to_yaml({dataset: {"target": "dev", "outputs": {"dev": profile}}})
    return files


def _project_yaml(dataset: str) -> str:
    return to_yaml(
        {
            "name": dataset,
            "profile": dataset,
            "require-dbt-version": DBT_VERSION,
            "model-paths": ["models"],
            "flags": {"send_anonymous_usage_stats": False},
        }
    )


def _profile(destination: Any, options: Options, dataset: str) -> dict[str, Any] | None:
    """How dbt reaches the destination, without a secret; None where that is the user's to say."""
    schema = f"{dataset}_dbt"
    if destination.destination_type == "dlt.destinations.duckdb":
        file = database_file(destination, options.pipeline_name, options.demo)
        return {"type": "duckdb", "path": str(file), "schema": schema, "threads": 1}
    if destination.destination_type != "dlt.destinations.postgres":
        return None
    prefix = f"DESTINATION__{destination.destination_name}__CREDENTIALS__".upper()

    def setting(name: str, default: str | None = None) -> str:
        more = "" if default is None else f", '{default}'"
        return f"{{{{ env_var('{prefix}{name}'{more}) }}}}"

    return {
        "type": "postgres",
        "host": setting("HOST"),
        "port": f"{setting('PORT', '5432')[:-3]} | as_number }}}}",
        "dbname": setting("DATABASE"),
        "user": setting("USERNAME"),
        "password": setting("PASSWORD", ""),
        "schema": schema,
        "threads": 2,
    }

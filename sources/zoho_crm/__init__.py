"""Zoho CRM as a dlt source: one resource a module, and the account's own tables. Each run reads what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

import dlt
from dlt.extract import DltResource

from .auth.credentials import ZohoCredentials, resolve_credentials
from .client.client import connect
from .config import AUDIT_LOG, ON_REQUEST, ModuleSelection, SyncConfig
from .discovery.account_tables import source_tables
from .discovery.catalog import skip_reason
from .discovery.metadata import list_modules
from .resources import SourceRuns, SourceTable, files_of, resource_of
from .sync.files import FileChoice
from .sync.pipeline_state import SOURCE
from .transform.naming import name_tables
from .transform.privacy_rules import RULE_NAMES, configured_rules

__all__ = ["ZohoCredentials", "zoho_crm", "zoho_files"]


@dlt.source(name=SOURCE, section=SOURCE)
def zoho_crm(  # noqa: PLR0913 - what a user may set
    credentials: ZohoCredentials = dlt.secrets.value,
    modules: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    deletes: Literal["hard", "soft"] = "hard",
    history: bool | Sequence[str] = False,
    since: datetime | None = None,
    table_format: Literal["delta", "iceberg", "native"] | None = None,
    service: str | None = None,
    audit_log: bool = False,
) -> Iterator[DltResource]:
    """Every module of a Zoho CRM or Zoho Bigin account as a resource named like its table.

    The first run reads everything, each later one what has changed, deletions too. How far it is lies in dlt's
    state, and moves with the rows. Nothing is asked of Zoho before the pipeline runs if `modules` are named; else
    one call lists the modules.

    Args:
        credentials: A connection string (`OAuthClientId=...;OAuthClientSecret=...;...`), or what dlt's
            configuration holds under `sources.zoho_crm.credentials`.
        modules: API names of modules and names of tables such as `users` to read; all by default.
        exclude: API names of modules and names of tables to leave out.
        deletes: `hard` removes deleted records, `soft` keeps them with `deleted_at` set.
        history: Keep every version of a row, of all modules or of those named.
        since: Read again what changed since then.
        table_format: The format of the tables, where the destination has several: `delta` tables are changed row
            by row, `iceberg` tables are loaded whole in each run. By default the one that they have.
        service: `crm` or `bigin`; by default what `Service` in the connection string says, or else `crm`. Each has
            a pipeline and a dataset of its own.
        audit_log: Read the log of what users did, by one export job a day; so does `audit_log` among `modules`, or
            among the resources that are selected.

    Raises:
        SettingsError: A setting is wrong; the message names it.
        ExtractError: A module could not be read whole. No row is loaded then, and the next run goes on.
    """
    settings = resolve_credentials(credentials, service=service)
    own = source_tables(settings.zoho)
    # Rules of privacy hold here as they do in the command; dlt shows arguments, so they are none.
    rules = configured_rules({name: dlt.config.get(f"sources.{SOURCE}.{name}") for name in RULE_NAMES})
    keeps = None if history is True else frozenset(history or ())
    policy = SyncConfig(
        rules=rules,
        deletes=deletes,
        history=keeps,
        since=since,
        table_format=table_format,
        audit_log=audit_log,
    )
    left_out = frozenset(exclude or ())
    choice = ModuleSelection(frozenset(modules or ()), left_out, policy=policy)
    names = list(modules or ())
    if not names:
        listed = [m.api_name for m in list_modules(connect(settings)) if not skip_reason(m)]
        names = [*listed, *own]
    names += [AUDIT_LOG] if audit_log else []
    names = [name for name in dict.fromkeys(names) if name not in left_out]
    ours = [name for name in names if name in own]
    resources = name_tables([name for name in names if name not in ours], own, {})
    tables = [SourceTable(name, resources.get(name, name)) for name in names]
    runs = SourceRuns(partial(connect, settings), choice, settings.api, tables)
    for table in tables:
        yield resource_of(runs, table, selected=table.name not in ON_REQUEST or table.name in choice.named)


@dlt.source(name=SOURCE, section=SOURCE)
def zoho_files(  # noqa: PLR0913 - what a user may set
    folder: str,
    credentials: ZohoCredentials = dlt.secrets.value,
    modules: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    max_size: int | None = None,
    service: str | None = None,
) -> DltResource:
    """The table `files`: attachments, files of upload fields and photos, copied into a folder or bucket.

    Run it in the pipeline of `zoho_crm`, after it: the tables tell what there is, so listing costs no call. Each file
    costs one, once. A file whose row did not land is found in the folder by the next run.

    Args:
        folder: A path, or what fsspec knows, such as `s3://bucket/folder`; credentials are those of dlt's filesystem
            source (`sources.filesystem.credentials`).
        credentials: As of `zoho_crm`.
        modules: API names of the modules whose files to copy; all by default.
        exclude: API names of modules to leave out.
        max_size: Bytes; larger files are not copied.
        service: As of `zoho_crm`.

    Raises:
        SettingsError: A setting is wrong; the message names it.
        StorageError, OSError: The folder does not take files.
        ZohoCrmError: Zoho brings no files at all. A single one that fails is a row that says so.
    """
    settings = resolve_credentials(credentials, service=service)
    rules = configured_rules({name: dlt.config.get(f"sources.{SOURCE}.{name}") for name in RULE_NAMES})
    choice = FileChoice(frozenset(modules or ()), frozenset(exclude or ()), max_size, rules)
    return files_of(partial(connect, settings), folder, choice)

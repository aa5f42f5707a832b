"""Zoho CRM as a dlt source: one resource a module, and the account's own tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import dlt
from dlt.extract import DltResource

from .client import connect
from .credentials import ZohoCredentials, resolve_credentials
from .endpoints import OUR_TABLES
from .resources import SOURCE, lazily, memory_of, table_resource
from .survey import Choice, survey
from .tables import account_tables, metadata_tables, module_tables

__all__ = ["ZohoCredentials", "zoho_crm"]


@dlt.source(name=SOURCE, section=SOURCE)
def zoho_crm(
    credentials: ZohoCredentials = dlt.secrets.value,
    modules: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Iterator[DltResource]:
    """Every module of a Zoho CRM account as a resource named like its table.

    Args:
        credentials: A connection string (`OAuthClientId=...;OAuthClientSecret=...;...`), or what dlt's
            configuration holds under `sources.zoho_crm.credentials`.
        modules: API names of modules and names of our tables to read; all by default.
        exclude: API names of modules and names of our tables to leave out.

    A module that cannot be read whole fails the run; the command line keeps failures apart by module.
    """
    settings = resolve_credentials(credentials)
    client = connect(settings)
    choice = Choice(frozenset(modules or ()), frozenset(exclude or ()))
    found = survey(client, choice, settings.api, memory_of(dlt.current.source_state()), OUR_TABLES)
    for table in (*module_tables(client, found), *account_tables(client, found), *metadata_tables(found)):
        yield table_resource(table.table, table.columns, lazily(table))

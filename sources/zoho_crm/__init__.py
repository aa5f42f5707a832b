"""Zoho CRM as a dlt source: one resource a module, and the account's own tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import dlt
from dlt.extract import DltResource

from .client import connect
from .credentials import ZohoCredentials, resolve_credentials
from .endpoints import OUR_TABLES
from .errors import SettingsError
from .plan import Plan
from .policy import Policy
from .resources import SOURCE, lazily, memory_of, table_resource
from .rules import RULE_NAMES, configured_rules
from .survey import Choice, Memory, survey
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

    A module that cannot be read whole fails the run; the command line keeps failures apart by module. It
    also reads changes only, which a source by itself cannot: it does not see what the destination holds.
    """
    settings = resolve_credentials(credentials)
    client = connect(settings)
    # Rules of privacy hold here as they do in the command; dlt shows arguments, so they are none.
    rules = configured_rules({name: dlt.config.get(f"sources.{SOURCE}.{name}") for name in RULE_NAMES})
    choice = Choice(frozenset(modules or ()), frozenset(exclude or ()), policy=Policy(rules=rules))
    memory = memory_of(dlt.current.source_state())
    # Without watermarks, and with none to store: those of the command tell of more than these rows.
    found = survey(client, choice, settings.api, replace(memory, synced={}), OUR_TABLES)
    found = replace(found, plans=[replace(plan, until=None) for plan in found.plans])
    _spare_what_tables_keep(found.plans, memory)
    for table in (*module_tables(client, found), *account_tables(client, found), *metadata_tables(found)):
        yield table_resource(table.table, table.columns, lazily(table))


def _spare_what_tables_keep(plans: Sequence[Plan], memory: Memory) -> None:
    """A table that is replaced loses the versions or the deleted rows that the command has kept in it."""
    names = [plan.module.api_name for plan in plans]
    kept = [name for name in names if name in memory.synced and memory.synced[name].keeps != "hard"]
    if kept:
        raise SettingsError(
            f"{', '.join(kept)}: the table keeps what was, and this source would replace it;"
            " use python -m pipelines.zoho_crm, or exclude it"
        )

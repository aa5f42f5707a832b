"""Every table of a run as one list: the modules by their plans, the account's own, and what we know of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from .account import (
    ENDPOINTS,
    FIELDS,
    MODULES,
    Endpoint,
    Row,
    field_rows,
    keep_rows,
    module_rows,
    read_endpoint,
)
from .client import ZohoClient
from .columns import Column
from .naming import name_columns
from .plan import Plan
from .reading import Reading, Watch, read_module
from .survey import Memory, Survey

SETTINGS_REFRESH = timedelta(hours=24)  # for tables that take a call for each module


@dataclass(frozen=True)
class Table:
    """A table that a run reads; `read` makes its file in the folder given."""

    name: str
    table: str
    columns: tuple[Column, ...]  # as far as they are known before the reading
    read: Callable[[Path, Watch], Reading]
    plan: Plan | None = None


def module_tables(client: ZohoClient, survey: Survey) -> list[Table]:
    """The planned modules, the longest first, so that Zoho begins with them."""
    plans = sorted(survey.plans, key=lambda plan: -(plan.rows or 0))
    return [
        Table(p.module.api_name, p.table, p.columns, partial(read_module, client, p), plan=p) for p in plans
    ]


def account_tables(client: ZohoClient, survey: Survey) -> list[Table]:
    """The account's own tables that are wanted and due."""
    due = [e for e in ENDPOINTS if survey.choice.wants(e.table) and _is_due(e, survey.memory, client.now())]
    return [_account_table(client, survey, endpoint) for endpoint in due]


def _account_table(client: ZohoClient, survey: Survey, endpoint: Endpoint) -> Table:
    known = survey.memory.columns.get(endpoint.table, {})
    modules = [plan.module.api_name for plan in survey.plans]

    def read(folder: Path, watch: Watch) -> Reading:
        reading = read_endpoint(client, endpoint, modules, folder, known)
        reading.once_a_day = endpoint.each != "account"
        watch(reading.rows or 0)
        return reading

    return Table(endpoint.table, endpoint.table, name_columns(endpoint.fields, known), read)


def metadata_tables(survey: Survey, refused: Mapping[str, Mapping[str, str]] | None = None) -> list[Table]:
    """The tables `modules` and `fields`, from what the survey has asked already.

    `refused` are the fields, by module, that an API refused while it was read.
    """
    skips = {skip.module.api_name: skip.reason for skip in (*survey.skips, *survey.failures)}
    modules = module_rows(survey.modules, survey.tables, skips)
    plans = {plan.module.api_name: plan for plan in survey.plans}
    fields = [
        row
        for name, listed in survey.fields.items()
        for row in field_rows(name, listed, plans.get(name), (refused or {}).get(name, {}))
    ]
    given = [(MODULES, modules), (FIELDS, fields)]
    return [_kept_table(survey, e, rows) for e, rows in given if e.table not in survey.choice.never]


def _kept_table(survey: Survey, endpoint: Endpoint, rows: list[Row]) -> Table:
    known = survey.memory.columns.get(endpoint.table, {})

    def read(folder: Path, watch: Watch) -> Reading:
        reading = Reading(endpoint.table, endpoint.table, "settings", "asked while planning")
        watch(len(rows))
        return keep_rows(reading, endpoint, rows, folder, known)

    return Table(endpoint.table, endpoint.table, name_columns(endpoint.fields, known), read)


def not_due(survey: Survey, now: datetime) -> list[Reading]:
    """The account's tables that this run leaves as they are."""
    return [
        Reading(e.table, e.table, "settings", "read once a day").end(
            "skipped", f"read at {survey.memory.settings_read[e.table]}, due again a day later"
        )
        for e in ENDPOINTS
        if survey.choice.wants(e.table) and not _is_due(e, survey.memory, now)
    ]


def _is_due(endpoint: Endpoint, memory: Memory, now: datetime) -> bool:
    read = memory.settings_read.get(endpoint.table)
    if endpoint.each == "account" or read is None:
        return True
    return now - datetime.fromisoformat(read) >= SETTINGS_REFRESH

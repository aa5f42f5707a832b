"""Plans for what changed since a time, read as a run does, and what should have come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow.parquet as pq

from simulators.zoho_crm import Org
from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.discovery.catalog import with_id
from sources.zoho_crm.discovery.metadata import list_fields, list_modules
from sources.zoho_crm.extract.extractor import collect, extract
from sources.zoho_crm.extract.notes import ExtractNotes
from sources.zoho_crm.extract.probe import plan_changes
from sources.zoho_crm.models import PreferredApi, Window
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.transform.naming import name_columns
from tests.support.reading import LISTS
from tests.support.truth import truth

SECOND = timedelta(seconds=1)


def window(
    load: Any, since: datetime, until: datetime | None = None, module: str = "Things"
) -> tuple[ZohoClient, Plan]:
    """A client, and a plan whose API is still open."""
    client = load.client()
    known = next(m for m in list_modules(client) if m.api_name == module)
    columns = name_columns(with_id(list_fields(client, module)), {})
    plan = Plan(known, module.lower(), "records", columns, "", Window(since, until), until=client.now())
    return client, plan


def planned(
    load: Any, since: datetime, preferred_api: PreferredApi = "auto", *, coql: bool = False
) -> tuple[ZohoClient, Plan]:
    """A client, and a plan that looked at the changes."""
    client, plan = window(load, since)
    return client, plan_changes(client, plan, preferred_api, client.service.coql_pages if coql else ())


def changed(
    load: Any, client: ZohoClient, plan: Plan, notes: ExtractNotes | None = None
) -> dict[str, dict[str, Any]]:
    """The rows that the plan's API brings, by id; JSON parsed."""
    notes = notes or ExtractNotes()
    tables = extract(client, plan, notes)
    parquet_file = collect(tables, load.folder / f"{plan.api}.parquet", plan.columns, notes)
    lists = {c.name for c in plan.columns if c.kind in LISTS}
    return {
        row["id"]: {
            name: json.loads(value) if name in lists and value else value for name, value in row.items()
        }
        for row in pq.read_table(parquet_file.path).to_pylist()
    }


def by_every_api(load: Any, client: ZohoClient, plan: Plan) -> dict[str, dict[str, dict[str, Any]]]:
    return {api: changed(load, client, replace(plan, api=api)) for api in ("records", "coql", "bulk")}


def since_then(org: Org, since: datetime, module: str = "Things") -> dict[str, dict[str, Any]]:
    """The rows that changed at that time or later."""
    return {id: row for id, row in truth(org, module).items() if row["modified_time"] >= since}

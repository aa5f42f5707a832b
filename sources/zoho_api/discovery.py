"""Tables that only the service can name: one of each row of another resource, as of each module of the account."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import dlt

from ..zoho_crm.exceptions import Fatal, NotAvailableError
from .connector import PLACEHOLDER, Connector, ConnectorError, ForEach, Resource, map_texts
from .request import rows_of
from .service import Service

logger = logging.getLogger("zoho_crm")

TAKEN = ("sync_runs",)  # the program's own table


def discover(service: Service) -> None:
    """Put the tables of this account in the place of resources with `for_each`.

    Rows that get no table are in `service.left_out`, with the reason. Costs the calls of the resource that the rows
    are of, and raises what they raise.
    """
    connector, resources = service.connector, []
    taken = {one.name for one in connector.resources if not one.is_template} | {*TAKEN}
    for one in connector.resources:
        if one.for_each is None or not one.is_template:
            resources.append(one)
            continue
        rows = rows_of(service, one.for_each.resource)
        _check_columns(connector, one, one.for_each, rows)
        for row in rows:
            named = str(row[one.for_each.table_name])
            table = table_name(named)
            if one.for_each.when is not None and row.get(one.for_each.when) is not True:
                service.left_out[named] = f"the API does not serve it: {one.for_each.when} is not true"
            elif table in taken:
                service.left_out[named] = f"there is another table that is called {table}"
            else:
                taken.add(table)
                resources.append(_of_row(connector, one, table, row))
    service.connector = replace(connector, resources=tuple(resources))


def discovered(service: Service, names: Iterable[str]) -> list[str]:
    """The names of resources, as the service has them; it is asked for its tables if the file does not name all."""
    wanted = list(names)
    if service.connector.is_discovered and not (wanted and service.connector.has_all(wanted)):
        discover(service)
        known = named_in(service, wanted)
        wanted = [known.get(name, name) for name in wanted]
    return wanted


def table_name(name: str) -> str:
    """What a table is called in a destination: `Job_Openings` is `job_openings`."""
    return str(dlt.Schema("names").naming.normalize_table_identifier(name))


def named_in(service: Service, names: Iterable[str]) -> dict[str, str]:
    """Of these names, those that the service knows: as resources, or as rows that get no table.

    A table may also be named as the service does: `Job_Openings`.
    """
    known = [*(one.name for one in service.connector.resources), *service.left_out]
    by_table = {table_name(name): name for name in known}
    return {name: by_table[table_name(name)] for name in names if table_name(name) in by_table}


def readable(service: Service) -> list[str]:
    """The names of the resources that are read if none is named, without those that the API refuses, with a warning."""
    names = []
    for name in service.connector.default_resources:
        try:
            columns_of(service, service.connector.resource(name))
            names.append(name)
        except (NotAvailableError, Fatal) as error:
            logger.warning("%s is not read: %s", name, error)
    return names


def columns_of(service: Service, resource: Resource) -> dict[str, dict[str, Any]]:
    """The types of a table's columns, as dlt's hints, by what the service says of them. Costs a call, once."""
    if resource.for_each is None or resource.for_each.columns is None:
        return {}
    if resource.name not in service.columns:
        service.columns[resource.name] = _columns_of(service, resource, resource.for_each)
    return dict(service.columns[resource.name])


def _columns_of(service: Service, resource: Resource, each: ForEach) -> dict[str, dict[str, Any]]:
    declared = each.columns or {}
    name, kind, types = declared["name"], declared["data_type"], declared["types"]
    rows = rows_of(service, declared["resource"], (each.resource, resource.each))
    return {str(row[name]): {"data_type": types[row[kind]]} for row in rows if row.get(kind) in types}


def _check_columns(connector: Connector, one: Resource, each: ForEach, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    for name in (each.table_name, each.when):
        if name is not None and not all(name in row for row in rows):
            raise ConnectorError(
                f"{connector.file}, line {one.line}: for_each finds no {name} in each row of {each.resource};"
                f" they have {', '.join(rows[0])}"
            )


def _of_row(connector: Connector, one: Resource, table: str, row: Mapping[str, Any]) -> Resource:
    """The resource of one row, its placeholders filled."""

    def fill(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: _value(connector, one, found, row), text)

    config = {**map_texts(one.config, fill), "name": table}
    return replace(one, name=table, config=config, deletions=map_texts(one.deletions, fill), each=row)


def _value(connector: Connector, one: Resource, found: Any, row: Mapping[str, Any]) -> str:
    kind, _, column = found[1].partition(".")
    if kind != "each":
        return str(found[0])
    if column not in row:
        raise ConnectorError(
            f"{connector.file}, line {one.line}: there is no column {column} for ${{{found[1]}}};"
            f" there are {', '.join(row)}"
        )
    return str(row[column])

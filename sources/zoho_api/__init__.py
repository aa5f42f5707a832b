"""Zoho's other services, and any REST API, as dlt sources: each is declared in one connector file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlt.extract import DltSource

from ..zoho_crm.auth.credentials import ZohoCredentials
from .connector import Connector, ConnectorError, Resource, list_connectors, load_connector
from .discovery import discovered, named_in, readable
from .resources import source_of
from .service import Service, open_service

__all__ = [
    "Connector",
    "ConnectorError",
    "Resource",
    "Service",
    "discovered",
    "list_connectors",
    "load_connector",
    "named_in",
    "open_service",
    "source_of",
    "zoho_api",
]


def zoho_api(
    connector: str | Path,
    resources: Sequence[str] | None = None,
    credentials: ZohoCredentials | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    whole: bool = False,
) -> DltSource:
    """One of Zoho's services, or an API that a file of yours declares, as a dlt source on dlt's `rest_api`.

    No call is made before the pipeline runs, unless the tables are those that the account has, as the modules of
    Recruit: they are asked for here, and the types of their columns. Resources with a cursor read what has changed
    since the run before; what was deleted since leaves their tables at once where the API lists deletions, and else
    when they are read `whole`.

    Args:
        connector: The name of a connector that comes with the source (`desk`, `books`, `recruit`), or the path of a
            YAML file.
        resources: Names of its resources; by default those that the file selects. Resources from whose rows others
            are read come along.
        credentials: For Zoho's services, as for `zoho_crm`.
        parameters: Values for the file's `${placeholders}`, and `organization_id`.
        whole: Read every row of every resource, and replace their tables.

    Raises:
        ConnectorError: The file is wrong; the message names file, line and key.
        SettingsError: A setting is missing or wrong.
    """
    found = load_connector(connector)
    service = open_service(found, credentials, parameters)
    names = discovered(service, resources or ()) or readable(service)
    return source_of(service, names, whole=whole)

"""Zoho's other services, and any REST API, as dlt sources: each is declared in one connector file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from dlt.common.exceptions import DltException
from dlt.extract import DltSource
from dlt.sources.rest_api import rest_api_source

from ..zoho_crm.auth.credentials import ZohoCredentials
from .authentication import SignedForDlt
from .connector import Connector, ConnectorError, Resource, list_connectors, load_connector
from .paginators import TimeWindowPaginator, parse_time, with_own_paginator
from .service import Service, open_service
from .session import AnswerCheck

__all__ = [
    "Connector",
    "ConnectorError",
    "Resource",
    "Service",
    "list_connectors",
    "load_connector",
    "open_service",
    "source_of",
    "zoho_api",
]

UTC = "%Y-%m-%dT%H:%M:%S.%f"  # with milliseconds and a Z: sorts as a text


def zoho_api(
    connector: str | Path,
    resources: Sequence[str] | None = None,
    credentials: ZohoCredentials | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    whole: bool = False,
) -> DltSource:
    """One of Zoho's services, or an API that a file of yours declares, as a dlt source on dlt's `rest_api`.

    No call is made before the pipeline runs. Resources with a cursor read what has changed since the run before;
    what was deleted since leaves their tables when they are read `whole`.

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
    return source_of(open_service(found, credentials, parameters), resources, whole=whole)


def source_of(service: Service, resources: Sequence[str] | None = None, *, whole: bool = False) -> DltSource:
    """The dlt source of a service's resources; `whole` as for `zoho_api`."""
    connector = service.connector
    named = list(resources) if resources else connector.default_resources
    chosen = connector.with_parents(named)
    defaults = service.fill(deepcopy(dict(connector.resource_defaults)))
    client = service.fill(deepcopy(dict(connector.client)))
    auth = None if service.auth is None else SignedForDlt(service.auth)
    config = {
        "client": {**client, "auth": auth, "session": service.session.http},
        "resource_defaults": defaults,
        "resources": [_resource(service, one, defaults, named, whole) for one in chosen],
    }
    try:
        return rest_api_source(config, name=f"zoho_{connector.name}", max_table_nesting=0)  # type: ignore[arg-type]
    except (DltException, ValueError, TypeError, NotImplementedError) as error:
        text = " ".join(str(error).split())
        raise ConnectorError(f"{connector.file}: {text[:400]}") from error


def _resource(
    service: Service, resource: Resource, defaults: Mapping[str, Any], named: Sequence[str], whole: bool
) -> dict[str, Any]:
    """dlt's configuration of one resource."""
    config: dict[str, Any] = service.fill(deepcopy(dict(resource.config)))
    endpoint = config.get("endpoint", {})
    endpoint = {"path": endpoint} if isinstance(endpoint, str) else dict(endpoint)
    general = defaults.get("endpoint") or {}
    selector = endpoint.get("data_selector") or general.get("data_selector")
    scopes = resource.scopes or service.connector.authentication.scopes
    check = AnswerCheck(selector, service.connector.decimal_numbers, scopes, service.remedy)
    endpoint = with_own_paginator(endpoint)
    organization = service.connector.organization
    if organization is not None and service.signer is not None and endpoint.get("path") == organization.path:
        endpoint["auth"] = SignedForDlt(service.signer)  # the list of organisations names none
    check.windows = isinstance(endpoint.get("paginator"), TimeWindowPaginator)
    endpoint["response_actions"] = [check, *endpoint.get("response_actions", [])]
    incremental = endpoint.pop("incremental", None)
    if incremental is not None:
        convert = _time_format(service, resource, incremental.get("convert"))
        if whole:
            start = convert(str(incremental["initial_value"]))
            endpoint = _with_start(endpoint, start)
        else:
            endpoint["incremental"] = {
                "on_cursor_value_missing": "include",
                **incremental,
                "convert": convert,
            }
        steps = config.get("processing_steps", [])
        config["processing_steps"] = [{"map": in_utc(str(incremental["cursor_path"]))}, *steps]
    if whole:
        config["write_disposition"] = "replace"
    key = config.get("primary_key") or defaults.get("primary_key")
    if key and (config.get("write_disposition") or defaults.get("write_disposition")) == "replace":
        config.setdefault("processing_steps", []).append({"filter": FirstOfEach(key)})
    return {**config, "endpoint": endpoint, "selected": resource.name in named}


def _time_format(service: Service, resource: Resource, name: Any) -> Callable[[str], str]:
    if name is None:
        return str
    if name not in TIME_FORMATS:
        raise ConnectorError(
            f"{service.connector.file}, line {resource.line}: convert has to be {' or '.join(TIME_FORMATS)}"
        )
    return TIME_FORMATS[name]


def _with_start(value: Any, start: str) -> Any:
    """A part of an endpoint in which the cursor's value is the first one there could be."""
    if isinstance(value, str):
        return value.replace("{incremental.start_value}", start)
    if isinstance(value, dict):
        return {key: _with_start(one, start) for key, one in value.items()}
    return value


class FirstOfEach:
    """Lets each row through once: rows that are inserted meanwhile push others to the next page."""

    def __init__(self, key: str | Sequence[str]) -> None:
        self._names = (key,) if isinstance(key, str) else tuple(key)
        self._seen: set[tuple[Any, ...]] = set()

    def __call__(self, row: Mapping[str, Any]) -> bool:
        values = tuple(row.get(name) for name in self._names)
        if values in self._seen:
            return False
        self._seen.add(values)
        return True


def in_utc(column: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A step that spells a time in UTC: cursors are compared as texts, and a service's zone changes in summer."""

    def step(row: dict[str, Any]) -> dict[str, Any]:
        if isinstance(row.get(column), str):
            row[column] = f"{parse_time(row[column]).strftime(UTC)[:-3]}Z"
        return row

    return step


# What a cursor's value becomes in a request, by the names that a file may write under `convert`.
TIME_FORMATS: Mapping[str, Callable[[str], str]] = {
    "offset_without_colon": lambda time: parse_time(time).strftime("%Y-%m-%dT%H:%M:%S+0000"),
    "offset_with_colon": lambda time: parse_time(time).isoformat(timespec="seconds"),
    "date": lambda time: parse_time(time).strftime("%Y-%m-%d"),
}

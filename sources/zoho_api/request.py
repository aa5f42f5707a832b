"""One resource to be looked at alone: its first request, or all of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import requests
from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import create_paginator

from ..zoho_crm.exceptions import SettingsError, ZohoError
from .connector import endpoint_of, map_texts, path_of, placeholders
from .paginators import own_paginator
from .service import NoAnswer, Service, row_parameter


def prepared_request(service: Service, resource: str) -> requests.PreparedRequest:
    """The request, signed; what comes from the rows of another resource has to be among the parameters.

    Raises:
        ConnectorError: There is no such resource.
        SettingsError: A parameter is missing.
    """
    endpoint, paginator = _endpoint(service, resource)
    request = requests.Request(
        endpoint["method"],
        f"{service.base_url.rstrip('/')}/{endpoint['path'].lstrip('/')}",
        params=endpoint["params"],
        headers={**service.fill(service.connector.client.get("headers") or {}), **endpoint["headers"]},
        json=endpoint["json"],
        auth=service.auth,
    )
    if paginator is not None:
        paginator.init_request(request)
    prepared: requests.PreparedRequest = service.session.http.prepare_request(request)
    return prepared


def answer_to(service: Service, request: requests.PreparedRequest) -> requests.Response:
    """The answer to a request, whatever its status. Raises NoAnswer."""
    try:
        return service.session.http.send(request, allow_redirects=False)
    except requests.RequestException as error:
        raise NoAnswer(str(request.url), error) from error


def try_resource(service: Service, resource: str) -> None:
    """Make the first request of a resource, whose rows are dropped.

    Raises ZohoError and its like: the API refuses it, does not answer, or answers otherwise than the file says.
    """
    response = answer_to(service, prepared_request(service, resource))
    own_actions = endpoint_of(service.connector.resource(resource).config).get("response_actions")
    if response.status_code >= 400 and own_actions:
        return  # the file says itself what it means
    try:
        service.check_of(resource)(response)
    except requests.HTTPError as error:
        raise error.__cause__ or error from None


def rows_of(
    service: Service, resource: str, parent: tuple[str, Mapping[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """All rows of a resource, at once.

    Args:
        parent: The resource from whose rows it is read, and the row in question.

    Raises:
        ZohoError and its like: The API refuses it, or does not answer.
    """
    if parent is not None:
        values = {f"{parent[0]}_{column}": value for column, value in parent[1].items()}
        service = replace(service, row_values={**service.row_values, **values})
    endpoint, paginator = _endpoint(service, resource)
    selector = service.selector_of(resource)
    check = service.check_of(resource)
    client = RESTClient(
        service.base_url.rstrip("/"),
        headers=service.fill(service.connector.client.get("headers") or {}),
        auth=service.auth,
        paginator=paginator,
        session=service.session.http,
    )
    found: list[dict[str, Any]] = []
    try:
        for page in client.paginate(**endpoint, data_selector=selector, hooks={"response": [check]}):
            found += page
    except requests.RequestException as error:
        if isinstance(error.__cause__, ZohoError):
            raise error.__cause__ from None
        raise NoAnswer(f"{service.base_url.rstrip('/')}/{endpoint['path'].lstrip('/')}", error) from error
    return found


def _endpoint(service: Service, resource: str) -> tuple[dict[str, Any], BasePaginator | None]:
    """What the first request consists of: path, method, params, headers, json; and its paginator."""
    config = service.connector.resource(resource).config
    endpoint = deepcopy(endpoint_of(config))
    general = dict(service.connector.resource_defaults.get("endpoint") or {})
    start = str((endpoint.get("incremental") or {}).get("initial_value", ""))
    known, rows = {"{incremental.start_value}": str(service.fill(start))}, {}
    for name in placeholders(endpoint):
        if name.startswith("resources."):
            rows[f"{{{name}}}"] = _of_row(service, name)
    known |= rows
    of_path = {name: quote(value, safe="") if name in rows else value for name, value in known.items()}
    path = _filled(service.fill(path_of(config, resource)), of_path)
    endpoint = map_texts(service.fill(endpoint), lambda text: _filled(text, known))
    declared = service.paginator_of(resource)
    parts = {
        "path": path,
        "method": endpoint.get("method", "GET"),
        "params": {**service.fill(general.get("params") or {}), **(endpoint.get("params") or {})},
        "headers": endpoint.get("headers") or {},
        "json": endpoint.get("json"),
    }
    return parts, own_paginator(declared) or create_paginator(declared)


def _filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(name, value)
    return text


def _of_row(service: Service, name: str) -> str:
    names = row_parameter(name)
    for one in names:
        if one in service.row_values:
            return str(service.row_values[one])
    raise SettingsError(f"this needs a value of a row of {name.split('.')[1]}: --param {names[0]}=...")

"""The first request of a resource, to be looked at alone."""

from __future__ import annotations

from copy import deepcopy

import requests
from dlt.sources.rest_api.config_setup import create_paginator

from ..zoho_crm.exceptions import SettingsError
from .connector import map_texts, placeholders
from .paginators import with_own_paginator
from .service import Service, row_parameter


def prepared_request(service: Service, resource: str) -> requests.PreparedRequest:
    """The request, signed; what comes from the rows of another resource has to be among the parameters.

    Raises:
        ConnectorError: There is no such resource.
        SettingsError: A parameter is missing.
    """
    config = service.connector.resource(resource).config
    endpoint = deepcopy(config.get("endpoint", {}))
    endpoint = {"path": endpoint} if isinstance(endpoint, str) else endpoint
    general = dict(service.connector.resource_defaults.get("endpoint") or {})
    start = str((endpoint.get("incremental") or {}).get("initial_value", ""))
    known = {"{incremental.start_value}": str(service.fill(start))}
    for name in placeholders(endpoint):
        if name.startswith("resources."):
            known[f"{{{name}}}"] = _of_row(service, name)
    endpoint = map_texts(with_own_paginator(service.fill(endpoint)), lambda text: _filled(text, known))
    params = {**service.fill(general.get("params") or {}), **(endpoint.get("params") or {})}
    request = requests.Request(
        endpoint.get("method", "GET"),
        f"{service.base_url.rstrip('/')}/{str(endpoint.get('path', resource)).lstrip('/')}",
        params=params,
        headers={**(service.connector.client.get("headers") or {}), **(endpoint.get("headers") or {})},
        json=endpoint.get("json"),
        auth=service.auth,
    )
    declared = (
        endpoint.get("paginator") or general.get("paginator") or service.connector.client.get("paginator")
    )
    paginator = create_paginator(service.fill(declared) if declared else None)
    if paginator is not None:
        paginator.init_request(request)
    prepared: requests.PreparedRequest = service.session.http.prepare_request(request)
    return prepared


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

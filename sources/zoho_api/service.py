"""One connector with what it takes to call it: host, signed session, organisation, parameters."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dlt
import requests
from dlt.common import jsonpath
from requests.auth import AuthBase

from ..zoho_crm.auth.authenticator import ZohoAuthenticator
from ..zoho_crm.auth.credentials import ZohoCredentials, resolve_credentials
from ..zoho_crm.auth.token_store import TokenCache
from ..zoho_crm.exceptions import SettingsError, ZohoConnectionError
from ..zoho_crm.redaction import remember_secrets
from .authentication import HostAuth, OAuth2, ZohoServiceAuth
from .connector import (
    PLACEHOLDER,
    Connector,
    Organization,
    endpoint_of,
    environment_name,
    list_connectors,
    map_texts,
    path_of,
    placeholders,
    setting_key,
)
from .session import AnswerCheck, Clock, NoService, ServiceSession, check_answer, read_body, rows_found

ORGANIZATION_ID = "organization_id"  # the setting that chooses among several organisations
SECRET_NAME = re.compile("key|token|secret|password", re.IGNORECASE)  # parameters that are not shown
OAUTH_SETTINGS = ("client_id", "client_secret", "refresh_token")


@dataclass
class Service:
    """A connector that can be called."""

    connector: Connector
    host: str
    auth: AuthBase | None
    session: ServiceSession
    parameters: Mapping[str, Any]
    row_values: Mapping[str, Any] = field(default_factory=dict)  # in place of another resource's rows
    left_out: dict[str, str] = field(default_factory=dict)  # rows that could be tables, and why they are none
    columns: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # of tables of which the service gives the types
    refused_deletions: dict[str, str] = field(default_factory=dict)  # resources without that list, and why

    def selector_of(self, resource: str) -> str | None:
        """Where the rows are in an answer."""
        selector = self._endpoint_value(resource, "data_selector")
        return None if selector is None else str(selector)

    def paginator_of(self, resource: str) -> Any:
        """The paginator that the file names for a resource, filled; dlt's or one of ours."""
        return self.fill(
            self._endpoint_value(resource, "paginator") or self.connector.client.get("paginator")
        )

    def check_of(self, resource: str) -> AnswerCheck:
        """The check of a resource's answers."""
        scopes = self.connector.resource(resource).scopes or self.connector.authentication.scopes
        return AnswerCheck(self.selector_of(resource), self.connector.decimal_numbers, scopes, self.remedy)

    def _endpoint_value(self, resource: str, key: str) -> Any:
        """What the file says of a resource's endpoint, or of all endpoints."""
        own = endpoint_of(self.connector.resource(resource).config).get(key)
        return own or endpoint_of(self.connector.resource_defaults).get(key)

    def credits_of(self, url: str) -> int:
        """What a call costs, as the connector declares it by the resource's path; 0 where credits do not count."""
        if self.connector.credits is None:
            return 0
        path = url.partition("?")[0]
        for one in self.connector.resources:
            deletions = one.deletions or {}
            for part, credits in ((one.config, one.credits), (deletions, deletions.get("credits"))):
                if credits is not None and self._matches(path_of(part, one.name), path):
                    return int(credits)
        return self.connector.credits.a_call

    def _matches(self, known: str, path: str) -> bool:
        """Whether a URL is of a resource's path, whatever its placeholders stand for."""
        whole = f"{self.base_url.rstrip('/')}/{known.lstrip('/')}"
        texts = [re.escape(text) for text in PLACEHOLDER.split(whole)[::2]]
        return re.fullmatch("[^/]+".join(texts), path) is not None

    def fill(self, value: Any) -> Any:
        """A part of the configuration with its placeholders filled; those of rows and cursors as dlt spells them.

        Raises SettingsError for a parameter that nobody has given.
        """
        return map_texts(value, self._fill_text)

    def _fill_text(self, text: str) -> Any:
        whole = PLACEHOLDER.fullmatch(text)
        if whole and whole[1] in self.parameters:
            return self._parameter(whole[1])
        return PLACEHOLDER.sub(lambda found: str(self._parameter(found[1])), text)

    def _parameter(self, name: str) -> Any:
        if name == "host":
            return self.host
        if name.startswith(("resources.", "incremental.")):
            return f"{{{name}}}"
        value = self.parameters.get(name)
        if value is None:
            variable = environment_name(setting_key(self.connector.name, name))
            raise SettingsError(
                f"{self.connector.file} needs a value for ${{{name}}}: --param {name}=..., or"
                f" {variable} in the environment or .env"
            )
        return value

    @property
    def signer(self) -> AuthBase | None:
        """What signs requests, without naming an organisation."""
        return self.auth.inner if isinstance(self.auth, OrganizationAuth) else self.auth

    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes of the token; None if nobody says. A token is asked for if there is none."""
        return self.signer.granted_scopes() if isinstance(self.signer, HostAuth) else None

    def find_organization(self) -> None:
        """Settle which organisation is meant, if the service has some. Raises SettingsError or NoService."""
        if isinstance(self.auth, OrganizationAuth):
            self.auth.find()

    @property
    def wanted_organization(self) -> str | None:
        """The organisation that somebody has chosen."""
        return self.auth.wanted if isinstance(self.auth, OrganizationAuth) else None

    @property
    def base_url(self) -> str:
        return str(self.fill(self.connector.client["base_url"]))

    @property
    def remedy(self) -> str:
        """What to do where the API refuses what the requests are signed with."""
        connector = self.connector
        if connector.authentication.type != "none":
            name = connector.name if connector.name in list_connectors() else connector.file
            return f"Run: python -m pipelines.zoho_api authorize {name}"
        settings = [
            environment_name(setting_key(connector.name, name)) for name in sent_parameters(connector)
        ]
        return f"Correct {' or '.join(settings)}" if settings else ""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON of one GET, without an organisation. Raises ZohoError and its like."""
        url = f"{self.base_url.rstrip('/')}/{path.lstrip('/')}"
        try:
            response = self.session.http.get(
                url, params=dict(params or {}), auth=self.signer, allow_redirects=False
            )
        except requests.RequestException as error:
            raise NoAnswer(url, error) from error
        check_answer(response, self.connector.authentication.scopes, self.remedy)
        return read_body(response)


class NoAnswer(ZohoConnectionError):
    """A host did not answer."""

    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(f"{url.split('?')[0]} did not answer ({type(error).__name__})")


class OrganizationAuth(AuthBase):
    """Names the organisation in each request, after a look at which ones there are."""

    def __init__(
        self, inner: AuthBase, organization: Organization, wanted: str | None, find: Callable[[], str]
    ) -> None:
        self.inner, self.wanted = inner, wanted
        self._organization, self._find = organization, find
        self._id = wanted
        self._lock = threading.Lock()

    def find(self) -> str:
        """The id of the organisation; costs a call the first time, unless somebody has chosen one."""
        with self._lock:
            self._id = self._id or self._find()
        return self._id

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._organization.header:
            request.headers[self._organization.header] = self.find()
        else:
            request.prepare_url(request.url, {str(self._organization.param): self.find()})
        signed: requests.PreparedRequest = self.inner(request)
        return signed


def open_service(
    connector: Connector,
    credentials: ZohoCredentials | str | None = None,
    parameters: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> Service:
    """The connector with host, session and authentication. No call is made yet.

    Args:
        credentials: For Zoho's services, as for the CRM; by default those of `sources.zoho_crm.credentials`.
        parameters: Values of placeholders; by default those in dlt's configuration below
            `sources.zoho_api.<connector>`.

    Raises:
        SettingsError: A setting is missing or wrong.
    """
    given = {
        name: (parameters or {}).get(name, _configured(connector, name, default))
        for name, default in connector.parameters.items()
    }
    remember_secrets([str(value) for name, value in given.items() if value and SECRET_NAME.search(name)])
    row_values = {k: v for k, v in (parameters or {}).items() if k in _row_parameters(connector)}
    for name in parameters or {}:
        if name not in (*connector.parameters, *row_values, ORGANIZATION_ID):
            known = ", ".join(connector.parameters) or "none"
            raise SettingsError(f"{connector.file} has no parameter {name}; it has {known}")
    declared = connector.authentication
    settings = resolve_credentials(credentials) if declared.type == "zoho" else None
    host = _host(connector, settings)
    seconds = float(settings.timeout or 60) if settings else 60.0
    proxies = settings.proxies if settings else None
    session = ServiceSession.open(connector.calls_per_minute, seconds, clock, proxies)
    service = Service(connector, host, None, session, given, row_values)
    session.price, session.credits_told = service.credits_of, connector.credits
    signer: HostAuth | None = None
    if settings is not None:
        signer = ZohoServiceAuth(service.base_url, _authenticator(settings))
    elif declared.type == "oauth2":
        signer = OAuth2(service.base_url, declared, _oauth_settings(connector), TokenCache())
    service.auth = signer
    if connector.organization is not None and signer is not None:
        wanted = (parameters or {}).get(ORGANIZATION_ID) or _configured(connector, ORGANIZATION_ID, None)
        organization = connector.organization
        chosen = str(wanted) if wanted else None
        service.auth = OrganizationAuth(signer, organization, chosen, lambda: only_organization(service))
    return service


def sent_parameters(connector: Connector) -> list[str]:
    """The parameters that go along with requests, in their headers or parameters."""
    endpoints = [endpoint_of(one.config) for one in connector.resources]
    parts = [connector.client, endpoint_of(connector.resource_defaults), *endpoints]
    sent = [part.get(place) or {} for part in parts for place in ("headers", "params")]
    return [name for name in dict.fromkeys(placeholders(sent)) if name in connector.parameters]


def row_parameter(name: str) -> tuple[str, ...]:
    """What a value of another resource's row may be called: `ticket_id` or `tickets_id` for `resources.tickets.id`."""
    _, resource, key = name.split(".", 2)
    plain = f"{resource}_{key}".replace(".", "_")
    ending = "id" if key.endswith("id") else key
    return tuple(dict.fromkeys((f"{resource.rstrip('s')}_{ending}", plain, key)))


def _row_parameters(connector: Connector) -> set[str]:
    used = {name for one in connector.resources for name in placeholders(one.config.get("endpoint", {}))}
    return {alias for name in used if name.startswith("resources.") for alias in row_parameter(name)}


_authenticators: dict[str, ZohoAuthenticator] = {}


def _authenticator(settings: ZohoCredentials) -> ZohoAuthenticator:
    """One a connection string, so that all services of a process share a token and its renewal."""
    key = settings.to_connection_string()
    return _authenticators.setdefault(key, ZohoAuthenticator(settings))


def organizations(service: Service) -> list[tuple[str, str]]:
    """Id and name of each organisation that the token reaches. Costs a call."""
    declared = service.connector.organization
    if declared is None:
        return []
    rows = rows_found(jsonpath.find_values(declared.selector, service.get(declared.path)))
    return [(str(row.get(declared.id)), str(row.get(declared.name) or "")) for row in rows]


def only_organization(service: Service) -> str:
    """The id of the organisation, if there is one to choose from. Raises SettingsError for several."""
    found = organizations(service)
    title = service.connector.title
    if not found:
        raise NoService(
            "GET organizations", 200, {"code": "NO_ORGANIZATION", "message": f"this account has no {title}"}
        )
    if len(found) > 1:
        names = ", ".join(f"{id} ({name})" for id, name in found)
        key = environment_name(setting_key(service.connector.name, ORGANIZATION_ID))
        raise SettingsError(
            f"{title} has several organisations: {names}. Choose one with --param {ORGANIZATION_ID}=..., or {key}"
        )
    return found[0][0]


def _host(connector: Connector, settings: ZohoCredentials | None) -> str:
    """Scheme and host of the service. An explicit APIDomain (a gateway, a simulator) stands for all services."""
    hosts = connector.hosts
    if settings is None:
        return hosts.get("") or next(iter(hosts.values()))
    if settings.api_domain:
        return settings.api_domain
    if hosts.get("") == "api_domain":
        return settings.data_centre.api_domain("Production")
    host = hosts.get("") or hosts.get(settings.data_centre.region)
    if not host:
        raise SettingsError(
            f"{connector.title} has no known host for Region={settings.data_centre.region}; known are"
            f" {', '.join(hosts)}. Set APIDomain if there is one."
        )
    return host


def _configured(connector: Connector, name: str, default: Any) -> Any:
    value: Any = dlt.config.get(setting_key(connector.name, name))
    return default if value is None else value


def _oauth_settings(connector: Connector) -> dict[str, str]:
    found = {name: oauth_setting(connector, name) for name in OAUTH_SETTINGS}
    for name in ("client_id", "refresh_token"):
        if not found[name]:
            variable = environment_name(setting_key(connector.name, name))
            more = f", which authorize {connector.name} gets" if name == "refresh_token" else ""
            raise SettingsError(
                f"{connector.title} needs {name}{more}: set {variable}, or the key in secrets.toml"
            )
    return {name: value for name, value in found.items() if value}


def oauth_setting(connector: Connector, name: str) -> str | None:
    """One of the client's settings and its refresh token, from dlt's secrets."""
    value: Any = dlt.secrets.get(setting_key(connector.name, name))
    return None if value is None else str(value)

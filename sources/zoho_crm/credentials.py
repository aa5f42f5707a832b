"""The settings of a Zoho CRM account as a dlt credentials spec: parsed, checked, and never echoed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast
from urllib.parse import urlsplit

from dlt.common.configuration import configspec
from dlt.common.configuration.exceptions import (
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
    InvalidNativeValue,
    ValueNotSecretException,
)
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import CredentialsConfiguration
from dlt.common.typing import TSecretStrValue

from .connection_string import join_settings, pieces_of
from .converters import proxy_secrets, with_scheme
from .data_centres import DataCentre, Instance, data_centre, data_centre_of_accounts_host
from .errors import SettingsError
from .redaction import remember_secrets
from .settings import (
    BY_ATTRIBUTE,
    DEFAULT_SCOPES,
    KEY,
    SETTINGS,
    Setting,
    by_attribute,
    missing_settings,
    read_settings,
    wrong_settings,
)
from .unknown import SECTIONS, unknown_keys, unknown_name, warn_unknown

logger = logging.getLogger("zoho_crm")

Api = Literal["auto", "bulk", "coql", "records"]

API_VERSION = "v8"
DEFAULT_TIMEOUT = 60.0


@configspec
class ZohoCredentials(CredentialsConfiguration):
    """Every field is text and None by default, so that each missing or wrong one gets our own sentence.

    A default would also hide an explicit `Region=US` from dlt, which takes what equals a default for
    not given and asks the environment. `on_resolved` writes the checked values and the defaults.
    """

    region: str | None = None
    instance_type: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: TSecretStrValue | None = None
    oauth_refresh_token: TSecretStrValue | None = None
    oauth_access_token: TSecretStrValue | None = None
    initiate_oauth: str | None = None
    scope: str | None = None
    use_coql: Any | None = None
    api_type: str | None = None
    read_api: str | None = None
    auth_scheme: str | None = None
    org_id: str | None = None
    accounts_server: str | None = None
    api_domain: str | None = None
    oauth_settings_location: str | None = None
    use_sandbox: Any | None = None
    schema: str | None = None
    api_version: str | None = None
    timeout: Any | None = None
    proxy_server: str | None = None
    proxy_port: Any | None = None
    callback_url: str | None = None
    oauth_verifier: TSecretStrValue | None = None

    for_consent: ClassVar[bool] = False
    quiet: ClassVar[bool] = False  # nobody wants to hear of unknown names

    # ---- what the rest of the source asks for

    @property
    def data_centre(self) -> DataCentre:
        found = data_centre(self.region or "US")
        assert found is not None  # on_resolved refuses any other region
        return found

    @property
    def instance(self) -> Instance:
        return cast(Instance, self.instance_type or "Production")

    @property
    def accounts_url(self) -> str:
        """The accounts server to talk to."""
        return self.accounts_server or self.data_centre.accounts_server

    @property
    def scopes(self) -> tuple[str, ...]:
        """What `authorize` asks for: `Scope`, or all that a sync reads."""
        return tuple(self.scope.split(",")) if self.scope else DEFAULT_SCOPES

    @property
    def given(self) -> dict[str, str]:
        """The settings that somebody gave, by name and with their secrets; no defaults."""
        return {n: v for n, v in self._pairs(show=True) if SETTINGS[n.casefold()].attribute in self._given}

    @property
    def renews(self) -> bool:
        return self.initiate_oauth != "OFF"

    @property
    def api(self) -> Api:
        """The user's wish. With UseCOQL=false and no APIType it is "auto", but see `coql_allowed`."""
        if self.read_api:
            return cast(Api, {"REST": "records"}.get(self.read_api, self.read_api.lower()))
        if self.use_coql:
            return "coql"
        wishes: dict[str | None, Api] = {"Bulk": "bulk", "REST": "records"}
        return wishes.get(self.api_type, "auto")

    @property
    def coql_allowed(self) -> bool:
        """False when the user said UseCOQL=false: "auto" then keeps to the other two APIs."""
        return self.use_coql is not False or self.read_api is not None

    @property
    def proxies(self) -> dict[str, str] | None:
        """For requests: one proxy for both schemes, or None to follow the environment."""
        if not self.proxy_server:
            return None
        server = with_scheme(self.proxy_server)
        if self.proxy_port and urlsplit(server).port is None:
            server = f"{server.rstrip('/')}:{self.proxy_port}"
        return {"http": server, "https": server}

    @property
    def secrets(self) -> list[str]:
        """Every secret value, for whoever takes them out of a text: the proxy's password in each of its forms."""
        found = [getattr(self, setting.attribute) for setting in BY_ATTRIBUTE.values() if setting.secret]
        return [value for value in (*found, *proxy_secrets(self.proxy_server or "")) if value]

    # ---- dlt's side

    def parse_native_representation(self, native_value: Any) -> None:
        """Take a connection string; unknown names are kept for one warning when all is resolved."""
        if not isinstance(native_value, str):
            raise NotImplementedError
        unknown = []
        before: Setting | None = None
        for piece in pieces_of(native_value, SETTINGS):
            setting = SETTINGS.get(piece.name.casefold())
            if setting is None:
                unknown.append(unknown_name(piece.name, before))
            else:
                setattr(self, setting.attribute, piece.value)
                before = setting if setting.may_go_on(piece.value) and not piece.quoted else None
        self._unknown = unknown

    def to_native_representation(self) -> str:
        """The connection string with its secrets taken out: dlt may print or store it."""
        return join_settings(self._pairs(show=False))

    def to_connection_string(self) -> str:
        """The connection string with its secrets, for writing a settings file and nothing else."""
        return join_settings(self._pairs(show=True))

    @classmethod
    def from_init_value(cls, init_value: Any = None) -> ZohoCredentials:
        """Without resolving: dlt calls this beside the instance that it resolves, and reads what was given."""
        self = cls()
        self._apply_init_value(init_value)
        return self

    def on_resolved(self) -> None:
        """Check every setting, then what they say together."""
        if not self.quiet:
            warn_unknown(self._unknown_words())
        given = {name: getattr(self, name) for name in BY_ATTRIBUTE}
        for name, value in read_settings(given).items():
            setattr(self, name, value)
        self._given = {name for name in given if getattr(self, name) is not None}
        self._settle_region()
        self._settle_instance()
        self._settle_api()
        self._settle_rest()
        remember_secrets(self.secrets)
        self._require()

    def __repr__(self) -> str:
        return f"ZohoCredentials({self.to_native_representation()})"

    __str__ = __repr__

    def _unknown_words(self) -> list[str]:
        return [*getattr(self, "_unknown", []), *map(unknown_name, unknown_keys())]

    # ---- what the settings say together

    def _settle_region(self) -> None:
        host = urlsplit(self.accounts_server or "").hostname or ""
        centre = data_centre_of_accounts_host(host)
        if centre is not None and self.region not in (None, centre.region):
            raise SettingsError(
                f"Region={self.region} and AccountsServer={self.accounts_server} contradict each other:"
                f" that server is of Region={centre.region}. Leave one of them out."
            )
        self.region = self.region or (centre.region if centre else "US")

    def _settle_instance(self) -> None:
        by_flag = {True: "Sandbox", False: self.instance_type, None: self.instance_type}[self.use_sandbox]
        sandbox = self.instance_type == "Sandbox"
        if self.use_sandbox is not None and self.instance_type and self.use_sandbox != sandbox:
            raise SettingsError(
                f"UseSandbox={str(self.use_sandbox).lower()} and InstanceType={self.instance_type}"
                " contradict each other. Leave UseSandbox out."
            )
        self.instance_type = by_flag or "Production"

    def _settle_api(self) -> None:
        if not self.read_api and self.use_coql and self.api_type == "Bulk":
            raise SettingsError(
                "UseCOQL=true and APIType=Bulk contradict each other. Leave one of them out, or set"
                f" ReadAPI to {BY_ATTRIBUTE['read_api'].forms}."
            )

    def _settle_rest(self) -> None:
        wanted = self.api_version or self.schema
        if wanted not in (None, API_VERSION):
            logger.warning("ApiVersion %s is not spoken here: %s is used", wanted, API_VERSION)
        self.api_version = self.schema = API_VERSION
        self.initiate_oauth = self.initiate_oauth or "REFRESH"
        self.auth_scheme = self.auth_scheme or "OAuth"
        self.timeout = self.timeout or DEFAULT_TIMEOUT

    def _require(self) -> None:
        if self.for_consent:
            return  # `authorize` asks for what is missing
        if self.auth_scheme == "ClientCredentials":
            needed = ["oauth_client_id", "oauth_client_secret", "org_id"]
        elif not self.renews or (self.oauth_access_token and not self.oauth_refresh_token):
            needed = ["oauth_access_token"]
        else:
            needed = ["oauth_client_id", "oauth_client_secret", "oauth_refresh_token"]
        missing = [BY_ATTRIBUTE[name] for name in needed if not getattr(self, name)]
        if missing:
            raise missing_settings(missing, none=not self._given)

    def _pairs(self, show: bool) -> list[tuple[str, str]]:
        pairs = []
        for setting in BY_ATTRIBUTE.values():
            value = getattr(self, setting.attribute, None)
            if value is not None and value != "":
                plain = str(value).lower() if isinstance(value, bool) else str(value)
                pairs.append((setting.name, plain if show else setting.masked(value)))
        return pairs


def resolve_credentials(
    value: str | Mapping[str, Any] | None = None, *, for_consent: bool = False, quiet: bool = False
) -> ZohoCredentials:
    """The checked settings from `value`, filled up from dlt's environment, secrets and config.

    Raises SettingsError and nothing else, with no secret in it. `for_consent` misses nothing: the
    client may still be asked for, and the tokens are still to be got. `quiet` warns of nothing.
    A mapping may use the names of a connection string or dlt's snake_case.
    """
    if isinstance(value, ZohoCredentials) and value.is_resolved():
        return value
    credentials = ZohoCredentials()
    credentials.for_consent, credentials.quiet = for_consent, quiet  # type: ignore[misc]
    if isinstance(value, Mapping):
        value, unknown = by_attribute(value)
        credentials._unknown = [*map(unknown_name, unknown)]
    try:
        return resolve_configuration(credentials, sections=SECTIONS, explicit_value=value or None)
    except ConfigurationException as error:
        raise SettingsError(_sentence(error)) from None


def _sentence(error: ConfigurationException) -> str:
    """dlt's own sentences may go on for pages; ours has to be one, without a value."""
    if isinstance(error, InvalidNativeValue):
        inner = error.inner_exception
        return (
            str(inner) if isinstance(inner, SettingsError) else f"The connection string cannot be read. {KEY}"
        )
    if isinstance(error, ConfigValueCannotBeCoercedException) and error.field_name in BY_ATTRIBUTE:
        return str(wrong_settings([(BY_ATTRIBUTE[error.field_name], "")]))
    if isinstance(error, ValueNotSecretException):
        return "A secret stands in dlt's config.toml: move it to secrets.toml, .env or the environment."
    return (
        f"dlt could not read the settings ({type(error).__name__}). Look at {KEY} and at dlt's secrets.toml."
    )

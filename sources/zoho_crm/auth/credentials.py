"""The credentials of an account: every setting, where it is read, and what is wrong with it."""

from __future__ import annotations

import logging
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, ClassVar, Literal, cast
from urllib.parse import unquote, urlsplit

from dlt.common.configuration import configspec
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import (
    ConfigurationException,
    ConfigValueCannotBeCoercedException,
    InvalidNativeValue,
    ValueNotSecretException,
)
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import CredentialsConfiguration, PluggableRunContext
from dlt.common.typing import TSecretStrValue

from ..exceptions import SettingsError, suggest
from ..redaction import remember_secrets
from ..service import CRM, SERVICES, Service
from .connection_string import join_settings, pieces_of
from .data_centers import (
    DATA_CENTRES,
    MISNAMED_ACCOUNTS_HOSTS,
    DataCentre,
    Instance,
    data_centre,
    data_centre_of_accounts_host,
)

logger = logging.getLogger("zoho_crm")


Convert = Callable[[str], Any]


def text(value: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError
    return value


def boolean(value: str) -> bool:
    words = {
        "true": True,
        "yes": True,
        "1": True,
        "on": True,
        "false": False,
        "no": False,
        "0": False,
        "off": False,
    }
    try:
        return words[value.casefold()]
    except KeyError:
        raise ValueError from None


def choice(forms: Mapping[str, tuple[str, ...]]) -> Convert:
    """The canonical word for a word or one of its aliases, without regard to case."""
    by_name = {form.casefold(): word for word, aliases in forms.items() for form in (word, *aliases)}

    def convert(value: str) -> str:
        try:
            return by_name[value.casefold()]
        except KeyError:
            raise ValueError from None

    return convert


def region(value: str) -> str:
    centre = data_centre(value)
    if centre is None:
        raise ValueError
    return centre.region


def scopes(value: str) -> str:
    names = [name for name in re.split(r"[\s,]+", value.strip("[]").replace('"', "")) if name]
    if not names or not all(re.fullmatch(r"[A-Za-z0-9_.]+", name) for name in names):
        raise ValueError
    return ",".join(dict.fromkeys(names))


def url(value: str) -> str:
    """A URL of scheme and host, without credentials, query and trailing slash."""
    parts = urlsplit(value)  # raises ValueError itself for a broken IPv6 address
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError
    if "@" in parts.netloc or parts.query or parts.fragment or not text(value).isascii() or " " in value:
        raise ValueError
    return value.rstrip("/")


def callback(value: str) -> str:
    """A URL as it was registered: Zoho compares letter by letter, a trailing slash too."""
    url(value)
    return value


def proxy(value: str) -> str:
    """A proxy's host, or its URL with a user and a password whose signs are written as %XX."""
    parts = urlsplit(with_scheme(value))
    if parts.scheme not in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") or not parts.hostname:
        raise ValueError
    if parts.port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError
    if ":" in parts.hostname:
        ip_address(parts.hostname)
    elif not re.fullmatch(r"[A-Za-z0-9._-]+", parts.hostname):
        raise ValueError
    if not text(value).isascii() or " " in value or value.count("@") > 1:
        raise ValueError
    return value.rstrip("/")


def proxy_secrets(server: str) -> list[str]:
    """A proxy's password, or a user without one, in each form that a text may hold it."""
    who = server.rpartition("@")[0].rpartition("://")[2]
    if not who:
        return []
    user, _, password = who.partition(":")
    header = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()  # as it is sent
    return list(dict.fromkeys([password or user, unquote(password or user), header]))


def with_scheme(server: str) -> str:
    return server if "://" in server else f"http://{server}"


def accounts_server(value: str) -> str:
    server = url(value)
    host = urlsplit(server).hostname or ""
    if host in MISNAMED_ACCOUNTS_HOSTS:
        logger.warning("Zoho's accounts are at %s, not at %s", MISNAMED_ACCOUNTS_HOSTS[host], host)
    return server.replace(host, MISNAMED_ACCOUNTS_HOSTS[host]) if host in MISNAMED_ACCOUNTS_HOSTS else server


def number(low: float, high: float) -> Convert:
    def convert(value: str) -> float:
        found = float(value)
        if not low <= found <= high:
            raise ValueError
        return found

    return convert


def seconds(value: str) -> float:
    """CData's 0 means "wait for ever"; a cron job must end, so it means an hour here."""
    return number(0, 3600)(value) or 3600.0


def port(value: str) -> int:
    return int(number(1, 65535)(value))


def org_id(value: str) -> str:
    found = re.fullmatch(r"(?:Zoho(?:CRM|Bigin)\.)?([0-9]{1,20})", value, re.IGNORECASE)
    if found is None:
        raise ValueError
    return found[1]


def api_version(value: str) -> str:
    found = re.fullmatch(r"v?([0-9]{1,2})(?:\.[0-9])?", value, re.IGNORECASE)
    if found is None:
        raise ValueError
    return f"v{found[1]}"


KEY = "SOURCES__ZOHO_CRM__CREDENTIALS"
CONSENT_AGAIN = (
    "run `authorize`; if it gets no refresh token, remove the app under Connected Apps in the Zoho account, and run"
    " it again"
)
ZOHOS_OWN = (
    r"[0-9a-f]{32,}|1000\.[0-9a-zA-Z]{20,}(\.[0-9a-f]{20,})?"  # a secret or a token, as Zoho makes them
)


@dataclass(frozen=True)
class Setting:
    """One setting: its name in a connection string, its attribute and dlt key, its allowed forms."""

    name: str
    attribute: str
    convert: Convert
    forms: str
    secret: bool = False

    def read(self, value: Any) -> Any:
        """The value in its canonical form; None for one that is empty or not given."""
        if value is None:
            return None
        plain = (",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)).strip()
        if plain == "":
            return None
        try:
            return self.convert(plain)
        except (ValueError, OverflowError):
            refusal = wrong_settings([(self, plain)])
        raise refusal  # outside of the except: what float() says about a value shows it

    def fault(self, value: Any) -> str:
        """What is wrong and what is allowed; the value itself only where it can hold nothing of a secret."""
        plain = str(value).strip()
        if "\n" in plain or "\r" in plain:
            return f"{self.name} holds a line break (is a ';' missing before it?). Allowed: {self.forms}."
        shown = f" ({plain})" if self._may_be_shown(plain) else ""
        return f"{self.name} has a wrong value{shown}. Allowed: {self.forms}."

    def _may_be_shown(self, plain: str) -> bool:
        # The rest of a string that lacks a ';', a URL with a password, and Zoho's tokens (1000.…) are not.
        odd = any(sign in plain for sign in "=@?;#") or plain.startswith("1000.")
        return not (self.holds_secret or odd) and plain.isprintable() and 0 < len(plain) <= 60

    def may_go_on(self, value: str) -> bool:
        """Whether what stands behind the value may be a part of it: Zoho's own secrets hold no `;`."""
        return self.holds_secret and not re.fullmatch(ZOHOS_OWN, value)

    @property
    def holds_secret(self) -> bool:
        """Whether a secret may be in it: a proxy's URL may hold a password."""
        return self.secret or self.convert is proxy

    def masked(self, value: Any) -> str:
        """The value without a secret in it; what nobody has checked yet is not shown where it may hold one."""
        if self.secret:
            return "***"
        plain = str(value).lower() if isinstance(value, bool) else str(value)
        if "@" in plain:
            scheme, sign, _ = plain.rpartition("://") if "://" in plain else ("", "", "")
            return f"{scheme.partition('://')[0]}{sign}***@{plain.rpartition('@')[2]}"
        if self.convert is proxy:
            try:
                return proxy(plain)
            except ValueError:
                return "***"
        return plain

    @property
    def key(self) -> str:
        """The key of this setting alone."""
        return f"{KEY}__{self.attribute.upper()}"


def where(settings: Sequence[Setting]) -> str:
    """Where they were looked for."""
    keys = _listed([setting.key for setting in settings], "and")
    return (
        f"Looked in the connection string (an argument, --connection, or {KEY} in the environment, .env and"
        f" secrets.toml) and under {keys}."
    )


def _listed(words: Iterable[str], last: str = "or") -> str:
    """`A`, `A or B`, `A, B or C`."""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


INSTANCES = {"Production": (), "Sandbox": (), "Development": ("Developer",)}
REGIONS = _listed("/".join((centre.region, *centre.aliases)) for centre in DATA_CENTRES)
A_URL = "a URL such as https://host, without credentials in it"
YES_NO = "true or false"
_ALL = (
    Setting("Service", "service", choice(dict.fromkeys(SERVICES, ())), _listed(SERVICES)),
    Setting("Region", "region", region, REGIONS),
    Setting("InstanceType", "instance_type", choice(INSTANCES), _listed(INSTANCES)),
    Setting("OAuthClientId", "oauth_client_id", text, "the client's id from Zoho's API console"),
    Setting(
        "OAuthClientSecret",
        "oauth_client_secret",
        text,
        "the client's secret from Zoho's API console",
        secret=True,
    ),
    Setting(
        "OAuthRefreshToken",
        "oauth_refresh_token",
        text,
        "a refresh token, as `authorize` writes it",
        secret=True,
    ),
    Setting("OAuthAccessToken", "oauth_access_token", text, "an access token", secret=True),
    Setting(
        "InitiateOAuth",
        "initiate_oauth",
        choice({"REFRESH": (), "GETANDREFRESH": (), "OFF": ()}),
        "REFRESH, GETANDREFRESH or OFF",
    ),
    Setting("Scope", "scope", scopes, "a comma list such as ZohoCRM.modules.READ,ZohoCRM.bulk.READ"),
    Setting("UseCOQL", "use_coql", boolean, YES_NO),
    Setting("APIType", "api_type", choice({"Bulk": (), "REST": ()}), "Bulk or REST"),
    Setting(
        "ReadAPI",
        "read_api",
        choice({"Auto": (), "Bulk": (), "COQL": (), "REST": ()}),
        "Auto, Bulk, COQL or REST",
    ),
    Setting(
        "AuthScheme",
        "auth_scheme",
        choice({"OAuth": ("Auto",), "ClientCredentials": ("OAuthClient",)}),
        "OAuth or ClientCredentials",
    ),
    Setting("OrgId", "org_id", org_id, "the digits of the org's zgid"),
    Setting("AccountsServer", "accounts_server", accounts_server, A_URL),
    Setting("APIDomain", "api_domain", url, A_URL),
    Setting("OAuthSettingsLocation", "oauth_settings_location", text, "a path, or memory:// for none"),
    Setting("UseSandbox", "use_sandbox", boolean, YES_NO),
    Setting("Schema", "schema", api_version, "an API version such as v8"),
    Setting("ApiVersion", "api_version", api_version, "an API version such as v8"),
    Setting("Timeout", "timeout", seconds, "seconds, up to 3600"),
    Setting(
        "ProxyServer",
        "proxy_server",
        proxy,
        "a host name, or a URL such as http://host:port or http://user:password@host:port (in the password"
        " each of @ : / ? # % is written as %40 %3A %2F %3F %23 %25)",
    ),
    Setting("ProxyPort", "proxy_port", port, "a port number, 1 to 65535"),
    Setting("CallbackURL", "callback_url", callback, A_URL),
    Setting("OAuthVerifier", "oauth_verifier", text, "the grant code that Zoho showed", secret=True),
)
# By casefolded name: names are without regard to case.
SETTINGS: Mapping[str, Setting] = {setting.name.casefold(): setting for setting in _ALL}
BY_ATTRIBUTE: Mapping[str, Setting] = {setting.attribute: setting for setting in _ALL}


def by_attribute(value: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values by attribute, for names of a connection string or dlt's; and the names that are neither."""
    known: dict[str, Any] = {}
    unknown = []
    for name, given in value.items():
        setting = BY_ATTRIBUTE.get(name) or SETTINGS.get(str(name).casefold())
        if setting is None:
            unknown.append(str(name))
        else:
            known[setting.attribute] = given
    return known, unknown


def wrong_settings(wrong: Sequence[tuple[Setting, Any]]) -> SettingsError:
    """One error that names every setting whose value cannot be read."""
    return SettingsError(
        f"{' '.join(setting.fault(value) for setting, value in wrong)} {where([setting for setting, _ in wrong])}"
    )


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values by attribute in their canonical form; all that are wrong are refused together."""
    found: dict[str, Any] = {}
    wrong: list[tuple[Setting, Any]] = []
    for name, value in given.items():
        try:
            found[name] = BY_ATTRIBUTE[name].read(value)
        except SettingsError:
            wrong.append((BY_ATTRIBUTE[name], value))
    if wrong:
        raise wrong_settings(wrong)
    return found


def missing_settings(settings: Sequence[Setting], *, none: bool = False) -> SettingsError:
    """One error that names every setting that is missing; `none`: nothing of an account is given."""
    names = _listed([setting.name for setting in settings], "and")
    forms = "; ".join(f"{setting.name}: {setting.forms}" for setting in settings)
    verb = "are" if len(settings) > 1 else "is"
    if none:
        return SettingsError(
            "No account is set: run `python -m pipelines.zoho_crm authorize`, or fill in .env as .env.example shows."
            f" {names} {verb} missing; looked in --connection, the environment, .env and secrets.toml."
        )
    renewed = settings[-1].attribute == "oauth_refresh_token"
    hint = " To get a refresh token, " + CONSENT_AGAIN + "." if renewed else ""
    return SettingsError(f"{names} {verb} missing ({forms}). {where(settings)}{hint}")


SECTIONS = ("sources", "zoho_crm")


def unknown_keys() -> list[str]:
    """Of the environment and of dlt's files: dlt looks up the keys it knows, and a misspelt one goes unseen."""
    names = {name[len(KEY) + 2 :].lower() for name in os.environ if name.upper().startswith(f"{KEY}__")}
    return sorted(name for name in {*names, *_configured()} if name not in BY_ATTRIBUTE)


def _configured() -> list[str]:
    """The settings that stand one by one in dlt's files, known ones or not."""
    providers = Container()[PluggableRunContext].providers.providers
    found: list[Any] = [one.get_value("credentials", dict, None, *SECTIONS)[0] for one in providers]
    return [str(name) for section in found if isinstance(section, Mapping) for name in section]


def unknown_name(name: str, before: Setting | None = None) -> str:
    """Words for a name that is no setting's.

    It may be the rest of a secret that holds a `;`, most likely of one that stands unquoted `before` it.
    """
    near = suggest(name, [setting.name for setting in BY_ATTRIBUTE.values()], 0.8 if before else 0.6)
    if not re.fullmatch(r"[A-Za-z][A-Za-z _]{0,39}", name):
        return "one that is no word"
    if near:
        return f"{name} (did you mean {near}?)"
    return f"one behind {before.name} (a value that holds ';' goes in quotes)" if before else name


def warn_unknown(words: Iterable[str]) -> None:
    """One warning of all names that are no settings'; a second one that says the same is none."""
    if told := ", ".join(dict.fromkeys(words)):
        _warn_once(told)


@lru_cache
def _warn_once(told: str) -> None:
    logger.warning("Unknown setting, ignored: %s", told)


Api = Literal["auto", "bulk", "coql", "records"]
DEFAULT_TIMEOUT = 60.0


@configspec
class ZohoCredentials(CredentialsConfiguration):
    """Every field is text and None by default, so that each missing or wrong one gets our own sentence.

    A default would also hide an explicit `Region=US` from dlt, which takes what equals a default for
    not given and asks the environment. `on_resolved` writes the checked values and the defaults.
    """

    service: str | None = None
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
    def zoho(self) -> Service:
        """The service that `Service` names."""
        return SERVICES[self.service or CRM.name]

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
        return tuple(self.scope.split(",")) if self.scope else self.zoho.scopes

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

    def for_service(self, name: str | None) -> ZohoCredentials:
        """These settings for another service, if one is named."""
        service = BY_ATTRIBUTE["service"].read(name) or self.service
        if service == self.service:
            return self
        other = self.copy()
        other.service, other.api_version, other.schema = service, None, None
        other._settle_rest()
        return other

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
        self.service = self.zoho.name
        wanted, version = self.api_version or self.schema, self.zoho.version
        if wanted not in (None, version):
            logger.warning("ApiVersion %s is not supported: %s is used", wanted, version)
        self.api_version = self.schema = version
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
            raise missing_settings(missing, none=not self._given - {"region"})

    def _pairs(self, show: bool) -> list[tuple[str, str]]:
        pairs = []
        for setting in BY_ATTRIBUTE.values():
            value = getattr(self, setting.attribute, None)
            if value is not None and value != "":
                plain = str(value).lower() if isinstance(value, bool) else str(value)
                pairs.append((setting.name, plain if show else setting.masked(value)))
        return pairs


def resolve_credentials(
    value: str | Mapping[str, Any] | None = None,
    *,
    service: str | None = None,
    for_consent: bool = False,
    quiet: bool = False,
) -> ZohoCredentials:
    """The checked settings from `value`, filled up from dlt's environment, secrets and config.

    `service` wins over their `Service`: one client and one refresh token may serve several.

    Raises SettingsError and nothing else, with no secret in it. `for_consent` misses nothing: the
    client may still be asked for, and the tokens are still to be got. `quiet` warns of nothing.
    A mapping may use the names of a connection string or dlt's snake_case.
    """
    if isinstance(value, ZohoCredentials) and value.is_resolved():
        return value.for_service(service)
    credentials = ZohoCredentials()
    credentials.for_consent, credentials.quiet = for_consent, quiet  # type: ignore[misc]
    if isinstance(value, Mapping):
        value, unknown = by_attribute(value)
        credentials._unknown = [*map(unknown_name, unknown)]
    try:
        found = resolve_configuration(credentials, sections=SECTIONS, explicit_value=value or None)
    except ConfigurationException as error:
        raise SettingsError(_sentence(error)) from None
    return found.for_service(service)


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

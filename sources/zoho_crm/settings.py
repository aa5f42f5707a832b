"""The table of all settings: what each is called, what it may hold, and how a wrong value is refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .converters import (
    Convert,
    accounts_server,
    api_version,
    boolean,
    callback,
    choice,
    org_id,
    port,
    proxy,
    region,
    scopes,
    seconds,
    text,
    url,
)
from .data_centres import DATA_CENTRES
from .errors import SettingsError

logger = logging.getLogger("zoho_crm")

KEY = "SOURCES__ZOHO_CRM__CREDENTIALS"

CONSENT_AGAIN = (
    "run `authorize`, which consents with access_type=offline and prompt=consent; if it gets no refresh token,"
    " remove the app under Connected Apps in the Zoho account first"
)

# What a sync reads; asked for when `Scope` is not given.
DEFAULT_SCOPES = (
    "ZohoCRM.modules.READ",
    "ZohoCRM.settings.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.bulk.READ",
    "ZohoCRM.coql.READ",
    "ZohoSearch.securesearch.READ",  # the count of a module's records asks for it
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
        shown = f" Given: {plain}." if self._may_be_shown(plain) else ""
        return f"{self.name} has a wrong value. Allowed: {self.forms}.{shown}"

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
    Setting("Region", "region", region, REGIONS),
    Setting("InstanceType", "instance_type", choice(INSTANCES), _listed(INSTANCES)),
    Setting("OAuthClientId", "oauth_client_id", text, "the client's id from Zoho's API console"),
    Setting(
        "OAuthClientSecret", "oauth_client_secret", text, "the client's secret, in one line", secret=True
    ),
    Setting("OAuthRefreshToken", "oauth_refresh_token", text, "a refresh token, in one line", secret=True),
    Setting("OAuthAccessToken", "oauth_access_token", text, "an access token, in one line", secret=True),
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
            "No account is set: run `python -m pipelines.zoho_crm authorize`."
            f" {names} {verb} missing ({forms}). {where(settings)}"
        )
    renewed = settings[-1].attribute == "oauth_refresh_token"
    hint = " To get a refresh token, " + CONSENT_AGAIN + "." if renewed else ""
    return SettingsError(f"{names} {verb} missing ({forms}). {where(settings)}{hint}")

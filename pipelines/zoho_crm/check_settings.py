"""Checks of what lies on this machine: the settings, where each was found, and who may read the files of secrets."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .check_finding import COMMAND, Finding, failed, listed, ok, unknown, warning
from .failures import USAGE
from .options import SECTION, Options

if TYPE_CHECKING:
    from sources.zoho_crm.credentials import ZohoCredentials

    from .check_state import State

SECTIONS = (("sources", "zoho_crm"), ("sources",), ())  # as dlt looks: from the narrowest to none
OTHERS = stat.S_IRWXG | stat.S_IRWXO
ENVIRONMENT = "Environment Variables"  # dlt's name for it


def check_settings(state: State) -> Finding:
    """Raises SettingsError for what is missing or wrong."""
    from sources.zoho_crm.client import connect
    from sources.zoho_crm.errors import SettingsError
    from sources.zoho_crm.pacing import Pace

    try:
        credentials = state.open_account()
    except SettingsError as error:
        state.credentials = _enough_to_knock(state.options)
        remedy = f"put it into .env (.env.example shows how), or run `{COMMAND} authorize`"
        return failed("settings", str(error), remedy, USAGE)
    state.credentials = credentials
    state.client = connect(credentials, Pace(attempts=2, backoff=0.5))  # a person waits
    given = "; ".join(_places(credentials, state.options))
    values = f"Region={credentials.region}, InstanceType={credentials.instance_type}, API {credentials.api}"
    return ok("settings", f"{values}; {given}" if given else values)


def _enough_to_knock(options: Options) -> ZohoCredentials | None:
    """The client and the region, if only the tokens are missing."""
    from sources.zoho_crm.credentials import resolve_credentials
    from sources.zoho_crm.errors import SettingsError

    try:
        found = resolve_credentials(options.connection, for_consent=True)
    except SettingsError:
        return None
    return found if found.oauth_client_id and found.oauth_client_secret else None


def _places(credentials: ZohoCredentials, options: Options) -> Iterator[str]:
    """`OAuthClientId, OAuthRefreshToken from .env`: names by their place, never a secret's value."""
    from sources.zoho_crm.settings import BY_ATTRIBUTE

    if options.demo:
        yield "all from the demo"
        return
    found: dict[str, list[str]] = {}
    native, there = _native(options)
    for attribute, setting in BY_ATTRIBUTE.items():
        place = there if setting.name.casefold() in native else _looked_up(attribute, options)
        if place is not None and getattr(credentials, attribute) is not None:
            found.setdefault(place, []).append(setting.name)
    for place, names in found.items():
        yield f"{listed(names, verbose=True)} from {place}"


def _native(options: Options) -> tuple[frozenset[str], str]:
    """The names in the connection string, and where that is."""
    from sources.zoho_crm.connection_string import split_settings

    text, place = options.connection, "--connection"
    if text is None:
        key, text = _value("credentials", ())
        place = key and _spelt(key, options) or ""
    pairs = split_settings(text) if text else []
    return frozenset(name.casefold() for name, _ in pairs), place


def _looked_up(attribute: str, options: Options) -> str | None:
    key, _ = _value(attribute, ("credentials",))
    return _spelt(key, options) if key else None


def _value(name: str, last: tuple[str, ...]) -> tuple[tuple[str, str] | None, str | None]:
    """((place, key), value) of what dlt finds first."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        for sections in SECTIONS:
            value, key = provider.get_value(name, str, None, *sections, *last)
            if isinstance(value, (str, int, float, list)):
                return (provider.name, key), value if isinstance(value, str) else None
    return None, None


def _spelt(found: tuple[str, str], options: Options) -> str:
    place, key = found
    if place != ENVIRONMENT:
        return place
    return env_file(options).name if _of_env_file(options).get(key) == os.environ.get(key) else key


def _of_env_file(options: Options) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    path = env_file(options)
    if options.demo or not path.is_file():
        return {}
    return dotenv_values(path, interpolate=False, encoding="utf-8-sig")


def env_file(options: Options) -> Path:
    import dlt

    named = options.env_file
    if named == Options.env_file:
        named = dlt.config.get(f"{SECTION}.env_file") or named
    return Path(named)


def check_permissions(state: State) -> Finding:
    """Files that hold secrets must not be readable by others."""
    name = "permissions"
    if os.name != "posix":
        return unknown(name, "who may read a file is not looked at on this system")
    files = [path for path in _secret_files(state) if path.is_file()]
    open_ones = [path for path in files if path.stat().st_mode & OTHERS]
    if open_ones:
        shown = ", ".join(f"{path} (mode {stat.S_IMODE(path.stat().st_mode):04o})" for path in open_ones)
        return warning(
            name, f"others on this machine may read {shown}", f"chmod 600 {' '.join(map(str, open_ones))}"
        )
    if not files:
        return ok(name, "no file of secrets is here")
    return ok(name, f"only you may read {', '.join(map(str, files))}")


def _secret_files(state: State) -> Iterator[Path]:
    """`.env`, dlt's secrets.toml, and the cache of tokens."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    if not state.options.demo:
        yield env_file(state.options)
        for provider in Container()[PluggableRunContext].providers.providers:
            if provider.supports_secrets and provider.name != ENVIRONMENT:
                yield from (Path(place) for place in getattr(provider, "present_locations", ()))
    if state.credentials is not None:
        from sources.zoho_crm.token_cache import TokenCache

        yield from TokenCache(state.credentials.oauth_settings_location).files()

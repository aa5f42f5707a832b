"""`authorize`: one consent for several of Zoho's services, or one for an API of another provider."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from pipelines.zoho_crm.authorize.command import ConsentRequest, await_consent
from pipelines.zoho_crm.authorize.command import get_tokens as get_tokens_of_zoho
from pipelines.zoho_crm.authorize.env_file import EnvFile
from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.options import Options
from sources.zoho_api import Connector, load_connector
from sources.zoho_api.authentication import authorization_address, exchange_code
from sources.zoho_api.connector import environment_name, setting_key
from sources.zoho_api.service import oauth_setting
from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.oauth_client import new_state, read_answer
from sources.zoho_crm.exceptions import SettingsError, ZohoCrmError
from sources.zoho_crm.service import BIGIN, CRM

# Among the connectors: services that another program reads, with the same consent.
OTHERS = {"crm": CRM, "bigin": BIGIN}


def get_tokens(options: Options, console: Console) -> int:
    """Ask for all scopes at once, and write the tokens into the settings file. Returns the exit code."""
    connectors = [load_connector(name) for name in options.connectors if name not in OTHERS]
    foreign = [one for one in connectors if one.authentication.type != "zoho"]
    if foreign and len(options.connectors) > 1:
        raise SettingsError(f"{foreign[0].name} has a consent of its own: authorize it alone.")
    if foreign:
        return _authorize_foreign(options, console, foreign[0])
    scopes = [scope for name in options.connectors if name in OTHERS for scope in OTHERS[name].scopes]
    scopes += [scope for one in connectors for scope in one.authentication.scopes]
    # The new token takes the place of the one at hand, so it has to be good for the same services.
    scopes = list(dict.fromkeys([*scopes, *sorted(_granted(options))]))
    return get_tokens_of_zoho(options, console, scopes, _check)


def _granted(options: Options) -> frozenset[str]:
    """The scopes of the token at hand; none if there is no token that works."""
    try:
        return ZohoAuthenticator(resolve_credentials(options.connection, quiet=True)).scope or frozenset()
    except ZohoCrmError:
        return frozenset()


def _check(options: Options, console: Console) -> int:
    from .check import print_checks
    from .cli import Account

    named = tuple(name for name in options.connectors if name not in OTHERS)
    return print_checks(Account(replace(options, connectors=named), None, {}), console)


def _authorize_foreign(options: Options, console: Console, connector: Connector) -> int:
    declared = connector.authentication
    if declared.type == "none":
        raise SettingsError(f"{connector.title} needs no consent.")
    file = EnvFile(Path(options.env_file))
    file.check_writable()
    client_id = options.client_id or oauth_setting(connector, "client_id") or click.prompt("Client ID")
    secret = options.client_secret or oauth_setting(connector, "client_secret")
    if secret is None:
        secret = click.prompt("Client secret (may be empty)", hide_input=True, default="", show_default=False)
    redirect = declared.redirect_url or "http://127.0.0.1:8000/callback"
    code = options.code and _code_in(options.code)
    if not code:
        state = new_state()
        url = authorization_address(declared, client_id, redirect, state)
        request = ConsentRequest(url, state, redirect, declared.scopes)
        code = await_consent(options, console, request, "Open this address and give your consent:").code
    form = {"code": code, "redirect_uri": redirect, "client_id": client_id, "client_secret": secret}
    refresh_token = exchange_code(declared, form)
    found = {"client_id": client_id, "client_secret": secret, "refresh_token": refresh_token}
    values = {
        environment_name(setting_key(connector.name, name)): text for name, text in found.items() if text
    }
    file.write_values(values)
    os.environ.update(values)
    console.last(
        f"{connector.title} gave a refresh token. Written to {options.env_file}, for its owner only."
    )
    return 0


def _code_in(text: str) -> str:
    """The code in the address that the consent led to, or the text itself: providers spell codes as they like."""
    return read_answer(text, None).code if "code=" in text or "error=" in text else text.strip()

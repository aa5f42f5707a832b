"""`authorize`: one consent for several of Zoho's services, or one for an API of another provider."""

from __future__ import annotations

import os
import secrets
import webbrowser
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
import dotenv

from pipelines.zoho_crm.authorize import callback_server, prompts
from pipelines.zoho_crm.authorize.command import get_tokens as get_tokens_of_zoho
from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.options import Options
from sources.zoho_api import Connector, load_connector
from sources.zoho_api.authentication import authorization_address, exchange_code
from sources.zoho_api.connector import environment_name, setting_key
from sources.zoho_api.service import oauth_setting
from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.oauth_client import read_answer
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
    client_id = options.client_id or oauth_setting(connector, "client_id") or click.prompt("Client ID")
    secret = options.client_secret or oauth_setting(connector, "client_secret")
    if secret is None:
        secret = click.prompt("Client secret (may be empty)", hide_input=True, default="", show_default=False)
    redirect = declared.redirect_url or "http://127.0.0.1:8000/callback"
    code = options.code and _code_in(options.code)
    if not code:
        code = _consent(
            options, console, authorization_address(declared, client_id, redirect, "{state}"), redirect
        )
    form = {"code": code, "redirect_uri": redirect, "client_id": client_id, "client_secret": secret}
    refresh_token = exchange_code(declared, form)
    found = {"client_id": client_id, "client_secret": secret, "refresh_token": refresh_token}
    values = {
        environment_name(setting_key(connector.name, name)): text for name, text in found.items() if text
    }
    path = Path(options.env_file)
    path.touch(mode=0o600)
    path.chmod(0o600)
    for name, value in values.items():
        dotenv.set_key(path, name, value, quote_mode="auto")
    os.environ.update(values)
    console.last(
        f"{connector.title} gave a refresh token. Written to {options.env_file}, for its owner only."
    )
    return 0


def _code_in(text: str) -> str:
    """The code in the address that the consent led to, or the text itself: providers spell codes as they like."""
    return read_answer(text, None).code if "code=" in text or "error=" in text else text.strip()


def _consent(options: Options, console: Console, address: str, redirect: str) -> str:
    state = secrets.token_urlsafe(24)
    url = address.replace("%7Bstate%7D", state)
    answers: callback_server.Answers = callback_server.Answers()
    with callback_server.listening(redirect, state, answers):
        console.last("Open this address and give your consent:", whole=True)
        console.last(f"  {url}", whole=True)
        stream, person = prompts.input_stream(), prompts.is_terminal()
        if stream is None:
            answers.put(None)
        else:
            callback_server.read_lines(stream, answers)
        if person and not options.no_browser:
            with suppress(webbrowser.Error, OSError):
                webbrowser.open(url)
        grant = callback_server.wait_for(answers, state, options.wait.total_seconds(), asking=person)
    return grant.code

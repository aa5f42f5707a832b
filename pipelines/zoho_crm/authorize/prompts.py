"""What `authorize` asks a person for, and how it explains where that comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from sources.zoho_crm.auth.credentials import KEY, ZohoCredentials
from sources.zoho_crm.auth.data_centers import DATA_CENTRES, data_centre
from sources.zoho_crm.auth.oauth_client import callback_of
from sources.zoho_crm.exceptions import SettingsError

from ..console import Console

FLAGS = {"OAuthClientId": "--client-id", "OAuthClientSecret": "--client-secret"}


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def input_stream() -> int | None:
    """The number of standard input; None without one."""
    try:
        return sys.stdin.fileno() if sys.stdin is not None else None
    except (OSError, ValueError):
        return None


def ask_region() -> str:
    """The region, asked until it is one."""
    names = ", ".join(centre.region for centre in DATA_CENTRES)

    def checked(text: str) -> str:
        centre = data_centre(text)
        if centre is None:
            raise click.BadParameter(f"it is none of {names}.")
        return centre.region

    return str(_prompt(f"Region of the account ({names})", default="US", value_proc=checked))


def ask_client(credentials: ZohoCredentials, self_client: bool) -> dict[str, str]:
    """The client's id and secret, as far as they are missing. Raises SettingsError if nobody can be asked."""
    given = {
        "OAuthClientId": credentials.oauth_client_id,
        "OAuthClientSecret": credentials.oauth_client_secret,
    }
    missing = [name for name, value in given.items() if not value]
    if not missing:
        return {}
    if not is_terminal():
        raise SettingsError(_nobody_to_ask(missing, credentials))
    for line in how_to_register(credentials, self_client):
        click.echo(line, err=True)
    asked = {}
    for name in missing:
        words = {"OAuthClientId": "Client ID", "OAuthClientSecret": "Client Secret (not shown)"}
        asked[name] = str(_prompt(words[name], hide_input=name == "OAuthClientSecret")).strip()
    return asked


def ask_code() -> str:
    return str(_prompt("Code (not shown)", hide_input=True)).strip()


def how_to_register(credentials: ZohoCredentials, self_client: bool) -> tuple[str, str, str]:
    """How a client is registered, in three lines."""
    console = credentials.data_centre.console
    if self_client:
        return (
            f"1. Open {console} as an administrator, choose ADD CLIENT, then Self Client, then CREATE.",
            "2. A Self Client has no redirect URI; its code is made there, too, in the next step.",
            "3. Copy the Client ID and the Client Secret from its tab Client Secret.",
        )
    return (
        (
            f"1. Open {console} as an administrator, choose ADD CLIENT, then Server-based Applications"
            " (or Self Client: then start again with --self-client)."
        ),
        (
            "2. Give it any name and homepage (https://example.com), and as Authorized Redirect URI exactly"
            f" {callback_of(credentials)}"
        ),
        "3. Choose CREATE, and copy the Client ID and the Client Secret that it shows.",
    )


def how_to_make_a_code(credentials: ZohoCredentials, scopes: Iterable[str]) -> tuple[str, str, str]:
    """How a Self Client's code is made, in three lines."""
    return (
        f"1. Open {credentials.data_centre.console}, choose the Self Client and its tab Generate Code.",
        (
            f"2. Scope: {','.join(scopes)}\n   Time Duration: 10 minutes. Scope Description: any. Choose CREATE, then"
            " the CRM's organisation."
        ),
        "3. Copy the code here at once: it works once, and dies after the minutes chosen.",
    )


def _nobody_to_ask(missing: Iterable[str], credentials: ZohoCredentials) -> str:
    names = list(missing)
    flags = " and ".join(FLAGS[name] for name in names)
    return (
        f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} missing, and standard input is not a terminal, so"
        f" nobody can be asked: give {flags}, or set them in {KEY}. They come from"
        f" {credentials.data_centre.console} (docs/setup.md)."
    )


def _prompt(text: str, **options: Any) -> Any:
    return click.prompt(text, err=True, **options)


def tell(
    console: Console, lines: Iterable[str], event: str, facts: Mapping[str, Any], *, matters: bool = False
) -> None:
    """Lines for a person, an event for a program; without what `matters` nobody could answer, so it is never quiet."""
    say = console.last if matters else console.text
    for line in lines:
        for part in line.split("\n"):
            say(part)
    console.event(event, facts, matters=matters)

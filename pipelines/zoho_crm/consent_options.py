"""The options of `authorize`: the client, and how its consent is to be had."""

from __future__ import annotations

import click

from .names import Word
from .options import connecting, option
from .sync_options import Span


def consenting() -> list[click.Parameter]:
    """What `authorize` would ask for, and the ways to answer without a browser on this machine."""
    return [
        option(
            "--region", type=Word("NAME"), help="Where the account lives: US, EU, IN, AU, JP, CN, CA, ..."
        ),
        option("--client-id", type=Word("ID"), help="Client ID from Zoho's API console."),
        option(
            "--client-secret",
            type=Word("SECRET"),
            help="Client Secret from there; others on this machine can see it here, so better let it be asked for.",
        ),
        option("--code", type=Word("CODE|URL"), help="The code of a consent, or the address that it led to."),
        option(
            "--self-client", is_flag=True, help="The client is a Self Client: the console makes the code."
        ),
        option("--no-browser", is_flag=True, help="Print the consent's address, and open no browser."),
        option(
            "--wait", type=Span(), default="5m", show_default=True, help="How long to wait for the consent."
        ),
    ]


def authorizing() -> list[click.Parameter]:
    """A simulated account needs no consent, so there is no --demo."""
    return [*consenting(), *(param for param in connecting() if param.name != "demo")]

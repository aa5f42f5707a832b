"""The options that say who hears of the end of a run."""

from __future__ import annotations

import click

from .names import Word
from .options import SECTION, Options, option

WEBHOOK = f"{SECTION}.notify_webhook"


def telling() -> list[click.Parameter]:
    """The options of the commands that may run without anybody looking on."""
    return [
        option(
            "--notify",
            type=click.Choice(["always", "failure", "never"]),
            help="When to call the webhook of `notify_webhook`. [default: failure, where there is one]",
        ),
        option(
            "--metrics-file",
            type=Word("PATH"),
            help="File to write the metrics of the run to, for Prometheus.",
        ),
    ]


def webhook_of(options: Options) -> str | None:
    """The URL to call, if there is one and it may be called. Raises SettingsError, without the URL.

    A demo calls it only if it is told to.
    """
    from urllib.parse import urlsplit

    import dlt

    from sources.zoho_crm.errors import SettingsError
    from sources.zoho_crm.redaction import remember_secrets

    if options.notify == "never" or (options.demo and options.notify is None):
        return None
    url = str(dlt.secrets.get(WEBHOOK) or "").strip()
    where = "SOURCES__ZOHO_CRM__NOTIFY_WEBHOOK in the environment or .env, `notify_webhook` in secrets.toml"
    if not url:
        if options.notify is not None:
            raise SettingsError(f"--notify {options.notify} needs the webhook's URL ({where}).")
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not set(url) & set(" \n\r\t")
    except ValueError:
        good = False
    remember_secrets([url])
    if not good:
        raise SettingsError(f"notify_webhook is no URL that begins with https:// ({where}).")
    return url

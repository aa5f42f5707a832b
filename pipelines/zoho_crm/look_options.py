"""The options of the commands that only look at the destination."""

from __future__ import annotations

import click

from .names import Word
from .options import connecting, keeping_up, option
from .sync_options import Span

RHYTHM = ("computed_refresh", "verify_every", "settings_refresh")  # decide what is due next


def seeing() -> list[click.Parameter]:
    """Those of a run that say where it went and what is due; none about the account itself."""
    rhythm = [p for p in keeping_up() if p.name in RHYTHM]
    stale = option(
        "--stale-after",
        type=Span(),
        default="24h",
        show_default=True,
        help="Call a table stale whose last good run is older.",
    )
    return [stale, *rhythm, *(p for p in connecting() if p.name != "connection")]


def judging_age() -> list[click.Parameter]:
    """The options of `status` alone."""
    return [
        option(
            "--max-age",
            type=Span(),
            help="Exit with 1 if a table's last good run is older, or the last run failed.",
        )
    ]


def writing() -> list[click.Parameter]:
    """The option of `report` alone."""
    return [
        option(
            "--output",
            type=Word("PATH"),
            default="zoho_report.html",
            show_default=True,
            help="The HTML file to write.",
        )
    ]

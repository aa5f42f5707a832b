"""The options that say in which form a command speaks, and how much."""

from __future__ import annotations

from collections.abc import Callable

import click


def speaking(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """Of every command."""
    return [
        option(
            "--log-format",
            "--format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="json: each line of the output is one JSON object.",
        ),
        option("-v", "--verbose", is_flag=True, help="Name every field and module, however many."),
        option("-q", "--quiet", is_flag=True, help="Say nothing but errors and the last line."),
    ]

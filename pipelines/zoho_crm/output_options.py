"""How much a command says and in which form, beside the options that every command has."""

from __future__ import annotations

import click

from .options import option


def documenting() -> list[click.Parameter]:
    """The option of the commands whose answer is one document."""
    return [option("--json", is_flag=True, help="Print one JSON document instead of lines.")]

"""The command `completion`: click's own shell completion of the installed command `zoho-crm`."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class

from .examples import CommandWithExamples
from .version import SCRIPT

VARIABLE = "_ZOHO_CRM_COMPLETE"  # click answers completions instead of running when it is set
SHELLS = ("bash", "zsh", "fish")


def completion() -> click.Command:
    """The command that prints the script of a shell."""

    def callback(shell: str) -> None:
        kind = get_completion_class(shell)
        assert kind is not None
        program = click.get_current_context().find_root().command
        sys.stdout.write(kind(program, {}, SCRIPT, VARIABLE).source())

    return CommandWithExamples(
        "completion",
        params=[click.Argument(["shell"], type=click.Choice(SHELLS))],
        callback=callback,
        help=f"Print the shell completion of {SCRIPT} for bash, zsh or fish.",
    )

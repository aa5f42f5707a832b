"""The command line itself: which command is meant, with which options, and how every error ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from . import commands
from .completion import VARIABLE, completion
from .consent_options import authorizing
from .console import Console
from .dlt_runtime import start_dlt
from .examples import Exemplified, leading_lines
from .failures import (
    FAILED,
    INTERRUPTED,
    RESUMED,
    STOPPED,
    complain,
    explain,
    keep_traceback,
    one_line,
    without_secrets,
)
from .look_options import judging_age, seeing, writing
from .misspelt import warn_of_unknown_keys
from .options import (
    ConfigOption,
    Options,
    choosing,
    connecting,
    load_env_file,
    loads,
    option,
    paying,
    repairing,
    settle,
    syncing,
)
from .output_options import documenting
from .streams import Unwritable, flushed, open_streams, printing, swallow
from .sync_options import keeping
from .telling import telling
from .usage import asks_for_json, usage

MORE = """\
`authorize` gets the account's tokens once and writes them into .env. The account is a connection string in
SOURCES__ZOHO_CRM__CREDENTIALS (environment or .env) or --connection:
  OAuthClientId=...;OAuthClientSecret=...;OAuthRefreshToken=...;Region=US;
Each option is also a key of dlt's configuration: --modules is SOURCES__ZOHO_CRM__MODULES in the environment
and `modules` below [sources.zoho_crm] in .dlt/config.toml. The command line wins.

Exit codes: 0 all is synced, 1 something failed, 2 wrong usage or configuration, 3 Zoho refused the
credentials or the scopes, 4 `verify` found a difference, 5 another run is in progress or the
database is open elsewhere, 6 stopped at the credit limit, 130 interrupted.

README.md and docs/ have the rest: docs/setup.md the clicks at Zoho, docs/troubleshooting.md what each sentence means."""


class Commands(click.Group):
    """`run` may be left out; whatever goes wrong ends in one sentence on standard error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        completing_the_command = ctx.resilient_parsing and not args
        if not completing_the_command and (not args or (args[0].startswith("-") and args[0] != "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """A command, or an option of `run`, whose name may be left out."""
        run = self.commands["run"]
        with run.make_context("run", [], parent=ctx, resilient_parsing=True) as left_out:
            options = run.shell_complete(left_out, incomplete)
        known = {item.value for item in options}
        return [item for item in super().shell_complete(ctx, incomplete) if item.value not in known] + options

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[COMMAND] [OPTIONS]")
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        super().format_commands(ctx, formatter)
        with formatter.section("Options of run; the other commands have them where they make sense"):
            run = self.commands["run"]
            formatter.write_dl([r for p in run.get_params(ctx) if (r := p.get_help_record(ctx)) is not None])
        formatter.write_paragraph()
        formatter.write(leading_lines() + "\n" + MORE + "\n")

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Always exits; click's own way prints usage errors in three lines."""
        open_streams()
        words = sys.argv[1:] if args is None else args
        extra.update(standalone_mode=False, complete_var=VARIABLE)
        try:
            with printing():  # click writes the help
                code = super().main(args, prog_name, **extra) or 0
                flushed()
        except click.Abort:  # Ctrl-C while the options are read
            code = _end(STOPPED, INTERRUPTED, as_json=asks_for_json(words))
        except click.ClickException as error:
            code = _end(usage(error, words, self.commands), error.exit_code, as_json=asks_for_json(words))
        except Unwritable as error:
            complain(str(error))
            code = FAILED
        except BrokenPipeError:  # whoever read has enough
            code = FAILED
        swallow()
        sys.exit(code)


def answer(command: Callable[[Options, Console], int]) -> int:
    """Settle the options, run the command, and end every error in one sentence."""
    ctx = click.get_current_context()
    options: Options | None = None
    logging.raiseExceptions = False  # a full disk, say, is told once and not by each line of a log
    try:
        configured = start_dlt()
        if not ctx.params.get("demo"):
            load_env_file(ctx, configured)
            warn_of_unknown_keys(keys())
        options = settle(ctx, configured)
        hide_secrets(options)
        console = Console(options.log_format, quiet=options.quiet)
        return command(options, console)
    except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        sentence = RESUMED if loads(command.__name__, options) else STOPPED
        return _end(sentence, INTERRUPTED, as_json=_reads_json(ctx, options))
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback belongs into a file
        from .account import secrets_of

        known = explain(error, loads=loads(command.__name__, options))
        sentence, code = known or (_unexpected(error, options), FAILED)
        told = without_secrets(sentence, secrets_of(options)) if known else sentence
        return _end(told, code, as_json=_reads_json(ctx, options))


def hide_secrets(options: Options) -> None:
    """Cut what is configured as a secret out of all that is printed and kept from now on."""
    from sources.zoho_crm.redaction import remember_secrets

    from .account import secrets_of

    remember_secrets(secrets_of(options))


def keys() -> set[str]:
    """The keys of all commands' options in dlt's configuration."""
    params = (param for command in cli.commands.values() for param in command.params)
    return {param.key for param in params if isinstance(param, ConfigOption)}


def _end(sentence: str, code: int, *, as_json: bool) -> int:
    """The sentence for a person, and for a program, which reads the other stream."""
    complain(sentence)
    if as_json:
        with suppress(Unwritable):  # which may be what was just complained about
            Console("json").event("error", {"error": one_line(sentence), "exit_code": code})
    return code


def _reads_json(ctx: click.Context, options: Options | None) -> bool:
    return (options.log_format if options else ctx.params.get("log_format")) == "json"


def _unexpected(error: Exception, options: Options | None) -> str:
    from .account import pipelines_dir, secrets_of

    folder = pipelines_dir(options) if options else None
    private = options is None or bool(options.privacy or options.fields or options.filters)
    path = keep_traceback(error, folder, secrets_of(options), wordless=private)
    told = f"its traceback is in {path}" if path else "its traceback could not be written"
    return f"Unexpected {type(error).__name__}: {told}."


def _command(function: Callable[[Options, Console], int], params: list[click.Parameter]) -> click.Command:
    def callback(**_: Any) -> int:
        return answer(function)

    return Exemplified(function.__name__, params=params, callback=callback, help=function.__doc__)


cli = Commands(
    help="Copies a whole Zoho CRM into DuckDB or any other destination of dlt's.",
    commands=[
        _command(commands.run, [*choosing(), *syncing(), *paying(), *telling(), *connecting()]),
        _command(commands.plan, [*choosing(), *syncing(), *connecting()]),
        _command(commands.modules, [*choosing(), *keeping(option), *connecting()]),
        _command(commands.authorize, [*authorizing(), *choosing()]),
        _command(commands.check, [*choosing(), *documenting(), *connecting()]),
        _command(commands.verify, [*choosing(), *repairing(), *paying(), *telling(), *connecting()]),
        completion(),
        _command(commands.status, [*judging_age(), *seeing()]),
        _command(commands.report, [*writing(), *seeing()]),
    ],
)

"""The command line itself: the commands, their options, and how every error ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import CompletionItem

from .completion import VARIABLE, completion
from .console import Console
from .errors import (
    FAILED,
    INTERRUPTED,
    RESUMED,
    STOPPED,
    describe_error,
    keep_traceback,
    one_line,
    print_error,
    without_secrets,
)
from .examples import CommandWithExamples, leading_lines
from .options import (
    ConfigOption,
    Options,
    accounts_options,
    authorize_options,
    connection_options,
    credit_options,
    describe_options,
    export_options,
    files_options,
    given_options,
    json_options,
    load_env_file,
    loads,
    max_age_options,
    model_options,
    module_options,
    notification_options,
    open_options,
    option,
    policy_of,
    repair_options,
    report_options,
    resolve_options,
    retention_options,
    seat_options,
    status_options,
    sync_options,
    view_options,
)
from .run.dlt_runtime import start_dlt
from .streams import OutputError, flushed, open_streams, printing, swallow
from .unknown_keys import warn_of_unknown_keys
from .usage import asks_for_json, usage
from .version import SCRIPT, VERSION

if TYPE_CHECKING:
    import dlt

    from sources.zoho_crm.auth.credentials import ZohoCredentials
    from sources.zoho_crm.client.client import ZohoClient
    from sources.zoho_crm.config import ModuleSelection
    from sources.zoho_crm.discovery.catalog import Catalog

    from .run.progress import Progress


@dataclass
class CommandContext:
    """What a command has at hand when all is opened."""

    console: Console
    options: Options
    credentials: ZohoCredentials
    client: ZohoClient
    pipeline: dlt.Pipeline
    choice: ModuleSelection
    progress: Progress

    def look(self) -> Catalog:
        from .run.runner import look

        return look(self.pipeline, self.client, self.choice, self.credentials.api)


def run(options: Options, console: Console) -> int:
    """Copy the account into the destination (the default)."""
    from .demo import pipelines_dir, simulated
    from .monitoring.notifications import notify_on_exit
    from .output.failure_report import print_failures
    from .output.run_report import print_report
    from .run.runner import sync
    from .views.command import refresh_views

    with (
        notify_on_exit(options, "run") as ending,
        open_command(options, console, "run") as work,
        closing(work.progress),
    ):
        result = sync(work.pipeline, work.client, work.choice, work.credentials.api, work.progress)
        work.progress.close()
        ending.run, ending.code = result, result.exit_code
        refresh_views(console, options, work.pipeline, work.progress.wait)
        remark = simulated(options) if options.demo else ""
        print_report(console, result, remark=remark)
        print_failures(result, pipelines_dir(options), options.pipeline_name)
        if options.demo and not result.exit_code:
            _print_sql(work)
    return result.exit_code


def plan(options: Options, console: Console) -> int:
    """Show what a run would read, and its cost."""
    from .files.command import files_to_copy
    from .output.failure_report import code_of
    from .output.plan_report import print_plan

    with open_command(options, console, "plan", loads=False) as work:
        found = work.look()
        print_plan(console, found, work.client, files_to_copy(work.pipeline, options, found.until))
    return code_of(found)


def modules(options: Options, console: Console) -> int:
    """List the account's modules, or the fields of --modules."""
    from .output.failure_report import code_of
    from .output.plan_report import print_fields, print_modules

    with open_command(options, console, "modules", loads=False) as work:
        found = work.look()
        if options.modules:
            print_fields(console, found)
        else:
            print_modules(console, found)
    return code_of(found)


def authorize(options: Options, console: Console) -> int:
    """Get the tokens once, write them into .env, check them."""
    from .authorize.command import get_tokens

    return get_tokens(options, console)


def check(options: Options, console: Console) -> int:
    """Check whether a run would work, and say what to do if not.

    It takes 3 API credits.
    """
    from .check.command import print_checks

    return print_checks(options, console)


def verify(options: Options, console: Console) -> int:
    """Compare every id with the CRM; --repair corrects what differs."""
    from .demo import pipelines_dir, simulated
    from .monitoring.notifications import notify_on_exit
    from .output.failure_report import print_failures
    from .output.verify_report import print_verification
    from .verify.verifier import Verifier

    if options.against is not None or options.files is not None:
        return _verify_copies(options, console)
    opening = open_command(options, console, "verify", loads=options.repair)
    with notify_on_exit(options, "verify") as ending, opening as work, closing(work.progress):
        verifier = Verifier(work.pipeline, work.client, work.choice, work.credentials.api, work.progress)
        result = verifier.verify(repair=options.repair)
        work.progress.close()
        ending.run, ending.code = result.run, result.exit_code
        remark = simulated(options) if options.demo else ""
        print_verification(console, result, remark=remark)
        print_failures(result.run, pipelines_dir(options), options.pipeline_name)
        if result.differing:
            names = ", ".join(comparison.name for comparison in result.differing)
            hint = "" if options.repair else ": run `verify --repair` to correct it"
            ending.sentence = f"The destination differs from the CRM in {names}{hint}."
            print_error(ending.sentence)
    return result.exit_code


def describe(options: Options, console: Console) -> int:
    """Show what each column of a table is.

    Its label in the CRM, type, share of nulls, an example, and the table that it refers to. It reads only the
    destination. TABLE is a table, or a module by its API name.
    """
    from .monitoring.describe import print_table
    from .monitoring.freshness import open_destination

    with open_destination(options, console) as view:
        return print_table(console, view, options)


def export(options: Options, console: Console) -> int:
    """Write every table into a file of FOLDER.

    With a manifest of rows and checksums. It reads only the destination. verify --against FOLDER proves the files later.
    """
    from .export.command import export_tables

    return export_tables(console, options)


def files(options: Options, console: Console) -> int:
    """Copy attachments, files of upload fields and photos into FOLDER.

    FOLDER is a path or a bucket (s3://..., gs://..., az://...). A run tells what there is; each file is copied once.
    """
    from sources.zoho_crm.extract.file_store import FileStore

    from .files.command import FilesRun
    from .monitoring.freshness import open_destination
    from .run.destination import choose_destination, database_file

    destination = choose_destination(
        options.destination, options.dataset, options.pipeline_name, options.demo
    )
    file = database_file(destination, options.pipeline_name, options.demo)
    if file is not None and not file.exists():
        with open_destination(options, console):  # it tells that nothing was ever synced, and makes no file
            pass
    store = FileStore(options.folder)
    with open_command(options, console, "files") as work, closing(work.progress):
        return FilesRun(console, options, work.pipeline, work.client).copy(store)


def status(options: Options, console: Console) -> int:
    """Show how fresh each table is, what failed and what is due.

    It reads only the destination, and works on any machine.
    """
    from .monitoring.freshness import open_destination
    from .monitoring.status import print_status

    with open_destination(options, console) as view:
        return print_status(console, view, options)


def report(options: Options, console: Console) -> int:
    """Write one HTML page about all runs.

    It reads only the destination, and works on any machine; the page loads nothing from the network.
    """
    from sources.zoho_crm.exceptions import SettingsError

    from .monitoring.freshness import headline, open_destination
    from .monitoring.html_report import write_page

    with open_destination(options, console) as view:
        if not view.history.has_tables:
            told = headline([], view.history.stopped())
            raise SettingsError(f"No run has come to its end here ({view.place}). {told.sentence}")
        path, told = write_page(view, options)
        facts = told.facts(view)
    console.event("page", {"path": str(path), "headline": told.sentence})
    console.event("summary", {**facts, "path": str(path)})
    console.text(f"Wrote {path}")
    console.last(str(told))
    return 0


def seats(options: Options, console: Console) -> int:
    """List users, licences and idle time.

    It reads only the destination. --idle 60 --format csv is the list of licences to take back.
    """
    from .monitoring.freshness import open_destination
    from .monitoring.seats import print_seats

    with open_destination(options, None if options.log_format == "csv" else console) as view:
        return print_seats(console, view, options)


def views(options: Options, console: Console) -> int:
    """Make views with names instead of ids.

    One beside each table, in the dataset <dataset>_views.

    It reads only the destination. Afterwards each run keeps the views up to date; a view that somebody changed stays.
    """
    from .views.command import make_views

    return make_views(console, options)


def models(options: Options, console: Console) -> int:
    """Write a dbt project into a folder.

    Sources, staging models with tests, and models of sales, leads, activity, customers and seats.

    It reads only the destination. Run again, it keeps the files that somebody made or changed.
    """
    from .dbt_models.command import write_models

    return write_models(console, options)


def open(options: Options, console: Console) -> int:
    """Show the tables in a browser.

    With DuckDB's own page; also prints how other programs reach them.

    It reads only the destination. DuckDB takes the page, and the extension behind it, from the network.
    """
    from .monitoring.programs import open_tables

    return open_tables(console, options)


def _verify_copies(options: Options, console: Console) -> int:
    from .export.comparison import compare_export
    from .files.command import verify_files

    if options.repair or options.modules or options.exclude or (options.against and options.files):
        raise click.UsageError(
            "--against and --files each compare all files of a folder: leave --repair, --modules and --exclude out.",
            click.get_current_context(),
        )
    return compare_export(console, options) if options.against else verify_files(console, options)


@contextmanager
def open_command(
    options: Options, console: Console, command: str, *, loads: bool = True
) -> Iterator[CommandContext]:
    """Settings, lock and destination, in the order in which their mistakes should be told."""
    from sources.zoho_crm.client.client import connect
    from sources.zoho_crm.client.throttling import RetryPolicy
    from sources.zoho_crm.config import ModuleSelection

    from .demo import opened_account
    from .output.progress import choose_progress
    from .run.destination import choose_destination
    from .run.pipeline import opened_pipeline
    from .run.stopping import STOP

    name, policy = options.pipeline_name, policy_of(options)
    with ExitStack() as stack:
        credentials = stack.enter_context(opened_account(options, console))
        destination = choose_destination(options.destination, options.dataset, name, options.demo)
        progress = choose_progress(options.progress, console, verbose=options.verbose)
        stack.enter_context(closing(progress))
        STOP.tell = progress.stopping
        opening = opened_pipeline(options, destination, progress, command if loads else None)
        pipeline = stack.enter_context(opening)
        choice = ModuleSelection(options.modules, options.exclude, options.full_refresh, policy)
        client = connect(credentials, RetryPolicy(table_deadline=options.table_timeout.total_seconds()))
        client.context.max_credits = options.max_credits
        client.context.jobs_per_module = options.bulk_read_jobs
        client.waits.watch = progress.waits()
        try:
            yield CommandContext(console, options, credentials, client, pipeline, choice, progress)
        except BaseException:
            client.context.max_credits = 0  # what still reads makes no more calls
            raise


def _print_sql(work: CommandContext) -> None:
    """Lines that a person can paste into Python."""
    from .run.destination import DEMO_FILE

    if work.options.destination != "duckdb":
        return
    data, deals = work.options.dataset, work.client.service.deals.lower()
    work.console.text()
    here, python = Path.cwd(), Path(sys.executable)
    work.console.text(f"Try it with {python.relative_to(here) if python.is_relative_to(here) else python}:")
    for line in (
        "import duckdb",
        f"crm = duckdb.connect({DEMO_FILE!r}, read_only=True)",
        f"deals = crm.table('{data}.{deals}')",
        "stages = deals.aggregate('stage, count(*), round(sum(amount), 2)')",
        "stages.order('stage').show()",
    ):
        work.console.text(f"  {line}", whole=True)


ACCOUNT = """\
`authorize` gets the account's tokens once and writes them into .env. The account is a connection string in
SOURCES__ZOHO_CRM__CREDENTIALS (environment or .env) or --connection:"""
CONNECTION = "  OAuthClientId=...;OAuthClientSecret=...;OAuthRefreshToken=...;Region=US;"
MORE = (
    """\
Each option is also a key of dlt's configuration: --modules is SOURCES__ZOHO_CRM__MODULES in the environment
and `modules` below [sources.zoho_crm] in .dlt/config.toml. The command line takes precedence.""",
    """\
Exit codes: 0 all is synced, 1 something failed, 2 wrong usage or configuration, 3 Zoho refused the
credentials or the scopes, 4 `verify` found a difference, 5 another run is in progress or the
database is open elsewhere, 6 stopped at the credit limit, 130 interrupted. With --accounts the worst of
all accounts; from the worst: 130, 2, 3, 1, 4, 5, 6, 0.""",
    """\
README.md and docs/ have the rest: docs/README.md is an index by task, docs/troubleshooting.md explains each message.""",
)


HELP = {"help_option_names": ["-h", "--help"]}
OF_THE_GROUP = ("-h", "--help", "--version")  # all other options without a command are those of `run`


class Commands(click.Group):
    """`run` may be left out; whatever goes wrong ends in one sentence on standard error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        completing_the_command = ctx.resilient_parsing and not args
        of_the_group = bool(args) and args[0] in OF_THE_GROUP
        if not completing_the_command and not of_the_group and (not args or args[0].startswith("-")):
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
        formatter.write_paragraph()
        formatter.write_text(
            "`run --help` lists the options of a run, and so does --help behind each other command."
        )
        formatter.write_paragraph()
        formatter.write(leading_lines() + "\n")
        formatter.write_text(ACCOUNT)
        formatter.write(CONNECTION + "\n")
        for paragraph in MORE:
            formatter.write_paragraph()
            formatter.write_text(paragraph)

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
        except OutputError as error:
            print_error(str(error))
            code = FAILED
        except BrokenPipeError:  # whoever read has enough
            code = FAILED
        swallow()
        sys.exit(code)


def run_command(command: Callable[[Options, Console], int]) -> int:
    """Settle the options, run the command, and end every error in one sentence."""
    ctx = click.get_current_context()
    options: Options | None = None
    logging.raiseExceptions = False  # a full disk, say, is told once and not by each line of a log
    try:
        configured = start_dlt()
        if not ctx.params.get("demo"):
            load_env_file(ctx, configured)
            warn_of_unknown_keys(keys())
        options = resolve_options(ctx, configured)
        hide_secrets(options)
        console = Console(options.log_format, quiet=options.quiet, verbose=options.verbose)
        if given_options(ctx) & {"accounts", "only", "parallel"}:
            from .accounts.command import run_for_accounts

            return run_for_accounts(command.__name__, options, console)
        return command(options, console)
    except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        sentence = RESUMED if loads(command.__name__, options) else STOPPED
        return _end(sentence, INTERRUPTED, as_json=_reads_json(ctx, options))
    except Exception as error:  # noqa: BLE001 - the last resort: a traceback belongs into a file
        from .demo import secrets_of

        known = describe_error(error, loads=loads(command.__name__, options))
        sentence, code = known or (_unexpected(error, options), FAILED)
        told = without_secrets(sentence, secrets_of(options)) if known else sentence
        return _end(told, code, as_json=_reads_json(ctx, options))


def hide_secrets(options: Options) -> None:
    """Cut what is configured as a secret out of all that is printed and kept from now on."""
    from sources.zoho_crm.redaction import remember_secrets

    from .demo import secrets_of

    remember_secrets(secrets_of(options))


def keys() -> set[str]:
    """The keys of all commands' options in dlt's configuration."""
    params = (param for command in cli.commands.values() for param in command.params)
    return {param.key for param in params if isinstance(param, ConfigOption)}


def _end(sentence: str, code: int, *, as_json: bool) -> int:
    """The sentence for a person, and for a program, which reads the other stream."""
    print_error(sentence)
    if as_json:
        with suppress(OutputError):  # which may be what was just complained about
            Console("json").event("error", {"error": one_line(sentence), "exit_code": code})
    return code


def _reads_json(ctx: click.Context, options: Options | None) -> bool:
    return (options.log_format if options else ctx.params.get("log_format")) == "json"


def _unexpected(error: Exception, options: Options | None) -> str:
    from .demo import pipelines_dir, secrets_of

    folder = pipelines_dir(options) if options else None
    private = options is None or bool(options.privacy or options.fields or options.filters)
    path = keep_traceback(error, folder, secrets_of(options), wordless=private)
    told = f"its traceback is in {path}" if path else "its traceback could not be written"
    return f"Unexpected {type(error).__name__}: {told}."


def _command(function: Callable[[Options, Console], int], params: list[click.Parameter]) -> click.Command:
    def callback(**_: Any) -> int:
        return run_command(function)

    return CommandWithExamples(
        function.__name__, params=params, callback=callback, help=function.__doc__, context_settings=HELP
    )


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"{SCRIPT} {VERSION}")
        ctx.exit()


VERSION_OPTION = click.Option(
    ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version
)


cli = Commands(
    help="Copies a whole Zoho CRM into DuckDB or any other dlt destination.",
    params=[VERSION_OPTION],
    context_settings=HELP,
    commands=[
        _command(
            run,
            [
                *module_options(),
                *sync_options(),
                *credit_options(),
                *notification_options(),
                *accounts_options(),
                *connection_options(),
            ],
        ),
        _command(plan, [*module_options(), *sync_options(), *accounts_options(), *connection_options()]),
        _command(modules, [*module_options(), *retention_options(option), *connection_options()]),
        _command(authorize, [*authorize_options(), *module_options()]),
        _command(check, [*module_options(), *json_options(), *accounts_options(), *connection_options()]),
        _command(
            verify,
            [
                *module_options(),
                *repair_options(),
                *credit_options(),
                *notification_options(),
                *accounts_options(),
                *connection_options(),
            ],
        ),
        completion(),
        _command(status, [*max_age_options(), *accounts_options(), *status_options()]),
        _command(report, [*report_options(), *accounts_options(), *status_options()]),
        _command(seats, seat_options()),
        _command(export, export_options()),
        _command(files, files_options()),
        _command(describe, describe_options()),
        _command(views, view_options()),
        _command(models, model_options()),
        _command(open, open_options()),
    ],
)

"""The command line of `zoho-api`: the commands, and their options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.zoho_crm.cli import HELP, VERSION_OPTION, Commands, run_command
from pipelines.zoho_crm.console import Console, counted
from pipelines.zoho_crm.errors import FAILED, USAGE, describe_error, print_error
from pipelines.zoho_crm.options import (
    CommaList,
    NonEmpty,
    Options,
    connection_options,
    consent_options,
    max_age_options,
    report_options,
    status_options,
)

if TYPE_CHECKING:
    import dlt

    from sources.zoho_api import Resource, Service

    from .runner import ConnectorRun

MORE = """\
The account is the CRM's connection string, in SOURCES__ZOHO_CRM__CREDENTIALS (environment or .env) or --connection;
one refresh token serves all services whose scopes it was granted: `authorize desk books crm` asks for several.
A CONNECTOR is one that comes with the program (`list` names them) or the path of a YAML file of your own; the
settings of that are keys below sources.zoho_api.NAME: client_id, client_secret, refresh_token, and its parameters.

Exit codes: 0 all is synced, 1 something failed, 2 wrong usage or configuration, 3 the credentials or scopes were
refused, 5 another run is in progress or the database is open elsewhere, 6 stopped at the limit of calls,
130 interrupted."""


@dataclass
class OpenConnector:
    """A connector with its pipeline."""

    service: Service
    pipeline: dlt.Pipeline


class ApiCommands(Commands):
    """No command may be left out here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return click.Group.parse_args(self, ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        return click.Group.shell_complete(self, ctx, incomplete)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Group.format_help(self, ctx, formatter)
        formatter.write_paragraph()
        formatter.write(MORE + "\n")


def parameters_of(options: Options) -> dict[str, str]:
    """The values of --param. Raises UsageError for one without a name."""
    found: dict[str, str] = {}
    for text in options.param:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"--param {text}: write NAME=VALUE.")
        found[name.strip()] = value
    return found


def list_connectors(options: Options, console: Console) -> int:
    """List the connectors, or the tables of those named."""
    from sources.zoho_api import list_connectors as known
    from sources.zoho_api import load_connector

    names = options.connectors or tuple(known())
    for name in names:
        connector = load_connector(name)
        console.text()
        console.text(
            f"{connector.name}: {connector.title}"
            + (f", {connector.documentation}" if connector.documentation else "")
        )
        rows = [
            (
                table_of(one),
                {"changes": "what changed", "whole": "whole", "children": f"of {one.parent}"}[one.mode],
                "yes" if one.config.get("selected", True) else "by name",
                connector.price_of(one),
                ", ".join(one.scopes or connector.authentication.scopes),
            )
            for one in connector.resources
        ]
        console.table(("table", "later runs read", "in a run", "price", "scopes"), rows, ("scopes", "price"))
        for one in connector.resources:
            facts = {
                "connector": connector.name,
                "table": one.name,
                "mode": one.mode,
                "scopes": list(one.scopes),
            }
            console.event("table", facts)
    console.last(counted(len(names), "connector") + ".")
    return 0


def table_of(resource: Resource) -> str:
    """The name of its table, or what its tables are."""
    each = resource.for_each
    return f"one of each of {each.resource}" if each and resource.is_template else resource.name


def run(options: Options, console: Console) -> int:
    """Copy these services into the destination; afterwards, what changed."""
    from pipelines.zoho_crm.output.run_report import print_report
    from sources.zoho_crm.exceptions import ZohoCrmError

    worst, runs = 0, []
    unknown = _unknown_resources(options)
    with accounts(options, console) as account:
        for name in options.connectors:
            try:
                done = _run_one(account, console, name, unknown)
            except ZohoCrmError as error:
                if len(options.connectors) == 1:
                    raise
                sentence, code = describe_error(error, loads=True) or (str(error), FAILED)
                print_error(with_name(name, sentence))
                console.event(
                    "error", {"connector": name, "error": sentence, "exit_code": code}, matters=True
                )
                worst = max(worst, code)
                unknown.clear()  # nobody can tell whether they are tables of this one
                continue
            if done is None:
                continue
            result, title = done
            runs.append((name, result))
            console.text()
            console.text(f"{title}:")
            print_report(console, result)
            print_failures(result)
            worst = max(worst, result.exit_code)
    if len(options.connectors) > 1:
        _print_sum(console, runs)
    for name, hint in unknown.items():
        print_error(_no_table(options, name, hint).message)
        worst = max(worst, USAGE)
    return worst


def _run_one(
    account: Account, console: Console, name: str, unknown: dict[str, str]
) -> tuple[ConnectorRun, str] | None:
    """The run and the title of its connector; None if --modules names none of its tables.

    Names that turn out to be tables of the account leave `unknown`.
    """
    from sources.zoho_api import discovered, load_connector, named_in
    from sources.zoho_crm.sync.warehouse import Warehouse

    from .runner import ConnectorRunner

    options = account.options
    connector = load_connector(name)
    named = [one.name for one in connector.resources if one.name in options.modules and not one.is_template]
    asked = [*unknown] if connector.is_discovered else []
    if options.modules and not named and not asked:
        return None
    with opened(account, console, name, "run") as work:
        work.service.session.max_calls = options.max_calls
        work.service.session.max_credits = options.max_credits
        work.service.find_organization()
        if asked:
            discovered(work.service, asked)
            found = named_in(work.service, asked)
            known = [one.name for one in work.service.connector.resources]
            for one in asked:
                unknown[one] = _hint(one, known)
            for one in found:
                del unknown[one]
            named += found.values()
            if not named:
                return None
        warehouse = Warehouse(work.pipeline, Path(work.pipeline.working_dir), options.table_format)
        runner = ConnectorRunner(work.pipeline, work.service, warehouse, whole=options.full_refresh)
        return runner.run(named), work.service.connector.title


def _unknown_resources(options: Options) -> dict[str, str]:
    """The names of --modules that no connector's file has, with what is like them; nothing has been asked yet.

    They are wrong usage, unless one of the connectors has tables that only the service can name.
    """
    from sources.zoho_api import load_connector

    connectors = [load_connector(name) for name in options.connectors] if options.modules else []
    known = [one.name for connector in connectors for one in connector.resources if not one.is_template]
    unknown = {name: _hint(name, known) for name in sorted(options.modules - set(known))}
    if unknown and not any(connector.is_discovered for connector in connectors):
        raise _no_table(options, *next(iter(unknown.items())))
    return unknown


def _hint(name: str, known: list[str]) -> str:
    from sources.zoho_crm.exceptions import suggest

    near = suggest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"


def _no_table(options: Options, name: str, hint: str) -> click.UsageError:
    return click.UsageError(f"--modules {name}: no table of {', '.join(options.connectors)}; {hint}")


def print_failures(result: ConnectorRun) -> None:
    """What failed, on standard error."""
    from pipelines.zoho_crm.output.run_report import group

    wrong = ("failed", "skipped") if result.exit_code else ("failed",)
    found = [(one.name, one.error or "") for one in result.readings if one.status in wrong]
    for why, names in group(found).items():
        print_error(f"{', '.join(names)}: {why}")
    for name, why in result.troubles:
        print_error(f"{name}: {why}")


def _print_sum(console: Console, runs: list[tuple[str, ConnectorRun]]) -> None:
    rows = [
        (
            name,
            sum(one.status == "read" for one in result.readings),
            sum(one.rows or 0 for one in result.readings),
            result.calls,
            result.credits,
            sum(one.status == "failed" for one in result.readings),
            sum(one.status == "skipped" for one in result.readings),
        )
        for name, result in runs
    ]
    console.text()
    console.table(("connector", "tables", "rows", "calls", "credits", "failed", "skipped"), rows, ())
    tables, total = sum(row[1] for row in rows), sum(row[2] for row in rows)
    console.last(f"{counted(len(rows), 'connector')}: {counted(tables, 'table')}, {counted(total, 'row')}.")


def call(options: Options, console: Console) -> int:
    """Call one resource once, and show request, answer and rows."""
    from sources.zoho_api import discovered

    from .call import show_call

    with accounts(options, console) as account:
        service = open_connector(account, options.connectors[0])
        (resource,) = discovered(service, [options.resource])
        return show_call(console, service, resource)


def check(options: Options, console: Console) -> int:
    """Say whether a run would work, and what to do if not."""
    from .check import print_checks

    with accounts(options, console) as account:
        return print_checks(account, console)


def authorize(options: Options, console: Console) -> int:
    """Get one refresh token for several services (crm and bigin, too)."""
    from .authorize import get_tokens

    return get_tokens(options, console)


def status(options: Options, console: Console) -> int:
    """Say how fresh each table is, and what failed."""
    from pipelines.zoho_crm.monitoring.freshness import open_destination
    from pipelines.zoho_crm.monitoring.status import print_status

    code = 0
    for name in options.connectors:
        own = own_names(options, name)
        with open_destination(own, console) as look:
            code = max(code, print_status(console, look, own))
    return code


def report(options: Options, console: Console) -> int:
    """Write one HTML page about all runs of a connector."""
    from pipelines.zoho_crm.cli import report as report_of_crm

    return report_of_crm(own_names(options, options.connectors[0]), console)


def with_name(connector: str, sentence: str) -> str:
    """A sentence about a connector, with its name unless it begins with that."""
    return sentence if sentence.startswith(Path(connector).name) else f"{connector}: {sentence}"


def own_names(options: Options, connector: str) -> Options:
    """The options with a dataset and a pipeline of the connector's own, unless others were named."""
    stem = Path(connector).stem
    name = f"zoho_{stem}"
    changes: dict[str, Any] = {}
    if options.dataset == Options.dataset:
        changes["dataset"] = name
    if options.pipeline_name in (Options.pipeline_name, "zoho_demo"):
        changes["pipeline_name"] = f"{'demo_' if options.demo else ''}{name}"
    return replace(options, **changes)


@dataclass
class Account:
    """What all connectors of a command share: the options, and the account's settings where there are some."""

    options: Options
    credentials: Any  # a connection string or ZohoCredentials; None: dlt's configuration
    parameters: Mapping[str, str]


@contextmanager
def accounts(options: Options, console: Console) -> Iterator[Account]:
    """The account, for a demo a simulated one that lives as long as the command."""
    from .demo import opened_suite

    parameters = parameters_of(options)
    if not options.demo:
        yield Account(options, options.connection, parameters)
        return
    with opened_suite(options, console) as (credentials, chosen):
        yield Account(options, credentials, {**chosen, **parameters})


def open_connector(account: Account, name: str) -> Service:
    """The connector with its settings; parameters that it does not have are an error if it is the only one."""
    from sources.zoho_api import load_connector, open_service
    from sources.zoho_api.service import ORGANIZATION_ID

    connector = load_connector(name)
    own = f"{connector.name}."
    given = {key: value for key, value in account.parameters.items() if "." not in key}
    if len(account.options.connectors) > 1:
        known = {*connector.parameters, ORGANIZATION_ID}
        given = {key: value for key, value in given.items() if key in known}
    given |= {key[len(own) :]: value for key, value in account.parameters.items() if key.startswith(own)}
    return open_service(connector, account.credentials, given)


@contextmanager
def opened(account: Account, console: Console, name: str, command: str) -> Iterator[OpenConnector]:
    """Settings, lock and destination of one connector."""
    from pipelines.zoho_crm.output.progress import choose_progress
    from pipelines.zoho_crm.run.destination import choose_destination
    from pipelines.zoho_crm.run.pipeline import opened_pipeline
    from pipelines.zoho_crm.run.stopping import STOP

    options = own_names(account.options, name)
    service = open_connector(account, name)
    destination = choose_destination(
        options.destination, options.dataset, options.pipeline_name, options.demo
    )
    progress = choose_progress("off", console, verbose=options.verbose)
    with ExitStack() as stack:
        stack.enter_context(closing(progress))
        STOP.tell = progress.stopping
        pipeline = stack.enter_context(opened_pipeline(options, destination, progress, command))
        yield OpenConnector(service, pipeline)


def _command(
    function: Callable[[Options, Console], int], params: list[click.Parameter], name: str | None = None
) -> click.Command:
    def callback(**_: Any) -> int:
        return run_command(function)

    return click.Command(
        name or function.__name__,
        params=params,
        callback=callback,
        help=function.__doc__,
        context_settings=HELP,
    )


def _connectors(*, many: bool = True, required: bool = True) -> click.Argument:
    return click.Argument(
        ["connectors"],
        nargs=-1 if many else 1,
        required=required,
        metavar="CONNECTOR..." if many else "CONNECTOR",
        callback=lambda ctx, param, value: value if many else (value,),
    )


def _param() -> click.Parameter:
    return click.Option(
        ["--param"],
        multiple=True,
        metavar="NAME=VALUE",
        help="A value for one of the connector's ${placeholders}, or its organization_id; CONNECTOR.NAME=VALUE for one of several.",
    )


def _connection(*left_out: str) -> list[click.Parameter]:
    """The options of every command; dataset and pipeline are the connector's own unless they are named here."""
    found = [p for p in connection_options() if p.name not in ("dataset", "pipeline_name", *left_out)]
    own = [
        click.Option(["--dataset"], type=NonEmpty("NAME"), help="Schema to fill. [default: zoho_CONNECTOR]"),
        click.Option(["--pipeline-name"], type=NonEmpty("NAME"), help="[default: zoho_CONNECTOR]"),
    ]
    return [*(p for p in own if p.name not in left_out), *found]


def _status(*more: click.Parameter) -> list[click.Parameter]:
    own = [p for p in status_options() if p.name == "stale_after"]
    return [*more, *own, *_connection("connection")]


cli = ApiCommands(
    help="Copies Zoho Desk, Books, Recruit, or any API that a file declares, into a dlt destination.",
    params=[VERSION_OPTION],
    context_settings=HELP,
    commands=[
        _command(list_connectors, [_connectors(required=False), *_connection()], "list"),
        _command(
            authorize,
            [_connectors(), *consent_options(), *(p for p in _connection() if p.name != "demo")],
        ),
        _command(check, [_connectors(), _param(), *_connection()]),
        _command(
            call,
            [
                _connectors(many=False),
                click.Argument(["resource"], metavar="RESOURCE"),
                _param(),
                *_connection(),
            ],
        ),
        _command(
            run,
            [
                _connectors(),
                click.Option(
                    ["--modules", "--resources"], type=CommaList(), multiple=True, help="Only these tables."
                ),
                click.Option(["--full-refresh"], is_flag=True, help="Read every table whole."),
                click.Option(
                    ["--max-calls"],
                    type=click.IntRange(min=1),
                    metavar="N",
                    help="Make no more calls of each connector; what is left is read by the next run (exit code 6).",
                ),
                click.Option(
                    ["--max-credits"],
                    type=click.IntRange(min=1),
                    metavar="N",
                    help="Spend no more API credits with each connector, where the service counts them (exit code 6).",
                ),
                _param(),
                *_connection(),
            ],
        ),
        _command(status, [_connectors(), *max_age_options(), *_status()]),
        _command(report, [_connectors(many=False), *report_options(), *_status()]),
    ],
)

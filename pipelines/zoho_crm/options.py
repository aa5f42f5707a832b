"""The options of every command: from the command line, else from dlt's configuration, else the default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from .format_options import speaking
from .names import FolderName, Names, Word
from .privacy_options import PRIVACY, protecting, rules_from
from .sync_options import ALL, Moment, Span, keeping, patience

if TYPE_CHECKING:
    from sources.zoho_crm.policy import Policy

SECTION = "sources.zoho_crm"

DEFAULT_NAME = "zoho_crm"
DESTINATIONS = ("duckdb", "filesystem", "postgres")  # what a shell completes; dlt has more
DEMO_NAME = "zoho_demo"


@dataclass(frozen=True)
class Options:
    """What the user asked for, wherever it was said."""

    modules: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    full_refresh: bool = False
    since: datetime | None = None
    deletes: Literal["hard", "soft"] = "hard"
    history: frozenset[str] = frozenset()
    lookback: timedelta = timedelta(minutes=10)
    computed_refresh: timedelta = timedelta(hours=24)
    verify_every: timedelta = timedelta(days=7)
    settings_refresh: timedelta = timedelta(hours=24)
    max_credits: int | None = None
    table_timeout: timedelta = timedelta(hours=6)
    destination: str = "duckdb"
    dataset: str = DEFAULT_NAME
    table_format: str | None = None
    pipeline_name: str = DEFAULT_NAME
    pipelines_dir: str | None = None
    connection: str | None = None
    env_file: str = ".env"
    progress: str = "auto"
    log_format: str = "text"
    demo: bool = False
    repair: bool = False
    max_age: timedelta | None = None
    stale_after: timedelta = timedelta(hours=24)
    output: str = "zoho_report.html"
    privacy: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    verbose: bool = False
    quiet: bool = False
    json: bool = False
    region: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    self_client: bool = False
    no_browser: bool = False
    wait: timedelta = timedelta(minutes=5)
    wait_for_database: timedelta = timedelta(minutes=1)
    notify: str | None = None
    metrics_file: str | None = None


def policy_of(options: Options) -> Policy:
    """The options as the source wants them."""
    from sources.zoho_crm.policy import Policy

    return Policy(
        lookback=options.lookback,
        computed_refresh=options.computed_refresh,
        verify_every=options.verify_every,
        settings_refresh=options.settings_refresh,
        deletes=options.deletes,
        history=None if options.history == ALL else options.history,
        since=options.since,
        table_format=options.table_format,
        rules=rules_from(options),
    )


def loads(command: str, options: Options | None) -> bool:
    """Whether the command writes rows, so that what it loaded before it broke off stays."""
    return command == "run" or (command == "verify" and options is not None and options.repair)


class ConfigOption(click.Option):
    """An option that is a key of dlt's configuration, too."""

    @property
    def key(self) -> str:
        """The key below `[sources.zoho_crm]`; a connection string is dlt's `credentials`."""
        return "credentials" if self.name == "connection" else str(self.name)


def option(*names: str, **attributes: Any) -> ConfigOption:
    return ConfigOption(names, **attributes)


def connecting() -> list[click.Parameter]:
    """The options of every command."""
    return [
        option("--connection", type=click.STRING, metavar="STRING", help="Connection string of the account."),
        option(
            "--env-file",
            type=Word("PATH"),
            default=".env",
            show_default=True,
            help="File of settings to load.",
        ),
        option(
            "--destination",
            type=Word("NAME", DESTINATIONS),
            default="duckdb",
            show_default=True,
            help="dlt destination.",
        ),
        option(
            "--dataset", type=Word("NAME"), default=DEFAULT_NAME, show_default=True, help="Schema to fill."
        ),
        option(
            "--pipeline-name",
            type=FolderName(),
            default=DEFAULT_NAME,
            show_default=True,
            help="Name that the state is kept under.",
        ),
        option(
            "--pipelines-dir", type=Word("DIR"), help="Where runs work. [default: one a working directory]"
        ),
        patience(option),
        option("--demo", is_flag=True, help="Use a simulated Zoho CRM on 127.0.0.1 and zoho_demo.duckdb."),
        *speaking(option),
    ]


def choosing() -> list[click.Parameter]:
    """The options of the commands that look at modules."""
    return [
        option("--modules", type=Names(), multiple=True, help="Only these modules, by API name."),
        option("--exclude", type=Names(), multiple=True, help="All but these modules."),
        *protecting(option),
    ]


def syncing() -> list[click.Parameter]:
    """The options that decide what a run reads."""
    return [
        option(
            "--full-refresh",
            is_flag=True,
            help="Read every module whole, and what is read once a day.",
        ),
        *keeping_up(),
        option("--since", type=Moment(), help="Read again what changed since then."),
    ]


def paying() -> list[click.Parameter]:
    """The options of the commands that read rows."""
    return [
        option(
            "--max-credits",
            type=click.IntRange(min=1),
            metavar="N",
            help="Spend no more API credits than this; what is left waits for the next run, with exit code 6.",
        ),
        option(
            "--table-timeout",
            type=Span(),
            default="6h",
            show_default=True,
            help="A table that is not read in this time fails; the others go on.",
        ),
        option(
            "--progress",
            type=click.Choice(["auto", "bar", "log", "off"]),
            default="auto",
            show_default=True,
            help="auto: a live view on a terminal, lines elsewhere.",
        ),
    ]


def repairing() -> list[click.Parameter]:
    """The option of `verify` alone."""
    return [option("--repair", is_flag=True, help="Fetch, remove or patch just the rows that differ.")]


def keeping_up() -> list[click.Parameter]:
    """The options that say how a sync keeps up with the account."""
    return [
        *keeping(option),
        option(
            "--lookback", type=Span(), default="10m", show_default=True, help="Overlap of two runs' windows."
        ),
        option(
            "--computed-refresh",
            type=Span(),
            default="24h",
            show_default=True,
            help="How often formulas and roll-ups are read for every row.",
        ),
        option(
            "--verify-every",
            type=Span(),
            default="7d",
            show_default=True,
            help="How often a module is read whole, for what no list of changes shows.",
        ),
        option(
            "--settings-refresh",
            type=Span(),
            default="24h",
            show_default=True,
            help="How often tags, layouts and pipelines are read.",
        ),
    ]


def settle(ctx: click.Context, configured: Callable[[str], Any]) -> Options:
    """The options of a command; `configured` gives the value of a key of dlt's configuration, or None.

    A demo reads the command line only, so that nothing of a real pipeline is touched.
    """
    given = {name: ctx.params[name] for name in ctx.params if _is_given(ctx, name)}
    demo = bool(given.get("demo")) or ("demo" not in given and _demo_configured(ctx, configured))
    if demo and "connection" in given:
        raise click.UsageError("--demo brings its own account: leave --connection out.", ctx)
    values: dict[str, Any] = (
        {"pipeline_name": DEMO_NAME, "demo": True} if demo else _configured(ctx, configured)
    )
    if given.get("quiet") and given.get("verbose"):
        raise click.UsageError("--quiet and --verbose contradict each other: leave one out.", ctx)
    for name, other in (("quiet", "verbose"), ("verbose", "quiet")):
        if given.get(name):
            values.pop(other, None)  # of the configuration
    values.update(given)
    for name in ("modules", "exclude"):
        values[name] = frozenset[str]().union(*values.get(name, ()))
    values.update((name, sum(values.get(name, ()), ())) for name in PRIVACY)
    return Options(**values)


def load_env_file(ctx: click.Context, configured: Callable[[str], Any]) -> None:
    """Put the settings of the file into the environment, where what is there already stays.

    Without interpolation: a `$` in a secret is a `$`.
    """
    from dotenv import load_dotenv

    named = ctx.params["env_file"] if _is_given(ctx, "env_file") else configured(f"{SECTION}.env_file")
    path = Path(named or Options.env_file)
    if path.is_dir() and named:
        raise click.UsageError(f"{path} of --env-file is a folder: name a file.", ctx)
    if named and not path.exists() and ctx.command.name != "authorize":  # which makes it
        raise click.UsageError(f"The file {path} of --env-file does not exist.", ctx)
    if path.exists() and not path.is_dir():  # a pipe will do
        try:
            load_dotenv(path, override=False, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"The file {path} cannot be read ({type(error).__name__}).", ctx) from None


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT


def _demo_configured(ctx: click.Context, configured: Callable[[str], Any]) -> bool:
    return bool(_configured(ctx, configured, only="demo").get("demo"))


def _configured(
    ctx: click.Context, configured: Callable[[str], Any], only: str | None = None
) -> dict[str, Any]:
    """The values of the options that have a key in dlt's configuration, checked as the options are."""
    found: dict[str, Any] = {}
    known = {f.name for f in fields_of(Options)} - {"connection"}
    for param in ctx.command.params:
        if not isinstance(param, ConfigOption) or param.name not in known or only not in (None, param.name):
            continue
        value = configured(f"{SECTION}.{param.key}")
        if value is None:
            continue
        try:
            found[param.name] = param.type_cast_value(ctx, [value] if param.multiple else value)
        except click.BadParameter as error:
            raise click.UsageError(
                f"{SECTION}.{param.key} in dlt's configuration: {error.message}", ctx
            ) from None
    return found

"""The options of all commands, from the command line and from dlt's configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from sources.zoho_crm.config import SyncConfig
    from sources.zoho_crm.transform.privacy_rules import PrivacyRules


def log_format(
    option: Callable[..., click.Parameter], *more: str, names: Sequence[str] = ("--log-format", "--format")
) -> click.Parameter:
    """Of every command; `more` are formats that a command has besides."""
    return option(
        *names,
        type=click.Choice(["text", "json", *more]),
        default="text",
        show_default=True,
        help="json: each line of the output is one JSON object." + "".join(f" {m}: one table." for m in more),
    )


def output_options(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """Of every command."""
    return [
        log_format(option),
        option("-v", "--verbose", is_flag=True, help="Show every table, column and field, however many."),
        option("-q", "--quiet", is_flag=True, help="Print only errors and the last line."),
    ]


# What no file system, or not every one, takes as a name; dlt keeps to it as well.
BAD_LETTERS = re.compile(r'[\x00-\x1f/\\:*?"<>|]')
BAD_NAMES = re.compile(r"\.{1,2}|.*[ .]|(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.{200,}", re.IGNORECASE)


def spelt_out(value: Any) -> Any:
    """The list that a JSON text in the environment stands for; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


class CommaList(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """API names between commas; a list of dlt's configuration is taken as well."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        value = spelt_out(value)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Iterable):
            self.fail(f"{value!r} is not a list of names.", param, ctx)
        names = frozenset(str(part).strip() for part in parts) - {""}
        if not names:
            self.fail("it holds no name.", param, ctx)
        return names


class NonEmpty(click.ParamType):  # type: ignore[type-arg]
    """Text that may not be empty; `--dataset ''` is a variable that a script forgot to set."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name = name
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        kind = {"PATH": "file", "DIR": "dir"}.get(self.name)
        names = [CompletionItem(name) for name in self._known if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type=kind)] if kind else names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not isinstance(value, str) or not value.strip():
            self.fail("it is empty.", param, ctx)
        return value.strip()


class PipelineName(NonEmpty):
    """A name that dlt calls a folder by."""

    def __init__(self) -> None:
        super().__init__("NAME")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = super().convert(value, param, ctx)
        if BAD_LETTERS.search(name) or BAD_NAMES.fullmatch(name):
            self.fail(f"{name!r} cannot be the name of a folder: take letters, digits, _ and -.", param, ctx)
        return name


PRIVACY = ("privacy", "fields", "filters")


class Texts(click.ParamType):  # type: ignore[type-arg]
    """Texts between semicolons or in lines of their own; a list of dlt's configuration is taken as well."""

    name = "TEXT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        from sources.zoho_crm.exceptions import SettingsError
        from sources.zoho_crm.transform.privacy_rules import split_rules

        try:
            return split_rules(spelt_out(value))
        except SettingsError as error:
            self.fail(str(error), param, ctx)


def privacy_options(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """Also of the commands that only look, so that they show what a run would do."""
    helps = {
        "--privacy": ("RULE", "Drop, mask or hash fields: '*.Email: hash; Contacts.Phone: drop'."),
        "--fields": ("MODULE.FIELD", "Of the modules named here, only these fields: 'Leads.Email'."),
        "--filters": ("FILTER", "Only rows that match: 'Deals.Amount: greater_than 1000'."),
    }
    return [
        option(name, type=Texts(), multiple=True, metavar=metavar, help=words)
        for name, (metavar, words) in helps.items()
    ]


def rules_from(options: Options) -> PrivacyRules:
    """Raises SettingsError for a rule that cannot be read, and for a key that is missing."""
    from sources.zoho_crm.transform.privacy_rules import DEMO_KEY, configured_key, parse_rules

    key = DEMO_KEY if options.demo else configured_key()
    return parse_rules(options.privacy, options.fields, options.filters, key)


SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=36_525)
EARLIEST, LATEST = 1970, 2999
ALL = frozenset({"*"})  # as names of modules: every one


class Span(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """A length of time: a number and its unit, `10m`, `24h`, `7d`."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = SPAN.fullmatch(str(value).strip().lower())
        if not found:
            self.fail(
                f"{value!r} is not a length of time: write a number and s, m, h or d, such as 12h.",
                param,
                ctx,
            )
        try:
            span = timedelta(**{UNITS[found[2]]: float(found[1])})
        except OverflowError:
            span = timedelta.max
        if span > LONGEST:
            self.fail(f"{value!r} is too long: more than 100 years.", param, ctx)
        return span


SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)b?", re.IGNORECASE)
FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, `500kB`, `50MB`, `2GB`."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = SIZE.fullmatch(str(value).strip())
        if not found:
            self.fail(f"{value!r} is not a size: write a number and kB, MB or GB, such as 50MB.", param, ctx)
        return int(float(found[1]) * FACTORS[found[2].lower()])


class Price(click.ParamType):  # type: ignore[type-arg]
    """An amount of money, exact."""

    name = "AMOUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            price = Decimal(str(value).strip())
        except InvalidOperation:
            price = Decimal("NaN")
        if not price.is_finite() or price < 0:
            self.fail(f"{value!r} is not a price: write a number such as 40 or 39.90.", param, ctx)
        return price


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time in ISO 8601; without an offset it is UTC."""

    name = "ISO-TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = (
                value
                if isinstance(value, datetime)
                else datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
            )
        except ValueError:
            self.fail(f"{value!r} is not a time in ISO 8601, such as 2026-03-01T00:00:00+01:00.", param, ctx)
        if not EARLIEST <= moment.year <= LATEST:
            self.fail(
                f"{value!r} is not a possible time: years go from {EARLIEST} to {LATEST}.",
                param,
                ctx,
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


class Modules(click.ParamType):  # type: ignore[type-arg]
    """API names between commas, or `all`; dlt's configuration may say true, false or a list."""

    name = "A,B|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, bool):
            return ALL if value else frozenset()
        value = spelt_out(value)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Iterable):
            self.fail(f"{value!r} is not a list of names.", param, ctx)
        names = frozenset(str(part).strip() for part in parts) - {""}
        words = {name.casefold() for name in names}
        if words & {"all", "true", "*"}:
            return ALL
        return frozenset() if words <= {"false"} else names


def retention_options(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """Soft deletes and history. `modules` takes them, too: without them it refuses tables that hold deleted rows."""
    return [
        option(
            "--deletes",
            type=click.Choice(["hard", "soft"]),
            default="hard",
            show_default=True,
            help="soft: the row of a deleted record stays, with deleted_at set.",
        ),
        option(
            "--table-format",
            type=click.Choice(["delta", "iceberg", "native"]),
            help="Format of the tables, where the destination has several. [default: the one they have]",
        ),
        option("--history", type=Modules(), help="Keep every version of the rows of these modules."),
    ]


def patience(option: Callable[..., click.Parameter]) -> click.Parameter:
    """How long a DuckDB file is waited for."""
    return option(
        "--wait-for-database",
        type=Span(),
        default="1m",
        show_default=True,
        help="How long to wait for a DuckDB file that another process has open.",
    )


SECTION = "sources.zoho_crm"
DESTINATIONS = ("duckdb", "filesystem", "postgres")  # what a shell completes; dlt has more
CRM = "CRM"
# Each service's default dataset and pipeline, and its demo's pipeline. As sources.zoho_crm.service has them, which
# would be too slow to import for a help text.
DATASETS = {CRM: "zoho_crm", "Bigin": "zoho_bigin"}
DEMO_NAMES = {CRM: "zoho_demo", "Bigin": "zoho_bigin_demo"}
NAMES = "zoho_crm, or zoho_bigin for Bigin"


@dataclass(frozen=True)
class Options:
    """What the user asked for, wherever it was said."""

    modules: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    audit_log: bool = False
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
    bulk_read_jobs: int = 4
    destination: str = "duckdb"
    service: str = CRM
    dataset: str = DATASETS[CRM]
    table_format: str | None = None
    pipeline_name: str = DATASETS[CRM]
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
    idle: int | None = None
    price: Decimal | None = None
    folder: str = ""
    table: str = ""
    file_format: str = "parquet"
    against: str | None = None
    files: str | None = None
    max_size: int | None = None
    labels: bool = False
    dbt: str = ""
    print: bool = False
    drop: bool = False
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
    accounts: str | None = None
    only: frozenset[str] = frozenset()
    parallel: int = 4
    # Of `zoho-api`:
    connectors: tuple[str, ...] = ()
    resource: str = ""
    max_calls: int | None = None
    param: tuple[str, ...] = ()


def policy_of(options: Options) -> SyncConfig:
    """The options as the source wants them."""
    from sources.zoho_crm.config import SyncConfig

    return SyncConfig(
        lookback=options.lookback,
        computed_refresh=options.computed_refresh,
        verify_every=options.verify_every,
        settings_refresh=options.settings_refresh,
        deletes=options.deletes,
        history=None if options.history == ALL else options.history,
        since=options.since,
        table_format=options.table_format,
        rules=rules_from(options),
        audit_log=options.audit_log,
    )


def loads(command: str, options: Options | None) -> bool:
    """Whether the command writes rows, so that what it loaded before it broke off stays."""
    return command in ("run", "files") or (command == "verify" and options is not None and options.repair)


class ConfigOption(click.Option):
    """An option that is a key of dlt's configuration, too."""

    @property
    def key(self) -> str:
        """The key below `[sources.zoho_crm]`; a connection string is dlt's `credentials`."""
        return "credentials" if self.name == "connection" else str(self.name)


def option(*names: str, **attributes: Any) -> ConfigOption:
    return ConfigOption(names, **attributes)


def connection_options() -> list[click.Parameter]:
    """The options of every command."""
    return [
        option(
            "--service",
            type=click.Choice(list(DATASETS), case_sensitive=False),
            default=CRM,
            show_default="the connection string's Service, or CRM",
            help="Which of Zoho's services to read.",
        ),
        option("--connection", type=click.STRING, metavar="STRING", help="Connection string of the account."),
        option(
            "--env-file",
            type=NonEmpty("PATH"),
            default=".env",
            show_default=True,
            help="File of settings to load.",
        ),
        option(
            "--destination",
            type=NonEmpty("NAME", DESTINATIONS),
            default="duckdb",
            show_default=True,
            help="dlt destination.",
        ),
        option(
            "--dataset",
            type=NonEmpty("NAME"),
            default=DATASETS[CRM],
            show_default=NAMES,
            help="Schema that holds the tables.",
        ),
        option(
            "--pipeline-name",
            type=PipelineName(),
            default=DATASETS[CRM],
            show_default=NAMES,
            help="Name under which the state is kept.",
        ),
        option(
            "--pipelines-dir",
            type=NonEmpty("DIR"),
            help="Working folder of runs. [default: one for each working directory]",
        ),
        patience(option),
        option("--demo", is_flag=True, help="Use a simulated Zoho on 127.0.0.1 and zoho_demo.duckdb."),
        *output_options(option),
    ]


def module_options() -> list[click.Parameter]:
    """The options of the commands that look at modules."""
    return [
        option("--modules", type=CommaList(), multiple=True, help="Only these modules, by API name."),
        option("--exclude", type=CommaList(), multiple=True, help="All but these modules."),
        option("--audit-log", is_flag=True, help="Also read the audit log, who did what, once a day."),
        *privacy_options(option),
    ]


def sync_options() -> list[click.Parameter]:
    """The options that decide what a run reads."""
    return [
        option(
            "--full-refresh",
            is_flag=True,
            help="Read every module whole, and the tables that are read once a day.",
        ),
        *interval_options(),
        option("--since", type=Moment(), help="Read again the records that changed since this time."),
        option(
            "--bulk-read-jobs",
            type=click.IntRange(1, 10),
            metavar="N",
            default=4,
            show_default=True,
            help="Bulk Read jobs of one module side by side, for a module of 2,000,000 records or more.",
        ),
    ]


def credit_options() -> list[click.Parameter]:
    """The options of the commands that read rows."""
    return [
        option(
            "--max-credits",
            type=click.IntRange(min=1),
            metavar="N",
            help="Spend no more API credits than this; the other tables are left to the next run (exit code 6).",
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


def repair_options() -> list[click.Parameter]:
    """The options of `verify` alone."""
    return [
        option("--repair", is_flag=True, help="Read each module that differs again, whole."),
        option(
            "--against",
            type=NonEmpty("DIR"),
            help="Compare the files of an export with its manifest and the destination, without a call.",
        ),
        option(
            "--files",
            type=NonEmpty("FOLDER"),
            help="Compare what `files` has copied into this folder or bucket with the table files, without a call.",
        ),
    ]


def interval_options() -> list[click.Parameter]:
    """The options that say how a sync keeps up with the account."""
    return [
        *retention_options(option),
        option(
            "--lookback",
            type=Span(),
            default="10m",
            show_default=True,
            help="How far each run reads back into the time of the one before.",
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
            help="How often a module is read whole, for changes that Zoho does not report.",
        ),
        option(
            "--settings-refresh",
            type=Span(),
            default="24h",
            show_default=True,
            help="How often tags, layouts and pipelines are read.",
        ),
    ]


def resolve_options(ctx: click.Context, configured: Callable[[str], Any]) -> Options:
    """The options of a command; `configured` gives the value of a key of dlt's configuration, or None.

    A demo reads the command line only, so that nothing of a real pipeline is touched.
    """
    given = {name: ctx.params[name] for name in given_options(ctx)}
    demo = bool(given.get("demo")) or ("demo" not in given and _demo_configured(ctx, configured))
    if demo and "connection" in given:
        raise click.UsageError("--demo brings its own account: leave --connection out.", ctx)
    values: dict[str, Any] = {"demo": True} if demo else _configured(ctx, configured)
    if given.get("quiet") and given.get("verbose"):
        raise click.UsageError("--quiet and --verbose contradict each other: leave one out.", ctx)
    for name, other in (("quiet", "verbose"), ("verbose", "quiet")):
        if given.get(name):
            values.pop(other, None)  # of the configuration
    values.update(given)
    for name in ("modules", "exclude"):
        values[name] = frozenset[str]().union(*values.get(name, ()))
    values.update((name, sum(values.get(name, ()), ())) for name in PRIVACY)
    if "service" not in values:
        values["service"] = CRM if demo else _service_of(values.get("connection"))
    dataset = DATASETS[values["service"]]
    values = {
        "dataset": dataset,
        "pipeline_name": DEMO_NAMES[values["service"]] if demo else dataset,
        **values,
    }
    return Options(**values)


def _service_of(connection: str | None) -> str:
    """The service of the account's settings; what is wrong with these is told by whoever opens the account."""
    from sources.zoho_crm.auth.credentials import resolve_credentials
    from sources.zoho_crm.exceptions import SettingsError

    try:
        return resolve_credentials(connection, for_consent=True, quiet=True).service or CRM
    except SettingsError:
        return CRM


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


def accounts_options() -> list[click.Parameter]:
    """The options of the commands that can do the same for many accounts; no keys of dlt's configuration.

    A process of one account must not take itself for the one that starts them.
    """
    return [
        click.Option(
            ["--accounts"], type=NonEmpty("PATH"), help="Do it for each account of this file (accounts.toml)."
        ),
        click.Option(["--only"], type=CommaList(), help="Of --accounts: only these accounts."),
        click.Option(
            ["--parallel"],
            type=click.IntRange(min=1),
            default=Options.parallel,
            show_default=True,
            metavar="N",
            help="Of --accounts: how many accounts at a time.",
        ),
    ]


def given_options(ctx: click.Context) -> frozenset[str]:
    """The names of the options that the command line gives."""
    return frozenset(name for name in ctx.params if _is_given(ctx, name))


def consent_options() -> list[click.Parameter]:
    """What `authorize` would ask for, and the ways to answer without a browser on this machine."""
    return [
        option(
            "--region",
            type=NonEmpty("NAME"),
            help="Data centre of the account: US, EU, IN, AU, JP, CN, CA, ...",
        ),
        option("--client-id", type=NonEmpty("ID"), help="Client ID from Zoho's API console."),
        option(
            "--client-secret",
            type=NonEmpty("SECRET"),
            help="Client Secret from there. Other users of this machine can see it here; leave it out to be asked for it.",
        ),
        option(
            "--code",
            type=NonEmpty("CODE|URL"),
            help="Code of the consent, or the address that Zoho redirected to.",
        ),
        option(
            "--self-client",
            is_flag=True,
            help="The client is a Self Client: its code is generated in the console.",
        ),
        option(
            "--no-browser", is_flag=True, help="Print the address of the consent page; do not open a browser."
        ),
        option(
            "--wait", type=Span(), default="5m", show_default=True, help="How long to wait for the consent."
        ),
    ]


def authorize_options() -> list[click.Parameter]:
    """A simulated account needs no consent, so there is no --demo."""
    return [*consent_options(), *(param for param in connection_options() if param.name != "demo")]


INTERVAL_NAMES = ("computed_refresh", "verify_every", "settings_refresh")  # decide what is due next


def status_options() -> list[click.Parameter]:
    """Those of a run that say where it went and what is due; none about the account itself."""
    rhythm = [p for p in interval_options() if p.name in INTERVAL_NAMES]
    stale = option(
        "--stale-after",
        type=Span(),
        default="24h",
        show_default=True,
        help="A table is stale if its last good run is older than this.",
    )
    return [stale, *rhythm, *destination_options()]


def max_age_options() -> list[click.Parameter]:
    """The options of `status` alone."""
    return [
        option(
            "--max-age",
            type=Span(),
            help="Exit with 1 if a table's last good run is older, or the last run failed.",
        )
    ]


def report_options() -> list[click.Parameter]:
    """The option of `report` alone."""
    return [
        option(
            "--output",
            type=NonEmpty("PATH"),
            default="zoho_report.html",
            show_default=True,
            help="The HTML file to write.",
        )
    ]


def destination_options() -> list[click.Parameter]:
    """Those of a command that reads the destination alone."""
    return [p for p in connection_options() if p.name != "connection"]


def seat_options() -> list[click.Parameter]:
    """The options of `seats`."""
    return [
        option(
            "--idle",
            type=click.IntRange(min=1),
            metavar="DAYS",
            help="Only users that hold a user licence and were idle for so many days.",
        ),
        option("--price", type=Price(), help="Price of one user licence, to sum up."),
        *(p if p.name != "log_format" else log_format(option, "csv") for p in destination_options()),
    ]


def describe_options() -> list[click.Parameter]:
    """The argument and the options of `describe`."""
    return [click.Argument(["table"], type=NonEmpty("NAME")), *destination_options()]


def export_options() -> list[click.Parameter]:
    """The argument and the options of `export`."""
    return [
        click.Argument(["folder"], type=NonEmpty("DIR")),
        option(
            "--format",
            "file_format",
            type=click.Choice(["parquet", "csv", "jsonl"]),
            default="parquet",
            show_default=True,
            help="Format of the files.",
        ),
        *(
            p if p.name != "log_format" else log_format(option, names=["--log-format"])
            for p in destination_options()
        ),
    ]


def files_options() -> list[click.Parameter]:
    """The argument and the options of `files`."""
    credits = next(p for p in credit_options() if p.name == "max_credits")
    return [
        click.Argument(["folder"], type=NonEmpty("FOLDER")),
        option("--max-size", type=Size(), help="Leave larger files out."),
        option("--repair", is_flag=True, help="Read every copy first, and copy again what is not as it was."),
        credits,
        *module_options(),
        *connection_options(),
    ]


def view_options() -> list[click.Parameter]:
    """The options of `views`."""
    return [
        option("--labels", is_flag=True, help="Name the columns as the CRM labels its fields."),
        option("--drop", is_flag=True, help="Remove the views that this command has made."),
        *destination_options(),
    ]


def model_options() -> list[click.Parameter]:
    """The options of `models`."""
    return [
        option("--dbt", type=NonEmpty("DIR"), help="Folder of the dbt project to write."),
        *destination_options(),
    ]


def open_options() -> list[click.Parameter]:
    """The options of `open`."""
    return [
        option("--print", is_flag=True, help="Print the lines for other programs, and start nothing."),
        *destination_options(),
    ]


def json_options() -> list[click.Parameter]:
    """The option of the commands whose answer is one document."""
    return [option("--json", is_flag=True, help="Print one JSON document instead of lines.")]


WEBHOOK = f"{SECTION}.notify_webhook"


def notification_options() -> list[click.Parameter]:
    """The options of the commands that may run without anybody looking on."""
    return [
        option(
            "--notify",
            type=click.Choice(["always", "failure", "never"]),
            help="When to call the URL of `notify_webhook`. [default: failure, if it is set]",
        ),
        option(
            "--metrics-file",
            type=NonEmpty("PATH"),
            help="File to write the metrics of the run to, for Prometheus.",
        ),
    ]


def webhook_of(options: Options) -> str | None:
    """The URL to call, if there is one and it may be called. Raises SettingsError, without the URL.

    A demo calls it only if it is told to.
    """
    from urllib.parse import urlsplit

    import dlt

    from sources.zoho_crm.exceptions import SettingsError
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
        raise SettingsError(f"notify_webhook is not a URL that begins with https:// ({where}).")
    return url

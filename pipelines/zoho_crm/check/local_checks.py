"""Checks of this machine: settings, files, lock, destination, disk."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.sync.warehouse import Warehouse

from ..errors import USAGE, one_line
from ..options import SECTION, Options
from ..run.destination import choose_destination, database_file, remove_if_empty
from ..run.dlt_runtime import dlt_log
from ..run.lock import dataset_lock_file, holder_of, lock_file
from ..run.pipeline import LOOK, open_pipeline
from ..run.progress import Progress
from .result import COMMAND, CheckResult, failed, listed, ok, unknown, warning

if TYPE_CHECKING:
    import dlt

    from sources.zoho_crm.auth.credentials import ZohoCredentials

    from .result import CheckContext


PROBE = "zoho_crm_check_"
GIGABYTE = 1_000_000_000
ROW = 1_000  # bytes that a row is expected to take on the way: in an archive, in Parquet and in the load package
LEAST_ROOM = 50_000_000  # bytes, for a small account's packages, its database and what it writes beside
MAKE_ROOM = "make room, or use --pipelines-dir"
# Where `drop schema` refuses a schema that is not empty, so that one made for a look may be dropped again.
REFUSES_FULL = frozenset({"duckdb", "postgres"})


def check_names(state: CheckContext) -> CheckResult:
    """A DuckDB file and a schema of one name make every reference ambiguous."""
    options = state.options
    try:
        chosen = choose_destination(options.destination, options.dataset, options.pipeline_name, options.demo)
    except SettingsError as error:
        return failed("names", str(error), "correct --destination, --dataset or the file's name", USAGE)
    state.destination = chosen
    state.database = database_file(chosen, options.pipeline_name, options.demo)
    if state.database is None:
        return ok("names", f"destination {options.destination}, dataset {options.dataset}")
    return ok(
        "names",
        f"the file {state.database.name} and the schema {options.dataset} have different names, as DuckDB needs",
    )


def check_lock(state: CheckContext) -> CheckResult:
    """Whether another run of this pipeline is in progress. Takes no lock: that would refuse a run that begins."""
    name = state.options.pipeline_name
    try:
        Path(state.place).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state.place):
            pass
    except OSError as error:
        told = f"The pipelines dir {state.place} cannot be used ({error.strerror})"
        return failed("lock", told, "name a folder that you may write to with --pipelines-dir", USAGE)
    locks = [lock_file(state.place, name)]
    if state.database is not None:
        locks.append(dataset_lock_file(state.database.resolve(), state.options.dataset))
    holder = next((one for lock in locks if (one := holder_of(lock)) and one.is_alive), None)
    if holder is not None:
        state.busy = True
        return warning(
            "lock",
            f"another run is in progress ({holder}), and keeps a second one out",
            "wait until it is done",
        )
    return ok("lock", f"no other run of the pipeline {name} is in progress")


def check_destination(state: CheckContext) -> CheckResult:
    """Really write something small beside the user's tables, and take it away again."""
    name, options, chosen = "destination", state.options, state.destination
    if chosen is None:
        return unknown(name, "not opened: dlt has no destination of that name")
    if state.busy:
        return unknown(name, "not opened: the other run has it")
    file = state.database
    if file is not None and (trouble := _folder_trouble(file.parent)):
        return failed(name, trouble, "name another file in DESTINATION__DUCKDB__CREDENTIALS", USAGE)
    try:
        with _opened(state) as pipeline:
            try:
                _write_and_remove(pipeline)
            except Exception as error:  # noqa: BLE001 - each destination has errors of its own
                told = f"{options.destination} is open, but not writable: {one_line(str(error), 300)}"
                return failed(name, told, "grant the right to create schemas and tables", USAGE)
            _remember_runs(state, pipeline)
    except SettingsError as error:
        return _not_open(state, str(error))
    where = str(file) if file is not None else options.destination
    return ok(name, f"{where} is open and writable, dataset {options.dataset}")


@contextmanager
def _opened(state: CheckContext) -> Iterator[dlt.Pipeline]:
    """From a folder of its own: a run may begin meanwhile."""
    options, place = state.options, state.place if Path(state.place).is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix=LOOK, dir=place, ignore_cleanup_errors=True) as folder,
        dlt_log(folder, options.pipeline_name),
        remove_if_empty(state.destination, state.database),
    ):
        yield open_pipeline(options.pipeline_name, state.destination, options.dataset, folder, Progress())


def _not_open(state: CheckContext, told: str) -> CheckResult:
    locked = re.search(r"Could not set lock.*?(?:\(PID (\d+)\)|$)", told)
    if locked is None:
        return failed("destination", told, "set what dlt's page on this destination asks for", USAGE)
    by = f", PID {locked[1]}" if locked[1] else ""
    return failed(
        "destination",
        f"{state.database} is open in another process{by}: a DuckDB file has one writer at a time",
        "close it there, and read it with read_only=True while no run is on",
        USAGE,
    )


def _folder_trouble(folder: Path) -> str:
    """DuckDB writes beside its file, too."""
    if not folder.is_dir():
        return f"the folder {folder} of the DuckDB file does not exist"
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"the folder {folder} of the DuckDB file cannot be written to ({error.strerror})"


def _write_and_remove(pipeline: dlt.Pipeline) -> None:
    from dlt.destinations.sql_client import WithSqlClient

    with pipeline.destination_client() as client:
        files = getattr(client, "fs_client", None)
        if files is not None:
            _probe_files(files, str(getattr(client, "dataset_path", "")))
        elif isinstance(client, WithSqlClient):
            _probe_database(client.sql_client, str(client.capabilities.sqlglot_dialect))


def _probe_files(files: Any, folder: str) -> None:
    existed, probe = files.exists(folder), f"{folder}{PROBE}{uuid4().hex}"
    files.makedirs(folder, exist_ok=True)
    files.write_text(probe, "")
    files.rm(probe)
    if not existed and files.isdir(folder):  # object stores have no folders
        files.rmdir(folder)


def _probe_database(sql: Any, dialect: str) -> None:
    existed = sql.has_dataset()
    if not existed:
        sql.create_dataset()
    table = sql.make_qualified_table_name(f"{PROBE}{uuid4().hex[:12]}")
    try:
        sql.execute_sql(f"create table {table} (probe int)")
        sql.execute_sql(f"drop table {table}")
    finally:
        if not existed and dialect in REFUSES_FULL:
            sql.execute_sql(f"drop schema {sql.fully_qualified_dataset_name()}")


def _remember_runs(state: CheckContext, pipeline: dlt.Pipeline) -> None:
    """What the last runs found and took, from `sync_runs`; a destination that cannot tell is no trouble."""
    with suppress(Exception):
        if "sync_runs" not in Warehouse(pipeline, Path(pipeline.working_dir)).tables(["sync_runs"]):
            return
        with pipeline.sql_client() as sql:
            runs = sql.make_qualified_table_name("sync_runs")
            most = f"select module, max(coalesce(crm_count, rows_read)) as most from {runs} group by module"
            state.rows = _number(sql.execute_sql(f"select sum(most) from ({most}) as m"))
            names = sql.execute_sql(f"select distinct module from {runs} where status = 'read'")
            state.loaded = frozenset(name for (name,) in names or ())
            last = f"select run_id from {runs} where module is not null order by started_at desc limit 1"
            state.last_credits = _number(
                sql.execute_sql(f"select sum(credits) from {runs} where run_id in ({last})")
            )


def _number(rows: Any) -> int:
    return int(rows[0][0] or 0) if rows else 0


def check_disk(state: CheckContext) -> CheckResult:
    """The room in the working folder and in DuckDB's."""
    wanted = max(GIGABYTE, state.rows * ROW)
    rooms = {"the working folder": (_existing(Path(state.place)), wanted)}
    if state.database is not None:
        # A table that is read whole stands beside its old one until it takes its place.
        size = state.database.stat().st_size if state.database.is_file() else 0
        rooms["DuckDB's folder"] = (_existing(state.database.parent), max(wanted, size))
    free = {name: shutil.disk_usage(folder).free for name, (folder, _) in rooms.items()}
    told = ", ".join(f"{_size(free[name])} free in {name} {folder}" for name, (folder, _) in rooms.items())
    if min(free.values()) < LEAST_ROOM:
        return failed("disk", f"{told}; a run takes at least {_size(LEAST_ROOM)}", MAKE_ROOM)
    short = [f"{_size(need)} in {name}" for name, (_, need) in rooms.items() if free[name] < need]
    if short:
        return warning("disk", f"{told}; a run may want {' and '.join(short)}", MAKE_ROOM)
    return ok("disk", told)


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _size(number: int) -> str:
    return f"{number / GIGABYTE:,.1f} GB" if number >= GIGABYTE else f"{number / 1_000_000:,.0f} MB"


SECTIONS = (("sources", "zoho_crm"), ("sources",), ())  # as dlt looks: from the narrowest to none
OTHERS = stat.S_IRWXG | stat.S_IRWXO
ENVIRONMENT = "Environment Variables"  # dlt's name for it


def check_settings(state: CheckContext) -> CheckResult:
    """Raises SettingsError for what is missing or wrong."""
    from sources.zoho_crm.client.client import connect
    from sources.zoho_crm.client.throttling import RetryPolicy
    from sources.zoho_crm.exceptions import SettingsError

    try:
        credentials = state.open_account()
    except SettingsError as error:
        state.credentials = _credentials_for_ping(state.options)
        remedy = f"put it into .env (.env.example shows how), or run `{COMMAND} authorize`"
        return failed("settings", str(error), remedy, USAGE)
    state.credentials = credentials
    state.client = connect(credentials, RetryPolicy(attempts=2, backoff=0.5))  # a person waits
    given = "; ".join(_places(credentials, state.options))
    values = f"Service={credentials.service}, Region={credentials.region}, InstanceType={credentials.instance_type}, API {credentials.api}"
    return ok("settings", f"{values}; {given}" if given else values)


def _credentials_for_ping(options: Options) -> ZohoCredentials | None:
    """The client and the region, if only the tokens are missing."""
    from sources.zoho_crm.auth.credentials import resolve_credentials
    from sources.zoho_crm.exceptions import SettingsError

    try:
        found = resolve_credentials(options.connection, for_consent=True)
    except SettingsError:
        return None
    return found if found.oauth_client_id and found.oauth_client_secret else None


def _places(credentials: ZohoCredentials, options: Options) -> Iterator[str]:
    """`OAuthClientId, OAuthRefreshToken from .env`: names by their place, never a secret's value."""
    from sources.zoho_crm.auth.credentials import BY_ATTRIBUTE

    if options.demo:
        yield "all from the demo"
        return
    found: dict[str, list[str]] = {}
    native, there = _native(options)
    for attribute, setting in BY_ATTRIBUTE.items():
        place = there if setting.name.casefold() in native else _looked_up(attribute, options)
        if place is not None and getattr(credentials, attribute) is not None:
            found.setdefault(place, []).append(setting.name)
    for place, names in found.items():
        yield f"{listed(names, verbose=True)} from {place}"


def _native(options: Options) -> tuple[frozenset[str], str]:
    """The names in the connection string, and where that is."""
    from sources.zoho_crm.auth.connection_string import split_settings

    text, place = options.connection, "--connection"
    if text is None:
        key, text = _value("credentials", ())
        place = key and _spelt(key, options) or ""
    pairs = split_settings(text) if text else []
    return frozenset(name.casefold() for name, _ in pairs), place


def _looked_up(attribute: str, options: Options) -> str | None:
    key, _ = _value(attribute, ("credentials",))
    return _spelt(key, options) if key else None


def _value(name: str, last: tuple[str, ...]) -> tuple[tuple[str, str] | None, str | None]:
    """((place, key), value) of what dlt finds first."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        for sections in SECTIONS:
            value, key = provider.get_value(name, str, None, *sections, *last)
            if isinstance(value, (str, int, float, list)):
                return (provider.name, key), value if isinstance(value, str) else None
    return None, None


def _spelt(found: tuple[str, str], options: Options) -> str:
    place, key = found
    if place != ENVIRONMENT:
        return place
    return env_file(options).name if _of_env_file(options).get(key) == os.environ.get(key) else key


def _of_env_file(options: Options) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    path = env_file(options)
    if options.demo or not path.is_file():
        return {}
    return dotenv_values(path, interpolate=False, encoding="utf-8-sig")


def env_file(options: Options) -> Path:
    import dlt

    named = options.env_file
    if named == Options.env_file:
        named = dlt.config.get(f"{SECTION}.env_file") or named
    return Path(named)


def check_permissions(state: CheckContext) -> CheckResult:
    """Files that hold secrets must not be readable by others."""
    name = "permissions"
    if os.name != "posix":
        return unknown(name, "who may read a file is not looked at on this system")
    files = [path for path in _secret_files(state) if path.is_file()]
    open_ones = [path for path in files if path.stat().st_mode & OTHERS]
    if open_ones:
        shown = ", ".join(f"{path} (mode {stat.S_IMODE(path.stat().st_mode):04o})" for path in open_ones)
        return warning(
            name, f"others on this machine may read {shown}", f"chmod 600 {' '.join(map(str, open_ones))}"
        )
    if not files:
        return ok(name, "no file of secrets is here")
    return ok(name, f"only you may read {', '.join(map(str, files))}")


def _secret_files(state: CheckContext) -> Iterator[Path]:
    """`.env`, dlt's secrets.toml, and the cache of tokens."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs import PluggableRunContext

    if not state.options.demo:
        yield env_file(state.options)
        for provider in Container()[PluggableRunContext].providers.providers:
            if provider.supports_secrets and provider.name != ENVIRONMENT:
                yield from (Path(place) for place in getattr(provider, "present_locations", ()))
    if state.credentials is not None:
        from sources.zoho_crm.auth.token_store import TokenCache

        yield from TokenCache(state.credentials.oauth_settings_location).files()

"""Whether a run would work: settings, token, organisation, scopes, destination, each with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from sources.zoho_crm.errors import CredentialsError, SettingsError, Skippable
from sources.zoho_crm.settings import CONSENT_AGAIN

from .account import opened_account, pipelines_dir, secrets_of
from .console import Console
from .destination import choose_destination, unfilled
from .dlt_runtime import dlt_log
from .failures import explain, one_line, without_secrets
from .lock import alone
from .opening import open_pipeline
from .options import Options
from .progress import Progress
from .scopes import lacking

if TYPE_CHECKING:
    import dlt

    from sources.zoho_crm.client import ZohoClient
    from sources.zoho_crm.credentials import ZohoCredentials

PROBE = "zoho_crm_check"


def print_checks(options: Options, console: Console) -> int:
    """One line each; the exit code is that of the first that failed."""
    codes = []
    with ExitStack() as opened:
        for name, ask in _checks(options, console, opened):
            code, detail = _outcome(ask, options)
            codes.append(code)
            say = console.last if code else console.text
            say(f"{name + ':':14}{'failed: ' if code else 'ok: '}{detail}")
            console.event("check", {"check": name, "ok": code == 0, "detail": detail})
    failed = [code for code in codes if code]
    code = failed[0] if failed else 0
    console.last("A run would work." if not failed else f"{len(failed)} of {len(codes)} checks failed.")
    console.event("summary", {"checks": len(codes), "failed": len(failed), "exit_code": code})
    return code


def _outcome(ask: Callable[[], str], options: Options) -> tuple[int, str]:
    try:
        return 0, one_line(ask())
    except Exception as error:
        known = explain(error)
        if known is None:
            raise
        return known[1], without_secrets(known[0], secrets_of(options))


def _checks(options: Options, console: Console, opened: ExitStack) -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks in their order; what a failed one leaves unknown is not asked."""
    found: dict[str, Any] = {}

    def settings() -> str:
        from sources.zoho_crm.client import connect

        found["credentials"] = opened.enter_context(opened_account(options, console))
        found["client"] = connect(found["credentials"])
        return _settings(found["credentials"])

    def token() -> str:
        found["domain"] = found["client"].door.auth.api_domain
        return f"{found['credentials'].accounts_url} gave a token for {found['domain']}"

    yield "settings", settings
    if "client" in found:
        yield "token", token
    if "domain" in found:
        yield "organisation", lambda: _organisation(found["credentials"], found["client"])
        yield "scopes", lambda: _scopes(found["credentials"], found["client"])
    yield "destination", lambda: _destination(options)


def _settings(credentials: ZohoCredentials) -> str:
    return f"Region={credentials.region}, InstanceType={credentials.instance_type}, API {credentials.api}"


def _organisation(credentials: ZohoCredentials, client: ZohoClient) -> str:
    try:
        organisations = client.get("org").get("org") or [{}]
    except Skippable as error:
        return f"its name may not be read with this token ({error.code}); the table org is left out"
    organisation = organisations[0]
    kind = str(organisation.get("type") or "production")
    if (kind == "sandbox") != (credentials.instance == "Sandbox") and kind in ("production", "sandbox"):
        raise SettingsError(
            f"InstanceType={credentials.instance_type}, but the token is of a {kind} organisation: "
            "set InstanceType, or consent again for the other organisation"
        )
    return f"{organisation.get('company_name') or 'without a name'} ({kind}), id {organisation.get('zgid')}"


def _scopes(credentials: ZohoCredentials, client: ZohoClient) -> str:
    granted = client.door.auth.scope
    if granted is None:
        return "Zoho does not say which were granted; a run reports what it may not read"
    needed, missed = lacking(granted, credentials.scopes if credentials.scope else None)
    if needed:
        raise CredentialsError(f"not granted: {', '.join(needed)}. To get them, {CONSENT_AGAIN}.")
    without = "".join(f"; without {scope} {effect}" for scope, effect in missed)
    return f"{len(granted)} granted{without}"


def _destination(options: Options) -> str:
    place, name = pipelines_dir(options), options.pipeline_name
    chosen = choose_destination(options.destination, options.dataset, name, options.demo)
    with alone(place, name), dlt_log(place, name), unfilled(chosen):
        pipeline = open_pipeline(name, chosen, options.dataset, place, Progress())
        try:
            _write_and_remove(pipeline)
        except Exception as error:
            raise SettingsError(f"{options.destination} is open, but not writable: {error}") from error
    return f"{options.destination} is open and writable, dataset {options.dataset}"


def _write_and_remove(pipeline: dlt.Pipeline) -> None:
    """Something small in the dataset, or the dataset itself where there is none yet; nothing of it stays."""
    from dlt.destinations.sql_client import WithSqlClient

    with pipeline.destination_client() as client:
        files = getattr(client, "fs_client", None)
        if files is not None:
            _probe_files(files, str(getattr(client, "dataset_path", "")))
        elif isinstance(client, WithSqlClient):
            _probe_database(client.sql_client)


def _probe_files(files: Any, folder: str) -> None:
    existed = files.exists(folder)
    files.makedirs(folder, exist_ok=True)
    files.write_text(folder + PROBE, "")
    files.rm(folder + PROBE)
    if not existed and files.isdir(folder):  # object stores have no folders
        files.rmdir(folder)


def _probe_database(sql: Any) -> None:
    if not sql.has_dataset():
        sql.create_dataset()  # it stays: between two calls a run may have put something into it
    table = sql.make_qualified_table_name(PROBE)
    sql.execute_sql(f"create table {table} (probe int)")
    sql.execute_sql(f"drop table {table}")

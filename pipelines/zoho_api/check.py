"""`check`: whether a run of each connector would work, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.errors import FAILED, REFUSED, USAGE, print_error
from pipelines.zoho_crm.output.run_report import group
from sources.zoho_crm.auth.scopes import covers
from sources.zoho_crm.exceptions import CredentialsError, NotAvailableError, SettingsError, ZohoCrmError

if TYPE_CHECKING:
    from sources.zoho_api import Service

    from .cli import Account


def print_checks(account: Account, console: Console) -> int:
    """Settings, token, scopes by table and organisation of each connector. Returns the worst exit code."""
    from .cli import open_connector, with_name

    worst = 0
    for name in account.options.connectors:
        code, problem = 0, ""
        try:
            service = open_connector(account, name)
            code, problem = _check(service, console)
        except ZohoCrmError as error:
            code, problem = _code_of(error), str(error)
        if problem:
            console.marked("FAILED  ", "bold red", with_name(name, problem), matters=True)
        console.event("check", {"connector": name, "problem": problem or None, "exit_code": code})
        worst = max(worst, code)
    if worst:
        print_error("A run would fail, or leave tables out: see above.")
    else:
        console.last("All is well.")
    return worst


def _code_of(error: ZohoCrmError) -> int:
    if isinstance(error, (CredentialsError, NotAvailableError)):
        return REFUSED
    return USAGE if isinstance(error, SettingsError) else FAILED


def _try_all(service: Service, console: Console) -> tuple[int, str]:
    """Make the first request of each resource that needs no row of another one. Exit code and sentence, as below."""
    from sources.zoho_api.request import try_resource

    worst, problems = 0, []
    names = [one.name for one in service.connector.resources if one.parent is None]
    for name in names:
        try:
            try_resource(service, name)
        except ZohoCrmError as error:
            worst = max(worst, _code_of(error))
            problems.append((name, str(error)))
    if not problems:
        console.text(f"  {', '.join(names)}: the first page is as the file says.")
    return worst, "; ".join(f"{', '.join(tables)}: {why}" for why, tables in group(problems).items())


def _check(service: Service, console: Console) -> tuple[int, str]:
    """Exit code and sentence of what is wrong.

    Of Zoho's services only a token, the organisations and the modules are asked for.
    """
    from sources.zoho_api import discovered, source_of
    from sources.zoho_api.service import ORGANIZATION_ID, organizations

    connector = service.connector
    console.text(f"{connector.name}: {connector.title} at {service.base_url}")
    granted = service.granted_scopes()
    if granted is None and service.signer is not None:
        console.text("  The token's answer names no scopes, so a run finds out which tables it may read.")
    missing = [
        one
        for one in connector.resources
        if granted is not None and one.scopes and not all(covers(granted, scope) for scope in one.scopes)
    ]
    if missing:
        tables = ", ".join(one.name for one in missing)
        needed = dict.fromkeys(scope for one in missing for scope in one.scopes)
        scopes = ", ".join(scope for scope in needed if granted is not None and not covers(granted, scope))
        return REFUSED, f"not granted: {scopes}; needed by {tables}. {service.remedy}"
    if connector.organization is not None:
        found = organizations(service)
        if not found:
            return FAILED, f"this account has no {connector.title}"
        chosen = service.wanted_organization
        if chosen is None and len(found) > 1:
            names = ", ".join(f"{id} ({name})" for id, name in found)
            return FAILED, f"several organisations: {names}. Choose one with --param {ORGANIZATION_ID}=..."
        if chosen is not None and chosen not in dict(found):
            return FAILED, f"there is no organisation {chosen}; there are {', '.join(dict(found))}"
        id = chosen or found[0][0]
        console.text(f"  Organisation {id} ({dict(found)[id]}).")
    plain = [one.name for one in connector.resources if not one.is_template]
    source_of(service, plain)  # dlt checks what the file says
    discovered(service, ())
    console.text(f"  {len(service.connector.resources):,} tables may be read.")
    for name, reason in service.left_out.items():
        console.text(f"  No table of {name}: {reason}.")
    return (0, "") if connector.authentication.type == "zoho" else _try_all(service, console)

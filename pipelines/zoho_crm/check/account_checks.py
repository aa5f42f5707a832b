"""Checks that ask Zoho: token, scopes, modules, credits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sources.zoho_crm.auth.scopes import (
    BULK,
    COQL,
    LIST_FIELDS,
    LIST_MODULES,
    MODULES,
    NO_JOB,
    PROBES,
    covers,
    needs,
    of_module,
    of_tables,
    other_service,
    probes,
    wide,
)
from sources.zoho_crm.config import AUDIT_LOG
from sources.zoho_crm.service import COUNT_SCOPE

from ..errors import FAILED, REFUSED, USAGE, describe_error
from ..options import policy_of
from ..run.run_result import OUT_OF_SCOPE
from .result import AUTHORIZE, CheckResult, failed, listed, not_asked, ok, unknown, warning

if TYPE_CHECKING:
    from sources.zoho_crm.client.client import ZohoClient
    from sources.zoho_crm.exceptions import ZohoCrmError
    from sources.zoho_crm.models import Module

    from .result import CheckContext


HOUR = 3600.0
FRESH = 600.0  # seconds: Zoho gives 10 tokens in 10 minutes, so a younger one is not renewed to see whether it can be
SKEW = 60.0
NETWORK = "check the network, a proxy (ProxyServer), Region and AccountsServer"
CONSENT = (
    f"{AUTHORIZE}, which gets new tokens; if the client is new, too, put its id and secret into .env first"
)
FOR_A_RUN, FOR_A_MODULE = 15, 4  # credits of a run that finds nothing new (README)


def check_accounts(state: CheckContext) -> CheckResult:
    """Whether the accounts server answers at all. Raises ZohoConnectionError."""
    from sources.zoho_crm.auth.oauth_client import ping_accounts_server
    from sources.zoho_crm.exceptions import ZohoConnectionError

    if state.credentials is None:
        return not_asked("accounts", "the settings do not say where the accounts server is")
    before = _now()
    try:
        server = ping_accounts_server(state.credentials)
    except ZohoConnectionError as error:
        return failed("accounts", str(error), NETWORK)
    state.reached = True
    after = _now()
    state.compare_clocks(server, before, after, "the accounts server's")
    took = (after - before).total_seconds() * 1000
    return ok("accounts", f"{state.credentials.accounts_url} answers in {took:,.0f} ms")


def check_token(state: CheckContext) -> CheckResult:
    """A token, renewed unless that was done minutes ago, and taken by the API."""
    from sources.zoho_crm.exceptions import CredentialsError, ZohoConnectionError, ZohoCrmError

    client = state.client
    if client is None or not state.reached:
        return not_asked("token", _why_no_token(state))
    auth = client.context.auth
    try:
        left = _left(auth.expires_at)
        if auth.can_renew and left is not None and left < HOUR - FRESH:
            auth.renew()
            left = _left(auth.expires_at)
        try:
            before = _now()
            state.organisation = _first(client.get("org"))
        except (CredentialsError, ZohoConnectionError):
            raise
        except ZohoCrmError as error:
            state.organisation = error
        state.compare_clocks(client.context.server_time, before, _now(), "Zoho's")
    except CredentialsError as error:
        return failed("token", str(error), CONSENT, REFUSED)
    except ZohoConnectionError as error:
        return failed("token", str(error), NETWORK)
    state.grants = Grants(client)
    return _life(auth.api_domain, left, renews=auth.can_renew)


def _life(domain: str, left: float | None, *, renews: bool) -> CheckResult:
    if not renews:
        return warning(
            "token", f"{domain} takes it, but it cannot be renewed", f"{AUTHORIZE} for a refresh token"
        )
    minutes = f"{(left or 0) / 60:.0f} minutes"
    if left is not None and left < HOUR - FRESH:
        return warning(
            "token",
            f"a new one is valid for {minutes} only, not an hour",
            "ask the operator of AccountsServer",
        )
    return ok("token", f"accepted by {domain}; valid for {minutes}, renewed by itself")


def _why_no_token(state: CheckContext) -> str:
    return "the settings are not complete" if state.client is None else "the accounts server was not reached"


def check_organisation(state: CheckContext) -> CheckResult:
    """Which organisation this is, and whether it is the one that the settings mean."""
    from sources.zoho_crm.exceptions import NotAvailableError, ZohoCrmError

    name, found, credentials = "organisation", state.organisation, state.credentials
    if found is None or credentials is None:
        return not_asked(name, NO_TOKEN)
    if isinstance(found, NotAvailableError):
        return unknown(name, f"may not be asked with this token ({found.code}), and a run can do without")
    if isinstance(found, ZohoCrmError):
        return failed(name, str(found), remedy_for(found), code_for(found))
    kind, zgid = str(found.get("type") or "production"), str(found.get("zgid"))
    edition = str(_part(found, "license_details").get("paid_type") or "unknown")
    told = (
        f"{found.get('company_name') or 'without a name'}, {edition} edition, {credentials.region},"
        f" {kind}, id {zgid}"
    )
    if kind in ("production", "sandbox") and (kind == "sandbox") != (credentials.instance == "Sandbox"):
        told += f", but InstanceType={credentials.instance_type}"
        return failed(name, told, f"set InstanceType, or {AUTHORIZE} and choose the other one", USAGE)
    if credentials.org_id and credentials.org_id != zgid:
        told += f", but OrgId={credentials.org_id}"
        return failed(name, told, f"correct OrgId, or {AUTHORIZE} and choose the other one", USAGE)
    return ok(name, told)


def remedy_for(error: ZohoCrmError) -> str:
    """What to do about an error of a call; a refusal that lasts is not helped by trying again."""
    from sources.zoho_crm.exceptions import (
        CredentialsError,
        DailyLimitError,
        Retriable,
        SettingsError,
        ZohoConnectionError,
    )

    if isinstance(error, SettingsError):
        return "correct Region, InstanceType or APIDomain"
    if isinstance(error, CredentialsError):
        return AUTHORIZE
    if isinstance(error, DailyLimitError):
        return "wait: each call's credits come back 24 hours later"
    if isinstance(error, (Retriable, ZohoConnectionError)):
        return "try again later; if it stays, look at Zoho's status page"
    return "trying again brings the same: docs/troubleshooting.md explains the sentence"


def code_for(error: ZohoCrmError) -> int:
    """The exit code of a run that meets it while it plans."""
    known = describe_error(error)
    return known[1] if known else FAILED


def check_user(state: CheckContext) -> CheckResult:
    """Whose token it is: what this user may not see does not exist for a run."""
    from sources.zoho_crm.exceptions import NotAvailableError, ZohoCrmError

    if state.client is None or state.grants is None:
        return not_asked("user", NO_TOKEN)
    try:
        user = _first(state.client.get("users", {"type": "CurrentUser"}), "users")
    except NotAvailableError as error:
        return unknown("user", f"may not be asked with this token ({error.code}), and a run can do without")
    except ZohoCrmError as error:
        return unknown("user", str(error), remedy_for(error))
    profile = str(_part(user, "profile").get("name") or "no profile")
    told = f"the token acts as {user.get('full_name')} ({profile})"
    if profile != "Administrator":
        return warning(
            "user",
            f"{told}: records that this user may not see are not read",
            f"{AUTHORIZE} as an administrator",
        )
    return ok("user", told)


def check_clock(state: CheckContext) -> CheckResult:
    """The difference between this machine and Zoho."""
    if state.clock is None:
        return unknown("clock", "not compared: no answer tells the time")
    ahead, whose = state.clock
    told = f"this machine's clock and {whose} differ by {_span(abs(ahead))}"
    if abs(ahead) >= SKEW:
        side = "ahead" if ahead > 0 else "behind"
        return warning("clock", f"{told}: it is {side}", "turn on network time (timedatectl set-ntp true)")
    return ok("clock", told)


def check_credits(state: CheckContext) -> CheckResult:
    """How many API credits are left today, and whether a run can live on them."""
    if state.client is None or state.grants is None:
        return not_asked("credits", NO_TOKEN)
    left = state.client.context.credits_remaining
    needed = FOR_A_RUN + FOR_A_MODULE * len(state.tables)
    if left is None:
        return ok(
            "credits", f"more than half{_of_a_day(state)} is left: Zoho tells the number once half is used"
        )
    told = f"{left:,} left{_of_a_day(state)}"
    wait = "wait: each call's credits come back 24 hours later"
    if left < needed:
        return failed("credits", f"{told}; a run that finds nothing new takes up to {needed:,}", wait)
    if state.last_credits is not None and left < state.last_credits:
        return warning(
            "credits", f"{told}; the last run took {state.last_credits:,}", f"{wait}, or use --max-credits"
        )
    return ok("credits", told)


def _of_a_day(state: CheckContext) -> str:
    """What the edition has a day, without add-ons."""
    if not isinstance(state.organisation, Mapping):
        return ""
    licence = _part(state.organisation, "license_details")
    users = str(licence.get("users_license_purchased"))
    edition, licences = str(licence.get("paid_type")), int(users) if users.isdecimal() else 0
    credits = state.service.credits_a_day(edition, licences)
    return "" if credits is None else f" of about {credits:,} a day"


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}


def _first(body: Mapping[str, Any], key: str = "org") -> Mapping[str, Any]:
    rows = body.get(key)
    first = rows[0] if isinstance(rows, list) and rows else {}
    return first if isinstance(first, Mapping) else {}


def _left(expires_at: float | None) -> float | None:
    return None if expires_at is None else expires_at - time.time()


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class Grants:
    """Asks for each scope once at most; `told` says whether nothing had to be asked."""

    def __init__(self, client: ZohoClient) -> None:
        self._client = client
        self._granted = client.context.auth.scope
        self._asked: dict[str, bool | None] = {}
        self._refused: dict[str, ZohoCrmError] = {}

    @property
    def told(self) -> bool:
        return self._granted is not None

    def has(self, scope: str, module: str | None) -> bool | None:
        """Whether it is granted; None if that cannot be found out, for want of a module to ask with, say."""
        if self._granted is not None:
            return covers(self._granted, scope)
        if scope not in self._asked:
            self._asked[scope] = self._ask(scope, module)
        return self._asked[scope]

    def learn(self, scope: str, granted: bool) -> None:
        """What a call showed that was made anyway."""
        self._asked[scope] = granted

    def reads(self, module: Module) -> bool:
        """Whether the token has a scope for this module, as far as anybody told or `ask_modules` has asked."""
        refused = self._refused.get(module.api_name)
        if refused is not None and OUT_OF_SCOPE in str(refused):
            return False
        if self._granted is None:
            return True
        own = "custom" if module.generated_type == "custom" else module.api_name
        service = self._client.service
        names = [service.scope(MODULES), *of_module(service, module.api_name), *of_module(service, own)]
        return any(covers(self._granted, name) for name in names)

    def ask_modules(self, modules: Sequence[Module]) -> None:
        """One call of one credit for each: what a profile forbids shows only so."""
        from sources.zoho_crm.limits import CALLS_AT_ONCE

        with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
            answers = pool.map(lambda m: self._error(f"{m.api_name}?fields=id&per_page=1"), modules)
            for module, error in zip(modules, answers, strict=True):
                if error is not None:
                    self._refused[module.api_name] = error

    def forbidden(self) -> dict[str, str]:
        """The modules that were asked and that Zoho does not let this user read, for another reason than a scope."""
        return {name: str(e) for name, e in self._refused.items() if OUT_OF_SCOPE not in str(e)}

    def _ask(self, scope: str, module: str | None) -> bool | None:
        from sources.zoho_crm.exceptions import ZohoError

        path = probes(self._client.service).get(scope)
        if path is None or (module is None and "{module}" in path):
            return None
        error = self._error(path.format(module=module))
        if error is None or isinstance(error, ZohoError):
            return error is None or error.code != OUT_OF_SCOPE
        return None

    def _error(self, path: str) -> ZohoCrmError | None:
        """What Zoho has against the call, which is a query if it looks like one."""
        from sources.zoho_crm.exceptions import ZohoCrmError

        try:
            if path.startswith("select "):
                self._client.post("coql", {"select_query": path})
            elif path == PROBES[BULK]:
                self._client.read_bulk_job(NO_JOB)
            else:
                self._client.get(path)
        except ZohoCrmError as error:
            return error
        return None


# Seen live: Zoho lists these and shows them to nobody, so that nobody has to act.
NEVER_VIEWABLE = frozenset(
    {
        "Email_Analytics",
        "Email_Sentiment",
        "Email_Template_Analytics",
        "Entity_Scores__s",
        "Locking_Information__s",
        "Scoring_Rules__s",
    }
)
NO_TOKEN = "there is no token that works"
SHOW = (
    "let the user's profile see it (Setup, Security Control, Profiles), or "
    + AUTHORIZE
    + " as an administrator"
)
LEAVE_OUT = "leave it out with --exclude, or name only modules that `modules` lists as chosen"
WITHOUT = {
    COUNT_SCOPE: "the CRM's own counts are missing, so that tables are compared with nothing",
    BULK: "modules are read by the Records API, which costs more credits",
    COQL: "COQL cannot be used",
}


def check_modules(state: CheckContext) -> CheckResult:
    """The modules that this user can see, of those that were chosen."""
    from sources.zoho_crm.config import ModuleSelection
    from sources.zoho_crm.discovery.account_tables import own_tables
    from sources.zoho_crm.discovery.catalog import known_names
    from sources.zoho_crm.discovery.metadata import list_modules
    from sources.zoho_crm.exceptions import NotAvailableError, ZohoCrmError, ZohoError

    options, grants = state.options, state.grants
    if state.client is None or grants is None:
        return not_asked("modules", NO_TOKEN)
    scope = state.service.scope(LIST_MODULES)
    try:
        state.modules = list_modules(state.client)
    except ZohoCrmError as error:
        grants.learn(scope, not (isinstance(error, ZohoError) and error.code == OUT_OF_SCOPE))
        if isinstance(error, NotAvailableError):
            told = other_service(state.client.context.auth.scope, state.service) or str(error)
            return failed("modules", f"cannot be listed: {told}", f"{AUTHORIZE}, for {scope}", REFUSED)
        return failed("modules", f"cannot be listed: {error}", remedy_for(error), code_for(error))
    grants.learn(scope, True)
    choice = ModuleSelection(options.modules, options.exclude, policy=policy_of(options))
    names = [m.api_name for m in state.modules]
    try:
        state.choice = known_names(choice, names, own_tables(state.service))
    except ZohoCrmError as error:
        return failed("modules", str(error), "correct --modules or --exclude", USAGE)
    named = state.choice.only
    if not grants.told or named:
        grants.ask_modules([m for m in state.tables if not named or m.api_name in named])
    return _seen(state, grants)


def _seen(state: CheckContext, grants: Grants) -> CheckResult:
    """What is left when those are taken away that the user may not see."""
    assert state.modules is not None and state.choice is not None
    from sources.zoho_crm.discovery.catalog import skip_reason

    choice, verbose = state.choice, state.options.verbose
    chosen = [m for m in state.modules if choice.selects(m.api_name)]
    hidden = [
        m.api_name for m in chosen if m.api_supported and not m.viewable and m.api_name not in NEVER_VIEWABLE
    ]
    forbidden = grants.forbidden()
    unread = {m.api_name: why for m in chosen if (why := forbidden.get(m.api_name) or skip_reason(m))}
    left = [m for m in state.tables if m.api_name not in forbidden]
    told = f"{len(left):,} of {len(state.modules):,} can be read"
    if blocked := [name for name in sorted(unread) if name in choice.only | state.loaded]:
        reasons = "; ".join(f"not {name}: {unread[name]}" for name in blocked)
        before = [name for name in blocked if name not in choice.only]
        if before:
            reasons += f"; a run fails, as {listed(before, verbose=verbose)} was read before"
        nobodys = all(not m.api_supported for m in chosen if m.api_name in blocked)
        return failed("modules", f"{told}; {reasons}", LEAVE_OUT if nobodys else SHOW)
    if hidden or forbidden:
        names = listed(sorted({*hidden, *forbidden}), verbose=verbose)
        return warning("modules", f"{told}; this user may not see {names}", SHOW)
    return ok("modules", told)


def check_scopes(state: CheckContext) -> Iterator[CheckResult]:
    """One line a scope, with the tables that ask for it; those of settings are one line if none is missing."""
    grants = state.grants
    if grants is None:
        yield not_asked("scopes", NO_TOKEN)
        return
    yield _modules_scope(state, grants)
    module = state.any_module
    groups: dict[str, dict[str, list[str]]] = {}
    for scope, tables in needs(state.service, [m.api_name for m in state.tables], state.own_tables).items():
        groups.setdefault(wide(scope), {})[scope] = tables
    for group, parts in groups.items():
        granted = {scope: grants.has(scope, module) for scope in parts}
        if all(granted.values()) and (not grants.told or grants.has(group, None)):
            tables = list(dict.fromkeys(name for names in parts.values() for name in names))
            yield ok(f"scope {group}", f"granted, for {_tables(tables, state)}")
        else:
            for scope, tables in parts.items():
                yield _scope(state, scope, tables, granted[scope])
    yield from _of_the_setting(state, grants)


def _modules_scope(state: CheckContext, grants: Grants) -> CheckResult:
    """The scope of the modules themselves, which a token may have for some only."""
    scope = state.service.scope(MODULES)
    name = f"scope {scope}"
    if not state.tables:
        if grants.has(scope, None):
            return ok(name, "granted")
        return unknown(
            name, "not known: the modules are not" if state.modules is None else "no module is chosen"
        )
    lost = [m for m in state.tables if not grants.reads(m)]
    if not lost:
        return ok(name, f"granted, for {_tables([m.api_name for m in state.tables], state)}")
    names = [m.api_name for m in lost]
    told = f"not granted for {listed(names, verbose=state.options.verbose)}"
    if len(lost) < len(state.tables):
        told += f" (neither {of_module(state.service, names[0])[0]} nor {scope})"
    if len(lost) == len(state.tables) or _wanted(state, names):
        return failed(name, told, _remedy(state, scope), REFUSED)
    return warning(name, f"{told}: a run skips what it may not read", _remedy(state, scope))


def _scope(state: CheckContext, scope: str, tables: list[str], granted: bool | None) -> CheckResult:
    name = f"scope {scope}"
    if granted:
        return ok(name, f"granted, for {_tables(tables, state)}")
    if granted is None:
        return unknown(name, f"Zoho did not say; {_tables(tables, state)} ask for it")
    needed = [state.service.scope(part) for part in (LIST_MODULES, LIST_FIELDS)]
    if scope in needed or (scope not in WITHOUT and _wanted(state, tables)):
        return failed(
            name, f"not granted: no run of {_tables(tables, state)}", _remedy(state, scope), REFUSED
        )
    effect = WITHOUT.get(scope) or f"without it a run leaves out {_tables(tables, state)}"
    return warning(name, f"not granted: {effect}", _remedy(state, scope))


def _of_the_setting(state: CheckContext, grants: Grants) -> Iterator[CheckResult]:
    """Whoever lists scopes in `Scope` wants all of them."""
    credentials = state.credentials
    if credentials is None or not credentials.scope:
        return
    missing = [scope for scope in credentials.scopes if grants.has(scope, None) is False]
    if missing:
        yield failed(
            "Scope", f"of the setting Scope is not granted: {', '.join(missing)}", AUTHORIZE, REFUSED
        )


def check_bulk(state: CheckContext) -> CheckResult:
    return _api(state, "bulk", BULK, "Bulk Read")


def check_coql(state: CheckContext) -> CheckResult:
    return _api(state, "coql", COQL, "COQL")


def _api(state: CheckContext, name: str, part: str, spoken: str) -> CheckResult:
    scope = state.service.scope(part)
    if state.grants is None or state.credentials is None:
        return not_asked(name, NO_TOKEN)
    preferred_api = state.credentials.api
    if preferred_api not in ("auto", name) or (name == "coql" and not state.credentials.coql_allowed):
        return ok(name, f"not needed: the settings keep to {preferred_api.replace('auto', 'the other APIs')}")
    granted = state.grants.has(scope, state.any_module)
    if granted is None:
        return unknown(
            name, f"Zoho did not say whether {spoken} is allowed, and no module is there to ask with"
        )
    if granted:
        return ok(name, f"{spoken} is allowed ({scope})")
    return warning(
        name, f"{spoken} is not allowed, {scope} is not granted: {WITHOUT[part]}", _remedy(state, scope)
    )


def _wanted(state: CheckContext, tables: list[str]) -> bool:
    """Whether a run fails without these: they were asked for by name, or read before."""
    named = state.choice.named if state.choice is not None else state.options.modules
    return any(name in named | state.loaded for name in tables)


def _tables(names: list[str], state: CheckContext) -> str:
    return listed(names, verbose=state.options.verbose)


def _remedy(state: CheckContext, scope: str) -> str:
    credentials = state.credentials
    if credentials is None:
        return AUTHORIZE
    if not credentials.scope and scope in of_tables(state.service).get(AUDIT_LOG, ()):
        return f"{AUTHORIZE[:-1]} --audit-log`, which asks for it"
    missing = not covers(credentials.scopes, scope)
    if credentials.auth_scheme == "ClientCredentials":
        return f"add {scope} to Scope" if missing else "let the client in Zoho's API console have it"
    return f"add {scope} to Scope, then {AUTHORIZE}" if missing else f"{AUTHORIZE}, which asks for it"

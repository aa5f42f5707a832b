"""Checks of what the token may read: the modules, each scope against each chosen table, Bulk Read and COQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .check_finding import AUTHORIZE, Finding, failed, listed, ok, unknown, warning
from .failures import REFUSED, USAGE
from .options import policy_of
from .outcome import OUT_OF_SCOPE
from .scopes import MODULES, covers
from .table_scopes import BULK, COQL, COUNT, LIST_FIELDS, LIST_MODULES, needs, of_module, wide

if TYPE_CHECKING:
    from .check_grants import Grants
    from .check_state import State

# Seen live: Zoho lists these and shows them to nobody, so that nobody has to act.
NOBODYS = frozenset(
    {
        "Email_Analytics",
        "Email_Sentiment",
        "Email_Template_Analytics",
        "Entity_Scores__s",
        "Locking_Information__s",
        "Scoring_Rules__s",
    }
)

NO_TOKEN = "not asked: there is no token that works"
SHOW = (
    "let the user's profile see it (Setup, Security Control, Profiles), or "
    + AUTHORIZE
    + " as an administrator"
)
LEAVE_OUT = "leave it out with --exclude, or name only modules that `modules` lists as chosen"
WITHOUT = {
    COUNT: "the CRM's own counts are missing, so that tables are compared with nothing",
    BULK: "modules are read by the Records API, which costs more credits",
    COQL: "COQL cannot be used",
}


def check_modules(state: State) -> Finding:
    """The modules that this user can see, of those that were chosen."""
    from sources.zoho_crm.endpoints import OUR_TABLES
    from sources.zoho_crm.errors import Skippable, ZohoCrmError, ZohoError
    from sources.zoho_crm.metadata import list_modules
    from sources.zoho_crm.survey import Choice, known_names

    from .check_account import code_for, remedy_for

    options, grants = state.options, state.grants
    if state.client is None or grants is None:
        return unknown("modules", NO_TOKEN)
    try:
        state.modules = list_modules(state.client)
    except ZohoCrmError as error:
        grants.learn(LIST_MODULES, not (isinstance(error, ZohoError) and error.code == OUT_OF_SCOPE))
        if isinstance(error, Skippable):
            return failed(
                "modules", f"cannot be listed: {error}", f"{AUTHORIZE}, for {LIST_MODULES}", REFUSED
            )
        return failed("modules", f"cannot be listed: {error}", remedy_for(error), code_for(error))
    grants.learn(LIST_MODULES, True)
    choice = Choice(options.modules, options.exclude, policy=policy_of(options))
    names = [m.api_name for m in state.modules]
    try:
        state.choice = known_names(choice, names, OUR_TABLES)
    except ZohoCrmError as error:
        return failed("modules", str(error), "correct --modules or --exclude", USAGE)
    named = state.choice.only
    if not grants.told or named:
        grants.ask_modules([m for m in state.tables if not named or m.api_name in named])
    return _seen(state, grants)


def _seen(state: State, grants: Grants) -> Finding:
    """What is left when those are taken away that the user may not see."""
    assert state.modules is not None and state.choice is not None
    from sources.zoho_crm.survey import why_not

    choice, verbose = state.choice, state.options.verbose
    chosen = [m for m in state.modules if choice.wants(m.api_name)]
    hidden = [m.api_name for m in chosen if m.api_supported and not m.viewable and m.api_name not in NOBODYS]
    forbidden = grants.forbidden()
    unread = {m.api_name: why for m in chosen if (why := forbidden.get(m.api_name) or why_not(m))}
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


def check_scopes(state: State) -> Iterator[Finding]:
    """One line a scope, with the tables that ask for it; those of settings are one line if none is missing."""
    grants = state.grants
    if grants is None:
        yield unknown("scopes", NO_TOKEN)
        return
    yield _modules_scope(state, grants)
    module = state.any_module
    groups: dict[str, dict[str, list[str]]] = {}
    for scope, tables in needs([m.api_name for m in state.tables], state.own_tables).items():
        groups.setdefault(wide(scope), {})[scope] = tables
    for group, parts in groups.items():
        held = {scope: grants.has(scope, module) for scope in parts}
        if all(held.values()) and (not grants.told or grants.has(group, None)):
            tables = list(dict.fromkeys(name for names in parts.values() for name in names))
            yield ok(f"scope {group}", f"granted, for {_tables(tables, state)}")
        else:
            for scope, tables in parts.items():
                yield _scope(state, scope, tables, held[scope])
    yield from _of_the_setting(state, grants)


def _modules_scope(state: State, grants: Grants) -> Finding:
    """The scope of the modules themselves, which a token may have for some only."""
    name = f"scope {MODULES}"
    if not state.tables:
        if grants.has(MODULES, None):
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
        told += f" (neither {of_module(names[0])[0]} nor {MODULES})"
    if len(lost) == len(state.tables) or _wanted(state, names):
        return failed(name, told, _remedy(state, MODULES), REFUSED)
    return warning(name, f"{told}: a run skips what it may not read", _remedy(state, MODULES))


def _scope(state: State, scope: str, tables: list[str], held: bool | None) -> Finding:
    name = f"scope {scope}"
    if held:
        return ok(name, f"granted, for {_tables(tables, state)}")
    if held is None:
        return unknown(name, f"Zoho did not say; {_tables(tables, state)} ask for it")
    if scope in (LIST_MODULES, LIST_FIELDS) or (scope not in WITHOUT and _wanted(state, tables)):
        return failed(
            name, f"not granted: no run of {_tables(tables, state)}", _remedy(state, scope), REFUSED
        )
    effect = WITHOUT.get(scope) or f"without it a run leaves out {_tables(tables, state)}"
    return warning(name, f"not granted: {effect}", _remedy(state, scope))


def _of_the_setting(state: State, grants: Grants) -> Iterator[Finding]:
    """Whoever lists scopes in `Scope` wants all of them."""
    credentials = state.credentials
    if credentials is None or not credentials.scope:
        return
    missing = [scope for scope in credentials.scopes if grants.has(scope, None) is False]
    if missing:
        yield failed(
            "Scope", f"of the setting Scope is not granted: {', '.join(missing)}", AUTHORIZE, REFUSED
        )


def check_bulk(state: State) -> Finding:
    return _api(state, "bulk", BULK, "Bulk Read")


def check_coql(state: State) -> Finding:
    return _api(state, "coql", COQL, "COQL")


def _api(state: State, name: str, scope: str, spoken: str) -> Finding:
    if state.grants is None or state.credentials is None:
        return unknown(name, NO_TOKEN)
    wish = state.credentials.api
    if wish not in ("auto", name) or (name == "coql" and not state.credentials.coql_allowed):
        return ok(name, f"not needed: the settings keep to {wish.replace('auto', 'the other APIs')}")
    held = state.grants.has(scope, state.any_module)
    if held is None:
        return unknown(
            name, f"Zoho did not say whether {spoken} is allowed, and no module is there to ask with"
        )
    if held:
        return ok(name, f"{spoken} is allowed ({scope})")
    return warning(
        name, f"{spoken} is not allowed, {scope} is not granted: {WITHOUT[scope]}", _remedy(state, scope)
    )


def _wanted(state: State, tables: list[str]) -> bool:
    """Whether a run fails without these: they were asked for by name, or read before."""
    named = state.choice.only if state.choice is not None else state.options.modules
    return any(name in named | state.loaded for name in tables)


def _tables(names: list[str], state: State) -> str:
    return listed(names, verbose=state.options.verbose)


def _remedy(state: State, scope: str) -> str:
    credentials = state.credentials
    if credentials is None:
        return AUTHORIZE
    missing = not covers(credentials.scopes, scope)
    if credentials.auth_scheme == "ClientCredentials":
        return f"add {scope} to Scope" if missing else "let the client in Zoho's API console have it"
    return f"add {scope} to Scope, then {AUTHORIZE}" if missing else f"{AUTHORIZE}, which asks for it"

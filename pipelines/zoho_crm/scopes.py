"""Which scopes a sync asks for, what each is for, and which of them a token lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from sources.zoho_crm.endpoints import OUR_TABLES

MODULES = "ZohoCRM.modules.READ"
SETTINGS = "ZohoCRM.settings.READ"
PARTS_OF_SETTINGS = ("ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ")

# What a run does without them; it works all the same.
OPTIONAL = {
    "ZohoCRM.users.READ": "the table users is left out",
    "ZohoCRM.org.READ": "the tables org and currencies are left out",
    "ZohoCRM.bulk.READ": "modules are read by the Records API, which costs more credits",
    "ZohoCRM.coql.READ": "COQL cannot be used",
    "ZohoSearch.securesearch.READ": "the CRM's own counts are missing",
}

USERS, ORG = "ZohoCRM.users.READ", "ZohoCRM.org.READ"
BULK, COQL, COUNT = "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ", "ZohoSearch.securesearch.READ"
OF_TABLES = {"users": (USERS,), "org": (ORG,), "currencies": (ORG, SETTINGS)}
OF_SETTINGS = ("roles", "profiles", "territories", "tags", "layouts", "pipelines")

# The modules that Zoho's page on scopes names; it spells Sales_Orders as salesorders.
WITH_SCOPE = frozenset(
    {
        "leads", "accounts", "contacts", "deals", "campaigns", "tasks", "cases", "events", "calls", "solutions",
        "products", "vendors", "pricebooks", "quotes", "salesorders", "purchaseorders", "invoices", "notes",
    }
)  # fmt: skip


def wanted(only: Collection[str], wants: Callable[[str], bool], api: str, *, coql: bool) -> list[str]:
    """Exactly what a run of the chosen tables needs; `only` empty means all, `api` and `coql` are the user's wish."""
    modules = [name for name in only if name.casefold() not in OUR_TABLES]
    found = _of_modules(modules)
    ours = [table for table in (*OF_TABLES, *OF_SETTINGS) if wants(table)]
    if any(table in OF_SETTINGS for table in ours):
        found.append(SETTINGS)
    elif "currencies" not in ours:
        found += [*PARTS_OF_SETTINGS, "ZohoCRM.settings.layouts.READ"]  # the count asks for layouts
    found += [scope for table in ours for scope in OF_TABLES.get(table, ())]
    if modules or not only:
        found += [BULK] if api in ("auto", "bulk") else []
        found += [COQL] if api in ("auto", "coql") and coql else []
        found.append(COUNT)
    return list(dict.fromkeys(found))


def _of_modules(modules: Collection[str]) -> list[str]:
    """One scope a module where Zoho has one for each, else the scope of all."""
    words = sorted(name.casefold().replace("_", "") for name in modules)
    if not words or not WITH_SCOPE.issuperset(words):
        return [MODULES]
    return [f"ZohoCRM.modules.{word}.READ" for word in words]


def lacking(
    granted: Collection[str], wanted: Iterable[str] | None
) -> tuple[list[str], list[tuple[str, str]]]:
    """The scopes without which a run is not what the user wants, and those with what goes without them.

    `wanted` is the user's own list, and then all of it is needed; None stands for what a sync reads.
    """
    if wanted is not None:
        return [scope for scope in wanted if not covers(granted, scope)], []
    needed = [MODULES] if not covers(granted, MODULES) and not _some_modules(granted) else []
    missed = [(scope, effect) for scope, effect in OPTIONAL.items() if not covers(granted, scope)]
    if not covers(granted, SETTINGS):
        parts = [part for part in PARTS_OF_SETTINGS if not covers(granted, part)]
        needed += [SETTINGS] if parts else []
        missed += [] if parts else [(SETTINGS, "the tables of settings are left out")]
    return needed, missed


def covers(granted: Collection[str], scope: str) -> bool:
    """Whether a scope is granted by itself, by `.ALL`, or with a wider group; case does not matter."""
    held = {name.casefold() for name in granted}
    *group, operation = scope.casefold().split(".")
    wider = [".".join(group[:length]) for length in range(len(group), 1, -1)]
    return any(f"{name}.{word}" in held for name in wider for word in (operation, "all"))


def _some_modules(granted: Collection[str]) -> bool:
    """A token may be for some modules only: `ZohoCRM.modules.leads.READ`."""
    return any(name.casefold().startswith("zohocrm.modules.") for name in granted)

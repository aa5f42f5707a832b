"""What `authorize` asks for: exactly the scopes that a run of the chosen tables needs."""

from __future__ import annotations

from collections.abc import Collection

from sources.zoho_crm.auth.credentials import DEFAULT_SCOPES
from sources.zoho_crm.auth.scopes import BULK, COQL, MODULES, OF_TABLES, needs, of_module, wide
from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES

LAYOUTS = "ZohoCRM.settings.layouts.READ"  # Zoho's page on the count asks for it, too

# The modules that Zoho's page on scopes names; it spells Sales_Orders as salesorders.
WITH_SCOPE = frozenset(
    {
        "leads", "accounts", "contacts", "deals", "campaigns", "tasks", "cases", "events", "calls", "solutions",
        "products", "vendors", "pricebooks", "quotes", "salesorders", "purchaseorders", "invoices", "notes",
    }
)  # fmt: skip


def wanted(only: Collection[str], never: Collection[str], api: str, *, coql: bool) -> list[str]:
    """`only` empty means all; `api` and `coql` are the user's wish. All of a group are asked for by its own name."""
    chosen, left_out = ({name.casefold() for name in names} for names in (only, never))
    own = [table for table in OF_TABLES if (not only or table in chosen) and table not in left_out]
    modules = sorted(name for name in only if name.casefold() not in {*ACCOUNT_TABLES, *left_out})
    found = _of_modules(modules) if modules or not only else []
    if only:
        found += [*needs(modules, own), *([LAYOUTS] if modules else [])]
    else:
        found += [wide(scope) for scope in needs([""], own)]
    if modules or not only:
        found += [BULK] if api in ("auto", "bulk") else []
        found += [COQL] if api in ("auto", "coql") and coql else []
    usual = [scope for scope in DEFAULT_SCOPES if scope in found]  # in the order of the documentation
    return list(dict.fromkeys([*usual, *found]))


def _of_modules(modules: Collection[str]) -> list[str]:
    """One scope a module where Zoho has one for each, else the scope of all."""
    words = {name.casefold().replace("_", "") for name in modules}
    return [of_module(name)[0] for name in modules] if words and words.issubset(WITH_SCOPE) else [MODULES]

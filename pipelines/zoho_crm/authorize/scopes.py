"""What `authorize` asks for: exactly the scopes that a run of the chosen tables needs."""

from __future__ import annotations

from collections.abc import Collection

from sources.zoho_crm.auth.credentials import ZohoCredentials
from sources.zoho_crm.auth.scopes import BULK, COQL, LAYOUTS, MODULES, needs, of_module, of_tables, wide
from sources.zoho_crm.config import ModuleSelection, SyncConfig
from sources.zoho_crm.discovery.account_tables import own_tables
from sources.zoho_crm.service import Service

# The modules that Zoho's pages on scopes name; that of the CRM spells Sales_Orders as salesorders.
WITH_SCOPE = {
    "CRM": {
        "leads", "accounts", "contacts", "deals", "campaigns", "tasks", "cases", "events", "calls", "solutions",
        "products", "vendors", "pricebooks", "quotes", "salesorders", "purchaseorders", "invoices", "notes",
    },
    "Bigin": {"pipelines", "contacts", "accounts", "products", "tasks", "events", "calls"},
}  # fmt: skip


def wanted(
    only: Collection[str], never: Collection[str], credentials: ZohoCredentials, *, audit_log: bool = False
) -> list[str]:
    """`only` empty means all but the audit log. All of a group are asked for by its own name."""
    service, api = credentials.zoho, credentials.api
    chosen, left_out = (frozenset(name.casefold() for name in names) for names in (only, never))
    choice = ModuleSelection(chosen, left_out, policy=SyncConfig(audit_log=audit_log))
    own = [table for table in of_tables(service) if choice.selects(table)]
    modules = sorted(name for name in only if name.casefold() not in {*own_tables(service), *left_out})
    found = _of_modules(service, modules) if modules or not only else []
    if only:
        # Zoho's page on the count asks for layouts, too.
        found += [*needs(service, modules, own), *([service.scope(LAYOUTS)] if modules else [])]
    else:
        found += [wide(scope) for scope in needs(service, [""], own)]
    if modules or not only:
        found += [service.scope(BULK)] if api in ("auto", "bulk") else []
        found += [service.scope(COQL)] if api in ("auto", "coql") and credentials.coql_allowed else []
    usual = [scope for scope in service.scopes if scope in found]  # in the order of the documentation
    return list(dict.fromkeys([*usual, *found]))


def _of_modules(service: Service, modules: Collection[str]) -> list[str]:
    """One scope a module where Zoho has one for each, else the scope of all."""
    words = {name.casefold().replace("_", "") for name in modules}
    if words and words <= WITH_SCOPE[service.name]:
        return [of_module(service, name)[0] for name in modules]
    return [service.scope(MODULES)]

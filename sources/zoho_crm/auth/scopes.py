"""Which OAuth scopes cover which calls and tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MODULES = "ZohoCRM.modules.READ"
SETTINGS = "ZohoCRM.settings.READ"
PARTS_OF_SETTINGS = ("ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ")


def covers(granted: Collection[str], scope: str) -> bool:
    """Whether a scope is granted by itself, by `.ALL`, or with a wider group; case does not matter."""
    held = {name.casefold() for name in granted}
    *group, operation = scope.casefold().split(".")
    wider = [".".join(group[:length]) for length in range(len(group), 1, -1)]
    return any(f"{name}.{word}" in held for name in wider for word in (operation, "all"))


LIST_MODULES, LIST_FIELDS = PARTS_OF_SETTINGS  # without them no module is read
COUNT = "ZohoSearch.securesearch.READ"
BULK, COQL = "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ"
# Our own tables; what they are called by is in sources/zoho_crm/discovery/account_tables.py.
OF_TABLES = {
    "users": ("ZohoCRM.users.READ",),
    "org": ("ZohoCRM.org.READ",),
    "roles": ("ZohoCRM.settings.roles.READ",),
    "profiles": ("ZohoCRM.settings.profiles.READ",),
    "currencies": ("ZohoCRM.settings.currencies.READ",),
    "territories": ("ZohoCRM.settings.territories.READ",),
    "tags": ("ZohoCRM.settings.tags.READ",),
    "layouts": ("ZohoCRM.settings.layouts.READ",),
    "pipelines": ("ZohoCRM.settings.layouts.READ", "ZohoCRM.settings.pipeline.READ"),
    "modules": (LIST_MODULES,),
    "fields": (LIST_FIELDS,),
}
# What to ask when the token's answer named no scopes: any answer but OAUTH_SCOPE_MISMATCH means that it is
# granted, a complaint about a missing parameter, too. No Bulk Read job is made: the one asked for does not exist.
NO_JOB = "0"
PROBES = {
    LIST_MODULES: "settings/modules",
    LIST_FIELDS: "settings/fields?module={module}",
    COUNT: "{module}/actions/count",
    BULK: f"read/{NO_JOB}",
    COQL: "select id from {module} where id is not null limit 1",
    "ZohoCRM.users.READ": "users?type=CurrentUser",
    "ZohoCRM.org.READ": "org",
    "ZohoCRM.settings.roles.READ": "settings/roles",
    "ZohoCRM.settings.profiles.READ": "settings/profiles",
    "ZohoCRM.settings.currencies.READ": "org/currencies",
    "ZohoCRM.settings.territories.READ": "settings/territories",
    "ZohoCRM.settings.tags.READ": "settings/tags?module={module}",
    "ZohoCRM.settings.layouts.READ": "settings/layouts?module={module}",
    "ZohoCRM.settings.pipeline.READ": "settings/pipeline",
}


def needs(modules: Iterable[str], own: Iterable[str]) -> dict[str, list[str]]:
    """Scope -> the tables that ask for it; all modules ask for `ZohoCRM.modules.READ`."""
    modules = list(modules)
    found: dict[str, list[str]] = {}
    if modules:
        found = {LIST_MODULES: list(modules), LIST_FIELDS: list(modules), COUNT: list(modules)}
    for table in own:
        for scope in (LIST_MODULES, *OF_TABLES.get(table, ())):  # every run lists the modules first
            if table not in found.setdefault(scope, []):
                found[scope].append(table)
    return found


def wide(scope: str) -> str:
    """`ZohoCRM.settings.READ` of `ZohoCRM.settings.roles.READ`: what is asked for in its place."""
    parts = scope.split(".")
    return ".".join([*parts[:2], parts[-1]])


def of_module(module: str) -> list[str]:
    """The scopes that are for one module only: Zoho writes them small and without underscores."""
    return [
        f"ZohoCRM.modules.{name}.READ" for name in dict.fromkeys((module.replace("_", "").lower(), module))
    ]

"""Which OAuth scopes cover which calls and tables, without the prefix of a service: `bulk.READ` of `ZohoCRM.bulk.READ`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..service import COUNT_SCOPE, SERVICES, Service

MODULES = "modules.READ"
LIST_MODULES, LIST_FIELDS = "settings.modules.READ", "settings.fields.READ"  # without them no module is read
LAYOUTS = "settings.layouts.READ"
BULK, COQL = "bulk.READ", "coql.READ"
FILES = "ZohoFiles.files.READ"  # of no service alone: the files of exports ask for it
# Our own tables; what they are called by is in sources/zoho_crm/discovery/account_tables.py.
OF_TABLES = {
    "users": ("users.READ",),
    "org": ("org.READ",),
    "roles": ("settings.roles.READ",),
    "profiles": ("settings.profiles.READ",),
    "currencies": ("settings.currencies.READ",),
    "territories": ("settings.territories.READ",),
    "tags": ("settings.tags.READ",),
    "layouts": (LAYOUTS,),
    "pipelines": (LAYOUTS, "settings.pipeline.READ"),
    "modules": (LIST_MODULES,),
    "fields": (LIST_FIELDS,),
    "audit_log": ("settings.audit_logs.CREATE", "settings.audit_logs.READ", FILES),
}
# What to ask when the token's answer named no scopes: any answer but OAUTH_SCOPE_MISMATCH means that it is
# granted, a complaint about a missing parameter, too. No Bulk Read job is made: the one asked for does not exist.
NO_JOB = "0"
PROBES = {
    LIST_MODULES: "settings/modules",
    LIST_FIELDS: "settings/fields?module={module}",
    BULK: f"read/{NO_JOB}",
    COQL: "select id from {module} where id is not null limit 1",
    "users.READ": "users?type=CurrentUser",
    "org.READ": "org",
    "settings.roles.READ": "settings/roles",
    "settings.profiles.READ": "settings/profiles",
    "settings.currencies.READ": "org/currencies",
    "settings.territories.READ": "settings/territories",
    "settings.tags.READ": "settings/tags?module={module}",
    LAYOUTS: "settings/layouts?module={module}",
    "settings.pipeline.READ": "settings/pipeline",
    "settings.audit_logs.READ": "settings/audit_log_export",
}


def covers(granted: Collection[str], scope: str) -> bool:
    """Whether a scope is granted by itself, by `.ALL`, or with a wider group; case does not matter."""
    held = {name.casefold() for name in granted}
    *group, operation = scope.casefold().split(".")
    wider = [".".join(group[:length]) for length in range(len(group), 1, -1)]
    return any(f"{name}.{word}" in held for name in wider for word in (operation, "all"))


def of_tables(service: Service) -> dict[str, tuple[str, ...]]:
    """Our tables that the service may fill -> their scopes."""
    names = {table: service.pipelines if table == "pipelines" else table for table in OF_TABLES}
    return {
        name: tuple(part if part == FILES else service.scope(part) for part in OF_TABLES[table])
        for table, name in names.items()
        if name not in service.lacks
    }


def probes(service: Service) -> Mapping[str, str]:
    """Scope -> the call to ask with."""
    own = {service.scope(part): path for part, path in PROBES.items()}
    return {**own, COUNT_SCOPE: "{module}/actions/count"}


def needs(service: Service, modules: Iterable[str], own: Iterable[str]) -> dict[str, list[str]]:
    """Scope -> the tables that ask for it; all modules ask for `ZohoCRM.modules.READ`."""
    modules = list(modules)
    every, fields = service.scope(LIST_MODULES), service.scope(LIST_FIELDS)
    found: dict[str, list[str]] = {}
    if modules:
        found = {every: list(modules), fields: list(modules), COUNT_SCOPE: list(modules)}
    scopes = of_tables(service)
    for table in own:
        for scope in (every, *scopes.get(table, ())):  # every run lists the modules first
            if table not in found.setdefault(scope, []):
                found[scope].append(table)
    return found


def wide(scope: str) -> str:
    """`ZohoCRM.settings.READ` of `ZohoCRM.settings.roles.READ`: what is asked for in its place.

    Only of scopes to read: more than an export of the log is not to be created.
    """
    parts = scope.split(".")
    return ".".join([*parts[:2], parts[-1]]) if parts[-1] == "READ" else scope


def of_module(service: Service, module: str) -> list[str]:
    """The scopes that are for one module only: Zoho writes them small and without underscores."""
    names = dict.fromkeys((module.replace("_", "").lower(), module))
    return [service.scope(f"modules.{name}.READ") for name in names]


def other_service(granted: Collection[str] | None, service: Service) -> str | None:
    """What is wrong with a token that has scopes of another service, and none of this one; None if it is another thing."""
    prefixes = {name.partition(".")[0].casefold() for name in granted or ()}
    held = [one for one in SERVICES.values() if one.prefix.casefold() in prefixes]
    if not held or service in held:
        return None
    others = " and ".join(f"{one.product} ({one.prefix}.*)" for one in held)
    return (
        f"its scopes are of {others}, and {service.product} needs {service.prefix}.*: run `authorize` with Service="
        f"{service.name}, or set Service={held[0].name} to read {held[0].product}"
    )

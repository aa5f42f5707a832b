"""Which scopes a sync asks for, what each is for, and which of them a token lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterable

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

"""The scopes that a sync asks for, and which of them a granted one covers."""

from __future__ import annotations

from collections.abc import Collection

MODULES = "ZohoCRM.modules.READ"
SETTINGS = "ZohoCRM.settings.READ"
PARTS_OF_SETTINGS = ("ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ")


def covers(granted: Collection[str], scope: str) -> bool:
    """Whether a scope is granted by itself, by `.ALL`, or with a wider group; case does not matter."""
    held = {name.casefold() for name in granted}
    *group, operation = scope.casefold().split(".")
    wider = [".".join(group[:length]) for length in range(len(group), 1, -1)]
    return any(f"{name}.{word}" in held for name in wider for word in (operation, "all"))

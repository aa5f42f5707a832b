"""Scopes: those that the client has, what the consent page says of each, and whether a token may make a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import refuse

if TYPE_CHECKING:
    from ..routes import Request

READ_SCOPES = frozenset(
    {
        "ZohoCRM.modules.READ", "ZohoCRM.settings.READ", "ZohoCRM.users.READ", "ZohoCRM.org.READ",
        "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ", "ZohoSearch.securesearch.READ", "ZohoCRM.apis.READ",
        "ZohoCRM.features.READ", "ZohoCRM.notifications.READ", "ZohoCRM.files.READ",
    }
)  # fmt: skip
# What Zoho's page says in words beside a scope; another scope stands there by its name alone.
MEANINGS = {
    "zohocrm.modules.read": "Read the records of every module",
    "zohocrm.settings.read": "Read settings: modules, fields, layouts, roles, tags",
    "zohocrm.users.read": "Read the users",
    "zohocrm.org.read": "Read the organisation and its licence",
    "zohocrm.bulk.read": "Read many records at once (Bulk Read)",
    "zohocrm.coql.read": "Ask for records by query (COQL)",
    "zohosearch.securesearch.read": "Count and search records",
}


def need_scope(request: Request, scope: str, module: str | None = None) -> None:
    """Refuse with OAUTH_SCOPE_MISMATCH when the token lacks the scope; wider scopes count."""
    if not allowed(scope, request.scopes, module):
        refuse(401, "OAUTH_SCOPE_MISMATCH")


def allowed(scope: str, held: frozenset[str], module: str | None = None) -> bool:
    """`ZohoCRM.settings.fields.READ` is in `ZohoCRM.settings.fields.ALL`, `ZohoCRM.settings.READ` and so on."""
    *path, operation = scope.split(".")
    places = [path[:length] for length in range(2, len(path) + 1)]
    if path[1:] == ["modules"] and module:
        places.append([*path, module.replace("_", "")])
        places.append([*path, module])
    wide = {".".join([*place, word]).lower() for place in places for word in (operation, "ALL")}
    return not wide.isdisjoint(name.lower() for name in held)

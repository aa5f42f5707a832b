"""Scopes: those that the client has, what the consent page says of each, and whether a token may make a call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..exceptions import refuse

if TYPE_CHECKING:
    from ..routes import Request

# Services whose scopes do not begin with Zoho.
OTHER_SERVICES = ("Desk", "AaaServer")
READ_SCOPES = frozenset(
    {
        "ZohoCRM.modules.READ", "ZohoCRM.settings.READ", "ZohoCRM.users.READ", "ZohoCRM.org.READ",
        "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ", "ZohoSearch.securesearch.READ", "ZohoCRM.apis.READ",
        "ZohoCRM.features.READ", "ZohoCRM.notifications.READ", "ZohoCRM.files.READ",
        "ZohoCRM.settings.audit_logs.CREATE", "ZohoFiles.files.READ",
    }
)  # fmt: skip
# What Zoho's page says in words beside a scope, without the service that it begins with; another scope stands there by its name alone.
MEANINGS = {
    "modules.read": "Read the records of every module",
    "settings.read": "Read settings: modules, fields, layouts, roles, tags",
    "users.read": "Read the users",
    "org.read": "Read the organisation and its licence",
    "bulk.read": "Read many records at once (Bulk Read)",
    "coql.read": "Ask for records by query (COQL)",
    "securesearch.read": "Count and search records",
    "settings.audit_logs.create": "Export the audit log",
}


def need_scope(request: Request, scope: str, words: Iterable[str] = ()) -> None:
    """Refuse with OAUTH_SCOPE_MISMATCH when the token lacks the scope; wider scopes count."""
    if not allowed(scope, request.scopes, words):
        refuse(401, "OAUTH_SCOPE_MISMATCH")


def is_scope(name: str) -> bool:
    """Whether a service of Zoho's may have a scope of this name: `ZohoCRM.modules.READ`, `Desk.tickets.READ`."""
    service, *path = name.split(".")
    return (service.startswith("Zoho") or service in OTHER_SERVICES) and len(path) > 1


def allowed(scope: str, held: frozenset[str], words: Iterable[str] = ()) -> bool:
    """`ZohoCRM.settings.fields.READ` is in `ZohoCRM.settings.fields.ALL`, `ZohoCRM.settings.READ` and so on."""
    *path, operation = scope.split(".")
    places = [path[:length] for length in range(2, len(path) + 1)]
    if path[1:] == ["modules"]:
        places += [[*path, word] for word in words]
    wide = {".".join([*place, word]).lower() for place in places for word in (operation, "ALL")}
    wide.add(scope.lower())  # of a service whose scopes have no parts
    if path[:1] == ["ZohoBooks"]:
        wide.add("zohobooks.fullaccess.all")
    return not wide.isdisjoint(name.lower() for name in held)

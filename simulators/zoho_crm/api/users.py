"""The users call: types, pages and what each type means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..crm.org import Org
from ..exceptions import refuse
from ..routes import Answer, Request, no_content, ok, route
from .records import is_new, modified_since, page_size

User = dict[str, Any]


def _active(user: User) -> bool:
    return bool(user["status"] == "active")


def _admin(user: User) -> bool:
    return bool(user["profile"]["name"] == "Administrator")


TYPES: dict[str, Callable[[User], bool]] = {
    "AllUsers": lambda user: user["status"] != "deleted",
    "ActiveUsers": _active,
    "DeactiveUsers": lambda user: user["status"] in ("inactive", "disabled"),
    "ConfirmedUsers": lambda user: user["confirm"] and user["status"] != "deleted",
    "NotConfirmedUsers": lambda user: not user["confirm"] and user["status"] != "deleted",
    "DeletedUsers": lambda user: user["status"] == "deleted",
    "ActiveConfirmedUsers": lambda user: _active(user) and user["confirm"],
    "AdminUsers": lambda user: _admin(user) and user["status"] != "deleted",
    "ActiveConfirmedAdmins": lambda user: _active(user) and user["confirm"] and _admin(user),
}


@route(
    "GET",
    "/crm/v8/users",
    params="type page per_page ids",
    scopes="ZohoCRM.users.READ",
    authority="documented; whether AllUsers holds deleted ones: conflict",
)
def list_users(org: Org, request: Request) -> Answer:
    kind = request.query.get("type", "AllUsers")
    page, per_page = request.number("page", 1), page_size(org, request)
    since = modified_since(org, request)
    found = [
        user for user in _of_type(org, kind) if since is None or is_new(org, user["Modified_Time"], since)
    ]
    if "ids" in request.query:
        ids = request.names("ids")
        if len(ids) > org.rules.ids_per_list:
            refuse(400, "LIMIT_EXCEEDED", limit=org.rules.ids_per_list, param_name="ids")
        found = [user for user in found if user["id"] in ids]
    rows = found[(page - 1) * per_page : page * per_page]
    if not rows:
        return Answer(304) if since is not None and not found else no_content()
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
    return ok(users=rows, info=info)


@route("GET", "/crm/v8/users/{id}", scopes="ZohoCRM.users.READ", authority="documented")
def read_user(org: Org, request: Request, id: str) -> Answer:
    found = [user for user in org.account.users if user["id"] == id]
    return ok(users=found) if found else no_content()


def _of_type(org: Org, kind: str) -> list[User]:
    users = org.account.users
    if kind == "CurrentUser":
        return [org.user]
    if kind not in TYPES:
        refuse(400, "PATTERN_NOT_MATCHED", param_name="type")
    if kind == "AllUsers" and org.quirks.all_users_hold_deleted:
        return users
    return [user for user in users if TYPES[kind](user)]

"""The Records API: lists with their parameters and page tokens, a single record, and its rich text whole."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from ..crm.models import SINGLE_ONLY_TYPES, Field, Module, Record
from ..crm.org import Org
from ..exceptions import refuse, unmodelled
from ..generated.module import need_edited_only
from ..routes import Answer, Request, no_content, ok, route
from .record_json import DOLLAR_KEYS, shape, whole

# Families of calls that share the shape of a module's path.
NO_MODULES = ("settings", "actions", "org", "users", "files", "graphql", "coql", "bulk")
SORTABLE = ("id", "Created_Time", "Modified_Time")


@dataclass(frozen=True)
class PageToken:
    """An offset into an order: rows that move across it are listed twice or not at all."""

    parameters: frozenset[tuple[str, str]]
    offset: int
    page: int
    made: datetime
    user: str


@route(
    "GET",
    "/crm/v8/{module}",
    params="fields ids page per_page page_token sort_by sort_order converted approved",
    scopes="ZohoCRM.modules.READ",
    heavy=lambda request: "sort_by" in request.query,
    authority="documented (Get Records); unknown names in `fields` are dropped: seen live",
)
def list_records(org: Org, request: Request, module: str) -> Answer:
    known = module_of(org, module)
    fields, dollars = asked_fields(org, request, known)
    since = modified_since(org, request)
    offset, page = _place(org, request)
    per_page = page_size(org, request)
    found = _found(org, request, known, since)
    rows = found[offset : offset + per_page]
    if not rows:
        return Answer(304) if since is not None and not found else no_content()
    data = shape(org, rows, fields, cut=org.rules.rich_text_in_list)
    for row, record in zip(data, rows, strict=True) if dollars else ():
        row.update({name: DOLLAR_KEYS[name](record) for name in dollars})
    return ok(data=data, info=_info(org, request, len(rows), offset + len(rows) < len(found), (offset, page)))


def module_of(org: Org, name: str) -> Module:
    """The module, or Zoho's refusal of it."""
    if name.startswith("__") or name in NO_MODULES:
        unmodelled(f"{name} is not modelled")
    module = org.modules.get(name)
    if module is None or module.invalid_module or not module.api_supported:
        refuse(400, "INVALID_MODULE", resource_path_index=0)
    if module.scope_mismatch:
        refuse(401, "OAUTH_SCOPE_MISMATCH")
    if module.no_permission or not module.viewable:
        refuse(org.quirks.no_permission_status, "NO_PERMISSION", permissions=[f"Crm_Implied_View_{name}"])
    if name == "Notes" and org.user["profile"]["name"] != "Administrator":
        refuse(403, "NOT_SUPPORTED")
    if name == "Attachments" and not org.quirks.org_wide_attachments:
        refuse(400, "INVALID_MODULE", resource_path_index=0)
    return module


def asked_fields(org: Org, request: Request, module: Module) -> tuple[list[Field], list[str]]:
    """The fields that a list can show and the `$` keys; unknown names are left out."""
    names = request.names("fields")
    limit = org.rules.fields_per_list
    if not names:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="fields")
    if len(names) > limit:
        refuse(400, "LIMIT_EXCEEDED", limit=limit, param_name="fields")
    dollars = [name for name in names if name in DOLLAR_KEYS]
    fields = [field for name in names if (field := module.field(name)) is not None]
    if org.quirks.unknown_fields == "INVALID_DATA" and len(fields) + len(dollars) < len(names):
        refuse(400, "INVALID_DATA", param_name="fields")
    return [field for field in fields if field.data_type not in SINGLE_ONLY_TYPES], dollars


def page_size(org: Org, request: Request) -> int:
    size = request.number("per_page", org.rules.per_page)
    if size > org.rules.per_page:
        refuse(400, "INVALID_DATA", param_name="per_page", max_limit=org.rules.per_page)
    return size


def modified_since(org: Org, request: Request) -> datetime | None:
    text = request.headers.get("if-modified-since")
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return _rfc_1123(org, text)
    if since.tzinfo is None:
        refuse(400, "INVALID_DATA", header_name="If-Modified-Since", expected_data_type="datetime")
    return since


def is_new(org: Org, at: datetime, since: datetime) -> bool:
    """Whole seconds, and by default strictly after, so that a client has to overlap."""
    return at > since or (org.quirks.if_modified_since_inclusive and at == since)


def _rfc_1123(org: Org, text: str) -> datetime | None:
    try:
        since = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        refuse(400, "INVALID_DATA", header_name="If-Modified-Since", expected_data_type="datetime")
    if since.tzinfo is None:
        since = since.replace(tzinfo=timezone.utc)
    return since if org.quirks.rfc_1123_if_modified_since else None


def _found(org: Org, request: Request, module: Module, since: datetime | None) -> list[Record]:
    """All records that the call means, in its order."""
    if "ids" not in request.query:
        only_unapproved = request.query.get("approved") == "false" and org.quirks.list_approved == "honoured"
        need_edited_only(
            module,
            (),  # and no generated row waits for approval
            lambda record: not only_unapproved and (since is None or is_new(org, record.modified, since)),
        )
    rows = _ordered(org, request, module)
    if "ids" in request.query:
        ids = request.names("ids")
        if len(ids) > org.rules.ids_per_list:
            refuse(400, "LIMIT_EXCEEDED", limit=org.rules.ids_per_list, param_name="ids")
        if not all(id.isdigit() for id in ids):
            refuse(400, "INVALID_DATA", param_name="ids")
        wanted = set(ids)
        rows = [record for record in rows if record.id in wanted]
    return rows if since is None else [record for record in rows if is_new(org, record.modified, since)]


def _ordered(org: Org, request: Request, module: Module) -> list[Record]:
    sort_by = request.one_of("sort_by", SORTABLE, "id")
    order = request.one_of("sort_order", ("asc", "desc"), "desc")
    converted = request.one_of("converted", ("false", "true", "both"), "false")
    approved = request.one_of("approved", ("true", "false", "both"), "true")
    field = module.field(sort_by)
    if field is not None and not field.visible:
        refuse(400, "INVALID_DATA", param_name="sort_by")
    if module.generated is not None and "ids" in request.query:
        ids, edited = [id for id in request.names("ids") if id.isdigit()], org.tables[module.api_name]
        return [edited.get(r.id, r) for r in module.generated.records(module.api_name, ids)]
    version, lags = org.versions[module.api_name], org.quirks.list_lag_seconds > 0
    approved = approved if org.quirks.list_approved == "honoured" else "both"
    key = (module.api_name, sort_by, order, converted, approved, str(lags))
    held = org.orders.get(key)
    if held is None or held[0] != version or lags:
        rows = [
            record
            for record in org.shown(module.api_name)
            if converted in ("both", str(record.converted).lower())
            and approved in ("both", str(record.approved).lower())
        ]
        rows.sort(key=lambda record: (record.values[sort_by], record.id), reverse=order == "desc")
        held = org.orders[key] = (version, rows)
    return held[1]


def _place(org: Org, request: Request) -> tuple[int, int]:
    """Offset and page number of the first row that is asked for."""
    text = request.query.get("page_token")
    if text is None:
        page, per_page = request.number("page", 1), page_size(org, request)
        if page * per_page > org.rules.discrete_reach and page > 1:
            refuse(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", limit=org.rules.discrete_reach)
        return (page - 1) * per_page, page
    if "page" in request.query:
        refuse(400, "AMBIGUITY_DURING_PROCESSING", param_names=["page", "page_token"])
    token = org.page_tokens.get(text)
    if token is None or token.user != org.user["id"]:
        refuse(400, "INVALID_DATA", param_name="page_token")
    if org.now() >= token.made + timedelta(hours=org.rules.page_token_hours):
        refuse(400, "EXPIRED_VALUE", param_name="page_token")
    if token.parameters != _bound(request):
        refuse(400, "TOKEN_BOUND_DATA_MISMATCH", param_name="page_token")
    if token.offset >= org.rules.token_reach:
        refuse(400, "PAGINATION_LIMIT_EXCEEDED", limit=org.rules.token_reach)
    return token.offset, token.page


def _bound(request: Request) -> frozenset[tuple[str, str]]:
    bound = {name: text for name, text in request.query.items() if name not in ("page", "page_token")}
    bound["/"] = request.path
    bound["If-Modified-Since"] = request.headers.get("if-modified-since", "")
    return frozenset(bound.items())


def _token(org: Org, request: Request, offset: int, page: int) -> str:
    text = secrets.token_hex(48)
    org.page_tokens[text] = PageToken(_bound(request), offset, page, org.now(), org.user["id"])
    return text


def _info(org: Org, request: Request, count: int, more: bool, place: tuple[int, int]) -> dict[str, Any]:
    offset, page = place
    per_page = page_size(org, request)
    following = _token(org, request, offset + count, page + 1) if more else None
    return {
        "call": False,
        "per_page": per_page,
        "next_page_token": following,
        "count": count,
        "sort_by": request.query.get("sort_by", "id"),
        "page": page,
        "previous_page_token": _token(org, request, offset - per_page, page - 1) if page > 1 else None,
        "page_token_expiry": org.now() + timedelta(hours=org.rules.page_token_hours) if following else None,
        "sort_order": request.query.get("sort_order", "desc"),
        "email": False,
        "more_records": more,
    }


@route(
    "GET",
    "/crm/v8/{module}/{id}",
    params="fields",
    scopes="ZohoCRM.modules.READ",
    authority="documented; what an unknown id answers: conflict",
)
def read_record(org: Org, request: Request, module: str, id: str) -> Answer:
    known = module_of(org, module)
    record = live_record(org, module, id)
    if record is None:
        return unknown_id(org)
    names = request.names("fields") or [field.api_name for field in known.fields]
    fields = [field for name in names if (field := known.field(name)) is not None]
    row = whole(org, record, fields)
    row.update({name: tell(record) for name, tell in DOLLAR_KEYS.items()})
    return ok(data=[row])


@route(
    "GET",
    "/crm/v8/{module}/{id}/actions/fetch_full_data",
    params="fields",
    scopes="ZohoCRM.modules.READ",
    authority="documented",
)
def fetch_full_data(org: Org, request: Request, module: str, id: str) -> Answer:
    """The rich text that lists cut."""
    known = module_of(org, module)
    record = live_record(org, module, id)
    if record is None:
        return unknown_id(org)
    names = request.names("fields")
    if not names:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="fields")
    fields = [field for name in names if (field := known.field(name)) is not None]
    if any(field.textarea != "rich_text" for field in fields) or len(fields) < len(names):
        refuse(400, "INVALID_DATA", param_name="fields")
    return ok(data=[whole(org, record, fields)])


def live_record(org: Org, module: str, id: str) -> Record | None:
    known = org.modules[module]
    if not id.isdigit():
        unmodelled(f"/{module}/{id} is not modelled")
    if known.generated is not None:
        unmodelled(f"{module} is generated: its rows exist only as Bulk Read archives")
    return org.record(module, id)


def unknown_id(org: Org) -> Answer:
    if org.quirks.unknown_id != "204":
        refuse(404 if org.quirks.unknown_id == "404" else 400, "INVALID_DATA", resource_path_index=1)
    return no_content()

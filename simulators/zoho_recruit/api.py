"""The calls below `/recruit/v2/`: modules, fields and records."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from ..core.rows import Row, ordered
from ..zoho_crm.exceptions import refuse
from ..zoho_crm.routes import Answer, Request, no_content, ok
from ..zoho_crm.routes import route as any_route
from .recruit import JSON_TYPES, Field, Module, Recruit

route = partial(any_route, service="recruit")
PER_PAGE = 200


@route(
    "GET", "/recruit/v2/settings/modules", scopes="ZohoRecruit.settings.modules.READ", authority="documented"
)
def modules(recruit: Recruit, request: Request) -> Answer:
    return ok(modules=[_module(module) for module in recruit.modules.values()])


@route(
    "GET",
    "/recruit/v2/settings/fields",
    params="module",
    scopes="ZohoRecruit.settings.fields.READ",
    authority="documented; the keys are those of the CRM: inferred",
)
def fields(recruit: Recruit, request: Request) -> Answer:
    if "module" not in request.query:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="module")
    module = _known(recruit, request.query["module"])
    return ok(fields=[_field(known) for known in module.fields])


@route(
    "GET",
    "/recruit/v2/{module}",
    params="fields page per_page sort_by sort_order converted approved",
    scopes="ZohoRecruit.modules.READ",
    credits=3,
    authority="documented (Get Records, 3 credits); the order without sort_by, and ZohoRecruit.modules.READ: inferred",
)
def records(recruit: Recruit, request: Request, module: str) -> Answer:
    known = _known(recruit, module)
    page, per_page = _page(request)
    since = _since(request)
    converted = request.one_of("converted", ("false", "true", "both"), "false")
    approved = request.one_of("approved", ("true", "false", "both"), "true")
    rows = [
        row
        for row in recruit.rows(module)
        if converted in ("both", str(row.id in recruit.converted).lower())
        and approved in ("both", str(row.id not in recruit.unapproved).lower())
    ]
    if since is not None:
        rows = [row for row in rows if _is_new(recruit, row.modified, since)]
        if not rows:
            return Answer(recruit.quirks.nothing_new_status)
    rows = _sorted(request, known, rows)
    first = (page - 1) * per_page
    shown = rows[first : first + per_page]
    if not shown:
        return no_content()
    info = _info(page, per_page, len(shown), len(rows))
    return ok(data=[_record(recruit, row, request.names("fields")) for row in shown], info=info)


@route(
    "GET",
    "/recruit/v2/{module}/deleted",
    params="type page per_page",
    scopes="ZohoRecruit.modules.READ",
    credits=2,
    authority="documented; all types without `type`, the order, and the answer to If-Modified-Since: inferred from the CRM",
)
def deleted(recruit: Recruit, request: Request, module: str) -> Answer:
    _known(recruit, module)
    if request.query.get("type", "all").lower() not in ("all", "recycle", "permanent"):
        refuse(400, "INVALID_DATA", param_name="type")
    page, per_page = _page(request)
    found = recruit.deletions[module] if request.query.get("type", "all").lower() != "permanent" else []
    since = _since(request)
    if since is not None:
        found = [gone for gone in found if _is_new(recruit, gone.at, since)]
        if not found:
            return Answer(recruit.quirks.nothing_new_status)
    first = (page - 1) * per_page
    shown = found[first : first + per_page]
    if not shown:
        return no_content()
    by = {"name": recruit.user["full_name"], "id": str(recruit.first_id)}
    rows = [
        {
            "deleted_by": by, "id": gone.row.id, "display_name": gone.name, "type": "recycle", "created_by": by,
            "deleted_time": gone.at,
        }
        for gone in shown
    ]  # fmt: skip
    return ok(data=rows, info=_info(page, per_page, len(shown), len(found)))


@route(
    "GET",
    "/recruit/v2/{module}/{id}",
    scopes="ZohoRecruit.modules.READ",
    authority="documented; 204 for an unknown id: inferred from the CRM",
)
def record(recruit: Recruit, request: Request, module: str, id: str) -> Answer:
    _known(recruit, module)
    row = recruit.tables[module].get(id)
    return no_content() if row is None else ok(data=[_record(recruit, row, [])])


def _known(recruit: Recruit, name: str) -> Module:
    module = recruit.modules.get(name)
    if module is None or not module.api_supported:
        refuse(400, "INVALID_MODULE", "The given module is not supported in API")
    if not module.permitted:
        refuse(403, "NO_PERMISSION", f"permission denied - {name} (view)")
    return module


def _page(request: Request) -> tuple[int, int]:
    page, per_page = request.number("page", 1), request.number("per_page", PER_PAGE)
    if per_page > PER_PAGE:
        refuse(400, "INVALID_DATA", param_name="per_page", max_limit=PER_PAGE)
    return page, per_page


def _info(page: int, per_page: int, shown: int, found: int) -> dict[str, Any]:
    more = found > page * per_page
    return {"per_page": per_page, "count": shown, "page": page, "more_records": more}


def _sorted(request: Request, module: Module, rows: list[Row]) -> list[Row]:
    name = request.query.get("sort_by", "")
    order = request.one_of("sort_order", ("asc", "desc"), "desc")
    if name and name != "id" and module.field(name) is None:
        refuse(400, "INVALID_DATA", param_name="sort_by")
    times: dict[str, Any] = {
        "Created_Time": lambda row: row.created,
        "Modified_Time": lambda row: row.modified,
    }
    if name in ("", "id"):
        return ordered(rows, lambda row: "", descending=order == "desc")
    of = times.get(name, lambda row: _comparable(row.values.get(name)))
    return ordered(rows, of, descending=order == "desc")


def _comparable(value: Any) -> Any:
    return value["name"] if isinstance(value, dict) else ";".join(value) if isinstance(value, list) else value


def _is_new(recruit: Recruit, moment: datetime, since: datetime) -> bool:
    """Whether If-Modified-Since lets a row of this time through."""
    return moment > since or (recruit.quirks.since_inclusive and moment == since)


def _since(request: Request) -> datetime | None:
    text = request.headers.get("if-modified-since")
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        since = None
    if since is None or since.tzinfo is None:
        refuse(400, "INVALID_DATA", header_name="If-Modified-Since", expected_data_type="datetime")
    return since


def _record(recruit: Recruit, row: Row, names: list[str]) -> dict[str, Any]:
    listed = recruit.listed(row)
    return {name: listed[name] for name in ("id", *names) if name in listed} if names else listed


def _module(module: Module) -> dict[str, Any]:
    return {
        "id": module.id, "api_name": module.api_name, "module_name": module.api_name,
        "singular_label": module.singular, "plural_label": module.api_name.replace("_", " "),
        "api_supported": module.api_supported, "viewable": True, "creatable": True, "editable": True,
        "deletable": True, "generated_type": module.generated_type, "modified_time": None, "profiles": [],
    }  # fmt: skip


def _field(known: Field) -> dict[str, Any]:
    return {
        "id": known.id, "api_name": known.api_name, "field_label": known.field_label,
        "data_type": known.data_type, "json_type": JSON_TYPES.get(known.data_type, "string"), "length": 255,
        "custom_field": known.custom, "read_only": known.api_name.endswith("_Time"), "visible": True,
        "lookup": {"module": known.lookup_module} if known.lookup_module else {},
        "pick_list_values": [
            {"display_value": value, "actual_value": value} for value in known.pick_list_values
        ],
    }  # fmt: skip

"""What else the Records API answers: one record, whole rich text, deletions and counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .modules import Deletion, Record
from .org import Org
from .records import is_new, modified_since, module_of, page_size
from .records_json import DOLLAR_KEYS, whole
from .routes import Answer, Request, no_content, ok, refuse, route, unmodelled


@route(
    "GET",
    "/crm/v8/{module}/{id}",
    params="fields",
    scopes="ZohoCRM.modules.READ",
    authority="documented; what an unknown id answers: conflict",
)
def read_record(org: Org, request: Request, module: str, id: str) -> Answer:
    known = module_of(org, module)
    record = _live(org, module, id)
    if record is None:
        return _unknown_id(org)
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
    record = _live(org, module, id)
    if record is None:
        return _unknown_id(org)
    names = request.names("fields")
    if not names:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="fields")
    fields = [field for name in names if (field := known.field(name)) is not None]
    if any(field.textarea != "rich_text" for field in fields) or len(fields) < len(names):
        refuse(400, "INVALID_DATA", param_name="fields")
    return ok(data=[whole(org, record, fields)])


@route(
    "GET",
    "/crm/v8/{module}/deleted",
    params="type page per_page",
    scopes="ZohoCRM.modules.READ",
    credits=2,
    authority="documented; order and page 11: inferred",
)
def list_deleted(org: Org, request: Request, module: str) -> Answer:
    module_of(org, module)
    kind = request.query.get("type", "all")
    if kind not in ("all", "recycle", "permanent"):
        refuse(400, "PATTERN_NOT_MATCHED", param_name="type")
    page, per_page = request.number("page", 1), page_size(org, request)
    if page * per_page > org.rules.discrete_reach and not org.quirks.deleted_page_11:
        refuse(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", limit=org.rules.discrete_reach)
    since = modified_since(org, request)
    found = [
        gone
        for gone in reversed(org.deletions[module])
        if kind in ("all", gone.kind)
        and _still_known(org, gone)
        and (since is None or is_new(org, gone.deleted_time, since))
    ]
    rows = found[(page - 1) * per_page : page * per_page]
    if not rows:
        return Answer(org.quirks.deleted_nothing_new_status) if since is not None else no_content()
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
    return ok(data=[_deletion(gone) for gone in rows], info=info)


@route(
    "GET",
    "/crm/v8/{module}/actions/count",
    scopes="ZohoCRM.modules.READ ZohoSearch.securesearch.READ",
    authority="documented; what it counts: inferred",
)
def count_records(org: Org, request: Request, module: str) -> Answer:
    known = module_of(org, module)
    if known.generated is not None:
        return ok(count=known.generated.rows)
    count = sum(1 for record in org.records(module) if _counts(org, record))
    if org.quirks.count_lag_minutes:
        # The count of then: undo what came and went since.
        then = org.now() - timedelta(minutes=org.quirks.count_lag_minutes)
        count -= sum(change for at, change in org.history[module] if at > then)
    return ok(count=max(count, 0))


def _counts(org: Org, record: Record) -> bool:
    quirks = org.quirks
    return (record.approved or quirks.count_includes_unapproved) and (
        not record.converted or quirks.count_includes_converted
    )


def _live(org: Org, module: str, id: str) -> Record | None:
    known = org.modules[module]
    if not id.isdigit():
        unmodelled(f"/{module}/{id} is not modelled")
    if known.generated is not None:
        unmodelled(f"{module} is generated: its rows exist only as Bulk Read archives")
    return org.record(module, id)


def _unknown_id(org: Org) -> Answer:
    if org.quirks.unknown_id != "204":
        refuse(404 if org.quirks.unknown_id == "404" else 400, "INVALID_DATA", resource_path_index=1)
    return no_content()


def _still_known(org: Org, gone: Deletion) -> bool:
    rules = org.rules
    days = rules.recycle_bin_days if gone.kind == "recycle" else rules.permanent_deletion_days
    return gone.shown and org.now() < gone.deleted_time + timedelta(days=days)


def _deletion(gone: Deletion) -> dict[str, Any]:
    recycle = gone.kind == "recycle"
    return {
        "deleted_by": gone.deleted_by if recycle else None,
        "id": gone.record.id,
        "display_name": gone.display_name,
        "type": gone.kind,
        "created_by": gone.record.values.get("Created_By") if recycle else None,
        "deleted_time": gone.deleted_time,
    }

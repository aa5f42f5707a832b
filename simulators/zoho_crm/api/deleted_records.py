"""Deletions: /deleted of each module, and the recycle bin of the whole org."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..crm.deletions import NOTES, in_bin, listed_as
from ..crm.models import Deletion, Module
from ..crm.org import Org
from ..exceptions import refuse
from ..routes import Answer, Request, no_content, ok, route
from .records import is_new, modified_since, module_of, page_size

# A history of its own in Zoho's list of modules with /deleted.
HISTORIES_OFFERED = ("Appointments_Rescheduled_History__s",)
SORTABLE = ("deleted_time", "display_name", "deleted_by")


@route(
    "GET",
    "/crm/v8/{module}/deleted",
    params="type page per_page",
    scopes="ZohoCRM.modules.READ",
    credits=2,
    authority="documented; order, page 11 and which modules have it: inferred",
)
def list_deleted(org: Org, request: Request, module: str) -> Answer:
    check_offered(org, module_of(org, module))
    kind = request.query.get("type", "all")
    if kind not in ("all", "recycle", "permanent"):
        refuse(400, "PATTERN_NOT_MATCHED", param_name="type")
    page, per_page = request.number("page", 1), page_size(org, request)
    if page * per_page > org.rules.discrete_reach and not org.quirks.deleted_page_11:
        refuse(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", limit=org.rules.discrete_reach)
    since = modified_since(org, request)
    found = [
        (gone, *told)
        for gone in org.deletions[module]
        if (told := listed_as(org, gone)) is not None
        and kind in ("all", told[0])
        and (since is None or is_new(org, told[1], since))
    ]
    found.sort(key=lambda row: row[2])
    if org.quirks.deleted_newest_first:
        found.reverse()
    rows = found[(page - 1) * per_page : page * per_page]
    if not rows:
        return Answer(org.quirks.deleted_nothing_new_status) if since is not None else no_content()
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
    return ok(data=[describe(*row) for row in rows], info=info)


def check_offered(org: Org, module: Module) -> None:
    """Refuse for modules that Zoho's page on deleted records does not name, as the switches say."""
    answer = "offered"
    if module.generated_type in ("subform", "linking", "field_tracker"):
        answer = org.quirks.deleted_of_rows
    elif module.api_name in NOTES:
        answer = org.quirks.deleted_of_notes
    if answer != "offered" and module.api_name not in HISTORIES_OFFERED:
        refuse(400, answer, resource_path_index=0)


def describe(gone: Deletion, kind: str, at: datetime) -> dict[str, Any]:
    recycle = kind == "recycle"
    return {
        "deleted_by": gone.deleted_by if recycle else None,
        "id": gone.record.id,
        "display_name": gone.display_name if recycle else None,
        "type": kind,
        "created_by": gone.record.values.get("Created_By") if recycle else None,
        "deleted_time": at,
    }


@route(
    "GET",
    "/crm/v8/settings/recycle_bin",
    params="ids page per_page sort_by sort_order",
    scopes="ZohoCRM.settings.recycle_bin.READ",
    authority="documented; what it shows of rows, notes and attachments: inferred",
)
def list_recycle_bin(org: Org, request: Request) -> Answer:
    """What could still be restored, of all modules; what is deleted permanently is not in it."""
    page, per_page = request.number("page", 1), page_size(org, request)
    sort_by = request.one_of("sort_by", SORTABLE, "deleted_time")
    order = request.one_of("sort_order", ("desc", "asc"), "desc")
    ids = request.names("ids")
    found = [
        binned(org, gone)
        for listed in org.deletions.values()
        for gone in listed
        if gone.binned and in_bin(org, gone) and (not ids or gone.record.id in ids)
    ]
    found.sort(key=lambda row: (str(row[sort_by]), row["id"]), reverse=order == "desc")
    rows = found[(page - 1) * per_page : page * per_page]
    if not rows:
        return no_content()
    more = page * per_page < len(found)
    info = {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}
    return ok(recycle_bin=rows, info=info)


def binned(org: Org, gone: Deletion) -> dict[str, Any]:
    module = org.modules[gone.record.module]
    return {
        "display_name": gone.display_name,
        "deleted_time": gone.deleted_time,
        "owner": gone.record.values.get("Owner"),
        "module": {"api_name": module.api_name, "id": module.id},
        "deleted_by": gone.deleted_by,
        "id": gone.record.id,
    }

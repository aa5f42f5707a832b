"""What else a module has: layouts, related lists, custom views, tags and pipelines."""

from __future__ import annotations

from typing import Any

from ..crm.models import Module
from ..crm.org import Org
from ..exceptions import refuse
from ..routes import Answer, Request, no_content, ok, route
from .fields import describe
from .modules import module_of_settings


@route(
    "GET",
    "/crm/v8/settings/layouts",
    params="module",
    scopes="ZohoCRM.settings.layouts.READ",
    authority="documented",
)
def list_layouts(org: Org, request: Request) -> Answer:
    module = module_of_settings(org, request)
    return ok(layouts=[_layout(org, module, layout) for layout in module.layouts])


@route(
    "GET",
    "/crm/v8/settings/related_lists",
    params="module",
    scopes="ZohoCRM.settings.related_lists.READ",
    authority="documented",
)
def list_related_lists(org: Org, request: Request) -> Answer:
    module = module_of_settings(org, request)
    rows = _related_lists(org, module)
    return ok(related_lists=rows) if rows else no_content()


@route(
    "GET",
    "/crm/v8/settings/custom_views",
    params="module page per_page",
    scopes="ZohoCRM.settings.custom_views.READ",
    authority="documented; a module has one view here: all of it",
)
def list_custom_views(org: Org, request: Request) -> Answer:
    module = module_of_settings(org, request)
    page, per_page = request.number("page", 1), request.number("per_page", 200)
    view = {
        "id": str(int(module.id) + 500_000_000),
        "name": f"All {module.plural_label}",
        "display_value": f"All {module.plural_label}",
        "system_name": f"ALL{module.api_name.upper()}",
        "system_defined": True,
        "category": "public_views",
        "default": True,
        "favorite": None,
        "locked": False,
        "created_time": None,
        "created_by": None,
        "modified_time": None,
        "modified_by": None,
        "last_accessed_time": None,
    }
    rows = [view][(page - 1) * per_page :]
    if not rows:
        return no_content()
    info = {"per_page": per_page, "default": view["id"], "count": 1, "page": page, "more_records": False}
    return ok(custom_views=rows, info={**info, "translation": {}})


@route(
    "GET",
    "/crm/v8/settings/tags",
    params="module",
    scopes="ZohoCRM.settings.tags.READ",
    authority="documented",
)
def list_tags(org: Org, request: Request) -> Answer:
    module = module_of_settings(org, request)
    if not module.tags:
        return no_content()
    rows = [_tag(org, tag) for tag in module.tags]
    return ok(tags=rows, info={"count": len(rows), "allowed_count": 100})


@route(
    "GET",
    "/crm/v8/settings/pipeline",
    params="layout_id",
    scopes="ZohoCRM.settings.pipeline.READ",
    authority="documented",
)
def list_pipelines(org: Org, request: Request) -> Answer:
    layout_id = request.query.get("layout_id")
    if not layout_id:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="layout_id")
    layouts = {layout["id"] for module in org.modules.values() for layout in module.layouts}
    if layout_id not in layouts:
        refuse(400, "INVALID_DATA", param_name="layout_id")
    rows = org.account.pipelines.get(layout_id)
    return ok(pipeline=rows) if rows else no_content()


def _layout(org: Org, module: Module, layout: dict[str, Any]) -> dict[str, Any]:
    fields = [
        {**describe(org, module, field), "required": field.api_name == module.display_field}
        for field in module.fields
        if not field.unused
    ]
    section = {
        "display_label": f"{module.singular_label} Information",
        "sequence_number": 1,
        "isSubformSection": False,
        "api_name": f"{module.singular_label} Information",
        "name": f"{module.singular_label} Information",
        "generated_type": "default",
        "type": "used",
        "column_count": 2,
        "fields": fields,
    }
    return {
        "visible": layout.get("status", "active") == "active",
        "source": "crm",
        "api_name": layout["name"].replace(" ", "_"),
        "has_more_profiles": False,
        "created_time": None,
        "modified_time": None,
        "created_by": None,
        "modified_by": None,
        "created_for": None,
        "convert_mapping": None,
        "profiles": [
            {"default": profile["name"] == "Administrator", "name": profile["name"], "id": profile["id"]}
            for profile in org.account.profiles
        ],
        "sections": [section],
        "display_label": layout["name"],
        "status": "active",
        **layout,
    }


def _related_lists(org: Org, module: Module) -> list[dict[str, Any]]:
    """Notes and Attachments of records that can have them, and every module that looks up to this one."""
    found: list[tuple[str, Module, str]] = []
    for name in ("Notes", "Attachments"):
        if name in org.modules and module.generated_type in ("default", "custom") and module.api_name != name:
            found.append((name, org.modules[name], "default"))
    for other in org.modules.values():
        for field in other.fields if other.generated_type != "subform" else ():
            if field.data_type == "lookup" and field.lookup_module == module.api_name:
                kind = "multiselectlookup" if other.generated_type == "linking" else "default"
                found.append((f"{field.api_name}_{other.api_name}", other, kind))
    return [
        {
            "id": str(int(module.id) + 600_000_000 + place),
            "sequence_number": str(place),
            "display_label": target.plural_label,
            "api_name": name,
            "module": {"api_name": target.api_name, "id": target.id},
            "name": name,
            "action": None,
            "href": f"{module.api_name}/{{ENTITYID}}/{name}",
            "type": kind,
            "connectedmodule": None,
            "linkingmodule": target.api_name if kind == "multiselectlookup" else None,
            "status": "visible",
        }
        for place, (name, target, kind) in enumerate(found, start=1)
    ]


def _tag(org: Org, tag: dict[str, Any]) -> dict[str, Any]:
    me = org.account.me
    made = {"created_time": org.account.user["created_time"], "created_by": me}
    changed = {"modified_time": org.account.user["created_time"], "modified_by": me}
    return {**made, **changed, **tag}

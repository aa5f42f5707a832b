"""settings/modules: what modules the org has, and how each is described."""

from __future__ import annotations

from typing import Any

from ..crm.models import Module
from ..crm.org import Org
from ..exceptions import refuse
from ..routes import Answer, Request, no_content, ok, route

STATUSES = ("visible", "user_hidden", "system_hidden", "scheduled_for_deletion")


@route(
    "GET",
    "/crm/v8/settings/modules",
    params="status",
    scopes="ZohoCRM.settings.modules.READ",
    authority="documented",
)
def list_modules(org: Org, request: Request) -> Answer:
    wanted = request.names("status") or STATUSES
    if not set(wanted) <= set(STATUSES):
        refuse(400, "INVALID_DATA", param_name="status")
    places = enumerate(org.modules.values(), start=1)
    rows = [_module(org, module, place) for place, module in places if module.status in wanted]
    return ok(modules=rows) if rows else no_content()


@route(
    "GET",
    "/crm/v8/settings/modules/{module}",
    scopes="ZohoCRM.settings.modules.READ",
    authority="documented; of what it adds only fields, layouts and display_field are modelled",
)
def read_module(org: Org, request: Request, module: str) -> Answer:
    known = org.modules.get(module)
    if known is None:
        refuse(400, "INVALID_MODULE", resource_path_index=0)
    place = list(org.modules).index(module) + 1
    shown = next((field for field in known.fields if field.api_name == known.display_field), None)
    more = {
        "fields": [{"api_name": field.api_name, "id": field.id} for field in known.fields],
        "layouts": [{"id": layout["id"], "name": layout["name"]} for layout in known.layouts],
        "display_field": shown and {"api_name": shown.api_name, "id": shown.id},
        "per_page": 10,
        "$properties": [],
        "$on_demand_properties": [],
    }
    return ok(modules=[{**_module(org, known, place), **more}])


def module_of_settings(org: Org, request: Request) -> Module:
    """The module that the parameter names, or the refusal that settings calls answer."""
    name = request.query.get("module")
    if not name:
        refuse(400, "REQUIRED_PARAM_MISSING", param_name="module")
    module = org.modules.get(name)
    if module is None or module.invalid_module or not module.api_supported:
        refuse(400, "INVALID_MODULE", param_name="module")
    if module.scope_mismatch:
        refuse(401, "OAUTH_SCOPE_MISMATCH")
    if module.no_permission:
        status = org.quirks.no_permission_status_on_fields
        refuse(status, "NO_PERMISSION", permissions=[f"Crm_Implied_View_{name}"])
    return module


def _module(org: Org, module: Module, place: int) -> dict[str, Any]:
    parent = org.modules.get(module.parent_module or "")
    profiles = [{"name": profile["name"], "id": profile["id"]} for profile in org.account.profiles]
    return {
        "id": module.id,
        "api_name": module.api_name,
        "module_name": module.module_name,
        "plural_label": module.plural_label,
        "singular_label": module.singular_label,
        "actual_plural_label": module.plural_label,
        "actual_singular_label": module.singular_label,
        "generated_type": module.generated_type,
        "parent_module": {"api_name": parent.api_name, "id": parent.id} if parent else {},
        "status": module.status,
        "visibility": module.visibility,
        "api_supported": module.api_supported,
        "viewable": module.viewable,
        "creatable": module.creatable,
        "editable": module.editable,
        "deletable": module.deletable,
        "convertable": bool(module.convertable),
        "show_as_tab": module.generated_type in ("default", "custom"),
        "sequence_number": place,
        "profiles": profiles,
        "profile_count": len(profiles),
        "has_more_profiles": False,
        "private_profile": None,
        "access_type": "org_based",
        "business_card_field_limit": 5,
        "quick_create": False,
        "feeds_required": False,
        "recycle_bin_on_delete": True,
        "track_current_data": False,
        "presence_sub_menu": True,
        "sub_menu_available": True,
        "web_link": None,
        "description": None,
        "arguments": [],
        "modified_time": module.modified_time if org.quirks.module_time_moves else None,
        "modified_by": None,
    }

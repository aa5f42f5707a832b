"""settings/fields: the fields of a module, and how each is described."""

from __future__ import annotations

from typing import Any

from ..crm.models import Field, Module
from ..crm.org import Org
from ..exceptions import refuse
from ..routes import Answer, Request, no_content, ok, route
from .modules import module_of_settings

UI_TYPES = {
    "text": 1, "picklist": 2, "textarea": 3, "ownerlookup": 8, "website": 21, "email": 25, "integer": 32,
    "phone": 33, "percent": 34, "currency": 36, "double": 38, "bigint": 52, "profileimage": 66,
    "multiselectpicklist": 100, "formula": 116, "rollup_summary": 118, "lookup": 133, "date": 24,
    "datetime": 333, "layout": 208, "boolean": 301, "multiselectlookup": 444, "multiuserlookup": 445,
    "subform": 500, "fileupload": 555, "imageupload": 556, "territories": 999,
}  # fmt: skip
LENGTHS = {
    "text": 255,
    "picklist": 120,
    "email": 100,
    "phone": 30,
    "website": 450,
    "integer": 9,
    "bigint": 18,
}
TEXTAREA_LENGTHS = {"small": 2_000, "large": 32_000, "rich_text": 50_000}
UNTRACKED = ("formula", "rollup_summary", "autonumber", "subform", "multiselectlookup")


@route(
    "GET",
    "/crm/v8/settings/fields",
    params="module type",
    scopes="ZohoCRM.settings.fields.READ",
    authority="documented; 400 for NO_PERMISSION and 204 for some modules: seen live",
)
def list_fields(org: Org, request: Request) -> Answer:
    module = module_of_settings(org, request)
    kind = request.query.get("type", "used")
    if kind not in ("used", "unused", "all"):
        refuse(400, "INVALID_DATA", param_name="type")
    if module.fields_204:
        return no_content()
    fields = [field for field in module.fields if kind in ("all", "unused" if field.unused else "used")]
    return ok(fields=[describe(org, module, field) for field in fields]) if fields else no_content()


def describe(org: Org, module: Module, field: Field) -> dict[str, Any]:
    """One row of settings/fields; `{}` stands for "does not apply", as Zoho has it."""
    writable = not field.system and field.data_type not in UNTRACKED
    row = {
        **_constants(),
        "id": field.id,
        "api_name": field.api_name,
        "field_label": field.label,
        "display_label": field.label,
        "data_type": field.data_type,
        "json_type": field.json_type,
        "length": field.length or _length(field),
        "decimal_place": _decimal_place(field),
        "ui_type": UI_TYPES.get(field.data_type, 1),
        "type": "unused" if field.unused else "used",
        "visible": field.visible,
        "custom_field": field.custom,
        "created_source": "custom" if field.custom else "default",
        "read_only": not writable,
        "field_read_only": not writable,
        "mass_update": writable,
        "display_field": field.api_name == module.display_field,
        "virtual_field": False,
        "sortable": field.json_type in ("string", "integer", "double", "boolean"),
        "filterable": field.json_type != "jsonobject",
        "operation_type": dict.fromkeys(("web_update", "api_create", "web_create", "api_update"), writable),
        "view_type": {"view": field.visible, "edit": writable, "quick_create": False, "create": writable},
        "profiles": [
            {"permission_type": _permission(field), "name": profile["name"], "id": profile["id"]}
            for profile in org.account.profiles
        ],
        "pick_list_values": _pick_list_values(field),
        **_by_type(org, module, field),
        **field.extra,
    }
    if field.data_type == "subform":
        del row["length"]
    return row


def _constants() -> dict[str, Any]:
    objects = (
        "association_details", "multi_module_lookup", "external", "unique", "email_parser", "currency",
        "lookup", "rollup_summary", "formula", "multiselectlookup", "auto_number",
    )  # fmt: skip
    nothing = (
        "associated_module", "tooltip", "crypt", "convert_mapping", "hipaa_compliance", "global_picklist",
        "history_tracking", "created_time", "modified_time", "quick_sequence_number",
    )  # fmt: skip
    no = (
        "webhook", "colour_code_enabled_by_system", "separator", "enable_colour_code", "system_mandatory",
        "pick_list_values_sorted_lexically", "hipaa_compliance_enabled",
    )  # fmt: skip
    return {
        **{name: {} for name in objects},
        **dict.fromkeys(nothing),
        **dict.fromkeys(no, False),
        "businesscard_supported": True,
        "searchable": True,
        "display_type": -1,
        "customizable_properties": [],
        "layout_associations": [],
    }


def _permission(field: Field) -> str:
    if not field.visible:
        return "hidden"
    return "read_only" if field.system else "read_write"


def _length(field: Field) -> int:
    if field.data_type == "textarea":
        return TEXTAREA_LENGTHS[field.textarea or "small"]
    return LENGTHS.get(field.data_type, 16 if field.data_type in ("currency", "double") else 255)


def _decimal_place(field: Field) -> int | None:
    if field.decimal_place is None and field.data_type in ("currency", "double", "percent"):
        return 2
    return field.decimal_place


def _pick_list_values(field: Field) -> list[dict[str, Any]]:
    if not field.picklist:
        return []
    shown = [(value.display_value, value.actual_value, value.used) for value in field.picklist]
    if field.data_type == "picklist":
        shown.insert(0, ("-None-", "-None-", True))
    base = int(field.id or 0)
    return [
        {
            "display_value": display,
            "sequence_number": place,
            "reference_value": actual,
            "colour_code": None,
            "actual_value": actual,
            # Values live outside the counter of ids: a field may get one at any time.
            "id": str(base + 1_000_000_000 + place),
            "type": "used" if used else "unused",
        }
        for place, (display, actual, used) in enumerate(shown, start=1)
    ]


def _by_type(org: Org, module: Module, field: Field) -> dict[str, Any]:
    kind = field.data_type
    if kind == "formula":
        return {"formula": {"return_type": field.return_type, "dynamic": False, "assume_default": False}}
    if kind == "rollup_summary":
        return {"rollup_summary": {"return_type": field.return_type, "rollup_based_on": "related_list"}}
    if kind == "currency":
        return {"currency": {"rounding_option": "normal", "precision": _decimal_place(field)}}
    if kind == "textarea":
        return {"textarea": {"type": field.textarea or "small"}}
    if kind == "autonumber":
        number = {"prefix": "", "suffix": "", "start_number": 1, "starting_number_length": 1}
        return {"auto_number": number}
    if kind == "subform":
        target = _named(org, field.subform_module)
        return {
            "associated_module": {"module": target["api_name"], "id": target["id"]},
            "subform": {"module": target["api_name"], "id": target["id"]},
        }
    return _by_link(org, module, field)


def _by_link(org: Org, module: Module, field: Field) -> dict[str, Any]:
    if field.data_type == "lookup" and field.lookup_module:
        return {
            "lookup": {
                "display_label": module.plural_label,
                "revalidate_filter_during_edit": False,
                "api_name": f"{field.api_name}_{module.api_name}",
                "module": _named(org, field.lookup_module),
                "id": field.id,
                "query_details": {},
            }
        }
    if field.data_type == "multiuserlookup" and field.linking_module:
        return _of_several_users(org, field)
    if field.data_type != "multiselectlookup":
        return {}
    linking, connected = _named(org, field.linking_module), _named(org, field.lookup_module)
    if org.quirks.multiselectlookup_keys == "v7":
        return {
            "multiselectlookup": {
                "display_label": field.label,
                "linking_module": linking,
                "connected_module": connected,
                "lookup_apiname": field.linking_field,
                "api_name": field.api_name,
                "id": field.id,
            }
        }
    return {
        "multiselectlookup": {
            "linking_details": {
                "module": {**linking, "visibility": 1, "plural_label": field.label},
                "lookup_field": {"api_name": field.linking_field, "id": field.id},
            },
            "connected_details": {"module": connected},
            "record_access": False,
        }
    }


def _of_several_users(org: Org, field: Field) -> dict[str, Any]:
    as_text = org.quirks.multi_user_linking_module == "text"
    return {
        "multiuserlookup": {
            "display_label": field.label,
            "linking_module": field.linking_module if as_text else _named(org, field.linking_module),
            "lookup_apiname": field.linking_field,
            "connected_module": "users",
            "api_name": field.api_name,
            "id": field.id,
        }
    }


def _named(org: Org, name: str | None) -> dict[str, Any]:
    module = org.modules.get(name or "")
    return {"api_name": name, "id": module.id if module else None}

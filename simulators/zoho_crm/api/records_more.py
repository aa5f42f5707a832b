"""What else the Records API answers: one record, and its rich text whole."""

from __future__ import annotations

from ..crm.models import Record
from ..crm.org import Org
from ..routes import Answer, Request, no_content, ok, refuse, route, unmodelled
from .record_json import DOLLAR_KEYS, whole
from .records import module_of


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

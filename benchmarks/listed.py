"""An account for readers of lists: plain records, and the calls of version 2 that older connectors make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulators.zoho_crm import Org
    from simulators.zoho_crm.routes import Answer, Request

BATCH = 5_000
# Version 2 needs no `fields` and shows all. It has no page_token, and a live answer that a user of a connector
# has published (airbytehq/airbyte#30977) refuses its page 11 like version 8.
SEEN = "documented (version 2); the refusal of page 11: seen live"


def add_listed_module(org: Org, name: str, rows: int, fields: int) -> None:
    """The rows and fields of a generated module as plain records; ids are the org's own."""
    from simulators.zoho_crm import Module
    from simulators.zoho_crm.generated.columns import FIRST_ID, SYSTEM_NAMES, generated_columns
    from simulators.zoho_crm.generated.module import Generated

    columns = tuple(generated_columns(name, fields, org.user["id"]))
    made = [column.field for column in columns]
    org.add_module(Module(name, made, generated_type="custom", system_fields=SYSTEM_NAMES))
    computed = Generated(rows, columns, Path())
    for first in range(0, rows, BATCH):
        ids = [str(FIRST_ID + number) for number in range(first, min(first + BATCH, rows))]
        for record in computed.records(name, ids):
            values = {key: value for key, value in record.values.items() if key != "id"}
            org.insert(name, values, modified_time=values["Modified_Time"])


def add_version_2() -> None:
    """Routes of version 2, answered by those of version 8 where the two agree."""
    from simulators.zoho_crm.api import fields, modules
    from simulators.zoho_crm.routes import route

    settings = "/crm/v2/settings"

    @route("GET", f"{settings}/modules", scopes="ZohoCRM.settings.modules.READ", authority=SEEN)
    def list_modules(org: Org, request: Request) -> Answer:
        return modules.list_modules(org, request)

    @route("GET", f"{settings}/modules/{{module}}", scopes="ZohoCRM.settings.modules.READ", authority=SEEN)
    def read_module(org: Org, request: Request, module: str) -> Answer:
        return modules.read_module(org, request, module)

    @route(
        "GET", f"{settings}/fields", params="module", scopes="ZohoCRM.settings.fields.READ", authority=SEEN
    )
    def list_fields(org: Org, request: Request) -> Answer:
        return fields.list_fields(org, request)

    @route("GET", "/crm/v2/{module}", params="page per_page", scopes="ZohoCRM.modules.READ", authority=SEEN)
    def list_records(org: Org, request: Request, module: str) -> Answer:
        return _all_fields(org, request, module)


def _all_fields(org: Org, request: Request, module: str) -> Any:
    from simulators.zoho_crm.api import records

    names = [field.api_name for field in records.module_of(org, module).fields]
    rules = org.rules
    org.rules = replace(rules, fields_per_list=len(names))
    try:
        answer = records.list_records(
            org, replace(request, query={**request.query, "fields": ",".join(names)}), module
        )
    finally:
        org.rules = rules
    if answer.body is not None:
        info = answer.body["info"]
        answer.body["info"] = {key: info[key] for key in ("per_page", "count", "page", "more_records")}
    return answer

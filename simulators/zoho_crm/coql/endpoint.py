"""The COQL call: one query in, a page of rows out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..api.record_json import shape
from ..crm.bigin import refuses_in_coql
from ..crm.columns import APPROVAL, Columns
from ..crm.models import Field, Module, Record
from ..exceptions import Refusal, Unmodelled, refuse, unmodelled
from ..generated.module import need_edited_only
from ..oauth.scopes import need_scope
from ..routes import Answer, Request, no_content, ok, route
from .executor import Cell, Found, aggregate, check_limits, check_names, select
from .parser import CoqlError, Query, comparisons, parse
from .where import condition

if TYPE_CHECKING:
    from ..crm.org import Org


FROM = re.compile(r"\bfrom\s+'?([\w$]+)", re.IGNORECASE)


def cost(org: Org, request: Request) -> int:
    """1, 2 or 3 credits for a limit up to 200, 1,000 and 2,000."""
    try:
        limit = read_query(org, request).limit
    except (CoqlError, Refusal, Unmodelled):
        return 1
    return 1 if limit <= 200 else 2 if limit <= 1_000 else 3


def module_of_query(org: Org, request: Request, _: dict[str, str]) -> str | None:
    """The module that a query names, however wrong the rest of it may be."""
    try:
        found = FROM.search(json.loads(request.body)["select_query"])
    except (ValueError, TypeError, KeyError):
        return None
    return found.group(1) if found else None


@route(
    "POST",
    "/crm/v8/coql",
    scopes="ZohoCRM.coql.READ",
    credits=cost,
    heavy=True,
    module=module_of_query,
    authority="documented; the caps on columns and brackets: conflict",
)
def run_query(org: Org, request: Request) -> Answer:
    try:
        return answer(org, request)
    except CoqlError as error:
        refuse(400, error.code, error.message, **error.details)


def answer(org: Org, request: Request) -> Answer:
    query = read_query(org, request)
    module = find_module(org, request, query.module)
    check_limits(query, org.rules, org.quirks)
    check_names(query)
    columns = Columns(org, module, lambda module, field: refuses(org, module, field))
    need_edited_only(
        module, [test.column for test in comparisons(query.where)], condition(query.where, columns)
    )
    records = visible(org, query, module)
    if query.aggregated:
        page = aggregate(query, columns, records)
        return answer_of([shape_cells(org, row) for row in page.rows], page.more)
    found = select(query, columns, records)
    return answer_of(shape_found(org, found), found.more)


def answer_of(rows: list[dict[str, Any]], more: bool) -> Answer:
    return ok(data=rows, info={"count": len(rows), "more_records": more}) if rows else no_content()


def read_query(org: Org, request: Request) -> Query:
    body = request.json()
    if not isinstance(body, dict) or "select_query" not in body:
        refuse(400, "MANDATORY_NOT_FOUND", "required field not found", api_name="select_query")
    if set(body) != {"select_query"}:
        unmodelled(f"COQL: the keys {sorted(set(body) - {'select_query'})}")
    if not isinstance(body["select_query"], str):
        refuse(400, "INVALID_DATA", api_name="select_query", expected_data_type="string")
    return parse(body["select_query"], flat_conditions=org.quirks.coql_flat_triples)


def find_module(org: Org, request: Request, name: str) -> Module:
    if name in ("Users", "users"):
        unmodelled("COQL: the users")
    module = org.modules.get(name)
    if module is None or module.invalid_module or not module.api_supported:
        refuse(400, "INVALID_MODULE", module=name)
    need_scope(request, "ZohoCRM.modules.READ", org.scope_words(name))
    if module.scope_mismatch:
        refuse(401, "OAUTH_SCOPE_MISMATCH")
    if module.no_permission or not module.viewable:
        refuse(org.quirks.no_permission_status, "NO_PERMISSION", permissions=[f"Crm_Implied_View_{name}"])
    if not module.coql_supported or name in org.quirks.coql_modules_refused:
        raise CoqlError("INVALID_QUERY", "the module is not supported in COQL", module=name)
    return module


def refuses(org: Org, module: Module, field: Field) -> bool:
    refused_type = field.data_type in org.quirks.coql_refused_types or field.data_type == "address"
    refused_type = refused_type or refuses_in_coql(org, field)
    return refused_type or field.api_name in module.refused_by_coql


def visible(org: Org, query: Query, module: Module) -> list[Record]:
    """Converted and unapproved records may be hidden unless the where clause names the flag (inferred)."""
    records, quirks = org.shown(module.api_name), org.quirks
    if not (quirks.coql_hides_converted or quirks.coql_hides_unapproved):
        return records
    named = {test.column for test in comparisons(query.where)}
    converted = not quirks.coql_hides_converted or bool(named & {"$converted", "Converted__s"})
    unapproved = not quirks.coql_hides_unapproved or bool(named & APPROVAL.keys())
    return [
        record
        for record in records
        if (converted or not record.converted) and (unapproved or record.approved)
    ]


def shape_found(org: Org, found: Found) -> list[dict[str, Any]]:
    """Rows as the Records API shapes them, under the keys of the query."""
    cut = org.rules.rich_text_in_list if org.quirks.coql_rich_text_cut else None
    own = [column.field for _, column in found.columns if "." not in column.path]
    shaped = shape(org, found.records, own, cut=cut, emails=False)
    joined = {
        key: shape_values(org, column.field, [column.read(record) for record in found.records], cut)
        for key, column in found.columns
        if "." in column.path
    }
    return [
        {key: joined[key][at] if key in joined else row[column.path] for key, column in found.columns}
        for at, row in enumerate(shaped)
    ]


def shape_values(org: Org, field: Field, values: Sequence[Any], cut: int | None) -> list[Any]:
    """Values away from their record, as a record would show them."""
    if field.api_name == "id":
        return [None if value is None else str(value) for value in values]
    stand_ins = [Record("", "", {field.api_name: value}) for value in values]
    return [row[field.api_name] for row in shape(org, stand_ins, [field], cut=cut, emails=False)]


def shape_cells(org: Org, row: dict[str, Cell]) -> dict[str, Any]:
    return {
        key: cell.value if cell.field is None else shape_values(org, cell.field, [cell.value], None)[0]
        for key, cell in row.items()
    }

"""The count of a module's records: all of them, or those that meet a criteria."""

from __future__ import annotations

import re

from .columns import Columns
from .generated import need_edited_only
from .modules import Field, Module, Record
from .org import Org
from .records import module_of
from .routes import Answer, Request, ok, route
from .search_criteria import Reader


@route(
    "GET",
    "/crm/v8/{module}/actions/count",
    params="criteria",
    scopes="ZohoCRM.modules.READ ZohoSearch.securesearch.READ",
    authority="documented; what it counts: inferred",
)
def count_records(org: Org, request: Request, module: str) -> Answer:
    known = module_of(org, module)
    criteria = request.query.get("criteria")
    if known.generated is not None and criteria is None:
        return ok(count=known.generated.rows)
    records = [record for record in org.counted(module) if counts(org, record)]
    if criteria is not None:
        passes = Reader(criteria, Columns(org, known, never), org.quirks.search_criteria).read()
        need_edited_only(known, CONDITION_NAME.findall(criteria), passes)
        records = [record for record in records if passes(record)]
    return ok(count=len(records))


CONDITION_NAME = re.compile(r"\(([\w$.]+):")


def never(module: Module, field: Field) -> bool:
    return False


def counts(org: Org, record: Record) -> bool:
    quirks = org.quirks
    return (record.approved or quirks.count_includes_unapproved) and (
        not record.converted or quirks.count_includes_converted
    )

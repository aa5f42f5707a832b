"""The count of a module's records: all of them, or those that meet a criteria."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..crm.columns import Columns
from ..crm.models import Field, Module, Record
from ..crm.org import Org
from ..generated.module import need_edited_only
from ..routes import Answer, Request, ok, refuse, route
from .records import module_of
from .search_criteria import Reader


@route(
    "GET",
    "/crm/v8/{module}/actions/count",
    params="criteria converted approved",
    scopes="ZohoCRM.modules.READ ZohoSearch.securesearch.READ",
    authority="documented; without `converted` and `approved` it leaves such records out: documented for v7",
)
def count_records(org: Org, request: Request, module: str) -> Answer:
    known = module_of(org, module)
    counts = wanted(org, request)
    criteria = request.query.get("criteria")
    if known.generated is not None and criteria is None:
        return ok(count=known.generated.rows)
    records = [record for record in org.counted(module) if counts(record)]
    if criteria is not None:
        passes = Reader(criteria, Columns(org, known, never), org.quirks.search_criteria).read()
        need_edited_only(known, CONDITION_NAME.findall(criteria), passes)
        records = [record for record in records if passes(record)]
    return ok(count=len(records))


CONDITION_NAME = re.compile(r"\(([\w$.]+):")


def never(module: Module, field: Field) -> bool:
    return False


def wanted(org: Org, request: Request) -> Callable[[Record], bool]:
    """The test for the records that a count means: of converted ones none, and only approved ones, if it does not say."""
    named = [name for name in ("converted", "approved") if name in request.query]
    if named and org.quirks.count_parameters == "refused":
        refuse(400, "INVALID_DATA", param_name=named[0])
    converted = request.one_of("converted", ("false", "true", "both"), "false")
    approved = request.one_of("approved", ("true", "false", "both"), "true")
    if org.quirks.count_parameters == "ignored":
        converted, approved = "false", "true"

    def counts(record: Record) -> bool:
        return converted in ("both", str(record.converted).lower()) and approved in (
            "both",
            str(record.approved).lower(),
        )

    return counts

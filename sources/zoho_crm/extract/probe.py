"""Asks what a plan needs to know: counts and first changes, some modules at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..client.client import ZohoClient
from ..config import ModuleSelection
from ..discovery.availability import NO_SUCH_MODULE, fields_of
from ..discovery.catalog import Answer, Catalog, PreviousState, begin, call_in_parallel, skip_reason
from ..exceptions import CredentialsError, Retriable, ZohoError, means_not_offered
from ..models import MODIFIED_TIME, Api, CoqlPages, Field, Module, PreferredApi, PrefetchedPage
from ..planning.api_selection import Changes, choose_api, choose_api_for_changes, format_minute, why_not_bulk
from ..planning.cost import ranges_of
from ..planning.plan import Plan
from .record_count import Count, read_count, read_count_of
from .record_lookup import field_chunks
from .records_pagination import first_page


def plan_changes(client: ZohoClient, plan: Plan, preferred_api: PreferredApi, coql: CoqlPages) -> Plan:
    """The plan of a window with its API, its reason, and the first page, which often is all there is.

    `coql` are the pages of COQL, none where it may not be asked. Takes one call, and a second one, to count, where more
    changed than fits a page; none for a wish of COQL. Raises what passes with time or needs a person.
    """
    since = plan.window.since
    assert since is not None
    plan = replace(plan, api_availability=replace(plan.api_availability, coql=coql))
    if preferred_api == "coql":
        return replace(
            plan.with_api("coql", f"as configured, what changed since {format_minute(since)}"), rows=None
        )
    try:
        first = first_page(client, plan, field_chunks(plan.columns)[0])
    except ZohoError as refusal:
        if isinstance(refusal, (Retriable, CredentialsError)):
            raise
        return _past(refusal, plan, preferred_api)
    changes = _changes(client, plan, first)
    api, reason = choose_api_for_changes(
        plan.module, preferred_api, changes, plan.columns, plan.api_availability
    )
    partly = plan.counts_partly or changes.counts_partly
    return replace(plan.with_api(api, reason), rows=changes.rows, first=first, counts_partly=partly)


def count_changes(client: ZohoClient, plan: Plan) -> Count | None:
    """Zoho's count of what changed, up to ten minutes old; None where it gives none."""
    assert plan.window.since is not None
    criteria = f"({MODIFIED_TIME}:greater_equal:{plan.window.since.isoformat(timespec='seconds')})"
    return read_count_of(client, plan.module.api_name, criteria, partly=plan.counts_partly)


def _changes(client: ZohoClient, plan: Plan, first: PrefetchedPage) -> Changes:
    assert plan.window.since is not None
    changes = Changes(plan.window.since, len(first.records), first.more, at_most=plan.rows)
    if not first.more:
        return changes
    least = changes.rows + 1
    count = count_changes(client, plan)
    if count is None or count.records < least:  # it does not know of them yet
        return replace(changes, rows=least, counts_partly=bool(count and count.partly))
    return replace(changes, rows=count.records, counted=True, counts_partly=count.partly)


def _past(refusal: ZohoError, plan: Plan, preferred_api: PreferredApi) -> Plan:
    """The plan of a module that the Records API does not list; where nothing else may, it is to say so."""
    possible: list[Api] = []
    if preferred_api == "auto" and plan.api_availability.coql:
        possible.append("coql")
    if preferred_api in ("auto", "bulk") and not why_not_bulk(plan.module):
        possible.append("bulk")
    assert plan.window.since is not None
    reason = f"lists refuse it ({refusal.code}), what changed since {format_minute(plan.window.since)}"
    return replace(plan.with_api([*possible, "records"][0], reason), rows=None)


def discover(
    client: ZohoClient,
    choice: ModuleSelection,
    preferred_api: PreferredApi,
    memory: PreviousState,
) -> Catalog:
    """One call for the modules, then for each chosen one its fields, and its count or its first changes."""
    found = begin(client, choice, memory)
    chosen = [m for m in found.modules if found.choice.selects(m.api_name)]
    described = chosen
    if "fields" in found.choice.only:  # the table, which is about all modules
        described = [m for m in found.modules if m.api_name not in found.choice.never]
    ask(client, found, preferred_api, chosen, described)
    return found


def ask(
    client: ZohoClient,
    found: Catalog,
    preferred_api: PreferredApi,
    modules: Sequence[Module],
    described: Sequence[Module] | None = None,
) -> None:
    """Plan these modules: their fields, and their counts or first changes. Asks for the fields of `described`, too.

    Under a limit of credits this is done for some modules after the other, and the rules are checked at the end.
    """
    fields = call_in_parallel(
        partial(fields_of, client, found.memory), [m for m in described or modules if not skip_reason(m)]
    )
    found.fields.update({name: listed for name, listed in fields.items() if isinstance(listed, list)})
    if found.order is None:
        found.check_rules([m.api_name for m in found.modules if _may_have_fields(m, found, fields)])
    offered = [m for m in modules if not skip_reason(m) and found.fields.get(m.api_name)]
    plans = call_in_parallel(lambda m: with_api(client, found.plan_module(m), preferred_api), offered)
    for module in modules:
        found.classify_module(module, fields.get(module.api_name, []), plans.get(module.api_name))


def _may_have_fields(module: Module, found: Catalog, fields: Mapping[str, Answer[list[Field]]]) -> bool:
    """Whether a module whose fields are not here has some: nobody asked for them, or they could not be had now."""
    answer = fields.get(module.api_name)
    if isinstance(answer, ZohoError):
        return not (answer.code in NO_SUCH_MODULE or means_not_offered(answer))
    return module.api_name not in found.fields and not skip_reason(module)


def with_api(client: ZohoClient, plan: Plan, preferred_api: PreferredApi) -> Plan:
    """The plan with the API that reads it, by Zoho's count or by the first page of changes."""
    failing = "coql" in dict(plan.api_availability.failing)
    coql = client.service.coql_pages if client.may_use_coql and not failing else ()
    offered = replace(plan.api_availability, coql=coql, ranges=1)
    plan = replace(plan, asked=preferred_api != "auto", api_availability=offered)
    if plan.filters:
        made = with_api(client, replace(plan, filters=()), preferred_api)
        only = " and ".join(plan.filter_words)
        return replace(
            made,
            filters=plan.filters,
            reason=f"{made.reason}; only rows with {only}, which Zoho does not count",
        )
    if not plan.is_full_refresh:
        return plan_changes(client, plan, preferred_api, coql)
    count = read_count(client, plan.module.api_name, partly=plan.counts_partly)
    rows = count.records if count else None
    ranges = ranges_of(rows, client.context.jobs_per_module) if plan.has_ranges else 1
    plan = replace(plan, api_availability=replace(offered, ranges=ranges))
    api, reason = choose_api(plan.module, preferred_api, rows, plan.valued, plan.api_availability)
    words = f"{plan.reason}; {reason}" if plan.reason else reason
    return replace(plan, api=api, reason=words, rows=rows, counts_partly=bool(count and count.partly))

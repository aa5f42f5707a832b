"""What an account offers, printed: the plan of a run, its modules, or the fields of some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sources.zoho_crm import limits

from .console import Console, counted
from .report import pairs_of, print_failed, print_left_out, print_skips

if TYPE_CHECKING:
    from sources.zoho_crm.client import ZohoClient
    from sources.zoho_crm.metadata import Field
    from sources.zoho_crm.plan import Plan
    from sources.zoho_crm.survey import Survey

NOT_CHOSEN = "not chosen"


def print_plan(
    console: Console, found: Survey, client: ZohoClient, counts: Mapping[str, int], *, verbose: bool
) -> None:
    """What a run would read, by which API, why, and what it would cost.

    `client` has made the survey; `counts` are the rows in the destination, for what is read of all of them.
    """
    from sources.zoho_crm.tables import account_tables

    asked = client.usage.calls  # a run asks the same first
    ours = account_tables(client, found)
    rows: list[tuple[Any, ...]] = [row for plan in found.plans for row in _plan_rows(plan, counts)]
    rows += [(t.name, t.table, "settings", "read whole", None, t.calls, t.calls) for t in ours]
    rows.append(
        ("modules, fields", "modules, fields", "settings", "asked while planning", None, asked, asked)
    )
    columns = ("module", "table", "API", "reason", "rows", "calls", "credits")
    console.table(columns, rows)
    for row in rows:
        console.event("plan", dict(zip(("module", "table", "api", *columns[3:]), row, strict=True)))
    print_left_out(console, found.plans, verbose=verbose)
    _print_unknown_types(console, found)
    print_skips(console, pairs_of(found.skips))
    print_failed(console, pairs_of(found.failures))
    console.text()
    sums = {
        "modules": len(found.plans),
        "rows": sum(plan.rows or 0 for plan in found.plans),
        "calls": sum(row[-2] for row in rows),
        "credits": sum(row[-1] for row in rows),
        "skipped": len(found.skips),
        "failed": len(found.failures),
    }
    console.event("summary", sums)
    console.text(
        f"{counted(sums['modules'], 'module')}, {counted(sums['rows'], 'row')} by Zoho's count: about"
        f" {counted(sums['calls'], 'call')}, {counted(sums['credits'], 'credit')}; "
        f"{sums['skipped']} skipped, {sums['failed']} failed. Nothing was loaded."
    )


def print_modules(console: Console, found: Survey) -> None:
    """Every module that Zoho lists, and whether it would be read."""
    rows = [
        (
            module.api_name,
            module.generated_type,
            len(found.fields[module.api_name]) if module.api_name in found.fields else None,
            *_verdict(found, module.api_name),
        )
        for module in found.modules
    ]
    columns = ("module", "type", "fields", "table", "read", "why not")
    console.table(columns, rows)
    for row in rows:
        console.event("module", dict(zip((*columns[:5], "reason"), row, strict=True)))
    chosen = len(found.plans)
    console.text()
    console.event("summary", {"modules": len(rows), "chosen": chosen})
    console.text(f"{counted(len(rows), 'module')}, {chosen:,} of them would be read.")


def print_fields(console: Console, found: Survey) -> None:
    """The fields of the chosen modules, and the column that each becomes."""
    columns = ("module", "field", "data type", "column", "column type", "why not")
    names = ("module", "field", "data_type", "column", "column_type", "reason")
    rows = [row for module in sorted(found.fields) for row in _field_rows(found, module)]
    if rows:
        console.table(columns, rows)
    for row in rows:
        console.event("field", dict(zip(names, row, strict=True)))
    print_skips(console, pairs_of(found.skips))
    print_failed(console, pairs_of(found.failures))
    console.text()
    console.event("summary", {"modules": len(found.fields), "fields": len(rows)})
    console.text(f"{counted(len(found.fields), 'module')}, {counted(len(rows), 'field')}.")


def _plan_rows(plan: Plan, counts: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
    """One row for what a module's own reading takes, and one for what is due beside it."""
    from sources.zoho_crm.changes import costs_of
    from sources.zoho_crm.sweep import narrow

    name, cost = plan.module.api_name, plan.cost
    calls, credits = cost.calls, cost.credits
    if not plan.whole:
        calls = max(calls - 1, 0)  # its first page has come already
        credits = max(costs_of(plan.rows or 0, plan.columns)[plan.api], 0)
    if plan.synced is not None:
        calls, credits = calls + 1, credits + limits.DELETED_CREDITS
    yield name, plan.table, plan.api, plan.reason, plan.rows, calls, credits
    if plan.refresh or plan.sweep:
        thin = narrow(plan, plan.refresh, counts.get(plan.table))
        yield name, plan.table, thin.api, thin.reason, None, thin.cost.calls, thin.cost.credits


def _verdict(found: Survey, name: str) -> tuple[str | None, str, str]:
    """The table, whether it would be read, and why not."""
    for plan in found.plans:
        if plan.module.api_name == name:
            return plan.table, "yes", ""
    reasons = dict(pairs_of([*found.skips, *found.failures]))
    return None, "no", reasons.get(name, NOT_CHOSEN)


def _field_rows(found: Survey, module: str) -> Iterator[tuple[Any, ...]]:
    plan = next((plan for plan in found.plans if plan.module.api_name == module), None)
    columns = {column.api_name: column for column in plan.columns} if plan else {}
    left_out = dict(plan.left_out) if plan else {}
    listed: list[Field] = found.fields[module]
    for field in listed:
        column = columns.get(field.api_name)
        name, kind = (column.name, column.kind.dlt_type) if column else (None, None)
        yield module, field.api_name, field.data_type, name, kind, left_out.get(field.api_name, "")


def _print_unknown_types(console: Console, found: Survey) -> None:
    from sources.zoho_crm.plan import unknown_types

    notes = [(plan.module.api_name, sentence) for plan in found.plans for sentence in unknown_types(plan)]
    console.paragraph("Notes", [f"{name}: {sentence}" for name, sentence in notes])
    for name, sentence in notes:
        console.event("note", {"module": name, "note": sentence})

"""What an account offers, printed: the plan of a run, its modules, or the fields of some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sources.zoho_crm.transform.privacy_rules import PAST

from ..console import Console, counted
from ..run.plan_totals import PlanLine, total_plan
from .run_report import pairs_of, print_failed, print_left_out, print_skips

if TYPE_CHECKING:
    from sources.zoho_crm.client.client import ZohoClient
    from sources.zoho_crm.discovery.catalog import Catalog
    from sources.zoho_crm.models import Field

NOT_CHOSEN = "not chosen"
PLAN_COLUMNS = ("module", "table", "API", "reason", "rows", "calls", "credits", "MB", "seconds")
PLAN_SPARE = ("table", "reason", "MB", "calls", "seconds")  # on a terminal without room, this one first


def print_plan(
    console: Console, found: Catalog, client: ZohoClient, files: tuple[int, int] | None = None
) -> None:
    """What a run would read, by which API, why, and what it should cost and take.

    `client` has made the survey. `files` are those that the command `files` would copy, and their bytes.
    """
    from sources.zoho_crm.sync.tables import account_tables

    asked = client.usage.calls  # a run asks the same first
    expected = total_plan(found, account_tables(client, found), asked)
    console.table(PLAN_COLUMNS, [_plan_row(line) for line in expected.lines], PLAN_SPARE)
    for line in expected.lines:
        console.event("plan", _plan_facts(line))
    print_left_out(console, found.plans)
    _print_unknown_types(console, found)
    print_skips(console, pairs_of(found.skips))
    print_failed(console, pairs_of(found.failures))
    if files is not None and files[0]:
        console.text()
        console.text(
            f"`files FOLDER` would copy {counted(files[0], 'file')}, {files[1] / 1e6:,.1f} MB by Zoho's records:"
            f" {counted(files[0], 'call')}, {counted(files[0], 'credit')}."
        )
        console.event("files", {"files": files[0], "calls": files[0], "credits": files[0], "bytes": files[1]})
    console.text()
    sums = {
        "modules": expected.modules,
        "rows": expected.rows,
        "calls": expected.calls,
        "credits": expected.credits,
        "bytes": expected.bytes,
        "seconds": round(expected.seconds, 1),
        "skipped": len(found.skips),
        "failed": len(found.failures),
    }
    console.event("summary", sums)
    console.last(
        f"{counted(expected.modules, 'module')}, {counted(expected.rows, 'row')} by Zoho's count: about"
        f" {counted(expected.calls, 'call')}, {counted(expected.credits, 'credit')},"
        f" {expected.bytes / 1e6:,.1f} MB, {expected.seconds:,.0f} s; "
        f"{len(found.skips):,} skipped, {len(found.failures):,} failed. Nothing was loaded."
    )


def print_modules(console: Console, found: Catalog) -> None:
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
    console.table(columns, rows, ("table", "type", "fields"))
    lost = {skip.module.api_name for skip in found.failures}
    for row in rows:
        console.event("module", dict(zip((*columns[:5], "reason"), row, strict=True)), matters=row[0] in lost)
    chosen = len(found.plans)
    console.text()
    console.event("summary", {"modules": len(rows), "chosen": chosen})
    console.last(f"{counted(len(rows), 'module')}, {chosen:,} of them would be read.")


def print_fields(console: Console, found: Catalog) -> None:
    """The fields of the chosen modules, and the column that each becomes."""
    columns = ("module", "field", "data type", "column", "column type", "why not, or how")
    names = ("module", "field", "data_type", "column", "column_type", "reason")
    rows = [row for module in sorted(found.fields) for row in _field_rows(found, module)]
    if rows:
        console.table(columns, rows, ("column type", "data type"), keys=2)
    for row in rows:
        console.event("field", dict(zip(names, row, strict=True)))
    print_skips(console, pairs_of(found.skips))
    print_failed(console, pairs_of(found.failures))
    console.text()
    console.event("summary", {"modules": len(found.fields), "fields": len(rows)})
    console.last(f"{counted(len(found.fields), 'module')}, {counted(len(rows), 'field')}.")


def _plan_row(line: PlanLine) -> tuple[Any, ...]:
    size, seconds = line.estimate.bytes / 1e6, line.estimate.seconds
    return line.module, line.table, line.api, line.reason, line.rows, line.calls, line.credits, size, seconds


def _plan_facts(line: PlanLine) -> dict[str, Any]:
    return {
        "module": line.module,
        "table": line.table,
        "api": line.api,
        "reason": line.reason,
        "rows": line.rows,
        "calls": line.calls,
        "credits": line.credits,
        "bytes": line.estimate.bytes,
        "seconds": round(line.estimate.seconds, 1),
    }


def _verdict(found: Catalog, name: str) -> tuple[str | None, str, str]:
    """The table, whether it would be read, and why not."""
    for plan in found.plans:
        if plan.module.api_name == name:
            return plan.table, "yes", ""
    reasons = dict(pairs_of([*found.skips, *found.failures]))
    return None, "no", reasons.get(name, NOT_CHOSEN)


def _field_rows(found: Catalog, module: str) -> Iterator[tuple[Any, ...]]:
    plan = next((plan for plan in found.plans if plan.module.api_name == module), None)
    columns = {column.api_name: column for column in plan.columns} if plan else {}
    left_out = dict(plan.left_out) if plan else {}
    listed: list[Field] = found.fields[module]
    for field in listed:
        column = columns.get(field.api_name)
        name, kind = (column.name, column.kind.dlt_type) if column else (None, None)
        why = left_out.get(field.api_name) or (
            PAST[column.masking_rule.how] if column and column.masking_rule else ""
        )
        yield module, field.api_name, field.data_type, name, kind, why


def _print_unknown_types(console: Console, found: Catalog) -> None:
    from sources.zoho_crm.planning.plan import unknown_types

    notes = [(plan.module.api_name, sentence) for plan in found.plans for sentence in unknown_types(plan)]
    console.paragraph("Notes", [f"{name}: {sentence}" for name, sentence in notes])
    for name, sentence in notes:
        console.event("note", {"module": name, "note": sentence})

"""The report of `verify`: one table, the ids that differ, and a last line that sums it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..console import Console, counted
from ..verify.comparison import Comparison, Kind
from .run_report import FEW, failed, group, print_failed, print_skips, skipped

if TYPE_CHECKING:
    from ..verify.verifier import Verification

COLUMNS = (
    "module",
    "table",
    "API",
    "in CRM",
    "in table",
    "missing",
    "extra",
    "stale",
    "other values",
    "since the last run",
    "calls",
    "credits",
    "status",
)
# On a terminal without room, the first one first.
SPARE = ("API", "calls", "credits", "table", "since the last run")
WORDS: dict[Kind, str] = {
    "missing": "missing",
    "extra": "extra",
    "stale": "stale",
    "values": "with other values",
}


def print_verification(console: Console, result: Verification, *, remark: str = "") -> None:
    """Everything that was compared; a remark stands above the last line."""
    console.text()
    shown = [c for c in result.comparisons if c.verdict != "equal" or not console.brief]
    if shown:
        console.table(COLUMNS, [_cells(c) for c in shown], SPARE)
    if others := len(result.comparisons) - len(shown):
        console.text(f"{counted(others, 'other module' if shown else 'module')}: equal to the CRM.")
    for comparison in result.comparisons:
        console.event("comparison", facts(comparison))
    notes = [f"{c.name}: {line}" for c in result.comparisons for line in c.id_scan.notes.lines()]
    console.paragraph("Notes", notes)
    refused = group((c.name, c.refusal) for c in result.comparisons if c.refusal)
    console.paragraph("Left as they are", [f"{', '.join(names)}: {why}" for why, names in refused.items()])
    print_skips(console, skipped(result.run))
    lines = [line for c in result.comparisons for line in difference_lines(c, verbose=console.verbose)]
    repaired = bool(lines) and not result.differing
    console.paragraph("Differences, all repaired" if repaired else "Differences", lines)
    print_failed(console, failed(result.run))
    console.text()
    if remark:
        console.text(remark)
    console.event("summary", sums(result))
    console.last(summary(result))


def summary(result: Verification) -> str:
    """The last line."""
    of = sums(result)
    left = result.run.credits_remaining
    repaired = f", {of['repaired']:,} repaired" if of["repaired"] else ""
    return (
        f"{counted(of['modules'], 'module')} compared in {of['seconds']:,.1f} s: {of['equal']:,} equal{repaired},"
        f" {of['differ']:,} differ"
        + (f", in {counted(of['differences'], 'row')}" if of["differences"] else "")
        + (f"; {counted(of['since'], 'row')} changed since the last run" if of["since"] else "")
        + f"; {counted(of['calls'], 'call')}, {counted(of['credits'], 'credit')}"
        + (f" ({left:,} left today)" if left is not None else "")
        + f"; {of['skipped']:,} skipped, {of['failed']:,} failed."
    )


def sums(result: Verification) -> dict[str, Any]:
    run, verdicts = result.run, [c.verdict for c in result.comparisons]
    return {
        "run_id": run.run_id,
        "modules": sum(verdict not in ("failed", "skipped") for verdict in verdicts),
        "equal": verdicts.count("equal"),
        "repaired": verdicts.count("repaired"),
        "differ": len(result.differing),
        "differences": sum(len(c.differing_ids) for c in result.comparisons),
        "since": sum(len(c.since) for c in result.comparisons),
        "seconds": round(((run.finished or run.started) - run.started).total_seconds(), 1),
        "calls": run.calls,
        "credits": run.credits,
        "credits_remaining": run.credits_remaining,
        "skipped": len(skipped(run)),
        "failed": len(failed(run)),
        "exit_code": result.exit_code,
    }


def facts(comparison: Comparison) -> dict[str, Any]:
    """A comparison for a program, with every id."""
    id_scan = comparison.id_scan
    return {
        "module": id_scan.name,
        "table": id_scan.table,
        "api": id_scan.api,
        "reason": id_scan.reason,
        "rows_in_crm": id_scan.rows,
        "rows_in_destination": comparison.table_rows,
        **{kind: sorted(ids) for kind, ids in comparison.ids.items()},
        "columns": comparison.columns,
        "since": sorted(comparison.since),
        "rows_deleted": id_scan.deleted_rows,
        "rows_brought": comparison.rows_brought,
        "seconds": round(id_scan.seconds, 1),
        "calls": id_scan.usage.calls,
        "credits": id_scan.usage.credits,
        "status": comparison.verdict,
        "error": id_scan.error,
        "refusal": comparison.refusal,
        "notes": id_scan.notes.lines(),
    }


def difference_lines(comparison: Comparison, *, verbose: bool) -> list[str]:
    """`Leads: 7 missing: 1, 2, 3, 4, 5 and 2 more`."""
    lines = []
    for kind, ids in comparison.ids.items():
        if not ids:
            continue
        shown = sorted(ids) if verbose else sorted(ids)[:FEW]
        more = f" and {len(ids) - len(shown):,} more" if len(ids) > len(shown) else ""
        columns = ", ".join(f"{name} {rows:,}" for name, rows in comparison.columns.items())
        where = f" ({columns})" if kind == "values" and columns else ""
        lines.append(f"{comparison.name}: {len(ids):,} {WORDS[kind]}{where}: {', '.join(shown)}{more}")
    return lines


def _cells(comparison: Comparison) -> tuple[Any, ...]:
    id_scan = comparison.id_scan
    return (
        id_scan.name,
        id_scan.table,
        id_scan.api,
        id_scan.rows,
        comparison.table_rows,
        *(len(ids) for ids in comparison.ids.values()),
        len(comparison.since),
        id_scan.usage.calls,
        id_scan.usage.credits,
        comparison.verdict,
    )

"""The report of a run: one table, what was skipped, left out or failed and why, and a last line that sums it up.

A person at a terminal gets what is new: the tables that changed or need attention, and a line for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sources.zoho_crm.transform.privacy_rules import PAST

from ..console import MARK, Console, counted

if TYPE_CHECKING:
    from sources.zoho_crm.extract.extractor import ExtractResult
    from sources.zoho_crm.models import Skip
    from sources.zoho_crm.planning.plan import Plan

    from ..run.run_result import RunResult

# On a terminal without room, the first one first.
SPARE = ("reason", "API", "calls", "module", "seconds", "credits", "in table")
COLUMNS = (
    "module",
    "table",
    "API",
    "reason",
    "rows",
    "deleted",
    "in table",
    "CRM count",
    "seconds",
    "calls",
    "credits",
    "status",
)
WHY_IT_DIFFERS = (
    "* Zoho's own count differs from the table. It may be up to ten minutes behind. Later runs count again; if the"
    " difference stays, one of them reads the whole module."
)
FEW = 5  # names shown without --verbose


def print_report(console: Console, run: RunResult, *, remark: str = "") -> None:
    """Everything about the run, whatever became of it; a remark stands above the last line."""
    console.text()
    shown = [r for r in run.readings if matters(run, r)] if console.brief else run.readings
    if shown:
        console.table(COLUMNS, [_cells(run, reading) for reading in shown], SPARE)
    if others := sum(r.status != "skipped" for r in run.readings if r not in shown):
        console.text(f"{counted(others, 'other table' if shown else 'table')}: nothing new, or not due.")
    if any(differs(run, reading) for reading in run.readings):
        console.text(WHY_IT_DIFFERS)
    for reading in run.readings:
        console.event("table", {**facts(reading), "rows_in_destination": run.table_counts.get(reading.table)})
    console.paragraph("Notes", [f"{r.name}: {line}" for r in run.readings for line in notes_of(run, r)])
    kept = [(r.name, r.reason) for r in run.readings if r.status == "kept" and not console.brief]
    plans = [r.plan for r in run.readings if r.plan is not None]
    print_left_out(console, plans)
    console.paragraph("Not read", [f"{', '.join(n)}: {why}" for why, n in group(kept).items()])
    _print_waiting(console, run.waiting)
    # What was never loaded and nobody has asked for is no news.
    known = [name for name, _ in skipped(run) if console.brief and name not in run.named]
    print_skips(console, [(name, why) for name, why in skipped(run) if name not in known])
    if known:
        names = f" ({', '.join(known)})" if len(known) <= FEW else ""
        console.text()
        console.text(f"{len(known):,} skipped{names}: `status` says why.")
    print_failed(console, failed(run))
    console.text()
    if remark:
        console.text(remark)
    console.event("summary", sums(run))
    if off := estimate_line(run):
        console.text(off)
    console.last(summary(run))


def summary(run: RunResult) -> str:
    """The last line."""
    sum_of = sums(run)
    left = run.credits_remaining
    deleted = f", {sum_of['rows_deleted']:,} deleted" if sum_of["rows_deleted"] else ""
    return (
        f"{counted(sum_of['tables'], 'table')}, {counted(sum_of['rows'], 'row')}{deleted}"
        f" in {sum_of['seconds']:,.1f} s:"
        f" {counted(run.calls, 'call')}, {counted(run.credits, 'credit')}"
        + (f" ({left:,} left today)" if left is not None else "")
        + (f"; {sum_of['waiting']:,} left for a later run" if sum_of["waiting"] else "")
        + f"; {sum_of['skipped']:,} skipped, {sum_of['failed']:,} failed."
    )


def estimate_line(run: RunResult) -> str:
    """What was expected beside what it took; nothing for a run without an estimate."""
    if run.expected is None:
        return ""
    return (
        f"Expected {counted(run.expected.credits, 'credit')} and {run.expected.seconds:,.0f} s;"
        f" it took {run.credits:,} and {seconds_of(run):,.0f} s."
    )


def seconds_of(run: RunResult) -> float:
    return ((run.finished or run.started) - run.started).total_seconds()


def sums(run: RunResult) -> dict[str, Any]:
    read = [reading for reading in run.readings if reading.status == "read"]
    return {
        "run_id": run.run_id,
        "tables": len(read),
        "rows": sum(reading.rows or 0 for reading in read),
        "rows_deleted": sum(reading.deleted_rows for reading in read),
        "seconds": round(seconds_of(run), 1),
        "seconds_expected": round(run.expected.seconds, 1) if run.expected else None,
        "calls": run.calls,
        "credits": run.credits,
        "credits_expected": run.expected.credits if run.expected else None,
        "credits_remaining": run.credits_remaining,
        "skipped": len(skipped(run)),
        "failed": len(failed(run)),
        "waiting": len(run.waiting),
        "exit_code": run.exit_code,
    }


def notes_of(run: RunResult, reading: ExtractResult) -> list[str]:
    """The notes of a reading, and what a difference to the CRM's count was found to be."""
    lines, synced = reading.notes.lines(), run.synced.get(reading.name)
    more = run.table_counts.get(reading.table, 0) - (reading.crm_count or 0)
    if synced and reading.name in run.fully_refreshed and reading.crm_count is not None and more:
        words = f"{abs(more):,} rows {'more' if more > 0 else 'fewer'} than the CRM counts"
        lines.append(f"it has {words}; the module was read whole and agrees")
    return lines


def facts(reading: ExtractResult) -> dict[str, Any]:
    """A reading for a program."""
    return {
        "module": reading.name,
        "table": reading.table,
        "api": reading.api,
        "reason": reading.reason,
        "rows": reading.rows,
        "rows_deleted": reading.deleted_rows,
        "crm_count": reading.crm_count,
        "seconds": round(reading.seconds, 1),
        "calls": reading.usage.calls,
        "credits": reading.usage.credits,
        "status": reading.status,
        "error": reading.error,
        "notes": reading.notes.lines(),
    }


def matters(run: RunResult, reading: ExtractResult) -> bool:
    """Whether a person wants to see the table: it is new, has changed, or needs attention."""
    if reading.status == "failed" or reading.deleted_rows or differs(run, reading):
        return True
    if reading.status != "read" or reading.unchanged:
        return False
    plan = reading.plan
    return plan is None or not plan.loaded_before or bool(reading.rows)


def differs(run: RunResult, reading: ExtractResult) -> bool:
    """Whether the CRM counts other than the table holds, and nobody knows why."""
    rows = run.table_counts.get(reading.table, reading.rows)
    if rows is None or reading.crm_count is None:
        return False
    synced = run.synced.get(reading.name)
    return bool(synced.difference) if synced else rows != reading.crm_count


def skipped(run: RunResult) -> list[tuple[str, str]]:
    """The modules and tables that are not offered, and why."""
    planned = [(skip.module.api_name, skip.reason) for skip in run.skips]
    return [*planned, *((r.name, r.error or "") for r in run.readings if r.status == "skipped")]


def failed(run: RunResult) -> list[tuple[str, str]]:
    unasked = [(skip.module.api_name, skip.reason) for skip in run.failures]
    return [*((r.name, r.error or "") for r in run.readings if r.status == "failed"), *unasked, *run.troubles]


def _print_waiting(console: Console, waiting: Sequence[Skip]) -> None:
    for skip in waiting:
        console.event("waiting", {"module": skip.module.api_name, "reason": skip.reason})
    lines = [f"{', '.join(names)}: {why}" for why, names in group(pairs_of(waiting)).items()]
    console.paragraph("Left for a later run", lines)


def print_skips(console: Console, skips: list[tuple[str, str]]) -> None:
    """The modules of one reason share a line."""
    for name, why in skips:
        console.event("skip", {"module": name, "reason": why})
    console.paragraph("Skipped", [f"{', '.join(names)}: {why}" for why, names in group(skips).items()])


def print_failed(console: Console, failures: list[tuple[str, str]]) -> None:
    """What failed; those of one reason share a line."""
    lost = group(failures)
    console.paragraph("Failed", [f"{', '.join(names)}: {why}" for why, names in lost.items()])
    for name, why in failures:
        console.event("failure", {"module": name, "error": why}, matters=True)


def print_left_out(console: Console, plans: Sequence[Plan]) -> None:
    """The fields that are no columns, and those that land masked or hashed; named when they are few."""
    if console.brief:
        _count_left_out(console, plans)
        return
    lines = []
    for plan in plans:
        for name, why in plan.left_out:
            console.event("field_left_out", {"module": plan.module.api_name, "field": name, "reason": why})
        for why, names in group(plan.left_out).items():
            shown = ", ".join(names) if console.verbose or len(names) <= FEW else f"{len(names)} fields"
            lines.append(f"{plan.module.api_name}: {shown}: {why}")
    console.paragraph("Fields without a column", lines)
    _print_private(console, plans)


def _count_left_out(console: Console, plans: Iterable[Plan]) -> None:
    """Both in one line."""
    out, private = 0, 0
    for plan in plans:
        out += len(plan.left_out)
        private += sum(column.masking_rule is not None for column in plan.columns)
    counts = [f"{counted(out, 'field')} without a column"] if out else []
    counts += [f"{counted(private, 'field')} masked or hashed"] if private else []
    if counts:
        console.text()
        console.text(f"{', '.join(counts)}: `--verbose` names {'it' if out + private == 1 else 'them'}.")


def _print_private(console: Console, plans: Iterable[Plan]) -> None:
    """The fields whose values land masked or hashed."""
    lines = []
    for plan in plans:
        pairs = [(c.api_name, PAST[c.masking_rule.how]) for c in plan.columns if c.masking_rule is not None]
        for how, names in group(pairs).items():
            shown = ", ".join(names) if console.verbose or len(names) <= FEW else f"{len(names)} fields"
            lines.append(f"{plan.module.api_name}: {shown}: {how}")
    console.paragraph("Fields that land masked or hashed", lines)


def group(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Names by their reason, in the order of the first of each."""
    groups: dict[str, list[str]] = {}
    for name, why in pairs:
        groups.setdefault(why, []).append(name)
    return groups


def pairs_of(skips: Iterable[Skip]) -> list[tuple[str, str]]:
    return [(skip.module.api_name, skip.reason) for skip in skips]


def _cells(run: RunResult, reading: ExtractResult) -> tuple[Any, ...]:
    count = "" if reading.crm_count is None else f"{reading.crm_count:,}"
    return (
        reading.name,
        reading.table,
        reading.api,
        reading.reason,
        reading.rows,
        reading.deleted_rows or None,
        run.table_counts.get(reading.table),
        f"{MARK if differs(run, reading) else ''}{count}",
        reading.seconds,
        reading.usage.calls,
        reading.usage.credits,
        reading.status,
    )

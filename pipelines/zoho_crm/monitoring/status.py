"""What `status` says: how fresh each table is, the last runs, what failed, and what is due next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..console import MARK, Console
from ..errors import FAILED, print_error
from ..options import Options
from ..output.run_report import WHY_IT_DIFFERS, group, print_skips
from .freshness import (
    DestinationView,
    Freshness,
    FreshnessService,
    format_due,
    format_duration,
    format_time,
    headline,
)
from .history import PastRun

COLUMNS = (
    "table",
    "state",
    "last status",
    "last success",
    "age",
    "complete until",
    "rows",
    "CRM count",
    "next full check",
    "next formulas",
    "next settings",
)
SPARE = ("next settings", "next formulas", "last status", "next full check", "last success", "complete until")
SPARE_OF_RUNS = ("calls", "tables read", "seconds", "command")  # on a terminal without room, this one first
RUN_COLUMNS = (
    "started",
    "command",
    "seconds",
    "tables read",
    "rows read",
    "deleted",
    "calls",
    "credits",
    "outcome",
)
LAST_RUNS, ALL_RUNS = 10, 100
WHOLE = "This destination cannot change single rows: every run reads every module whole."


def print_status(console: Console, view: DestinationView, options: Options) -> int:
    """All of it; the headline stands last, as with the other commands. Gives the exit code."""
    freshness_service = FreshnessService(view, options)
    tables = freshness_service.tables()
    runs = view.history.runs(newest=ALL_RUNS if options.verbose else LAST_RUNS)
    console.text(f"The {view.place}, at {format_time(view.now)} UTC; all times are UTC.")
    console.text()
    console.table(COLUMNS, [_cells(table, view.now) for table in tables], SPARE)
    for table in tables:
        console.event("table", facts(table))
    if any(table.difference for table in tables):
        console.text(WHY_IT_DIFFERS)
    if not view.warehouse.can_merge:
        console.text(WHOLE)
    _print_runs(console, runs, view.history.number_of_runs)
    kept = group(freshness_service.kept()).items()
    console.paragraph("Not read by each run", [f"{', '.join(names)}: {why}" for why, names in kept])
    _print_deletions(console, tables)
    print_skips(console, freshness_service.skips())
    _print_failures(console, tables)
    overall = headline(tables, view.history.stopped())
    code = FAILED if options.max_age and overall.status in ("failing", "stale") else 0
    limit = {"max_age": round(options.max_age.total_seconds())} if options.max_age else {}
    console.text()
    console.event("summary", {**overall.facts(view), **limit, "exit_code": code})
    console.last(str(overall))
    if code:
        print_error(str(overall))
    return code


def facts(table: Freshness) -> dict[str, Any]:
    """A table for a program."""
    values = {name: _plain(value) for name, value in vars(table).items()}
    return {"module": table.module, "table": table.table, "state": values.pop("status"), **values}


def run_facts(run: PastRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "command": run.command,
        "started": _iso(run.started),
        "finished": _iso(run.finished),
        "seconds": run.seconds,
        "tables": run.tables(),
        **{name: run.sum(name) for name in ("rows_read", "rows_deleted", "calls", "credits")},
        "failed": run.failed,
        "differ": run.differ,
        "outcome": run.outcome,
        "error": run.stop.error if run.stop else None,
    }


def _print_runs(console: Console, runs: list[PastRun], of: int) -> None:
    console.text()
    console.text("All runs:" if len(runs) == of else f"The last {len(runs):,} of {of:,} runs:")
    shown = [run_facts(run) for run in reversed(runs)]
    names = ("command", "seconds", "tables", "rows_read", "rows_deleted", "calls", "credits", "outcome")
    rows = [
        [format_time(run.started), *(facts[name] for name in names)]
        for run, facts in zip(reversed(runs), shown, strict=True)
    ]
    console.table(RUN_COLUMNS, rows, SPARE_OF_RUNS)
    for facts in shown:
        console.event("run", facts)


def _print_failures(console: Console, tables: list[Freshness]) -> None:
    failing = [table for table in tables if table.status == "failing"]
    lines = []
    for why, names in group((t.module, t.error or "") for t in failing).items():
        lines.append(f"{', '.join(names)}: {why}")
    for table in failing:
        console.event(
            "failure",
            {"module": table.module, "error": table.error, "last_success": _plain(table.last_success)},
        )
    console.paragraph("Failing", lines)


def _print_deletions(console: Console, tables: list[Freshness]) -> None:
    """Where Zoho refuses a list of deletions, and whether anything stands in for it."""
    unknown = [t for t in tables if t.deletions_unknown_since]
    lines = [f"{t.module}: since {format_time(t.deletions_unknown_since)} UTC" for t in unknown]
    console.paragraph("Deletions that are not known", lines)
    for table in tables:
        if table.deletions_refused_since and not table.deletions_unknown_since:
            console.text(
                f"Zoho has refused the list of deletions of {table.module} since"
                f" {format_time(table.deletions_refused_since)} UTC: each run reads the module whole instead."
            )


def _cells(table: Freshness, now: datetime) -> tuple[Any, ...]:
    count = "" if table.crm_count is None else f"{table.crm_count:,}"
    return (
        table.table,
        table.status,
        table.last_status,
        format_time(table.last_success),
        format_duration(table.age) if table.age is not None else None,
        format_time(table.until),
        table.rows,
        f"{MARK if table.difference else ''}{count}",
        format_due(table.next_verify, now),
        format_due(table.next_computed, now),
        format_due(table.next_settings, now),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    return round(value.total_seconds()) if isinstance(value, timedelta) else value


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")

"""The table `sync_runs`: one row a table a run, for those who watch the pipeline by SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sources.zoho_crm.account import keep_rows
from sources.zoho_crm.endpoints import Endpoint, fields
from sources.zoho_crm.reading import Reading
from sources.zoho_crm.redaction import redact

from .outcome import Run

SYNC_RUNS = Endpoint(
    "sync_runs",
    "",
    "",
    fields(
        text="run_id module api reason status error",
        bigint="rows_read rows_deleted crm_count table_count calls credits",
        datetime="started_at finished_at since until",
        json="skipped_fields",
    ),
    each="module",  # rows have no id
)


def sync_runs_reading(run: Run, folder: Path) -> Reading:
    """The rows of this run as a reading to append."""
    reading = Reading("sync_runs", "sync_runs", "", "")
    rows = [_redacted(row) for row in (*_read_rows(run), *_skip_rows(run))]
    return keep_rows(reading, SYNC_RUNS, rows, folder, {})


def _redacted(row: dict[str, Any]) -> dict[str, Any]:
    """What Zoho said is shown for years, on pages and terminals that nobody knows of."""
    return {name: redact(value) if isinstance(value, str) else value for name, value in row.items()}


def _read_rows(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run.run_id,
            "module": r.name,
            "api": r.api,
            "reason": r.reason,
            "status": r.status,
            "error": r.error,
            "rows_read": r.rows,
            "rows_deleted": r.deleted_rows,
            "crm_count": r.crm_count,
            "table_count": run.table_counts.get(r.table),
            "calls": r.usage.calls,
            "credits": r.usage.credits,
            "started_at": r.started.isoformat(),
            "finished_at": r.finished.isoformat() if r.finished else None,
            "since": _spell(r.plan.window.since if r.plan else None),
            "until": _spell(r.plan.until if r.plan else None),
            "skipped_fields": [*r.notes.refused, *r.notes.empty],
        }
        for r in run.readings
    ]


def _spell(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _skip_rows(run: Run) -> Sequence[dict[str, Any]]:
    moment = run.started.isoformat()
    return [
        {
            "run_id": run.run_id,
            "module": skip.module.api_name,
            "status": status,
            "error": skip.reason,
            "started_at": moment,
            "finished_at": moment,
        }
        for status, skips in (("skipped", run.skips), ("failed", run.failures), ("waiting", run.waiting))
        for skip in skips
    ]

"""The tables `sync_runs` and `seat_counts`: a row for each module of a run, and for each edition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sources.zoho_crm.discovery.account_tables import AccountTable, fields
from sources.zoho_crm.extract.account import write_rows
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.redaction import redact

from .run_result import RunResult

SYNC_RUNS = AccountTable(
    "sync_runs",
    "",
    "",
    fields(
        text="run_id module api reason status error",
        bigint="rows_read rows_deleted crm_count table_count calls credits",
        datetime="started_at finished_at since until run_started_at run_finished_at",
        json="skipped_fields",
    ),
    each="module",  # rows have no id
)


def sync_runs_reading(run: RunResult, folder: Path) -> ExtractResult:
    """The rows of this run as a reading to append."""
    reading = ExtractResult("sync_runs", "sync_runs", "", "")
    return write_rows(reading, SYNC_RUNS, log_rows(run), folder, {})


def log_rows(run: RunResult) -> list[dict[str, Any]]:
    """The rows of `sync_runs` for a run; times are texts in ISO 8601."""
    return [_redacted({**row, **run_times(run)}) for row in (*_read_rows(run), *_skip_rows(run))]


def run_times(run: RunResult) -> dict[str, str | None]:
    """From the beginning of the run until its rows have landed."""
    return {"run_started_at": _spell(run.started), "run_finished_at": _spell(run.finished)}


def _redacted(row: dict[str, Any]) -> dict[str, Any]:
    """What Zoho said is shown for years, on pages and terminals that nobody knows of."""
    return {name: redact(value) if isinstance(value, str) else value for name, value in row.items()}


def _read_rows(run: RunResult) -> list[dict[str, Any]]:
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


def _skip_rows(run: RunResult) -> Sequence[dict[str, Any]]:
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


SEAT_COUNTS = AccountTable(
    "seat_counts",
    "",
    "",
    fields(
        text="run_id edition",
        datetime="read_at paid_until",
        bigint="licenses portal_licenses active inactive deleted unconfirmed",
        json="active_by_type",  # {"Regular User": 7, "Client Portal User": 1}
    ),
    each="module",  # rows have no id
)
ORG = {
    "edition": "license_details_paid_type",
    "paid_until": "license_details_paid_expiry",
    "licenses": "license_details_users_license_purchased",
    "portal_licenses": "license_details_portal_users_license_purchased",
}
USER = ("status", "confirm", "type__s")


@dataclass
class SeatCounts:
    """Counts while the files of `org` and `users` are there; costs no call, and no query."""

    run_id: str
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # table -> what was found in it
    readings: list[ExtractResult] = field(default_factory=list)

    def look(self, readings: Iterable[ExtractResult]) -> None:
        """Before the files are landed and thrown away."""
        for reading in readings:
            if (
                reading.plan is None
                and reading.parquet_file is not None
                and reading.table in ("org", "users")
            ):
                rows = _rows(reading, [*ORG.values()] if reading.table == "org" else USER)
                self.seen[reading.table] = _licence(rows) if reading.table == "org" else _people(rows)
                self.readings.append(reading)

    def log(self, folder: Path) -> list[ExtractResult]:
        """The row of this run as a reading to append; none if neither table came well."""
        good = [r for r in self.readings if r.status == "read"]
        if not good:
            return []
        row: dict[str, Any] = {"run_id": self.run_id, "read_at": _spell(good[-1].finished)}
        for reading in good:
            row.update(self.seen[reading.table])
        reading = ExtractResult("seat_counts", "seat_counts", "", "")
        return [write_rows(reading, SEAT_COUNTS, [row], folder, {})]


def _rows(reading: ExtractResult, names: Sequence[str]) -> list[dict[str, Any]]:
    """The rows by Zoho's keys."""
    assert reading.parquet_file is not None
    there = set(pq.read_schema(reading.parquet_file.path).names)
    columns = {c.api_name: c.name for c in reading.columns if c.api_name in names and c.name in there}
    rows = pq.read_table(reading.parquet_file.path, columns=[*columns.values()]).to_pylist()
    return [{name: row[column] for name, column in columns.items()} for row in rows]


def _licence(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    org = rows[0] if rows else {}
    found = {name: org.get(key) for name, key in ORG.items()}
    return {**found, "paid_until": _spell(found["paid_until"])}


def _people(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Deactivated users are `inactive` or `disabled` at Zoho; both need no seat."""
    active = [row for row in rows if row.get("status") == "active"]
    deleted = sum(row.get("status") == "deleted" for row in rows)
    return {
        "active": len(active),
        "deleted": deleted,
        "inactive": len(rows) - len(active) - deleted,
        "unconfirmed": sum(row.get("confirm") is False for row in active),
        "active_by_type": dict(Counter(str(row.get("type__s") or "Regular User") for row in active)),
    }

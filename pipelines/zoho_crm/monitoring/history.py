"""The runs that `sync_runs` remembers: each row as an entry, the entries of one run together."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..run.attempts import Attempt

COMPARED = frozenset({"verified", "repaired", "differs"})  # what only `verify` writes
SUCCESSFUL = frozenset({"read", "verified", "repaired"})
WAITING = "waiting"  # a limit of credits left it for a later run


@dataclass(frozen=True)
class Entry:
    """One row of `sync_runs`; what an older run did not write down is None."""

    run_id: str
    module: str
    status: str
    api: str | None
    reason: str | None
    error: str | None
    rows_read: int | None
    rows_deleted: int | None
    crm_count: int | None
    table_count: int | None
    calls: int | None
    credits: int | None
    started_at: datetime
    finished_at: datetime | None
    since: datetime | None  # None of a module that was read whole
    until: datetime | None
    skipped_fields: str | None
    run_started_at: datetime | None
    run_finished_at: datetime | None

    @property
    def at(self) -> datetime:
        return self.finished_at or self.started_at

    @property
    def refused(self) -> list[str]:
        """The fields that an API refused in this run."""
        return list(json.loads(self.skipped_fields)) if self.skipped_fields else []


COLUMNS = tuple(field.name for field in fields(Entry))
NUMBERS = ("rows_read", "rows_deleted", "crm_count", "table_count", "calls", "credits")
TIMES = ("started_at", "finished_at", "since", "until", "run_started_at", "run_finished_at")
TYPES = {name: pa.timestamp("us", tz="UTC") for name in TIMES}
TYPES |= dict.fromkeys(NUMBERS, pa.int64())


@dataclass(frozen=True)
class PastRun:
    """One run of the pipeline, or of `verify --repair`; one that was stopped has an entry without a module."""

    entries: tuple[Entry, ...]

    @property
    def run_id(self) -> str:
        return self.entries[0].run_id

    @property
    def command(self) -> str:
        return "verify" if any(e.status in COMPARED for e in self.entries) else "run"

    @property
    def started(self) -> datetime:
        return min(entry.run_started_at or entry.started_at for entry in self.entries)

    @property
    def finished(self) -> datetime:
        return max(entry.run_finished_at or entry.at for entry in self.entries)

    @property
    def seconds(self) -> float:
        return round((self.finished - self.started).total_seconds(), 1)

    @property
    def failed(self) -> list[str]:
        return [entry.module for entry in self.entries if entry.status == "failed" and entry.module]

    @property
    def differ(self) -> list[str]:
        return [entry.module for entry in self.entries if entry.status == "differs"]

    @property
    def waiting(self) -> list[str]:
        return [entry.module for entry in self.entries if entry.status == WAITING]

    @property
    def outcome(self) -> str:
        """In words: `ok`, or that it was stopped, how many tables failed, differ, or were left for a later run."""
        parts = [f"stopped ({stop.reason})"] if (stop := self.stop) else []
        parts += [f"{len(self.failed):,} failed"] if self.failed else []
        parts += [f"{len(self.differ):,} differ"] if self.differ else []
        parts += [f"{len(self.waiting):,} left for later"] if self.waiting else []
        return ", ".join(parts) or "ok"

    @property
    def stop(self) -> Entry | None:
        """What ended it before its tables could."""
        return next((entry for entry in self.entries if not entry.module), None)

    def sum(self, name: str) -> int:
        return sum(getattr(entry, name) or 0 for entry in self.entries)

    def tables(self) -> int:
        return sum(entry.status in SUCCESSFUL for entry in self.entries)


class RunHistory:
    """All rows of `sync_runs`, oldest first; a year of them may be half a million, so few become objects."""

    def __init__(self, rows: pa.Table, attempts: Sequence[Attempt] = ()) -> None:
        """`attempts` are runs that were stopped and have no row yet."""
        if not rows.num_columns:
            rows = pa.table({"run_id": pa.array([], pa.string())})
        for name in COLUMNS:
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, TYPES.get(name, pa.string())))
        rows = rows.select(list(COLUMNS))
        if attempts:
            schema = pa.schema([field.with_nullable(True) for field in rows.schema])
            more = pa.Table.from_pylist([_row(attempt) for attempt in attempts], schema=schema)
            rows = pa.concat_tables([rows.cast(schema), more])
        complete = pc.and_(pc.is_valid(rows["run_id"]), pc.is_valid(rows["started_at"]))
        rows = rows.filter(complete).sort_by("started_at")
        self._all = rows
        self._rows = rows.filter(pc.is_valid(rows["module"]))

    def __len__(self) -> int:
        return int(self._all.num_rows)

    @property
    def has_tables(self) -> bool:
        """Whether a run has come to its end; all others were stopped."""
        return bool(self._rows.num_rows)

    @cached_property
    def _starts(self) -> dict[str, datetime]:
        """When each run began, the oldest first."""
        starts: dict[str, datetime] = {}
        columns = (self._all["run_id"].to_pylist(), self._all["started_at"].to_pylist())
        for run_id, started in zip(*columns, strict=True):
            starts.setdefault(run_id, started)
        return starts

    @property
    def number_of_runs(self) -> int:
        return len(self._starts)

    def runs(self, newest: int | None = None, within: timedelta | None = None) -> list[PastRun]:
        """So many runs, or those so long before the last one; oldest first."""
        wanted = list(self._starts)
        if within is not None and wanted:
            first = self._starts[wanted[-1]] - within
            wanted = [run_id for run_id in wanted if self._starts[run_id] >= first]
        if newest is not None:
            wanted = wanted[-newest:]
        chosen = self._all.filter(pc.is_in(self._all["run_id"], pa.array(wanted, pa.string())))
        by_run: dict[str, list[Entry]] = {run_id: [] for run_id in wanted}
        for entry in _entries(chosen):
            by_run[entry.run_id].append(entry)
        return [PastRun(tuple(entries)) for entries in by_run.values()]

    def stopped(self) -> PastRun | None:
        """The last run, if it was stopped."""
        run = next(iter(self.runs(newest=1)), None)
        return run if run and run.stop else None

    def last(self, statuses: Collection[str] | None = None, having: str | None = None) -> dict[str, Entry]:
        """The newest entry of each module: with one of these statuses, and a value in that column."""
        rows = self._rows
        if statuses is not None:
            rows = rows.filter(pc.is_in(rows["status"], pa.array(sorted(statuses), pa.string())))
        if having is not None:
            rows = rows.filter(pc.is_valid(rows[having]))
        places = {module: place for place, module in enumerate(rows["module"].to_pylist())}
        chosen = rows.take(pa.array(sorted(places.values()), pa.int64()))
        return {entry.module: entry for entry in _entries(chosen)}


def _entries(rows: pa.Table) -> Iterable[Entry]:
    for row in rows.to_pylist():
        values: dict[str, Any] = {**row, "module": row["module"] or "", "status": row["status"] or ""}
        yield Entry(**values)


def _row(attempt: Attempt) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), **vars(attempt), "status": "failed"}

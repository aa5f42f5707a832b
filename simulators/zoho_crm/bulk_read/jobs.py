"""Bulk Read jobs: the states they go through, and the file that one leaves when it has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from ..crm.models import Record
from ..generated.columns import LATEST
from ..generated.module import Generated
from .archive import Dialect, write_csv, zip_csv
from .query import BulkQuery, give_token

if TYPE_CHECKING:
    from ..crm.columns import Column
    from ..crm.org import Org

LOST = "LOST"
FINAL = ("COMPLETED", "FAILURE", LOST)


@dataclass
class BulkJob:
    """Advances one state a poll and stays at the last; with a span, the clock decides instead.

    `LOST` is no state of Zoho's: from then on the job is not to be found.
    """

    id: str
    query: BulkQuery
    created: datetime
    created_by: dict[str, str]
    states: list[str]
    span: tuple[datetime, datetime] | None = None
    """When it starts to run and when it is done."""
    state: str = "ADDED"
    completed: datetime | None = None
    count: int = 0
    next_token: str | None = None
    archive: bytes | None = None
    """None until the job has run, and always for a generated module."""
    downloads: list[datetime] = field(default_factory=list)

    def poll(self, now: datetime) -> str:
        if self.span:
            start, end = self.span
            self.state = "COMPLETED" if now >= end else "IN PROGRESS" if now >= start else "QUEUED"
        else:
            self.state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return self.state


def dialect_of(org: Org) -> Dialect:
    true, false = org.quirks.bulk_booleans
    return Dialect(
        ZoneInfo(org.time_zone), org.quirks.bulk_multiselect_separator, true, false, org.quirks.bulk_line_end
    )


def plan_span(org: Org, query: BulkQuery) -> tuple[datetime, datetime] | None:
    """When the job's turn comes: as few at a time as the org runs, each as long as its rows take."""
    quirks = org.quirks
    if quirks.bulk_seconds_per_job is None:
        return None
    busy = sorted(job.span[1] for job in org.jobs.values() if job.span and job.span[1] > org.clock.now())
    free = busy[-quirks.bulk_jobs_parallel] if len(busy) >= quirks.bulk_jobs_parallel else org.clock.now()
    size = org.rules.bulk_page_size
    rows = max(0, min(size, rows_of(org, query) - (query.page - 1) * size))
    seconds = max(quirks.bulk_seconds_per_job, rows / quirks.bulk_rows_per_second)
    return free, free + timedelta(seconds=seconds)


def rows_of(org: Org, query: BulkQuery) -> int:
    """How many rows of the module belong into the files of all pages together."""
    if is_listed(query):
        return sum(query.test(record) for record in org.shown(query.module.api_name))
    generated, created = query.module.generated, query.created
    assert isinstance(generated, Generated)
    within = created.since or (created.until or LATEST) - timedelta(seconds=1)
    shown = query.test(
        Record(query.module.api_name, "0", {"Created_Time": within})
    )  # flags may hide them all
    return generated.count(created) if shown else 0


def is_listed(query: BulkQuery) -> bool:
    """Whether the rows are records: of a generated module, those that were edited."""
    return query.module.generated is None or not query.of_all


def run(org: Org, job: BulkJob) -> None:
    """Take what the CRM holds now: pages are positions in it, so that a later page may see changes."""
    size, query = org.rules.bulk_page_size, job.query
    first = (query.page - 1) * size
    if is_listed(query):
        rows = [record for record in org.shown(query.module.api_name) if query.test(record)]
        shown, total = rows[first : first + size], len(rows)
        job.count = len(shown)
        job.archive = zip_csv(f"{job.id}.csv", file_of(org, query.columns, shown), org.now())
    else:
        total = rows_of(org, query)
        job.count = max(0, min(size, total - first))
    job.completed = org.now()
    if total > first + size:
        job.next_token = give_token(org, query)


def file_of(org: Org, columns: Sequence[Column], records: Sequence[Record]) -> str:
    cut = org.rules.rich_text_in_list if org.quirks.bulk_rich_text_cut else None
    header = [org.quirks.bulk_id_header, *(column.path for column in columns)]
    rows = ([record.id, *(cell(column, record, cut) for column in columns)] for record in records)
    return write_csv(header, rows, dialect_of(org))


def cell(column: Column, record: Record, cut: int | None) -> Any:
    value = column.read(record)
    if cut is not None and column.field.textarea == "rich_text" and value is not None:
        return value[:cut]
    return value

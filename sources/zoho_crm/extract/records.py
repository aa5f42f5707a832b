"""Reads a module by the Records API: 200 records a page, 50 fields a call, without loss past every limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from .. import limits
from ..client.client import ZohoClient
from ..models import MODIFIED_TIME
from ..planning.plan import Plan
from ..transform.arrow_tables import records_table
from ..transform.column_types import Column
from .notes import ExtractNotes
from .record_lookup import fetch_full_rich_text, field_chunks, with_other_chunks
from .records_pagination import walk


def extract(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table]:
    """Yield the module in tables; the first may be empty, so that the table exists all the same."""
    yield records_table([], plan.columns)
    chunks = field_chunks(plan.columns)
    absent = {c.api_name for c in plan.columns}
    some = False
    for page in walk(client, plan, chunks[0]):
        records = with_other_chunks(client, plan, page, chunks, notes)
        some = some or bool(records)
        for record in records if absent else ():
            absent.difference_update(record)
        fetch_full_rich_text(client, plan, records, notes)
        yield records_table(records, plan.columns)
    if some and absent:
        # Zoho drops names that it does not know, or that this user may not see, without a word.
        named = ", ".join(sorted(absent))
        notes.remarks.append(f"Zoho lists these fields but sends no values of them: {named}")


@dataclass(frozen=True)
class FirstLook:
    """What the first page of records tells of some fields, by API name."""

    sent: frozenset[str]  # null or not; the others are hidden from this user
    valued: frozenset[str]  # with a value in some record
    rows: int

    @property
    def all(self) -> bool:
        """Whether there are no more records."""
        return self.rows < limits.RECORDS_PER_PAGE


def first_look(client: ZohoClient, plan: Plan, columns: Sequence[Column]) -> FirstLook:
    """The first page of records, with a call for each 48 fields."""
    sent: set[str] = set()
    valued: set[str] = set()
    rows = 0
    for chunk in field_chunks((*(c for c in plan.columns if c.api_name in ("id", MODIFIED_TIME)), *columns)):
        page = next(iter(walk(client, plan, chunk)), [])
        rows = max(rows, len(page))
        for record in page:
            sent.update(record)
            valued.update(name for name, value in record.items() if value not in (None, "", []))
    return FirstLook(frozenset(sent), frozenset(valued), rows)

"""Brings the records that Bulk Read and COQL may leave out: those that wait for approval, and converted ones.

No query names the approval of a record, because nobody documents a name for it: the list is asked which records
are not approved, and those that did not come are read by id. Converted ones come because the query names them;
where it may not, a page of them is looked for among the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .. import limits
from ..client.client import ZohoClient
from ..client.responses import more_in, rows_in
from ..exceptions import CredentialsError, Retriable, UnsupportedByApi, ZohoError
from ..models import MODIFIED_TIME
from ..planning.plan import Plan, visibility_criteria
from ..transform.arrow_tables import records_table
from ..transform.parquet_writer import DiscardRows, Tables
from .notes import ExtractNotes
from .record_lookup import read_ids, read_rows
from .records_pagination import Record, list_page, walk

STATE, APPROVED = "$approval_state", "approved"
UNAPPROVED = {"approved": "false"}
CONVERTED = {"converted": "true"}
BATCH = 20 * limits.IDS_PER_CALL  # records in one table


def complete(
    client: ZohoClient, plan: Plan, notes: ExtractNotes, tables: Tables
) -> Iterator[pa.Table | DiscardRows]:
    """The tables of Bulk Read or COQL, and after them the records that these leave out.

    One call more, to ask which records wait for approval. One that is approved, or no longer, while this reads
    was edited by that, so the next run brings it. Raises UnsupportedByApi where too many are left out.
    """
    if not plan.module.may_wait_for_approval:
        yield from tables
        return
    waiting = _waiting(client, plan, notes)
    came = _Came(keeps=bool(waiting.ids) or bool(visibility_criteria(plan)))
    for table in tables:
        came.see(table)
        yield table
    missing = came.lacks(waiting.ids)
    if not waiting.all_known and (came.lacks(waiting.unapproved) or _fewer(came, plan)):
        missing |= came.lacks(_listed(client, plan))
    if notes.converted_unnamed:
        missing |= _converted(client, plan, came)
    if missing:
        yield from _by_id(client, plan.drop_fields(set(notes.refused)), sorted(missing), notes)


def _fewer(came: _Came, plan: Plan) -> bool:
    """Whether fewer rows came than Zoho counts; it knows of no filter."""
    return plan.rows is not None and not plan.filters and came.rows < plan.rows


# ---- what the lists say


@dataclass(frozen=True)
class _Waiting:
    """The records that the list gave when it was asked for those that are not approved."""

    ids: frozenset[str] = frozenset()
    unapproved: frozenset[str] = frozenset()  # those that say so
    all_known: bool = True  # False: the list gives every record, and these are the first ones only


def _waiting(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> _Waiting:
    fields = ["id", STATE]
    try:
        page = _first_page(client, plan, fields)
    except ZohoError as refusal:
        if isinstance(refusal, (Retriable, CredentialsError)):
            raise
        notes.remarks.append(f"not checked whether records that wait for approval are missing: {refusal}")
        return _Waiting()
    records = rows_in(page, "data")
    if not more_in(page):
        return _found(records, all_known=True)
    if not any(_says_unapproved(record) for record in records) or any(map(_is_approved, records)):
        return _found(records, all_known=False)
    records = []
    fields = [*fields, MODIFIED_TIME] if plan.has(MODIFIED_TIME) else fields
    for some in walk(client, replace(plan, first=None, rows=None), fields, UNAPPROVED):
        records += some
        if any(map(_is_approved, some)):
            return _found(records, all_known=False)
    return _found(records, all_known=True)


def _first_page(client: ZohoClient, plan: Plan, fields: list[str]) -> dict[str, Any]:
    """The first records that are not approved; without the state where Zoho does not know its name."""
    module, since = plan.module.api_name, plan.window.since
    try:
        return list_page(client, module, fields, UNAPPROVED, since)
    except ZohoError as refusal:
        if refusal.status != 400:
            raise
    return list_page(client, module, ["id"], UNAPPROVED, since)


def _found(records: Collection[Record], *, all_known: bool) -> _Waiting:
    ids = frozenset(str(record["id"]) for record in records)
    unapproved = frozenset(str(record["id"]) for record in records if _says_unapproved(record))
    return _Waiting(ids, unapproved, all_known)


def _says_unapproved(record: Record) -> bool:
    return bool(record.get(STATE)) and not _is_approved(record)


def _is_approved(record: Record) -> bool:
    return str(record.get(STATE)).casefold() == APPROVED


def _listed(client: ZohoClient, plan: Plan) -> frozenset[str]:
    """Every id of the plan by the list."""
    fields = ["id", MODIFIED_TIME] if plan.has(MODIFIED_TIME) else ["id"]
    pages = walk(client, replace(plan, first=None), fields)
    return frozenset(str(record["id"]) for page in pages for record in page)


def _converted(client: ZohoClient, plan: Plan, came: _Came) -> frozenset[str]:
    """Converted records that did not come; raises UnsupportedByApi where there may be more than a page of them."""
    module = plan.module.api_name
    page = list_page(client, module, ["id"], CONVERTED, plan.window.since)
    missing = came.lacks({str(record["id"]) for record in rows_in(page, "data")})
    if missing and more_in(page) and read_ids(client, module, ["id"], sorted(missing)):
        raise UnsupportedByApi(f"{plan.api} leaves converted records out, and its criteria may not name them")
    return missing


# ---- what came


@dataclass
class _Came:
    """The ids of the rows that came, if they are to be kept."""

    keeps: bool
    rows: int = 0
    _ids: list[pa.Array] = field(default_factory=list)

    def see(self, table: pa.Table | DiscardRows) -> None:
        if isinstance(table, DiscardRows):
            self.rows -= table.rows
            self._ids = [self._all()[: self.rows]] if self.keeps else []
            return
        self.rows += table.num_rows
        if self.keeps:
            self._ids.extend(table["id"].chunks)

    def lacks(self, ids: Collection[str]) -> frozenset[str]:
        """Those of the ids that no row had."""
        if not ids:
            return frozenset()
        asked = pa.array(sorted(ids), pa.string())
        there = pc.is_in(asked, value_set=self._all())
        return frozenset(asked.filter(pc.invert(there)).to_pylist())

    def _all(self) -> pa.Array:
        return pa.concat_arrays(self._ids) if self._ids else pa.array([], pa.string())


def _by_id(client: ZohoClient, plan: Plan, ids: list[str], notes: ExtractNotes) -> Iterator[pa.Table]:
    found = 0
    for start in range(0, len(ids), BATCH):
        records = read_rows(client, plan, ids[start : start + BATCH], notes)
        found += len(records)
        yield records_table(records, plan.columns)
    if found:
        notes.repairs[f"records read by id, because {plan.api} leaves them out"] += found

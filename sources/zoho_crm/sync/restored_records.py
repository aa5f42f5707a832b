"""Records of which an earlier run saw that they were deleted, and that are in the CRM again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from ..client.client import ZohoClient
from ..extract.extractor import ExtractResult
from ..extract.record_count import read_count
from ..extract.record_lookup import read_ids
from ..planning.plan import Plan
from ..planning.sync_mode import FEED
from .deleted_records import DELETED_RECORDS
from .warehouse import Warehouse

PERMANENT = "permanent"
ASKED = 500  # records of a module that each run asks for: five calls at most


@dataclass(frozen=True)
class Restored:
    """The ids of one module that are here again; `more` is why there may be others."""

    ids: frozenset[str] = frozenset()
    more: str | None = None


def deleted_lately(held: Warehouse, now: datetime) -> Mapping[str, dict[str, datetime]]:
    """By module: the ids that may lie in the recycle bin, where Zoho keeps a record for sixty days, and since when.

    Restoring a record moves no time of it, and the list of deletions names it no more.
    """
    if DELETED_RECORDS.table not in held.tables([DELETED_RECORDS.table]):
        return {}
    columns = ["module", "id", "type", "deleted_time"]
    rows = pq.read_table(held.read(DELETED_RECORDS.table, columns, since=("deleted_time", now - FEED)))
    found: dict[str, dict[str, datetime]] = {}
    gone: set[tuple[str, str]] = set()
    for row in rows.sort_by("deleted_time").to_pylist():
        key = (row["module"], row["id"])
        if row["type"] == PERMANENT:
            gone.add(key)
        found.setdefault(row["module"], {})[row["id"]] = row["deleted_time"]
    return {m: {id: at for id, at in ids.items() if (m, id) not in gone} for m, ids in found.items()}


def restored(
    client: ZohoClient, held: Warehouse, reading: ExtractResult, plan: Plan, deleted: Mapping[str, datetime]
) -> Restored:
    """Those of the deleted records that Zoho shows again, though their rows are not in the table.

    The newest are asked for by id. Of more than `ASKED` the count says whether one of the others may be back.
    """
    known = _live(held, plan, deleted) | reading.gone.keys()
    away = sorted((id for id in deleted if id not in known), key=deleted.__getitem__, reverse=True)
    if not away:
        return Restored()
    there = frozenset(read_ids(client, reading.name, ["id"], away[:ASKED]))
    more = len(away) - ASKED
    if more <= 0 or plan.filters:
        return Restored(there)
    count = read_count(client, reading.name, partly=plan.counts_partly)
    rows = held.count([plan.table]).get(plan.table, 0) + len(there)
    if count is not None and count.records <= rows:
        return Restored(there)
    return Restored(there, f"{more:,} more records were deleted lately, and one of them may be back")


def _live(held: Warehouse, plan: Plan, ids: Mapping[str, datetime]) -> set[str]:
    if plan.table not in held.tables([plan.table]):
        return set()
    column: pa.ChunkedArray = pq.read_table(held.read(plan.table, ["id"], ids=ids))["id"]
    return set(column.to_pylist())

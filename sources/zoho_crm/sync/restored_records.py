"""Records of which an earlier run saw that they were deleted, and that are in the CRM again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ..client.client import ZohoClient
from ..extract.deletions import PERMANENT
from ..extract.extractor import ExtractResult
from ..extract.record_lookup import read_ids
from ..planning.plan import Plan
from ..planning.sync_mode import FEED
from ..state import MOST_DELETED, RecentlyDeleted
from .deleted_records import DELETED_RECORDS
from .warehouse import Warehouse


def deleted_lately(
    warehouse: Warehouse, remembered: Mapping[str, RecentlyDeleted], modules: Collection[str], now: datetime
) -> dict[str, RecentlyDeleted]:
    """By module: what may lie in the recycle bin, where Zoho keeps a record for sixty days.

    As the state remembers it; of a module of which it remembers nothing, as the table `deleted_records` has it.
    """
    lost = set(modules) - remembered.keys()
    if not lost or DELETED_RECORDS.table not in warehouse.tables([DELETED_RECORDS.table]):
        return dict(remembered)
    columns = ["module", "id", "type", "deleted_time"]
    there = warehouse.read(DELETED_RECORDS.table, columns, since=("deleted_time", now - FEED))
    with duckdb.connect() as database:
        database.execute("set time zone 'UTC'")
        rows = database.execute(
            f"""
            select module, id, max(deleted_time) as latest from read_parquet($there)
            where list_contains($lost, module)
            group by module, id having not bool_or(type is not distinct from '{PERMANENT}')
            qualify row_number() over (partition by module order by latest desc) <= {MOST_DELETED + 1}
            """,
            {"there": str(there), "lost": sorted(lost)},
        ).fetchall()
    times: dict[str, dict[str, datetime]] = {}
    for module, id, at in rows:
        times.setdefault(module, {})[id] = at
    made = {module: RecentlyDeleted().after(ids, (), now - FEED) for module, ids in times.items()}
    return {**made, **remembered}


def restored(
    client: ZohoClient, warehouse: Warehouse, reading: ExtractResult, plan: Plan, deleted: RecentlyDeleted
) -> frozenset[str]:
    """Those of the deleted records that Zoho shows again, though their rows are not in the table."""
    if not deleted.days:
        return frozenset()
    known = _live(warehouse, plan, deleted.days) | reading.gone.keys()
    away = [id for id in deleted.days if id not in known]
    return frozenset(read_ids(client, reading.name, ["id"], away))


def _live(warehouse: Warehouse, plan: Plan, ids: Collection[str]) -> set[str]:
    if plan.table not in warehouse.tables([plan.table]):
        return set()
    column: pa.ChunkedArray = pq.read_table(warehouse.read(plan.table, ["id"], ids=ids))["id"]
    return set(column.to_pylist())

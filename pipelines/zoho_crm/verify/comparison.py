"""One module as Zoho has it and as the destination holds it, and which ids differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sources.zoho_crm.extract.extractor import ExtractResult, ids_of
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.transform.row_differences import Differences

Kind = Literal["missing", "extra", "stale", "values"]
KINDS: tuple[Kind, ...] = ("missing", "extra", "stale", "values")
Verdict = Literal["equal", "differs", "repaired", "never loaded", "failed", "skipped"]


@dataclass
class Comparison:
    """What was found of one module; an id that only shows what happened since the last run is no difference."""

    plan: Plan  # of the whole module
    id_scan: ExtractResult  # every record in few columns; all that the module costs is charged to it
    destination_rows: Path | None = (
        None  # the destination's rows in the same columns; None: it has no such table
    )
    table_rows: int | None = None
    patches: Path | None = None
    ids: dict[Kind, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})
    newer: frozenset[str] = frozenset()  # records that changed since the last run
    deleted: frozenset[str] = frozenset()  # records that Zoho says were deleted since the last run
    since: set[str] = field(
        default_factory=set
    )  # ids that differ because of what happened since the last run
    columns: dict[str, int] = field(default_factory=dict)  # column -> rows with another value
    refusal: str | None = None  # why a repair has to leave the module alone
    repaired: bool = False
    counted: int | None = None  # rows of the table once it was repaired
    rows_brought: int = 0  # by the repair

    def take(self, found: Differences, destination_rows: Path) -> None:
        """What a comparison of every id has found, before it is judged."""
        self.destination_rows, self.patches = destination_rows, found.patches
        self.table_rows = int(pq.read_metadata(destination_rows).num_rows)
        values = all_ids(found.patches) if found.patches else frozenset[str]()
        parts = (found.missing, found.extra, found.stale, values)
        self.ids = {kind: set(ids) for kind, ids in zip(KINDS, parts, strict=True)}

    def take_unloaded(self) -> None:
        """There is no table: every record is missing."""
        self.ids["missing"] = set(ids_of(self.id_scan))

    @property
    def name(self) -> str:
        return self.id_scan.name

    @property
    def until(self) -> datetime | None:
        """What is newer than this, no run has read yet."""
        return self.plan.synced.until if self.plan.synced else None

    @property
    def loaded(self) -> bool:
        return self.destination_rows is not None and self.plan.synced is not None

    @property
    def differing_ids(self) -> set[str]:
        return set[str]().union(*self.ids.values())

    @property
    def verdict(self) -> Verdict:
        if self.id_scan.status != "read":
            return "skipped" if self.id_scan.status == "skipped" else "failed"
        if self.repaired:
            return "repaired"
        if not self.loaded:
            return "never loaded"
        return "differs" if self.differing_ids else "equal"

    def exclude_recent(self, ids: Collection[str], kinds: Iterable[Kind] = KINDS) -> None:
        """These ids differ because of what happened since the last run."""
        for kind in kinds:
            known = self.ids[kind] & set(ids)
            self.ids[kind] -= known
            self.since |= known

    def values(self, column: str, ids: Collection[str]) -> dict[str, set[Any]]:
        """What this column has in the rows of these ids, on either side."""
        found: dict[str, set[Any]] = {}
        parquet_file = self.id_scan.parquet_file
        for path in (parquet_file.path if parquet_file else None, self.destination_rows):
            if path is None or column not in pq.read_schema(path).names:
                continue
            table = pq.read_table(path, columns=["id", column])
            table = table.filter(pc.is_in(table["id"], pa.array(sorted(ids), pa.string())))
            for id, value in zip(table["id"].to_pylist(), table[column].to_pylist(), strict=True):
                found.setdefault(id, set()).add(value)
        return found


def ids_since(path: Path, column: str | None, moment: datetime) -> frozenset[str]:
    """The rows whose time in this column is not before the moment."""
    if column is None or column not in pq.read_schema(path).names:
        return frozenset()
    table = pq.read_table(path, columns=["id", column])
    moment, kind = moment.astimezone(timezone.utc), table.schema.field(column).type
    if kind.tz is None:  # some destinations give times in UTC without saying so
        moment = moment.replace(tzinfo=None)
    late = table.filter(pc.greater_equal(table[column], pa.scalar(moment, kind)))
    return frozenset(late["id"].to_pylist())


def all_ids(path: Path) -> frozenset[str]:
    return frozenset(pq.read_table(path, columns=["id"])["id"].to_pylist())

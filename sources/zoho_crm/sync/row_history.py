"""How the rows of a reading join what a table keeps of records that changed or were deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow.parquet as pq
from dlt.common.schema.typing import TWriteDispositionConfig

from ..state import DeletionMode
from ..transform.column_types import Column
from ..transform.parquet_writer import ParquetFile
from ..transform.row_versions import (
    ROW_VERSION,
    VALID_FROM,
    VALID_TO,
    VersionMerge,
    absent_ids,
    with_deleted,
    with_versions,
)
from .warehouse import MERGE

HINTS: Mapping[DeletionMode, Mapping[str, Mapping[str, Any]]] = {
    "hard": {},
    "soft": {"deleted_at": {"data_type": "timestamp"}},
    "history": {
        ROW_VERSION: {"data_type": "text"},
        VALID_FROM: {"data_type": "timestamp", "primary_key": True},  # the key, with `id`
        VALID_TO: {"data_type": "timestamp"},
    },
}


class Rows(Protocol):
    """The destination's live rows."""

    def tables(self) -> dict[str, frozenset[str]]: ...

    def read(self, table: str, columns: Sequence[str], ids: Any = None, by: str = "id") -> Path: ...


def disposition(keeps: DeletionMode, whole: bool, exists: bool) -> TWriteDispositionConfig:
    """How dlt lands a file; `exists`: the table is there, and keeps rows in this way.

    A whole reading cannot replace a table that holds more than the CRM; `prepare` makes it changes. dlt's own
    `scd2` is not used: it looks for versions by NOT IN, which takes PostgreSQL minutes for 10,000 changes in
    a table of a million rows, and its times are this machine's.
    """
    return "replace" if whole and (keeps == "hard" or not exists) else MERGE


def has_deletion_mode(keeps: DeletionMode, columns: Collection[str], before: DeletionMode | None) -> bool:
    """Whether a table with these columns can be gone on with.

    `before` is what the state remembers of it. None stands for a state that is lost, or a plan without it:
    what was kept is worth more than that, so then the columns decide.
    """
    return HINTS[keeps].keys() <= set(columns) and before in (None, keeps)


def extra_hints(keeps: DeletionMode, *, merge: bool | None = None) -> dict[str, dict[str, Any]]:
    """The columns beside those of fields, for dlt. With `merge`, also what makes a deletion of a row.

    A hint of a deletion stays with the schema: it is taken back for tables that keep deleted rows.
    """
    hints = {name: {"name": name, "nullable": True, **hint} for name, hint in HINTS[keeps].items()}
    if merge is not None:
        marked = {"data_type": "timestamp", "hard_delete": keeps == "hard" and merge}
        hints["deleted_at"] = {"name": "deleted_at", "nullable": True, **marked}
    return hints


@dataclass(frozen=True)
class RetentionWriter:
    """Prepares the rows to load into a table with soft deletes or history.

    `begins` is Zoho's time at the first answer of the run. A version is valid from the run that read it to
    the run that read the next one, or to its deletion by Zoho's time: a question for a moment is answered
    with what the destination held then. When somebody changed the record is in its `Modified_Time`.
    """

    table: str
    keeps: DeletionMode
    whole: bool
    exists: bool
    begins: datetime

    def prepare(
        self,
        warehouse: Rows,
        parquet_file: ParquetFile,
        columns: Sequence[Column],
        gone: Mapping[str, datetime],
    ) -> ParquetFile:
        """The file to land by `disposition`: not the rows that were read, but what they change. Once a reading.

        `gone` are deletions that are known; rows of the table that a whole reading does not bring went at
        one of these times, or at `begins`.
        """
        if self.keeps == "history":
            return self._versions(warehouse, parquet_file, columns, gone)
        if self.keeps == "soft" and self.exists and (self.whole or gone):
            return self._with_deleted(warehouse, parquet_file, gone)
        return parquet_file

    def _versions(
        self,
        warehouse: Rows,
        parquet_file: ParquetFile,
        columns: Sequence[Column],
        gone: Mapping[str, datetime],
    ) -> ParquetFile:
        folder = parquet_file.path.parent
        rows = with_versions(parquet_file, columns, self.begins, folder / f"{self.table}.versions.parquet")
        if not self.exists:
            return rows
        read = None if self.whole else pq.read_table(rows.path, columns=["id"])["id"].to_pylist()
        ids = None if read is None else dict.fromkeys([*read, *gone])
        opened = warehouse.read(self.table, ["id", ROW_VERSION, VALID_FROM], ids)
        next_ones = VersionMerge(rows, opened, self.begins)
        ended = self._rows(warehouse, next_ones.ending())
        made = next_ones.write(ended, gone, folder / f"{self.table}.next.parquet")
        _discard(rows.path, opened, ended)
        return made

    def _with_deleted(
        self, warehouse: Rows, parquet_file: ParquetFile, gone: Mapping[str, datetime]
    ) -> ParquetFile:
        live = warehouse.read(self.table, ["id"], None if self.whole else list(gone))
        ended = self._rows(warehouse, absent_ids(parquet_file, live))
        target = parquet_file.path.parent / f"{self.table}.kept.parquet"
        made = with_deleted(parquet_file, ended, gone, self.begins, target)
        _discard(live, ended)
        return made

    def _rows(self, warehouse: Rows, ids: Sequence[str]) -> Path:
        """The rows with every column that they have."""
        columns = sorted(warehouse.tables()[self.table])
        return warehouse.read(self.table, columns, ids)


def _discard(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)

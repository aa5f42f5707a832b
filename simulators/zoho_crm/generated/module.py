"""Modules of millions of rows that exist only as bulk archives, which DuckDB writes straight to CSV."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import duckdb

from ..bulk_read.archive import Dialect
from ..crm.models import Module, Record
from ..exceptions import unmodelled
from .columns import (
    FIRST_ID,
    LATEST,
    SYSTEM_NAMES,
    GeneratedColumn,
    created,
    created_at,
    generated_columns,
    literal,
)

if TYPE_CHECKING:
    from ..crm.org import Org

PLACEHOLDER = f"{0:019d}.csv"  # as long as any job's member name, which is written over it
VERSION = 1  # part of the cache's key: raise it when the data change
FLAG_CELLS = {
    "$approved": lambda dialect: literal(dialect.true),
    "$approval_state": lambda dialect: literal("approved"),
}
PLAIN = Dialect(timezone.utc)
ONE_AT_A_TIME = Lock()
OF_ALL = frozenset({"Created_Time", "$converted", "$approved", "$approval_state"})  # tests of every row
OF_WINDOWS = OF_ALL | {"id", "Modified_Time", "Converted__s"}


@dataclass(frozen=True)
class Span:
    """Created_Time from `since` up to, and without, `until`; open where None."""

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, tests: Iterable[tuple[str, str, Any]]) -> Span:
        """The span that (field, comparator, value) of criteria joined by `and` leave; those of flags leave all."""
        found = cls()
        for name, comparator, value in tests:
            if name != "Created_Time":
                continue
            at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
            if comparator == "greater_equal":
                found = replace(found, since=max(found.since or at, at))
            elif comparator == "less_than":
                found = replace(found, until=min(found.until or at, at))
            else:
                unmodelled(f"{comparator!r} of Created_Time in a generated module")
        return found

    @property
    def sql(self) -> str:
        since = self.since.timestamp() if self.since else 0
        until = self.until.timestamp() if self.until else 1e12
        return f"{created()} >= {int(since)} AND {created()} < {int(until)}"


@dataclass
class Generated:
    """The rows of one generated module: none of them is kept, each is computed from its number."""

    rows: int
    columns: tuple[GeneratedColumn, ...]
    folder: Path

    def count(self, span: Span = Span()) -> int:
        """How many rows were created within a span."""
        return self.rows if span == Span() else count_rows(self.rows, span.sql)

    def archive(
        self,
        fields: Sequence[str],
        window: tuple[int, int],
        id_header: str,
        dialect: Dialect,
        span: Span = Span(),
    ) -> Path:
        """The zip of the rows from `window[0]` up to `window[1]` of a span, made once and then found again."""
        cells_of = {**FLAG_CELLS, **{column.field.api_name: column.sql for column in self.columns}}
        chosen = [("id", id_header), *((name, name) for name in fields if name != "id")]
        cells = ", ".join(f'{cells_of[name](dialect)} AS "{header}"' for name, header in chosen)
        rows = f"range({window[0]}, {window[1]}) AS numbers(i)"
        if span != Span():
            rows = (
                f"(SELECT i FROM range({self.rows}) AS numbers(i) WHERE {span.sql} ORDER BY i"
                f" LIMIT {window[1] - window[0]} OFFSET {window[0]})"
            )
        query = f"SELECT {cells} FROM {rows}"
        key = hashlib.sha256(json.dumps([VERSION, query, dialect.line_end]).encode()).hexdigest()[:32]
        path = self.folder / f"{key}.zip"
        with ONE_AT_A_TIME:
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                write_archive(query, path)
        return path

    def records(self, module: str, ids: Sequence[str]) -> list[Record]:
        """Some rows as the CRM keeps them; ids that are no row of this module are left out."""
        numbers = [n for id in ids if 0 <= (n := int(id) - FIRST_ID) < self.rows]
        cells = ", ".join(f"({column.sql(PLAIN)})::VARCHAR" for column in self.columns)
        with duckdb.connect() as connection:
            rows = connection.execute(
                f"SELECT {cells} FROM (SELECT unnest(?::BIGINT[]) AS i)", [numbers]
            ).fetchall()
        names = [column.field.api_name for column in self.columns]
        values = [
            [column.value(cell) for column, cell in zip(self.columns, row, strict=True)] for row in rows
        ]
        return [Record(module, row[0], dict(zip(names, row, strict=True))) for row in values]


@lru_cache
def count_rows(rows: int, condition: str) -> int:
    with duckdb.connect() as connection:
        query = f"SELECT count(*) FROM range({rows}) AS numbers(i) WHERE {condition}"
        return int(connection.execute(query).fetchall()[0][0])


def write_archive(query: str, path: Path) -> None:
    text, partial = path.with_suffix(".csv"), path.with_suffix(".partial")
    try:
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO {literal(str(text))} (FORMAT csv, HEADER)")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            entry = zipfile.ZipInfo(PLACEHOLDER)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = text.stat().st_size
            with text.open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        partial.replace(path)
    finally:
        text.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)


def named(archive: Path, member: str) -> bytes:
    """The archive with its only member under the name of a job's; names of one length are written over."""
    name = member.encode()
    if len(name) != len(PLACEHOLDER):
        raise ValueError(f"{member!r} is not as long as {PLACEHOLDER!r}")
    with zipfile.ZipFile(archive) as files:
        directory = files.start_dir
    raw = bytearray(archive.read_bytes())
    for at in (30, directory + 46):  # where a zip's two headers keep the name
        raw[at : at + len(name)] = name
    return bytes(raw)


def add_generated_module(  # noqa: PLR0913 - each is a keyword
    org: Org, name: str, *, rows: int, columns: int, folder: Path, hard: bool = False
) -> Module:
    """Register a module of `rows` rows and `columns` fields; its archives are cached in `folder`.

    `hard` columns are as real accounts have them: long unique texts, notes of several lines, many nulls.
    """
    made = generated_columns(name, columns, org.user["id"], hard=hard)
    module = Module(
        api_name=name,
        fields=[column.field for column in made],
        generated_type="custom",
        system_fields=SYSTEM_NAMES,
        generated=Generated(rows, tuple(made), folder),
    )
    org.add_module(module)
    return module


def need_edited_only(module: Module, named: Collection[str], passes: Callable[[Record], bool]) -> None:
    """Refuse what may mean rows that are not edited: these exist only as archives, and none is kept.

    Nothing but a window's columns may be named, and the newest of all generated rows must not pass.
    """
    if module.generated is None:
        return
    number = module.generated.rows - 1
    last = str(FIRST_ID + number)
    times = {"Created_Time": created_at(number), "Modified_Time": LATEST}
    newest = Record(module.api_name, last, {"id": last, **times})
    if not set(named) <= OF_WINDOWS or passes(newest):
        unmodelled(f"{module.api_name} is generated: beside archives there is only what was edited since")


def edit_generated_rows(org: Org, name: str, rows: int) -> None:
    """Edit so many rows, spread over the module: from now on they are records, and lie above the others."""
    module = org.modules[name]
    generated = module.generated
    if not isinstance(generated, Generated):
        raise TypeError(f"{name} is not generated")
    step = max(1, generated.rows // rows)
    texts = [f.api_name for f in module.fields if f.data_type == "text" and not f.system]
    ids = [str(FIRST_ID + number * step) for number in range(rows)]
    with org.lock:
        for record in generated.records(name, ids):
            org.tables[name][record.id] = record
            org.edit(name, record.id, **{text: f"edited {record.id}" for text in texts[:1]})

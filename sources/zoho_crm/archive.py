"""A Bulk Read archive, a zip with one CSV, as Arrow tables; accepted whole or not at all."""

from __future__ import annotations

import csv as text_csv
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv

from .arrow import assemble, cast_cells, doubtful, parsed_type
from .columns import Column

BLOCK = 2 << 20  # bytes; measured best for Zoho-like rows
LARGE_BLOCK = 256 << 20  # for a field that is longer than a block

# What a spoilt zip raises, by where it is spoilt: RuntimeError stands for encrypted, NotImplementedError
# for an unknown compression.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, pa.ArrowException, text_csv.Error)

TRUE, FALSE = ["true", "TRUE", "True", "1"], ["false", "FALSE", "False", "0"]


class BadArchive(Exception):
    """The archive is not what Zoho said it would be; it has to be fetched again."""


class LacksColumns(BadArchive):
    """The header lacks columns that were asked; Zoho's lists drop names without a word, too."""

    def __init__(self, names: list[str]) -> None:
        self.names = frozenset(names)
        super().__init__(f"the archive lacks the column(s) {', '.join(names)}")


def read_archive(path: Path, columns: tuple[Column, ...], count: int) -> list[pa.Table]:
    """All rows of an archive in tables of some thousand rows, columns in the order asked.

    Raises BadArchive unless it is a whole zip with exactly one member, whose header holds what was
    asked and whose rows equal `count`.
    """
    try:
        try:
            tables = _read_typed(path, columns, BLOCK)
        except pa.ArrowInvalid:
            # A value that does not fit, or a field longer than a block: the slow road knows both.
            tables = _read_as_text(path, columns)
    except DAMAGE as error:
        raise BadArchive(f"the archive is damaged ({type(error).__name__})") from error
    rows = sum(table.num_rows for table in tables)
    if rows != count:
        raise BadArchive(f"the archive has {rows:,} rows where the job counted {count:,}")
    return tables


@contextmanager
def _only_member(path: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(members) != 1:
            raise BadArchive(f"the archive has {len(members)} members instead of one")
        with archive.open(members[0]) as member:
            yield member


def _read_typed(path: Path, columns: tuple[Column, ...], block: int) -> list[pa.Table]:
    with _only_member(path) as member:
        names = _header(path, columns)
        if names is None:
            return []
        options = csv.ConvertOptions(
            column_types={names[c.api_name]: parsed_type(c) for c in columns},
            include_columns=[names[c.api_name] for c in columns],
            null_values=[""],
            strings_can_be_null=True,
            true_values=TRUE,
            false_values=FALSE,
        )
        return [_typed(columns, batch) for batch in _batches(member, block, options)]


def _batches(member: IO[bytes], block: int, options: csv.ConvertOptions) -> Iterator[pa.RecordBatch]:
    yield from csv.open_csv(
        member,
        read_options=csv.ReadOptions(block_size=block),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=options,
    )


def _typed(columns: tuple[Column, ...], batch: pa.RecordBatch) -> pa.Table:
    if any(doubtful(cells) for cells in batch.columns):
        raise pa.ArrowInvalid("a value that Arrow takes and its column does not")
    pairs = zip(columns, batch.columns, strict=True)
    return assemble(
        columns, [cast_cells(c, a) if parsed_type(c) == pa.string() else (a, None) for c, a in pairs]
    )


def _header(path: Path, columns: tuple[Column, ...]) -> dict[str, str] | None:
    """The CSV's spelling of each API name (`Id` for `id`); None for a file without rows."""
    with _only_member(path) as member:
        first = member.readline().decode("utf-8-sig", "replace").rstrip("\r\n")
        rows = member.read(1)
    if not first:
        return None
    spelt = {name: name for name in next(text_csv.reader([first]))}
    if "Id" in spelt:
        spelt["id"] = spelt["Id"]
    missing = [c.api_name for c in columns if c.api_name not in spelt]
    if missing:
        raise LacksColumns(missing)
    return spelt if rows else None


def _read_as_text(path: Path, columns: tuple[Column, ...]) -> list[pa.Table]:
    """Every cell as bytes first, then each column to its type, so that one bad cell costs only itself."""
    with _only_member(path) as member:
        names = _header(path, columns)
        if names is None:
            return []
        options = csv.ConvertOptions(
            column_types={names[c.api_name]: pa.binary() for c in columns},
            include_columns=[names[c.api_name] for c in columns],
            null_values=[""],
            strings_can_be_null=True,
        )
        tables = []
        for batch in _batches(member, LARGE_BLOCK, options):
            cells = [_decode(pa.chunked_array([array])) for array in batch.columns]
            arrays: list[tuple[Any, Any]] = [cast_cells(c, a) for c, a in zip(columns, cells, strict=True)]
            tables.append(assemble(columns, arrays))
        return tables


def _decode(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bytes as text; bytes that are no UTF-8 become the replacement character instead of ending the run."""
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [None if cell is None else cell.decode("utf-8", "replace") for cell in cells.to_pylist()]
        return pa.chunked_array([pa.array(texts, type=pa.string())])

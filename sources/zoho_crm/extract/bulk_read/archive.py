"""A Bulk Read archive, a zip with one CSV, as Arrow tables; believed only once it has come whole."""

from __future__ import annotations

import csv as text_csv
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from ...transform.arrow_tables import assemble, cast_cells
from ...transform.column_types import Column, arrow_schema

# Bytes parsed at once: the first, doubled for wide rows, was measured best; the others are for longer fields.
BLOCKS = (2 << 20, 32 << 20, 256 << 20)
WIDE = 100  # columns

Archive: TypeAlias = Path | BytesIO  # in memory where it may not be written

# What a spoilt zip raises, by where it is spoilt: RuntimeError stands for encrypted, NotImplementedError
# for an unknown compression, the last three for headers that say what cannot be.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    OSError,
    pa.ArrowException,
    text_csv.Error,
    struct.error,
    ValueError,
    OverflowError,
)
ID = r"^\d{1,38}$"


class CorruptArchiveError(Exception):
    """The archive is not what Zoho said it would be; it has to be fetched again."""


class MissingColumnsError(CorruptArchiveError):
    """The header lacks columns that were asked; Zoho's lists drop names without a word, too."""

    def __init__(self, names: list[str]) -> None:
        self.names = frozenset(names)
        super().__init__(f"the archive lacks the column(s) {', '.join(names)}")


def read_archive(path: Archive, columns: tuple[Column, ...], count: int) -> Iterator[pa.Table]:
    """The rows of an archive in tables of some thousand rows, columns in the order asked; the first is empty.

    Raises CorruptArchiveError before the first table if the header lacks what was asked, and at the latest after the
    last one unless the file is a whole zip with exactly one member whose rows equal `count`: whoever has
    taken tables by then forgets them.
    """
    rows = 0
    try:
        for table in _read(path, columns):
            rows += table.num_rows
            yield table
    except DAMAGE as error:
        if isinstance(error, MemoryError):  # Arrow's own is both
            raise
        raise CorruptArchiveError(f"the archive is damaged ({type(error).__name__})") from error
    if rows != count:
        raise CorruptArchiveError(f"the archive has {rows:,} rows where the job counted {count:,}")


def _read(path: Archive, columns: tuple[Column, ...]) -> Iterator[pa.Table]:
    """Goes on with larger blocks, after the rows that have come, where a field is longer than a block."""
    names, done = _header(path, columns), 0
    yield arrow_schema(columns).empty_table()
    if names is None:
        return
    usual, *larger = BLOCKS
    for block in (usual if len(columns) < WIDE else 2 * usual, *larger):
        try:
            for table in _after(done, _tables(path, columns, names, block)):
                done += table.num_rows
                yield table
            return
        except pa.ArrowInvalid:
            if block == BLOCKS[-1]:
                raise


def _after(rows: int, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        yield table.slice(rows) if rows else table
        rows = max(0, rows - table.num_rows)


def _tables(
    path: Archive, columns: tuple[Column, ...], names: Mapping[str, str], block: int
) -> Iterator[pa.Table]:
    """Every cell as bytes first, then each column to its type, so that one bad cell costs only itself."""
    with _only_member(path) as member:
        batches = csv.open_csv(
            member,
            read_options=csv.ReadOptions(block_size=block),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={names[c.api_name]: pa.binary() for c in columns},
                include_columns=[names[c.api_name] for c in columns],
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        for batch in batches:
            cells = list(zip(columns, map(_decode, batch.columns), strict=True))
            _check_ids(cells)
            yield assemble(columns, [cast_cells(c, array) for c, array in cells])


def _check_ids(cells: Sequence[tuple[Column, pa.Array]]) -> None:
    """Raises CorruptArchiveError for a row that no record could have."""
    for column, array in cells:
        if column.api_name != "id":
            continue
        if array.null_count:
            raise CorruptArchiveError("the archive has a row without an id")
        try:
            pc.cast(array, pa.int64())  # much faster
        except pa.ArrowInvalid as error:
            if not pc.all(pc.match_substring_regex(array, ID), min_count=0).as_py():
                raise CorruptArchiveError("the archive has a row whose id is not a number") from error


@contextmanager
def _only_member(path: Archive) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if len(members) != 1:
            raise CorruptArchiveError(f"the archive has {len(members)} members instead of one")
        with archive.open(members[0]) as member:
            yield member


def _header(path: Archive, columns: tuple[Column, ...]) -> dict[str, str] | None:
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
        raise MissingColumnsError(missing)
    return spelt if rows else None


def _decode(cells: pa.Array) -> pa.Array:
    """Bytes as text; bytes that are no UTF-8 become the replacement character instead of ending the run."""
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [None if cell is None else cell.decode("utf-8", "replace") for cell in cells.to_pylist()]
        return pa.array(texts, type=pa.string())

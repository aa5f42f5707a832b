"""Rows of JSON and cells of CSV as Arrow tables with the types of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .column_types import Column, ColumnType, arrow_schema
from .converters import TYPED, ConversionError, as_text, convert
from .masking import apply_masking
from .naming import unique

PLAIN = TYPED | {ColumnType.TEXT, ColumnType.ID}  # whose texts are values as they are
NUMBERS: Mapping[ColumnType, frozenset[type]] = {
    ColumnType.BOOL: frozenset({bool}),
    ColumnType.BIGINT: frozenset({int}),
    ColumnType.DOUBLE: frozenset({float}),
    ColumnType.DECIMAL: frozenset({int, Decimal}),
}

YEARS = range(1, 10_000)  # of Python's calendar

REJECTED = " rejected"  # the suffix of a column with texts that did not fit; no field has a blank in its name
REJECTED_OF = b"text_of"  # in the metadata of such a column: the name alone may be a field's own


def records_table(records: Sequence[Mapping[str, Any]], columns: tuple[Column, ...]) -> pa.Table:
    """Records as Zoho's JSON has them, as one table; an absent key is null."""
    if not records:  # as of most modules in most runs
        return arrow_schema(columns).empty_table()
    arrays = []
    for column in columns:
        name = column.api_name
        values = [record.get(name) for record in records]
        arrays.append(column_array(column, values))
    return assemble(columns, arrays)


def column_array(column: Column, values: Sequence[Any]) -> tuple[pa.Array, pa.Array | None]:
    """The typed values, and the text of those that do not fit their type (None when all fit)."""
    if column.masking_rule is not None:
        return apply_masking(column, *column_array(column.raw, values)), None
    try:
        typed = _at_once(column, values)
    except (pa.ArrowException, ValueError, ArithmeticError, KeyError, TypeError):
        typed = None
    return (typed, None) if typed is not None else _one_by_one(column, values)


def _at_once(column: Column, values: Sequence[Any]) -> pa.Array | None:
    """Values of one kind, ten times as fast; None for all others. Arrow refuses what does not fit."""
    kind = column.kind
    if kind is ColumnType.ID:
        values = [value["id"] if type(value) is dict else value for value in values]
    types = {*map(type, values)} - {type(None)}
    if types <= {str} and kind in PLAIN:
        return _of_texts(column, pa.array(values, pa.string()))
    if kind is ColumnType.NAMES and types <= {list}:
        return _of_names(values)
    if kind is ColumnType.DOUBLE and types <= {int, Decimal}:
        values = [None if value is None else float(value) for value in values]
        types = {float}
    if types <= NUMBERS.get(kind, frozenset()):
        typed = pa.array(values, kind.arrow_type)
        return None if has_invalid_values(typed) else typed
    return None


def _of_names(values: Sequence[Any]) -> pa.Array | None:
    """Lists of texts, of which there are few in a module; None if one holds anything else."""
    known: dict[tuple[Any, ...], str | None] = {(): None}
    lists = [tuple(value or ()) for value in values]
    if any(type(item) is not str for some in {*lists} for item in some):
        return None
    for some in {*lists} - {()}:
        known[some] = convert(ColumnType.NAMES, list(some))
    return pa.array([known[some] for some in lists], pa.string())


def _of_texts(column: Column, cells: pa.Array) -> pa.Array | None:
    cells = pc.if_else(pc.equal(cells, ""), None, cells)
    if column.kind.arrow_type == pa.string():
        return without_nul(cells)
    typed = pc.cast(cells, column.kind.arrow_type) if may_cast(column, cells) else None
    return None if typed is None or has_invalid_values(typed) else typed


def _one_by_one(column: Column, values: Iterable[Any]) -> tuple[pa.Array, pa.Array | None]:
    typed: list[Any] = []
    rejected: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            typed.append(convert(column.kind, value))
        except ConversionError:
            typed.append(None)
            rejected[row] = as_text(value)
    array = pa.array(typed, type=column.kind.arrow_type)
    if not rejected:
        return array, None
    return array, pa.array([rejected.get(row) for row in range(len(typed))], type=pa.string())


def assemble(columns: tuple[Column, ...], arrays: Sequence[tuple[Any, Any | None]]) -> pa.Table:
    """One table; a column with rejected values is followed by a column of their texts."""
    schema = arrow_schema(columns)
    fields, data = [], []
    for field, (array, rejected_text) in zip(schema, arrays, strict=True):
        fields.append(field)
        data.append(array)
        if rejected_text is not None:
            # The names of fields come first: a field's own name is never given to the rejected texts.
            name = unique(field.name + REJECTED, schema.names)
            fields.append(pa.field(name, pa.string(), metadata={REJECTED_OF: field.name}))
            data.append(rejected_text)
    return pa.Table.from_arrays(data, schema=pa.schema(fields))


def rejected_columns(schema: pa.Schema) -> dict[str, str]:
    """The columns of rejected texts, each with the name of its column."""
    marked = {field.name: (field.metadata or {}).get(REJECTED_OF) for field in schema}
    return {name: column.decode() for name, column in marked.items() if column is not None}


def mask_table(table: pa.Table, columns: tuple[Column, ...]) -> pa.Table:
    """A table of raw values as it may land: masked and hashed, and without the texts of values that did not fit."""
    if not any(column.masking_rule for column in columns):
        return table
    rejected_by_column = {
        name: rejected_text for rejected_text, name in rejected_columns(table.schema).items()
    }
    fields, data = [], []
    for column, field in zip(columns, arrow_schema(columns), strict=True):
        rejected_text = rejected_by_column.get(column.name)
        texts = table[rejected_text] if rejected_text else None
        fields.append(field)
        if column.masking_rule is not None:
            data.append(apply_masking(column, table[column.name], texts))
            continue
        data.append(table[column.name])
        if rejected_text and texts is not None:
            fields.append(table.schema.field(rejected_text))
            data.append(texts)
    return pa.Table.from_arrays(data, schema=pa.schema(fields))


def cast_cells(column: Column, cells: pa.Array | pa.ChunkedArray) -> tuple[Any, pa.Array | None]:
    """Cells of text as the column's type; by the value where Arrow's own cast gives up, or knows no better.

    Arrow takes `0x1F` for a whole number and `7e-45` for no money at all.
    """
    if column.kind.arrow_type == pa.string():
        return without_nul(cells), None
    if not may_cast(column, cells):
        return _one_by_one(column, cells.to_pylist())
    try:
        typed = pc.cast(cells, column.kind.arrow_type)
    except pa.ArrowInvalid:
        return _one_by_one(column, cells.to_pylist())
    return _one_by_one(column, cells.to_pylist()) if has_invalid_values(typed) else (typed, None)


def may_cast(column: Column, cells: pa.Array | pa.ChunkedArray) -> bool:
    """Whether Arrow's own cast knows such cells: of whole numbers and money, plain digits only."""
    return column.kind not in (ColumnType.BIGINT, ColumnType.DECIMAL) or not any(
        _bytes_of(cells, but=b"0123456789+-.")
    )


def without_nul(cells: pa.Array | pa.ChunkedArray) -> Any:
    """The texts as `converters.as_text` leaves them; looks at the bytes first, which takes next to no time."""
    if any(b"\0" in text for text in _bytes_of(cells)):
        return pc.replace_substring(cells, "\0", "\ufffd")
    return cells


def _bytes_of(cells: pa.Array | pa.ChunkedArray, but: bytes = b"") -> Iterator[bytes]:
    """The text of all cells, without some characters, in one piece a chunk; perhaps of others beside."""
    for chunk in cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]:
        buffer = chunk.buffers()[2]
        if buffer is not None:
            text = buffer.to_pybytes()
            yield text.translate(None, but) if but else text


def has_invalid_values(array: pa.Array | pa.ChunkedArray) -> bool:
    """Whether Arrow made values of cells that are none: `nan`, the year 0."""
    if pa.types.is_floating(array.type):
        return not pc.all(pc.is_finite(array), min_count=0).as_py()
    if pa.types.is_temporal(array.type):
        ends = pc.min_max(array)
        return any(ends[end].is_valid and pc.year(ends[end]).as_py() not in YEARS for end in ("min", "max"))
    return False

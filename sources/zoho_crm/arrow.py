"""Rows of JSON and cells of CSV as Arrow tables with the types of their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .columns import Column, arrow_schema
from .values import Misfit, as_text, convert

TEXT_TWIN = "_text"  # the suffix of the column that keeps values which did not fit


def records_table(records: Sequence[Mapping[str, Any]], columns: tuple[Column, ...]) -> pa.Table:
    """Records as Zoho's JSON has them, as one table; an absent key is null."""
    arrays = []
    for column in columns:
        values = [record.get(column.api_name) for record in records]
        arrays.append(column_array(column, values))
    return assemble(columns, arrays)


def column_array(column: Column, values: Iterable[Any]) -> tuple[pa.Array, pa.Array | None]:
    """The typed values, and the text of those that do not fit their type (None when all fit)."""
    typed: list[Any] = []
    misfits: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            typed.append(convert(column.kind, value))
        except Misfit:
            typed.append(None)
            misfits[row] = as_text(value)
    array = pa.array(typed, type=column.kind.arrow_type)
    if not misfits:
        return array, None
    return array, pa.array([misfits.get(row) for row in range(len(typed))], type=pa.string())


def assemble(columns: tuple[Column, ...], arrays: Sequence[tuple[Any, Any | None]]) -> pa.Table:
    """One table; a column with misfits is followed by its text twin."""
    schema = arrow_schema(columns)
    fields, data = [], []
    for field, (array, twin) in zip(schema, arrays, strict=True):
        fields.append(field)
        data.append(array)
        if twin is not None:
            fields.append(pa.field(field.name + TEXT_TWIN, pa.string()))
            data.append(twin)
    return pa.Table.from_arrays(data, schema=pa.schema(fields))


def cast_cells(column: Column, cells: pa.ChunkedArray) -> tuple[Any, pa.Array | None]:
    """Cells of text as the column's type; by the value where Arrow's own cast gives up."""
    if column.kind.arrow_type == pa.string():
        return cells, None
    try:
        return pc.cast(cells, column.kind.arrow_type), None
    except pa.ArrowInvalid:
        return column_array(column, cells.to_pylist())


def map_distinct(cells: pa.ChunkedArray, function: Callable[[str], str | None]) -> pa.ChunkedArray:
    """Each cell through a function that is called once for each distinct text."""
    encoded = cells.combine_chunks().dictionary_encode()
    mapped = pa.array([function(text) for text in encoded.dictionary.to_pylist()], type=pa.string())
    return pa.chunked_array([mapped.take(encoded.indices)])

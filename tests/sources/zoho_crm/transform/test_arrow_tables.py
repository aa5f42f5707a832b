"""Rows and cells as Arrow tables with the types of their columns."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.models import Field
from sources.zoho_crm.transform.arrow_tables import (
    cast_cells,
    column_array,
    has_invalid_values,
    records_table,
    rejected_columns,
)
from sources.zoho_crm.transform.column_types import Column, ColumnType
from sources.zoho_crm.transform.converters import ConversionError, as_text, convert

ID = Column("id", Field("id", "bigint"), ColumnType.TEXT)
SIZE = Column("size", Field("Size", "integer"), ColumnType.BIGINT)


def test_no_records_are_a_table_with_all_columns():
    table = records_table([], (ID, SIZE))
    assert table.num_rows == 0
    assert table.schema.types == [pa.string(), pa.int64()]
    assert not table.schema.field("id").nullable


def test_an_absent_key_is_null():
    assert records_table([{"id": "1"}], (ID, SIZE)).to_pylist() == [{"id": "1", "size": None}]


def test_a_rejected_value_is_null_and_its_text_stands_beside():
    table = records_table([{"id": "1", "Size": "many"}, {"id": "2", "Size": 3}], (ID, SIZE))
    assert table.to_pylist() == [
        {"id": "1", "size": None, "size rejected": "many"},
        {"id": "2", "size": 3, "size rejected": None},
    ]
    assert rejected_columns(table.schema) == {"size rejected": "size"}


def test_cells_that_arrow_cannot_read_are_read_by_value():
    cells = pa.chunked_array([["5", "5.0", " 6 ", "7e0", "0x8", None]])
    typed, rejected_text = cast_cells(SIZE, cells)
    assert typed.to_pylist() == [5, 5, 6, 7, None, None]
    assert rejected_text is not None
    assert rejected_text.to_pylist() == [None, None, None, None, "0x8", None]


def test_what_arrow_takes_for_a_value_is_doubted_where_the_calendar_or_the_numbers_end():
    instant = pa.timestamp("us", tz="UTC")
    assert has_invalid_values(pa.array([1.0, float("inf")]))
    assert has_invalid_values(pa.array(["0000-12-31"]).cast(pa.date32()))
    assert has_invalid_values(
        pa.array([253402300800000000]).cast(pa.int64()).cast(pa.timestamp("us")).cast(instant)
    )
    assert not has_invalid_values(pa.array(["0001-01-01", "9999-12-31", None]).cast(pa.date32()))
    assert not has_invalid_values(pa.array([None], pa.float64()))
    assert not has_invalid_values(pa.array([None], instant))


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.decimals(),
    st.decimals(places=9, allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [Decimal("1E+3"), Decimal("-0"), Decimal("1E-10"), Decimal("9" * 29), Decimal("9" * 30), True, 0]
    ),
)
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        ["", "2024-01-01", "0000-01-01", "2024-01-01T00:00:00+05:30", "true", "TRUE", "nan", "1e3", "7"]
    ),
    st.sampled_from(["\0", "\ud83d", " 5 ", "0x1F", "2024-01-01T00:00:00", "9999-12-31T23:59:59-05:30"]),
)
LOOKUPS = st.one_of(
    st.fixed_dictionaries({"id": st.one_of(st.none(), TEXTS, st.integers(0, 9)), "name": TEXTS}),
    st.just({}),
    st.just({"name": "x"}),
    st.just([]),
)


LISTS = st.lists(st.one_of(TEXTS, LOOKUPS, NUMBERS, st.none()), max_size=3) | st.lists(TEXTS, max_size=3)


@pytest.mark.parametrize("kind", list(ColumnType), ids=lambda kind: kind.name)
@given(data=st.data())
def test_many_values_at_once_are_what_each_is_by_itself(kind, data):
    family = data.draw(
        st.sampled_from([NUMBERS, TEXTS, LOOKUPS, LISTS, st.booleans(), st.one_of(NUMBERS, TEXTS, LOOKUPS)])
    )
    values = data.draw(st.lists(st.one_of(st.none(), family), max_size=5))
    expected, texts = [], []
    for value in values:
        try:
            expected.append(convert(kind, value))
            texts.append(None)
        except ConversionError:
            expected.append(None)
            texts.append(as_text(value))
    typed, rejected_text = column_array(Column("c", Field("C", "x"), kind), values)
    assert repr(typed.to_pylist()) == repr(pa.array(expected, kind.arrow_type).to_pylist())
    assert (rejected_text.to_pylist() if rejected_text is not None else [None] * len(values)) == texts

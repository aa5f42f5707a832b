"""One Parquet file a module, however its rows came in batches."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.models import Field
from sources.zoho_crm.transform import parquet_writer
from sources.zoho_crm.transform.arrow_tables import records_table, rejected_columns
from sources.zoho_crm.transform.column_types import Column, ColumnType
from sources.zoho_crm.transform.parquet_writer import GROUP_ROWS, DiscardRows, write_parquet

ID = Column("id", Field("id", "bigint"), ColumnType.TEXT)
SIZE = Column("size", Field("Size", "integer"), ColumnType.BIGINT)
DAY = Column("day", Field("Day", "date"), ColumnType.DATE)
NAME = Column("name", Field("Name", "text"), ColumnType.TEXT)
NAME_TEXT = Column("name_text", Field("Name_Text", "text"), ColumnType.TEXT)
TIME = Column("modified_time", Field("Modified_Time", "datetime"), ColumnType.TIMESTAMP)
COLUMNS = (ID, SIZE, DAY, NAME)


def file_of(tables, path, **options) -> tuple[list[dict], object]:
    parquet_file = write_parquet(tables, path, **options)
    assert pq.read_schema(path).names == parquet_file.schema.names
    rows = pq.read_table(path).to_pylist()
    assert len(rows) == parquet_file.rows
    return rows, parquet_file


def row(number: int, size: object = 1, day: object = "2026-01-01") -> dict:
    return {"id": str(number), "Size": size, "Day": day, "Name": "x"}


SIZES = st.lists(
    st.tuples(st.sampled_from([1, "many", None]), st.sampled_from(["2026-01-01", "soon"])), max_size=8
)


@given(SIZES, st.lists(st.integers(0, 8)))
def test_any_split_into_batches_gives_the_same_rows(tmp_path_factory, values, cuts):
    records = [row(number, *pair) for number, pair in enumerate(values)]
    ends = sorted({0, len(records), *(cut for cut in cuts if cut <= len(records))})
    batches = [records[a:b] for a, b in pairwise(ends)] or [[]]
    path = tmp_path_factory.getbasetemp() / "split.parquet"
    whole, expected = file_of([records_table(records, COLUMNS)], path)
    split, parquet_file = file_of((records_table(batch, COLUMNS) for batch in batches), path)
    assert split == whole
    assert parquet_file.schema == expected.schema
    assert not list(path.parent.glob("split.*part"))


def test_a_rejected_text_that_appears_late_stands_behind_its_column(tmp_path):
    batches = [[row(1)], [row(2, "many")], [row(3)], [row(4, 5, "soon")]]
    rows, parquet_file = file_of((records_table(b, COLUMNS) for b in batches), tmp_path / "x.parquet")
    assert parquet_file.schema.names == ["id", "size", "size rejected", "day", "day rejected", "name"]
    assert [r["size rejected"] for r in rows] == [None, "many", None, None]


def test_a_field_whose_name_ends_in_text_is_no_rejected_text(tmp_path):
    columns = (ID, NAME, NAME_TEXT)
    table = records_table([{"id": "1", "Name": "a", "Name_Text": "b"}], columns)
    rows, parquet_file = file_of([table], tmp_path / "x.parquet")
    assert rows == [{"id": "1", "name": "a", "name_text": "b"}]
    assert not rejected_columns(parquet_file.schema)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_rows_with_one_id_the_newer_is_kept(tmp_path, order):
    def at(day: int, size: object) -> dict:
        return {"id": "7", "Size": size, "Modified_Time": f"2026-01-0{day}T00:00:00Z"}

    versions = [at(1, "old"), at(2, 2)]
    records = [{"id": "1", "Size": 1}, *(versions[n] for n in order), {"id": "9", "Size": 9}]
    tables = (records_table([record], (ID, SIZE, TIME)) for record in records)
    rows, parquet_file = file_of(tables, tmp_path / "it's.parquet", newest="modified_time")
    kept = {r["id"]: r for r in rows}
    assert sorted(kept) == ["1", "7", "9"]
    assert kept["7"]["modified_time"] == datetime(2026, 1, 2, tzinfo=timezone.utc)
    assert (parquet_file.rows, parquet_file.repeated) == (3, 1)


def test_of_two_rows_of_one_second_the_later_is_kept(tmp_path):
    time = "2026-01-01T00:00:00Z"
    records = [{"id": "1", "Size": n, "Modified_Time": time} for n in range(20)]
    rows, _ = file_of(
        (records_table([r], (ID, SIZE, TIME)) for r in records), tmp_path / "x", newest="modified_time"
    )
    assert [r["size"] for r in rows] == [19]


def test_repeated_rows_of_a_module_without_modified_time_are_kept_once(tmp_path):
    table = records_table([row(1), row(1)], COLUMNS)
    rows, parquet_file = file_of([table], tmp_path / "x", newest="modified_time")
    assert (len(rows), parquet_file.repeated) == (1, 1)


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ("1 2 2 3", "1 2 3"),
        ("1 2 3 3", "1 2 3"),
        ("1 2 1 3", "1 2 3"),
        ("1 2 3 4", "1 2 3 4"),
        ("x y x", "x y"),
    ],
)
@pytest.mark.parametrize("keys_at_once", [2, 2_000_000])
def test_rows_that_repeat_in_another_group_are_found(tmp_path, monkeypatch, keys_at_once, ids, kept):
    monkeypatch.setattr(parquet_writer, "GROUP_ROWS", 2)
    monkeypatch.setattr(parquet_writer, "KEYS_AT_ONCE", keys_at_once)
    table = pa.table({"id": ids.split()})
    rows, parquet_file = file_of([table], tmp_path / "x")
    assert sorted(r["id"] for r in rows) == kept.split()
    assert parquet_file.repeated == table.num_rows - len(rows)


def test_groups_have_the_size_that_duckdb_likes(tmp_path):
    table = pa.table({"id": pa.array([str(n) for n in range(GROUP_ROWS // 2 + 1)])})
    parts = [
        table.set_column(0, "id", pa.array([f"{k}-{n}" for n in range(table.num_rows)])) for k in range(3)
    ]
    write_parquet(parts, tmp_path / "x")
    file = pq.ParquetFile(tmp_path / "x")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [
        GROUP_ROWS,
        3 * table.num_rows - GROUP_ROWS,
    ]
    file.close()


STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from([1, "many"]), st.booleans()), min_size=1, max_size=6
)


@given(STEPS)
def test_what_is_taken_back_leaves_nothing_also_from_disk(tmp_path_factory, steps):
    """Each step brings rows, of which some do not fit, and perhaps takes them back."""
    path, expected, coming = (
        tmp_path_factory.getbasetemp() / "forget.parquet",
        [],
        [records_table([], COLUMNS)],
    )
    for number, (rows, size, whole) in enumerate(steps):
        records = [row(100 * number + n, size) for n in range(rows)]
        coming += [records_table(records[:3], COLUMNS), records_table(records[3:], COLUMNS)]
        if whole:
            expected += records
        else:
            coming.append(DiscardRows(rows))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet_writer, "GROUP_ROWS", 4)
        found, _ = file_of(coming, path)
    assert [r["id"] for r in found] == [r["id"] for r in expected]
    assert sum(r.get("size rejected") == "many" for r in found) == sum(r["Size"] == "many" for r in expected)
    assert not list(path.parent.glob("forget.*part"))


def test_a_reader_is_closed_at_once_when_the_disk_refuses(tmp_path):
    closed = []

    def tables():
        try:
            while True:
                yield records_table([row(1)], COLUMNS)
        finally:
            closed.append(True)

    (tmp_path / "x.0.part").mkdir()
    with pytest.raises(OSError):
        write_parquet(tables(), tmp_path / "x")
    assert closed == [True]


def test_a_file_without_any_group_is_one_table_without_rows(tmp_path):
    path = tmp_path / "empty.parquet"
    schema = pa.schema([("id", pa.string()), ("name", pa.string())])
    pq.ParquetWriter(path, schema).close()
    assert pq.read_metadata(path).num_row_groups == 0
    assert [group.schema for group in parquet_writer.groups_of(path)] == [schema]
    assert [group.column_names for group in parquet_writer.groups_of(path, ["name"])] == [["name"]]
    assert len(next(parquet_writer.groups_of(path))) == 0

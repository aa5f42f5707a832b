"""Rows made of two files land in the destination by a merge, and nothing else of them changes."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.zoho_crm.arrow import TWIN_OF, twins_of
from sources.zoho_crm.columns import DECIMAL, INSTANT
from sources.zoho_crm.held import Held
from sources.zoho_crm.patching import carried, patched

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("amount", DECIMAL),
        pa.field("modified_time", INSTANT),
        pa.field("day", pa.date32()),
        pa.field("approved", pa.bool_()),
        pa.field("big", pa.int64()),
        pa.field("share", pa.float64()),
        pa.field("tags", pa.string()),
    ]
)
FULL: dict[str, Any] = {
    "name": "Ann \u200f\U0001f600",
    "amount": Decimal("12345678901234567.123456789"),
    "modified_time": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc),
    "day": date(1, 1, 1),
    "approved": False,
    "big": 2**63 - 1,
    "share": 0.1,
    "tags": '["a;b", "\\"", ""]',
}


def file_of(path: Path, *rows: dict[str, Any], names: str = "") -> Path:
    schema = pa.schema([SCHEMA.field(name) for name in names.split()]) if names else SCHEMA
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return path


def rows_of(spooled: Any) -> dict[str, dict[str, Any]]:
    table = pq.read_table(spooled.path)
    assert table.num_rows == spooled.rows
    assert table.schema.equals(spooled.schema)
    return {row.pop("id"): row for row in table.to_pylist()}


# ---- patches


def test_a_patch_replaces_its_columns_and_no_other(tmp_path):
    held = file_of(tmp_path / "held.parquet", {"id": "1", **FULL}, {"id": "2", **FULL})
    patches = file_of(
        tmp_path / "p.parquet", {"id": "2", "amount": Decimal("0.000000001")}, names="id amount"
    )
    found = patched(held, patches, SCHEMA, tmp_path / "whole.parquet")
    assert rows_of(found) == {"1": FULL, "2": {**FULL, "amount": Decimal("0.000000001")}}


def test_a_patch_may_set_null_and_a_table_in_memory_may_bring_it(tmp_path):
    held = file_of(tmp_path / "held.parquet", {"id": "1", **FULL})
    patches = pa.table({"id": ["1"], "name": pa.array([None], pa.string())})
    found = patched(held, patches, SCHEMA, tmp_path / "whole.parquet")
    assert rows_of(found) == {"1": {**FULL, "name": None}}


def test_a_patch_of_a_row_that_is_not_held_adds_none(tmp_path):
    held = file_of(tmp_path / "held.parquet", {"id": "1", **FULL})
    patches = pa.table({"id": ["2"], "name": ["Bo"]})
    assert rows_of(patched(held, patches, SCHEMA, tmp_path / "whole.parquet")) == {"1": FULL}


def test_a_new_column_comes_where_the_table_has_it(tmp_path):
    names = [name for name in SCHEMA.names if name not in ("day", "share")]
    row = {name: FULL[name] for name in names if name != "id"}
    held = file_of(tmp_path / "held.parquet", {"id": "1", **row}, names=" ".join(names))
    patches = pa.table({"id": ["1"], "day": pa.array([date(2026, 3, 1)])})
    found = patched(held, patches, SCHEMA, tmp_path / "whole.parquet")
    assert found.schema.names == SCHEMA.names
    assert rows_of(found) == {"1": {**FULL, "day": date(2026, 3, 1), "share": None}}
    assert not found.schema.field("id").nullable


def test_numbers_of_another_type_than_held_lose_no_digit(tmp_path):
    held = file_of(tmp_path / "held.parquet", {"id": "1", **FULL}, {"id": "2", **FULL})
    patches = pa.table(
        {"id": ["1"], "amount": pa.array([0.5], pa.float64()), "name": pa.array([7], pa.int64())}
    )
    found = rows_of(patched(held, patches, SCHEMA, tmp_path / "whole.parquet"))
    assert found == {"1": {**FULL, "amount": Decimal("0.5"), "name": "7"}, "2": FULL}


def test_a_value_that_does_not_fit_is_an_error(tmp_path):
    held = file_of(tmp_path / "held.parquet", {"id": "1", **FULL})
    patches = pa.table({"id": ["1"], "big": ["many"]})
    with pytest.raises(Exception, match="many"):
        patched(held, patches, SCHEMA, tmp_path / "whole.parquet")


def test_files_without_rows_make_one_with_all_columns(tmp_path):
    held = file_of(tmp_path / "it's held.parquet")
    found = patched(held, pa.table({"id": pa.array([], pa.string())}), SCHEMA, tmp_path / "whole.parquet")
    assert (rows_of(found), found.schema.names) == ({}, SCHEMA.names)


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 30), unique=True), st.dictionaries(st.integers(0, 40), st.none() | st.integers())
)
def test_every_held_row_is_there_once_with_its_patch(tmp_path_factory, held, patches):
    folder = tmp_path_factory.getbasetemp()
    file = file_of(folder / "held.parquet", *({"id": str(n), "name": f"n{n}"} for n in held), names="id name")
    news = pa.table(
        {
            "id": pa.array([str(n) for n in patches], pa.string()),
            "name": pa.array([None if v is None else str(v) for v in patches.values()], pa.string()),
        }
    )
    whole = patched(
        file, news, pa.schema([SCHEMA.field("id"), SCHEMA.field("name")]), folder / "whole.parquet"
    )
    expected = {n: patches.get(n, f"n{n}") for n in held}
    assert rows_of(whole) == {
        str(n): {"name": None if value is None else str(value)} for n, value in expected.items()
    }


# ---- carried values


def test_values_of_fields_that_are_gone_are_carried_over(tmp_path):
    read = file_of(
        tmp_path / "r.parquet", {"id": "1", "name": "new"}, {"id": "3", "name": "c"}, names="id name"
    )
    held = file_of(
        tmp_path / "h.parquet",
        {"id": "1", "name": "old", "amount": FULL["amount"], "tags": FULL["tags"]},
        {"id": "2", "name": "gone", "amount": None, "tags": None},
        names="id name amount tags",
    )
    found = carried(read, held, tmp_path / "whole.parquet")
    assert found.schema.names == ["id", "name", "amount", "tags"]
    assert rows_of(found) == {
        "1": {"name": "new", "amount": FULL["amount"], "tags": FULL["tags"]},
        "3": {"name": "c", "amount": None, "tags": None},
    }


def test_text_twins_stay_marked(tmp_path):
    twin = pa.field("big_text", pa.string(), metadata={TWIN_OF: b"big"})
    schema = pa.schema([SCHEMA.field("id"), SCHEMA.field("big"), twin])
    rows = [{"id": "1", "big": None, "big_text": "many"}, {"id": "2", "big": 2, "big_text": None}]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "r.parquet")
    held = file_of(tmp_path / "h.parquet", {"id": "2", "day": FULL["day"]}, names="id day")
    found = carried(tmp_path / "r.parquet", held, tmp_path / "whole.parquet")
    assert twins_of(found.schema) == {"big_text": "big"}
    assert found.misfits == {"big": 1}
    assert rows_of(found)["2"] == {"big": 2, "big_text": None, "day": FULL["day"]}


# ---- in a destination


def test_patched_rows_land_by_a_merge_and_leave_the_others_alone(tmp_path):
    database = dlt.destinations.duckdb(str(tmp_path / "crm.duckdb"))
    pipeline = dlt.pipeline(
        "patching", destination=database, dataset_name="zoho", pipelines_dir=str(tmp_path / "p")
    )
    kinds = ["text", "text", "decimal", "timestamp", "date", "bool", "bigint", "double", "json"]
    hints: dict[str, Any] = {n: {"data_type": k} for n, k in zip(SCHEMA.names, kinds, strict=True)}
    hints["id"].update(primary_key=True, nullable=False)

    def load(path: Path, rows: int, how: str) -> None:
        def files():
            yield dlt.mark.with_file_import(str(path), "parquet", rows, dlt.mark.make_hints(columns=hints))

        pipeline.run(
            dlt.source(lambda: dlt.resource(files, name="deals", write_disposition=how), name="crm")()
        )

    before = [{"id": str(n), **FULL} for n in range(4)]
    table = pa.Table.from_pylist(
        before, schema=pa.schema([SCHEMA.field(0).with_nullable(False), *list(SCHEMA)[1:]])
    )
    pq.write_table(table, tmp_path / "first.parquet")
    load(tmp_path / "first.parquet", 4, "replace")
    held = Held(pipeline, tmp_path)
    some = held.read("deals", SCHEMA.names, ids=["1", "3"])
    whole = patched(
        some, pa.table({"id": ["3"], "amount": [Decimal("2.5")]}), SCHEMA, tmp_path / "whole.parquet"
    )
    load(whole.path, whole.rows, "merge")
    after = {row["id"]: row for row in pq.read_table(held.read("deals", SCHEMA.names)).to_pylist()}
    assert held.count(["deals"]) == {"deals": 4}
    assert after == {row["id"]: row for row in before} | {"3": {**before[3], "amount": Decimal("2.5")}}

"""What differs between the CRM and the destination's rows is found by value, and nothing else is."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.zoho_crm.models import MODIFIED_TIME
from sources.zoho_crm.transform.parquet_writer import ParquetFile
from sources.zoho_crm.transform.row_differences import Differences, compare, held_columns
from tests.support.reading import DAY
from tests.support.sweeping import SCORED, Sweeper


@pytest.fixture
def sweeper(load):
    return lambda *args, **options: Sweeper(load, *args, **options)


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_equal_tables_have_no_differences(sweeper, api):
    made = sweeper(30, refresh=SCORED)
    for id in made.ids[::2]:
        made.load.org.edit("Things", id, Score=1 / 3, Sum=Decimal("0.1"), Seen=DAY, Colours=["Red", "Blue"])
    made.hold()
    assert made.differ(api) == Differences()


def test_missing_extra_and_stale_rows_are_named(sweeper):
    made = sweeper(6)
    org, ids = made.load.org, made.ids
    new = org.insert("Things", {"F0": "new"})
    org.edit("Things", ids[1], F0="edited")
    org.delete("Things", ids[2])
    org.merge("Things", ids[3], [ids[4]])
    found = made.differ()
    assert (found.missing, found.extra, found.stale) == ((new,), (ids[2], ids[4]), (ids[1], ids[3]))
    assert (found.patches, found.patched) == (None, 0)


def test_times_are_compared_as_instants(sweeper):
    made = sweeper()
    table = made.table()
    zone = table["modified_time"].cast(pa.timestamp("us", "Asia/Kolkata"))
    made.keep(table.set_column(table.schema.get_field_index("modified_time"), "modified_time", zone))
    assert made.differ() == Differences()
    naive = table["modified_time"].cast(pa.timestamp("us"))
    made.keep(table.set_column(table.schema.get_field_index("modified_time"), "modified_time", naive))
    assert made.differ() == Differences()


def test_rows_without_a_modified_time_are_compared(sweeper):
    made = sweeper()
    for id in made.ids[:2]:
        made.load.org.set_computed("Things", id, MODIFIED_TIME, None)
    made.hold()
    assert made.differ() == Differences()
    made.load.org.edit("Things", made.ids[0], F0="now it has one")
    assert made.differ().stale == (made.ids[0],)


def test_a_module_that_hides_modified_time_is_compared_by_id_and_values(sweeper):
    made = sweeper(refresh=("Score",), hidden_modified_time=True)
    made.load.org.delete("Things", made.ids[0])
    made.load.org.set_computed("Things", made.ids[1], "Score", 7.5)
    found = made.differ()
    assert (found.extra, found.stale, found.patched) == ((made.ids[0],), (), 1)


def test_a_row_that_is_held_twice_is_stale(sweeper):
    made = sweeper(refresh=("Score",))
    made.keep(pa.concat_tables([made.table(), made.table().slice(1, 1)]))
    made.load.org.set_computed("Things", made.ids[1], "Score", 7.5)
    found = made.differ()
    assert found == Differences(stale=(made.ids[1],))


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_values_that_moved_without_modified_time_become_patches(sweeper, api):
    made = sweeper(5, refresh=SCORED)
    org, ids = made.load.org, made.ids
    org.set_computed("Things", ids[0], "Score", 0.1)
    org.set_computed("Things", ids[1], "Sum", Decimal("0.000000001"))
    org.set_computed("Things", ids[2], "Seen", DAY)
    org.set_computed("Things", ids[3], "Colours", ["Blue"])
    found = made.differ(api)
    assert (found.stale, found.patched) == ((), 4)
    rows = {row["id"]: row for row in pq.read_table(found.patches).to_pylist()}
    assert {id: (r["score"], r["sum"], r["seen"], r["colours"]) for id, r in rows.items()} == {
        ids[0]: (0.1, None, None, None),
        ids[1]: (None, Decimal("0.000000001"), None, None),
        ids[2]: (None, None, DAY, None),
        ids[3]: (None, None, None, '["Blue"]'),
    }


def test_patches_have_the_types_of_their_columns(sweeper):
    made = sweeper(refresh=SCORED)
    made.load.org.set_computed("Things", made.ids[0], "Seen", DAY)
    schema = pq.read_schema(made.differ().patches)
    held = made.table().schema
    assert set(schema.names) == {"id", "score", "sum", "seen", "colours"}
    assert {name: schema.field(name).type for name in schema.names} == {
        name: held.field(name).type for name in schema.names
    }


def test_a_value_that_went_becomes_null(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.set_computed("Things", made.ids[0], "Score", 0.1)
    made.hold()
    made.load.org.set_computed("Things", made.ids[0], "Score", None)
    assert pq.read_table(made.differ().patches).to_pylist() == [{"id": made.ids[0], "score": None}]


def test_a_row_of_another_version_is_stale_and_not_patched(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.edit("Things", made.ids[0], F0="edited", Score=4.0)
    assert made.differ() == Differences(stale=(made.ids[0],))


def test_a_column_that_the_destination_lacks_is_null_there(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.set_computed("Things", made.ids[1], "Score", 0.5)
    made.keep(made.table().drop_columns(["score"]))
    assert pq.read_table(made.differ().patches).to_pylist() == [{"id": made.ids[1], "score": 0.5}]


def test_what_was_not_asked_for_is_not_compared(sweeper):
    made = sweeper(refresh=("Sum",))
    made.load.org.set_computed("Things", made.ids[1], "Score", 0.5)
    assert made.differ() == Differences()


def test_json_is_compared_by_its_value(sweeper):
    made = sweeper(refresh=("Colours",))
    for id in made.ids:
        made.load.org.edit("Things", id, Colours=["Red", "Blue"])
    made.hold()
    table = made.table()
    place = table.schema.get_field_index("colours")
    spelt = ['[ "Red", "Blue" ]', '["Blue", "Red"]', "no JSON"]
    made.keep(table.set_column(place, "colours", pa.array(spelt)))
    assert pq.read_table(made.differ().patches)["id"].to_pylist() == made.ids[1:]


def test_other_types_of_a_destination_are_compared_by_value(sweeper):
    made = sweeper(refresh=("Sum", "Score"))
    for id in made.ids:
        made.load.org.edit("Things", id, Sum=Decimal("12.5"), Score=0.5)
    made.hold()
    table = made.table()
    wide = table["sum"].cast(pa.decimal128(38, 2))
    table = table.set_column(table.schema.get_field_index("sum"), "sum", wide)
    place = table.schema.get_field_index("score")
    made.keep(table.set_column(place, "score", pa.array(["0.5", "0.50", "0.75"])))
    assert pq.read_table(made.differ().patches)["id"].to_pylist() == [made.ids[2]]


def test_the_columns_to_ask_of_the_destination_are_told(sweeper):
    made = sweeper(refresh=("Score", "Colours"))
    names = held_columns(made.read().parquet_file, made.plan.columns)
    assert set(names) == {
        "id",
        "modified_time",
        "score",
        "colours",
    }


def test_of_many_rows_only_the_different_one_is_patched(tmp_path, sweeper):
    made = sweeper(refresh=("Score",))
    paths = [tmp_path / "n.parquet", tmp_path / "h.parquet"]
    with duckdb.connect() as database:
        for path, score in zip(paths, ("i", "case i when 7 then 8 else i end"), strict=True):
            database.execute(
                f"copy (select (10000000 + i)::varchar as id, {score}::double as score, "
                "timestamptz '2026-01-01 00:00:00+00' + to_seconds(i) as modified_time "
                f"from range(200000) t(i)) to '{path}'"
            )
    parquet_file = ParquetFile(paths[0], 200_000, pq.read_schema(paths[0]))
    found = compare(parquet_file, paths[1], made.plan.columns, tmp_path)
    assert (found.missing, found.extra, found.stale, found.patched) == ((), (), (), 1)
    assert pq.read_table(found.patches).to_pylist() == [{"id": "10000007", "score": 7.0}]

"""What the destination holds comes back as it was loaded, and single rows of it go: DuckDB and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.zoho_crm.sync import warehouse
from sources.zoho_crm.sync import warehouse as held_module
from sources.zoho_crm.sync.warehouse import MissingTable, Warehouse
from sources.zoho_crm.transform.column_types import DECIMAL, INSTANT
from tests.end_to_end.destinations.test_destinations import postgres  # noqa: F401 - a fixture

TYPES = {
    "id": ("text", pa.string()),
    "name": ("text", pa.string()),
    "amount": ("decimal", DECIMAL),
    "modified_time": ("timestamp", INSTANT),
    "day": ("date", pa.date32()),
    "approved": ("bool", pa.bool_()),
    "big": ("bigint", pa.int64()),
    "share": ("double", pa.float64()),
    "tags": ("json", pa.string()),
    "deleted_at": ("timestamp", INSTANT),
    "_dlt_valid_to": ("timestamp", INSTANT),
}
NUMBERS = count()
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Place:
    """A pipeline with a destination of its own, rows that are loaded into it, and what it holds."""

    def __init__(self, name: str, destination: Any, folder: Path) -> None:
        self.pipeline = dlt.pipeline(
            name, destination=destination, dataset_name=name, pipelines_dir=str(folder / "p")
        )
        self.folder = folder
        self.warehouse = Warehouse(self.pipeline, folder)

    def load(self, table: str, *rows: dict[str, Any], columns: str = "id name", how: str = "replace") -> None:
        names = columns.split()
        schema = pa.schema([pa.field(n, TYPES[n][1], nullable=n != "id") for n in names])
        hints: dict[str, Any] = {n: {"data_type": TYPES[n][0], "nullable": n != "id"} for n in names}
        hints["id"]["primary_key"] = True

        def tables() -> Iterator[pa.Table]:
            dlt.current.source_state()["loads"] = dlt.current.source_state().get("loads", 0) + 1
            yield pa.Table.from_pylist(list(rows), schema=schema)

        self.run(dlt.resource(tables, name=table, columns=hints, write_disposition=how))

    def run(self, resource: Any) -> None:
        self.pipeline.run(dlt.source(lambda: resource, name="zoho_crm")())

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with self.pipeline.sql_client() as sql:
            return sorted(tuple(row) for row in sql.execute_sql(query))

    def read(self, table: str, columns: str, **options: Any) -> list[dict[str, Any]]:
        return pq.read_table(self.warehouse.read(table, columns.split(), **options)).to_pylist()

    def ids(self, table: str, **options: Any) -> set[str]:
        return {row["id"] for row in self.read(table, "id", **options)}


@pytest.fixture(params=["duckdb", "postgres", "sqlite"])
def place(request, tmp_path) -> Place:
    if request.param == "duckdb":
        return Place("zoho", dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")), tmp_path)
    if request.param == "sqlite":
        return Place("zoho", dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path / 'crm.sqlite'}"), tmp_path)
    server = dlt.destinations.postgres(request.getfixturevalue("postgres"))
    return Place(f"held_{next(NUMBERS)}", server, tmp_path)  # one server for all, a dataset for each


@pytest.fixture
def local(tmp_path) -> Place:
    return Place("zoho", dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")), tmp_path)


def numbered(many: int, **values: Any) -> list[dict[str, Any]]:
    return [{"id": str(number), "name": f"n{number}", **values} for number in range(1, many + 1)]


# ---- what is there


def test_a_destination_without_a_dataset_holds_nothing(place):
    assert place.warehouse.tables() == {}
    assert place.warehouse.count(["leads"]) == {}
    assert place.warehouse.stored_version() is None


def test_tables_are_those_that_exist_with_their_columns(place):
    place.load("leads", *numbered(2), columns="id name tags")
    place.load("deals")
    with place.pipeline.sql_client() as sql:
        sql.execute_sql(f"drop table {sql.make_qualified_table_name('deals')}")
        sql.execute_sql(f"alter table {sql.make_qualified_table_name('leads')} drop column tags")
        sql.execute_sql(f"alter table {sql.make_qualified_table_name('leads')} add column extra integer")
    tables = place.warehouse.tables()
    assert "deals" not in tables
    assert tables["leads"] == {"id", "name", "extra"}
    assert place.warehouse.count(["leads", "deals"]) == {"leads": 2}


def test_what_the_schema_does_not_know_is_read_by_the_database_s_type(place):
    place.load("leads", *numbered(1))
    with place.pipeline.sql_client() as sql:
        sql.execute_sql(f"alter table {sql.make_qualified_table_name('leads')} add column extra date")
        sql.execute_sql(f"update {sql.make_qualified_table_name('leads')} set extra = '2026-03-01'")
    assert place.read("leads", "id extra") == [{"id": "1", "extra": date(2026, 3, 1)}]


def test_a_table_or_column_that_is_not_there_is_named(local):
    local.load("leads")
    with pytest.raises(MissingTable, match="no table deals"):
        local.warehouse.read("deals", ["id"])
    with pytest.raises(MissingTable, match="table leads has no column tags"):
        local.warehouse.read("leads", ["id", "tags"])
    with pytest.raises(MissingTable, match="table leads has no column account__id"):
        local.warehouse.read("leads", ["id"], ids=["1"], by="account__id")


def test_databases_merge_and_files_do_not(place, tmp_path):
    assert place.warehouse.can_merge
    lake = Place("lake", dlt.destinations.filesystem(str(tmp_path / "lake")), tmp_path)
    assert not lake.warehouse.can_merge


def test_files_are_counted_and_read_too(tmp_path):
    lake = Place("lake", dlt.destinations.filesystem(str(tmp_path / "lake")), tmp_path)
    assert lake.warehouse.tables() == {}
    assert lake.warehouse.stored_version() is None
    lake.load("leads", *numbered(3))
    assert "leads" in lake.warehouse.tables()
    assert lake.warehouse.count(["leads", "deals"]) == {"leads": 3}
    assert lake.ids("leads") == {"1", "2", "3"}
    assert lake.warehouse.stored_version() is not None


def test_the_stored_version_is_the_newest_that_was_loaded(place):
    place.load("leads")
    assert place.warehouse.stored_version() == place.pipeline.state["_state_version"]
    first = place.warehouse.stored_version()
    place.load("leads")
    assert place.warehouse.stored_version() == place.pipeline.state["_state_version"] > first


def test_another_pipeline_of_the_dataset_has_a_version_of_its_own(local):
    local.load("leads")
    other = dlt.pipeline(
        "other",
        destination=local.pipeline.destination,
        dataset_name="zoho",
        pipelines_dir=str(local.folder / "p"),
    )
    assert Warehouse(other, local.folder).stored_version() is None


# ---- reading


def test_an_empty_table_gives_a_file_with_its_types(place):
    names = " ".join(name for name in TYPES if name not in ("deleted_at", "_dlt_valid_to"))
    place.load("leads", columns=names)
    schema = pq.read_schema(place.warehouse.read("leads", names.split()))
    assert {field.name: field.type for field in schema} == {name: TYPES[name][1] for name in names.split()}
    assert schema.names == names.split()
    assert [field.name for field in schema if not field.nullable] == ["id"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
DIGITS = st.integers(-(10**16) + 1, 10**16 - 1)
VALUES = st.fixed_dictionaries(
    {
        "name": st.none() | TEXTS,
        "amount": st.none() | st.builds(lambda n, s: Decimal(n).scaleb(-s), DIGITS, st.integers(0, 9)),
        "modified_time": st.none() | st.datetimes(timezones=st.just(timezone.utc)),
        "day": st.none() | st.dates(),
        "approved": st.none() | st.booleans(),
        "big": st.none() | st.integers(-(2**63), 2**63 - 1),
        "share": st.none() | st.floats(allow_nan=False),
        "tags": st.none()
        | st.lists(TEXTS | st.sampled_from(["a,b", ";", '"', "\\", "null"]), max_size=3).map(json.dumps),
    }
)
EXTREMES = {
    "name": "\r\n\t,\"'\\N",
    "amount": Decimal("-99999999999999999999999999999.999999999"),
    "modified_time": datetime.max.replace(tzinfo=timezone.utc),
    "day": date.max,
    "approved": False,
    "big": -(2**63),
    "share": 5e-324,
    "tags": '[""]',
}
LEAST = {
    **EXTREMES,
    "modified_time": datetime.min.replace(tzinfo=timezone.utc),
    "day": date.min,
    "tags": "[]",
}


def parsed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "tags": None if row["tags"] is None else json.loads(row["tags"])}


@pytest.mark.parametrize("place", ["duckdb", "postgres"], indirect=True)
def test_values_come_back_as_they_were_loaded(place):
    @settings(max_examples=4, database=None)
    @given(st.lists(VALUES, min_size=40, max_size=60))
    def come_back(values):
        rows = [{"id": str(n), **value} for n, value in enumerate([EXTREMES, LEAST, *values])]
        place.load("leads", *rows, columns=" ".join(rows[0]))
        found = place.read("leads", " ".join(rows[0]))
        assert sorted(map(parsed, found), key=lambda row: int(row["id"])) == [parsed(row) for row in rows]

    come_back()


def test_an_empty_text_is_not_null(place):
    place.load("leads", *numbered(2))
    with place.pipeline.sql_client() as sql:  # dlt's own way into PostgreSQL makes it null
        sql.execute_sql("update leads set name = case id when '1' then '' end")
    assert sorted(row["name"] or repr(row["name"]) for row in place.read("leads", "name")) == ["''", "None"]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_the_time_zone_of_a_session_moves_nothing(place, zone, monkeypatch):
    monkeypatch.setenv("PGTZ", zone)
    rows = [{"id": "1", "modified_time": NOON}, {"id": "2", "modified_time": LEAST["modified_time"]}]
    place.load("leads", *rows, columns="id modified_time")
    assert sorted(place.read("leads", "id modified_time"), key=lambda row: row["id"]) == rows


def test_json_of_postgres_keeps_every_digit_of_its_numbers(place):
    place.load("leads", {"id": "1", "tags": '[{"n": 12345678901234567890.123456789}]'}, columns="id tags")
    ((row),) = place.read("leads", "id tags")
    assert "12345678901234567890.123456789" in row["tags"]


def test_batches_of_any_size_make_one_file(place, monkeypatch):
    monkeypatch.setattr(warehouse, "CELLS", 1)
    place.load("leads", *numbered(3_000))
    assert place.ids("leads") == {row["id"] for row in numbered(3_000)}


def test_chosen_rows_are_read_by_a_column_in_batches(place, monkeypatch):
    monkeypatch.setattr(warehouse, "IDS_A_QUERY", 2)
    place.load("notes", *({"id": str(n), "name": str(n % 4)} for n in range(1, 13)))
    assert place.ids("notes", ids=["1", "7", "8", "99", "1"]) == {"1", "7", "8"}
    assert place.ids("notes", ids=["0", "1", "3"], by="name") == {
        "1",
        "3",
        "4",
        "5",
        "7",
        "8",
        "9",
        "11",
        "12",
    }
    assert place.read("notes", "id name", ids=[]) == []


def test_ids_are_literals_where_no_function_takes_a_text_apart(place, monkeypatch):
    monkeypatch.setattr(warehouse, "IDS_AS_TEXT", {})
    monkeypatch.setattr(warehouse, "IDS_A_LIST", 2)
    place.load("leads", *numbered(5))
    assert place.ids("leads", ids=["1", "3", "5", "99", "1"]) == {"1", "3", "5"}


@pytest.mark.parametrize("id", ["1'; drop table leads; --", "", "1 ", "1,2", "\u0661", "a", "%s"])
def test_what_is_no_id_is_refused(local, id):
    local.load("leads", *numbered(1))
    with pytest.raises(ValueError, match="no id"):
        local.warehouse.read("leads", ["id"], ids=["1", id])
    assert local.ids("leads") == {"1"}


def test_a_hundred_thousand_ids_are_no_trouble(local):
    local.load("leads", *numbered(3))
    ids = [str(4_876_000_000_000_000 + n) for n in range(100_000)]
    assert local.ids("leads", ids=["2", *ids]) == {"2"}


def test_deleted_rows_and_closed_versions_are_not_live(place):
    columns = "id name deleted_at _dlt_valid_to"
    place.load(
        "leads",
        {"id": "1", "name": "live"},
        {"id": "2", "name": "deleted", "deleted_at": NOON},
        {"id": "3", "name": "old", "_dlt_valid_to": NOON},
        {"id": "3", "name": "new"},
        columns=columns,
        how="append",
    )
    assert {(r["id"], r["name"]) for r in place.read("leads", "id name")} == {("1", "live"), ("3", "new")}
    assert place.ids("leads", ids=["2", "3"]) == {"3"}
    assert place.warehouse.count(["leads"]) == {"leads": 2}


# ---- names


def test_words_of_sql_and_capitals_are_names_like_others(place, monkeypatch):
    monkeypatch.setenv("SCHEMA__NAMING", "sql_cs_v1")
    rows = pa.table({"id": ["1", "2"], "Order": ["a", "b"], "Group": ["7", "8"]})
    place.run(dlt.resource(lambda: iter([rows]), name="Select"))
    assert place.warehouse.tables()["Select"] == {"id", "Order", "Group"}
    assert place.read("Select", "Order id", ids=["8"], by="Group") == [{"Order": "b", "id": "2"}]
    assert place.warehouse.count(["Select"]) == {"Select": 2}


def test_a_database_that_spells_names_in_capitals_is_read_by_the_schema_s_names():
    known = {"id": {"name": "id", "data_type": "text"}, "amount": {"name": "amount", "data_type": "decimal"}}
    client = SimpleNamespace(
        schema=SimpleNamespace(tables={"leads": {"columns": known}}),
        capabilities=SimpleNamespace(casefold_identifier=str.upper),
    )
    stored = {"ID": {"data_type": "text"}, "AMOUNT": {"data_type": "double"}, "EXTRA": {"data_type": "date"}}
    found = held_module._as_the_schema_says(client, "leads", stored)
    assert found == {**known, "EXTRA": {"data_type": "date"}}

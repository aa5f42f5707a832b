"""What a table keeps of records that changed or went: by dlt into DuckDB and PostgreSQL, asked for in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.zoho_crm.models import Field
from sources.zoho_crm.state import DeletionMode
from sources.zoho_crm.sync.row_history import RetentionWriter, disposition, extra_hints, has_deletion_mode
from sources.zoho_crm.sync.warehouse import Warehouse
from sources.zoho_crm.transform.arrow_tables import records_table
from sources.zoho_crm.transform.column_types import Column, ColumnType, arrow_schema
from sources.zoho_crm.transform.parquet_writer import ParquetFile, write_parquet
from sources.zoho_crm.transform.row_versions import ROW_VERSION, VALID_FROM, VALID_TO, with_versions
from tests.end_to_end.destinations.test_destinations import postgres  # noqa: F401 - a fixture

NUMBERS = count()


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, number, hour, tzinfo=timezone.utc)


COLUMNS = (
    Column("id", Field("id", "bigint"), ColumnType.TEXT),
    Column("name", Field("name", "text"), ColumnType.TEXT),
    Column("tags", Field("tags", "fileupload"), ColumnType.OBJECTS),
    Column("score", Field("score", "formula", return_type="double"), ColumnType.DOUBLE),
)
PHONE = Column("phone", Field("phone", "phone"), ColumnType.TEXT)
Row = Mapping[str, Any]


def row(id: int, name: str | None = None, **values: Any) -> Row:
    return {"id": str(id), "name": name, **values}


class Table:
    """One table, kept in one way, and the readings that land in it."""

    def __init__(self, name: str, destination: Any, folder: Path) -> None:
        self.pipeline = dlt.pipeline(
            name, destination=destination, dataset_name=name, pipelines_dir=str(folder / "p")
        )
        self.folder = folder
        self.warehouse = Warehouse(self.pipeline, folder)
        self.columns = COLUMNS
        self.keeps: DeletionMode = "history"
        self.kept: DeletionMode | None = None

    def read(
        self, at: datetime, *rows: Row, whole: bool = False, gone: Mapping[str, datetime] | None = None
    ) -> int:
        """A run that reads these rows; returns how many rows it lands."""
        exists = self.kept == self.keeps
        parquet_file = write_parquet([records_table(rows, self.columns)], self.folder / "leads.parquet")
        kept = RetentionWriter("leads", self.keeps, whole or not exists, exists, at)
        parquet_file = kept.prepare(self.warehouse, parquet_file, self.columns, gone or {})
        self.land(parquet_file, disposition(self.keeps, kept.whole, exists))
        self.kept = self.keeps
        return parquet_file.rows

    def land(self, parquet_file: ParquetFile, how: Any) -> None:
        hints = {c.name: {"name": c.name, "data_type": c.kind.dlt_type} for c in self.columns}
        hints["id"].update(nullable=False, primary_key=True)
        hints.update(extra_hints(self.keeps))

        def rows() -> Iterator[Any]:
            made = dlt.mark.make_hints(columns=hints)
            yield dlt.mark.with_file_import(str(parquet_file.path), "parquet", parquet_file.rows, made)

        if self.kept:
            self.pipeline.destination.config_params["replace_strategy"] = "insert-from-staging"
        resource = dlt.resource(rows, name="leads", write_disposition=how)
        self.pipeline.run(dlt.source(lambda: resource, name="zoho_crm")())

    def rows(self, columns: str, where: str = "1 = 1") -> list[tuple[Any, ...]]:
        """In the order of id and begin; times in UTC."""
        with self.pipeline.sql_client() as sql:
            order = f", {VALID_FROM}" if self.keeps == "history" else ""
            found = sql.execute_sql(f"select {columns} from leads where {where} order by id{order}") or []
        return [tuple(v.astimezone(timezone.utc) if isinstance(v, datetime) else v for v in r) for r in found]

    def versions(self) -> list[tuple[Any, ...]]:
        return self.rows(f"id, name, {VALID_FROM}, {VALID_TO}")


@pytest.fixture(params=["duckdb", "postgres"])
def table(request, tmp_path) -> Table:
    if request.param == "duckdb":
        return Table("zoho", dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")), tmp_path)
    server = dlt.destinations.postgres(request.getfixturevalue("postgres"))
    return Table(f"kept_{next(NUMBERS)}", server, tmp_path)


@pytest.fixture
def local(tmp_path) -> Table:
    return Table("zoho", dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")), tmp_path)


# ---- versions in a database


def test_a_new_table_begins_with_one_open_version_a_record(table):
    table.read(day(1), row(1, "a"), row(2, "b"))
    assert table.versions() == [("1", "a", day(1), None), ("2", "b", day(1), None)]


def test_a_window_closes_what_changed_and_adds_nothing_for_what_comes_again(table):
    table.read(day(1), row(1, "a"), row(2, "b"), row(3, "c"))
    assert table.read(day(2), row(1, "a"), row(2, "B"), row(4, "d")) == 3
    assert table.versions() == [
        ("1", "a", day(1), None),
        ("2", "b", day(1), day(2)),
        ("2", "B", day(2), None),
        ("3", "c", day(1), None),
        ("4", "d", day(2), None),
    ]


@pytest.mark.cases(1)
def test_a_whole_reading_closes_what_it_does_not_bring(table):
    table.read(day(1), row(1, "a"), row(2, "b"), row(3, "c"))
    table.read(day(3), row(1, "A"), whole=True, gone={"2": day(2)})
    assert table.versions() == [
        ("1", "a", day(1), day(3)),
        ("1", "A", day(3), None),
        ("2", "b", day(1), day(2)),
        ("3", "c", day(1), day(3)),
    ]
    table.read(day(4), whole=True)
    assert table.rows("id", f"{VALID_TO} is null") == []


@pytest.mark.cases(1)
def test_a_deletion_closes_the_version_and_a_restored_record_opens_another(table):
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.read(day(2), gone={"1": day(2)})
    table.read(day(3), row(1, "a"))
    assert table.versions() == [
        ("1", "a", day(1), day(2)),
        ("1", "a", day(3), None),
        ("2", "b", day(1), None),
    ]


def test_a_value_that_zoho_computes_changes_in_its_place(table):
    table.read(day(1), row(1, "a", score=0.1), row(2, "b", score=2.0))
    table.read(day(2), row(1, "a", score=0.3), row(2, "B", score=3.0))
    assert table.rows(f"id, name, score, {VALID_FROM}, {VALID_TO}") == [
        ("1", "a", 0.3, day(1), None),
        ("2", "b", 2.0, day(1), day(2)),
        ("2", "B", 3.0, day(2), None),
    ]


@pytest.mark.cases(1)
def test_a_table_that_kept_no_history_begins_when_it_is_switched_on(table):
    table.keeps = "hard"
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.keeps = "history"
    table.read(day(2), row(1, "a"), row(3, "c"))
    assert table.versions() == [("1", "a", day(2), None), ("3", "c", day(2), None)]
    table.read(day(3), row(1, "A"))
    assert table.versions()[:2] == [("1", "a", day(2), day(3)), ("1", "A", day(3), None)]


@pytest.mark.cases(1)
def test_a_history_that_is_switched_off_leaves_no_rule_behind(table):
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.read(day(2), row(1, "A"), whole=True)
    table.keeps = "hard"
    table.read(day(3), row(1, "A"), row(2, "b"))
    table.read(day(4), row(2, "B"))
    assert table.rows("id, name") == [("1", "A"), ("2", "B")]


@pytest.mark.cases(1)
def test_a_load_that_was_not_noticed_is_done_again_without_a_trace(table):
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.read(day(2), row(1, "A"), row(3, "c"))
    before = table.versions()
    assert table.read(day(3), row(1, "A"), row(3, "c")) == 0  # the next run, with the same window
    assert table.versions() == before


@pytest.mark.cases(1)
def test_a_package_that_is_loaded_twice_leaves_the_same_rows(table):
    table.read(day(1), row(1, "a"))
    parquet_file = write_parquet([records_table([row(1, "A")], COLUMNS)], table.folder / "leads.parquet")
    kept = RetentionWriter("leads", "history", False, True, day(2))
    parquet_file = kept.prepare(table.warehouse, parquet_file, COLUMNS, {})
    for _ in range(2):
        table.land(parquet_file, disposition("history", False, True))
    assert table.versions() == [("1", "a", day(1), day(2)), ("1", "A", day(2), None)]


def test_rows_that_were_staged_twice_land_once(table):
    """A load may break off after the copy into the staging table was committed."""
    table.read(day(1), row(1, "a"))
    parquet_file = write_parquet([records_table([row(1, "A")], COLUMNS)], table.folder / "leads.parquet")
    kept = RetentionWriter("leads", "history", False, True, day(2))
    parquet_file = kept.prepare(table.warehouse, parquet_file, COLUMNS, {})
    twice = pa.concat_tables([pq.read_table(parquet_file.path)] * 2)
    pq.write_table(twice, parquet_file.path)
    table.land(replace(parquet_file, rows=4), disposition("history", False, True))
    assert table.versions() == [("1", "a", day(1), day(2)), ("1", "A", day(2), None)]


@pytest.mark.cases(1)
def test_rows_of_one_run_that_come_again_take_the_place_of_the_earlier_ones(table):
    table.read(day(1), row(1, "a"))
    table.read(day(2), row(1, "b"))
    table.read(day(2), row(1, "c"))
    assert table.versions() == [("1", "a", day(1), day(2)), ("1", "c", day(2), None)]


def test_a_new_column_that_is_empty_makes_no_version(table):
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.columns = (*COLUMNS, PHONE)
    table.read(day(2), row(1, "a"), row(2, "b", phone="7"))
    assert table.rows(f"id, phone, {VALID_FROM}, {VALID_TO}") == [
        ("1", None, day(1), None),
        ("2", None, day(1), day(2)),
        ("2", "7", day(2), None),
    ]


def test_a_closed_version_keeps_the_values_of_a_field_that_is_gone(table):
    table.columns = (*COLUMNS, PHONE)
    table.read(day(1), row(1, "a", phone="7", tags=[{"b": 1, "a": "x"}]))
    table.columns = COLUMNS
    table.read(day(2), row(1, "A"))
    assert table.rows(f"name, phone, {VALID_TO}") == [("a", "7", day(2)), ("A", None, None)]
    kept = pq.read_table(table.warehouse.read("leads", ["id", "tags"])).to_pylist()
    assert kept == [{"id": "1", "tags": None}]


def test_a_row_that_comes_from_the_destination_is_of_its_own_version(table):
    """PostgreSQL writes JSON in its own way: keys by length, with blanks."""
    table.read(day(1), row(1, "a", tags=[{"bb": 1.50, "a": "é", "ccc": 10**20}], score=1.0))
    rows = table.warehouse.read("leads", [c.name for c in COLUMNS])
    parquet_file = ParquetFile(rows, 1, pq.read_schema(rows))
    kept = RetentionWriter("leads", "history", False, True, day(2))
    assert kept.prepare(table.warehouse, parquet_file, COLUMNS, {}).rows == 0


@pytest.mark.long
def test_dlt_takes_the_file_as_it_is_and_leaves_nothing_in_the_staging_dataset(local, monkeypatch):
    rewritten = []
    monkeypatch.setattr(
        "dlt.normalize.items_normalizers.arrow.ArrowItemsNormalizer._write_with_dlt_columns",
        lambda self, file, name, add_id: rewritten.append(name) or [],
    )
    monkeypatch.setenv("LOAD__TRUNCATE_STAGING_DATASET", "true")
    local.read(day(1), row(1, "a"), row(2, "b"))
    local.read(day(2), row(1, "A"))
    assert [name for name in rewritten if name == "leads"] == []
    with local.pipeline.sql_client() as sql:
        assert sql.execute_sql("select count(*) from zoho_staging.leads") == [(0,)]


def test_a_history_goes_on_when_only_the_state_is_lost(table):
    table.read(day(1), row(1, "a"))
    columns = table.warehouse.tables()["leads"]
    assert has_deletion_mode("history", columns, "history")
    assert has_deletion_mode("history", columns, None)
    assert not has_deletion_mode("history", columns, "hard")  # its rows of that time have no begin
    assert not has_deletion_mode("history", columns - {VALID_FROM}, None)
    assert not has_deletion_mode("soft", columns, None)


# ---- rows of deleted records that stay


@pytest.mark.cases(1)
def test_a_whole_reading_leaves_deleted_rows_and_marks_those_it_does_not_bring(table):
    table.keeps = "soft"
    table.read(day(1), row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d"))
    table.read(day(2), gone={"1": day(2)})
    table.read(day(5), row(2, "B"), whole=True, gone={"3": day(4)})
    assert table.rows("id, name, deleted_at") == [
        ("1", "a", day(2)),
        ("2", "B", None),
        ("3", "c", day(4)),
        ("4", "d", day(5)),
    ]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.cases(1)
def test_a_restored_record_is_one_live_row(table, whole):
    table.keeps = "soft"
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.read(day(2), gone={"1": day(2)})
    table.read(day(3), row(1, "a"), row(2, "b"), whole=whole)
    assert table.rows("id, name, deleted_at") == [("1", "a", None), ("2", "b", None)]


@pytest.mark.cases(1)
def test_a_window_after_a_whole_reading_leaves_the_other_rows(table):
    table.keeps = "soft"
    table.read(day(1), row(1, "a"), row(2, "b"))
    table.read(day(2), row(1, "a"), row(2, "b"), whole=True)
    for keeps in ("soft", "hard"):
        table.keeps = table.kept = keeps
        table.read(day(3), row(1, "A"))
        assert table.rows("id, name") == [("1", "A"), ("2", "b")]


# ---- the version of a row


def version_of(folder: Path, values: Row, columns: tuple[Column, ...] = COLUMNS) -> tuple[str, str]:
    """Of what somebody set, and of what Zoho computed."""
    read = write_parquet([records_table([values], columns)], folder / "a.parquet")
    rows = with_versions(read, columns, day(1), folder / "b.parquet")
    own, computed = pq.read_table(rows.path)[ROW_VERSION][0].as_py().split(".")
    return own, computed


def test_a_version_is_the_same_on_every_machine_and_in_every_order_of_columns(tmp_path):
    columns = (
        *COLUMNS,
        Column("big", Field("big", "bigint"), ColumnType.BIGINT),
        Column("money", Field("money", "currency"), ColumnType.DECIMAL),
        Column("share", Field("share", "percent"), ColumnType.DOUBLE),
        Column("flag", Field("flag", "boolean"), ColumnType.BOOL),
        Column("day", Field("day", "date"), ColumnType.DATE),
        Column("moment", Field("moment", "datetime"), ColumnType.TIMESTAMP),
    )
    values = row(
        4876876000000333001, "é, \n'x'", tags=[{"b": 1.5, "a": None}], score=0.1, big=7, money="1.50",
        share=-0.0, flag=True, day="2026-03-01", moment="2026-03-01T05:30:00+05:30",
    )  # fmt: skip
    made = version_of(tmp_path, values, columns)
    assert made == version_of(tmp_path, {**values, "share": 0.0}, columns[:1] + columns[:0:-1])
    assert made == ("418001c8b4c1d075", "2204ed9e7aea16c9")


@pytest.mark.parametrize(
    "change",
    [{"name": None}, {"name": ""}, {"name": "b"}, {"tags": [1]}, {"id": "2"}, {"name": None, "tags": "a"}],
    ids=str,
)
def test_every_value_that_somebody_sets_is_part_of_the_version(tmp_path, change):
    before = row(1, "a", tags=[2], score=1.0)
    own, computed = version_of(tmp_path, before)
    changed, same = version_of(tmp_path, {**before, **change})
    assert (own != changed, computed == same) == (True, True)


def test_a_computed_value_is_a_part_of_its_own(tmp_path):
    own, computed = version_of(tmp_path, row(1, "a", score=1.0))
    same, changed = version_of(tmp_path, row(1, "a", score=None))
    assert (own == same, computed != changed) == (True, True)


def test_a_computed_value_that_does_not_fit_its_type_is_no_edit(tmp_path):
    own, computed = version_of(tmp_path, row(1, "a", score=1.0))
    same, changed = version_of(tmp_path, row(1, "a", score="#ERROR"))
    assert (own == same, computed != changed) == (True, True)


# ---- any sequence of runs


class Memory:
    """A destination in memory, which lands files as the merge does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []

    def tables(self) -> dict[str, frozenset[str]]:
        return {"leads": frozenset(["id", "name", "tags", "score", ROW_VERSION, VALID_FROM, VALID_TO])}

    def read(self, table: str, columns: Any, ids: Any = None, by: str = "id") -> Path:
        live = [r for r in self.rows if r[VALID_TO] is None and (ids is None or r[by] in ids)]
        path = self.folder / f"held-{next(NUMBERS)}.parquet"
        times = [pa.field(n, pa.timestamp("us", "UTC")) for n in (VALID_FROM, VALID_TO)]
        schema = pa.schema([*arrow_schema(COLUMNS), pa.field(ROW_VERSION, pa.string()), *times])
        pq.write_table(pa.Table.from_pylist(live, schema=schema).select(list(columns)), path)
        return path

    def land(self, parquet_file: ParquetFile) -> None:
        rows = {(r["id"], r[VALID_FROM]): r for r in pq.read_table(parquet_file.path).to_pylist()}
        self.rows = [r for r in self.rows if (r["id"], r[VALID_FROM]) not in rows] + [*rows.values()]

    def at(self, moment: datetime) -> dict[str, str | None]:
        there = [r for r in self.rows if r[VALID_FROM] <= moment < (r[VALID_TO] or day(31))]
        assert len({r["id"] for r in there}) == len(there)
        return {r["id"]: r["name"] for r in there}


NAMES = st.sampled_from(["a", "b", None])
CRM = st.dictionaries(st.sampled_from("123"), st.tuples(NAMES, st.sampled_from([1.0, 2.0])))


@settings(max_examples=15)
@given(st.lists(st.tuples(CRM, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_after_any_runs_each_moment_shows_what_the_crm_had(tmp_path_factory, runs):
    memory = Memory(tmp_path_factory.mktemp("memory"))
    shown: dict[datetime, dict[str, str | None]] = {}
    before: dict[str, Any] = {}
    for number, (crm, whole, again) in enumerate(runs):
        moment = day(number + 2)
        whole = whole or number == 0
        for _ in range(2 if again else 1):  # a run whose end nobody noticed
            changed = {id: values for id, values in crm.items() if whole or before.get(id) != values}
            rows = [row(int(id), name, score=score) for id, (name, score) in changed.items()]
            parquet_file = write_parquet([records_table(rows, COLUMNS)], memory.folder / "leads.parquet")
            kept = RetentionWriter("leads", "history", whole, number > 0 or bool(memory.rows), moment)
            memory.land(kept.prepare(memory, parquet_file, COLUMNS, {}))
            for held in memory.rows:
                if held["id"] not in crm and held[VALID_TO] is None:
                    held[VALID_TO] = moment - timedelta(hours=1)
        before, shown[moment] = crm, {id: name for id, (name, _) in crm.items()}
        assert {moment: memory.at(moment) for moment in shown} == shown
        opened = {r["id"]: (r["name"], r["score"]) for r in memory.rows if r[VALID_TO] is None}
        assert opened == crm

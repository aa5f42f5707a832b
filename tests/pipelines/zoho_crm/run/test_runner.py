"""A run as a whole: what fails stays alone, tables stay whole, and the next run makes it good."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import dlt
import duckdb
import pytest
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.impl.filesystem.filesystem import FilesystemLoadJob

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.sync.warehouse import Warehouse

pytestmark = pytest.mark.whole_account

NAMES = ("Apples", "Pears", "Plums")


@pytest.fixture
def org() -> Org:
    org = Org()
    for name in NAMES:
        org.add_module(Module(name, generated_type="custom", fields=[Field("Title", "text")]))
        for number in range(3):
            org.insert(name, {"Title": f"{name} {number}"})
    return org


def titles(load, table):
    return sorted(row[0] for row in load.rows(f"select title from zoho.{table}"))


@pytest.mark.long
def test_a_module_that_fails_keeps_its_old_rows_and_hides_no_other(load, org):
    load()
    for name in NAMES:
        org.insert(name, {"Title": "new"})
    org.faults.add("GET /crm/v8/{module}", module="Pears", status=500, times=99)
    run = load()
    assert run.exit_code == 1
    assert [failure.module.api_name for failure in run.failures] == ["Pears"]
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2"]
    assert "new" in titles(load, "apples")
    assert "new" in titles(load, "plums")
    query = f"select status, count(*) from zoho.sync_runs where run_id = '{run.run_id}' group by 1"
    assert dict(load.rows(query))["failed"] == 1


def test_a_table_that_the_destination_refuses_hides_no_other(load, org, tmp_path):
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as database:
        database.execute("create schema zoho; create view zoho.pears as select 1 as one")
    run = load()
    assert run.exit_code == 1
    assert load.reading("Pears").status == "failed"
    assert load.reading("Pears").error.startswith("the destination refused it: ")
    assert titles(load, "apples") == ["Apples 0", "Apples 1", "Apples 2"]
    assert titles(load, "plums") == ["Plums 0", "Plums 1", "Plums 2"]
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as database:
        database.execute("drop view zoho.pears")
    assert load().exit_code == 0
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2"]


@pytest.mark.long
def test_files_stay_when_their_replacement_cannot_be_written(load, org, tmp_path, monkeypatch):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    load()
    org.insert("Pears", {"Title": "new"})

    whole = FilesystemLoadJob.run

    def half(self):
        if "pears" not in self.file_name():
            return whole(self)
        Path(self.make_remote_path()).write_bytes(b"PAR1 half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr(FilesystemLoadJob, "run", half)
        run = load(only=["Pears"])
    assert run.exit_code == 1
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2"]
    assert load().exit_code == 0
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2", "new"]


@pytest.mark.long
def test_a_table_that_another_pipeline_made_is_not_emptied_first(load, org, tmp_path, monkeypatch):
    load()

    def refuse(self):
        raise duckdb.IOException("No space left on device")

    shutil.rmtree(load.folder / "p")
    monkeypatch.setattr(DuckDbCopyJob, "run", refuse)
    org.insert("Pears", {"Title": "new"})
    load.name = "another"
    assert load(only=["Pears"], never=["modules", "fields"]).exit_code == 1
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2"]


@pytest.mark.long
def test_a_module_that_lost_its_scope_is_3(load, org):
    load()
    org.modules["Pears"].scope_mismatch = True
    assert load().exit_code == 3


@pytest.mark.long
def test_a_table_of_ours_that_was_asked_for_without_its_scope_is_3(load, org):
    org.scopes = {scope for scope in org.scopes if "users" not in scope}
    assert load().exit_code == 0
    assert load(only=["users"]).exit_code == 3


@pytest.mark.long
def test_a_package_that_a_killed_run_left_behind_does_no_harm(load, org):
    load()
    reading = load.reading("Apples")
    assert reading.parquet_file is not None
    org.insert("Apples", {"Title": "new"})
    # What a run leaves that is killed between extract and load.
    load.pipeline.extract([{"id": "1", "title": "half"}], table_name="apples", write_disposition="append")
    assert load.pipeline.has_pending_data
    assert load().exit_code == 0
    assert titles(load, "apples") == ["Apples 0", "Apples 1", "Apples 2", "new"]


def test_rows_lost_on_the_way_fail_their_table(load, org, monkeypatch):
    counted = Warehouse.count
    monkeypatch.setattr(Warehouse, "count", lambda held, tables: {**counted(held, tables), "pears": 2})
    run = load()
    assert run.exit_code == 1
    assert load.reading("Pears").error == "2 rows are in the destination, 3 were read"


@pytest.mark.long
def test_tables_that_cannot_be_counted_are_a_failure(load, org, monkeypatch):
    def refuse(held, tables):
        raise duckdb.Error("no such thing")

    monkeypatch.setattr(Warehouse, "count", refuse)
    run = load()
    assert run.exit_code == 1
    assert run.troubles == [("the destination", "its tables could not be counted: no such thing")]
    assert titles(load, "pears") == ["Pears 0", "Pears 1", "Pears 2"]


def test_only_chosen_tables_are_touched(load, org):
    load(only=["Apples", "users"])
    tables = {row[0] for row in load.rows("select table_name from information_schema.tables")}
    ours = {name for name in tables if not name.startswith("_dlt")}
    assert ours == {
        "apples",
        "users",
        "modules",
        "fields",
        "deleted_records",
        "rejected_values",
        "sync_runs",
        "seat_counts",
    }

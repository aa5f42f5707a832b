"""Two machines that run into one dataset of a server: one of them does it, the other says who."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

from pipelines.zoho_crm.errors import PipelineBusy
from pipelines.zoho_crm.run import server_lock as locks
from simulators.zoho_crm import Field, Module, Org, serve
from sources.zoho_crm.exceptions import SettingsError
from tests.conftest import LONG
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.reading import things
from tests.support.truth import truth

__all__ = ["postgres"]  # a fixture

ROOT = Path(__file__).parents[3]
PAIRS = 20 if LONG else 2


def machine(
    folder: Path, connection: str, postgres: dict[str, Any], dataset: str, modules: str = "Things"
) -> subprocess.Popen[str]:
    """A run in a folder and a home of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__ZOHO_CRM__CREDENTIALS": connection,
        **{f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}": str(v) for name, v in postgres.items()},
    }
    command = [sys.executable, "-m", "pipelines.zoho_crm", "--destination", "postgres", "--dataset", dataset]
    return subprocess.Popen(
        [*command, "--modules", modules, "--progress", "off"],
        cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def rows_in(postgres: dict[str, Any], dataset: str, folder: Path) -> list[tuple[Any, ...]]:
    destination = dlt.destinations.postgres(postgres)
    pipeline = dlt.pipeline("look", destination=destination, dataset_name=dataset, pipelines_dir=str(folder))
    with pipeline.sql_client() as sql:
        return [tuple(row) for row in sql.execute_sql("select id, f0 from things order by id") or []]


def test_of_two_runs_at_once_into_postgres_one_does_it_and_the_rows_are_there_once(postgres, tmp_path):
    """After each pair the rows are right, once what was refused is run again."""
    org = Org()
    ids = things(org, 300)
    refused = 0
    with serve(org) as zoho:
        for pair in range(PAIRS):
            for number, id in enumerate(ids[:50]):
                org.edit("Things", id, F0=f"pair {pair}, {number}")
            org.insert("Things", {"F0": f"of pair {pair}"})
            org.clock.advance(hours=1)
            runs = [
                machine(tmp_path / name, zoho.connection_string, postgres, "both") for name in ("one", "two")
            ]
            ends = [(run.communicate()[1], run.returncode) for run in runs]
            assert {code for _, code in ends} <= {0, 5}, ends
            assert 0 in {code for _, code in ends}, ends
            for told, code in ends:
                if code == 5:
                    refused += 1
                    assert "Another run into the dataset both is in progress (run of process" in told
            expected = sorted((id, row["f0"]) for id, row in truth(org, "Things").items())
            assert rows_in(postgres, "both", tmp_path / "look") == expected
    print(f"{refused} of {PAIRS} pairs met")  # noqa: T201 - shown with -s


def wait_until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 600
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_runs_of_other_modules_go_on_side_by_side_and_keep_each_others_state(postgres, tmp_path):
    """The first one is held in its load; meanwhile the second one reads, and a third of the first's module is refused."""
    org = Org()
    things(org, 5)
    org.add_module(Module("Others", [Field("Name", "text")], generated_type="custom"))
    server = dlt.destinations.postgres(postgres)
    look = dlt.pipeline(
        "zoho_crm", destination=server, dataset_name="side", pipelines_dir=str(tmp_path / "look")
    )

    def end(run: subprocess.Popen[str]) -> tuple[int, str]:
        told = run.communicate()[1]
        return run.returncode, told

    with serve(org) as zoho:

        def start(name: str, modules: str) -> subprocess.Popen[str]:
            return machine(tmp_path / name, zoho.connection_string, postgres, "side", modules)

        assert end(start("one", "Things,Others")) == (0, "")
        org.clock.advance(hours=1)
        org.edit("Things", org.records("Things")[0].id, F0="edited")
        org.insert("Others", {"Name": "new"})
        org.clock.advance(hours=1)
        org.ledger.clear()
        with look.sql_client() as sql, look.sql_client() as watch:
            with sql.begin_transaction():
                sql.execute_sql("lock table things in share mode")
                one = start("one", "Things")
                blocked = "select 1 from pg_locks where not granted and relation = 'side.things'::regclass"
                wait_until(lambda: watch.execute_sql(blocked))
                two = start("two", "Others")
                wait_until(lambda: org.ledger.calls(module="Others"))
                code, told = end(start("three", "Things"))
                assert code == 5
                assert "Another run into the dataset side is in progress (run of process" in told
            assert end(one) == (0, "")
            assert end(two) == (0, "")
    look.sync_destination()
    resources = look.state["sources"]["zoho_crm"]["resources"]
    until = {name: resources[name]["module_state"]["until"] for name in ("things", "others")}
    assert until == dict.fromkeys(until, org.now().isoformat())
    expected = sorted((id, row["f0"]) for id, row in truth(org, "Things").items())
    assert rows_in(postgres, "side", tmp_path / "look") == expected


def test_the_holder_is_named_and_the_lock_ends_with_the_run(postgres, tmp_path):
    def pipeline(name: str) -> dlt.Pipeline:
        destination = dlt.destinations.postgres(postgres)
        return dlt.pipeline(
            "crm", destination=destination, dataset_name="held", pipelines_dir=str(tmp_path / name)
        )

    by = rf"run of process {os.getpid()} on .*, since \d{{4}}"
    first = locks.server_lock(pipeline("one"), "run")
    second = locks.server_lock(pipeline("two"), "run")
    with first, pytest.raises(PipelineBusy, match=by), second:
        raise AssertionError("both have it")
    with locks.server_lock(pipeline("two"), "run"):
        pass


def test_a_row_with_a_lease_is_held_by_the_first_and_runs_out(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "SETTLES", 0)

    def pipeline(name: str) -> dlt.Pipeline:
        destination = dlt.destinations.duckdb(str(tmp_path / "crm.duckdb"))
        return dlt.pipeline(
            "crm", destination=destination, dataset_name="zoho", pipelines_dir=str(tmp_path / name)
        )

    first, second = (
        locks.lease_row(pipeline("one"), "run"),
        locks.lease_row(pipeline("two"), "run"),
    )
    with first, pytest.raises(PipelineBusy, match="into the dataset zoho is in progress"), second:
        raise AssertionError("both have it")
    with locks.lease_row(pipeline("two"), "run"):
        pass
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(locks, "LEASE", timedelta(0))
        patch.setattr(locks, "_renewed", _killed)
        with locks.lease_row(pipeline("one"), "run"):
            pass
    with locks.lease_row(pipeline("two"), "run"):
        pass


def test_a_server_that_refuses_the_lock_is_one_sentence(tmp_path, monkeypatch):
    file = tmp_path / "crm.duckdb"
    duckdb.connect(str(file)).close()
    monkeypatch.setattr(locks, "is_duckdb", lambda pipeline: False)  # as if it were a server
    destination = dlt.destinations.duckdb(DuckDbCredentials(str(file), read_only=True))
    pipeline = dlt.pipeline(
        "crm", destination=destination, dataset_name="zoho", pipelines_dir=str(tmp_path / "p")
    )
    refused = locks.server_lock(pipeline, "run")
    with pytest.raises(SettingsError, match="refuses the lock of the dataset zoho: .*read-only"), refused:
        raise AssertionError("it has none")


@pytest.mark.parametrize("minutes", [-12, 12])
def test_a_lease_holds_on_machines_whose_clocks_are_minutes_apart(tmp_path, monkeypatch, minutes):
    monkeypatch.setattr(locks, "SETTLES", 0)

    class Apart(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=minutes)

    destination = dlt.destinations.duckdb(str(tmp_path / "crm.duckdb"))
    one, two = (
        dlt.pipeline("crm", destination=destination, dataset_name="zoho", pipelines_dir=str(tmp_path / name))
        for name in ("one", "two")
    )
    with locks.lease_row(one, "run"):
        monkeypatch.setattr(locks, "datetime", Apart)
        with pytest.raises(PipelineBusy, match="is in progress"), locks.lease_row(two, "run"):
            raise AssertionError("both have it")
    with locks.lease_row(two, "run"):
        pass


def _killed(*_: Any) -> Any:
    """As if the process died before it could give the row back."""
    raise KeyboardInterrupt

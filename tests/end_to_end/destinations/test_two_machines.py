"""Two machines that run into one dataset of a server: one of them does it, the other says who."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from pipelines.zoho_crm.errors import PipelineBusy
from pipelines.zoho_crm.run import server_lock as locks
from simulators.zoho_crm import Org, serve
from tests.conftest import LONG
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.reading import things
from tests.support.truth import truth

__all__ = ["postgres"]  # a fixture

ROOT = Path(__file__).parents[3]
PAIRS = 20 if LONG else 2


def machine(folder: Path, connection: str, postgres: dict[str, Any], dataset: str) -> subprocess.Popen[str]:
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
        [*command, "--modules", "Things", "--progress", "off"],
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


def _killed(*_: Any) -> Any:
    """As if the process died before it could give the row back."""
    raise KeyboardInterrupt

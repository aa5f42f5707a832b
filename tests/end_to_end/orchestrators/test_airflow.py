"""Airflow runs the example of docs/orchestrators.md, in each decomposition; tables equal the CRM's after each run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from simulators.zoho_crm import serve
from tests.end_to_end.orchestrators.company import (
    ROOT,
    Company,
    check,
    deleted,
    environment,
    example,
    install_source,
)

pytestmark = pytest.mark.long

BIN = ROOT / ".venv-airflow" / "bin"
DAG = "zoho_crm_dag"


class Airflow:
    """Airflow with a home of its own; every command is a process of its own, as on a worker."""

    def __init__(self, home: Path, connection: str) -> None:
        self.home, self.dags = home, home / "dags"
        self.dags.mkdir()
        self.env = environment(
            home,
            connection,
            AIRFLOW_HOME=str(home),
            AIRFLOW__CORE__DAGS_FOLDER=str(self.dags),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
            PYTHONPATH=str(self.dags),
        )
        install_source(self.dags)

    def run(self, *words: str, program: str = "airflow") -> str:
        done = subprocess.run(
            [str(BIN / program), *words],
            cwd=self.home,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def airflow(org, tmp_path):
    with serve(org) as zoho:
        yield Airflow(tmp_path, zoho.connection_string)


@pytest.mark.parametrize("decompose", ["none", "serialize", "parallel", "parallel-isolated"])
def test_tables_hold_what_the_crm_has_run_after_run(org, airflow, decompose):
    company = Company(org)
    database = airflow.home / "crm.duckdb"
    code = example("Airflow").replace("/data/crm.duckdb", str(database))
    assert 'decompose="none"' in code
    file = airflow.dags / f"{DAG}.py"
    file.write_text(code.replace('decompose="none"', f'decompose="{decompose}"'))
    airflow.run(str(file), program="python")
    assert org.ledger.calls() == []  # parsing the DAG asks nothing of Zoho
    airflow.run("db", "migrate")

    def run() -> None:
        said = airflow.run("dags", "test", DAG)
        assert "state=success" in said, said
        check(org, database)

    run()
    company.work()
    run()
    assert {("Deals", company.deals[1]), ("Quotes", company.quotes[1])} <= deleted(database)
    company.restore()
    run()

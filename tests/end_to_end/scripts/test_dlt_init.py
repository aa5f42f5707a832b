"""`dlt init zoho_crm duckdb --location <this repository>` gives a folder that runs by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from simulators.zoho_crm import serve
from tests.support.reading import things
from tests.support.truth import truth

AUTHOR = ["-c", "user.name=a test", "-c", "user.email=test@example.com"]
ROOT = Path(__file__).parents[3]


def test_the_folder_that_dlt_init_makes_loads_and_goes_on(org, tmp_path):
    ids = things(org, 20)
    repository, project = tmp_path / "repository", tmp_path / "project"
    shutil.copytree(ROOT / "sources", repository / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    project.mkdir()
    for command in (["init", "-q"], ["add", "-A"], [*AUTHOR, "commit", "-qm", "a copy"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    with serve(org) as zoho:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "SOURCES__ZOHO_CRM__CREDENTIALS": zoho.connection_string,
        }

        def run(*command: str) -> str:
            done = subprocess.run(
                [sys.executable, *command], cwd=project, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        run("-m", "dlt", "--non-interactive", "init", "zoho_crm", "duckdb", "--location", str(repository))
        assert "dlt[duckdb,parquet]" in (project / "requirements.txt").read_text()
        run("zoho_crm_pipeline.py")
        org.edit("Things", ids[0], F0="edited")
        org.clock.advance(hours=1)
        run("zoho_crm_pipeline.py")
    with duckdb.connect(str(project / "zoho_crm.duckdb"), read_only=True) as database:
        rows = database.execute("select id, f0 from zoho_crm_data.things").fetchall()
    assert dict(rows) == {id: row["f0"] for id, row in truth(org, "Things").items()}

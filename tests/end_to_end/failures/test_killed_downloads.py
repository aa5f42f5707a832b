"""A process that is killed while it reads an archive: the next run downloads the results of the same jobs again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.zoho_crm import Field, Module, Org, Rules, serve
from tests.sources.zoho_crm.extract.bulk_read.test_job_queue import CREATE, DOWNLOAD, POLL
from tests.support.commanding import landed
from tests.support.private import MARKER, found_in

ROOT = Path(__file__).parents[3]

KILLED = """
import os, signal
from sources.zoho_crm.extract.bulk_read import reader

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

reader.read_archive = killed
"""
COMMAND = """
import sys
from pipelines.zoho_crm.cli import cli
cli.main(["run", "--connection", sys.argv[1], "--modules", "Things", "--exclude", "modules,fields",
          "--progress", "off", "--pipelines-dir", "p"])
"""
SCRIPT = """
import dlt, sys
from sources.zoho_crm import zoho_crm
pipeline = dlt.pipeline("zoho_crm", destination=dlt.destinations.duckdb("zoho.duckdb"),
                        dataset_name="zoho_crm", pipelines_dir="p")
pipeline.run(zoho_crm(sys.argv[1], modules=["Things"]))
"""


@pytest.fixture
def org() -> Org:
    org = Org(rules=Rules(bulk_page_size=4))
    org.bulk_states = ["COMPLETED"]
    org.add_module(Module("Things", [Field("Name", "text")], generated_type="custom"))
    for number in range(6):
        org.insert("Things", {"Name": f"{MARKER} {number}"})
    org.clock.advance(hours=2)
    return org


def asked(org: Org, route: str) -> list[str]:
    return [call.path for call in org.ledger.calls(route) if call.status < 300]


@pytest.mark.parametrize("program", [COMMAND, SCRIPT], ids=["command", "script"])
@pytest.mark.cases(1)
def test_the_next_run_makes_no_job_and_no_archive_stays(org, tmp_path, program):
    def run(code: str) -> int:
        given = f"{zoho.connection_string}OAuthSettingsLocation=memory://;ReadAPI=Bulk;"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        return subprocess.run(
            [sys.executable, "-c", code, given], cwd=tmp_path, env=environment, check=False
        ).returncode

    place, database = tmp_path / "p", tmp_path / "zoho.duckdb"
    with serve(org) as zoho:
        assert run(KILLED + program) == -signal.SIGKILL
        journal = place / "zoho_crm.jobs"
        assert [Path(name).suffix for name in found_in(place)] == [".zip"]  # that was being read
        assert [path.name for path in journal.iterdir()] == ["jobs.jsonl"]
        jobs = set(asked(org, POLL))
        assert len(asked(org, CREATE)) == 2
        org.clock.advance(minutes=30)
        org.ledger.clear()
        assert run(program) == 0
    assert asked(org, CREATE) == []
    assert jobs <= set(asked(org, POLL))
    assert len(asked(org, DOWNLOAD)) == 2
    true = {(record.id, record.values["Name"]) for record in org.records("Things")}
    assert set(landed(database, "select id, name from zoho_crm.things")) == true
    assert [*place.rglob("*.zip"), *place.rglob("*.part")] == []
    assert found_in(journal) == []
    if program == COMMAND:  # dlt keeps the files of a script's rows, unless it is told not to
        assert found_in(place) == []

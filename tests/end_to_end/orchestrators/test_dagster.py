"""Dagster runs the example of docs/orchestrators.md; tables equal the CRM's after each run."""

from __future__ import annotations

import re
import shlex
import subprocess
import threading
from pathlib import Path

import pytest

from simulators.zoho_crm import serve
from tests.end_to_end.orchestrators.company import (
    MODULES,
    PAGE,
    ROOT,
    Company,
    check,
    deleted,
    environment,
    example,
    install_source,
)

pytestmark = pytest.mark.long

BIN = ROOT / ".venv-dagster" / "bin"
ASSETS = sorted(f"dlt_zoho_crm_{name.lower()}" for name in (*MODULES, "users", "deleted_records"))


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "definitions.py").write_text(example("Dagster"))
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    install_source(folder)
    return folder


class Process:
    """Dagster in a process that stays, so that one set of definitions is materialized again and again."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.said: list[str] = []
        command = [str(BIN / "python"), str(Path(__file__).with_name("materialize.py"))]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**env, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.watchdog = threading.Timer(300, self.process.kill)
        self.watchdog.start()

    def answer(self) -> list[str]:
        """The words of the next line that is an answer."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("@ "):
                return line.split()[1:]
        raise AssertionError("".join(self.said))

    def materialize(self, *assets: str) -> list[str]:
        assert self.process.stdin
        self.process.stdin.write(" ".join(assets) + "\n")
        self.process.stdin.flush()
        done, *names = self.answer()
        assert done == "done", "".join(self.said)
        return names

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.watchdog.cancel()


def test_assets_hold_what_the_crm_has_run_after_run(org, project, tmp_path):
    company = Company(org)
    with serve(org) as zoho:
        process = Process(project, environment(tmp_path, zoho.connection_string, DAGSTER_HOME=str(project)))
        try:
            assert process.answer() == ["loaded"]
            assert org.ledger.calls() == []  # defining the assets asks nothing of Zoho
            database = project / "zoho_crm.duckdb"
            assert process.materialize() == ASSETS
            check(org, database)
            company.work()
            assert process.materialize() == ASSETS
            check(org, database)
            assert {("Deals", company.deals[1]), ("Quotes", company.quotes[1])} <= deleted(database)
            company.restore()
            assert process.materialize() == ASSETS
            check(org, database)
            org.edit("Deals", company.deals[0], Title="edited again")
            assert process.materialize("dlt_zoho_crm_deals") == ["dlt_zoho_crm_deals"]
            check(org, database)
            org.clock.advance(hours=1)
            assert process.materialize() == ASSETS  # nothing has changed
            check(org, database)
        finally:
            process.end()


@pytest.mark.parametrize("clone", [", dlt_source=source.clone()", ""])
def test_the_commands_of_the_page_load_all_assets_and_one(org, project, tmp_path, clone):
    file = project / "definitions.py"
    file.write_text(file.read_text().replace(", dlt_source=source.clone()", clone))
    company = Company(org)
    commands = re.findall(r"^dagster .*$", PAGE, re.MULTILINE)
    with serve(org) as zoho:
        env = environment(tmp_path, zoho.connection_string, DAGSTER_HOME=str(project))
        database = project / "zoho_crm.duckdb"
        for command in commands:
            engine, *words = shlex.split(command)
            done = subprocess.run(
                [str(BIN / engine), *words],
                cwd=project,
                env=env,
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            check(org, database)
            org.edit("Deals", company.deals[0], Title="edited")
            org.clock.advance(hours=1)
    assert len(commands) == 2

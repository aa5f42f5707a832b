"""docs/running.md is true: every event and metric is in it and the other way round, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.zoho_crm.monitoring.metrics import OF_A_MODULE, OF_THE_RUN
from pipelines.zoho_crm.output.live_progress import STATES
from tests.pipelines.zoho_crm.test_process import environment

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "running.md").read_text()


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", DOCS, re.DOTALL)


def section(title):
    return DOCS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_event_is_documented_and_the_other_way_round():
    code = "".join(path.read_text() for path in (ROOT / "pipelines").rglob("*.py"))
    said = set(re.findall(r"\.event\(\s*\"(\w+)\"", code))
    said |= set(re.findall(r"tell\([^()]*(?:\([^()]*\)[^()]*)*?\"(\w+)\",\s*(?:facts|dict|\{)", code))
    listed = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section("Without a terminal"), re.MULTILINE)
    documented = {name for row in listed for name in re.findall(r"`(\w+)`", row)} - {"event"}
    assert {"start", "phase", "read", "consent", "self_client"} <= said
    assert said == documented


def test_every_metric_is_documented_and_the_other_way_round():
    assert set(re.findall(r"`(zoho_crm_\w+)`", section("Metrics"))) == {*OF_THE_RUN, *OF_A_MODULE}


def test_every_state_of_a_job_is_documented():
    assert [state for state in STATES.values() if f"`Zoho: {state}`" not in DOCS] == []


@pytest.mark.long
def test_the_line_for_cron_runs_as_cron_would_run_it(tmp_path):
    line = blocks("cron")[0].splitlines()[-1]
    assert line.startswith("7 * * * * ")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@" --demo --modules Vendors\n')
    python.chmod(0o755)
    shell = line.removeprefix("7 * * * * ").replace("/opt/zoho-crm", str(tmp_path))
    shell = shell.replace("/var/lib/node_exporter", str(tmp_path))
    given = {**environment(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", shell], env=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "zoho-crm.log").read_text().count("\n") == 1
    assert "zoho_crm_last_success_timestamp_seconds{" in (tmp_path / "zoho_crm.prom").read_text()

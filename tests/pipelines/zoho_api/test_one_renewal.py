"""All services of an account share one token cache and one renewal, in one process and in several at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from simulators.zoho_crm import Org
from simulators.zoho_suite import Suite, serve

ROOT = Path(__file__).parents[3]
TOKEN = "POST /oauth/v2/token"


def test_one_process(api, suite):
    assert api("run", "desk", "books", "recruit", "--modules", "agents,items,clients").code == 0
    assert len(suite.ledger.calls(TOKEN)) == 1


def test_three_processes_at_once(tmp_path):
    suite = Suite(Org())
    with serve(suite) as zoho:
        environment = {
            **os.environ,
            "SOURCES__ZOHO_CRM__CREDENTIALS": zoho.connection_string,
            "PYTHONPATH": str(ROOT),
        }
        running = [
            subprocess.Popen(
                [sys.executable, "-m", "pipelines.zoho_api", "check", name],
                cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for name in ("desk", "books", "recruit")
        ]  # fmt: skip
        said = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], said
    assert len(suite.ledger.calls(TOKEN)) == 1

"""A real account, read only: `check`, `plan`, one run of its smallest module into DuckDB, and `verify`.

Deselected unless ZOHO_LIVE holds a connection string. It costs about two API credits for each module of the account
and some for the run; nothing is written to the CRM.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
CONNECTION = os.environ.get("ZOHO_LIVE", "")  # the fixtures of every test take it out of the environment

pytestmark = pytest.mark.live


class Account:
    """Runs commands in one folder, which keeps the database and the token between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {
            n: v for n, v in os.environ.items() if not n.startswith(("SOURCES__", "DESTINATION__", "ZOHO"))
        }
        self._environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "SOURCES__ZOHO_CRM__CREDENTIALS": CONNECTION,
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pipelines.zoho_crm", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def events(self, *words: str) -> list[dict]:
        done = self(*words, "--log-format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    return Account(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def readings(account):
    """What `plan` would read: one reading a table."""
    return [event for event in account.events("plan") if event["event"] == "plan"]


@pytest.fixture(scope="module")
def module(readings):
    """The smallest module that has a record, so that there is something to compare."""
    sizes = {
        r["module"]: r["rows"] for r in readings if r["api"] in ("records", "coql", "bulk") and r["rows"]
    }
    assert sizes, "no module of this account has a record that this user may see"
    return min(sizes, key=sizes.__getitem__)


def test_check_finds_nothing_that_would_make_a_run_fail(account):
    checks = [event for event in account.events("check") if event["event"] == "check"]
    assert {"token", "modules"} <= {check["name"] for check in checks}
    assert [check for check in checks if check["status"] == "failed"] == []


def test_plan_knows_a_price_for_each_table(readings):
    assert [reading for reading in readings if reading["calls"] is None or reading["credits"] is None] == []


def test_a_module_is_loaded_and_equals_the_crm(account, module):
    events = account.events("run", "--modules", module)
    loaded = next(e for e in events if e["event"] == "table" and e["module"] == module)
    assert (loaded["status"], loaded["error"]) == ("read", None)
    with duckdb.connect(str(account.folder / "zoho.duckdb"), read_only=True) as database:
        (rows,) = database.sql(f'select count(*) from zoho_crm."{loaded["table"]}"').fetchone()
    assert rows == loaded["rows_in_destination"] > 0
    verified = account("verify", "--modules", module)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_no_secret_of_the_connection_string_is_printed(account, module):
    from sources.zoho_crm.auth.credentials import resolve_credentials

    credentials = resolve_credentials(CONNECTION)
    secrets = {str(s) for s in (credentials.oauth_client_secret, credentials.oauth_refresh_token) if s}
    told = "".join(
        done.stdout + done.stderr
        for words in (["check"], ["status"])
        for done in [account(*words, "--verbose")]
    )
    assert sum(secret in told for secret in secrets) == 0  # a failure shows no secret either

"""One DAG for each account of accounts.toml: a task for all small tables, then one for each large table.

docs/orchestrators.md explains it. Parsing this file asks neither Zoho nor the destination.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, BaseOperator, Param, Variable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from pipelines.zoho_crm.accounts.accounts_file import Account, load_accounts

ACCOUNTS = Path(__file__).with_name("accounts.toml")
WORK = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "zoho_crm"  # may be lost at any time
SCHEDULE = "@hourly"
RETRY_DELAY = timedelta(minutes=5)
# By account: the modules that get a task of their own, by API name. The task `other_tables` reads all others.
LARGE = {"acme": ["Contacts", "Deals"]}
# Wrong settings, refused credentials, a difference, the credit limit: another try would end in the same way.
FINAL = (2, 3, 4, 6)


class KeptFiles:
    """Files of a run in an Airflow Variable, which Airflow encrypts, so that another worker goes on with them."""

    def __init__(self, variable: str, folder: Path, pattern: str) -> None:
        self.variable, self.folder, self.pattern = variable, folder, pattern
        self.kept: dict[str, str] = json.loads(Variable.get(variable, default=None) or "{}")
        for path in folder.glob(pattern):
            path.unlink()
        for name, text in self.kept.items():
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text)

    def save(self) -> None:
        found = {str(p.relative_to(self.folder)): p.read_text() for p in self.folder.glob(self.pattern)}
        if found != self.kept:
            Variable.set(self.variable, json.dumps(found))
            self.kept = found


class ZohoCrmRun(BaseOperator):
    """`zoho-crm run` of one account and some of its tables, in a process of its own."""

    def __init__(self, *, account: str, words: Collection[str], **options: Any) -> None:
        super().__init__(pool=f"zoho_crm_{account}", **options)
        self.account, self.words = account, [*words]

    def execute(self, context: Any) -> None:
        folder = WORK / f"{self.account}.{self.task_id}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = [
            *self.words,
            "--accounts",
            f"{ACCOUNTS}",
            "--only",
            self.account,
            "--pipelines-dir",
            f"{folder}",
        ]
        if self.task_id in context["params"]["full_refresh"]:
            words.append("--full-refresh")
        token = KeptFiles(f"zoho_crm_token_{self.account}", folder, "cache/*/token-*.json")
        jobs = KeptFiles(f"zoho_crm_jobs_{self.account}_{self.task_id}", folder, "*/*.jobs/jobs.jsonl")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.zoho_crm", "run", *words],
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        )
        while True:
            code = self.process.poll()
            token.save()
            jobs.save()
            if code is not None:
                break
            time.sleep(1)
        if code:
            error = AirflowFailException if code in FINAL else AirflowException
            raise error(f"zoho-crm run ended with exit code {code}: docs/reference.md#exit-codes")

    def on_kill(self) -> None:
        self.process.terminate()


def dag_of(account: Account) -> DAG:
    large = LARGE.get(account.name, [])
    left_out = ",".join(sorted({*account.settings.get("exclude", ()), *large}))
    with DAG(
        f"zoho_crm_{account.name}",
        schedule=SCHEDULE,
        start_date=pendulum.datetime(2025, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": 3, "retry_delay": RETRY_DELAY},
        # {"full_refresh": ["Deals"]}: in this DAG run the task Deals reads its module whole
        params={"full_refresh": Param([], type="array", items={"type": "string"})},
    ) as dag:
        others = ZohoCrmRun(
            task_id="other_tables",
            account=account.name,
            words=["--exclude", left_out] if left_out else [],
        )
        for module in large:
            one = ZohoCrmRun(
                task_id=module,
                account=account.name,
                words=["--modules", module],
                trigger_rule="all_done",  # a small table that fails does not hold up the large ones
            )
            others >> one
    return dag


for one_account in load_accounts(ACCOUNTS, {}):
    dag_of(one_account)

"""deploy/airflow on Airflow's own processes; workers are killed in mid-work, and others finish it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from types import SimpleNamespace

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org, Rules, serve
from tests.end_to_end.destinations.test_destinations import postgres
from tests.end_to_end.orchestrators.cluster import BIN, DAG, Cluster, connected, wait_for
from tests.end_to_end.orchestrators.company import MODULES, ROOT, Company
from tests.support.truth import landed, truth

__all__ = ["postgres"]  # a fixture

pytestmark = pytest.mark.long

POLL, RESULT = "GET /crm/bulk/v8/read/{job_id}", "GET /crm/bulk/v8/read/{job_id}/result"
TOKEN = "POST /oauth/v2/token"
LARGE = ("Contacts", "Deals")
ROWS = 12_000  # from so many on a job of Bulk Read is cheaper than pages
ACCOUNTS = '[accounts.acme]\nconnection_env = "ACME_ZOHO"\ndestination = "postgres"\n'


@pytest.fixture
def org():
    """The Standard edition's ten calls at once. Its clock runs, and a job takes its time."""
    org = Org(rules=Rules(concurrency=10))
    Company(org)
    org.add_module(Module("Contacts", [Field("Title", "text")], generated_type="default"))
    for module in LARGE:
        for number in range(ROWS):
            org.insert(module, {"Title": f"{module} {number}"})
    org.clock.run()
    org.quirks.bulk_seconds_per_job = 15.0
    return org


@pytest.fixture(params=["LocalExecutor", "CeleryExecutor"])
def cluster(request, org, postgres, tmp_path):
    if request.param == "CeleryExecutor" and shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with serve(org) as zoho:
        cluster = Cluster(tmp_path, request.param, postgres, zoho.connection_string)
        code = (ROOT / "deploy" / "airflow" / "zoho_crm_dags.py").read_text()
        for ours, here in (('"@hourly"', '"@daily"'), ("minutes=5", "seconds=1")):
            assert ours in code
            code = code.replace(ours, here)
        (cluster.dags / "zoho_crm_dags.py").write_text(code)
        (cluster.dags / "accounts.toml").write_text(ACCOUNTS)
        try:
            yield cluster
        finally:
            cluster.stop()


def test_a_retry_finishes_what_a_killed_worker_has_begun(org, cluster, postgres, tmp_path):
    def agrees(*modules: str) -> None:
        destination = dlt.destinations.postgres({**postgres, "database": "crm"})
        pipeline = dlt.pipeline(
            "acme", destination=destination, dataset_name="acme", pipelines_dir=str(tmp_path / "look")
        )
        pipeline.sync_destination()
        for module in modules or (*MODULES, "Contacts"):
            assert landed(SimpleNamespace(pipeline=pipeline), module.lower()) == truth(org, module)

    def change() -> None:
        org.edit("Deals", org.records("Deals")[0].id, Title="edited")
        org.delete("Deals", org.records("Deals")[1].id)
        org.insert("Contacts", {"Title": "new"})

    def jobs() -> Counter[str]:
        return Counter(job.query.module.api_name for job in org.jobs.values())

    def downloads() -> int:
        return sum(len(job.downloads) for job in org.jobs.values())

    def module_in(call) -> str:
        return next(job.query.module.api_name for job in org.jobs.values() if job.id in call.path.split("/"))

    def remembers(task: str) -> bool:
        return bool(
            cluster.query("airflow", f"select 1 from variable where key = 'zoho_crm_jobs_acme_{task}'")
        )

    # parsing asks nothing
    cluster.run("db", "migrate")
    parsed = subprocess.run(
        [str(BIN / "python"), str(cluster.dags / "zoho_crm_dags.py")],
        env=cluster.environment("commands"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert parsed.returncode == 0, parsed.stderr
    assert org.ledger.calls() == []

    # the first run: one worker dies while Zoho works on its job, one in the middle of a download
    slow = org.faults.add(RESULT, drip=0.1, drip_body=True)
    cluster.start(slots=2)
    first = wait_for(lambda: [*cluster.runs()], "no run was scheduled")[0]
    wait_for(
        lambda: remembers("Deals") and "Deals" in {module_in(call) for call in org.ledger.calls(POLL)},
        "Deals waits for no job",
    )
    killed = [("Deals", cluster.kill_worker_of("Deals"))]
    wait_for(lambda: slow.spent, "nothing is downloaded")
    loading = module_in(org.ledger.calls(RESULT)[0])
    killed += [(loading, cluster.kill_worker_of(loading))]
    tries = cluster.ended(first)
    assert {state for state, _ in tries.values()} == {"success"}
    assert sum(number for _, number in tries.values()) == 3 + len(killed)
    agrees()
    assert jobs() == {"Contacts": 1, "Deals": 1}  # none is paid twice
    assert downloads() == 3

    # one table is read whole, and its worker dies while it loads
    if cluster.executor == "CeleryExecutor":
        cluster.worker("worker-3")
    change()
    with connected(cluster.server, "crm") as blocker, blocker.cursor() as cursor:
        blocker.autocommit = False
        cursor.execute("lock table acme.deals in share mode")
        conf = json.dumps({"full_refresh": ["Deals"]})
        cluster.run("dags", "trigger", DAG, "--run-id", "whole", "--conf", conf)
        blocked = "select 1 from pg_locks where not granted and relation = 'acme.deals'::regclass"
        wait_for(lambda: cluster.query("crm", blocked), "nothing loads Deals")
        killed += [("Deals", cluster.kill_worker_of("Deals"))]
    assert cluster.ended("whole")["Deals"] == ("success", 2)
    agrees()
    assert jobs() == {"Contacts": 1, "Deals": 2}

    # two tables once more, by hand
    change()
    for module in LARGE:
        cluster.clear("whole", module)
        cluster.ended("whole")
    agrees(*LARGE)

    # a backfill
    change()
    day = "2026-01-01"
    cluster.run("backfill", "create", "--dag-id", DAG, "--from-date", day, "--to-date", day)
    cluster.ended(wait_for(lambda: [r for r in cluster.runs() if r.startswith("backfill")], "no backfill")[0])
    agrees()

    renewals = len(org.ledger.calls(TOKEN))
    assert renewals == 1
    assert [call for call in org.ledger.calls() if call.status == 429] == []
    stored = cluster.query("airflow", "select key, is_encrypted, val from variable order by key")
    assert [(key, encrypted) for key, encrypted, _ in stored] == [
        ("zoho_crm_jobs_acme_Contacts", True),
        ("zoho_crm_jobs_acme_Deals", True),
        ("zoho_crm_token_acme", True),
    ]
    assert not any("access_token" in value for _, _, value in stored)
    lines = [
        cluster.executor,
        *(f"  {task} lost its worker ({worker})" for task, worker in killed),
        *(f"  {line}" for line in cluster.summary()),
        f"  {renewals} access token; {len(org.ledger):,} calls, {org.ledger.credits:,} credits",
        f"  Bulk Read jobs: {dict(jobs())}; {downloads()} downloads",
    ]
    print("\n" + "\n".join(lines))  # noqa: T201 - docs/orchestrators.md shows it

"""`models --dbt`: the project that it writes, and `dbt build` of it in DuckDB and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from simulators.zoho_crm import Field, Module, Org
from simulators.zoho_crm.demo import demo_org
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.commanding import account, command
from tests.support.truth import truth

__all__ = ["account", "command", "postgres"]  # fixtures
ROOT = Path(__file__).parents[3]
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"
CHOICES = ["It's open", 'a "quoted" one', "Closed Won"]


def odd_module() -> Module:
    fields = [
        Field("Name", "text", label="{{ 1 / 0 }} {% endraw %}"),
        Field("Default", "text"),
        Field("Kind", "picklist", pick_list_values=CHOICES),
        Field("Jinja", "picklist", pick_list_values=["{{ x }}"]),
    ]
    return Module("Odd_Ones", fields, generated_type="custom")


@pytest.fixture
def org(request):
    org = demo_org() if request.node.get_closest_marker("long") else Org()
    org.add_module(odd_module())
    for choice in CHOICES:
        org.insert("Odd_Ones", {"Name": choice, "Kind": choice, "Jinja": "{{ x }}", "Default": "{# x #}"})
    return org


def files(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_project_is_written_and_run_again_keeps_what_is_not_ours(org, account, command, tmp_path):
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), Field("Stage", "picklist")]))
    assert command("run", "--progress", "off", "--quiet").code == 0
    calls, folder = len(org.ledger.calls()), tmp_path / "models"
    assert command("models", "--dbt", "models").code == 0
    assert len(org.ledger.calls()) == calls
    staging, marts = "models/zoho_crm/staging", "models/zoho_crm/marts"
    models = yaml.safe_load(files(folder)[f"{staging}/_zoho_crm__staging.yml"])["models"]
    (odd,) = [model for model in models if model["name"] == "stg_zoho_crm__odd_ones"]
    columns = {column["name"]: column for column in odd["columns"]}
    assert columns["id"]["data_tests"] == ["unique", "not_null"]
    (owner,) = columns["owner__id"]["data_tests"]
    assert owner["relationships"]["arguments"] == {"to": "ref('stg_zoho_crm__users')", "field": "id"}
    (kind,) = columns["kind"]["data_tests"]
    assert set(kind["accepted_values"]["arguments"]["values"]) >= {"It''s open", 'a "quoted" one'}
    assert "data_tests" not in columns["jinja"]
    assert "{{" not in columns["name"]["description"]

    changed, mine = f"{marts}/zoho_crm__seats.sql", "models/mine.sql"
    (folder / changed).write_text(files(folder)[changed] + "-- and more\n")
    (folder / mine).write_text("select 1 as x\n")
    (folder / f"{staging}/stg_zoho_crm__gone.sql").write_text(
        files(folder)[f"{staging}/stg_zoho_crm__users.sql"]
    )
    before = files(folder)
    org.add_field("Odd_Ones", Field("New", "text"))
    command("run", "--progress", "off", "--quiet")
    done = command("models", "--dbt", "models", "--format", "json")
    assert done.code == 0
    told = {event["file"]: event["status"] for event in done.events if event["event"] == "file"}
    assert {name for name, status in told.items() if status == "kept"} == {changed}
    after = files(folder)
    assert (after[changed], after[mine]) == (before[changed], before[mine])
    assert f"{staging}/stg_zoho_crm__gone.sql" not in after
    assert '"new"' in after[f"{staging}/stg_zoho_crm__odd_ones.sql"]


@pytest.mark.long
@pytest.mark.parametrize("destination", ["duckdb", "postgres"])
def test_dbt_builds_it_and_its_models_are_what_the_crm_has(
    org, account, command, postgres, monkeypatch, destination, tmp_path
):
    for key, value in postgres.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{key.upper()}", str(value))
    there = ("--destination", destination)
    assert command("run", "--progress", "off", "--quiet", *there).code == 0
    assert command("models", "--dbt", "models", *there).code == 0
    folder = tmp_path / "models"
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS__HOST", unquote(str(postgres["host"])))
    names = ("sales_pipeline", "deal_stage_history", "lead_conversion", "customer_360", "seats")
    rows = build(folder, *(f"zoho_crm__{name}" for name in names))
    assert {row["deal_id"] for row in rows["sales_pipeline"]} == truth(org, "Deals").keys()
    assert {row["move_id"] for row in rows["deal_stage_history"]} == truth(org, "DealHistory").keys()
    assert {row["account_id"] for row in rows["customer_360"]} == truth(org, "Accounts").keys()
    assert {row["user_id"] for row in rows["seats"]} == {user["id"] for user in org.account.users}
    leads = truth(org, "Leads")
    converted = {row["lead_id"] for row in rows["lead_conversion"] if row["is_converted"]}
    assert converted == {id for id, row in leads.items() if row["converted_s"]}
    contacts = truth(org, "Contacts").values()
    with_account = sum(row["account_name__id"] is not None for row in contacts)
    assert sum(row["contacts"] for row in rows["customer_360"]) == with_account


def build(folder: Path, *models: str) -> dict[str, list[dict]]:
    """`dbt build`, in which nothing may fail; gives the rows of the models."""
    dbt(folder, "build")
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    assert len(results) > 200
    assert {result["status"] for result in results} <= {"success", "pass", "warn"}
    rows = {}
    for model in models:
        said = dbt(
            folder, "show", "--select", model, "--limit", "-1", "--output", "json", "--log-format", "json"
        )
        shown = [json.loads(line) for line in said.splitlines() if '"ShowNode"' in line]
        rows[model.partition("__")[2]] = json.loads(shown[0]["data"]["preview"])
    return rows


def dbt(folder: Path, *words: str) -> str:
    settings = {name: value for name, value in os.environ.items() if name.startswith("DESTINATION__")}
    done = subprocess.run(
        [str(DBT), *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", **settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

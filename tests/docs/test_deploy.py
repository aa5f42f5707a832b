"""The files of deploy/ are true: the tool at hand takes them, and the program takes what they call it with."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from pipelines.zoho_crm.accounts.accounts_file import load_accounts
from pipelines.zoho_crm.cli import cli
from tests.pipelines.zoho_crm.test_process import environment

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CRON = (DEPLOY / "cron" / "zoho-crm.cron").read_text()
SERVICE = (DEPLOY / "systemd" / "zoho-crm.service").read_text()
WORKFLOW = yaml.safe_load((DEPLOY / "github-actions" / "zoho-crm.yml").read_text())
PROGRAM = "-m pipelines.zoho_crm "


def taken(words: list[str]) -> str:
    """The command that the words call; raises click.UsageError for an option that it does not have."""
    with click.Context(cli, info_name="zoho_crm") as parent:
        cli.commands[words[0]].make_context(words[0], words[1:], parent=parent)
    return words[0]


def test_docs_deploy_leads_to_every_file():
    page = (ROOT / "docs" / "deploy.md").read_text()
    files = {path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*") if path.is_file()}
    assert {name.removeprefix("../") for name in re.findall(r"\]\((\.\./deploy/[^)]+)\)", page)} == files


def test_the_lines_for_cron_run_as_cron_would_run_them(tmp_path):
    """With the accounts of the example file, whose connections are not set here: each is named, and nothing else fails."""
    lines = [line for line in CRON.splitlines() if line[:1].isdigit()]
    assert [taken(shlex.split(line.partition(PROGRAM)[2].partition(" >")[0])) for line in lines] == [
        "run",
        "status",
    ]
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    shutil.copy(DEPLOY / "accounts.toml", tmp_path)
    shell = lines[0].split(maxsplit=5)[5].replace("/opt/zoho-crm", str(tmp_path))
    shell = shell.replace("/var/lib/node_exporter", str(tmp_path))
    done = subprocess.run(
        ["/bin/sh", "-c", shell],
        env={**environment(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(" | ")[0].strip() for line in done.stderr.splitlines()[:2]] == ["acme", "acme_sandbox"]
    assert (tmp_path / "zoho-crm.log").read_text() == "2 accounts: 2 cannot run.\n"
    assert 'zoho_crm_run_exit_code{pipeline="acme"} 2.0' in (tmp_path / "zoho_crm.prom").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_takes_the_unit_and_the_timer(tmp_path):
    python = "/opt/zoho-crm/.venv/bin/python"
    assert f"ExecStart={python} {PROGRAM}" in SERVICE
    service = SERVICE.replace(python, sys.executable).replace("User=zoho\n", "")
    timer = (DEPLOY / "systemd" / "zoho-crm.timer").read_text()
    for name, text in (("zoho-crm.service", service), ("zoho-crm.timer", timer)):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in ("zoho-crm.service", "zoho-crm.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "zoho-crm" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_unit_starts_a_command_that_exists_and_leaves_the_signals_to_it():
    (started,) = re.findall(rf"^ExecStart=\S+ {PROGRAM}(.+)$", SERVICE, re.MULTILINE)
    assert taken(shlex.split(started)) == "run"
    assert "\nKillMode=mixed\n" in SERVICE


def test_kubernetes_starts_a_command_that_exists():
    job, claim = yaml.safe_load_all((DEPLOY / "kubernetes" / "cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert taken(container["args"]) == "run"
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["volumeMounts"][0]["mountPath"] in (ROOT / "Dockerfile").read_text()
    assert f"--uid {pod['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()


def test_compose_builds_the_dockerfile_and_starts_a_command_that_exists():
    file = DEPLOY / "docker" / "compose.yaml"
    (service,) = yaml.safe_load(file.read_text())["services"].values()
    assert (file.parent / service["build"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    assert taken(service["command"]) == "run"
    mounted = [volume.split(":") for volume in service["volumes"]]
    assert [(file.parent / one[0]).resolve() for one in mounted if one[0].startswith(".")] == [
        DEPLOY / "accounts.toml"
    ]


def test_the_workflow_calls_what_there_is():
    steps = WORKFLOW["jobs"]["sync"]["steps"]
    settings = {name for step in steps for name in step.get("env", {})}
    assert settings == {"SOURCES__ZOHO_CRM__CREDENTIALS", "DESTINATION__POSTGRES__CREDENTIALS"}
    called = [step["run"] for step in steps if "run" in step]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {line.removeprefix("make ") for line in called if line.startswith("make ")} <= targets
    ours = [line.partition(PROGRAM)[2] for line in called if PROGRAM in line]
    assert [taken(shlex.split(line)) for line in ours] == ["run", "report"]


def test_the_accounts_file_is_one():
    accounts = load_accounts(DEPLOY / "accounts.toml", {})
    assert [account.name for account in accounts] == ["acme", "acme_sandbox"]
    page = (ROOT / "docs" / "accounts.md").read_text()
    assert re.findall(r"^\[accounts\.(\w+)\]", page, re.MULTILINE) == ["acme", "acme_sandbox", "beta"]


def test_the_file_on_the_page_about_accounts_is_one(tmp_path):
    page = (ROOT / "docs" / "accounts.md").read_text()
    (tmp_path / "accounts.toml").write_text(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0])
    acme, sandbox, beta = load_accounts(tmp_path / "accounts.toml", {})
    assert (acme.destination, sandbox.dataset, beta.destination) == ("postgres", "acme_sandbox", "duckdb")

"""The wheel, installed into an empty environment and run in an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import duckdb
import pytest

from pipelines.zoho_crm.version import VERSION

ROOT = Path(__file__).parents[3]
PARTS = ("pipelines", "sources", "simulators", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what belongs to it, so that the checkout stays as it is."""
    tree = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, tree / part)
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", "dist", "."]
    said(tree, sys.executable, "-m", "pip", "wheel", *offline)
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of the programs of an environment with nothing but the wheel and what it depends on."""
    place = tmp_path_factory.mktemp("environment")
    said(place, sys.executable, "-m", "venv", "--without-pip", "env")
    python = place / "env/bin/python"
    said(place, sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    (packages,) = place.glob("env/lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def said(folder, *command):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SOURCES__", "DESTINATION__"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**kept, "HOME": str(folder), "DLT_DATA_DIR": str(folder / "dlt")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_has_the_program_the_source_and_the_simulator_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
    folders = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert folders == {"pipelines", "sources", "simulators"}
    assert not {"pipelines/__init__.py", "sources/__init__.py", "simulators/__init__.py"} & set(names)
    assert "pipelines/zoho_crm/monitoring/html_report/templates/page.html" in names


def test_the_command_says_its_version_and_its_help(installed, tmp_path):
    program = installed / "zoho-crm"
    assert said(tmp_path, program, "--version") == f"zoho-crm {VERSION}\n"
    assert said(tmp_path, program, "-h").startswith("Usage: zoho-crm [COMMAND] [OPTIONS]")
    assert "zoho-crm verify" in said(tmp_path, program, "verify", "--help")


def test_the_command_runs_the_demo(installed, tmp_path):
    assert "0 failed." in said(tmp_path, installed / "zoho-crm", "--demo")
    with duckdb.connect(str(tmp_path / "zoho_demo.duckdb"), read_only=True) as crm:
        assert crm.sql(
            "select count(*) > 100 and count(distinct id) = count(*) from zoho_crm.deals"
        ).fetchone() == (True,)


def test_the_wheel_has_the_connector_files_and_declares_what_reads_them(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        needed = files.read(metadata).decode()
    assert {f"sources/zoho_api/connectors/{name}.yaml" for name in ("books", "desk", "recruit")} <= set(names)
    assert "Requires-Dist: pyyaml" in needed


@pytest.mark.long
def test_the_command_for_other_services_lists_and_runs(installed, tmp_path):
    program = installed / "zoho-api"
    assert "desk: Zoho Desk" in said(tmp_path, program, "list")
    assert "0 failed." in said(tmp_path, program, "run", "--demo", "desk", "--modules", "tickets")
    with duckdb.connect(str(tmp_path / "zoho_demo.duckdb"), read_only=True) as desk:
        assert desk.sql("select count(*), count(distinct id) from zoho_desk.tickets").fetchone() == (640, 640)


def test_it_runs_as_a_module_too(installed, tmp_path):
    usage = said(tmp_path, installed / "python", "-m", "pipelines.zoho_crm", "--help")
    assert usage.startswith("Usage: python -m pipelines.zoho_crm ")

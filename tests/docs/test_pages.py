"""The pages below docs/ are true: links lead somewhere, prices are the code's, what one copies exists."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from benchmarks.scale.tables import Assumptions
from pipelines.zoho_api.cli import cli as services
from pipelines.zoho_crm.cli import cli
from sources.zoho_crm.auth.credentials import BY_ATTRIBUTE
from sources.zoho_crm.client import job_journal
from sources.zoho_crm.planning.cost import (
    LONGEST_PAUSE,
    POLL_SHARE,
    SHORTEST_PAUSE,
    cost_of,
    window_credits_by_api,
)
from tests.sources.zoho_crm.planning.test_api_selection import columns

ROOT = Path(__file__).parents[2]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES["README.md"] = (ROOT / "README.md").read_text()
NOT_OURS = {
    "--collector",
    "--now",
    "--strict",
    "--help",
    "--db-path",
}  # of node_exporter, systemctl, mypy, an MCP server
SCALE = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(Assumptions)}
ORCHESTRATORS = {"--conf", "--location", "--select"}  # of airflow, dlt init, dagster
DOCKER = {"--tag", "--rm", "--volume", "--env-file", "--interactive", "--tty", "--user"}


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if re.match(r"https?://", target):
            continue
        file, _, part = target.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        headings = (
            {anchor(h) for h in re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)} if part else set()
        )
        if not path.exists() or (part and part not in headings):
            broken.append(target)
    assert broken == []


def test_the_index_leads_to_every_page_and_the_readme_to_the_index():
    named = {f"docs/{name}" for name in re.findall(r"\]\(([\w-]+\.md)", PAGES["docs/README.md"])}
    assert named == set(PAGES) - {"README.md", "docs/README.md"}
    assert "](docs/README.md)" in PAGES["README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_every_option_and_command_that_a_page_names_exists(page):
    text = re.sub(r"<!--.*?-->", "", PAGES[page], flags=re.DOTALL)
    commands = [*cli.commands.values(), *services.commands.values()]
    there = {name for command in commands for p in command.params for name in p.opts}
    # Lines of commands whose options are none of ours.
    others = re.compile(r"^docker |^pipx |^uvx |pip install|make bench|dlt init")
    lines = [line for line in text.splitlines() if not others.search(line)]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(lines)))
    assert named - there - NOT_OURS - SCALE - ORCHESTRATORS - {"--repair"} == set() or page == "docs/setup.md"
    called = set(re.findall(r"pipelines\.zoho_crm ([a-z]+)\b", text))
    assert called - set(cli.commands) - {"writes"} == set()


@pytest.mark.parametrize("line", re.findall(r"^docker run .+$", PAGES["docs/deploy.md"], re.MULTILINE))
def test_a_container_is_started_with_a_command_that_exists(line):
    words = shlex.split(line)[2:]
    image = words.index("zoho-crm")
    assert {word for word in words[:image] if word.startswith("--")} <= DOCKER
    command = words[image + 1 :] or ["run"]
    there = {name for param in cli.commands[command[0]].params for name in param.opts}
    assert {word for word in command if word.startswith("--")} <= there


def test_the_dockerfile_copies_what_is_there_and_starts_the_command():
    lines = (ROOT / "Dockerfile").read_text()
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [name for line in re.findall(r"^COPY (.+)$", lines, re.MULTILINE) for name in line.split()[:-1]]
    assert "requirements.lock" in copied
    assert [name for name in copied if not (ROOT / name).exists() or f"!{name}" not in kept] == []
    entry = re.search(r"^ENTRYPOINT (.+)$", lines, re.MULTILINE)
    assert entry
    assert json.loads(entry[1]) == ["python", "-m", "pipelines.zoho_crm"]
    assert "--require-hashes" in lines


@pytest.mark.long
def test_the_dockerfile_needs_no_file_that_it_does_not_copy(tmp_path):
    """The command works in a folder that holds only what the image holds."""
    import shutil
    import sys

    lines = (ROOT / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (.+)$", lines, re.MULTILINE):
        for name in line.split()[:-1]:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tmp_path / "code" / name)
    (tmp_path / "data").mkdir()
    variables = dict(re.findall(r"^(?:ENV)? *([A-Z_]+)=(\S+?)(?: \\)?$", lines, re.MULTILINE))
    given = {
        name: value.replace("/data", str(tmp_path / "data")).replace("/opt/zoho-crm", str(tmp_path / "code"))
        for name, value in variables.items()
    }
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.zoho_crm", "run", "--demo", "--modules", "Vendors"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), **given},
        cwd=tmp_path / "data",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.name for path in tmp_path.iterdir()}
    assert written <= {"code", "data"}


def table_below(words: str) -> list[list[int]]:
    part = PAGES["docs/choosing.md"].partition(words)[2]
    table = re.search(r"\n((?:\|.*\|\n)+)", part)
    assert table
    rows = table[1].splitlines()[2:]
    return [[int(cell.replace(",", "")) for cell in row.strip("| ").split("|")] for row in rows]


def test_the_prices_of_a_first_load_are_those_of_the_code():
    for rows, fields, *prices in table_below("A first load of a module therefore costs"):
        there = [cost_of(api, rows, columns(fields)).credits for api in ("records", "coql", "bulk")]
        assert prices == there


def test_the_prices_of_changes_are_those_of_the_code():
    for rows, fields, *prices in table_below("takes them all"):
        there = window_credits_by_api(rows, columns(fields))
        assert prices == [there["records"], there["coql"], there["bulk"]]


def test_the_hours_and_shares_are_those_of_the_code():
    choosing = PAGES["docs/choosing.md"]
    hours = int(job_journal.FRESH.total_seconds() // 3600)
    assert f"for {hours} hours" in choosing
    share, shortest, longest = f"{POLL_SHARE:.0%}".replace("%", " %"), SHORTEST_PAUSE, LONGEST_PAUSE
    assert f"after another {share} of the time waited, between {shortest:.0f} and {longest:.0f} s" in choosing
    assert f"younger than {hours} hours" in PAGES["docs/upgrading.md"]


def test_every_setting_that_decides_is_explained():
    named = {name for name in ("ReadAPI", "APIType", "UseCOQL") if f"`{name}" in PAGES["docs/choosing.md"]}
    assert named == {"ReadAPI", "APIType", "UseCOQL"} & {setting.name for setting in BY_ATTRIBUTE.values()}


def test_every_row_about_reliability_names_a_test_that_is_there():
    rows = [line for line in PAGES["docs/reliability.md"].splitlines() if line.startswith("| ")]
    faults = [row for row in rows if not row.startswith(("| Fault", "| ---"))]
    assert faults
    for row in faults:
        file, _, name = re.search(r"`(test_\w+\.py)::(test_\w+)` \|$", row).group(0)[1:-3].partition("::")
        texts = [path.read_text() for path in (ROOT / "tests").rglob(file)]
        assert any(re.search(rf"^def {name}\(", text, re.MULTILINE) for text in texts), row

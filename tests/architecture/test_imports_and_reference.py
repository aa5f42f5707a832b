"""Who may import whom, and that the README and the reference name what there is."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.zoho_crm.cli import cli
from sources.zoho_crm.auth.credentials import BY_ATTRIBUTE

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "sources" / "zoho_crm"
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

# Which of the source's packages may know a library, so that a change of it has one place.
KNOWS = {
    "requests": {"auth", "client"},
    "dlt": {"__init__", "auth", "client", "extract", "resources", "sync", "transform"},
    "duckdb": {"extract", "sync", "transform"},
    "filelock": {"auth"},
}
PURE = ("models.py", "limits.py", "exceptions.py", "state.py", "config.py", "planning")
CALLERS = ("auth", "client", "discovery", "extract", "resources")


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Absolute dotted names. Imports for types only do not count."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def part_of_the_source(path: Path) -> str:
    """Its package, or its name where it stands alone."""
    return path.relative_to(SOURCE).with_suffix("").parts[0]


@pytest.mark.parametrize("library", KNOWS)
def test_a_library_is_known_in_few_packages(library):
    users = {
        part_of_the_source(path)
        for path in SOURCE.rglob("*.py")
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users <= KNOWS[library]


@pytest.mark.parametrize("part", PURE)
def test_what_decides_makes_no_calls(part):
    for path in [SOURCE / part] if part.endswith(".py") else (SOURCE / part).glob("*.py"):
        known = {name.split(".")[2] for name in imports(path) if name.startswith("sources.zoho_crm.")}
        assert not known & {*CALLERS}, path


@pytest.mark.parametrize("folder", ["sources/zoho_crm", "pipelines/zoho_crm", "simulators"])
def test_imports_have_no_circle(folder):
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / folder).rglob("*.py")
    }
    graph = {
        name: {
            known for found in imports(path) for known in (found, found.rpartition(".")[0]) if known in paths
        }
        for name, path in paths.items()
    }
    done: set[str] = set()
    while ready := {name for name in graph.keys() - done if graph[name] <= done}:
        done |= ready
    assert graph.keys() - done == set()


def test_the_simulator_is_independent():
    for path in files("simulators"):
        foreign = {name.split(".")[0] for name in imports(path)}
        assert foreign <= {*sys.stdlib_module_names, "duckdb", "simulators"}, path


def test_the_source_knows_neither_pipeline_nor_simulator():
    for path in files("sources"):
        assert not any(name.startswith(("pipelines", "simulators")) for name in imports(path)), path


def options_there() -> set[str]:
    params = [param for command in cli.commands.values() for param in command.params]
    return {name for param in params for name in param.opts if name.startswith("--")} - {"--help"}


def test_the_reference_names_every_option_and_the_other_way_round():
    named = set(re.findall(r"--[a-z][a-z-]+", REFERENCE.partition("## Options")[2]))
    assert options_there() - named == set()
    assert named - options_there() - {"--location"} == set()  # of dlt init


def test_the_readme_names_only_options_that_exist():
    named = set(re.findall(r"--[a-z][a-z-]+", README))
    not_ours = {"--strict", "--help", "--form", "--location", "--spec", "--from"}
    assert named - options_there() - not_ours == set()


def test_the_reference_names_every_setting_and_the_other_way_round():
    settings = {setting.name for setting in BY_ATTRIBUTE.values()}
    assert [name for name in settings if f"`{name}`" not in REFERENCE] == []
    rows = re.search(r"\n\| Name \| Values \|\n.*?\n\n", REFERENCE, re.DOTALL)
    assert rows
    first = [line.split(" | ")[0] for line in rows[0].strip().splitlines()[2:]]
    assert {name for cell in first for name in re.findall("`(.+?)`", cell)} <= settings


def test_the_reference_names_every_command_and_the_other_way_round():
    assert set(re.findall(r"pipelines\.zoho_crm \[?([a-z]+)\]? ", REFERENCE)) == set(cli.commands)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 250

"""`--help` of each command ends with lines that can be copied, and the main one leads to the rest."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipelines.zoho_crm.cli import cli
from pipelines.zoho_crm.examples import EXAMPLES

ROOT = Path(__file__).parents[3]
LINE = re.compile(r"^  python -m pipelines\.zoho_crm ?(.*)$", re.MULTILINE)


def shown(*words, **variables):
    with pytest.raises(SystemExit) as ended, CliRunner().isolation(env=variables) as streams:
        cli.main([*words, "--help"], prog_name="python -m pipelines.zoho_crm")
    assert ended.value.code == 0
    return streams[0].getvalue().decode()


def accepted(line):
    """Raises click.UsageError for a line that the command would not take."""
    words = shlex.split(line.partition(" >")[0])  # the shell takes the rest
    name = words[0] if words and words[0] in cli.commands else "run"
    words = words[1:] if words[:1] == [name] else words
    with click.Context(cli, info_name="zoho_crm") as parent:
        cli.commands[name].make_context(name, words, parent=parent)
    return name


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_a_command_shows_examples_that_it_takes(command):
    lines = LINE.findall(shown(command))
    assert len(lines) >= 2
    assert {accepted(line.strip()) for line in lines} == {command}


def test_an_example_with_a_wrong_option_is_noticed():
    with pytest.raises(click.UsageError):
        accepted("plan --repair")


def test_the_main_help_leads_to_every_command_but_the_script():
    lines = LINE.findall(shown())
    assert {accepted(line.strip()) for line in lines} == set(cli.commands) - {"completion"}


@pytest.mark.parametrize("columns", ["80", "120"])
def test_examples_stay_whole_in_a_narrow_terminal(columns):
    text = shown("run", COLUMNS=columns, TERMINAL_WIDTH=columns)
    for words, why in EXAMPLES["run"]:
        call = f"python -m pipelines.zoho_crm {'' if words == 'run' else words}".rstrip()
        assert f"  # {why}\n  {call}\n" in text


def test_the_exit_codes_are_those_of_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text().partition("## Exit codes")[2]
    documented = re.findall(r"^\| (\d+) \|", reference, re.MULTILINE)
    told = " ".join(shown().partition("Exit codes:")[2].partition("With --accounts")[0].split())
    assert re.findall(r"(?:^|, |\s)(\d+) (?=[a-zA-Z`])", told) == documented


def test_the_pages_that_the_main_help_names_are_there():
    pages = re.findall(r"\b(?:docs/)?\w+\.md\b", shown())
    assert len(pages) >= 3
    assert [page for page in pages if not (ROOT / page).is_file()] == []

"""Completion of `python -m pipelines.zoho_crm` in real shells, and what stays with whoever completed Python before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.zoho_crm.cli import cli

ROOT = Path(__file__).parents[1]
PYTHON = str(Path(sys.executable).with_name("python"))
COMMANDS = {"run", "plan", "modules", "check", "verify", "completion"}

BASH = """
source <({python} -m pipelines.zoho_crm completion bash)
COMP_WORDS=({words} "{incomplete}")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ opted="$1 $2"; }}  # the real one works while a person types only
{before}
_zoho_crm_complete "${{COMP_WORDS[0]}}" "${{COMP_WORDS[COMP_CWORD]}}"
printf '%s\\n' "${{COMPREPLY[@]}}" "$opted"
"""
FISH = """
{python} -m pipelines.zoho_crm completion fish | source
complete --do-complete "{words} {incomplete}"
"""


def shell(name, script, **words):
    """What a script of a shell prints; the shell has a home of its own, because some write there."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    with tempfile.TemporaryDirectory() as home:
        return _said(name, script, home, **words)


def _said(name, script, home, **words):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ZDOTDIR"))}
    env = {**kept, "PYTHONPATH": str(ROOT), "HOME": home}
    done = subprocess.run(
        [name, "-c", script.format(python=PYTHON, **{"before": "", **words})],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines()) - {""}


def in_bash(words, incomplete, before=""):
    return shell("bash", BASH, words=f"{PYTHON} {words}", incomplete=incomplete, before=before)


def asked(words, at):
    """What the program answers a shell."""
    env = {"_ZOHO_CRM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at)}
    done = CliRunner(env=env).invoke(cli, [], prog_name="python -m pipelines.zoho_crm")
    return set(done.output.splitlines())


@pytest.mark.parametrize(
    ("words", "at", "answer"),
    [
        ("zoho_crm ver", 1, {"plain,verify"}),
        ("zoho_crm --mod", 1, {"plain,--modules"}),
        ("zoho_crm --modules Leads --exc", 3, {"plain,--exclude"}),
        ("zoho_crm verify --rep", 2, {"plain,--repair"}),
        ("zoho_crm --log-format", 2, {"plain,text", "plain,json"}),
        ("zoho_crm check --destination p", 3, {"plain,postgres"}),
        ("zoho_crm check --env-file pr", 3, {"file,pr"}),
        ("zoho_crm check --pipelines-dir", 3, {"dir,"}),
        ("zoho_crm check --dataset", 3, set()),
        ("zoho_crm completion", 2, {"plain,bash", "plain,zsh", "plain,fish"}),
    ],
)
def test_what_fits_is_answered(words, at, answer):
    assert asked(words, at) - {""} == answer


def test_without_a_word_every_command_is_answered():
    assert asked("zoho_crm", 1) == {f"plain,{name}" for name in cli.commands}


def test_bash_completes_commands_options_and_values():
    assert in_bash("-m pipelines.zoho_crm", "") >= COMMANDS
    assert in_bash("-m pipelines.zoho_crm check", "--qu") == {"--quiet"}
    assert "-o default" in in_bash("-m pipelines.zoho_crm check --env-file", "REA")


def test_bash_leaves_other_modules_to_what_completed_python_before():
    assert in_bash("-m pip", "ins") == {"-o default"}
    other = "_python() { COMPREPLY=(install); }; _zoho_crm_before=_python"
    assert in_bash("-m pip", "ins", other) == {"install"}


def test_bash_knows_python_and_python3_wherever_they_lie():
    script = "source <({python} -m pipelines.zoho_crm completion bash); complete -p python python3"
    assert all("-F _zoho_crm_complete python" in line for line in shell("bash", script))


def test_fish_completes_commands_and_options():
    found = shell("fish", FISH, words=f"{PYTHON} -m pipelines.zoho_crm", incomplete="ver")
    assert {line.split("\t")[0] for line in found} == {"verify"}


def test_zsh_reads_the_script():
    script = (
        "autoload -Uz compinit && compinit -u -D;"  # -D: it writes no file
        " source <({python} -m pipelines.zoho_crm completion zsh); print -r -- $_comps[python]"
    )
    assert shell("zsh", script) == {"_zoho_crm_complete"}


def test_an_unknown_shell_is_a_usage_error():
    done = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert done.exit_code == 2

"""Completion of the command `zoho-crm` in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.zoho_crm.cli import cli

ROOT = Path(__file__).parents[3]
COMMANDS = {"run", "plan", "modules", "check", "verify", "completion"}
PROGRAM = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from pipelines.zoho_crm.__main__ import main
main()
"""

BASH = """
source <(zoho-crm completion bash)
COMP_WORDS=(zoho-crm {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ opted="$1 $2"; }}  # the real one works while a person types only
_zoho_crm_completion zoho-crm
printf '%s\\n' "${{COMPREPLY[@]}}" "$opted"
"""
FISH = """
zoho-crm completion fish | source
complete --do-complete "zoho-crm {words}"
"""


@pytest.fixture
def shell(tmp_path):
    """`shell("bash", script)`: what it prints; the shell has a home of its own, because some write there."""
    program = tmp_path / "bin" / "zoho-crm"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)

    def said(name, script, **words):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "ZDOTDIR"))}
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [name, "-c", script.format(**words)],
            cwd=ROOT,
            env={**kept, "PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.stderr == ""
        return set(done.stdout.splitlines()) - {""}

    return said


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


def test_bash_completes_commands_options_and_values(shell):
    assert shell("bash", BASH, words='""') >= COMMANDS
    assert shell("bash", BASH, words="check --qu") == {"--quiet"}
    assert "-o default" in shell("bash", BASH, words="check --env-file REA")


def test_fish_completes_commands_and_options(shell):
    found = shell("fish", FISH, words="ver")
    assert {line.split("\t")[0] for line in found} == {"verify"}


def test_zsh_reads_the_script(shell):
    script = (
        "autoload -Uz compinit && compinit -u -D;"  # -D: it writes no file
        " source <(zoho-crm completion zsh); print -r -- $_comps[zoho-crm]"
    )
    assert shell("zsh", script) == {"_zoho_crm_completion"}


def test_an_unknown_shell_is_a_usage_error():
    done = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert done.exit_code == 2

"""Where an option comes from: the command line, dlt's configuration, the default; and never a stranger's .env."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pipelines.zoho_crm import cli as command_line
from pipelines.zoho_crm.cli import cli
from pipelines.zoho_crm.options import ConfigOption, Options, accounts_options, load_env_file, resolve_options
from tests.support.commanding import command, restored_environment

__all__ = ["command", "restored_environment"]  # fixtures

ROOT = Path(__file__).parents[3]
KEY = "SOURCES__ZOHO_CRM__"


def settled(*words, name="run", **keys):
    """The options of a command, with these keys below [sources.zoho_crm]."""
    ctx = cli.commands[name].make_context(name, list(words))
    return resolve_options(ctx, {f"sources.zoho_crm.{key}": value for key, value in keys.items()}.get)


def test_nothing_said_is_the_defaults():
    assert settled() == Options()


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_option_of_the_help_is_a_key_of_dlts_configuration(name):
    ctx = click.Context(cli.commands[name])
    params = [param for param in cli.commands[name].get_params(ctx) if isinstance(param, click.Option)]
    # A process of one account must not take itself for the one that starts those of all.
    alone = {"--help", *(name for param in accounts_options() for name in param.opts)}
    options = [param for param in params if alone.isdisjoint(param.opts)]
    assert all(isinstance(param, ConfigOption) for param in options)
    assert {param.name for param in options} <= set(Options.__dataclass_fields__)


@pytest.mark.parametrize(
    ("words", "key", "configured", "expected"),
    [
        (["--modules", "Leads, Deals"], "modules", "Tasks", frozenset({"Leads", "Deals"})),
        (["--modules", "Leads", "--modules", "Deals"], "modules", None, frozenset({"Leads", "Deals"})),
        ([], "modules", "Leads,Deals", frozenset({"Leads", "Deals"})),
        ([], "modules", ["Leads", "Deals"], frozenset({"Leads", "Deals"})),
        (["--exclude", "Leads"], "exclude", None, frozenset({"Leads"})),
        ([], "destination", "filesystem", "filesystem"),
        (["--destination", "duckdb"], "destination", "filesystem", "duckdb"),
        ([], "dataset", "crm", "crm"),
        ([], "pipeline_name", "nightly", "nightly"),
        ([], "pipelines_dir", "/var/p", "/var/p"),
        ([], "progress", "off", "off"),
        ([], "log_format", "json", "json"),
        ([], "full_refresh", "true", True),
        ([], "full_refresh", False, False),
        ([], "verbose", True, True),
    ],
)
def test_the_command_line_wins_then_the_configuration(words, key, configured, expected):
    assert getattr(settled(*words, **{key: configured}), key) == expected


def test_quiet_on_the_command_line_wins_over_verbose_in_the_configuration_and_the_other_way_round():
    quiet = settled("-q", name="check", verbose=True)
    verbose = settled("-v", name="check", quiet=True)
    assert (quiet.quiet, quiet.verbose, verbose.quiet, verbose.verbose) == (True, False, False, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("progress", "loud"), ("modules", ""), ("modules", 3), ("dataset", ""), ("verbose", "?")],
)
def test_a_wrong_value_of_the_configuration_names_its_key(key, value):
    with pytest.raises(click.UsageError, match=f"sources.zoho_crm.{key} in dlt's configuration: "):
        settled(**{key: value})


def test_a_demo_takes_nothing_from_the_configuration_of_a_real_pipeline():
    found = settled("--demo", destination="postgres", dataset="crm", pipeline_name="nightly", modules="Leads")
    assert found == Options(demo=True, pipeline_name="zoho_demo")
    assert settled(demo="true", dataset="crm") == found
    assert settled("--demo", "--modules", "Leads").modules == {"Leads"}


def env_file(text, *words):
    Path(".env").write_text(text, encoding="utf-8")
    ctx = cli.commands["run"].make_context("run", list(words))
    load_env_file(ctx, lambda key: None)


def test_a_dotenv_file_fills_what_the_environment_leaves_open(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{KEY}DATASET", "mine")
    env_file(f"\ufeff{KEY}DATASET=theirs\n{KEY}MODULES='Leads,\nDeals'\n{KEY}SECRET=a${{HOME}}b$c\n")
    assert os.environ[f"{KEY}DATASET"] == "mine"
    assert os.environ[f"{KEY}MODULES"] == "Leads,\nDeals"
    assert os.environ[f"{KEY}SECRET"] == "a${HOME}b$c"


def test_a_file_that_is_named_must_be_there_and_readable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(click.UsageError, match="The file other.env of --env-file does not exist"):
        env_file("", "--env-file", "other.env")
    Path("odd.env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(click.UsageError, match="The file odd.env cannot be read"):
        env_file("", "--env-file", "odd.env")


def test_without_a_dotenv_file_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    load_env_file(cli.commands["run"].make_context("run", []), lambda key: None)
    assert dict(os.environ) == before


def test_a_demo_leaves_the_dotenv_file_alone(monkeypatch, tmp_path, command):
    (tmp_path / ".env").write_text(f"{KEY}CREDENTIALS=Region=Mars\nMARK=read\n")
    seen = []
    monkeypatch.setattr(command_line, "load_env_file", lambda *_: seen.append("read"))
    assert command("check", "--demo").code == 0
    assert seen == []


SETTLE = """
import click
from pipelines.zoho_crm.cli import cli
from pipelines.zoho_crm.run.dlt_runtime import start_dlt
from pipelines.zoho_crm.options import load_env_file, resolve_options as settle
import os
ctx = cli.commands["run"].make_context("run", ["--dataset", "given"])
configured = start_dlt()
load_env_file(ctx, configured)
found = settle(ctx, configured)
print(sorted(found.modules), found.dataset, found.destination, found.progress, os.environ.get("RUNTIME__DLTHUB_TELEMETRY"))
"""


def in_a_process(folder, config):
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text(config)
    (folder / ".env").write_text(f"{KEY}PROGRESS=log\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SOURCES__", "RUNTIME__"))}
    return subprocess.run(
        [sys.executable, "-c", SETTLE],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout.strip()


def test_config_toml_and_dotenv_are_read_and_telemetry_is_off(tmp_path):
    config = '[sources.zoho_crm]\nmodules = ["Leads", "Deals"]\ndataset = "configured"\ndestination = "filesystem"\n'
    assert in_a_process(tmp_path, config) == "['Deals', 'Leads'] given filesystem log false"


@pytest.mark.long
def test_telemetry_is_on_for_whoever_turns_it_on(tmp_path):
    assert in_a_process(tmp_path, "[runtime]\ndlthub_telemetry = true\n").endswith("duckdb log None")

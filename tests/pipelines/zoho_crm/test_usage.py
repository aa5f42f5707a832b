"""Words that the command line does not take: exit code 2, a hint where one helps, and JSON for a program."""

from __future__ import annotations

import json
import os
import threading
from datetime import timedelta

import pytest

from pipelines.zoho_crm import cli
from pipelines.zoho_crm.usage import asks_for_json
from tests.pipelines.zoho_crm.test_options import settled
from tests.support.commanding import command, restored_environment

__all__ = ["command", "restored_environment"]  # fixtures

ACCOUNT = "OAuthClientId=1000.A;OAuthClientSecret=5ecre7c1;OAuthRefreshToken=5ecre7r1;"
KEY = "SOURCES__ZOHO_CRM__"


@pytest.mark.parametrize(
    "moment", ["0001-01-01", "0001-01-01T00:00:00+14:00", "1969-12-31", "9999-12-31T23:00-12:00"]
)
def test_a_time_that_zoho_cannot_know_is_refused(moment, command):
    done = command("--demo", "--since", moment)
    assert done.code == 2
    assert f"{moment!r} is not a possible time: years go from 1970 to 2999." in done.err


@pytest.mark.parametrize("name", ["--lookback", "--computed-refresh", "--verify-every", "--settings-refresh"])
def test_a_span_of_more_than_a_hundred_years_is_refused(name, command):
    done = command("--demo", name, "999999d")
    assert (done.code, "'999999d' is too long: more than 100 years." in done.err) == (2, True)
    assert settled("--lookback", "36525d").lookback == timedelta(days=36525)


@pytest.mark.parametrize("name", ["a/b", "a\\b", "..", "con", "a:b", "a.", "x" * 300, "a\nb"])
def test_a_pipeline_has_a_name_that_a_folder_can_have(name, command):
    done = command("plan", "--connection", ACCOUNT, "--pipeline-name", name)
    assert (done.code, "cannot be the name of a folder" in done.err, "PV11" in done.err) == (2, True, False)
    assert settled("--pipeline-name", "my-pipeline_2.x").pipeline_name == "my-pipeline_2.x"


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["--nope"], "No such option --nope. (--help"),
        (["--x"], "No such option --x. (--help"),
        (["-z"], "No such option -z. (--help"),
        (["--moduls", "A"], "No such option --moduls. Did you mean --modules? (--help"),
        (["plan", "--max-credit", "3"], "No such option --max-credit. (--help"),
        (["verify", "--max-credit", "3"], "No such option --max-credit. Did you mean --max-credits? (--help"),
    ],
)
def test_only_a_near_option_is_suggested(words, end, command):
    done = command(*words)
    assert (done.code, done.err.startswith(f"Error: {end}")) == (2, True), done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--modules", "Leads,", "Deals"),
        ("--modules", "Leads", ",Deals"),
        ("plan", "--exclude", "A,", "B,", "C"),
    ],
)
def test_a_blank_behind_a_comma_is_told_as_that(words, command):
    done = command(*words)
    assert done.code == 2
    assert done.err == "Error: Names go between commas without blanks, or in quotes: --modules Leads,Deals.\n"


def test_other_extra_words_are_no_names_between_commas(command):
    assert "unexpected extra argument" in command("run", "Leads").err


def test_an_env_file_that_is_a_folder_is_told_as_that(command, tmp_path):
    (tmp_path / "folder").mkdir()
    done = command("plan", "--env-file", "folder")
    assert (done.code, "folder of --env-file is a folder: name a file." in done.err) == (2, True)


def test_an_env_file_may_be_a_pipe(command, tmp_path):
    os.mkfifo(tmp_path / "secrets")
    text = f"{KEY}CREDENTIALS={ACCOUNT}Region=Mars\n"
    threading.Thread(target=(tmp_path / "secrets").write_text, args=(text,), daemon=True).start()
    assert "Region has a wrong value" in command("plan", "--env-file", "secrets").err


@pytest.mark.parametrize(
    "words",
    [
        ("--nope",),
        ("--since", "yesterday"),
        ("sync",),
        ("--env-file", "no.env"),
        ("--demo", "--connection", "x=1"),
        ("--connection", "Region=Mars"),
    ],
    ids=" ".join,
)
def test_wrong_words_are_an_event_for_a_program_that_asks_for_json(words, command):
    done = command(*words, "--log-format=json")
    [event] = done.events
    assert (event["event"], event["exit_code"], done.code) == ("error", 2, 2)
    assert done.err == f"Error: {event['error']}\n"
    assert command(*words).out == ""


@pytest.mark.parametrize(
    ("words", "key", "expected"),
    [
        (["--log-format", "json"], None, True),
        (["--log-format=json", "--nope"], None, True),
        (["--log-format", "text"], "json", False),
        ([], "json", True),
        (["--demo"], "json", False),
        (["--log-format"], None, False),
        ([], None, False),
    ],
)
def test_json_is_what_the_words_ask_for_or_the_environment(words, key, expected, monkeypatch):
    if key:
        monkeypatch.setenv(f"{KEY}LOG_FORMAT", key)
    assert asks_for_json(words) is expected


@pytest.mark.parametrize(
    ("name", "words", "stays"),
    [
        ("run", (), True),
        ("verify", ("--repair",), True),
        ("verify", (), False),
        ("plan", (), False),
        ("modules", (), False),
    ],
)
def test_only_a_command_that_loads_says_that_what_it_loaded_stays(name, words, stays, command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "open_command", interrupted)
    done = command(name, *words, "--connection", ACCOUNT)
    resumed = " What was loaded stays; the next run reads the rest again." if stays else ""
    assert (done.code, done.err) == (130, f"Error: Interrupted.{resumed}\n")


@pytest.mark.parametrize("option", ["modules", "exclude", "history"])
@pytest.mark.parametrize(
    "value", ['["Deals","Leads"]', ' [ "Deals" , "Leads" ] ', "Deals,Leads", ["Deals", "Leads"]]
)
def test_names_in_the_environment_may_be_a_json_list(option, value):
    assert getattr(settled(**{option: value}), option) == {"Deals", "Leads"}


@pytest.mark.parametrize("option", ["privacy", "fields", "filters"])
def test_rules_in_the_environment_may_be_a_json_list(option):
    rules = ["Leads.Email: hash", "Deals.Name"]
    assert getattr(settled(**{option: json.dumps(rules)}), option) == tuple(rules)


def test_a_list_that_is_no_json_is_a_name(command):
    assert settled(modules='["Deals"').modules == {'["Deals"'}


def test_a_key_that_stands_for_connection_is_named(command, monkeypatch, caplog):
    for key in ("CONNECTION", "CONNECTION_STRING"):
        monkeypatch.setenv(f"{KEY}{key}", ACCOUNT)
    assert command("plan").code == 2
    said = [record.getMessage() for record in caplog.records]
    hint = f"(did you mean {KEY}CREDENTIALS?)"
    for key in ("CONNECTION", "CONNECTION_STRING"):
        assert f"Unknown key in the environment or .env, ignored: {KEY}{key} {hint}" in said


def test_ctrl_c_while_the_words_are_read_is_said(command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.zoho_crm.cli.Commands.parse_args", interrupted)
    done = command("--log-format", "json")
    assert (done.code, done.err.strip()) == (130, "Error: Interrupted.")
    assert done.events[0]["exit_code"] == 130


def test_ctrl_c_ends_a_check_though_a_library_wraps_it(command, monkeypatch):
    def interrupted(_):
        raise RuntimeError("a step of dlt failed") from KeyboardInterrupt()

    monkeypatch.setattr(
        "pipelines.zoho_crm.check.command.CHECKS", (("settings", interrupted), ("disk", interrupted))
    )
    assert command("check").err == "Error: Interrupted.\n"

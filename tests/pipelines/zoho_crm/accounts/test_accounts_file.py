"""accounts.toml is read whole, and what is wrong in it is told with its line and the nearest key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.zoho_crm.accounts.accounts_file import account_options, choose_accounts, load_accounts
from pipelines.zoho_crm.accounts.environment import connection_of, environment_of, shared_environment
from pipelines.zoho_crm.cli import cli
from pipelines.zoho_crm.options import ALL
from sources.zoho_crm.exceptions import SettingsError

ONE = '[accounts.acme]\nconnection_env = "ACME_ZOHO"\n'
TWO = f'{ONE}[accounts.beta]\nconnection_env = "BETA_ZOHO"\n'


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def accounts(text, **given):
        (tmp_path / "accounts.toml").write_text(text)
        return load_accounts(Path("accounts.toml"), given)

    return accounts


def test_each_account_has_a_dataset_a_pipeline_and_a_file_of_its_own(read, tmp_path):
    acme, beta = read(TWO)
    assert (acme.dataset, acme.pipeline_name, acme.database) == (
        "acme",
        "acme",
        tmp_path / "zoho_acme.duckdb",
    )
    assert (beta.dataset, beta.pipeline_name, beta.database) == (
        "beta",
        "beta",
        tmp_path / "zoho_beta.duckdb",
    )


def test_an_account_goes_before_the_defaults_and_the_command_line_before_both(read):
    text = '[defaults]\ndeletes = "soft"\nmax_credits = 500\nmodules = ["Leads"]\n' + (
        '[accounts.acme]\nconnection_env = "A"\nmodules = "Deals, Leads"\nlookback = "2h"\n'
        '[accounts.beta]\nconnection_env = "B"\n'
    )
    acme, beta = read(text, max_credits=9)
    assert acme.settings == {
        "deletes": "soft",
        "max_credits": 9,
        "modules": frozenset({"Deals", "Leads"}),
        "lookback": timedelta(hours=2),
    }
    assert beta.settings["modules"] == frozenset({"Leads"})


def test_options_reach_the_process_of_the_account_as_they_were_written(read, tmp_path):
    (acme,) = read(
        ONE + 'history = true\nfilters = ["Deals.Amount: greater_than 1"]\nsince = 2026-03-01T00:00:00Z\n'
        'full_refresh = true\ndatabase = "data/all.duckdb"\ndataset = "crm"\n'
    )
    assert acme.settings["history"] == ALL
    environment = environment_of(acme, {"quiet": True})
    shown = {name.removeprefix("SOURCES__ZOHO_CRM__"): value for name, value in environment.items()}
    assert shown == {
        "HISTORY": "true",
        "FILTERS": '["Deals.Amount: greater_than 1"]',
        "SINCE": "2026-03-01T00:00:00+00:00",
        "FULL_REFRESH": "true",
        "QUIET": "true",
        "DESTINATION": "duckdb",
        "DATASET": "crm",
        "PIPELINE_NAME": "acme",
        "ENV_FILE": "/dev/null",
        "DESTINATION__DUCKDB__CREDENTIALS": str(tmp_path / "data" / "all.duckdb"),
        "DESTINATION__DUCKDB__CREDENTIALS__DATABASE": str(tmp_path / "data" / "all.duckdb"),
    }


def test_a_process_gets_the_connection_of_its_account_and_no_other(read, monkeypatch):
    acme, beta = read(TWO)
    monkeypatch.setenv("ACME_ZOHO", "Region=EU")
    monkeypatch.setenv("BETA_ZOHO", "Region=IN")
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS__OAUTH_REFRESH_TOKEN", "of a third one")
    shared = shared_environment([acme, beta])
    assert {"ACME_ZOHO", "BETA_ZOHO", "SOURCES__ZOHO_CRM__CREDENTIALS__OAUTH_REFRESH_TOKEN"} & {
        *shared
    } == set()
    assert connection_of(beta) == {"SOURCES__ZOHO_CRM__CREDENTIALS": "Region=IN"}


def test_a_connection_comes_from_dlt_s_secrets_as_a_string_or_as_keys(read, monkeypatch):
    text, keys = read(
        '[accounts.text]\nconnection_secret = "crm.first"\n[accounts.keys]\nconnection_secret = "crm.second"\n'
    )
    found = {"crm.first": "Region=EU", "crm.second": {"region": "IN", "oauth_client_id": "1000.A"}}
    monkeypatch.setattr("dlt.secrets.get", found.get)
    assert connection_of(text) == {"SOURCES__ZOHO_CRM__CREDENTIALS": "Region=EU"}
    assert connection_of(keys) == {
        "SOURCES__ZOHO_CRM__CREDENTIALS__REGION": "IN",
        "SOURCES__ZOHO_CRM__CREDENTIALS__OAUTH_CLIENT_ID": "1000.A",
    }


def test_one_dataset_name_in_two_files_is_no_conflict(read):
    text = '[accounts.a]\nconnection_env = "A"\ndataset = "crm"\n[accounts.b]\nconnection_env = "B"\ndataset = "crm"\n'
    assert [account.dataset for account in read(text)] == ["crm", "crm"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: there is no account: write [accounts.NAME] and its options"),
        ("[account.acme]\n", "line 1: unknown key account: did you mean accounts?"),
        (ONE + 'moduls = ["Leads"]\n', "line 3: unknown key moduls: did you mean modules?"),
        ("[defaults]\nmax-credits = 3\n" + ONE, "line 2: unknown key max-credits: did you mean max_credits?"),
        ('[defaults]\ndataset = "x"\n' + ONE, "line 2: unknown key dataset: known are"),
        (ONE + "demo = true\n", "line 3: unknown key demo: "),
        (ONE + 'lookback = "soon"\n', "line 3: lookback: 'soon' is not a length of time"),
        (ONE + 'deletes = "never"\n', "line 3: deletes: 'never' is not one of 'hard', 'soft'."),
        (ONE + "modules = true\n", "line 3: modules has a value of a wrong kind"),
        (ONE + 'modules = """\n"""\n[accounts.b]\n', "line 3: modules: it holds no name."),
        ("[accounts.acme]\n", "line 1: acme needs one of connection_env (a variable of the environment),"),
        (ONE + 'connection = "Region=EU"\n', "connection (the string itself), and has 2"),
        ("[accounts.acme]\nconnection_env = 3\n", "line 2: connection_env is no text, or empty"),
        (
            '[accounts."a b"]\n',
            "line 1: 'a b' cannot name an account: take a letter, then letters, digits, _ and -",
        ),
        ("[accounts]\nacme = 3\n", "line 2: acme has to be a section: [accounts.acme]"),
        ("accounts = 3\n", "line 1: accounts has to be a section: [accounts]"),
        (TWO + ONE, "line 5: a second account is called acme; the first one is in line 1"),
        (ONE + 'connection_env = "B"\n', "line 3: accounts.acme.connection_env stands in line 2 already"),
        (ONE + "dataset =\n", "line 3: it is no TOML: Unexpected character"),
        (ONE + "database = 3\n", "line 3: database is no path"),
        (
            ONE + 'destination = "postgres"\ndatabase = "a.duckdb"\n',
            "line 4: database is the file of the destination duckdb, and acme is loaded into postgres",
        ),
        (
            '[defaults]\ndestination = "postgres"\n' + TWO + 'dataset = "Acme"\n',
            "line 5: beta would be loaded into the dataset Acme of acme (line 3): give it a dataset of its own",
        ),
        (
            TWO + 'pipeline_name = "acme"\n',
            "line 3: beta has the pipeline_name of acme (line 1), under which its state is kept: give it another one",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, sentence, read):
    with pytest.raises(SettingsError) as told:
        read(text)
    assert str(told.value).startswith("accounts.toml, line ")
    assert sentence in str(told.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="absent.toml of --accounts cannot be read: No such file"):
        load_accounts(tmp_path / "absent.toml", {})


def test_an_account_that_is_not_there_is_told_with_the_nearest_one(read):
    accounts = read(TWO)
    assert [one.name for one in choose_accounts(accounts, {"beta"}, Path("accounts.toml"))] == ["beta"]
    with pytest.raises(SettingsError) as told:
        choose_accounts(accounts, {"acmee"}, Path("accounts.toml"))
    assert str(told.value) == "--only: accounts.toml has no account acmee: did you mean acme?"


def test_an_account_may_have_every_option_of_a_run_that_is_not_said_once_for_all():
    there = {str(param.name) for param in cli.commands["run"].params}
    once = {"accounts", "only", "parallel", "connection", "env_file", "demo", "progress", "log_format"} | {
        "verbose",
        "quiet",
        "metrics_file",
        "pipelines_dir",
    }
    assert there - once <= {*account_options()}

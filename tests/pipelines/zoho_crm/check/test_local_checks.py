"""`check` on this machine: where each setting was found, who may read secrets, destination, lock and disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.zoho_crm.run.lock import pipeline_lock
from simulators.zoho_crm import serve
from tests.support.checking import MEMORY, Checked, check, small
from tests.support.commanding import command, restored_environment

__all__ = ["check", "command", "restored_environment"]  # fixtures

ROOT = Path(__file__).parents[4]
SECRET = "5ecre7c11ent5ecre7"
KEY = "SOURCES__ZOHO_CRM__CREDENTIALS"


@pytest.fixture
def here(command):
    """`check` with the settings that lie in the working folder; it may reach nobody."""
    return lambda *words: Checked(command("check", "--json", *words))


# ---- settings


def test_each_setting_is_told_with_its_place_and_no_secret(command, tmp_path, monkeypatch):
    (tmp_path / ".dlt").mkdir()
    secrets = f'[sources.zoho_crm.credentials]\noauth_client_secret="{SECRET}"\nregoin="EU"\n'
    (tmp_path / ".dlt" / "secrets.toml").write_text(secrets)
    (tmp_path / ".env").write_text(f"{KEY}='OAuthClientId=1000.A; AccountsServer=http://127.0.0.1:9'\n")
    monkeypatch.setenv(f"{KEY}__OAUTH_REFRESH_TOKEN", f"{SECRET}r")
    monkeypatch.setenv("CREDENTIALS__TIMEOUT", "2")
    words = [sys.executable, "-m", "pipelines.zoho_crm", "check", "--json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}  # in a process of its own: dlt reads its files once
    done = subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    said = next(c["message"] for c in json.loads(done.stdout) if c["name"] == "settings")
    assert said.startswith("Service=CRM, Region=US, InstanceType=Production, API auto; ")
    assert "OAuthClientId, AccountsServer from .env" in said
    assert "OAuthClientSecret from secrets.toml" in said
    assert f"OAuthRefreshToken from {KEY}__OAUTH_REFRESH_TOKEN" in said
    assert "Timeout from CREDENTIALS__TIMEOUT" in said
    assert "Unknown setting, ignored: regoin (did you mean Region?)" in said
    assert SECRET not in done.stdout + done.stderr


def test_the_environment_and_connection_are_told_apart_from_the_env_file(here, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(f"{KEY}='OAuthClientId=other'\n")
    account = (
        f"OAuthClientId=1;OAuthClientSecret={SECRET};OAuthRefreshToken=x;AccountsServer=http://127.0.0.1:9"
    )
    assert "OAuthRefreshToken, AccountsServer from --connection" in here("--connection", account).says(
        "settings"
    )
    monkeypatch.setenv(KEY, account)
    assert f"OAuthRefreshToken, AccountsServer from {KEY}" in here().says("settings")


def test_missing_settings_are_2_and_what_needs_no_account_is_checked(here):
    done = here()
    assert done.code == 2
    assert "OAuthRefreshToken" in done.says("settings")
    assert "-> put it into .env (.env.example shows how), or run" in done.says("settings")
    local = ("permissions", "names", "lock", "destination", "disk")
    assert [done[name] for name in local] == ["ok"] * len(local)
    assert done["accounts"] == done["token"] == done["scopes"] == "unknown"


def test_without_a_refresh_token_the_accounts_server_and_the_clock_are_checked(check):
    org = small()
    org.clock.advance(minutes=3)
    done = check(org, settings=f"{MEMORY}OAuthRefreshToken=;")
    assert (done.code, done["settings"], done["accounts"], done["clock"]) == (2, "failed", "ok", "warning")


def test_a_setting_that_nobody_knows_is_a_warning_in_its_line(check):
    done = check(small(), settings=f"{MEMORY}Regoin=EU;")
    assert (done.code, done["settings"]) == (0, "warning")
    assert "Unknown setting, ignored: Regoin (did you mean Region?)" in done.says("settings")


# ---- permissions


@pytest.mark.parametrize(("bits", "status"), [(0o644, "warning"), (0o640, "warning"), (0o600, "ok")])
def test_an_env_file_that_others_may_read_is_a_warning_with_the_command_to_run(bits, status, check, tmp_path):
    (tmp_path / ".env").write_text("SOURCES__ZOHO_CRM__DATASET=crm\n")
    (tmp_path / ".env").chmod(bits)
    done = check(small())
    assert (done.code, done["permissions"]) == (0, status)
    if status == "warning":
        assert f".env (mode 0{bits:o}) -> chmod 600 .env" in done.says("permissions")


def test_another_env_file_is_looked_at_if_it_is_the_one(check, tmp_path):
    (tmp_path / "prod.env").write_text("")
    (tmp_path / "prod.env").chmod(0o644)
    done = check(small(), "--env-file", "prod.env")
    assert "chmod 600 prod.env" in done.says("permissions")


def test_a_token_cache_that_others_may_read_is_a_warning(command, tmp_path):
    with serve(small()) as zoho:
        words = (
            "check",
            "--json",
            "--connection",
            f"{zoho.connection_string}OAuthSettingsLocation={tmp_path}/c",
        )
        assert Checked(command(*words))["permissions"] == "ok"
        (file,) = (tmp_path / "c").glob("token-*.json")
        file.chmod(0o604)
        done = Checked(command(*words))
    assert done["permissions"] == "warning"
    assert f"chmod 600 {file}" in done.says("permissions")


# ---- destination


@pytest.mark.parametrize(
    ("file", "dataset"), [("zoho", "Zoho"), ("zoho_crm", "Zoho CRM"), ("Zoho_CRM", "ZohoCrm")]
)
def test_a_file_and_a_schema_of_one_name_are_2(file, dataset, check, monkeypatch):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"{file}.duckdb")
    done = check(small(), "--dataset", dataset)
    assert (done.code, done["names"], done["destination"]) == (2, "failed", "unknown")
    assert f"The DuckDB file {file}.duckdb and the dataset {dataset} have one name" in done.says("names")
    assert done["token"] == "ok"


def test_an_unknown_destination_is_2_with_the_nearest_name(check):
    done = check(small(), "--destination", "postgrs")
    assert (done.code, done["names"]) == (2, "failed")
    assert "did you mean postgres?" in done.says("names")


def test_a_destination_without_its_settings_is_2_and_they_are_named(check):
    done = check(small(), "--destination", "postgres")
    assert (done.code, done["destination"]) == (2, "failed")
    assert "Missing DESTINATION__POSTGRES__" in done.says("destination")


def test_a_folder_of_parquet_files_is_written_to_and_left_as_it_was(check, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    assert check(small(), "--destination", "filesystem").code == 0
    (tmp_path / "lake" / "zoho_crm").mkdir(parents=True)
    assert check(small(), "--destination", "filesystem").code == 0
    assert list((tmp_path / "lake").rglob("*")) == [tmp_path / "lake" / "zoho_crm"]


def test_a_folder_that_cannot_be_written_to_is_2(check, monkeypatch, tmp_path):
    (tmp_path / "lake").write_text("a file in the place of the folder")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    done = check(small(), "--destination", "filesystem")
    assert (done.code, done["destination"]) == (2, "failed")


@pytest.mark.parametrize("schema", [True, False])
def test_a_database_is_written_to_and_left_as_it_was(schema, check, monkeypatch, tmp_path):
    file = tmp_path / "mine.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute("create table main.mine as select 42 as answer")
        if schema:
            database.execute("create schema zoho_crm")
            database.execute("create table zoho_crm.zoho_crm_check as select 1 as probe")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(file))
    before = shape(file)
    done = check(small())
    assert (done.code, done["destination"]) == (0, "ok")
    assert shape(file) == before


def shape(file):
    with duckdb.connect(str(file), read_only=True) as database:
        tables = database.execute("select table_schema, table_name from information_schema.tables").fetchall()
        schemas = database.execute("select schema_name from duckdb_schemas() where not internal").fetchall()
        return sorted(tables), sorted(schemas)


def test_a_configured_database_that_does_not_exist_yet_is_not_left_behind(check, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "new.duckdb"))
    assert check(small()).code == 0
    assert not list(tmp_path.glob("*.duckdb*"))


def test_a_database_that_may_only_be_read_is_2(check, monkeypatch, tmp_path):
    with duckdb.connect(str(tmp_path / "old.duckdb")) as database:
        database.execute("create schema zoho_crm")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__DATABASE", str(tmp_path / "old.duckdb"))
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__READ_ONLY", "true")
    done = check(small())
    assert (done.code, done["destination"]) == (2, "failed")
    assert "is open, but not writable" in done.says("destination")


def test_a_database_that_another_process_has_open_is_2_and_the_process_is_named(check, tmp_path):
    hold = (
        "import duckdb, sys; c = duckdb.connect('zoho.duckdb'); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        done = check(small())
        other.communicate("")
    assert (done.code, done["destination"]) == (2, "failed")
    assert f"zoho.duckdb is open in another process, PID {other.pid}:" in done.says("destination")
    assert "-> close it there" in done.says("destination")


def test_a_database_in_a_folder_that_does_not_exist_is_2(check, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "no" / "zoho.duckdb"))
    done = check(small())
    assert (done.code, done["destination"]) == (2, "failed")
    assert f"the folder {tmp_path / 'no'} of the DuckDB file does not exist" in done.says("destination")
    assert not (tmp_path / "no").exists()


@pytest.fixture
def unwritable(tmp_path):
    """A folder in which not even the administrator can make a file, who may well run the tests."""
    if os.geteuid():
        (tmp_path / "full").mkdir(mode=0o500)
        yield tmp_path / "full"
        (tmp_path / "full").chmod(0o700)
    elif Path("/proc/self").exists():
        yield Path("/proc")
    else:
        pytest.skip("the administrator may write everywhere here")


def test_a_database_in_a_folder_that_cannot_be_written_to_is_2(check, monkeypatch, unwritable):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(unwritable / "zoho.duckdb"))
    done = check(small())
    assert (done.code, done["destination"]) == (2, "failed")
    assert f"the folder {unwritable} of the DuckDB file cannot be written to" in done.says("destination")
    assert "-> name another file in DESTINATION__DUCKDB__CREDENTIALS" in done.says("destination")


def test_a_pipelines_dir_that_cannot_be_used_is_2(check):
    done = check(small(), "--pipelines-dir", "/dev/null/x")
    assert (done.code, done["lock"]) == (2, "failed")
    assert "-> name a folder that you may write to with --pipelines-dir" in done.says("lock")
    assert done["token"] == "ok"


# ---- lock and disk


def test_another_run_in_progress_is_a_warning_and_the_account_is_checked_all_the_same(check, tmp_path):
    with pipeline_lock(str(tmp_path / "p"), "zoho_crm"):
        done = check(small(), "--pipelines-dir", str(tmp_path / "p"))
    assert (done.code, done["lock"], done["destination"]) == (0, "warning", "unknown")
    assert f"another run is in progress (process {os.getpid()} on " in done.says("lock")
    assert "keeps a second one out -> wait until it is done" in done.says("lock")
    assert done["token"] == "ok"


def test_less_room_than_the_last_runs_want_is_a_warning(command, check, tmp_path):
    org = small()
    with serve(org) as zoho:
        ran = command("--connection", f"{zoho.connection_string}{MEMORY}", "--modules", "Leads")
    assert ran.code == 0, ran.err
    assert check(org)["disk"] == "ok"
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("update zoho_crm.sync_runs set crm_count = 10000000000000 where module = 'Leads'")
    done = check(org)
    assert (done.code, done["disk"]) == (0, "warning")
    assert "a run may want 10,000,000.0 GB in the working folder" in done.says("disk")
    assert "-> make room" in done.says("disk")


def test_a_full_disk_is_1(check, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000))
    done = check(small())
    assert (done.code, done["disk"]) == (1, "failed")
    assert "3 MB free in the working folder" in done.says("disk")
    assert "a run takes at least 50 MB -> make room" in done.says("disk")

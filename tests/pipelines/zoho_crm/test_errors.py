"""Bad input: one sentence on standard error, the right exit code, no traceback, no secret."""

from __future__ import annotations

import errno

import duckdb
import filelock
import pytest

from pipelines.zoho_crm import cli, demo
from pipelines.zoho_crm.errors import DISK_FULL, _places, causes, describe_error, one_line, root_message
from pipelines.zoho_crm.run.lock import lock_file
from simulators.zoho_crm import serve
from sources.zoho_crm.exceptions import CredentialsError, SettingsError, ZohoConnectionError, zoho_error
from tests.support.commanding import command, shop
from tests.support.loopback import App, Reply, served

__all__ = ["command"]  # a fixture

SECRET = "5ecre7c11ent5ecre7"
NAMES = f"OAuthClientId=1000.A;OAuthClientSecret={SECRET};OAuthRefreshToken={SECRET}r;"
QUICK = "OAuthSettingsLocation=memory://;Timeout=2;"
ACCOUNT = NAMES + QUICK


@pytest.fixture
def impatient(monkeypatch):
    """No pause before a call is tried again."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def one_sentence(done, code):
    assert done.code == code, done.err
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert SECRET not in done.err + done.out
    return done.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--connection", ""], "--connection is empty"),
        (["--connection", "Region"], "setting 1 has no '='"),
        (["--connection", f"{ACCOUNT}Region=Mars"], "Region has a wrong value (Mars). Allowed: US"),
        (["--connection", "OAuthClientId=1"], "OAuthClientSecret and OAuthRefreshToken are missing"),
        (["--nonsense"], "No such option"),
        (["--progress", "loud"], "'loud' is not one of 'auto', 'bar', 'log', 'off'"),
        (["--modules", " , "], "it holds no name"),
        (["--dataset", ""], "it is empty"),
        (["--env-file", "no.env"], "The file no.env of --env-file does not exist"),
        (["--demo", "--connection", "x=1"], "--demo brings its own account"),
        (["--demo", "plan"], "The command comes first: plan"),
        (["sync"], "No such command 'sync'"),
        (["--connection", ACCOUNT, "--destination", "postgrs"], "did you mean postgres?"),
        (["--connection", ACCOUNT, "--destination", "tape"], "dlt's own are athena, bigquery"),
        (["--connection", ACCOUNT, "--destination", "postgres"], "the destination cannot be opened: Missing"),
        (["--connection", ACCOUNT, "--dataset", "Zoho"], "have one name"),
        (["--connection", ACCOUNT, "--pipelines-dir", "/dev/null/x"], "/dev/null/x cannot be used"),
    ],
    ids=lambda value: " ".join(value).replace(ACCOUNT, "...") if isinstance(value, list) else "",
)
def test_wrong_usage_or_configuration_is_2(words, part, command):
    assert part in one_sentence(command(*words), 2)


def test_nothing_at_all_is_2_and_names_every_place_looked_at(command):
    said = one_sentence(command(), 2)
    assert "looked in --connection, the environment, .env and secrets.toml" in said


def test_a_module_that_does_not_exist_is_2_with_the_nearest_name(command):
    with serve(shop()) as zoho:
        done = command("--connection", f"{zoho.connection_string}{QUICK}", "--modules", "Leeds")
    assert "no module 'Leeds'; did you mean Leads?" in one_sentence(done, 2)


def directory(path):
    path.mkdir()


def garbage(path):
    path.write_text("no database")


@pytest.mark.parametrize("make", [directory, garbage])
def test_a_destination_that_cannot_be_opened_is_2(make, command, tmp_path, monkeypatch):
    make(tmp_path / "taken.duckdb")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "taken.duckdb"))
    assert "the destination cannot be opened: " in one_sentence(command("--connection", ACCOUNT), 2)


def test_a_file_that_is_configured_and_named_like_the_dataset_is_2(command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", f"duckdb:///{tmp_path}/zoho_crm.duckdb")
    assert "rename the file, or choose another --dataset" in one_sentence(command("--connection", ACCOUNT), 2)


def test_a_file_that_is_configured_is_used(command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "mine.duckdb"))
    with serve(shop()) as zoho:
        done = command("--connection", f"{zoho.connection_string}{QUICK}", "--modules", "Vendors")
    assert done.code == 0, done.err
    with duckdb.connect(str(tmp_path / "mine.duckdb"), read_only=True) as database:
        assert database.execute("select count(*) from zoho_crm.vendors").fetchone() == (0,)


def test_a_destination_with_a_name_of_the_users_own_is_known_by_its_type(command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__WAREHOUSE__DESTINATION_TYPE", "duckdb")
    monkeypatch.setenv("DESTINATION__WAREHOUSE__CREDENTIALS", str(tmp_path / "zoho_crm.duckdb"))
    done = command("--connection", ACCOUNT, "--destination", "warehouse")
    assert "The DuckDB file zoho_crm.duckdb and the dataset zoho_crm have one name" in one_sentence(done, 2)


def test_a_refused_token_is_3(command):
    with serve(shop()) as zoho:
        done = command("plan", "--connection", f"{zoho.connection_string}{QUICK}OAuthRefreshToken=1.2.3")
    assert "Zoho does not know this refresh token" in one_sentence(done, 3)


def test_an_unreachable_host_is_1(command, impatient):
    done = command("plan", "--connection", f"{ACCOUNT}AccountsServer=http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in one_sentence(done, 1)


def test_a_tls_failure_is_1_and_says_so(command, impatient):
    with served(App(lambda call: Reply())) as plain:
        url = plain.url.replace("http:", "https:")
        done = command("plan", "--connection", f"{ACCOUNT}AccountsServer={url}")
    assert "TLS certificate is not accepted" in one_sentence(done, 1)


def test_a_held_lock_is_5_and_nothing_is_done(command, tmp_path):
    place = tmp_path / "p"
    place.mkdir()
    with filelock.FileLock(lock_file(str(place), "zoho_crm")):
        done = command("--connection", ACCOUNT, "--pipelines-dir", str(place))
    assert one_sentence(done, 5) == (
        "Error: Another run of the pipeline zoho_crm is in progress; nothing was done.\n"
    )
    assert not list(tmp_path.glob("*.duckdb"))


def test_the_lock_of_a_dead_process_does_not_block(command, tmp_path):
    lock_file(str(tmp_path), "zoho_crm").write_text("4711")
    with serve(shop()) as zoho:
        text = f"{zoho.connection_string}{QUICK}"
        assert command("plan", "--connection", text, "--pipelines-dir", str(tmp_path)).code == 0


def test_a_mistake_of_ours_is_one_sentence_and_a_traceback_without_secrets_in_a_file(
    command, monkeypatch, tmp_path
):
    token = "1000.0123456789abcdef0123456789abcdef.fedcba9876543210"

    def broken(*_):
        raise RuntimeError(f"{SECRET} and {token}")

    monkeypatch.setattr(demo, "opened_account", broken)
    done = command("plan", "--connection", ACCOUNT, "--pipelines-dir", str(tmp_path / "p"))
    said = one_sentence(done, 1)
    [file] = (tmp_path / "p").glob("zoho_crm-error-*.txt")
    assert said == f"Error: Unexpected RuntimeError: its traceback is in {file}.\n"
    kept = file.read_text()
    assert "RuntimeError: *** and ***" in kept
    assert SECRET not in kept
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "rule", ["--privacy=*.Email: hash", "--fields=Leads.Email", "--filters=Leads.Email: equal x"]
)
def test_where_fields_are_private_the_traceback_names_places_and_no_values(
    command, monkeypatch, tmp_path, rule
):
    def broken(*_):
        try:
            raise ValueError("ann@example.com is no number")
        except ValueError as error:
            raise RuntimeError("ann@example.com") from error

    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", "k" * 32)
    monkeypatch.setattr(demo, "opened_account", broken)
    done = command("plan", rule, "--connection", ACCOUNT, "--pipelines-dir", str(tmp_path / "p"))
    one_sentence(done, 1)
    [file] = (tmp_path / "p").glob("zoho_crm-error-*.txt")
    kept = file.read_text()
    assert [word in kept for word in ("builtins.ValueError", "builtins.RuntimeError", "in broken")] == [
        True
    ] * 3
    assert "ann@example.com" not in kept.replace('"ann@example.com is no number"', "").replace(
        '"ann@example.com"', ""
    )


def test_ctrl_c_is_130_with_one_line(command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "open_command", interrupted)
    assert "Interrupted." in one_sentence(command("plan"), 130)


def wrapped(error):
    try:
        try:
            raise error
        except BaseException as inner:
            raise RuntimeError("a step of dlt failed") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (SettingsError("Region is wrong"), 2, "Region is wrong"),
        (CredentialsError("revoked"), 3, "revoked"),
        (ZohoConnectionError("no answer"), 1, "no answer"),
        (zoho_error("GET /x", 401, {"code": "OAUTH_SCOPE_MISMATCH"}), 3, "`check` names the scopes"),
        (zoho_error("GET /x", 500, {"code": "INTERNAL_ERROR"}), 1, "500 INTERNAL_ERROR GET /x"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 1, f"{DISK_FULL} (/data/x)"),
        (OSError(errno.EACCES, "Permission denied", "/data/x"), 1, "No permission to write (/data/x)"),
        (duckdb.IOException("IO Error: Could not set lock on file"), 5, "open in another process"),
        (duckdb.IOException("No space left on device"), 1, DISK_FULL),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_dlt_wraps_is_still_told_as_what_it_is(error, code, part):
    sentence, found = describe_error(wrapped(error))
    assert found == code
    assert part in sentence


def test_ctrl_c_is_told_though_dlt_and_we_take_it_for_a_failure():
    try:
        raise SettingsError("the destination cannot be opened") from wrapped(KeyboardInterrupt())
    except SettingsError as error:
        assert describe_error(error)[1] == 130


def test_what_nobody_knows_is_not_explained_away():
    assert describe_error(wrapped(ZeroDivisionError())) is None


def test_causes_that_go_in_a_circle_end():
    one, other = ValueError(1), ValueError(2)
    one.__cause__, other.__cause__ = other, one
    assert list(causes(one)) == [one, other]
    assert root_message(one) == "2"
    assert _places(one) == ["builtins.ValueError\n", "\nand then\n\n", "builtins.ValueError\n"]


def test_a_sentence_has_one_line_and_an_end():
    assert one_line(" a\n\n b\t c ") == "a b c"
    assert one_line("x" * 2000) == "x" * 997 + "..."


def test_a_password_that_a_library_repeats_is_not_shown(command, monkeypatch):
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "host=foo password=hunter2secret")
    done = command("--connection", ACCOUNT, "--destination", "postgres")
    assert done.code == 2
    assert "hunter2secret" not in done.out + done.err
    assert "the destination cannot be opened" in done.err

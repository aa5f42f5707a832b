"""`check`: one line a check, what to do about each failure, and the exit code of the first."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.zoho_crm.scopes import covers, lacking
from simulators.zoho_crm import serve
from sources.zoho_crm.settings import DEFAULT_SCOPES
from tests.commanding import command, shop
from tests.loopback import App, Reply, served

__all__ = ["command"]  # a fixture

SECRET = "5ecre7c11ent5ecre7"
DEAD = (
    f"OAuthClientId=1;OAuthClientSecret={SECRET};OAuthRefreshToken={SECRET}r;OAuthSettingsLocation=memory://;"
)


def test_a_good_account_and_destination_pass_and_nothing_is_left(command, tmp_path):
    org = shop()
    with serve(org) as zoho:
        done = command("check", "--connection", f"{zoho.connection_string}OAuthSettingsLocation=memory://")
    assert done.code == 0, done.err
    names = ["settings", "token", "organisation", "scopes", "destination"]
    assert [line.split(":")[0] for line in done.out.splitlines()[:-1]] == names
    assert all(": ok: " in " ".join(line.split()) for line in done.out.splitlines()[:-1])
    assert org.account.zgid in done.out
    assert done.out.splitlines()[-1] == "A run would work."
    assert not list(tmp_path.glob("zoho.duckdb*"))


def test_missing_settings_are_2_and_the_destination_is_checked_all_the_same(command):
    done = command("check", "--log-format", "json")
    assert done.code == 2
    assert [(event.get("check"), event.get("ok")) for event in done.events[:-1]] == [
        ("settings", False),
        ("destination", True),
    ]
    assert "OAuthRefreshToken" in done.events[0]["detail"]


def test_a_refused_refresh_token_is_3_with_what_to_do(command):
    with serve(shop()) as zoho:
        wrong = f"{zoho.connection_string}OAuthSettingsLocation=memory://;OAuthRefreshToken=1000.n0t.it"
        done = command("check", "--connection", wrong)
    assert done.code == 3
    assert done.lines("token")[0].startswith("token:        failed: Zoho does not know this refresh token")
    assert "Connected Apps" in done.out


def test_a_gateway_in_the_place_of_the_accounts_server_is_1(command):
    page = Reply("<html>Who are you?</html>", headers={"Content-Type": "text/html"})
    with served(App(lambda call: page)) as gateway:
        done = command("check", "--connection", f"{DEAD}AccountsServer={gateway.url}")
    assert done.code == 1
    assert "text/html instead of a token: check AccountsServer" in done.lines("token")[0]
    assert not done.lines("organisation")
    assert SECRET not in done.out + done.err


def test_a_missing_scope_is_3_only_if_a_run_needs_it(command):
    org = shop()
    with serve(org) as zoho:
        text = f"{zoho.connection_string}OAuthSettingsLocation=memory://"
        org.scopes = {"ZohoCRM.modules.ALL", "zohocrm.settings.read"}
        some = command("check", "--connection", text)
        org.scopes = {"ZohoCRM.settings.READ"}
        none = command("check", "--connection", text)
    assert some.code == 0, some.out
    assert "without ZohoCRM.users.READ the table users is left out" in some.lines("scopes")[0]
    assert "its name may not be read with this token" in some.lines("organisation")[0]
    assert none.code == 3
    assert "not granted: ZohoCRM.modules.READ" in none.lines("scopes")[0]


def test_every_scope_of_the_users_own_list_is_needed():
    wanted = ["ZohoCRM.modules.READ", "ZohoCRM.users.READ"]
    assert lacking({"zohocrm.MODULES.all"}, wanted) == (["ZohoCRM.users.READ"], [])


def test_nothing_is_lacking_when_all_that_a_sync_asks_for_is_granted():
    assert lacking(DEFAULT_SCOPES, None) == ([], [])


@pytest.mark.parametrize(
    ("granted", "scope", "covered"),
    [
        ("ZohoCRM.modules.READ", "ZohoCRM.modules.READ", True),
        ("zohocrm.modules.read", "ZohoCRM.modules.READ", True),
        ("ZohoCRM.modules.ALL", "ZohoCRM.modules.leads.READ", True),
        ("ZohoCRM.modules.leads.READ", "ZohoCRM.modules.READ", False),
        ("ZohoCRM.modules.CREATE", "ZohoCRM.modules.READ", False),
        ("ZohoCRM.settings.ALL", "ZohoCRM.modules.READ", False),
    ],
)
def test_a_scope_is_covered_by_itself_by_all_and_by_a_wider_group(granted, scope, covered):
    assert covers({granted}, scope) is covered


def test_the_five_scopes_that_other_connectors_ask_for_are_enough():
    granted = [f"ZohoCRM.{name}.READ" for name in ("bulk", "coql", "modules")]
    granted += ["ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ"]
    needed, missed = lacking(granted, None)
    assert needed == []
    assert ("ZohoCRM.settings.READ", "the tables of settings are left out") in missed


@pytest.fixture
def account():
    with serve(shop()) as zoho:
        yield f"{zoho.connection_string}OAuthSettingsLocation=memory://"


def test_a_folder_of_parquet_files_is_written_to_and_left_as_it_was(account, command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    words = ("check", "--destination", "filesystem", "--connection", account)
    assert command(*words).code == 0
    (tmp_path / "lake" / "zoho_crm").mkdir(parents=True)
    assert command(*words).code == 0
    assert list((tmp_path / "lake").rglob("*")) == [tmp_path / "lake" / "zoho_crm"]


def test_a_folder_that_cannot_be_written_to_is_2(account, command, monkeypatch, tmp_path):
    (tmp_path / "lake").write_text("a file in the place of the folder")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    done = command("check", "--destination", "filesystem", "--connection", account)
    assert done.code == 2
    assert done.lines("destination")[0].startswith("destination:  failed: ")


def test_a_database_that_has_the_dataset_is_written_to_and_left_as_it_was(account, command, tmp_path):
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("create schema zoho_crm")
    done = command("check", "--connection", account)
    assert (done.code, done.err) == (0, "")
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        assert database.execute("select * from information_schema.tables").fetchall() == []


def test_a_database_that_may_only_be_read_is_2(account, command, tmp_path, monkeypatch):
    with duckdb.connect(str(tmp_path / "old.duckdb")) as database:
        database.execute("create schema zoho_crm")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__DATABASE", str(tmp_path / "old.duckdb"))
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__READ_ONLY", "true")
    done = command("check", "--connection", account)
    assert done.code == 2
    assert "is open, but not writable" in done.lines("destination")[0]

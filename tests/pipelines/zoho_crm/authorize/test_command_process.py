"""`authorize` as a process: at a terminal of its own, at the end of a pipe, and with Ctrl-C."""

from __future__ import annotations

import pytest

from tests.pipelines.zoho_crm.test_process import run
from tests.support.consenting import URL, Terminal, account_of, asking, press

SECRET = "5ecre7c11ent5ecre7"


def test_a_person_is_asked_for_what_is_missing_and_ctrl_c_writes_nothing(tmp_path):
    with (
        account_of() as account,
        Terminal(
            tmp_path, "authorize", "--no-browser", "--connection", f"CallbackURL={account.callback}"
        ) as terminal,
    ):
        terminal.until("Region of the account (US, Europe, India")
        terminal.type("Mars\n")
        terminal.until("it is none of US, Europe")
        terminal.type("ca\n")
        asked = terminal.until("Client ID: ")
        assert "1. Open https://api-console.zohocloud.ca as an administrator" in asked
        assert f"as Authorized Redirect URI exactly {account.callback}\r\n3. Choose CREATE" in asked
        terminal.type("1000.MYCLIENT\n")
        terminal.until("Client Secret (not shown): ")
        terminal.type(f"{SECRET}\n")
        assert terminal.url().startswith("https://accounts.zohocloud.ca/oauth/v2/auth?")
        terminal.until("paste it here.")
        terminal.press("\x03")
        code, said = terminal.end()
    assert code == 130
    assert said.endswith("Error: Interrupted. Nothing was written.\r\n")
    assert SECRET not in said
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize("keys", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_a_question_that_is_left_writes_nothing(tmp_path, keys):
    with Terminal(tmp_path, "authorize") as terminal:
        terminal.until("Region of the account")
        terminal.press(keys)
        code, said = terminal.end()
    assert code == 130
    assert "Interrupted. Nothing was written." in said


def test_the_whole_dialogue_ends_with_a_run_that_would_work(tmp_path):
    with account_of() as account:
        pairs = dict(part.split("=", 1) for part in account.connection.rstrip(";").split(";"))
        names = ("AccountsServer", "APIDomain", "CallbackURL")
        connection = ";".join(f"{name}={pairs[name]}" for name in names)
        words = ("authorize", "--no-browser", "--connection", connection)
        with Terminal(tmp_path, *words) as terminal:
            terminal.until("Client ID: ")
            terminal.type(f"{pairs['OAuthClientId']}\n")
            terminal.until("Client Secret (not shown): ")
            terminal.type(f"{pairs['OAuthClientSecret']}\n")
            press(terminal.url())
            code, said = terminal.end()
        assert code == 0, said
        assert "Zoho gave a refresh token. Written to .env" in said
        assert not any(secret in said for secret in account.secrets)


def test_a_self_client_is_explained_and_its_code_is_not_shown(tmp_path):
    with account_of() as account:
        words = ("authorize", "--self-client", "--connection", account.connection)
        with Terminal(tmp_path, *words) as terminal:
            terminal.until("Code (not shown): ")
            terminal.type(f"{account.org.tokens.self_client_code(['ZohoCRM.modules.READ'])}\n")
            code, said = terminal.end()
        assert code == 3, said  # the settings were left out
        assert "ZohoCRM.settings.READ" in said
        assert not any(secret in said for secret in account.secrets)


@pytest.mark.long
def test_the_address_may_come_through_a_pipe(tmp_path):
    with account_of() as account:
        with asking(account, tmp_path) as (process, said):
            out, err = process.communicate(press(URL.search(said)[0], follow=False) + "\n", timeout=300)
        assert (process.returncode, err) == (0, ""), out
        assert not any(secret in said + out for secret in account.secrets)


@pytest.mark.long
def test_a_closed_standard_input_is_2_and_names_the_flag(tmp_path):
    done = run(tmp_path, "authorize", python=())
    assert done.returncode == 2
    assert "give --client-id and --client-secret" in done.stderr

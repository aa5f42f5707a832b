"""`authorize` in this process: what it writes, what it leaves, and what it says when there is no token."""

from __future__ import annotations

import os
import pty
import re
import socket
import stat
import threading
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import requests
from dotenv import dotenv_values

from pipelines.zoho_crm.authorize import command as authorizing
from pipelines.zoho_crm.authorize.callback_server import spell
from simulators.zoho_crm import Quirks
from sources.zoho_crm.auth.connection_string import split_settings
from sources.zoho_crm.auth.credentials import KEY
from sources.zoho_crm.service import CRM
from tests.support.commanding import command, restored_environment
from tests.support.consenting import URL, account_of, press
from tests.support.loopback import App, Reply, served

__all__ = ["command", "restored_environment"]  # fixtures


@pytest.fixture
def account():
    with account_of() as account:
        yield account


@pytest.fixture
def authorize(command, account, monkeypatch):
    """`authorize(...)` with nothing on standard input, or the text of `piped`; no secret is ever said."""

    def call(*words, piped="", connection=account.connection):
        read, write = os.pipe()
        os.write(write, piped.encode())
        os.close(write)
        given = ("--connection", connection) if connection else ()
        with os.fdopen(read) as stream:
            monkeypatch.setattr("sys.stdin", stream)
            done = command("authorize", *given, *words)
        assert not any(secret in done.out + done.err for secret in account.secrets)
        return done

    return call


def written(path=".env"):
    return dict(split_settings(dotenv_values(path, interpolate=False)[KEY]))


def nothing_written(folder):
    return not (folder / ".env").exists()


def test_two_steps_without_a_terminal_the_address_and_then_what_it_led_to(
    authorize, account, command, tmp_path
):
    asked = authorize()
    assert asked.code == 2
    assert "give the address that it leads to with --code" in asked.err
    assert nothing_written(tmp_path)
    back = press(URL.search(asked.out)[0], follow=False)
    done = authorize("--code", back)
    assert done.code == 0, done.err
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert written() == {**dict(split_settings(account.connection)), "OAuthRefreshToken": account.issued[0]}
    for name in [name for name in os.environ if name.startswith(KEY)]:
        del os.environ[name]
    run = command("run", "--modules", "Leads")
    assert run.code == 0, run.err


def test_authorising_again_replaces_the_token_and_nothing_else(authorize, account, tmp_path):
    text = (
        "# my CRM\nA='1'\n"
        f"export {KEY}=\"\n  {account.connection.replace(';', ';' + chr(10) + '  ')}ReadAPI = 'REST';\n"
        '  OAuthRefreshToken="1000.old";" # the account\n\nB=2 # two\n'
    )
    (tmp_path / ".env").write_text(text.replace('"1000.old"', "1000.old"))
    done = authorize("--code", account.code(), connection=None)
    assert done.code == 0, done.err + done.out
    # The value that changes is put in single quotes; within them a single one is escaped.
    value = text[text.index('="') + 2 : text.index('" # the account')]
    new = value.replace('"1000.old"', account.issued[0])
    expected = text.replace(f'"{value}"', "'" + new.replace("'", "\\'") + "'")
    assert (tmp_path / ".env").read_text() == expected
    again = authorize("--code", account.code(), connection=None)
    assert again.code == 0
    assert (tmp_path / ".env").read_text() == expected.replace(*account.issued)


def test_a_file_of_another_name_is_made_or_kept(authorize, account, tmp_path):
    done = authorize("--env-file", "my.env", "--code", account.code())
    assert (done.code, nothing_written(tmp_path)) == (0, True)
    assert written("my.env")["OAuthRefreshToken"] == account.issued[0]


def test_separate_keys_stay_separate_keys(authorize, account, tmp_path):
    tokens, keys = account.org.tokens, dict(split_settings(account.connection))
    (tmp_path / ".env").write_text(
        f"{KEY}__OAUTH_CLIENT_ID={tokens.client_id}\n{KEY}__OAUTH_CLIENT_SECRET={tokens.client_secret}\n"
        f"{KEY}__ACCOUNTS_SERVER={keys['AccountsServer']}\n{KEY}__API_DOMAIN={keys['APIDomain']}\n"
        f"{KEY}__CALLBACK_URL={account.callback}\n{KEY}__OAUTH_REFRESH_TOKEN=1000.old\n"
    )
    account.org.tokens.location = "eu"
    address = (
        f"{account.callback}?code={account.code()}&location=eu&accounts-server={account.zoho.accounts_url}"
    )
    done = authorize("--code", address, connection=None)
    assert done.code == 0, done.out
    values = dotenv_values(tmp_path / ".env")
    assert values[f"{KEY}__OAUTH_REFRESH_TOKEN"] == account.issued[0]
    assert values[f"{KEY}__REGION"] == "Europe"
    assert KEY not in values


def test_an_old_access_token_and_a_spent_verifier_do_not_stay(authorize, account, tmp_path):
    old = f"{account.connection}OAuthAccessToken=1000.old;OAuthVerifier={account.code()};"
    (tmp_path / ".env").write_text(f"{KEY}='{old}'\n")
    done = authorize(connection=None)  # the verifier is the code
    assert done.code == 0, done.err + done.out
    assert written()["OAuthAccessToken"] in account.org.tokens.access
    assert "OAuthVerifier" not in written()


def test_flags_win_and_are_written(authorize, account, tmp_path):
    tokens = account.org.tokens
    (tmp_path / ".env").write_text(
        f"{KEY}='{account.connection}OAuthClientId=wrong;OAuthClientSecret=wrong;'\n"
    )
    words = ("--client-id", tokens.client_id, "--client-secret", tokens.client_secret, "--region", "uk")
    done = authorize(*words, "--code", account.code(), connection=None)
    assert done.code == 0, done.err + done.out
    assert (written()["OAuthClientId"], written()["Region"]) == (tokens.client_id, "UK")


def test_a_variable_of_the_environment_that_wins_over_the_file_is_named(authorize, account, monkeypatch):
    monkeypatch.setenv(KEY, f"{account.connection}OAuthRefreshToken=1000.old")
    done = authorize("--code", account.code(), connection=None)
    assert done.code == 0, done.out
    assert f"Warning: {KEY} is set in the environment and wins over .env" in done.err


@pytest.mark.parametrize("flag", [True, False])
def test_the_code_of_a_self_client(authorize, account, flag):
    code = account.org.tokens.self_client_code(CRM.scopes)
    done = authorize("--self-client", *(("--code", code) if flag else ()), piped="" if flag else f"{code}\n")
    assert done.code == 0, done.err + done.out
    call = account.org.ledger.calls("POST /oauth/v2/token")[0]
    assert b"redirect_uri" not in call.body
    if not flag:
        assert done.out.splitlines()[0].startswith(
            "1. Open https://api-console.zoho.com, choose the Self Client"
        )
        assert f"2. Scope: {','.join(CRM.scopes)}" in done.out


def test_a_self_client_without_a_code_is_2_and_names_the_flag(authorize, tmp_path):
    done = authorize("--self-client")
    assert (done.code, nothing_written(tmp_path)) == (2, True)
    assert "give the Self Client's code with --code" in done.err


# ---- no token


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "OAuthClientId and OAuthClientSecret are missing, and standard input is not a terminal"),
        (("--client-id", "1000.X"), "OAuthClientSecret is missing, .* give --client-secret"),
        (("--region", "EU"), "They come from https://api-console.zoho.eu"),
        (("--region", "CA"), "https://api-console.zohocloud.ca"),
        (("--region", "Mars"), "Region has a wrong value .Mars.. Allowed: US/USA/"),
        (("--connection", " "), "--connection is empty"),
        (("--connection", "InitiateOAuth=OFF"), "InitiateOAuth=OFF forbids to get tokens"),
        (("--connection", "AuthScheme=ClientCredentials"), "needs no consent and no refresh token"),
        (("--code", "x y"), "neither a code nor the address"),
        (("--code", "https://localhost/?state=1"), "neither a code nor the address"),
        (("--env-file", "no/where/.env"), "cannot be written, so the tokens would be lost"),
        (("--wait", "soon"), "is not a length of time"),
        (("--demo",), "No such option:? .?--demo"),
    ],
)
def test_what_is_missing_or_wrong_is_2_and_said_in_one_line(authorize, tmp_path, words, said):
    client = () if not {"--code"} & set(words) else ("--client-id", "1000.X", "--client-secret", "y")
    done = authorize(*words, *client, connection=None)
    assert (done.code, done.err.count("\n"), nothing_written(tmp_path)) == (2, 1, True), done.err
    assert re.search(said, done.err), done.err


def online(account):
    return account.code(offline=False)


def expired(account):
    code = account.code()
    account.org.clock.advance(180)
    return code


def spent(account):
    code = account.code()
    account.org.tokens.codes[code].used = True
    return code


def unregistered(account):
    return account.code(redirect_uri="http://localhost:9/else")


def throttled(account):
    account.org.rules.access_tokens_per_window = 0
    return account.code()


def rejected(account):
    return f"{account.callback}?state=s&error=access_denied"


def elsewhere(account):
    account.org.tokens.client_id = "1000.ANOTHER"
    return f"{account.callback}?code={account.code()}&location=eu&accounts-server=https://accounts.zoho.eu"


def odd(account):
    account.org.tokens.client_id = "1000.ANOTHER"
    return account.code()


def secretless(account):
    account.org.tokens.client_secret = "another secret of the client"
    return account.code()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (online, "no refresh token, so nothing was written"),
        (expired, "Zoho does not take this code"),
        (spent, "Zoho does not take this code"),
        (unregistered, "has not registered the redirect URI http://127.0.0.1:"),
        (throttled, "10 codes and 10 tokens in 10 minutes"),
        (rejected, "Zoho answered access_denied: Reject was pressed"),
        (elsewhere, "The account lives in Europe, and 127.0.0.1"),
        (odd, "Zoho does not know this client at 127.0.0.1"),
        (secretless, "OAuthClientSecret does not fit OAuthClientId"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("status", [200, 400])
def test_what_zoho_refuses_is_3_in_one_sentence_and_writes_nothing(
    authorize, account, tmp_path, code, said, status
):
    account.org.quirks = Quirks(token_error_status=status, throttle_status=status)
    (tmp_path / ".env").write_text("A=1\n")
    done = authorize("--code", code(account))
    assert (done.code, done.err.count("\n")) == (3, 1), done.err
    assert said in done.err
    assert (tmp_path / ".env").read_text() == "A=1\n"


def test_a_check_that_fails_gives_its_code_after_the_tokens_are_written(authorize, account):
    code = account.code(scopes=frozenset({"ZohoCRM.settings.READ"}))
    done = authorize("--code", code)
    assert done.code == 3
    assert "ZohoCRM.modules.READ" in done.out
    assert written()["OAuthRefreshToken"] == account.issued[0]


# ---- where the account lives


def test_a_redirect_to_another_data_centre_is_written(authorize, account):
    query = {"code": account.code(), "location": "in", "accounts-server": "https://accounts.zoho.in"}
    done = authorize("--code", f"{account.callback}?{urlencode(query)}")
    assert done.code == 0, done.err + done.out
    assert written()["Region"] == "India"
    assert "Region=India" in done.out
    assert written()["AccountsServer"] == account.zoho.accounts_url  # a gateway that the user named stays


def test_no_secret_goes_to_a_host_that_somebody_put_into_the_redirect(authorize, account, tmp_path):
    with served(App(lambda call: Reply({"access_token": "1", "refresh_token": "2"}))) as thief:
        query = {"code": account.code(), "location": "eu", "accounts-server": thief.url}
        done = authorize("--code", f"{account.callback}?{urlencode(query)}")
        assert thief.calls == []
    assert (done.code, nothing_written(tmp_path)) == (3, True)
    assert "none of Zoho's accounts servers known here: no secret is sent there" in done.err
    assert account.org.ledger.calls("POST /oauth/v2/token") == []


def test_zohos_own_server_of_the_redirect_is_asked_and_no_other(authorize, account, tmp_path):
    """By a proxy, which sees the host and nothing more of a call that is encrypted."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        seen = []

        def refuse():
            while True:
                try:
                    caller, _ = proxy.accept()
                except OSError:
                    return
                with caller:
                    seen.append(caller.recv(4096).partition(b" HTTP")[0])
                    caller.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        connection = (
            "OAuthClientId=1000.X;OAuthClientSecret=5ecre7c11ent;AccountsServer=https://accounts.zoho.com;"
            f"ProxyServer=127.0.0.1;ProxyPort={proxy.getsockname()[1]}"
        )
        back = f"http://localhost:8080/callback?code={account.code()}&location=jp"
        address = f"{back}&accounts-server={quote('https://accounts.zoho.jp')}"
        done = authorize("--code", address, connection=connection)
        proxy.shutdown(socket.SHUT_RDWR)
    assert (done.code, nothing_written(tmp_path)) == (1, True)
    assert set(seen) == {b"CONNECT accounts.zoho.jp:443"}


# ---- which scopes


def scopes_of(url):
    return parse_qs(urlsplit(url).query)["scope"][0].split(",")


@pytest.mark.parametrize(
    ("words", "settings", "expected"),
    [
        ((), "", set(CRM.scopes)),
        ((), "Scope=ZohoCRM.org.READ,ZohoCRM.modules.ALL", {"ZohoCRM.org.READ", "ZohoCRM.modules.ALL"}),
        ((), "ReadAPI=REST", set(CRM.scopes) - {"ZohoCRM.bulk.READ", "ZohoCRM.coql.READ"}),
        ((), "UseCOQL=false", set(CRM.scopes) - {"ZohoCRM.coql.READ"}),
        (
            ("--exclude", "Users,org,currencies"),
            "",
            set(CRM.scopes) - {"ZohoCRM.users.READ", "ZohoCRM.org.READ"},
        ),
        (
            ("--modules", "users"),
            "",
            {"ZohoCRM.users.READ", "ZohoCRM.settings.modules.READ"},
        ),
    ],
)
def test_the_address_asks_for_what_the_chosen_tables_need(authorize, account, words, settings, expected):
    asked = authorize(*words, connection=account.connection + settings)
    assert set(scopes_of(URL.search(asked.out)[0])) == expected


@pytest.mark.parametrize(
    ("modules", "scope"),
    [
        ("Leads,users", "ZohoCRM.modules.leads.READ"),
        ("Sales_Orders", "ZohoCRM.modules.salesorders.READ"),
        ("Leads,Lighthouses", "ZohoCRM.modules.READ"),
    ],
)
def test_modules_that_have_a_scope_of_their_own_get_no_more(authorize, modules, scope):
    found = scopes_of(URL.search(authorize("--modules", modules).out)[0])
    assert [name for name in found if ".modules." in name and "settings" not in name] == [scope]


@pytest.mark.parametrize("names", ["Leads,Deals,users", "roles,tags"])
@pytest.mark.cases(1)
def test_the_scopes_of_a_few_tables_are_enough_to_copy_them(authorize, account, command, names):
    asked = authorize("--modules", names)
    done = authorize("--code", press(URL.search(asked.out)[0], follow=False), "--modules", names)
    assert done.code == 0, done.out
    run = command("run", "--modules", names)
    assert run.code == 0, run.out + run.err
    assert " 0 skipped" in run.out.splitlines()[-1] or "skipped" not in run.out.splitlines()[-1], run.out


# ---- the answer on loopback


@pytest.fixture
def at_a_terminal(command, account, monkeypatch):
    """`authorize` at a terminal whose browser is `person(url)`, in a thread; `type_in` is what is pasted meanwhile."""

    def call(person, *words, typed=""):
        master, slave = pty.openpty()
        threads = []

        def opened(url):
            threads.append(threading.Thread(target=person, args=(url,)))
            threads[-1].start()
            return True

        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(authorizing.webbrowser, "open", opened)
        with os.fdopen(slave) as stream:
            monkeypatch.setattr("sys.stdin", stream)
            os.write(master, typed.encode())
            done = command("authorize", "--connection", account.connection, *words)
        for thread in threads:
            thread.join()
        os.close(master)
        assert not any(secret in done.out + done.err for secret in account.secrets)
        return done

    return call


def test_the_browser_brings_the_answer_by_itself(at_a_terminal, account):
    pages = []
    done = at_a_terminal(lambda url: pages.append(press(url)))
    assert done.code == 0, done.err + done.out
    assert written()["OAuthRefreshToken"] == account.issued[0]
    assert "Thank you" in pages[0].text
    assert pages[0].headers["Cache-Control"] == "no-store"


def test_reject_is_3_and_the_page_says_what_to_do(at_a_terminal, account, tmp_path):
    pages = []
    done = at_a_terminal(lambda url: pages.append(press(url, "reject")))
    assert (done.code, nothing_written(tmp_path)) == (3, True)
    assert "Reject was pressed" in done.err
    assert "Reject was pressed" in pages[0].text


def test_what_is_not_the_answer_changes_nothing(at_a_terminal, account):
    seen = []

    def person(url):
        for query in ("state=wrong&code=1000.stolencode", "code=1000.stolencode", "state=wrong&error=x", ""):
            seen.append(requests.get(f"{account.callback}?{query}", timeout=300).status_code)
        seen.append(
            requests.get(account.callback.replace("/callback", "/favicon.ico"), timeout=300).status_code
        )
        seen.append(requests.post(account.callback, data="code=1", timeout=300).status_code)
        press(url)

    done = at_a_terminal(person)
    assert (done.code, seen) == (0, [400, 400, 400, 400, 404, 501])
    assert "stolencode" not in done.out + done.err


def test_no_answer_in_time_is_1_and_names_zohos_own_error_pages(at_a_terminal, tmp_path):
    done = at_a_terminal(lambda url: None, "--wait", "0.1s")
    assert (done.code, nothing_written(tmp_path)) == (1, True)
    for word in ("invalid_client", "invalid_redirect_uri", "Scope does not exist", "--code"):
        assert word in done.err


def test_a_port_that_is_taken_leaves_pasting(at_a_terminal, account):
    port = urlsplit(account.callback).port
    with socket.create_server(("127.0.0.1", port)):
        done = at_a_terminal(lambda url: None, typed=f"nonsense\n{account.code()}\n")
    assert done.code == 0, done.err
    assert f"because port {port} cannot be used (Address already in use)" in done.out
    assert "neither a code nor the address" in done.err


def test_a_callback_on_another_machine_leaves_pasting(at_a_terminal, account):
    account.connection = account.connection.replace(account.callback, "https://crm.example/back")
    account.callback = "https://crm.example/back"
    done = at_a_terminal(lambda url: None, typed=f"{account.code()}\n")
    assert done.code == 0, done.err
    assert "https://crm.example/back is not on this machine" in done.out


def test_json_lines_are_for_programs(authorize, account):
    asked = authorize("--log-format", "json")
    assert asked.events[0]["event"] == "consent"
    assert asked.events[0]["scopes"] == list(CRM.scopes)
    done = authorize("--log-format", "json", "--code", press(asked.events[0]["url"], follow=False))
    assert (done.events[0]["event"], done.events[-1]["event"]) == ("authorized", "summary")
    assert done.events[0]["env_file"] == ".env"


def test_a_quiet_one_still_says_which_address_to_open(authorize):
    done = authorize("-q")
    assert done.code == 2
    assert URL.search(done.out)
    [consent, error] = authorize("-q", "--log-format", "json").events
    assert (consent["event"], error["event"]) == ("consent", "error")
    assert URL.search(consent["url"])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "3 seconds"), (1, "1 second"), (90, "90 seconds"), (120, "2 minutes"), (300, "5 minutes")],
)
def test_a_short_time_is_told_in_seconds(seconds, words):
    assert spell(seconds) == words


def test_a_file_that_cannot_be_written_is_2_before_anybody_is_asked(authorize, tmp_path):
    (tmp_path / ".env").mkdir()
    done = authorize()
    assert done.code == 2
    assert done.out == ""


def test_an_interrupted_one_is_an_event_for_a_program(authorize, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(authorizing, "obtain", interrupted)
    done = authorize("--log-format", "json")
    assert (done.code, done.err) == (130, "Error: Interrupted. Nothing was written.\n")
    assert done.events[0]["exit_code"] == 130

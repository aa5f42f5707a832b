"""A proxy of the settings: understood once, and its password shown to nobody."""

from __future__ import annotations

from base64 import b64encode

import pytest

from sources.zoho_crm.auth.credentials import ZohoCredentials, resolve_credentials
from sources.zoho_crm.exceptions import SettingsError
from tests.sources.zoho_crm.auth.test_credentials import ACCESS, MINIMAL, REFRESH, SECRET, empty_environment

__all__ = ["empty_environment"]  # a fixture that every test here uses

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    "server",
    [
        f"http://bob:{PASSWORD}@proxy.example:1",
        f"bob:{PASSWORD}@proxy.example:1",
        f"{PASSWORD}@proxy.example:1",
    ],
)
def test_credentials_never_show_the_user_and_the_password_of_a_proxy(server):
    found = resolve_credentials(MINIMAL + f"ProxyServer={server}")
    for text in (str(found), repr(found), found.to_native_representation()):
        assert PASSWORD not in text
        assert "bob" not in text
        assert "***@proxy.example:1" in text
    assert f"ProxyServer={server};" in found.to_connection_string()
    assert found.proxies["https"] == server if "://" in server else f"http://{server}"


BROKEN = [
    f"http://bob:{PASSWORD}#x@proxy",
    f"http://bob:{PASSWORD}/x@proxy",
    f"http://bob:{PASSWORD}?x@proxy",
    f"http://bob:{PASSWORD}@x@proxy",
    f"http://proxy:{PASSWORD}",
    f"proxy:{PASSWORD}",
    f"http://[{PASSWORD}",
    f"http://[{PASSWORD}]",
    f"ftp://{PASSWORD}@proxy",
    f"http://bob:{PASSWORD}@",
    f"http://bob:{PASSWORD} x@proxy",
    f"http://bob:{PASSWORD}\x01@proxy",
    "http://proxy:0",
    "http://proxy:99999",
    f"http://proxy/{PASSWORD}",
]


@pytest.mark.parametrize("port", ["", "ProxyPort=3128"])
@pytest.mark.parametrize("server", BROKEN)
def test_a_malformed_proxy_is_one_sentence_without_the_value(server, port):
    with pytest.raises(SettingsError, match="^ProxyServer has a wrong value") as caught:
        resolve_credentials(MINIMAL + f'ProxyServer="{server}";{port}')
    error = caught.value
    assert PASSWORD not in f"{error!r} {error.__context__!r} {error.__cause__!r}"
    assert "\n" not in str(error)


@pytest.mark.parametrize("server", [server for server in BROKEN if PASSWORD in server])
def test_settings_that_nobody_has_checked_yet_show_no_password_either(server):
    found = ZohoCredentials()
    found.parse_native_representation(MINIMAL + f'ProxyServer="{server}"')
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize(
    "server", ["p.example", "p:3128", "https://p", "http://[::1]:3128/", "socks5h://p:9"]
)
def test_a_proxy_without_a_user_is_shown(server):
    found = resolve_credentials(MINIMAL + f"ProxyServer={server}")
    assert f"ProxyServer={server.rstrip('/')};" in repr(found)


def test_every_secret_is_listed_for_whoever_takes_them_out_of_a_text():
    found = resolve_credentials(
        MINIMAL + f"OAuthAccessToken={ACCESS};OAuthVerifier=1000.c0de;ProxyServer=http://bob:p%40ss@proxy:1"
    )
    header = b64encode(b"bob:p@ss").decode()
    assert set(found.secrets) == {SECRET, REFRESH, ACCESS, "1000.c0de", "p%40ss", "p@ss", header}
    assert found.proxies == {"http": "http://bob:p%40ss@proxy:1", "https": "http://bob:p%40ss@proxy:1"}


def test_a_user_without_a_password_may_be_a_key_and_what_was_not_given_is_no_secret():
    found = resolve_credentials(MINIMAL + "ProxyServer=http://apikey@proxy")
    assert set(found.secrets) == {SECRET, REFRESH, "apikey", b64encode(b"apikey:").decode()}
    assert set(resolve_credentials(MINIMAL + "ProxyServer=proxy").secrets) == {SECRET, REFRESH}

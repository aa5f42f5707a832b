"""What each setting may hold, what the settings say together, and the warnings about the rest."""

from __future__ import annotations

import pytest

from sources.zoho_crm.auth.credentials import BY_ATTRIBUTE, KEY, SETTINGS, resolve_credentials, warn_unknown
from sources.zoho_crm.exceptions import SettingsError
from tests.sources.zoho_crm.auth.test_credentials import ACCESS, MINIMAL, empty_environment

__all__ = ["empty_environment"]  # a fixture that every test here uses


PLAIN = [s.name for s in BY_ATTRIBUTE.values() if s.convert.__name__ not in ("text", "proxy")]


def refused(text):
    with pytest.raises(SettingsError) as caught:
        resolve_credentials(text)
    assert "\n" not in str(caught.value)
    return f"{caught.value} {caught.value.__context__!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("name", PLAIN)
def test_a_wrong_value_names_the_setting_its_forms_the_value_and_the_places(name):
    text = refused(MINIMAL + f"{name}=0wr0ng!")
    assert text.startswith(f"{name} has a wrong value (0wr0ng!). Allowed: {SETTINGS[name.casefold()].forms}.")
    assert KEY in text


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(
    "value",
    ["{} OAuthClientSecret={}", "https://me:{}@a?", "1000.{}!", "{}\x01!", "{}!\nx", "!" * 60 + "{}"],
)
def test_what_may_hold_a_piece_of_a_secret_is_not_shown(name, value):
    assert "5ecre7" not in refused(MINIMAL + f"{name}='{value.replace('{}', '5ecre7')}'")


def test_every_setting_with_a_line_break_is_named_secrets_included():
    text = refused(
        "Region=US\nAPIType=Bulk;OAuthClientId=1;OAuthClientSecret=5ecre7\r\n5ecre7;OAuthRefreshToken=5e\ncre7;"
        "InstanceType=Moon"
    )
    for name in ("Region", "OAuthClientSecret", "OAuthRefreshToken"):
        assert f"{name} holds a line break" in text
    assert "InstanceType has a wrong value (Moon). Allowed: Production, Sandbox or Development." in text
    assert "cre7" not in text
    assert text.count("Looked in") == 1


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "accounts.zoho.com", "https://me:pw@a", "http://", "http://[", "http://a:x", "http://a b"],
)
def test_a_host_must_be_a_url_without_credentials(url):
    with pytest.raises(SettingsError, match="AccountsServer has a wrong value"):
        resolve_credentials(MINIMAL + f"AccountsServer={url}")


@pytest.mark.parametrize(
    ("given_settings", "missing"),
    [
        (
            "",
            "No account is set: run `python -m pipelines.zoho_crm authorize`, or fill in .env as .env.example shows.",
        ),
        ("OAuthClientId=1;OAuthClientSecret=2", "OAuthRefreshToken is missing"),
        ("OAuthRefreshToken=3;OAuthClientId=1", "OAuthClientSecret is missing"),
        ("AuthScheme=ClientCredentials;OAuthClientId=1;OAuthClientSecret=2", "OrgId is missing"),
        (
            "InitiateOAuth=OFF;OAuthClientId=1;OAuthClientSecret=2;OAuthRefreshToken=3",
            "OAuthAccessToken is missing",
        ),
    ],
)
def test_a_missing_setting_is_named_with_the_places_looked_at(given_settings, missing):
    with pytest.raises(SettingsError) as caught:
        resolve_credentials(given_settings)
    assert str(caught.value).startswith(missing)
    places = (f"{KEY}__OAUTH", f"{KEY}__ORG_ID", "--connection, the environment, .env and secrets.toml")
    assert any(place in str(caught.value) for place in places)


def test_without_a_refresh_token_the_error_says_how_to_get_one():
    with pytest.raises(SettingsError, match="run `authorize`.*Connected Apps"):
        resolve_credentials("OAuthClientId=1;OAuthClientSecret=2")


@pytest.mark.parametrize(
    "text",
    [
        "OAuthAccessToken=1",
        "OAuthAccessToken=1;InitiateOAuth=off",
        "AuthScheme=ClientCredentials;OrgId=ZohoCRM.600;OAuthClientId=1;OAuthClientSecret=2",
    ],
)
def test_tokens_may_come_in_other_ways_than_a_refresh_token(text):
    assert resolve_credentials(text).is_resolved()


def test_before_a_consent_nothing_is_missing_and_what_was_given_is_known():
    found = resolve_credentials("OAuthClientId=1;UseCOQL=no;Region=;Timeout=5", for_consent=True)
    assert found.given == {"OAuthClientId": "1", "UseCOQL": "false", "Timeout": "5.0"}
    assert (found.region, found.oauth_client_secret) == ("US", None)


def test_the_callback_keeps_its_trailing_slash():
    found = resolve_credentials(
        "CallbackURL=http://localhost:8080/;AccountsServer=http://a/", for_consent=True
    )
    assert (found.callback_url, found.accounts_server) == ("http://localhost:8080/", "http://a")


@pytest.mark.parametrize(
    ("text", "api", "coql_allowed"),
    [
        ("", "auto", True),
        ("UseCOQL=true", "coql", True),
        ("UseCOQL=false", "auto", False),
        ("UseCOQL=false;APIType=bulk", "bulk", False),
        ("APIType=REST", "records", True),
        ("UseCOQL=true;APIType=REST", "coql", True),
        ("ReadAPI=Auto;UseCOQL=true", "auto", True),
        ("ReadAPI=Bulk;UseCOQL=true;APIType=Bulk", "bulk", True),
        ("ReadAPI=coql", "coql", True),
        ("ReadAPI=REST;APIType=Bulk", "records", True),
    ],
)
def test_the_users_wish_for_an_api(text, api, coql_allowed):
    found = resolve_credentials(MINIMAL + text)
    assert (found.api, found.coql_allowed) == (api, coql_allowed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UseCOQL=true;APIType=Bulk", "UseCOQL=true and APIType=Bulk contradict"),
        ("UseSandbox=true;InstanceType=Production", "UseSandbox=true and InstanceType=Production contradict"),
        ("UseSandbox=false;InstanceType=Sandbox", "UseSandbox=false and InstanceType=Sandbox contradict"),
        ("Region=US;AccountsServer=https://accounts.zoho.eu", "Region=US and AccountsServer=.* contradict"),
    ],
)
def test_contradictions_are_refused(text, words):
    with pytest.raises(SettingsError, match=words):
        resolve_credentials(MINIMAL + text)


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("region=saudi arabia", "region", "Saudi Arabia"),
        ("REGION=eu", "region", "Europe"),
        ("AccountsServer=https://accounts.zoho.eu/", "region", "Europe"),
        ("AccountsServer=https://accounts.zoho.ca", "accounts_url", "https://accounts.zohocloud.ca"),
        ("AccountsServer=http://127.0.0.1:9", "accounts_url", "http://127.0.0.1:9"),
        ("InstanceType=developer", "instance", "Development"),
        ("UseSandbox=True", "instance", "Sandbox"),
        ("UseSandbox=true;InstanceType=Sandbox", "instance", "Sandbox"),
        ("UseSandbox=false", "instance", "Production"),
        ("Timeout=0", "timeout", 3600.0),
        ("OrgId=zohocrm.60012", "org_id", "60012"),
        ("ProxyServer=p.example", "proxies", {"http": "http://p.example", "https": "http://p.example"}),
        ("ProxyServer=https://p;ProxyPort=8", "proxies", {"http": "https://p:8", "https": "https://p:8"}),
        ("Scope='A.b.READ\nC.d.READ,,A.b.READ'", "scopes", ("A.b.READ", "C.d.READ")),
        ("Region=US;Region=IN", "region", "India"),
    ],
)
def test_what_a_setting_comes_to(text, attribute, value):
    assert getattr(resolve_credentials(MINIMAL + text), attribute) == value


@pytest.mark.parametrize("text", ["Schema=v4", "ApiVersion=9", "ApiVersion=v2.1"])
def test_another_api_version_is_one_warning(text, caplog):
    assert resolve_credentials(MINIMAL + text).api_version == "v8"
    assert [record.message for record in caplog.records] == [caplog.messages[0]]
    assert "v8 is used" in caplog.text


def test_unknown_names_are_one_warning_with_the_nearest_known_name(caplog):
    resolve_credentials("Timeout=9;Regoin=EU;PseudoColumns=x;Regoin=IN;" + MINIMAL)
    assert len(caplog.records) == 1
    assert "Regoin (did you mean Region?), PseudoColumns" in caplog.text


def test_unknown_names_of_a_dict_are_warned_of_too(caplog):
    resolve_credentials({"oauth_access_token": ACCESS, "regoin": "EU"})
    assert "regoin (did you mean Region?)" in caplog.text


def test_what_was_said_once_is_not_said_again(caplog):
    for _ in range(3):
        resolve_credentials("Verbosity=5;" + MINIMAL)
    assert len(caplog.records) == 1


def test_an_unknown_key_of_the_environment_is_warned_of_too(monkeypatch, caplog):
    monkeypatch.setenv(f"{KEY}__REGOIN", "EU")
    resolve_credentials(MINIMAL)
    assert "regoin (did you mean Region?)" in caplog.text
    assert len(caplog.records) == 1


def test_the_accounts_host_that_older_instructions_name_for_canada_is_put_right_with_a_warning(caplog):
    found = resolve_credentials(MINIMAL + "AccountsServer=https://accounts.zoho.ca")
    assert (found.accounts_url, found.region) == ("https://accounts.zohocloud.ca", "Canada")
    assert "accounts.zohocloud.ca, not at accounts.zoho.ca" in caplog.text


def test_what_may_be_the_rest_of_a_secret_is_not_named(caplog):
    resolve_credentials(MINIMAL + "a8d/=x")
    assert "a8d" not in caplog.text
    assert "no word" in caplog.text
    warn_unknown([])
    assert len(caplog.records) == 1


@pytest.mark.parametrize("before", ["OAuthClientSecret=ab", "OAuthRefreshToken=1000.ab"])
def test_what_stands_behind_an_unquoted_secret_may_be_its_rest(before, caplog):
    resolve_credentials(MINIMAL + f"{before};sEcReTcd=ef;gh=i;Regoin=EU;Region=IN;PseudoColumns=x")
    name = before.partition("=")[0]
    told = f"one behind {name} (a value that holds ';' goes in quotes), Regoin (did you mean Region?), PseudoColumns"
    assert caplog.messages == [f"Unknown setting, ignored: {told}"]


def test_a_part_of_a_secret_that_is_a_little_like_a_name_is_not_named(caplog):
    with pytest.raises(SettingsError):
        resolve_credentials(
            "ProxyServer=http://u:pass;Word=1@proxy:80;OAuthClientSecret=x;Gatherer=3;" + MINIMAL
        )
    assert "one behind ProxyServer" in caplog.text
    assert "Word" not in caplog.text and "Gatherer" not in caplog.text


def test_behind_a_quoted_secret_every_word_is_a_name(caplog):
    resolve_credentials(MINIMAL + "OAuthClientSecret='ab;cd';Verbosity=5")
    assert "ignored: Verbosity" in caplog.text


def test_behind_a_secret_of_zohos_own_too(caplog):
    own = (
        f"OAuthClientSecret={'0a' * 21};Verbosity=5;OAuthRefreshToken=1000.{'ab' * 16}.{'0c' * 16};Logfile=x;"
    )
    resolve_credentials(MINIMAL + own)
    assert "ignored: Verbosity, Logfile" in caplog.text


def test_values_of_a_dict_may_have_their_own_types():
    given_values = {
        "oauth_access_token": ACCESS,
        "use_coql": True,
        "timeout": 7,
        "scope": ["A.READ", "B.READ"],
        "region": None,
    }
    found = resolve_credentials(given_values)
    assert (found.api, found.timeout, found.scopes, found.region) == ("coql", 7.0, ("A.READ", "B.READ"), "US")

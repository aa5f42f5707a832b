"""Settings in every form a user may give them, and secrets that stay where they are."""

from __future__ import annotations

import os

import dlt
import pytest
from dlt.common.configuration.exceptions import ConfigurationException
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.auth.connection_string import join_settings, split_settings
from sources.zoho_crm.auth.credentials import SETTINGS, ZohoCredentials, resolve_credentials
from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.service import CRM

KEY = "SOURCES__ZOHO_CRM__CREDENTIALS"
SECRET, ACCESS, REFRESH = "5ecre7c11ent", "1000.acce55.t0ken", "1000.refre5h.t0ken"
SECRETS = (SECRET, ACCESS, REFRESH)
MINIMAL = f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET};OAuthRefreshToken={REFRESH};"
PUBLISHED = f"""OAuthClientId=1000.ABC; OAuthClientSecret={SECRET};
 OAuthAccessToken={ACCESS}; OAuthRefreshToken={REFRESH};
 InitiateOAuth=REFRESH; InstanceType=Production; Region=US;
 Scope=ZohoCRM.modules.READ,ZohoCRM.coql.READ,
 ZohoCRM.bulk.READ; UseCOQL=false; APIType=Bulk;
"""


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    """No setting of this machine, and a folder without .dlt."""
    for name in [name for name in os.environ if name.startswith("SOURCES__")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def resolved_by(form, monkeypatch):
    if form == "argument":
        return resolve_credentials(PUBLISHED)
    if form == "dict in snake_case":
        return resolve_credentials(
            {SETTINGS[n.casefold()].attribute: v for n, v in split_settings(PUBLISHED)}
        )
    if form == "dict of names":
        return resolve_credentials(dict(split_settings(PUBLISHED)))
    if form == "environment":
        monkeypatch.setenv(KEY, PUBLISHED)
    if form == "separate keys":
        for name, value in split_settings(PUBLISHED):
            monkeypatch.setenv(f"{KEY}__{SETTINGS[name.casefold()].attribute.upper()}", value)
    return resolve_credentials()


@pytest.mark.parametrize(
    "form", ["argument", "environment", "separate keys", "dict in snake_case", "dict of names"]
)
def test_the_published_sample_means_the_same_in_every_form(form, monkeypatch):
    found = resolved_by(form, monkeypatch)
    assert found.is_resolved()
    assert (found.oauth_client_id, found.oauth_client_secret) == ("1000.ABC", SECRET)
    assert (found.oauth_access_token, found.oauth_refresh_token) == (ACCESS, REFRESH)
    assert found.scopes == ("ZohoCRM.modules.READ", "ZohoCRM.coql.READ", "ZohoCRM.bulk.READ")
    assert (found.region, found.instance, found.api, found.renews) == ("US", "Production", "bulk", True)
    assert found.accounts_url == "https://accounts.zoho.com"


def test_what_is_not_given_has_a_default():
    found = resolve_credentials(MINIMAL)
    assert (found.region, found.instance_type, found.auth_scheme) == ("US", "Production", "OAuth")
    assert (found.initiate_oauth, found.api, found.api_version, found.timeout) == (
        "REFRESH",
        "auto",
        "v8",
        60.0,
    )
    assert (found.scopes, found.proxies, found.coql_allowed) == (CRM.scopes, None, True)


def test_an_explicit_default_beats_the_environment_and_a_gap_is_filled_from_it(monkeypatch):
    monkeypatch.setenv(f"{KEY}__REGION", "EU")
    monkeypatch.setenv(f"{KEY}__ORG_ID", "42")
    found = resolve_credentials(MINIMAL + "Region=US")
    assert (found.region, found.org_id) == ("US", "42")


def test_resolved_credentials_are_handed_back_and_an_empty_dict_asks_the_environment(monkeypatch):
    monkeypatch.setenv(KEY, MINIMAL)
    found = resolve_credentials({})
    assert found.oauth_client_secret == SECRET
    assert resolve_credentials(found) is found


def test_a_bare_word_of_the_environment_is_no_setting(monkeypatch):
    monkeypatch.setenv("REGION", "EU")
    monkeypatch.setenv("TIMEOUT", "1")
    found = resolve_credentials(MINIMAL)
    assert (found.region, found.timeout) == ("US", 60.0)


def test_an_empty_value_counts_as_not_given(monkeypatch):
    monkeypatch.setenv(f"{KEY}__REGION", "")
    assert resolve_credentials(MINIMAL + "InstanceType=;OAuthAccessToken=").region == "US"


@dlt.source(name="zoho_crm", section="zoho_crm")
def probe(credentials: ZohoCredentials = dlt.secrets.value):
    """A source with the argument that the real one has."""

    @dlt.resource
    def regions():
        yield {"region": credentials.region, "client": credentials.oauth_client_id}

    return regions


def test_a_wrong_connection_string_in_a_source_is_dlts_error_with_our_sentence():
    with pytest.raises(
        ConfigurationException, match="OAuthClientSecret .setting 1. starts with a quote"
    ) as caught:
        probe(f"OAuthClientSecret='{SECRET}")
    assert SECRET not in str(caught.value)


def test_a_missing_setting_in_a_source_is_our_error():
    with pytest.raises(SettingsError, match="OAuthRefreshToken is missing"):
        probe(f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET}")


def test_credentials_never_show_a_secret():
    found = resolve_credentials(PUBLISHED + "OAuthVerifier=1000.c0de")
    for text in (str(found), repr(found), f"{found}", found.to_native_representation()):
        assert "OAuthClientSecret=***" in text
        assert not any(secret in text for secret in (*SECRETS, "1000.c0de"))


def test_a_written_connection_string_reads_back_the_same():
    found = resolve_credentials(PUBLISHED + "Timeout=5;ProxyServer=p;ProxyPort=1;UseSandbox=false;OrgId=7")
    again = resolve_credentials(found.to_connection_string())
    assert dict(again) == dict(found)


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")).filter(
        str.strip
    )
)
def test_any_secret_survives(secret):
    text = join_settings([("OAuthClientId", "1"), ("OAuthRefreshToken", "2"), ("OAuthClientSecret", secret)])
    assert resolve_credentials(text).oauth_client_secret == secret.strip()


@given(st.text() | st.text(alphabet="Region=;'\" US\n"))
def test_no_garbage_makes_anything_but_a_settings_error(text):
    with pytest.raises(SettingsError):
        resolve_credentials(text)

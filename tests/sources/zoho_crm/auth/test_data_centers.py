"""Data centres, and which API host is believed."""

from __future__ import annotations

import pytest

from sources.zoho_crm.auth.data_centers import (
    DATA_CENTRES,
    api_hosts,
    choose_api_domain,
    data_centre,
    data_centre_of_accounts_host,
    origin,
    trusted_api_domain,
)
from sources.zoho_crm.exceptions import CredentialsError

US = data_centre("US")
EU = data_centre("EU")


@pytest.mark.parametrize(
    ("names", "accounts", "api"),
    [
        (["US", "us"], "accounts.zoho.com", "www.zohoapis.com"),
        (["Europe", "EU", "eu"], "accounts.zoho.eu", "www.zohoapis.eu"),
        (["India", "IN"], "accounts.zoho.in", "www.zohoapis.in"),
        (["Australia", "AU"], "accounts.zoho.com.au", "www.zohoapis.com.au"),
        (["Japan", "JP"], "accounts.zoho.jp", "www.zohoapis.jp"),
        (["China", "CN"], "accounts.zoho.com.cn", "www.zohoapis.com.cn"),
        (["Canada", "CA"], "accounts.zohocloud.ca", "www.zohoapis.ca"),
        (["Saudi Arabia", "SaudiArabia", "saudi_arabia", "SA"], "accounts.zoho.sa", "www.zohoapis.sa"),
        (["UK", "uk"], "accounts.zoho.uk", "www.zohoapis.uk"),
        (["UAE", "AE"], "accounts.zoho.ae", "www.zohoapis.ae"),
        (["Singapore", "SG", "sg"], "accounts.zoho.sg", "www.zohoapis.sg"),
    ],
)
def test_each_region_has_its_hosts(names, accounts, api):
    for name in names:
        centre = data_centre(name)
        assert centre.accounts_server == f"https://{accounts}"
        assert centre.api_domain() == f"https://{api}"


def test_there_are_eleven_data_centres_and_no_two_share_a_host():
    assert len({c.accounts_host for c in DATA_CENTRES}) == len({c.api_suffix for c in DATA_CENTRES}) == 11


def test_an_unknown_region_has_no_hosts():
    assert data_centre("Mars") is None
    assert api_hosts("Mars", "Production") == frozenset()


def test_canada_is_found_by_the_host_that_older_instructions_name():
    assert data_centre_of_accounts_host("accounts.zoho.ca") is data_centre("CA")
    assert data_centre_of_accounts_host("localhost") is None


@pytest.mark.parametrize(
    ("url", "instance", "believed"),
    [
        ("https://www.zohoapis.com", "Production", True),
        ("https://www.zohoapis.com/", "Production", True),
        ("https://sandbox.zohoapis.com", "Sandbox", True),
        ("https://developer.zohoapis.com", "Development", True),
        ("https://www.zohoapis.com", "Sandbox", True),
        ("https://sandbox.zohoapis.com", "Production", False),
        ("https://developer.zohoapis.com", "Sandbox", False),
        ("http://www.zohoapis.com", "Production", False),
        ("https://www.zohoapis.com:8443", "Production", False),
        ("https://www.zohoapis.eu", "Production", False),
        ("https://www.zohoapis.com.evil.example", "Production", False),
        ("https://www.zohoapis.com@evil.example", "Production", False),
        ("https://zohoapis.com", "Production", False),
        ("https://[broken", "Production", False),
        ("", "Production", False),
    ],
)
def test_only_zohos_hosts_of_the_region_and_instance_are_believed(url, instance, believed):
    assert trusted_api_domain(url, US, instance, None) is believed


def test_an_explicit_api_domain_is_believed_over_plain_http():
    assert trusted_api_domain("http://127.0.0.1:8080/", US, "Production", "http://127.0.0.1:8080")
    assert not trusted_api_domain("http://127.0.0.1:8081", US, "Production", "http://127.0.0.1:8080")


def test_a_sandbox_token_with_the_production_host_goes_to_the_sandbox_of_its_data_centre():
    assert choose_api_domain("https://www.zohoapis.eu", EU, "Sandbox", None) == "https://sandbox.zohoapis.eu"


def test_without_api_domain_in_the_answer_the_data_centre_decides():
    assert choose_api_domain(None, EU, "Production", None) == "https://www.zohoapis.eu"


def test_a_gateway_given_as_api_domain_wins_over_zohos_host():
    chosen = choose_api_domain("https://www.zohoapis.com", US, "Production", "https://gateway.example")
    assert chosen == "https://gateway.example"


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        (
            "https://www.zohoapis.eu",
            ["www.zohoapis.eu", "www.zohoapis.com", "set Region=Europe;InstanceType=Production"],
        ),
        ("https://sandbox.zohoapis.com", ["InstanceType=Sandbox"]),
        ("https://evil.example/x", ["https://evil.example,", "www.zohoapis.com", "APIDomain"]),
    ],
)
def test_a_refused_host_is_named_beside_the_expected_one(answered, words):
    with pytest.raises(CredentialsError) as caught:
        choose_api_domain(answered, US, "Production", None)
    for word in words:
        assert word in str(caught.value)


def test_origins_compare_without_path_and_default_port():
    assert origin("https://a.example:443/x") == origin("https://A.example")

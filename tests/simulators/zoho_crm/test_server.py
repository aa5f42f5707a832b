"""The two ports: hosts, connections, the Date header, compression."""

from __future__ import annotations

import gzip

import pytest
import requests

from simulators.zoho_crm import serve
from tests.simulators.zoho_crm.deals import company
from tests.simulators.zoho_crm.wire import refusal, wired


def test_the_connection_string_names_both_hosts():
    org = company()
    with serve(org) as zoho:
        pairs = dict(part.split("=", 1) for part in zoho.connection_string.rstrip(";").split(";"))
    assert pairs["AccountsServer"] == zoho.accounts_url != zoho.api_url == pairs["APIDomain"]
    assert pairs["OAuthRefreshToken"] == org.tokens.refresh_token
    assert (pairs["Region"], pairs["OrgId"]) == ("US", org.account.zgid)


def test_the_two_hosts_do_not_answer_for_each_other():
    with wired(company()) as wire:
        wire.get("users")
        accounts = wire.session.get(f"{wire.zoho.accounts_url}/crm/v8/users")
        api = wire.session.post(f"{wire.zoho.api_url}/oauth/v2/token")
    assert (accounts.status_code, api.status_code) == (418, 418)


def test_two_orgs_share_no_token():
    first, second = company(), company()
    with wired(first) as one, wired(second) as other:
        other.session.headers["Authorization"] = f"Zoho-oauthtoken {one.new_token()}"
        assert refusal(other.get("users")) == (401, "INVALID_TOKEN")


def test_nobody_answers_after_the_end_not_even_on_a_connection_that_was_kept():
    with requests.Session() as session:
        with serve(company()) as zoho:
            assert session.get(f"{zoho.api_url}/crm/v8/users").status_code == 401
        with pytest.raises(requests.ConnectionError):
            session.get(f"{zoho.api_url}/crm/v8/users")


def test_a_port_that_is_taken_is_an_error_and_leaves_no_other_open():
    with serve(company()) as zoho:
        taken = int(zoho.api_url.rsplit(":", 1)[1])
        for ports in ((taken, 0), (0, taken)):
            with pytest.raises(OSError, match="in use"), serve(company(), *ports):
                raise AssertionError("served on a port that is taken")


def test_every_answer_tells_the_orgs_time():
    org = company()
    org.clock.advance(days=1)
    with wired(org) as wire:
        assert wire.get("users").headers["Date"] == "Tue, 03 Mar 2026 09:00:00 GMT"
        assert wire.token_call().headers["Date"] == "Tue, 03 Mar 2026 09:00:00 GMT"


@pytest.mark.parametrize("wanted", [True, False])
def test_json_is_compressed_for_who_accepts_it(wanted):
    org = company()
    org.quirks.gzip = wanted
    with wired(org) as wire:
        answer = wire.session.get(
            f"{wire.zoho.api_url}/crm/v8/Deals?fields=Deal_Name",
            headers={"Authorization": f"Zoho-oauthtoken {wire.new_token()}", "Accept-Encoding": "gzip"},
            stream=True,
        )
        raw = answer.raw.read(decode_content=False)
    assert (answer.headers.get("Content-Encoding") == "gzip") is wanted
    assert (gzip.decompress(raw) if wanted else raw).startswith(b'{"data"')


def test_a_mistake_of_the_simulator_is_raised_at_the_end():
    org = company()
    with pytest.raises(KeyError), wired(org) as wire:
        del org.records("Deals")[0].values["Modified_Time"]
        with pytest.raises(requests.ConnectionError):
            wire.get("Deals", fields="id", sort_by="Modified_Time")

"""The token: made once, shared, and renewed without a person."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests

from sources.zoho_crm.auth.authenticator import error_code
from sources.zoho_crm.auth.token_store import TokenCache
from sources.zoho_crm.exceptions import CredentialsError
from tests.support.loopback import Reply, served
from tests.support.token_server import GIVEN, INVALID, REFRESH, SECRET, Clock, Zoho, refusal


@pytest.fixture
def zoho():
    found = Zoho()
    with served(found.app):
        yield found


# ---- one token


def test_the_refresh_token_becomes_an_access_token_by_a_form(zoho):
    assert zoho.auth().token() == "1000.new.1"
    (call,) = zoho.app.calls
    assert (call.method, call.path) == ("POST", "/oauth/v2/token")
    assert call.form == {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH,
        "client_id": "1000.ABC",
        "client_secret": SECRET,
    }


def test_one_token_serves_until_a_minute_before_its_end(zoho):
    clock = Clock()
    auth = zoho.auth(clock=clock)
    assert [auth.token(), auth.token()] == ["1000.new.1"] * 2
    clock.now += 3539
    assert auth.token() == "1000.new.1"
    clock.now += 1
    assert auth.token() == "1000.new.2"


@pytest.mark.parametrize(
    ("extra", "lifetime"),
    [
        ({"expires_in": 3600000, "expires_in_sec": 1800}, 1800),
        ({"expires_in": "900"}, 900),
        ({"expires_in": None}, 3600),
        ({"expires_in": "soon"}, 3600),
        ({"expires_in": -1}, 3600),
        ({"expires_in": 3600000000}, 3600),
    ],
)
def test_the_lifetime_in_each_of_zohos_forms(zoho, extra, lifetime):
    zoho.extra = extra
    clock = Clock()
    auth = zoho.auth(clock=clock)
    auth.token()
    clock.now += lifetime - 61
    assert auth.token() == "1000.new.1"
    clock.now += 2
    assert auth.token() == "1000.new.2"


@pytest.mark.parametrize(
    ("extra", "scope"),
    [
        ({"scope": "A.READ B.READ"}, {"A.READ", "B.READ"}),
        ({"scope": "A.READ,B.READ"}, {"A.READ", "B.READ"}),
        ({}, None),
    ],
)
def test_the_granted_scope_is_told_when_zoho_tells_it(zoho, extra, scope):
    zoho.extra = extra
    assert zoho.auth().scope == scope


def test_the_api_domain_may_be_missing_and_then_comes_from_the_settings(zoho):
    zoho.extra = {"api_domain": None}
    assert zoho.auth().api_domain == zoho.app.url


def test_an_api_domain_that_is_not_zohos_is_refused_and_asked_for_once(zoho):
    zoho.extra = {"api_domain": "https://evil.example"}
    auth = zoho.auth()
    assert "https://evil.example" in refusal(auth)
    assert "evil" in refusal(auth)
    assert zoho.app.tokens_asked() == 1


# ---- given tokens


def test_a_given_access_token_is_used_without_a_call(zoho):
    assert zoho.auth(f"OAuthAccessToken={GIVEN}").token() == GIVEN
    assert zoho.app.calls == []


def test_a_stale_given_access_token_is_renewed_after_its_401(zoho):
    zoho.dead.add(GIVEN)
    auth = zoho.auth(f"OAuthAccessToken={GIVEN}")
    assert zoho.get(auth).status_code == 200
    assert zoho.get(auth).status_code == 200
    assert [call.token for call in zoho.app.calls] == [GIVEN, "", "1000.new.1", "1000.new.1"]


def test_the_next_run_passes_over_a_given_token_that_was_renewed_before(zoho, tmp_path):
    place = str(tmp_path)
    zoho.dead.add(GIVEN)
    zoho.get(zoho.auth(f"OAuthAccessToken={GIVEN}", TokenCache(place)))
    assert zoho.auth(f"OAuthAccessToken={GIVEN}", TokenCache(place)).token() == "1000.new.1"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("InitiateOAuth=OFF", "InitiateOAuth=OFF forbids"),
        ("OAuthRefreshToken=", "run `authorize`; .* Connected Apps in the Zoho account"),
    ],
)
def test_a_dead_token_that_cannot_be_renewed_says_why(zoho, settings, words):
    zoho.dead.add(GIVEN)
    auth = zoho.auth(f"OAuthAccessToken={GIVEN};{settings}")
    with pytest.raises(CredentialsError, match=words):
        zoho.get(auth)
    assert zoho.app.tokens_asked() == 0


# ---- the 401


@pytest.mark.parametrize(
    "body", [INVALID, {**INVALID, "code": "INVALID_OAUTHTOKEN"}, [INVALID], {"data": [INVALID]}]
)
def test_an_invalid_token_is_renewed_once_and_the_call_repeated(zoho, body):
    auth = zoho.auth()
    auth.token()
    zoho.dead.add("1000.new.1")
    answer = requests.post(f"{zoho.app.url}/crm/v8/coql", json={"q": "é" * 9}, auth=auth, timeout=300)
    assert answer.status_code == 200
    assert json.loads(answer.json()["echo"]) == {"q": "é" * 9}
    assert [earlier.status_code for earlier in answer.history] == [401]
    assert zoho.handed_out == ["1000.new.1", "1000.new.2"]


def test_a_streamed_download_is_repeated_too(zoho):
    auth = zoho.auth()
    auth.token()
    zoho.dead.add("1000.new.1")
    zoho.api_reply = Reply("x" * 200_000)
    with (
        requests.Session() as session,
        session.get(zoho.app.url, auth=auth, stream=True, timeout=300) as answer,
    ):
        assert sum(map(len, answer.iter_content(1000))) == 200_000


def test_a_new_token_that_is_refused_as_well_ends_in_a_sentence_not_in_a_loop(zoho):
    zoho.extra = {"access_token": "1000.never.good"}
    with pytest.raises(CredentialsError, match="refuses a token that Zoho has just handed out.*InstanceType"):
        zoho.get(zoho.auth())
    assert len(zoho.app.calls) == 4


@pytest.mark.parametrize("code", ["OAUTH_SCOPE_MISMATCH", "AUTHENTICATION_FAILURE"])
def test_other_401s_are_no_reason_to_renew(zoho, code):
    zoho.api_reply = Reply({**INVALID, "code": code}, 401)
    assert zoho.get(zoho.auth()).json()["code"] == code
    assert len(zoho.app.calls) == 2


@pytest.mark.parametrize("body", ["<html>", "", "[]", "5", "null", '{"data": []}', '{"data": 5}', '[["x"]]'])
def test_a_401_of_any_other_shape_is_handed_on(zoho, body):
    zoho.api_reply = Reply(body, 401)
    answer = zoho.get(zoho.auth())
    assert (answer.status_code, answer.text, error_code(answer)) == (401, body, "")
    assert zoho.app.tokens_asked() == 1


def test_a_403_is_no_reason_to_renew(zoho):
    zoho.api_reply = Reply(INVALID, 403)
    assert zoho.get(zoho.auth()).status_code == 403
    assert zoho.app.tokens_asked() == 1


# ---- one renewal for all


def test_threads_that_meet_a_dead_token_share_one_renewal(zoho):
    auth = zoho.auth()
    auth.token()
    zoho.dead.add("1000.new.1")
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: zoho.get(auth).status_code, range(32)))
    assert answers == [200] * 32
    assert zoho.handed_out == ["1000.new.1", "1000.new.2"]


def test_threads_share_an_access_token_that_cannot_be_renewed(zoho):
    auth = zoho.auth(f"OAuthAccessToken={GIVEN};InitiateOAuth=OFF")
    start = Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: (start.wait(5), auth.token())[1], range(8)))
    assert found == {GIVEN}


ONE_RUN = """
import sys, requests
from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
auth = ZohoAuthenticator(resolve_credentials(sys.argv[1]))
sys.stdin.readline()
print(auth.token(), requests.get(auth.api_domain + "/crm/v8/Leads", auth=auth, timeout=300).status_code)
"""


def run_together(zoho, place, count):
    settings = (
        f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET};OAuthRefreshToken={REFRESH};"
        f"AccountsServer={zoho.app.url};APIDomain={zoho.app.url};OAuthSettingsLocation={place}"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_RUN, settings],
            cwd=Path(__file__).parents[4],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    return [run.communicate(timeout=300)[0].split() for run in runs]


@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.long)])
def test_processes_started_together_make_one_token(zoho, tmp_path, count):
    assert run_together(zoho, tmp_path, count) == [["1000.new.1", "200"]] * count
    assert zoho.app.tokens_asked() == 1


def test_a_cached_token_that_was_refused_is_renewed_by_one_and_taken_over_by_the_other(zoho, tmp_path):
    place = str(tmp_path)
    first, second = zoho.auth(cache=TokenCache(place)), zoho.auth(cache=TokenCache(place))
    assert first.token() == second.token() == "1000.new.1"
    zoho.dead.add("1000.new.1")
    assert zoho.get(first).status_code == zoho.get(second).status_code == 200
    assert zoho.handed_out == ["1000.new.1", "1000.new.2"]


def test_an_expired_token_of_the_cache_is_not_used(zoho, tmp_path):
    clock = Clock()
    zoho.auth(cache=TokenCache(str(tmp_path)), clock=clock).token()
    clock.now += 3600
    assert zoho.auth(cache=TokenCache(str(tmp_path)), clock=clock).token() == "1000.new.2"


@pytest.mark.parametrize(
    "other", ["OAuthClientId=1000.XYZ", "OAuthRefreshToken=1000.other", "InstanceType=Sandbox", "OrgId=7"]
)
def test_another_client_token_environment_or_org_has_its_own_token(zoho, tmp_path, other):
    zoho.auth(cache=TokenCache(str(tmp_path))).token()
    assert zoho.auth(other, TokenCache(str(tmp_path))).token() == "1000.new.2"


def test_the_api_domain_of_a_cache_file_is_believed_no_more_than_an_answer(zoho, tmp_path):
    zoho.auth(cache=TokenCache(str(tmp_path))).token()
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text().replace(zoho.app.url, "https://evil.example"))
    assert "evil.example" in refusal(zoho.auth(cache=TokenCache(str(tmp_path))))

"""The token: made once, shared, renewed, and each refusal with its own sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from sources.zoho_crm.accounts import token_post
from sources.zoho_crm.auth import ZohoAuth, error_code
from sources.zoho_crm.credentials import resolve_credentials
from sources.zoho_crm.errors import CredentialsError, Unreachable
from sources.zoho_crm.token_cache import TokenCache
from tests.loopback import App, Reply, served

SECRET, REFRESH, GIVEN = "5ecre7c11ent", "1000.refre5h.t0ken", "1000.given.t0ken"
INVALID = {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Zoho:
    """An accounts server and an API that knows the tokens it handed out, in one."""

    def __init__(self):
        self.app = App(self.reply)
        self.handed_out = []
        self.dead = set()
        self.extra = {}
        self.token_reply = None
        self.api_reply = None

    def reply(self, call):
        if call.path.startswith("/oauth/"):
            return self.new_token(call)
        if call.token in self.dead or call.token not in [*self.handed_out, GIVEN]:
            return Reply(INVALID, 401)
        return self.api_reply or Reply({"echo": call.body.decode()})

    def new_token(self, call):
        if self.token_reply is not None:
            return self.token_reply(call) if callable(self.token_reply) else self.token_reply
        self.handed_out.append(f"1000.new.{len(self.handed_out) + 1}")
        answer = {"access_token": self.handed_out[-1], "api_domain": self.app.url, "expires_in": 3600}
        return Reply({**answer, "token_type": "Bearer", **self.extra})

    def auth(self, settings="", cache=None, clock=None):
        clock = clock or Clock()
        credentials = resolve_credentials(
            f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET};OAuthRefreshToken={REFRESH};Timeout=5;"
            f"AccountsServer={self.app.url};APIDomain={self.app.url};OAuthSettingsLocation=memory://;{settings}"
        )
        post = token_post(credentials, backoff=0)
        return ZohoAuth(credentials, cache, clock=clock, sleep=clock.sleep, post=post)

    def get(self, auth, **kwargs):
        return requests.get(f"{self.app.url}/crm/v8/Leads", auth=auth, timeout=5, **kwargs)


@pytest.fixture
def zoho():
    found = Zoho()
    with served(found.app):
        yield found


def refusal(auth):
    with pytest.raises(CredentialsError) as caught:
        auth.token()
    text = str(caught.value)
    assert not any(secret in text for secret in (SECRET, REFRESH, GIVEN))
    assert "\n" not in text
    return text


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
        ("OAuthRefreshToken=", "Connected Apps in the Zoho account, then consent again .* prompt=consent"),
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
    answer = requests.post(f"{zoho.app.url}/crm/v8/coql", json={"q": "é" * 9}, auth=auth, timeout=5)
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
        session.get(zoho.app.url, auth=auth, stream=True, timeout=5) as answer,
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


ONE_RUN = """
import sys, requests
from sources.zoho_crm.auth import ZohoAuth
from sources.zoho_crm.credentials import resolve_credentials
auth = ZohoAuth(resolve_credentials(sys.argv[1]))
sys.stdin.readline()
print(auth.token(), requests.get(auth.api_domain + "/crm/v8/Leads", auth=auth, timeout=5).status_code)
"""


def run_ten(zoho, place):
    settings = (
        f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET};OAuthRefreshToken={REFRESH};"
        f"AccountsServer={zoho.app.url};APIDomain={zoho.app.url};OAuthSettingsLocation={place}"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_RUN, settings],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    return [run.communicate(timeout=60)[0].split() for run in runs]


def test_ten_processes_started_together_make_one_token(zoho, tmp_path):
    assert run_ten(zoho, tmp_path) == [["1000.new.1", "200"]] * 10
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


# ---- refusals


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_code", ["revoked", "Region=US", "prompt=consent"]),
        ("invalid_client", ["OAuthClientId is wrong", "data centre"]),
        ("invalid_client_secret", ["OAuthClientSecret does not fit"]),
        ("invalid_scope", ["Scope"]),
        ("some_new_error", ["refuses the token request: some_new_error"]),
        (f"Sorry: client_secret={SECRET}", ["no word"]),
        (["a"], ["refuses the token request"]),
    ],
)
def test_each_refusal_has_its_own_sentence_though_the_status_is_200(zoho, error, words):
    zoho.token_reply = Reply({"error": error})
    auth = zoho.auth()
    text = refusal(auth)
    assert all(word in text for word in words)
    assert refusal(auth) == text
    assert zoho.app.tokens_asked() == 1, "a refusal is remembered"


def test_a_general_error_is_asked_again_once(zoho):
    clock = Clock()
    answers = [Reply({"error": "general error"}), Reply({"access_token": "1000.x.y"})]
    zoho.token_reply = lambda _: answers.pop(0)
    assert zoho.auth(clock=clock).token() == "1000.x.y"
    assert clock.slept == [1.0]
    zoho.token_reply = Reply({"error": "general_error"})
    assert "general_error to the token request, twice" in refusal(zoho.auth())


@pytest.mark.parametrize("status", [200, 400])
def test_the_throttle_names_the_time_and_is_not_asked_again_before(zoho, status):
    text = "You have made too many requests continuously. Please try again after some time."
    zoho.token_reply = Reply(
        {"error_description": text, "error": "Access Denied", "status": "failure"}, status
    )
    clock = Clock()
    auth = zoho.auth(clock=clock)
    assert "10 access tokens in 10 minutes" in refusal(auth)
    assert "22:24 UTC" in refusal(auth)
    assert zoho.app.tokens_asked() == 1
    clock.now += 600
    zoho.token_reply = None
    assert auth.token() == "1000.new.1"


@pytest.mark.parametrize(
    ("reply", "words", "asked"),
    [
        (
            Reply("<html>login</html>", headers={"Content-Type": "text/html"}),
            "200 and 18 bytes of text/html",
            1,
        ),
        (Reply(""), "0 bytes", 1),
        (Reply('{"access_token": "100'), "instead of a token", 1),
        (Reply("[]"), "instead of a token", 1),
        (Reply({"status": "success"}), "instead of a token", 1),
        (Reply("<html>", 302, {"Location": "http://127.0.0.1:1/"}), "answers the token request with 302", 1),
        (Reply("oops", 503), "answers 503: Zoho's side", 3),
    ],
)
def test_an_answer_that_is_no_token_answer_says_what_came(zoho, reply, words, asked):
    zoho.token_reply = reply
    with pytest.raises(Unreachable, match=words):
        zoho.auth().token()
    assert zoho.app.tokens_asked() == asked


def test_a_server_that_does_not_answer_is_left_alone_for_half_a_minute(zoho):
    clock = Clock()
    zoho.token_reply = Reply("oops", 503)
    auth = zoho.auth(clock=clock)
    for _ in range(2):
        with pytest.raises(Unreachable, match="answers 503"):
            auth.token()
    assert zoho.app.tokens_asked() == 3
    clock.now += 30
    zoho.token_reply = None
    assert auth.token() == "1000.new.1"


def test_a_503_that_passes_is_not_seen(zoho):
    answers = [Reply("", 503), Reply({"access_token": "1000.x.y"})]
    zoho.token_reply = lambda _: answers.pop(0)
    assert zoho.auth().token() == "1000.x.y"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("AccountsServer=http://127.0.0.1:9", "127.0.0.1:9 cannot be reached .*check the network"),
        ("AccountsServer=https://{host}", "No safe connection to .*certificate"),
        (
            "AccountsServer=https://accounts.zoho.com;ProxyServer=http://127.0.0.1:9",
            "The proxy .* accounts.zoho.com",
        ),
    ],
)
def test_no_answer_names_the_host_and_what_to_check(zoho, settings, words):
    auth = zoho.auth(settings.format(host=zoho.app.url.removeprefix("http://")))
    with pytest.raises(Unreachable, match=words) as caught:
        auth.token()
    assert not any(secret in str(caught.value) for secret in (SECRET, REFRESH))


def test_a_server_that_never_answers_is_a_timeout(zoho):
    def slow(url, form):
        raise requests.exceptions.ReadTimeout

    credentials = resolve_credentials("OAuthClientId=1;OAuthClientSecret=2;OAuthRefreshToken=3")
    with pytest.raises(Unreachable, match="accounts.zoho.com did not answer in time"):
        ZohoAuth(credentials, TokenCache("memory://"), post=slow).token()


def test_the_token_goes_through_the_proxy_of_the_settings(zoho):
    auth = zoho.auth(f"AccountsServer=http://accounts.example;ProxyServer={zoho.app.url}")
    assert auth.token() == "1000.new.1"
    assert zoho.app.calls[0].headers["Host"] == "accounts.example"


# ---- client credentials


BY_CLIENT = "AuthScheme=ClientCredentials;OrgId=600;OAuthRefreshToken=;Scope=A.READ,B.READ"


def test_client_credentials_name_the_org_and_need_no_refresh_token(zoho):
    assert zoho.auth(BY_CLIENT).token() == "1000.new.1"
    form = zoho.app.calls[0].form
    assert (form["grant_type"], form["soid"], form["scope"]) == (
        "client_credentials",
        "ZohoCRM.600",
        "A.READ,B.READ",
    )
    assert "refresh_token" not in form


@pytest.mark.parametrize("first", [Reply({"error": "invalid_client"}), Reply("<html>", 404)])
def test_client_credentials_try_the_path_of_zohos_page_as_well(zoho, first):
    zoho.token_reply = lambda call: (
        first if call.path.endswith("token") else Reply({"access_token": "1000.x.y"})
    )
    assert zoho.auth(BY_CLIENT).token() == "1000.x.y"
    assert zoho.app.paths() == ["/oauth/v2/token", "/oauth/v2/auth"]


def test_client_credentials_that_both_paths_refuse_get_the_sentence_of_the_first(zoho):
    zoho.token_reply = lambda call: Reply(
        {"error": "invalid_client"} if call.path.endswith("token") else "<html>"
    )
    assert "OAuthClientId is wrong" in refusal(zoho.auth(BY_CLIENT))


def test_tokens_of_client_credentials_are_shared_by_org(zoho, tmp_path):
    assert zoho.auth(BY_CLIENT, TokenCache(str(tmp_path))).token() == "1000.new.1"
    assert zoho.auth(BY_CLIENT, TokenCache(str(tmp_path))).token() == "1000.new.1"
    assert zoho.auth(BY_CLIENT + ";OrgId=601", TokenCache(str(tmp_path))).token() == "1000.new.2"

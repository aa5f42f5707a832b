"""An accounts server and an API in one, that know the tokens they handed out; odder than Zoho on demand."""

from __future__ import annotations

import pytest
import requests

from sources.zoho_crm.auth.authenticator import ZohoAuthenticator
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.oauth_client import token_post
from sources.zoho_crm.exceptions import CredentialsError
from tests.support.loopback import App, Reply

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
            f"OAuthClientId=1000.ABC;OAuthClientSecret={SECRET};OAuthRefreshToken={REFRESH};Timeout=60;"
            f"AccountsServer={self.app.url};APIDomain={self.app.url};OAuthSettingsLocation=memory://;{settings}"
        )
        post = token_post(credentials, backoff=0)
        return ZohoAuthenticator(credentials, cache, clock=clock, sleep=clock.sleep, post=post)

    def get(self, auth, **kwargs):
        return requests.get(f"{self.app.url}/crm/v8/Leads", auth=auth, timeout=300, **kwargs)


def refusal(auth):
    with pytest.raises(CredentialsError) as caught:
        auth.token()
    text = str(caught.value)
    assert not any(secret in text for secret in (SECRET, REFRESH, GIVEN))
    assert "\n" not in text
    return text

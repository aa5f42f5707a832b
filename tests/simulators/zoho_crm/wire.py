"""A client of the served simulator that knows tokens and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from simulators.zoho_crm import Org, Zoho, serve


class Wire:
    """Calls by path: `wire.get("Deals", fields="id")` is GET {api}/crm/v8/Deals?fields=id."""

    def __init__(self, org: Org, zoho: Zoho) -> None:
        self.org = org
        self.zoho = zoho
        self.session = requests.Session()
        self.scheme = "Zoho-oauthtoken"

    def token_call(self, **form: str) -> requests.Response:
        tokens = self.org.tokens
        usual = {
            "grant_type": "refresh_token",
            "client_id": tokens.client_id,
            "client_secret": tokens.client_secret,
            "refresh_token": tokens.refresh_token,
        }
        if form.get("grant_type", "refresh_token") != "refresh_token":
            del usual["refresh_token"]
        return self.session.post(f"{self.zoho.accounts_url}/oauth/v2/token", data={**usual, **form})

    def new_token(self) -> str:
        return str(self.token_call().json()["access_token"])

    def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> requests.Response:
        return self.at(f"/crm/v8/{path}", headers=headers, params=params)

    def at(self, path: str, **options: Any) -> requests.Response:
        """GET of a whole path, of whichever service."""
        return self._call("GET", path, **options)

    def send(self, path: str, body: dict[str, Any]) -> requests.Response:
        """POST of JSON to a whole path."""
        return self._call("POST", path, json=body)

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        if "Authorization" not in self.session.headers:
            self.session.headers["Authorization"] = f"{self.scheme} {self.new_token()}"
        return self.session.request(method, f"{self.zoho.api_url}{path}", **options)

    def rows(self, path: str, **params: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    def walk(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """All pages by token."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            answer = self.get(path, **params, **token)
            assert answer.status_code == 200, answer.text
            found += answer.json()["data"]
            token = {"page_token": answer.json()["info"]["next_page_token"]}
            if not token["page_token"]:
                return found


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@contextmanager
def wired(org: Org) -> Iterator[Wire]:
    with serve(org) as zoho:
        wire = Wire(org, zoho)
        with wire.session:
            yield wire

"""GETs to one of the smaller simulated services without a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from simulators.zoho_crm.dispatch import dispatch
from simulators.zoho_crm.routes import Answer, Request
from simulators.zoho_crm.serialization import dumps


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


def ask(
    account, path: str, *, headers: dict[str, str] | None = None, scopes: set[str] | None = None, **query: Any
) -> Reply:
    """One GET with a good token of these scopes, by default all."""
    if scopes is not None:
        account.tokens.scopes = scopes
    tokens = account.tokens
    live = [token for token in tokens.access if tokens.holder(token)]
    token = live[0] if live and scopes is None else tokens.renew(tokens.refresh_token)
    sent = {"authorization": f"Bearer {token}", **(headers or {})}
    request = Request(
        "GET", path, {name: str(value) for name, value in query.items()}, sent, api_url="http://api"
    )
    return shown(account, dispatch(account, "api", request))


def shown(account, answer: Answer) -> Reply:
    body = None if answer.body is None else json.loads(dumps(answer.body, account.time_zone))
    return Reply(answer.status, body, answer.headers)

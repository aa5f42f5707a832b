"""Calls to the simulator's API without a socket, for tests of what it answers."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from simulators.zoho_crm import Org
from simulators.zoho_crm.dispatch import dispatch
from simulators.zoho_crm.routes import Request
from simulators.zoho_crm.serialization import dumps

BULK = "/crm/bulk/v8/read"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    raw: bytes = b""

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def details(self) -> dict[str, Any]:
        return dict(self.body["details"])


def call(org: Org, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """One call with a good token; a body that is not bytes is sent as JSON."""
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    headers = {"authorization": good_token(org), "content-type": "application/json", **named}
    return reply_to(org, Request(method, path, headers=headers, body=sent))


def get(org: Org, path: str, **query: str) -> Reply:
    return reply_to(org, Request("GET", path, query, {"authorization": good_token(org)}))


def good_token(org: Org) -> str:
    tokens = org.tokens
    live = [token for token in tokens.access if tokens.holder(token)]
    return f"Zoho-oauthtoken {live[0] if live else tokens.renew(tokens.refresh_token)}"


def reply_to(org: Org, request: Request) -> Reply:
    answer = dispatch(org, "api", request)
    shown = None if answer.body is None else json.loads(dumps(answer.body, org.time_zone))
    return Reply(answer.status, shown, answer.raw or b"")


def query(org: Org, select_query: str) -> Reply:
    return call(org, "POST", "/crm/v8/coql", {"select_query": select_query})


def rows_of(org: Org, select_query: str) -> list[dict[str, Any]]:
    reply = query(org, select_query)
    assert reply.status in (200, 204), reply.body
    return list(reply.body["data"]) if reply.body else []


def create(org: Org, module: str | None = None, **query: Any) -> Reply:
    named = {} if module is None else {"module": {"api_name": module}}
    return call(org, "POST", BULK, {"query": {**named, **query}})


def job_of(org: Org, module: str | None = None, **query: Any) -> str:
    reply = create(org, module, **query)
    assert reply.status == 201, reply.body
    return str(reply.body["data"][0]["details"]["id"])


def poll(org: Org, job: str) -> dict[str, Any]:
    reply = call(org, "GET", f"{BULK}/{job}")
    assert reply.status == 200, reply.body
    return dict(reply.body["data"][0])


def finish(org: Org, job: str) -> dict[str, Any]:
    """The details of the finished job."""
    for _ in range(10):
        details = poll(org, job)
        if details["state"] in ("COMPLETED", "FAILURE"):
            return details
    raise AssertionError(f"the job is still {details['state']}")


def download(org: Org, job: str) -> list[dict[str, str]]:
    reply = call(org, "GET", f"{BULK}/{job}/result")
    assert reply.status == 200, reply.body
    return read_archive(reply.raw)


def read_archive(raw: bytes) -> list[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        (name,) = files.namelist()
        text = files.read(name).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read(org: Org, module: str, **query: Any) -> list[dict[str, str]]:
    """A job from its creation to its rows."""
    job = job_of(org, module, **query)
    finish(org, job)
    return download(org, job)

"""Calls `check` and gives its lines by name."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from simulators.zoho_crm import Clock, Field, Module, Org, serve
from tests.support.commanding import Outcome

MEMORY = "OAuthSettingsLocation=memory://;"


@dataclass(frozen=True)
class Checked:
    """`checked["token"]` is its status; `says("token")` its sentence and remedy."""

    outcome: Outcome

    @property
    def code(self) -> int:
        return self.outcome.code

    @property
    def checks(self) -> dict[str, dict]:
        return {check["name"]: check for check in json.loads(self.outcome.out)}

    def __getitem__(self, name: str) -> str:
        return self.checks[name]["status"]

    def says(self, name: str) -> str:
        return f"{self.checks[name]['message']} -> {self.checks[name]['remedy']}"

    def wrong(self) -> set[str]:
        return {name for name, check in self.checks.items() if check["status"] in ("failed", "warning")}


def small() -> Org:
    """Two modules that an administrator sees, at the time that it is."""
    org = Org(clock=Clock.real())
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    org.add_module(Module("Deals", [Field("Name", "text")]))
    org.insert("Leads", {"Last_Name": "Doe"})
    return org


@pytest.fixture
def check(command):
    """`check(org, "--modules", "Leads", settings="Region=EU;")`: its JSON, read."""

    def call(org, *words, settings=MEMORY):
        with serve(org) as zoho:
            done = command("check", "--json", "--connection", f"{zoho.connection_string}{settings}", *words)
        assert done.err == ""
        return Checked(done)

    return call

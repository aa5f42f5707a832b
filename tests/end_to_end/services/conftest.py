"""A served account with Desk, Books and Recruit, and what reads it."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Clock, Org
from simulators.zoho_suite import Suite, demo_suite, serve
from sources.zoho_api import service
from tests.support.connecting import Connecting


@pytest.fixture(autouse=True)
def own_authenticators(monkeypatch):
    """Each test has its own account."""
    monkeypatch.setattr(service, "_authenticators", {})


@pytest.fixture
def suite():
    """An account without rows, whose clock stands still."""
    return Suite(Org())


@pytest.fixture
def full_suite():
    """The demo account; its clock stands still."""
    return demo_suite(clock=Clock())


@pytest.fixture
def read(suite, tmp_path):
    with serve(suite) as zoho:
        yield Connecting(suite, zoho.connection_string, tmp_path)


@pytest.fixture
def read_full(full_suite, tmp_path):
    with serve(full_suite) as zoho:
        first = full_suite.books.organizations[0]["organization_id"]
        yield Connecting(
            full_suite, zoho.connection_string, tmp_path, parameters={"books": {"organization_id": first}}
        )

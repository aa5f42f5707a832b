"""A served account with Desk, Books and Recruit, and what reads it."""

from __future__ import annotations

import pytest

from simulators.zoho_books.demo import fill as fill_books
from simulators.zoho_crm import Org
from simulators.zoho_desk.demo import fill as fill_desk
from simulators.zoho_recruit.demo import fill as fill_recruit
from simulators.zoho_suite import Suite, serve
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
    """The demo's help desk, books and recruiter's office; the clock stands still."""
    suite = Suite(Org())
    fill_desk(suite.desk)
    fill_books(suite.books)
    fill_recruit(suite.recruit)
    return suite


@pytest.fixture
def read(suite, tmp_path):
    with serve(suite) as zoho:
        connecting = Connecting(suite, zoho.connection_string, tmp_path)
        yield connecting
        connecting.let_go()


@pytest.fixture
def read_full(full_suite, tmp_path):
    with serve(full_suite) as zoho:
        first = full_suite.books.organizations[0]["organization_id"]
        connecting = Connecting(
            full_suite, zoho.connection_string, tmp_path, parameters={"books": {"organization_id": first}}
        )
        yield connecting
        connecting.let_go()

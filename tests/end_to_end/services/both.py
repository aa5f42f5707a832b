"""What the tests of other services share."""

from __future__ import annotations

from typing import Any

from simulators.zoho_crm import Org
from tests.support.truth import landed, truth

MODULES = ("Contacts", "Accounts", "Pipelines", "Products", "Tasks", "Events", "Calls", "Notes")
NAMES = {"Start_DateTime": "start_date_time", "End_DateTime": "end_date_time"}


def agree(load: Any, *modules: str) -> None:
    """The tables of these modules are what the account has, value by value."""
    for module in modules or MODULES:
        assert landed(load, module.lower()) == truth(load.org, module, names=NAMES), module


def no_calls_elsewhere(org: Org) -> None:
    """Every call of the API went to Bigin, and the simulator knew it."""
    calls = [call for call in org.ledger.calls() if not call.path.startswith("/oauth/")]
    assert calls
    assert {call.path.split("/")[1] for call in calls} == {"bigin"}
    assert not [call for call in calls if call.status == 418]

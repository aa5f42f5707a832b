"""For a demo: a simulated account with all services, which lives as long as the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.demo import simulated_account
from pipelines.zoho_crm.options import Options

if TYPE_CHECKING:
    from sources.zoho_crm.auth.credentials import ZohoCredentials

SIMULATED = "These are simulated services of Zoho's on 127.0.0.1; no account of Zoho's is read."


@contextmanager
def opened_suite(options: Options, console: Console) -> Iterator[ZohoCredentials]:
    """The settings of a simulated account."""
    from simulators.zoho_suite import serve
    from simulators.zoho_suite.demo import demo_suite

    console.text(SIMULATED)
    console.event("simulated", {"note": SIMULATED})
    with simulated_account(lambda: serve(demo_suite())) as credentials:
        yield credentials

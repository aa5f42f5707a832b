"""For a demo: a simulated account with all services, which lives as long as the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.demo import later_demo, pipelines_dir, simulated_account
from pipelines.zoho_crm.options import Options

if TYPE_CHECKING:
    from sources.zoho_crm.auth.credentials import ZohoCredentials

SIMULATED = "These are simulated services of Zoho's on 127.0.0.1; no account of Zoho's is read."


@contextmanager
def opened_suite(options: Options, console: Console) -> Iterator[tuple[ZohoCredentials, dict[str, str]]]:
    """The settings of a simulated account, and the organisation of its books that a demo reads.

    After the first demo people have worked in it, once.
    """
    from simulators.zoho_suite import serve
    from simulators.zoho_suite.demo import demo_changes, demo_suite

    console.text(SIMULATED)
    console.event("simulated", {"note": SIMULATED})
    suite = later_demo(Path(pipelines_dir(options)), lambda clock: demo_suite(clock=clock), demo_changes)
    chosen = {"books.organization_id": suite.books.organizations[0]["organization_id"]}
    with simulated_account(lambda: serve(suite)) as credentials:
        yield credentials, chosen

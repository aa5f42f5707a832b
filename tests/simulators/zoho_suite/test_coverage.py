"""The tables of the READMEs of the smaller simulators."""

from __future__ import annotations

import pytest

from simulators.zoho_crm.coverage import switches_table
from simulators.zoho_crm.routes import ROUTES
from simulators.zoho_suite.coverage import READMES, fresh_readme, readme


@pytest.mark.parametrize("folder", READMES)
def test_a_readme_names_every_route_and_switch(folder):
    text = readme(folder).read_text(encoding="utf-8")
    assert fresh_readme(folder) == text, "run python -m simulators.zoho_suite.coverage"
    service, quirks = READMES[folder]
    routes = [known.name for known in ROUTES if known.service == service]
    assert routes and all(f"`{name}`" in text for name in routes)
    assert all(f"| `{name}` |" in text for name in quirks.__annotations__)


@pytest.mark.parametrize("folder", READMES)
def test_every_switch_says_on_what_authority_it_stands(folder):
    rows = switches_table(READMES[folder][1]).splitlines()[2:]
    words = ("documented", "seen", "inferred", "conflict")
    assert all(row.split("|")[4].strip().startswith(words) for row in rows)

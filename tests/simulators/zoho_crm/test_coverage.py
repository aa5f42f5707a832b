"""The tables of the simulator's README."""

from __future__ import annotations

from simulators.zoho_crm import Org, coverage
from simulators.zoho_crm.routes import ROUTES


def test_the_readme_names_every_route_and_switch():
    text = coverage.README.read_text(encoding="utf-8")
    assert coverage.fresh(text) == text, "run python -m simulators.zoho_crm.coverage"
    assert all(f"`{known.name}`" in text for known in ROUTES if known.service in ("crm", "accounts"))


def test_every_switch_says_on_what_authority_it_stands():
    rows = coverage.switches_table().splitlines()[2:]
    assert len(rows) == len(vars(Org().quirks))
    words = ("documented", "seen", "inferred", "conflict")
    assert all(row.split("|")[4].strip().startswith(words) for row in rows)

"""The demo account: the CRM's demo company with a help desk, books and a recruiter's office."""

from __future__ import annotations

from ..zoho_books.demo import fill as fill_books
from ..zoho_crm import Clock
from ..zoho_crm.demo.company import demo_org
from ..zoho_desk.demo import fill as fill_desk
from ..zoho_recruit.demo import fill as fill_recruit
from .suite import Suite


def demo_suite(seed: int = 0, clock: Clock | None = None) -> Suite:
    """The same account for the same seed."""
    suite = Suite(demo_org(seed=seed, clock=clock))
    fill_desk(suite.desk, seed)
    fill_books(suite.books, seed)
    fill_recruit(suite.recruit, seed)
    return suite

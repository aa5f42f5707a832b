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


def demo_changes(suite: Suite) -> None:
    """A day's work in Desk, Books and Recruit: rows that are new, changed and gone."""
    desk, books, recruit = suite.desk, suite.books, suite.recruit
    tickets = [row.id for row in desk.rows("tickets")]
    for id in tickets[:7]:
        desk.edit("tickets", id, status="Closed", resolution="Done ✅\nand told the customer")
    desk.add_comment(tickets[7], "A comment\nof two lines")
    desk.insert("tickets", {"subject": "New since the first demo"})
    desk.delete("tickets", tickets[-1])
    organization = books.organizations[0]["organization_id"]
    invoices = [row.id for row in books.rows("invoices", organization)]
    for id in invoices[:5]:
        books.edit("invoices", id, status="paid")
    candidates = [row.id for row in recruit.rows("Candidates")]
    for id in candidates[:4]:
        recruit.edit("Candidates", id, City="Ålesund")
    recruit.insert("Candidates", {"Last_Name": "Newcomer"})
    recruit.delete("Candidates", candidates[4])
    recruit.edit("J1_Participants", recruit.rows("J1_Participants")[0].id, Remark="left early ⛵")

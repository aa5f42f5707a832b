"""The account: its CRM, Desk, Books and Recruit behind one server."""

from __future__ import annotations

from typing import Any

from ..zoho_books import Books
from ..zoho_crm import Clock, Org, serve
from ..zoho_crm.oauth.scopes import READ_SCOPES
from ..zoho_crm.service import Service
from ..zoho_desk import Desk
from ..zoho_recruit import Recruit

__all__ = ["SUITE_SCOPES", "Suite", "serve"]

SUITE_SCOPES = READ_SCOPES | {
    "Desk.tickets.READ", "Desk.contacts.READ", "Desk.basic.READ", "Desk.settings.READ", "Desk.search.READ",
    "Desk.tasks.READ", "Desk.products.READ",
    "ZohoBooks.contacts.READ", "ZohoBooks.settings.READ", "ZohoBooks.estimates.READ", "ZohoBooks.invoices.READ",
    "ZohoBooks.customerpayments.READ", "ZohoBooks.creditnotes.READ", "ZohoBooks.expenses.READ",
    "ZohoBooks.salesorders.READ", "ZohoBooks.purchaseorders.READ", "ZohoBooks.bills.READ",
    "ZohoBooks.vendorpayments.READ", "ZohoBooks.banking.READ", "ZohoBooks.accountants.READ",
    "ZohoRecruit.modules.ALL", "ZohoRecruit.settings.ALL",
}  # fmt: skip


class Suite(Service):
    """An account; every service has its own limits, and `enabled = False` takes it away."""

    kind = "suite"

    def __init__(self, crm: Org | None = None, clock: Clock | None = None) -> None:
        self.crm = crm or Org(clock=clock)
        super().__init__(self.crm.rules, self.crm.quirks, account=self.crm)
        self.desk = Desk(account=self.crm)
        self.books = Books(account=self.crm)
        self.recruit = Recruit(account=self.crm)
        self.tokens.scopes = set(SUITE_SCOPES)
        self.tokens.client_name = "Zoho pipeline"

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.crm, self.desk, self.books, self.recruit)

    def part(self, kind: str) -> Service | None:
        if kind == "accounts":
            return self.crm
        return next((service for service in self.services if service.kind == kind), None)

    # -- the account, as its CRM has it

    @property
    def zgid(self) -> str:
        return self.crm.zgid

    @property
    def company_name(self) -> str:
        return self.crm.company_name

    @property
    def user(self) -> dict[str, Any]:
        return self.crm.user

    @property
    def time_zone(self) -> str:
        return self.crm.time_zone

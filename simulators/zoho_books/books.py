"""What the books hold: organisations, and for each of them contacts, items, documents, payments and accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..core.rows import Row, RowService
from ..zoho_crm.clock import Clock
from ..zoho_crm.exceptions import Refusal, refuse
from ..zoho_crm.routes import Request
from ..zoho_crm.rules import Rules
from ..zoho_crm.service import Service
from .quirks import BooksQuirks


@dataclass(frozen=True)
class Kind:
    """`id` and `one` are the keys of the id and of a single row; `detail` are the columns that a list leaves out."""

    id: str
    one: str
    scope: str
    columns: tuple[str, ...]
    detail: tuple[str, ...] = ()
    sorts: tuple[str, ...] = ()
    by_time: bool = False
    """Whether its list takes `last_modified_time`."""
    by_date: bool = False
    """Whether its list takes `date`, `date_start` and their like."""
    single: bool = True


PARTY = ("customer_id", "customer_name")
VENDOR = ("vendor_id", "vendor_name")
DOCUMENT = (
    "status", "date", "reference_number", "currency_id", "currency_code", "exchange_rate", "total",
    "is_emailed", "template_id", "custom_fields",
)  # fmt: skip
WHOLE = (
    "line_items", "notes", "terms", "billing_address", "shipping_address", "sub_total", "tax_total", "custom_fields",
    "exchange_rate", "template_id",
)  # fmt: skip
KINDS = {
    "contacts": Kind(
        "contact_id", "contact", "ZohoBooks.contacts.READ",
        (
            "contact_name", "company_name", "contact_type", "customer_sub_type", "status", "first_name", "last_name",
            "email", "phone", "mobile", "website", "currency_id", "currency_code", "payment_terms",
            "outstanding_receivable_amount", "outstanding_payable_amount", "unused_credits_receivable_amount",
            "notes", "billing_address", "shipping_address", "contact_persons", "custom_fields",
        ),
        detail=("notes", "billing_address", "shipping_address", "contact_persons", "custom_fields"),
        sorts=("contact_name", "first_name", "last_name", "email", "created_time", "last_modified_time"),
    ),
    "items": Kind(
        "item_id", "item", "ZohoBooks.settings.READ",
        (
            "name", "item_name", "unit", "status", "description", "rate", "purchase_rate", "sku", "product_type",
            "item_type", "tax_id", "tax_percentage", "account_id", "stock_on_hand", "custom_fields",
        ),
        detail=("custom_fields",),
        sorts=("name", "rate", "created_time", "last_modified_time"),
    ),
    "invoices": Kind(
        "invoice_id", "invoice", "ZohoBooks.invoices.READ",
        (*PARTY, "invoice_number", "due_date", "balance", *DOCUMENT, *WHOLE[:7], "salesperson_name"),
        detail=WHOLE,
        sorts=("customer_name", "invoice_number", "date", "due_date", "total", "balance", "created_time"),
        by_time=True,
    ),
    "estimates": Kind(
        "estimate_id", "estimate", "ZohoBooks.estimates.READ",
        (*PARTY, "estimate_number", "expiry_date", *DOCUMENT, *WHOLE[:7]),
        detail=WHOLE,
        sorts=("customer_name", "estimate_number", "date", "total", "created_time"),
        by_time=True,
    ),
    "bills": Kind(
        "bill_id", "bill", "ZohoBooks.bills.READ",
        (*VENDOR, "bill_number", "due_date", "balance", *DOCUMENT, *WHOLE[:7]),
        detail=WHOLE,
        sorts=("vendor_name", "bill_number", "date", "due_date", "total", "balance", "created_time"),
        by_time=True,
    ),
    "creditnotes": Kind(
        "creditnote_id", "creditnote", "ZohoBooks.creditnotes.READ",
        (*PARTY, "creditnote_number", "balance", *DOCUMENT, *WHOLE[:7]),
        detail=WHOLE,
        sorts=("customer_name", "creditnote_number", "date", "total", "balance", "created_time"),
        by_time=True,
    ),
    "salesorders": Kind(
        "salesorder_id", "salesorder", "ZohoBooks.salesorders.READ",
        (*PARTY, "salesorder_number", "shipment_date", *DOCUMENT, *WHOLE[:7]),
        detail=WHOLE,
        sorts=("customer_name", "salesorder_number", "shipment_date", "date", "total", "created_time"),
        by_time=True,
    ),
    "purchaseorders": Kind(
        "purchaseorder_id", "purchaseorder", "ZohoBooks.purchaseorders.READ",
        (*VENDOR, "purchaseorder_number", "delivery_date", *DOCUMENT, *WHOLE[:7]),
        detail=WHOLE,
        sorts=("vendor_name", "purchaseorder_number", "delivery_date", "date", "total", "created_time"),
        by_time=True,
    ),
    "customerpayments": Kind(
        "payment_id", "payment", "ZohoBooks.customerpayments.READ",
        (
            *PARTY, "payment_number", "payment_mode", "date", "amount", "unused_amount", "bcy_amount",
            "reference_number", "invoice_numbers", "description", "account_id", "currency_code", "exchange_rate",
        ),
        sorts=("customer_name", "date", "amount", "reference_number", "created_time"),
        by_date=True, single=False,
    ),
    "vendorpayments": Kind(
        "payment_id", "vendorpayment", "ZohoBooks.vendorpayments.READ",
        (
            *VENDOR, "payment_number", "payment_mode", "date", "amount", "balance", "bcy_amount",
            "reference_number", "bill_numbers", "description", "paid_through_account_id", "currency_code",
        ),
        sorts=("vendor_name", "date", "amount", "reference_number", "created_time"),
        by_date=True, single=False,
    ),
    "expenses": Kind(
        "expense_id", "expense", "ZohoBooks.expenses.READ",
        (
            *PARTY, *VENDOR, "date", "account_id", "account_name", "description", "status", "is_billable",
            "reference_number", "total", "bcy_total", "currency_code", "line_items", "custom_fields",
        ),
        detail=("line_items", "custom_fields"),
        sorts=("date", "account_name", "total", "customer_name", "reference_number", "created_time"),
        by_date=True,
    ),
    "chartofaccounts": Kind(
        "account_id", "chart_of_account", "ZohoBooks.accountants.READ",
        (
            "account_name", "account_code", "account_type", "is_user_created", "is_system_account", "is_active",
            "can_show_in_ze", "description", "parent_account_id", "depth", "has_attachment",
        ),
        sorts=("account_name", "account_type"), single=False,
    ),
    "bankaccounts": Kind(
        "account_id", "bankaccount", "ZohoBooks.banking.READ",
        (
            "account_name", "account_code", "account_type", "account_number", "currency_code", "bank_name",
            "routing_number", "is_active", "balance", "bank_balance", "bcy_balance", "uncategorized_transactions",
        ),
        sorts=("account_name", "account_type", "account_code"), single=False,
    ),
}  # fmt: skip
UNAUTHORIZED = (401, 57, "You are not authorized to perform this operation")
# Books' own status, code and words for what the server refuses.
ERRORS = {
    "AUTHENTICATION_FAILURE": (401, 14, "Invalid value passed for authtoken."),
    "INVALID_TOKEN": UNAUTHORIZED,
    "OAUTH_SCOPE_MISMATCH": UNAUTHORIZED,
    "NO_PERMISSION": UNAUTHORIZED,
    "TOO_MANY_REQUESTS": (
        429, 1070,
        "You have reached the maximum number of in process requests allowed. Kindly try again after some time.",
    ),
    "INTERNAL_ERROR": (500, 1000, "Internal error"),
}  # fmt: skip


@dataclass
class BooksRules(Rules):
    """Zoho's page on the limits of the Books API: 10 calls at once with a paid plan."""

    concurrency: int = 10
    calls_per_minute: int = 100
    """Of one organisation, as `calls_per_day`."""
    calls_per_day: int = 10_000


class Books(RowService):
    """Empty books of one organisation; `add_organization` gives another."""

    kind = "books"
    kinds = tuple(KINDS)
    first_id = 982_000_000_000_000_001
    rules: BooksRules
    quirks: BooksQuirks

    def __init__(
        self,
        rules: BooksRules | None = None,
        quirks: BooksQuirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
    ) -> None:
        super().__init__(rules or BooksRules(), quirks or BooksQuirks(), clock, account)
        self.organizations: list[dict[str, Any]] = []
        self.default_organization = self.add_organization(self.company_name)

    def add_organization(self, name: str, time_zone: str = "America/Los_Angeles", **more: Any) -> str:
        """Give the id of a new organisation; times are written in its zone."""
        number = len(self.organizations)
        id = str(10_234_695 + number)
        self.organizations.append(
            {
                "organization_id": id, "name": name, "contact_name": "Ada Admin", "email": "ada@example.com",
                "is_default_org": not self.organizations, "plan_type": 0, "tax_group_enabled": True,
                "plan_name": "TRIAL", "plan_period": "", "language_code": "en", "fiscal_year_start_month": 0,
                "account_created_date": "2024-02-18", "time_zone": time_zone, "is_org_active": True,
                "currency_id": f"982{number:012d}", "currency_code": "USD", "currency_symbol": "$",
                "currency_format": "###,##0.00", "price_precision": 2, **more,
            }
        )  # fmt: skip
        return id

    def admit(self, request: Request) -> None:
        if request.path.rstrip("/") == "/books/v3/organizations":
            return
        id = request.query.get("organization_id")
        if id is None and self.quirks.missing_organization_id == "default":
            id = self.default_organization
        if id is None:
            refuse(400, "INVALID_DATA", param_name="organization_id")
        if not self.enabled or id not in {row["organization_id"] for row in self.organizations}:
            refuse(
                self.quirks.wrong_organization_status,
                "6041",
                f"This user is not associated with the CompanyID/CompanyName:{id}.",
            )

    def organization_of(self, request: Request) -> str:
        return request.query.get("organization_id", self.default_organization)

    def check_limits(self, request: Request, cost: int) -> None:
        """Calls of the organisation, in the last minute and in the last day."""
        id, now = self.organization_of(request), self.clock.now()
        calls = [
            call.at
            for call in self.ledger.calls(service=self.kind)
            if call.status != 429 and call.query.get("organization_id", self.default_organization) == id
        ]
        if sum(at > now - timedelta(days=1) for at in calls) >= self.rules.calls_per_day:
            limit = self.rules.calls_per_day
            refuse(
                429,
                "45",
                f"The API call for this organization has exceeded the maximum call rate limit of {limit}.",
            )
        if sum(at > now - timedelta(minutes=1) for at in calls) >= self.rules.calls_per_minute:
            refuse(
                429,
                "44",
                "For security reasons your organization has been blocked as it have exceeded the maximum number of "
                "requests per minute that can originate from an organization.",
            )

    def credit_headers(self, cost: int) -> dict[str, str]:
        return {}

    def retry_after(self, refusal: Refusal) -> int | None:
        return self.quirks.minute_retry_after if refusal.code == "44" else None

    def error(self, refusal: Refusal) -> tuple[int, Any]:
        """`{"code": 57, "message": "..."}`."""
        if "param_name" in refusal.details:
            return 400, {"code": 2, "message": f"Invalid value passed for {refusal.details['param_name']}"}
        if refusal.code.isdigit():
            return refusal.status, {"code": int(refusal.code), "message": refusal.message}
        status, code, message = ERRORS.get(refusal.code, (refusal.status, 1000, refusal.message))
        return status, {"code": code, "message": message}

    # -- rows

    def insert(
        self,
        kind: str,
        values: dict[str, Any] | None = None,
        *,
        parent: str | None = None,
        modified_time: datetime | None = None,
    ) -> str:
        """Add a row to an organisation, by default to the first."""
        return super().insert(
            kind, values, parent=parent or self.default_organization, modified_time=modified_time
        )

    def defaults(self, kind: str) -> dict[str, Any]:
        return dict.fromkeys(KINDS[kind].columns)

    def whole(self, row: Row) -> dict[str, Any]:
        organization = next(org for org in self.organizations if org["organization_id"] == row.parent)
        zone = ZoneInfo(organization["time_zone"])
        times = {"created_time": row.created, "last_modified_time": row.modified}
        values = {KINDS[row.kind].id: row.id, **row.values, **times}
        return {name: shown(value, zone) for name, value in values.items()}

    def listed(self, row: Row) -> dict[str, Any]:
        """The row as a list shows it: without line items and the other columns that only a single row has."""
        left_out = KINDS[row.kind].detail
        return {name: value for name, value in self.whole(row).items() if name not in left_out}


def shown(value: Any, zone: ZoneInfo) -> Any:
    """Times as `2026-01-01T10:00:00-0800`, in the organisation's zone; no value is an empty text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S%z")
    return value.isoformat() if isinstance(value, date) else value

"""Books of two organisations with some hundred hard rows each, made from a seed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from ..core.words import FIRMS, LINES, person, story
from .books import KINDS, Books

INVOICES = 430
TIED = range(190, 215)
"""Invoices with one and the same time of modification, across a page's edge."""
SIZES = {
    "estimates": 60, "bills": 210, "creditnotes": 40, "salesorders": 75, "purchaseorders": 55,
}  # fmt: skip


def fill(books: Books, seed: int = 0) -> None:
    random = Random(seed)
    _fill(books, random, books.default_organization, 1)
    second = books.add_organization("Ærø & Søn 🧾", "Asia/Kolkata", currency_code="INR", currency_symbol="₹")
    _fill(books, random, second, 8)


def _fill(books: Books, random: Random, parent: str, less: int) -> None:
    """The rows of one organisation: a `less`-th of the sizes above."""
    accounts = _accounts(books, random, parent)
    contacts = [_contact(books, random, parent, number) for number in range(220 // less)]
    items = [
        books.insert("items", {
            "name": f"{random.choice(FIRMS)} {number}", "item_name": f"{random.choice(FIRMS)} {number}", "unit": "pcs",
            "status": "active", "rate": money(random), "purchase_rate": money(random), "sku": f"SKU-{number:06d}",
            "description": story(random, 3), "tax_percentage": Decimal("7.25"), "stock_on_hand": Decimal(number),
        }, parent=parent)
        for number in range(48 // less)
    ]  # fmt: skip
    for number in range(INVOICES // less):
        values = _document(random, number, contacts, items) | {
            "invoice_number": f"INV-{number:06d}",
            "balance": money(random) if number % 3 else Decimal(0),
        }
        _insert(books, "invoices", values, number, parent)
    for kind, size in SIZES.items():
        one = KINDS[kind].one
        for number in range(size // less):
            values = _document(random, number, contacts, items) | {
                f"{one}_number": f"{one[:2].upper()}-{number:05d}"
            }
            if kind in ("bills", "purchaseorders"):
                values["vendor_id"], values["vendor_name"] = (
                    values.pop("customer_id"),
                    values.pop("customer_name"),
                )
            _insert(books, kind, values, number, parent)
    _payments(books, random, parent, less, (contacts, accounts))


def _accounts(books: Books, random: Random, parent: str) -> list[str]:
    kinds = ("income", "expense", "cash", "other_asset", "equity")
    accounts = [
        books.insert("chartofaccounts", {
            "account_name": f"Account {number}: {LINES[number % len(LINES)][:20]}", "account_code": f"{number:04d}",
            "account_type": kinds[number % 5], "is_active": True, "is_user_created": number % 2 == 0, "depth": 0,
            "description": story(random, 2),
        }, parent=parent)
        for number in range(35)
    ]  # fmt: skip
    for number in range(4):
        books.insert("bankaccounts", {
            "account_name": f"Bank {number}", "account_type": "bank", "bank_name": FIRMS[number], "is_active": True,
            "currency_code": "USD", "balance": money(random), "bank_balance": -money(random), "bcy_balance": money(random),
        }, parent=parent)  # fmt: skip
    return accounts


def _contact(books: Books, random: Random, parent: str, number: int) -> str:
    first, last = person(random)
    values = {
        "contact_name": f"{random.choice(FIRMS)} {number}", "company_name": random.choice(FIRMS),
        "contact_type": "vendor" if number % 3 == 0 else "customer", "status": "active", "first_name": first,
        "last_name": last, "email": f"contact{number}@example.com" if number % 9 else None, "phone": f"00{number}",
        "currency_code": "USD", "payment_terms": 15, "outstanding_receivable_amount": money(random),
        "outstanding_payable_amount": Decimal(0), "notes": story(random, 4),
        "billing_address": {"address": f"Mole {number}\nby the sea", "city": "Ærøskøbing", "zip": f"{number:05d}"},
        "contact_persons": [{"first_name": first or "", "last_name": last, "is_primary_contact": True}],
        "custom_fields": [{"label": "Tier; class", "value": "A,B"}] if number % 2 else [],
    }  # fmt: skip
    return _insert(books, "contacts", values, number, parent)


def _document(random: Random, number: int, contacts: list[str], items: list[str]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for count in range(1 + number % 4):
        rate, quantity = money(random), Decimal(count + 1)
        lines.append(
            {
                "line_item_id": str(982_900_000_000_000_000 + number * 10 + count), "item_id": random.choice(items),
                "name": random.choice(FIRMS), "description": story(random, 3) or "", "item_order": count,
                "rate": rate, "quantity": quantity, "discount": Decimal("0.5"), "item_total": rate * quantity,
            }
        )  # fmt: skip
    total = sum((line["item_total"] for line in lines), Decimal(0))
    return {
        "customer_id": random.choice(contacts), "customer_name": f"{random.choice(FIRMS)} {number}",
        "status": ("sent", "draft", "overdue")[number % 3], "currency_code": "USD", "exchange_rate": Decimal("1.000000"),
        "total": total, "sub_total": total, "tax_total": Decimal("0.01"), "line_items": lines, "is_emailed": False,
        "reference_number": None if number % 4 else f"PO {number}; {number}", "notes": story(random, 5),
        "terms": story(random, 2), "custom_fields": [], "billing_address": {"address": "Mole 1\nPier"},
    }  # fmt: skip


def _payments(books: Books, random: Random, parent: str, less: int, ids: tuple[list[str], ...]) -> None:
    contacts, accounts = ids
    for number in range(260 // less):
        values = {
            "customer_id": random.choice(contacts), "customer_name": random.choice(FIRMS), "amount": money(random),
            "payment_number": number, "payment_mode": "Cash; or check", "description": story(random, 2),
            "reference_number": None, "account_id": accounts[0], "currency_code": "USD", "bcy_amount": money(random),
        }  # fmt: skip
        _insert(books, "customerpayments", values, number, parent)
        values = {
            "vendor_id": random.choice(contacts), "vendor_name": random.choice(FIRMS), "amount": money(random),
            "payment_number": number, "payment_mode": "Bank Transfer", "balance": Decimal(0), "currency_code": "USD",
        }  # fmt: skip
        _insert(books, "vendorpayments", values, number, parent)
        values = {
            "account_id": accounts[1], "account_name": "Fuel, etc.", "description": story(random, 6),
            "total": money(random), "bcy_total": money(random), "status": "unbilled", "is_billable": False,
            "line_items": [{"line_item_id": str(982_800_000_000_000_000 + number), "amount": money(random)}],
        }  # fmt: skip
        _insert(books, "expenses", values, number, parent)


def _insert(books: Books, kind: str, values: dict[str, Any], number: int, parent: str) -> str:
    """A row that was modified some days before the account's time; its date is that day."""
    placed = TIED.start if number in TIED else number
    at = books.now() - timedelta(days=430) + timedelta(hours=placed * 17, seconds=placed)
    if "date" in KINDS[kind].columns:
        values = {"date": at.date(), **values}
    if "due_date" in KINDS[kind].columns:
        values = {"due_date": None if number % 5 == 0 else at.date() + timedelta(days=30), **values}
    return books.insert(kind, values, parent=parent, modified_time=at)


def money(random: Random) -> Decimal:
    """Cents that a float cannot hold, up to some ten millions."""
    return Decimal(random.randint(1, 10**10)) / 1000

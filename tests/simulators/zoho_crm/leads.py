"""Small orgs for the tests of Bulk Read and COQL: one account, five leads with a value of every awkward type."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from simulators.zoho_crm import Clock, Field, Module, Org

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FIELDS = [
    Field("Last_Name", "text"),
    Field("Stage", "picklist", pick_list_values=["Open", "Won"]),
    Field("Colours", "multiselectpicklist", pick_list_values=["Red", "Green"]),
    Field("Amount", "currency"),
    Field("Rating", "integer"),
    Field("Due", "date"),
    Field("Seen", "datetime"),
    Field("Active", "boolean"),
    Field("Story", "textarea", textarea="rich_text"),
    Field("Account_Name", "lookup", lookup_module="Accounts"),
    Field("Repeats", "RRULE"),
    Field("Address", "address"),
    Field("Mailing_Coordinates", "text"),
    Field("Lines", "subform", subform_module="Lines"),
    Field("Files", "fileupload"),
    Field("Hidden", "text", visible=False),
]
REFUSED = ["Address", "Mailing_Coordinates", "Lines", "Files"]


def leads_org() -> Org:
    org = Org(clock=Clock(NOON))
    org.time_zone = "Europe/Berlin"
    org.add_module(Module("Accounts", [Field("Account_Name", "text"), Field("Phone", "phone")]))
    org.add_module(Module("Leads", [replace(field) for field in FIELDS]))
    acme = org.insert("Accounts", {"Account_Name": "Acme", "Phone": "007"})
    org.insert(
        "Leads",
        {
            "Last_Name": 'Say "hi",\nthen go', "Stage": "Open", "Colours": ["Red", "Green"],
            "Amount": Decimal("10.123456789"), "Rating": 3, "Due": date(2026, 3, 1), "Seen": NOON, "Active": True,
            "Story": "x" * 600, "Account_Name": acme, "Repeats": {"RRULE": "FREQ=DAILY"}, "Tag": ["a", "b"],
        },
    )  # fmt: skip
    for number in range(1, 5):
        at = NOON + timedelta(hours=number)
        values = {"Last_Name": f"Lead {number}", "Stage": "Won", "Rating": number, "Active": False}
        org.insert("Leads", values, modified_time=at)
    return org


COQL_FIELDS = [
    Field("Last_Name", "text"),
    Field("Stage", "picklist", pick_list_values=["Open", "Won"]),
    Field("Colours", "multiselectpicklist", pick_list_values=["Red", "Green"]),
    Field("Amount", "currency"),
    Field("Rating", "integer"),
    Field("Due", "date"),
    Field("Seen", "datetime"),
    Field("Active", "boolean"),
    Field("Notes_Text", "textarea", textarea="rich_text"),
    Field("Account_Name", "lookup", lookup_module="Accounts"),
    Field("Total", "formula", return_type="currency"),
    Field("Lines", "subform", subform_module="Lines"),
    Field("Files", "fileupload"),
    Field("Order", "text"),
    Field("Spooky", "hologram"),
    Field("Hidden", "text", visible=False),
]


def coql_org() -> Org:
    org = Org(clock=Clock(NOON))
    org.time_zone = "Europe/Berlin"
    org.add_module(Module("Accounts", [Field("Account_Name", "text"), Field("Phone", "phone")]))
    org.add_module(Module("Leads", [replace(field) for field in COQL_FIELDS]))
    acme = org.insert("Accounts", {"Account_Name": "Acme", "Phone": "007"})
    org.insert(
        "Leads",
        {
            "Last_Name": "O'Neil", "Stage": "Open", "Colours": ["Red", "Green"], "Amount": Decimal("10.123456789"),
            "Rating": 3, "Due": date(2026, 3, 1), "Seen": NOON, "Active": True, "Notes_Text": "x" * 600,
            "Account_Name": acme, "Total": Decimal("99.5"), "Order": "first",
        },
    )  # fmt: skip
    for number in range(1, 5):
        at = NOON + timedelta(hours=number)
        values = {"Last_Name": f"Lead {number}", "Stage": "Won", "Rating": number, "Active": False}
        org.insert("Leads", values, modified_time=at)
    return org

"""The demo company in Bigin: companies, contacts, the deals of two team pipelines, products, activities and notes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

from ..clock import Clock
from ..crm.models import Field, Module
from ..crm.org import Org
from .modules import lookup, money, picklist, texts
from .words import CITIES, COMPANIES, STAGES

START = datetime(2026, 3, 30, 7, 0, tzinfo=timezone.utc)
TEAMS = ("Sales", "Repairs")


def bigin_org(seed: int = 0, clock: Clock | None = None) -> Org:
    """The same seed and the same time give the same company; without a clock, time stands still."""
    org, random = Org(clock=clock or Clock(START), service="bigin"), Random(seed)
    org.account.add_user("Bea", "Standard", profile="Standard")
    for module in modules():
        org.add_module(module)
    layouts = org.modules["Pipelines"].layouts
    layouts[0]["name"] = TEAMS[0]
    layouts.append({"id": org.new_id(), "name": TEAMS[1], "status": "active"})
    for layout in layouts:
        org.account.add_pipeline(layout["id"], f"{layout['name']} Standard", STAGES)
    org.tag("Contacts", "Hot, very").update(color_code="#FF0000")
    add_records(org, random)
    return org


def modules() -> list[Module]:
    """As Bigin's documentation calls them: companies are `Accounts`, deals are `Pipelines`."""
    # Seen live: a team pipeline is told as a bigint, and is an object with an id.
    team = Field("Pipeline", "layout", extra={"data_type": "bigint"})
    about = [lookup("Related_To", "Pipelines"), Field("Who_Id", "lookup", lookup_module="Contacts")]
    return [
        Module(
            "Contacts",
            [
                *texts("First_Name", "Last_Name", "Full_Name", "Title", "Mailing_City"),
                lookup("Account_Name", "Accounts"), Field("Email", "email"), Field("Mobile", "phone"),
                Field("Email_Opt_Out", "boolean"), Field("Description", "textarea", textarea="large"),
            ],
            display_field="Full_Name",
        ),
        Module(
            "Accounts",
            [*texts("Account_Name", "Billing_City"), Field("Phone", "phone"), Field("Website", "website")],
            plural_label="Companies", singular_label="Company",
        ),
        Module(
            "Pipelines",
            [
                *texts("Deal_Name"), team, picklist("Sub_Pipeline", *(f"{team} Standard" for team in TEAMS)),
                picklist("Stage", *STAGES), money("Amount"), Field("Closing_Date", "date"),
                lookup("Contact_Name", "Contacts"), lookup("Account_Name", "Accounts"),
            ],
        ),
        Module("Products", [*texts("Product_Name", "Product_Code"), money("Unit_Price")]),
        Module("Tasks", [*texts("Subject"), Field("Due_Date", "date"), picklist("Status", "Open", "Done"), *about]),
        Module(
            "Events",
            [
                *texts("Event_Title"), Field("Start_DateTime", "datetime"), Field("End_DateTime", "datetime"), *about,
            ],
        ),
        Module("Calls", [*texts("Subject"), Field("Call_Start_Time", "datetime"), *about]),
        Module(
            "Notes",
            [*texts("Note_Title"), Field("Note_Content", "textarea", textarea="large"), lookup("Parent_Id", "Contacts")],
        ),
        Module("Social", api_supported=False),
    ]  # fmt: skip


def add_records(org: Org, random: Random) -> None:
    start = org.now()
    long_ago = start - timedelta(days=30)

    def insert(module: str, **values: Any) -> str:
        return org.insert(module, values, modified_time=long_ago)

    accounts = [
        insert(
            "Accounts",
            Account_Name=f"{random.choice(COMPANIES)} {number}",
            Billing_City=random.choice(CITIES),
        )
        for number in range(40)
    ]
    contacts = [
        insert(
            "Contacts",
            First_Name="Ann",
            Last_Name=f"O'Neil {number}",
            Full_Name=f"Ann O'Neil {number}",
            Account_Name=random.choice(accounts),
            Email=f"ann{number}@example.com",
            Mobile=f"00{number:07}",
            Description="two\nlines" if number % 3 else None,
            Tag=["Hot, very"] if number % 50 == 0 else None,
        )
        for number in range(450)
    ]
    teams = [{"id": layout["id"], "name": layout["name"]} for layout in org.modules["Pipelines"].layouts]
    deals = [
        insert(
            "Pipelines",
            Deal_Name=f"Deal {number}",
            Pipeline=teams[number % 2],
            Layout=teams[number % 2],
            Sub_Pipeline=f"{TEAMS[number % 2]} Standard",
            Stage=random.choice(STAGES),
            Amount=Decimal(number) + Decimal("0.000000001"),
            Contact_Name=random.choice(contacts),
            Account_Name=random.choice(accounts),
        )
        for number in range(260)
    ]
    for number in range(12):
        insert("Products", Product_Name=f"Product {number}", Product_Code=f"{number:04}", Unit_Price="9.5")
        about = {"Related_To": random.choice(deals), "Who_Id": random.choice(contacts)}
        when = start + timedelta(days=number)
        insert("Tasks", Subject=f"Task {number}", Status="Open", Due_Date=when.date(), **about)
        insert("Events", Event_Title=f"Visit {number}", Start_DateTime=when, **about)
        insert("Calls", Subject=f"Call {number}", Call_Start_Time=when, **about)
        insert("Notes", Note_Title="a note", Note_Content="one\ntwo", Parent_Id=random.choice(contacts))
    org.delete("Contacts", contacts[-1])


def bigin_changes(org: Org) -> None:
    """Changes for a second run to find. Records are chosen by their place."""
    contacts, deals = ([record.id for record in org.records(name)] for name in ("Contacts", "Pipelines"))
    for number in range(3):
        org.insert("Contacts", {"Last_Name": "Newcomer", "Full_Name": f"Newcomer {number}"})
    for id in deals[10:15]:
        org.edit("Pipelines", id, Stage="Closed Won", Amount=None)
    org.restore("Contacts", org.deletions["Contacts"][0].record.id)
    for id in contacts[20:24]:
        org.delete("Contacts", id)

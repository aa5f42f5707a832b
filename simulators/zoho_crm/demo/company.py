"""The demo company: small, with values and settings that a loader may get wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random

from ..clock import Clock
from ..crm.org import Org
from . import modules, records
from .account import fill_account
from .lighthouses import NAME, add_lighthouses, lighthouses
from .words import STAGES

START = datetime(2026, 3, 30, 7, 0, tzinfo=timezone.utc)  # the day after Berlin put its clocks forward


@dataclass(frozen=True)
class Changes:
    """The ids that `demo_changes` touched, by (module, what happened)."""

    inserted: dict[str, list[str]]
    edited: dict[str, list[str]]
    deleted: dict[str, list[str]]
    restored: dict[str, list[str]]
    converted: list[str]
    recomputed: list[str]


def demo_org(seed: int = 0, clock: Clock | None = None) -> Org:
    """The same seed and the same time give the same company; without a clock, time stands still."""
    org = Org(clock=clock or Clock(START))
    fill_account(org)
    add_modules(org)
    rows = records.Rows(org, Random(seed))
    for add in (
        records.add_accounts,
        records.add_contacts,
        records.add_leads,
        records.add_deals,
        records.add_activities,
        records.add_inventory,
        records.add_notes_and_attachments,
        records.add_odd_ones,
    ):
        add(rows)
    rows.ids[NAME] = add_lighthouses(org, rows.random, rows.ids)
    delete_some(org, rows.ids)
    return org


def add_modules(org: Org) -> None:
    made = [
        modules.leads(),
        modules.accounts(),
        modules.contacts(),
        modules.deals(),
        *modules.activities(),
        *modules.inventory(),
        *modules.notes_and_attachments(),
        modules.deal_history(),
        *lighthouses(),
        *modules.odd_ones(),
    ]
    for module in made:
        org.add_module(module)
    deals = org.modules["Deals"]
    deals.layouts.append({"id": org.new_id(), "name": "Refits; big ones", "status": "active"})
    for layout in deals.layouts:
        org.account.add_pipeline(layout["id"], f"{layout['name']} pipeline", STAGES)
    org.tag("Leads", "Hot, very").update(color_code="#FF0000")


def delete_some(org: Org, ids: dict[str, list[str]]) -> None:
    """Deletions of both kinds from before the first read, and one that was restored."""
    for id in ids["Contacts"][1000:1004]:
        org.delete("Contacts", id)
    org.delete("Contacts", ids["Contacts"][1002], permanent=True)
    org.restore("Contacts", ids["Contacts"][1003])
    org.delete("Tasks", ids["Tasks"][7])


def demo_changes(org: Org) -> Changes:
    """Changes for a second run to find: edits, a conversion, deletions, a restored record.

    Records are chosen by their place, so that equal companies change equally. Move the clock before.
    """
    leads, deals, contacts = (
        [record.id for record in org.records(name)] for name in ("Leads", "Deals", "Contacts")
    )
    values = {"Last_Name": "Newcomer", "Company": 'The "new" one, Ltd', "Tag": ["Hot, very"]}
    inserted = [org.insert("Leads", {**values, "Full_Name": f"Newcomer {number}"}) for number in range(3)]
    for id in leads[100:110]:
        org.edit("Leads", id, City="Helgoland", Annual_Revenue=Decimal("0.000000001"))
    for id in deals[10:15]:
        org.edit("Deals", id, Stage="Closed Won", Amount=None)
    tower = org.records(NAME)[5].id
    org.edit(NAME, tower, Last_Seen=org.now() - timedelta(minutes=5), Colours=["Red", "White; striped"])
    gone = contacts[20:24]
    for id in gone:
        org.delete("Contacts", id)
    org.delete("Contacts", gone[-1], permanent=True)
    quote = org.records("Quotes")[4].id  # its lines go along
    org.delete("Quotes", quote)
    back = next(gone.record.id for gone in org.deletions["Contacts"] if gone.kind == "recycle")
    org.restore("Contacts", back)
    lead = next(record.id for record in org.records("Leads") if not record.converted and record.approved)
    org.convert(lead, Converted_Account=org.records("Accounts")[1].id)
    org.set_computed("Deals", deals[30], "Expected_Revenue", Decimal(42))
    edited = {"Leads": leads[100:110], "Deals": deals[10:15], NAME: [tower]}
    deleted = {"Contacts": gone, "Quotes": [quote]}
    return Changes({"Leads": inserted}, edited, deleted, {"Contacts": [back]}, [lead], [deals[30]])

"""Orgs of deals: fifty with one field, or one with every kind of child record."""

from __future__ import annotations

from simulators.zoho_crm import Clock, Field, Module, Org, Rules

NAMES = ("Deals", "Rows", "Skills", "Links", "Notes", "Attachments", "DealHistory")


def children_org() -> Org:
    """A deal with a subform, links to skills, notes, attachments and a history."""
    org = Org()
    people = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")
    lines = Field("Lines", "subform", subform_module="Rows")
    skills = Field("Skills", "multiselectlookup", linking_module="Links", linking_field="Deal")
    parent = Field("Parent_Id", "multi_module_lookup")
    to_deal, to_skill = (Field(name, "lookup", lookup_module=f"{name}s") for name in ("Deal", "Skill"))
    of_deal = Field("Potential_Name", "lookup", lookup_module="Deals")
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), lines, skills]))
    org.add_module(Module("Skills", [Field("Name", "text")]))
    org.add_module(
        Module("Rows", [Field("Count", "integer")], generated_type="subform", parent_module="Deals")
    )
    org.add_module(Module("Links", [to_deal, to_skill], generated_type="linking"))
    org.add_module(Module("Notes", [Field("Note_Title", "text"), parent], system_fields=people))
    org.add_module(Module("Attachments", [Field("File_Name", "text"), parent], system_fields=people))
    org.add_module(Module("DealHistory", [of_deal], generated_type="field_tracker", parent_module="Deals"))
    return org


def deal_of(org: Org, name: str = "boat") -> str:
    deal = org.insert("Deals", {"Deal_Name": name, "Lines": [{"Count": 1}, {"Count": 2}]})
    link = {"id": deal, "module": "Deals"}
    note = org.insert("Notes", {"Note_Title": f"about the {name}", "Parent_Id": link})
    org.insert("Attachments", {"File_Name": f"{name}.pdf", "Parent_Id": link})
    org.insert("Attachments", {"File_Name": "in the note", "Parent_Id": {"id": note, "module": "Notes"}})
    org.insert("Links", {"Deal": deal, "Skill": org.insert("Skills", {"Name": "sail"})})
    org.insert("DealHistory", {"Potential_Name": deal})
    return deal


def sizes(org: Org) -> dict[str, int]:
    return {name: len(org.records(name)) for name in NAMES}


def company(rules: Rules | None = None, clock: Clock | None = None) -> Org:
    org = Org(rules, clock=clock)
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    for number in range(50):
        org.insert("Deals", {"Deal_Name": f"deal {number}"})
    return org

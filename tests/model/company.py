"""The small company of the model test: one module of each kind that a sync can trip over."""

from __future__ import annotations

from random import Random

from simulators.zoho_crm import Field, Module, Org, Quirks

PICKS = ("Hot", "Warm; wet", "Cold, dry")
ZONES = ("UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin")
PEOPLE = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")

# Modules whose records are made by themselves; rows of subforms, links and notes hang on them.
PLAIN = ("Accounts", "Leads", "Visits", "Quotes", "Rates")
FIXED = frozenset(
    {"Title", "Lines", "Hosts", "Account", "Visit", "Lead", "Parent_Id"}
)  # never dropped or retyped


def company(seed: int, zone: str) -> Org:
    """The org before its first run; `seed` chooses the simulator's switches."""
    org = Org(quirks=Quirks.shuffled(Random(seed)))
    org.time_zone = zone
    org.rules.access_tokens_per_window = 1_000  # many runs begin at one time
    for module in modules():
        org.add_module(module)
    return org


def modules() -> list[Module]:
    title = ("Title", "text")
    return [
        Module(
            "Accounts",
            [
                Field(*title),
                Field("Phone", "phone"),
                Field("Parent_Account", "lookup", lookup_module="Accounts"),
                Field("Open_Deals", "rollup_summary", return_type="integer"),
                Field("Story", "textarea", textarea="rich_text"),
            ],
        ),
        Module(
            "Leads",
            [
                Field(*title),
                Field("Pick", "picklist", pick_list_values=PICKS),
                Field("Multi", "multiselectpicklist", pick_list_values=PICKS),
                Field("Money", "currency", decimal_place=9),
                Field("Moment", "datetime"),
                Field("Score", "formula", return_type="double"),
                Field("Account", "lookup", lookup_module="Accounts"),
                Field("Converted_Account", "lookup", lookup_module="Accounts"),
            ],
        ),
        Module(
            "Visits",
            [
                Field(*title),
                Field("Pick", "picklist", pick_list_values=PICKS),
                Field("Day", "date"),
                Field("Number", "integer"),
                Field("Share", "double"),
                Field("Flag", "boolean"),
                Field("Lead", "lookup", lookup_module="Leads"),
                Field("Says", "formula", return_type="text"),
                Field(
                    "Hosts",
                    "multiselectlookup",
                    lookup_module="Accounts",
                    linking_module="Visits_X_Accounts",
                    linking_field="Visit",
                ),
                # More than one list call may ask for.
                *(Field(f"Answer_{number}", "text") for number in range(45)),
            ],
            generated_type="custom",
        ),
        Module(
            "Quotes",
            [
                Field(*title),
                Field("Total", "currency"),
                Field("Lines", "subform", subform_module="Quote_Lines"),
            ],
        ),
        Module(
            "Quote_Lines",
            [Field(*title), Field("Number", "integer"), Field("Sum", "formula", return_type="currency")],
            generated_type="subform",
            parent_module="Quotes",
        ),
        Module(
            "Visits_X_Accounts",
            [
                Field("Visit", "lookup", lookup_module="Visits"),
                Field("Account", "lookup", lookup_module="Accounts"),
                Field(*title),
            ],
            generated_type="linking",
        ),
        Module(
            "Notes",
            [Field(*title), Field("Parent_Id", "multi_module_lookup")],
            system_fields=PEOPLE,
        ),
        # Without Modified_Time nothing tells what changed.
        Module(
            "Rates", [Field(*title), Field("Share", "double")], generated_type="custom", system_fields=("id",)
        ),
    ]

"""The demo company's modules as Zoho ships them: sales, activities, inventory, and the odd ones of its own."""

from __future__ import annotations

from ..crm.models import Field, Module, PickListValue
from .words import INDUSTRIES, SOURCES, STAGES

ADDRESS = ("Street", "City", "State", "Zip_Code", "Country")


def texts(*names: str) -> list[Field]:
    return [Field(name, "text") for name in names]


def picklist(name: str, *values: str, unused: str | None = None) -> Field:
    used = [PickListValue(value, value) for value in values]
    return Field(
        name,
        "picklist",
        pick_list_values=[*used, *([PickListValue(unused, unused, False)] if unused else [])],
    )


def lookup(name: str, module: str) -> Field:
    return Field(name, "lookup", lookup_module=module)


def money(name: str) -> Field:
    return Field(name, "currency", decimal_place=9, length=16)


def rich_text(name: str) -> Field:
    return Field(name, "textarea", textarea="rich_text", length=50_000)


def multi_currency() -> list[Field]:
    return [picklist("Currency", "EUR", "USD", "JPY"), Field("Exchange_Rate", "double", decimal_place=9)]


def leads() -> Module:
    # Lead_Source and LeadSource are one name once they are written in snake_case.
    return Module(
        "Leads",
        [
            *texts("Full_Name", "First_Name", "Last_Name", "Company", *ADDRESS),
            Field("Email", "email"), Field("Phone", "phone"), Field("Website", "website"),
            picklist("Lead_Source", *SOURCES, unused="Fax"), Field("LeadSource", "text", custom=True),
            picklist("Industry", *INDUSTRIES), money("Annual_Revenue"), Field("No_of_Employees", "integer"),
            Field("Email_Opt_Out", "boolean"), Field("Last_Visit", "datetime"), rich_text("Description"),
            Field("Score", "formula", return_type="double"), lookup("Converted_Account", "Accounts"),
            lookup("Converted_Contact", "Contacts"), lookup("Converted_Deal", "Deals"),
        ],
    )  # fmt: skip


def accounts() -> Module:
    return Module(
        "Accounts",
        [
            *texts("Account_Name", "Account_Number", "Billing_Street", "Billing_City", "Billing_Code"),
            lookup("Parent_Account", "Accounts"), Field("Phone", "phone"), Field("Website", "website"),
            picklist("Industry", *INDUSTRIES), money("Annual_Revenue"), Field("Billing_Coordinates", "text"),
            Field("Open_Deals", "rollup_summary", return_type="integer"), Field("Blood_Type", "text", visible=False),
            Field("Territories", "territories"), Field("Record_Image", "profileimage"),
        ],
    )  # fmt: skip


def contacts() -> Module:
    return Module(
        "Contacts",
        [
            *texts("Full_Name", "First_Name", "Last_Name", "Department", "Mailing_City", "Mailing_Zip"),
            lookup("Account_Name", "Accounts"), lookup("Reporting_To", "Contacts"), Field("Email", "email"),
            Field("Mobile", "phone"), Field("Date_of_Birth", "date"), Field("Email_Opt_Out", "boolean"),
            Field("Mailing_Address", "address"), Field("Data_Processing_Basis_Details", "consent_lookup"),
        ],
    )  # fmt: skip


def deals() -> Module:
    return Module(
        "Deals",
        [
            Field("Deal_Name", "text"), lookup("Account_Name", "Accounts"), lookup("Contact_Name", "Contacts"),
            picklist("Stage", *STAGES), picklist("Pipeline", "Standard (Standard)", "Refits"), money("Amount"),
            money("Amount_in_Home_Currency"), *multi_currency(), Field("Closing_Date", "date"),
            Field("Probability", "percent"), Field("Expected_Revenue", "formula", return_type="currency"),
            Field("Overdue", "formula", return_type="boolean"), Field("Deal_Number", "autonumber"),
            Field("Territory", "territories"), rich_text("Description"),
        ],
    )  # fmt: skip


def deal_history() -> Module:
    return Module(
        "DealHistory",
        [
            lookup("Potential_Name", "Deals"), picklist("Stage", *STAGES), picklist("Moved_To__s", *STAGES),
            money("Amount"), Field("Duration_Days", "integer"), Field("Last_Activity", "datetime"),
        ],
        generated_type="field_tracker",
        parent_module="Deals",
    )  # fmt: skip


def activities() -> list[Module]:
    related = [
        Field("What_Id", "multi_module_lookup"),
        lookup("Who_Id", "Contacts"),
        Field("Description", "textarea"),
    ]
    tasks = Module(
        "Tasks",
        [
            Field("Subject", "text"), Field("Due_Date", "date"), picklist("Status", "Not Started", "Done; maybe"),
            Field("Recurring_Activity", "RRULE"), Field("Remind_At", "ALARM"), *related,
        ],
    )  # fmt: skip
    events = Module(
        "Events",
        [
            Field("Event_Title", "text"), Field("Start_DateTime", "datetime"), Field("End_DateTime", "datetime"),
            Field("All_day", "boolean"), Field("Venue", "text"), Field("Recurring_Activity", "RRULE"),
            Field("Remind_At", "event_reminder"), Field("Reminders", "multireminder"),
            Field("Participants", "text", json_type="jsonarray"), *[lookup("Who_Id", "Contacts")],
        ],
        module_name="Meetings",
        refused_by_bulk={"Participants"},
        refused_by_coql={"Participants"},
    )  # fmt: skip
    calls = Module(
        "Calls",
        [
            Field("Subject", "text"), Field("Call_Start_Time", "datetime"), Field("Call_Duration_in_seconds", "integer"),
            picklist("Call_Type", "Outbound", "Inbound, missed"), Field("CTI_Entry", "boolean"), *related[:2],
        ],
        refused_by_bulk={"CTI_Entry"},
        refused_by_coql={"CTI_Entry"},
    )  # fmt: skip
    return [tasks, events, calls]


def inventory() -> list[Module]:
    products = Module(
        "Products",
        [
            *texts("Product_Name", "Product_Code"), money("Unit_Price"), Field("Qty_in_Stock", "double"),
            Field("Product_Active", "boolean"), Field("Tax", "multiselectpicklist", pick_list_values=["VAT", "Salt; tax"]),
            Field("Manuals", "fileupload"), Field("Pictures", "imageupload"),
        ],
    )  # fmt: skip
    quotes = Module(
        "Quotes",
        [
            Field("Subject", "text"), lookup("Account_Name", "Accounts"), lookup("Deal_Name", "Deals"),
            money("Grand_Total"), Field("Valid_Till", "date"), *multi_currency(),
            Field("Quoted_Items", "subform", subform_module="Quoted_Items"),
        ],
    )  # fmt: skip
    items = Module(
        "Quoted_Items",
        [
            lookup("Product_Name", "Products"), Field("Quantity", "double"), money("List_Price"),
            Field("Total", "formula", return_type="currency"), Field("Description", "textarea"),
        ],
        generated_type="subform",
        parent_module="Quotes",
        display_field="id",
    )  # fmt: skip
    return [products, quotes, items]


def notes_and_attachments() -> list[Module]:
    parent = Field("Parent_Id", "multi_module_lookup")
    people = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")
    return [
        Module(
            "Notes",
            [Field("Note_Title", "text"), Field("Note_Content", "textarea"), parent],
            system_fields=people,
        ),
        Module(
            "Attachments",
            [Field("File_Name", "text"), Field("Size", "bigint"), Field("Parent_Id", "multi_module_lookup")],
            system_fields=people,
        ),
    ]


def odd_ones() -> list[Module]:
    """Modules that are listed and cannot be read, are empty, or have a name that gives trouble."""
    feedback = [
        Field("客户名称", "text", custom=True),
        Field("评分", "integer", custom=True),
        Field("意见", "textarea"),
    ]
    return [
        Module(
            "客户反馈",
            feedback,
            generated_type="custom",
            module_name="CustomModule7",
            plural_label="Feedback",
        ),
        Module("USERS", [Field("Name", "text"), Field("Seats", "integer")], generated_type="custom"),
        Module("Vendors", [Field("Vendor_Name", "text"), Field("Phone", "phone")]),
        Module("Home", [], api_supported=False),
        Module(
            "Payroll", [Field("Name", "text"), money("Salary")], generated_type="custom", no_permission=True
        ),
        Module("Actions_Performed", [], fields_204=True),
        Module("Scoring_Rules__s", [Field("Name", "text")], viewable=False, scope_mismatch=True),
    ]

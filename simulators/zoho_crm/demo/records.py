"""The demo company's records: mostly small tables, two that need a page token, with every kind of awkward value."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from .words import (
    CITIES,
    COMPANIES,
    COUNTRIES,
    FIRST_NAMES,
    INDUSTRIES,
    LAST_NAMES,
    LONG_STORY,
    PRODUCTS,
    SOURCES,
    STAGES,
    STORY,
    SUBJECTS,
)

if TYPE_CHECKING:
    from ..crm.org import Org

LEADS, CONTACTS = 5_200, 2_050
SHARED = range(185, 215)  # these contacts share one Modified_Time, and so do those as far from the end
MINUTE = timedelta(minutes=1)
ACTIVE_BEFORE = (1, 20, 60, 150)  # days ago: the second, third, ... user worked before then


class Rows:
    """Adds records from one seed; `ids` holds those of each module, in their order."""

    def __init__(self, org: Org, random: Random) -> None:
        self.org, self.random = org, random
        self.now = org.now()
        self.ids: dict[str, list[str]] = {}

    def add(self, module: str, values: dict[str, Any], at: datetime | None = None, **state: bool) -> str:
        has = self.org.modules[module].field
        people = {name: self.editor(at or self.now) for name in ("Created_By", "Modified_By") if has(name)}
        id = self.org.insert(module, {**people, **values}, modified_time=at, **state)
        self.ids.setdefault(module, []).append(id)
        return id

    def pick(self, values: Any) -> Any:
        return values[self.random.randrange(len(values))]

    def any_of(self, module: str) -> str:
        return str(self.pick(self.ids[module]))

    def money(self) -> Decimal:
        billionths = self.random.randrange(10**15)
        if billionths % 9:
            billionths -= billionths % 10**7  # most prices have two decimals, some all nine
        return Decimal(billionths) / 10**9

    def person(self, number: int) -> dict[str, Any]:
        first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
        full = f"{first} {last}" if first else last
        return {"Full_Name": full, "First_Name": first, "Last_Name": last, "Owner": self.owner(number)}

    def editor(self, at: datetime) -> dict[str, str]:
        """Who worked on a record then: some users have long done nothing, some never did anything."""
        return self.owner(sum((self.now - at).days >= days for days in ACTIVE_BEFORE))

    def owner(self, number: int) -> dict[str, str]:
        user = self.org.account.users[number % len(self.org.account.users)]
        return {"id": user["id"], "name": user["full_name"]}


def add_accounts(rows: Rows) -> None:
    rows.add("Accounts", {"Account_Name": "Nothing but a name"})
    for number in range(1, 300):
        values = {
            "Account_Name": f"{COMPANIES[number % len(COMPANIES)]} {number}", "Account_Number": f"{number:07d}",
            "Billing_City": rows.pick(CITIES), "Billing_Street": f"Quay {number}\nBack yard", "Billing_Code": "00701",
            "Phone": f"+49 (0) 471 {number}", "Website": "https://example.com", "Industry": rows.pick(INDUSTRIES),
            "Annual_Revenue": rows.money(), "Billing_Coordinates": "1,2", "Open_Deals": number % 4,
            "Blood_Type": "AB", "Record_Image": f"logo{number}", "Owner": rows.owner(number),
            "Parent_Account": rows.any_of("Accounts") if number % 5 == 0 else None,
        }  # fmt: skip
        rows.add("Accounts", values, rows.now - timedelta(days=number))


def add_contacts(rows: Rows) -> None:
    rows.add("Contacts", {"Last_Name": "Nobody"}, rows.now - CONTACTS * MINUTE)
    for number in range(1, CONTACTS):
        values = {
            **rows.person(number), "Email": f"contact{number}@example.com", "Mobile": f"{number:011d}",
            "Account_Name": rows.any_of("Accounts"), "Date_of_Birth": date(1960, 1, 1) + timedelta(days=number * 9),
            "Email_Opt_Out": number % 3 == 0, "Mailing_City": rows.pick(CITIES), "Mailing_Zip": f"{number:05d}",
            "Department": None if number % 2 else "Wicks, oil; glass",
            "Reporting_To": rows.any_of("Contacts") if number % 4 == 0 else None,
            "Tag": ["VIP", "has, comma"] if number % 50 == 0 else None,
            "Data_Processing_Basis_Details": {"id": rows.org.new_id()} if number % 10 == 0 else None,
        }  # fmt: skip
        edge = next((SHARED.start for place in (number, CONTACTS - 1 - number) if place in SHARED), None)
        after = number if edge is None else edge if number in SHARED else CONTACTS - 1 - edge
        rows.add("Contacts", values, rows.now - (CONTACTS - after) * MINUTE)


def add_leads(rows: Rows) -> None:
    rows.add("Leads", {"Last_Name": "Nobody", "Company": "Nothing"}, rows.now - timedelta(days=400))
    for number in range(1, LEADS):
        values = lead(rows, number)
        at = rows.now - timedelta(days=390) + number * timedelta(minutes=107)
        state = {"approved": False} if number % 97 == 0 else {}
        if number % 13 == 0:
            state["converted"] = True
            values |= {
                "Converted__s": True,
                "Converted_Date_Time": at,
                "Converted_Account": rows.any_of("Accounts"),
                "Converted_Contact": rows.any_of("Contacts"),
            }
        rows.add("Leads", values, at, **state)


def lead(rows: Rows, number: int) -> dict[str, Any]:
    return {
        **rows.person(number), "Company": rows.pick(COMPANIES), "Email": f"lead{number}@example.com",
        "Phone": "007" if number % 9 == 0 else f"+1-555-{number:04d}", "City": rows.pick(CITIES),
        "Zip_Code": f"{number:05d}", "Country": rows.pick(COUNTRIES), "Street": f"{number}, Pier \"{number % 7}\"",
        "Lead_Source": rows.pick(SOURCES), "LeadSource": f"campaign {number % 11}", "Industry": rows.pick(INDUSTRIES),
        "Annual_Revenue": rows.money() if number % 4 else None, "No_of_Employees": number % 500,
        "Email_Opt_Out": number % 5 == 0, "Last_Visit": rows.now - timedelta(hours=number), "Score": number / 7,
        "Description": LONG_STORY if number % 40 == 0 else STORY if number % 3 == 0 else None,
    }  # fmt: skip


def add_deals(rows: Rows) -> None:
    rows.add("Deals", {"Deal_Name": "Nothing but a name"})
    for number in range(1, 450):
        at = rows.now - timedelta(hours=7 * number)
        stage, currency = rows.pick(STAGES), ("EUR", "USD", "JPY")[number % 3]
        rows.add("Deals", {
            "Deal_Name": f"{rows.pick(PRODUCTS)} for tower {number}", "Account_Name": rows.any_of("Accounts"),
            "Contact_Name": rows.any_of("Contacts"), "Stage": stage, "Pipeline": "Refits" if number % 3 else None,
            "Amount": rows.money(), "Amount_in_Home_Currency": rows.money(), "Currency": currency,
            "Exchange_Rate": {"EUR": 1.0, "USD": 1.0825, "JPY": 162.345678901}[currency],
            "Closing_Date": date(2026, 1, 1) + timedelta(days=number), "Probability": float(number % 101),
            "Expected_Revenue": rows.money(), "Overdue": number % 2 == 0, "Deal_Number": f"D-{number:05d}",
            "Description": LONG_STORY if number % 9 == 0 else None, "Owner": rows.owner(number),
        }, at)  # fmt: skip
        for step in range(number % 4):
            rows.add("DealHistory", {
                "Potential_Name": rows.ids["Deals"][-1], "Stage": STAGES[step], "Moved_To__s": STAGES[step + 1],
                "Amount": rows.money(), "Duration_Days": step * 3, "Last_Activity": at,
            }, at)  # fmt: skip
    for number in range(5):  # the deal of these is gone
        orphan = {"Stage": STAGES[0], "Amount": rows.money(), "Duration_Days": number, "Modified_By": None}
        rows.add("DealHistory", orphan)


def add_activities(rows: Rows) -> None:
    for number in range(150):
        parent = {"id": rows.any_of("Deals"), "name": None, "module": "Deals"}
        lead = {"id": rows.any_of("Leads"), "name": None, "module": "Leads"}
        related = {"What_Id": (parent, lead, None)[number % 3], "Who_Id": rows.any_of("Contacts")}
        at, subject = rows.now - timedelta(hours=number), rows.pick(SUBJECTS)
        rows.add("Tasks", {
            "Subject": subject, "Due_Date": date(2026, 4, 1) if number % 2 else None, "Status": "Done; maybe",
            "Recurring_Activity": {"RRULE": "FREQ=WEEKLY;BYDAY=MO,TU"} if number % 5 == 0 else None,
            "Remind_At": {"ALARM": "FREQ=DAILY;ACTION=POPUP"} if number % 6 == 0 else None,
            "Description": STORY if number % 4 == 0 else None, **related,
        }, at)  # fmt: skip
        rows.add("Calls", {
            "Subject": subject, "Call_Start_Time": at, "Call_Duration_in_seconds": number * 7,
            "Call_Type": "Inbound, missed" if number % 2 else "Outbound", "CTI_Entry": False, **related,
        }, at)  # fmt: skip
        if number % 2:
            continue
        event = rows.add("Events", {
            "Event_Title": subject, "Start_DateTime": at, "End_DateTime": at + timedelta(minutes=30),
            "All_day": number % 10 == 0, "Venue": rows.pick(CITIES), "Who_Id": rows.any_of("Contacts"),
            "Recurring_Activity": {"RRULE": "FREQ=YEARLY"} if number % 4 == 0 else None,
            "Remind_At": {"unit": "15", "period": "minutes"} if number % 3 else None,
            "Reminders": {"unit": "1", "period": "days; weeks, maybe"} if number % 5 else None,
        }, at)  # fmt: skip
        # Zoho types it as text, yet it holds a list.
        held = rows.org.record("Events", event)
        if held and number % 3:
            held.values["Participants"] = [
                {"type": "email", "participant": "a@example.com", "invited": False}
            ]


def add_inventory(rows: Rows) -> None:
    for number in range(60):
        name = PRODUCTS[number % len(PRODUCTS)]
        rows.add("Products", {"Product_Name": name} if number == 0 else {
            "Product_Name": f"{name} ({number})", "Product_Code": f"{number:03d}", "Unit_Price": rows.money(),
            "Qty_in_Stock": number / 4, "Product_Active": number % 3 > 0,
            "Tax": [["VAT"], ["VAT", "Salt; tax"], None][number % 3],
        })  # fmt: skip
    for number in range(80):
        items = [
            {"Product_Name": rows.any_of("Products"), "Quantity": line + 0.5, "List_Price": rows.money(),
             "Total": rows.money(), "Description": "line,\nby line" if line else None}
            for line in range(number % 5)
        ]  # fmt: skip
        rows.add("Quotes", {
            "Subject": f"Quote {number}; final, really", "Account_Name": rows.any_of("Accounts"),
            "Deal_Name": rows.any_of("Deals") if number % 3 else None, "Grand_Total": rows.money(),
            "Valid_Till": date(2026, 12, 31), "Currency": "EUR", "Exchange_Rate": 1.0, "Quoted_Items": items,
        }, rows.now - timedelta(days=number))  # fmt: skip


def add_notes_and_attachments(rows: Rows) -> None:
    for number in range(120):
        module = ("Leads", "Deals", "Accounts")[number % 3]
        parent = {"id": rows.any_of(module), "name": None, "module": module}
        at = rows.now - timedelta(hours=number)
        title = None if number % 4 == 0 else rows.pick(SUBJECTS)
        rows.add("Notes", {"Note_Title": title, "Note_Content": STORY, "Parent_Id": parent}, at)
        if number % 2:
            name = f"offer {number}, final; v2.pdf"
            rows.add("Attachments", {"File_Name": name, "Size": number * 1001, "Parent_Id": parent}, at)
    give_contents(rows)


def give_contents(rows: Rows) -> None:
    """Two attachments that are equal, one whose row states another size, one that is gone, and a link."""
    contents, ids = rows.org.contents, rows.ids["Attachments"]
    for id in ids[1:3]:
        contents.put(id, b"The same offer twice.")
    contents.put(ids[3], b"")
    contents.lose(ids[4])
    contents.make_link(ids[5])


def add_odd_ones(rows: Rows) -> None:
    for number in range(40):
        feedback = {
            "客户名称": f"客户{number}",
            "评分": number % 6,
            "意见": "很好；非常好，谢谢" if number % 3 else None,
        }
        rows.add("客户反馈", feedback)
    for number in range(5):
        rows.add("USERS", {"Name": f"Licence {number}", "Seats": number * 5})

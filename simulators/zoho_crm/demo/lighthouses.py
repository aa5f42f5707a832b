"""The demo company's custom module with a field of every type: more fields than one list call may ask for."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from ..crm.models import Field, Module
from .modules import lookup, money, picklist, rich_text, texts
from .words import CITIES, LONG_STORY, STORY

if TYPE_CHECKING:
    from ..crm.org import Org

NAME = "Lighthouses"
LINKS = "Lighthouses_X_Products"
TOWERS = (
    "Roter Sand", "Eddystone", "Cape Hatteras", "Phare d'Ar-Men", "日御碕", "מגדלור יפו", "منارة الشارقة",
    "Tower \"B\"", "Skagen, grey", "Bell; Rock", "Two\nStoreys", "🗼", "007", "Bishop Rock", "La Jument",
)  # fmt: skip
# Both sides of the night when Berlin puts its clocks back, and of the one when it puts them forward.
DST_EDGES = tuple(
    datetime.fromisoformat(f"{text}+00:00")
    for text in ("2025-10-26T00:30:00", "2025-10-26T01:30:00", "2025-03-30T00:59:59", "2025-03-30T01:00:00")
)
READINGS = 26


def lighthouses() -> list[Module]:
    colours = ["Red", "White; striped", "Blue, faded", 'So "green"']
    fields = [
        *texts("Name", "Street", "City", "Zip_Code", "Coordinates"), Field("Address", "address"),
        picklist("Status", "Lit", "Dark; under repair", "Dimmed, for now", unused="Demolished"),
        Field("Colours", "multiselectpicklist", pick_list_values=colours), Field("Keeper", "userlookup"),
        Field("Assistants", "multiuserlookup"), lookup("Supplier", "Accounts"),
        Field("Parts", "multiselectlookup", linking_module=LINKS, linking_field="Lighthouse"),
        Field("Height", "double"), Field("Steps", "integer"), Field("Hull_Number", "bigint"), Field("Damp", "percent"),
        money("Upkeep"), Field("Automated", "boolean"), Field("First_Lit", "date"), Field("Last_Seen", "datetime"),
        Field("Log_Book", "textarea", textarea="large"), rich_text("Story"), Field("Email", "email"),
        Field("Phone", "phone"), Field("Website", "website"), Field("Tower_Number", "autonumber"),
        *(Field(f"Formula_{kind.title()}", "formula", return_type=kind) for kind in FORMULAS),
        Field("Parts_Count", "rollup_summary", return_type="integer"), Field("Plans", "fileupload"),
        Field("Photos", "imageupload"), Field("Record_Image", "profileimage"), Field("Territories", "territories"),
        Field("Watch", "RRULE"), Field("Bell", "ALARM"), Field("Beam_Signature", "hologram"),
        *(Field(f"Reading_{place:02d}", ("double", "text", "date")[place % 3]) for place in range(READINGS)),
    ]  # fmt: skip
    for field in fields:
        field.custom = True
    tower = Module(NAME, fields, generated_type="custom", module_name="CustomModule1")
    links = [lookup("Lighthouse", NAME), lookup("Product", "Products"), *texts("Purpose")]
    return [
        tower,
        Module(LINKS, links, generated_type="linking", module_name="LinkingModule1", display_field="id"),
    ]


FORMULAS = ("double", "currency", "text", "date", "datetime", "boolean")


def add_lighthouses(org: Org, random: Random, ids: dict[str, list[str]]) -> list[str]:
    towers = []
    for number, name in enumerate(TOWERS * 4):
        at = org.now() - timedelta(days=300 - number, seconds=number)
        values = {"Name": name} if number == 0 else tower(org, random, number, name, ids)
        towers.append(org.insert(NAME, values, modified_time=at))
    products = ids["Products"]
    for number in range(90):
        link = {
            "Lighthouse": towers[number % 40],
            "Product": products[number % len(products)],
            "Purpose": "lamp; lens",
        }
        org.insert(LINKS, {**link, "Purpose": None} if number % 7 == 0 else link)
    return towers


def tower(org: Org, random: Random, number: int, name: str, ids: dict[str, list[str]]) -> dict[str, Any]:
    user = random.choice(org.account.users)
    seen = DST_EDGES[number % 4] if number < 20 else org.now() - timedelta(hours=number)
    readings = (float(number) / 8, f"{number:03d}", date(2024, 2, 29) + timedelta(days=number))
    values: dict[str, Any] = {
        "Name": name, "Street": f"Mole {number}\nby the sea", "City": random.choice(CITIES), "Zip_Code": f"{number:05d}",
        "Coordinates": "53.85,8.08", "Status": ("Lit", "Dark; under repair", "Dimmed, for now")[number % 3],
        "Colours": [["Red"], ["White; striped", "Blue, faded"], ['So "green"', "Red"], None][number % 4],
        "Keeper": user["id"], "Assistants": [{"id": user["id"], "name": user["full_name"]}],
        "Supplier": random.choice(ids["Accounts"]), "Height": number * 1.1, "Steps": number * 37,
        "Hull_Number": 9_007_199_254_740_993 + number, "Damp": 12.5, "Automated": number % 2 == 0,
        "Upkeep": Decimal("1234567.123456789") * number, "First_Lit": date(1811, 2, 1) + timedelta(days=number * 99),
        "Last_Seen": seen, "Log_Book": STORY * (number % 5), "Story": LONG_STORY if number % 3 else STORY,
        "Email": f"tower{number}@example.com", "Phone": "007", "Website": "https://example.com/?a=1;b=2,c",
        "Tower_Number": f"LH-{number:04d}", "Parts_Count": number % 3, "Record_Image": f"image{number:x}",
        "Watch": {"RRULE": "FREQ=DAILY;INTERVAL=1;DTSTART=2026-01-01"},
        "Bell": {"ALARM": "FREQ=NONE;ACTION=EMAIL;TRIGGER=DATE-TIME:2026-04-01T09:00:00+02:00"},
        "Beam_Signature": f"3 flashes; {number} s, white", "Territories": territories_of(org, number),
        "Plans": files(org, f"plan, {number}.pdf"), "Photos": files(org, f"photo {number}.jpg"),
        **{f"Reading_{place:02d}": readings[place % 3] for place in range(READINGS)},
        **dict(zip((f"Formula_{kind.title()}" for kind in FORMULAS), formulas(number, seen), strict=True)),
    }  # fmt: skip
    # Every field is empty in some record.
    blank = list(values)[1 + number % (len(values) - 1)]
    return {**values, blank: None}


def formulas(number: int, at: datetime) -> tuple[Any, ...]:
    return (number / 3, Decimal(number) / 8, f"0{number}", at.date(), at, number % 2 == 1)


def territories_of(org: Org, number: int) -> list[dict[str, str]] | None:
    rows = org.account.territories[: number % 4]
    return [{"name": row["name"], "id": row["id"]} for row in rows] or None


def files(org: Org, name: str) -> list[dict[str, Any]]:
    id = org.new_id()
    return [
        {"id": id, "File_Id__s": f"f{id}", "File_Name__s": name, "Size__s": 1234, "Owner__s": org.account.me}
    ]

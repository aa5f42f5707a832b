"""An account with people in it, and a look for what must not be found anywhere."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.transform.privacy_rules import PrivacyRules, parse_rules

SECRET = "the secret of these tests"
MARKER = "Xanthippe"  # in every value that no rule lets through
APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}


def rules(*privacy: str, fields: str = "", filters: tuple[str, ...] = (), key: str = SECRET) -> PrivacyRules:
    return parse_rules(privacy, [fields], filters, key)


def people(org: Org) -> Org:
    """`Persons` and `Customers`, who have some e-mail addresses in common."""
    fields = [
        Field("Last_Name", "text"),
        Field("Email", "email"),
        Field("Phone", "phone"),
        Field("Born", "date"),
        Field("Seen", "datetime"),
        Field("Income", "currency"),
        Field("Children", "integer"),
        Field("Story", "textarea", textarea="rich_text"),
        Field("Likes", "multiselectpicklist", pick_list_values=["tea", "wine", MARKER]),
        Field("Boss", "lookup", lookup_module="Persons"),
        Field("City", "text"),
    ]
    org.add_module(Module("Persons", fields, generated_type="custom", display_field="Last_Name"))
    customers = [Field("Last_Name", "text"), Field("Contact", "text"), Field("City", "text")]
    org.add_module(Module("Customers", customers, generated_type="custom", display_field="Last_Name"))
    for number in range(3):
        org.insert("Persons", person(number))
        org.insert(
            "Customers",
            {"Last_Name": f"C{number}", "Contact": f" {MARKER}{number}@EXAMPLE.com ", "City": "Rome"},
        )
    org.insert("Persons", {"City": "Athens"})  # a null in every other field
    org.clock.advance(hours=2)  # so that no window of the runs to come reads these rows again
    return org


def person(number: int) -> dict[str, Any]:
    from datetime import date, datetime, timezone

    return {
        "Last_Name": f"{MARKER} {number}",
        "Email": f"{MARKER}{number}@example.com",
        "Phone": f"+49 30 12345{number}",
        "Born": date(1990, 5, 17),
        "Seen": datetime(2025, 7, 1, 12, tzinfo=timezone.utc),
        "Income": 52_340 + number,
        "Children": number,
        "Story": (MARKER * 100)[:500] + "tail",
        "Likes": ["tea", MARKER],
        "City": ["Athens", "Sparta"][number % 2],
    }


def found_in(*places: Path, marker: str = MARKER) -> list[str]:
    """The files that hold the marker, also inside of zips and of compressed Parquet."""
    found = []
    for path in [path for place in places for path in place.rglob("*") if path.is_file()]:
        try:
            if any(marker.casefold().encode() in text.lower() for text in _contents(path)):
                found.append(str(path))
        except FileNotFoundError:  # it went meanwhile
            continue
    return found


def _contents(path: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = [path.read_bytes()]
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            content += [archive.read(name) for name in archive.namelist()]
    if path.suffix == ".parquet":
        with suppress(pa.ArrowException, OSError):  # it is being written
            content.append(repr(pq.read_table(path).to_pylist()).encode())
    return content

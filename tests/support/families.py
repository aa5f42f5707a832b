"""Modules whose rows hang on other records, as they were once held and as the CRM has them now."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from simulators.zoho_crm import Org, Quirks
from simulators.zoho_crm.demo.account import fill_account
from simulators.zoho_crm.demo.company import add_modules
from sources.zoho_crm.extract.extractor import read_module
from sources.zoho_crm.extract.related_rows import ChangedParents, Relationship, follow
from tests.support.reading import RECORDS, look

ITEMS = Relationship("Quotes", "Quoted_Items", "Parent_Id")
LIGHTS = Relationship("Lighthouses", "Lighthouses_X_Products", "Lighthouse")
NOTES = Relationship("Deals", "Notes", "Parent_Id", edited=False)
HISTORY = Relationship("Deals", "DealHistory", "Potential_Name", edited=False)


class Family:
    """The rows of one child module as they were once held, and the CRM as it is now."""

    def __init__(self, load, link):
        self.load, self.org, self.link = load, load.org, link
        self.client, found = look(load, RECORDS, only=[link.child])
        self.plan = found.plans[0]
        reading = read_module(self.client, self.plan, load.folder)
        self.table = pq.read_table(reading.parquet_file.path)
        self.column = self.plan.column(link.field).name

    def destination_rows(self, parents):
        """What the destination holds of these parents."""
        path = self.load.folder / "held.parquet"
        names = [c for c in ("id", "modified_time", self.column) if c in self.table.column_names]
        kept = [row[self.column] in parents for row in self.table.to_pylist()]
        pq.write_table(self.table.select(names).filter(pa.array(kept, pa.bool_())), path)
        return path

    def follow(self, gone=(), changed=()):
        parents = ChangedParents(frozenset(gone), frozenset(changed))
        return follow(
            self.client, self.plan, self.link, parents, self.destination_rows(parents.gone | parents.changed)
        )

    def rows_of(self, parent):
        return {row["id"] for row in self.table.to_pylist() if row[self.column] == parent}


def company(**quirks):
    """The demo company's modules with a few rows that hang on each other."""
    org = Org(quirks=Quirks(**quirks))
    fill_account(org)
    add_modules(org)
    deals = [org.insert("Deals", {"Deal_Name": f"{n}"}) for n in range(3)]
    towers = [org.insert("Lighthouses", {"Name": f"{n}"}) for n in range(3)]
    products = [org.insert("Products", {"Product_Name": f"{n}"}) for n in range(2)]
    for n in range(12):
        org.insert("Notes", {"Parent_Id": {"id": deals[n % 3], "name": None, "module": "Deals"}})
        org.insert("DealHistory", {"Potential_Name": deals[n % 3]})
        org.insert(
            "Lighthouses_X_Products", {"Lighthouse": towers[n % 3], "Product": products[n % 2] if n else None}
        )
    return org

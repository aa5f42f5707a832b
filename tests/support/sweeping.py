"""A module as the destination holds it and as the CRM has it now, for tests of what a sweep finds."""

from __future__ import annotations

import pyarrow.parquet as pq

from simulators.zoho_crm import Field
from sources.zoho_crm.extract.extractor import read_module
from sources.zoho_crm.extract.id_comparison import narrow, read_id_scan
from sources.zoho_crm.transform.row_differences import Differences, compare
from tests.support.reading import look, things

SCORES = [
    Field("Score", "formula", return_type="double"),
    Field("Sum", "formula", return_type="currency"),
    Field("Seen", "formula", return_type="datetime"),
    Field("Colours", "multiselectpicklist", pick_list_values=["Red", "Blue"]),
]
SCORED = ("Score", "Sum", "Seen", "Colours")


class Sweeper:
    """Things that are held as they once were, and a sweep of them as they are now."""

    def __init__(self, load, rows=3, refresh=(), **options):
        self.load, self.refresh = load, refresh
        self.ids = things(load.org, rows, extra=options.pop("extra", [*SCORES]), **options)
        self.destination_rows = load.folder / "held.parquet"
        self.hold()

    def hold(self):
        self.client, found = look(self.load, "", only=["Things"])
        self.plan = found.plans[0]
        reading = read_module(self.client, self.plan, self.load.folder)
        self.keep(pq.read_table(reading.parquet_file.path))

    def keep(self, table):
        pq.write_table(table, self.destination_rows)

    def table(self):
        return pq.read_table(self.destination_rows)

    def read(self, preferred_api="auto"):
        plan = narrow(self.plan, self.refresh, len(self.ids), preferred_api)
        reading = read_id_scan(self.client, plan, self.load.folder)
        assert reading.status == "read", reading.error
        return reading

    def differ(self, preferred_api="auto") -> Differences:
        reading = self.read(preferred_api)
        return compare(reading.parquet_file, self.destination_rows, self.plan.columns, self.load.folder)

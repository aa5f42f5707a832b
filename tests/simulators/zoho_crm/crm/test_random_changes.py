"""Random changes to an org with random switches: what must be true of it and of its APIs after each."""

from __future__ import annotations

from random import Random

import pytest

from simulators.zoho_crm import Field, Org, Quirks
from tests.simulators.zoho_crm.calling import get, read, rows_of
from tests.simulators.zoho_crm.deals import NAMES, children_org, deal_of


class RandomChanges:
    """One step after another, drawn at random."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.org = children_org()
        pinned = {"bearer_accepted": True, "bulk_seconds_per_job": None, "coql_modules_refused": frozenset()}
        self.org.quirks = Quirks.shuffled(
            self.random, **pinned, bulk_modules_refused=frozenset(), org_wide_attachments=True
        )
        self.fields = 0

    def step(self) -> None:
        steps = (self.insert, self.edit, self.delete, self.restore, self.remove_row, self.merge, self.schema)
        self.random.choice(steps)()
        self.org.clock.advance(self.random.choice((0, 0.5, 3, 60, 3600)))

    def live(self, module: str) -> str | None:
        records = self.org.records(module)
        return self.random.choice(records).id if records else None

    def insert(self) -> None:
        deal_of(self.org, f"deal {self.random.random()}")

    def edit(self) -> None:
        module = self.random.choice(("Deals", "Rows", "Skills"))
        if id := self.live(module):
            self.org.edit(module, id, Modified_Time=self.org.now())

    def delete(self) -> None:
        module = self.random.choice(("Deals", "Notes", "Attachments", "Skills"))
        if id := self.live(module):
            self.org.delete(module, id, permanent=self.random.random() < 0.2)

    def restore(self) -> None:
        gone = self.random.choice(self.org.deletions["Deals"] or [None])
        if gone and not gone.restored and gone.kind == "recycle":
            self.org.restore("Deals", gone.record.id)

    def remove_row(self) -> None:
        module = self.random.choice(("Rows", "Links"))
        if id := self.live(module):
            self.org.remove_row(module, id)

    def merge(self) -> None:
        master, loser = self.live("Deals"), self.live("Deals")
        if master and loser and master != loser:
            self.org.merge("Deals", master, [loser])

    def schema(self) -> None:
        self.fields += 1
        self.org.add_field("Deals", Field(f"F{self.fields}", "text"), value="x")
        if self.fields > 1:
            self.org.retype_field("Deals", f"F{self.fields - 1}", "textarea", convert=str)
        if self.fields > 2:
            self.org.drop_field("Deals", f"F{self.fields - 2}")


@pytest.mark.parametrize("seed", range(12))
def test_random_changes_leave_an_org_that_is_whole(seed):
    changes = RandomChanges(seed)
    for _ in range(60):
        changes.step()
        check_truth(changes.org)
    changes.org.clock.advance(minutes=11)
    for module in NAMES:
        check_apis(changes.org, module)


def check_truth(org: Org) -> None:
    live = {record.id for name in NAMES for record in org.records(name)}
    assert [record.id for record in org.records("Deals")] == sorted(
        record.id for record in org.records("Deals")
    )
    gone = [gone.record.id for name in NAMES for gone in org.deletions[name] if not gone.restored]
    assert not live & set(gone)
    assert len(gone) == len(set(gone))
    for name in ("Rows", "Notes", "Attachments") if org.quirks.notes_go_with_record else ("Rows",):
        assert {record.values["Parent_Id"]["id"] for record in org.records(name)} <= live
    assert {record.values["Deal"]["id"] for record in org.records("Links")} <= live


def check_apis(org: Org, module: str) -> None:
    live = {record.id for record in org.records(module)}
    listed = get(org, f"/crm/v8/{module}", fields="id").body
    assert {row["id"] for row in listed["data"]} == live if live else listed is None
    assert {row["id"] for row in rows_of(org, f"select id from {module} where id is not null")} == live
    org.rules.bulk_downloads_per_minute = 1_000
    orphans = org.quirks.bulk_drops_orphans and module == "DealHistory"
    named = {record.id for record in org.records(module) if not orphans or record.values["Potential_Name"]}
    header = org.quirks.bulk_id_header
    if module != "Links" or org.quirks.bulk_linking_modules:
        assert {row[header] for row in read(org, module, fields=["id"])} == named
    assert get(org, f"/crm/v8/{module}/actions/count").body == {"count": len(live)}

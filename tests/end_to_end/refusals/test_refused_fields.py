"""A field that Bulk Read refuses: it comes by the cheapest way, `plan` knows the price, and the refusal is remembered."""

from __future__ import annotations

import json

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.sources.zoho_crm.extract.bulk_read.test_reader import CREATE
from tests.support.commanding import account, command, landed, quick
from tests.support.reading import DAY, LIST, QUERY

__all__ = ["account", "command", "quick"]  # fixtures

ONLY = ("--modules", "Things", "--full-refresh")
RUN = (*ONLY, "--exclude", "modules,fields", "--progress", "off")
ROWS = 6_000


def things(org: Org, *names: str, **options) -> None:
    """`Things`, with a value of these fields, which Bulk Read refuses, in every third row.

    A rich text makes Bulk Read cheaper than lists.
    """
    listed = [Field("F0", "text"), Field("Story", "textarea", textarea="rich_text")]
    listed += [Field(name, "text") for name in names]
    refused = {name for name in names if not name.endswith("Coordinates")}
    org.add_module(Module("Things", listed, generated_type="custom", refused_by_bulk=refused, **options))
    for row in range(ROWS):
        values = {"F0": f"{row}"}
        if row % 3 == 0:
            values.update({name: f"{name} {row}" for name in names})
        org.insert("Things", values, modified_time=DAY)


def planned(command) -> int:
    done = command("plan", *ONLY, "--log-format", "json")
    assert done.code == 0, done.err
    return sum(event["credits"] for event in done.events if event.get("module") == "Things")


def run(command, org, tmp_path, *names: str) -> tuple[int, str]:
    """What a whole reading took, and by which API; the rows have to be right."""
    done = command("run", *RUN)
    assert done.code == 0, done.err
    file = tmp_path / "zoho.duckdb"
    columns = ", ".join(["id", "f0", *(name.lower() for name in names)])
    rows = landed(file, f"select {columns} from zoho_crm.things order by id")
    assert rows == [
        (row.id, row.values["F0"], *(row.values.get(name) for name in names))
        for row in sorted(org.records("Things"), key=lambda row: row.id)
    ]
    query = "select credits, api from zoho_crm.sync_runs where module = 'Things' order by started_at"
    return landed(file, query)[-1]


def asked(org) -> list[set[str]]:
    bodies = [json.loads(call.body)["query"] for call in org.ledger.calls(CREATE)]
    return [set(query["fields"]) for query in bodies if "fields" in query]


@pytest.mark.parametrize("coql", [True, False])
@pytest.mark.parametrize("name", ["Mailing_Coordinates", "Place"])
@pytest.mark.cases(1)
def test_a_plan_knows_what_it_takes(account, command, quick, org, tmp_path, monkeypatch, name, coql):
    if not coql:
        monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", f"{account}UseCOQL=false;")
    things(org, name)
    expected = planned(command)
    spent, api = run(command, org, tmp_path, name)
    assert api == "bulk"
    if name == "Mailing_Coordinates":  # of which it is known that accounts refuse them
        assert 0.8 * expected <= spent <= 1.3 * expected
    org.clock.advance(hours=5)
    org.ledger.clear()
    expected = planned(command)
    spent, _ = run(command, org, tmp_path, name)
    assert 0.8 * expected <= spent <= 1.3 * expected
    assert not any(name in fields for fields in asked(org))
    # Three pages of COQL and a look, or thirty of the Records API: the cheaper one of both.
    assert spent <= (56 + 16 if coql else 56 + 38)


@pytest.mark.long
def test_where_coql_refuses_it_too_the_records_api_reads_it(account, command, quick, org, tmp_path):
    things(org, "Place", refused_by_coql={"Place"})
    run(command, org, tmp_path, "Place")
    org.clock.advance(hours=5)
    org.ledger.clear()
    expected = planned(command)
    spent, _ = run(command, org, tmp_path, "Place")
    assert 0.8 * expected <= spent <= 1.3 * expected
    assert not any("Place" in json.loads(call.body)["select_query"] for call in org.ledger.calls(QUERY))


def small(org) -> None:
    """Few rows, that come by Bulk Read for the sake of a rich text."""
    story = Field("Story", "textarea", textarea="rich_text")
    org.add_module(
        Module("Things", [Field("F0", "text"), Field("Place", "text"), story], refused_by_bulk={"Place"})
    )
    for row in range(60):
        org.insert("Things", {"F0": f"{row}", "Place": f"Place {row}", "Story": "short"}, modified_time=DAY)


@pytest.mark.parametrize("change", ["a month", "another field", "another type"])
@pytest.mark.long
def test_a_refusal_is_forgotten_when_it_may_no_longer_hold(account, command, quick, org, tmp_path, change):
    small(org)
    run(command, org, tmp_path, "Place")
    org.clock.advance(days=20)
    org.ledger.clear()
    run(command, org, tmp_path, "Place")
    assert asked(org) and not any("Place" in fields for fields in asked(org))
    module = org.modules["Things"]
    module.refused_by_bulk = set()
    field = module.field("Place")
    if change == "a month":
        org.clock.advance(days=11)
    elif change == "another field":
        field.id = "7777777777"
    else:
        field.data_type = "picklist"
    org.clock.advance(hours=1)
    org.ledger.clear()
    run(command, org, tmp_path, *(["Place"] if change != "another type" else []))
    assert asked(org)[0] >= {"Place"}
    assert not [call for call in org.ledger.calls(LIST) if "Place" in call.query.get("fields", "")]


def test_a_window_that_is_read_by_bulk_read_has_the_field_too(
    account, command, quick, org, tmp_path, monkeypatch
):
    small(org)
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", f"{account}ReadAPI=Bulk;")
    run(command, org, tmp_path, "Place")
    org.clock.advance(hours=5)
    for record in org.records("Things"):
        org.edit("Things", record.id, Place="moved")
    org.clock.advance(hours=5)
    org.ledger.clear()
    done = command("run", "--modules", "Things", "--exclude", "modules,fields", "--progress", "off")
    assert done.code == 0, done.err
    assert len(asked(org)) == 1
    assert landed(tmp_path / "zoho.duckdb", "select distinct place from zoho_crm.things") == [("moved",)]

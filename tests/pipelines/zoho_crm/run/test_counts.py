"""The CRM's count is a proof: it counts converted and unapproved records, or the run says that it does not."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.commanding import account, command, landed, restored_environment
from tests.support.syncing import agrees, sync, synced

__all__ = ["account", "command", "restored_environment"]  # fixtures

COUNT, LIST = "GET /crm/v8/{module}/actions/count", "GET /crm/v8/{module}"
REFUSED = "Zoho refuses to count converted and unapproved records, so its count leaves them out"


def leads(org, rows=20):
    """Leads of which three wait for approval and two are converted."""
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    ids = [org.insert("Leads", {"Last_Name": f"row {row}"}) for row in range(rows)]
    for id in ids[:3]:
        org.approve("Leads", id, approved=False)
    for id in ids[3:5]:
        org.convert(id)
    return ids


def counts(org):
    """The parameters and the status of each count of the leads since the ledger was cleared."""
    calls = [call for call in org.ledger.calls(COUNT) if call.module == "Leads"]
    return [(sorted(call.query), call.status) for call in calls]


def sentence(load):
    return [line for line in load.reading("Leads").notes.lines() if "count" in line]


def test_the_count_has_converted_and_unapproved_records_and_needs_no_excuse(command, account, org):
    leads(org)
    for _ in range(2):
        done = command("run", "--modules", "Leads", "--progress", "off")
        assert (done.code, REFUSED in done.out, "*" in done.out) == (0, False, False), done.err
        ((crm, table),) = landed(
            "zoho.duckdb",
            "select crm_count, table_count from zoho_crm.sync_runs where module = 'Leads'"
            " order by started_at desc limit 1",
        )
        assert (crm, table) == (len(org.records("Leads")), len(org.records("Leads")))
        org.insert("Leads", {"Last_Name": "new"})
    assert {tuple(names) for names, _ in counts(org)} == {("approved", "converted")}


@pytest.mark.long
def test_a_row_too_few_is_found_though_it_is_a_converted_or_unapproved_one(load, org):
    ids = leads(org)

    def later():
        org.clock.advance(hours=1)
        org.edit("Leads", ids[9], Last_Name=f"so that it is counted at {org.now()}")
        sync(load, "Leads")

    sync(load, "Leads")
    later()
    later()
    for lost in (ids[0], ids[4]):
        org.delete("Leads", lost)
    later()
    later()
    for lost in (ids[0], ids[4]):
        org.restore("Leads", lost)  # leaves no trace: no time of the record's moves, no feed names it
    later()
    later()
    agrees(load, "Leads")


@pytest.mark.long
def test_where_the_count_refuses_the_parameters_it_is_asked_once_without_and_the_report_says_so(load_from):
    org = Org(quirks=Quirks(count_parameters="refused"))
    load = load_from(org)
    ids = leads(org)
    sync(load, "Leads")
    assert counts(org) == [(["approved", "converted"], 400), ([], 200)]
    assert sentence(load)[0] == REFUSED
    for number in range(3):
        org.ledger.clear()
        org.clock.advance(hours=1)
        org.edit("Leads", ids[9], Last_Name=f"so that it is counted {number}")
        sync(load, "Leads")
        assert counts(org) == [([], 200)]
        assert REFUSED in sentence(load)
        agrees(load, "Leads")
    assert synced(load, "Leads")["difference"] == 0  # after every id was compared, once
    org.ledger.clear()
    org.quirks.count_parameters = "taken"
    sync(load, "Leads", refresh=True)
    assert counts(org) == [(["approved", "converted"], 200)]
    assert sentence(load) == []
    org.clock.advance(hours=1)
    org.insert("Leads", {"Last_Name": "new"}, approved=False)
    sync(load, "Leads")
    assert (synced(load, "Leads")["difference"], sentence(load)) == (0, [])


def test_a_count_with_a_criteria_is_asked_for_all_records_too(load, org):
    ids = leads(org, rows=300)
    org.clock.advance(hours=1)
    sync(load, "Leads")
    org.clock.advance(hours=1)
    for id in ids[:250]:
        org.edit("Leads", id, Last_Name="edited")
    org.ledger.clear()
    sync(load, "Leads")
    assert (["approved", "converted", "criteria"], 200) in counts(org)
    assert "250 changed since" in load.reading("Leads").reason
    agrees(load, "Leads")


@pytest.mark.long
def test_another_refusal_is_no_word_about_the_parameters(load, org):
    leads(org)
    body = {"code": "NO_PERMISSION", "details": {}, "message": "no", "status": "error"}
    org.faults.add(COUNT, status=403, body=body)
    sync(load, "Leads")
    org.ledger.clear()
    org.clock.advance(days=2)
    sync(load, "Leads")
    assert counts(org) == [(["approved", "converted"], 200)]
    assert sentence(load) == []

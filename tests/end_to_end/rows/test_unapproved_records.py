"""Records that wait for approval are in their table, whatever the account lets lists, Bulk Read and COQL say."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.syncing import agrees, sync

JOB, LIST = "POST /crm/bulk/v8/read", "GET /crm/v8/{module}"


def leads(org, rows, fields=1, waiting=3, converted=3, extra=()):
    """Leads of which a few wait for approval and a few are converted."""
    org.add_module(Module("Leads", [*(Field(f"F{n}", "text") for n in range(fields)), *extra]))
    ids = [org.insert("Leads", {"F0": f"row {row}"}) for row in range(rows)]
    for id in ids[5 : 5 + waiting]:
        org.approve("Leads", id, approved=False)
    for id in ids[rows - converted :]:
        org.convert(id)
    return ids


def last_run(load):
    """What `sync_runs` says of the module's latest reading."""
    query = "select api, reason, credits from zoho.sync_runs where module = 'Leads' order by started_at desc"
    return load.rows(query)[0]


@pytest.mark.parametrize("lists", ["honoured", "ignored"])
@pytest.mark.parametrize("hides", [True, False], ids=["bulk hides", "bulk shows"])
@pytest.mark.cases(1)
def test_a_module_goes_by_bulk_read_at_its_price_and_every_row_is_there(load_from, lists, hides):
    switches = {"bulk_hides_unapproved": hides, "coql_hides_unapproved": hides, "bulk_hides_converted": hides}
    org = Org(quirks=Quirks(list_approved=lists, approval_in_criteria=None, **switches))
    load = load_from(org)
    leads(org, rows=11_000)
    sync(load, "Leads")
    agrees(load, "Leads")
    api, _, credits = last_run(load)
    assert (api, len(org.ledger.calls(JOB))) == ("bulk", 1)
    # A job is 56 with its polls. Where lists tell nothing and Bulk Read hides records, the ids of the lists are
    # compared, at a credit for 200 of them.
    assert credits <= (62 if lists == "honoured" or not hides else 62 + 11_000 // 200 + 4)


def test_a_list_that_ignores_approved_costs_one_call(load_from):
    org = Org(quirks=Quirks(list_approved="ignored", bulk_hides_unapproved=False))
    load = load_from(org)
    leads(org, rows=300, waiting=0)
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")
    assert len([call for call in org.ledger.calls(LIST) if call.module == "Leads"]) == 1


@pytest.mark.long
def test_many_that_wait_are_all_there(load):
    leads(load.org, rows=900, fields=2, waiting=700)
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")


@pytest.mark.parametrize("api", ["bulk", "coql"])
@pytest.mark.parametrize("lists", ["honoured", "ignored"])
@pytest.mark.cases(1)
def test_changes_past_the_first_page_are_there_too(load_from, api, lists):
    hides = lists == "honoured"
    switches = {"bulk_hides_unapproved": hides, "coql_hides_unapproved": hides, "bulk_hides_converted": hides}
    org = Org(quirks=Quirks(list_approved=lists, **switches))
    load = load_from(org)
    ids = leads(org, rows=300)
    sync(load, "Leads", settings=f"ReadAPI={api}")
    agrees(load, "Leads")
    org.clock.advance(hours=1)
    for id in ids[:250]:
        org.edit("Leads", id, F0="edited")
    for id in ids[20:60]:
        org.approve("Leads", id, approved=False)
    org.approve("Leads", ids[5])
    org.convert(ids[100])
    sync(load, "Leads", settings=f"ReadAPI={api}")
    agrees(load, "Leads")
    assert last_run(load)[0] == api


def test_a_list_that_does_not_know_the_state_still_tells_who_waits(load, org):
    body = {"code": "INVALID_DATA", "details": {"param_name": "fields"}, "message": "no", "status": "error"}
    org.faults.add(LIST, module="Leads", status=400, body=body)
    leads(org, rows=300, waiting=250)
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")
    assert org.faults.unspent() == []


def test_a_list_that_is_refused_is_said_in_the_report(load_from):
    org = Org(quirks=Quirks(bulk_hides_unapproved=False))
    load = load_from(org)
    body = {"code": "NOT_SUPPORTED", "details": {}, "message": "no", "status": "error"}
    org.faults.add(LIST, module="Leads", status=403, body=body)
    leads(org, rows=30)
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")
    words = "not checked whether records that wait for approval are missing"
    assert any(line.startswith(words) for line in load.reading("Leads").notes.lines())


@pytest.mark.parametrize("api", ["bulk", "coql"])
@pytest.mark.cases(1)
def test_formulas_of_records_that_wait_are_refreshed(load, api):
    score = Field("Score", "formula", return_type="double")
    ids = leads(load.org, rows=30, extra=[score])
    sync(load, "Leads", settings=f"ReadAPI={api}")
    for id in ids:
        load.org.set_computed("Leads", id, "Score", 2.5)
    load.org.clock.advance(days=2)
    sync(load, "Leads", settings=f"ReadAPI={api}")
    agrees(load, "Leads")


@pytest.mark.long
def test_a_record_that_is_approved_while_the_job_runs_is_not_lost(load):
    ids = leads(load.org, rows=30)
    load.org.bulk_states = ["ADDED", "IN PROGRESS", "COMPLETED"]
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")
    load.org.approve("Leads", ids[5])
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")


@pytest.mark.parametrize(("converted", "api"), [(3, "bulk"), (250, "records")])
@pytest.mark.cases(1)
def test_where_it_then_leaves_many_converted_leads_out_another_api_reads_them(load_from, converted, api):
    org = Org(quirks=Quirks(bulk_hides_converted=True))
    load = load_from(org)
    body = {"code": "INVALID_CRITERIA", "details": {}, "message": "no", "status": "error"}
    org.faults.add(JOB, status=400, body=body)
    leads(org, rows=300, converted=converted)
    sync(load, "Leads", settings="ReadAPI=Bulk")
    agrees(load, "Leads")
    assert last_run(load)[0] == api
    assert ("leaves converted records out" in last_run(load)[1]) == (api == "records")

"""COQL reads a module whole: in both dialects, past every cap, and what it refuses comes another way."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.reading import COQL, LIST, QUERY, after_call, queries, read, rows_of, things
from tests.support.truth import landed, truth

REFUSED = {"code": "INVALID_QUERY", "status": "error", "message": "column given seems to be invalid"}


def with_quirks(load_from, **quirks):
    return load_from(Org(quirks=Quirks(**quirks)))


def refuse(org, column, nth=1):
    body = {**REFUSED, "details": {"column_name": column}}
    org.faults.add(QUERY, status=400, body=body, nth=nth)


@pytest.mark.parametrize("flat", [True, False], ids=["flat triples", "pairs only"])
def test_ties_across_page_edges_in_both_dialects(load_from, flat):
    load = with_quirks(load_from, coql_flat_triples=flat)
    things(load.org, 4_500, per_second=1_700)
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(load.org, "Things")
    assert (reading.api, reading.notes.lines()) == ("coql", [])
    assert len(queries(load.org)) == 1 + 3 + 1  # a first look, three pages, the rows without a time


@pytest.mark.parametrize("cap", [500, 200, 50])
def test_the_cap_on_columns_is_found_out(load_from, cap):
    load = with_quirks(load_from, coql_columns=cap)
    things(load.org, 30, fields=250)
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(load.org, "Things")
    assert reading.api == "coql"
    pages = [query for query in queries(load.org) if "limit 200" in query]
    widths = {len(query.partition(" from ")[0].split(",")) for query in pages}
    assert max(widths) == min(cap, 260)


def test_a_cap_that_is_refused_without_its_number_is_found_out(load_from):
    load = with_quirks(load_from, coql_columns=50)
    things(load.org, 3, fields=250)
    load.org.faults.add(
        QUERY, status=400, body={"code": "LIMIT_EXCEEDED", "status": "error", "details": {}}, times=2
    )
    reading = read(load, settings=COQL)
    assert (rows_of(reading), reading.api) == (truth(load.org, "Things"), "coql")


@pytest.mark.parametrize("nulls", [1, 2_050])
def test_rows_without_a_modified_time_come_too(load, org, nulls):
    things(org, nulls + 10)
    for record in org.records("Things")[5 : 5 + nulls]:
        record.values["Modified_Time"] = None
    org._changed("Things")
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(org, "Things")
    assert (reading.api, reading.notes.lines()) == ("coql", [])


def test_a_row_edited_during_the_read_comes_again_and_the_newer_is_kept(load, org):
    ids = things(org, 2_100)

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[10], F0="read before")
        org.edit("Things", ids[2_050], F0="not read yet")
        org.delete("Things", ids[20])
        org.insert("Things", {"F0": "new"})

    after_call(org, QUERY, 2, work)
    reading = read(load, settings=COQL)
    found = rows_of(reading)
    assert found.pop(ids[20])["f0"] == "0/20"
    assert found == truth(org, "Things")
    assert reading.notes.lines() == ["rows that were read twice, the newer one kept: 1"]


def test_a_row_edited_between_two_chunks_is_read_again(load_from):
    load = with_quirks(load_from, coql_columns=50)
    org = load.org
    ids = things(org, 20, fields=100)

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[3], F0="edited", F99="edited")
        org.delete("Things", ids[4])

    after_call(org, QUERY, 6, work)  # two refusals, three chunks looked at, the first page of the first
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(org, "Things")
    assert "records read again because they changed while being read: 2" in reading.notes.lines()


# ---- what COQL hides


def leads(org):
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    for name in "abc":
        org.insert("Leads", {"Last_Name": name})
    org.convert(org.records("Leads")[0].id)
    org.insert("Leads", {"Last_Name": "waits"}, approved=False)


@pytest.mark.parametrize("hides", [True, False])
def test_converted_and_unapproved_records_come_too(load_from, hides):
    switches = {"coql_hides_converted": hides, "coql_hides_unapproved": hides}
    load = with_quirks(load_from, **switches, coql_flat_triples=False)
    leads(load.org)
    things(load.org, 2)
    load.org.insert("Things", {"F0": "waits"}, approved=False)
    assert rows_of(read(load, "Leads", COQL)) == truth(load.org, "Leads")
    assert rows_of(read(load, settings=COQL)) == truth(load.org, "Things")


def test_a_flag_that_is_refused_where_it_hides_records_sends_the_module_to_the_records_api(load, org):
    leads(org)
    refuse(org, "Converted__s")
    reading = read(load, "Leads", COQL)
    assert rows_of(reading) == truth(org, "Leads")
    assert (reading.api, reading.reason) == ("records", "coql refused it: INVALID_QUERY")


def test_a_flag_that_is_refused_where_nobody_can_tell_sends_it_there_too(load, org):
    leads(org)
    refuse(org, "Converted__s")
    org.faults.add(LIST, status=400, body={"code": "INVALID_DATA", "status": "error", "details": {}})
    reading = read(load, "Leads", COQL)
    assert (rows_of(reading), reading.api) == (truth(org, "Leads"), "records")


def test_a_flag_that_is_refused_where_nothing_is_hidden_is_left_out(load, org):
    things(org, 3, convertable=True)
    refuse(org, "Converted__s")
    reading = read(load, settings=COQL)
    assert (rows_of(reading), reading.api) == (truth(org, "Things"), "coql")
    assert "Converted__s =" not in queries(org)[-1]


def test_a_flag_that_one_module_refuses_is_named_for_the_next(load, org):
    leads(org)
    things(org, 3, convertable=True)
    refuse(org, "Converted__s")
    client = load.client(COQL)
    load.client = lambda _: client  # one run: what it learns about one module is no word about another
    assert rows_of(read(load, settings=COQL)) == truth(org, "Things")
    reading = read(load, "Leads", COQL)
    assert (rows_of(reading), reading.api) == (truth(org, "Leads"), "coql")


# ---- what COQL refuses


def test_refused_columns_come_by_the_records_api(load, org):
    things(org, 5, fields=3, refused_by_coql={"F1", "Owner"})
    reading = read(load, settings=COQL)
    assert (rows_of(reading), reading.api) == (truth(org, "Things"), "coql")
    assert sorted(reading.notes.lines()) == [
        "field F1 came by the Records API: COQL refuses it (INVALID_QUERY)",
        "field Owner came by the Records API: COQL refuses it (INVALID_QUERY)",
    ]


def test_files_and_images_come_beside_by_the_records_api(load, org):
    things(org, 0, extra=[Field("Files", "fileupload"), Field("Pictures", "imageupload")])
    for n in range(3):
        org.insert("Things", {"F0": str(n), "Files": [{"id": str(n), "File_Name__s": "a.pdf"}]})
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(org, "Things")
    assert reading.api == "coql"


@pytest.mark.parametrize("hidden", [True, False])
def test_a_module_without_modified_time_is_walked_by_id(load, org, hidden):
    system = None if hidden else ("id", "Owner")
    things(org, 2_050, system_fields=system, hidden_modified_time=hidden)
    reading = read(load, settings=COQL)
    rows = rows_of(reading)
    assert {row.pop("modified_time", None) for row in rows.values()} == {None}
    assert rows == truth(org, "Things")
    assert reading.api == "coql"


@pytest.mark.parametrize(
    ("options", "code"),
    [({"coql_supported": False}, "INVALID_QUERY"), ({"extra": [Field("Order", "text")]}, "SYNTAX_ERROR")],
    ids=["the module", "a reserved word"],
)
def test_a_module_that_coql_refuses_is_read_by_the_records_api(load, org, options, code):
    things(org, 205, **options)
    assert load(COQL, only=["Things"]).exit_code == 0
    assert landed(load, "things") == truth(org, "Things")
    (row,) = load.rows("select api, reason, rows_read from sync_runs where module = 'Things'")
    assert row == ("records", f"coql refused it: {code}", 205)


def test_without_the_scope_the_records_api_reads(load, org):
    org.scopes -= {"ZohoCRM.coql.READ"}
    things(org, 3)
    reading = read(load, settings=COQL)
    assert rows_of(reading) == truth(org, "Things")
    assert (reading.api, reading.reason) == ("records", "coql refused it: OAUTH_SCOPE_MISMATCH")
    assert len(org.ledger.calls("POST /oauth/v2/token")) == 1


def test_refusals_without_end_are_one_sentence(load, org):
    things(org, 3)
    body = {"code": "LIMIT_EXCEEDED", "status": "error", "details": {}}
    org.faults.add(QUERY, status=400, body=body, times=50)
    org.faults.add(LIST, nth=2, status=500, times=50)
    reading = read(load, settings=COQL)
    assert (reading.status, reading.api) == ("failed", "records")
    assert "500 INTERNAL_ERROR" in reading.error


@pytest.mark.parametrize("cut", [True, False])
def test_rich_text_comes_whole(load_from, cut):
    load = with_quirks(load_from, coql_rich_text_cut=cut)
    things(load.org, 0, extra=[Field("Body", "textarea", textarea="rich_text")])
    for length in (499, 500, 501, 900):
        load.org.insert("Things", {"Body": "it's " + "x" * (length - 5)})
    assert rows_of(read(load, settings=COQL)) == truth(load.org, "Things")


def test_calls_and_credits_are_those_of_the_ledger(load, org):
    things(org, 2_050)
    reading = read(load, settings=COQL)
    calls = org.ledger.calls(QUERY) + org.ledger.calls(LIST)
    assert (reading.usage.calls, reading.usage.credits) == (len(calls), sum(c.credits for c in calls))

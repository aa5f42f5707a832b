"""Zoho Bigin through the same source: its rows, its increments and deletions, and what it does not have."""

from __future__ import annotations

import dlt
import pytest

from simulators.zoho_crm import Field, Org, Quirks
from simulators.zoho_crm.demo import bigin_org
from sources.zoho_crm import zoho_crm
from tests.end_to_end.services.both import MODULES, agree, no_calls_elsewhere
from tests.support.syncing import sync, tables_in, tried

pytestmark = pytest.mark.whole_account

APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}


def bigin(load_from, **quirks):
    org = bigin_org()
    for name, value in quirks.items():
        setattr(org.quirks, name, value)
    org.rules.coql_limit = org.quirks.bigin_coql_rows
    return load_from(org)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    "quirks", [{}, {"bigin_coql_texts": True, "coql_columns": 50}], ids=["usual", "other"]
)
@pytest.mark.cases(1)
def test_every_api_brings_every_record_with_its_exact_values(load_from, api, quirks):
    load = bigin(load_from, **quirks)
    run = sync(load, *MODULES, settings=APIS[api])
    agree(load)
    used = {r.plan.api for r in run.readings if r.plan and r.name in ("Contacts", "Pipelines")}
    assert used == {api}
    assert load.rows("select count(distinct pipeline__id), max(amount)::varchar from pipelines") == [
        (2, "259.000000001")
    ]
    no_calls_elsewhere(load.org)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_a_later_run_brings_what_changed_and_takes_away_what_was_deleted(load_from, api):
    load = bigin(load_from)
    org, settings = load.org, APIS[api]
    sync(load, *MODULES, settings=settings)
    deals, contacts = ([r.id for r in org.records(name)] for name in ("Pipelines", "Contacts"))
    org.clock.advance(hours=1)
    org.edit("Pipelines", deals[3], Stage="Closed Won", Amount="0.1")
    for id in contacts[:250]:  # more than a page of COQL's
        org.edit("Contacts", id, Title="Dr")
    org.insert("Contacts", {"Full_Name": "Newcomer"})
    org.delete("Contacts", contacts[300])
    org.add_field("Pipelines", Field("Region__c", "text", custom=True))
    org.edit("Pipelines", deals[4], Region__c="North")
    sync(load, *MODULES, settings=settings)
    agree(load)
    deleted = load.rows("select id, type from deleted_records where module = 'Contacts'")
    assert (contacts[300], "recycle") in deleted
    org.clock.advance(hours=1)
    org.restore("Contacts", contacts[300])
    sync(load, *MODULES, settings=settings)
    assert {row for (row,) in load.rows("select id from contacts")} == {r.id for r in org.records("Contacts")}
    no_calls_elsewhere(org)


def test_a_query_of_coql_asks_for_as_many_rows_as_bigin_gives(load_from):
    load = bigin(load_from)
    sync(load, "Contacts", settings="ReadAPI=COQL")
    queries = [call.body.decode() for call in load.org.ledger.calls("POST /crm/v8/coql")]
    assert len(queries) >= 3
    assert all(query.rstrip('"}').endswith(("limit 200", "limit 1")) for query in queries)


@pytest.mark.long
def test_the_downloads_of_a_minute_are_ten_as_in_the_crm(load_from):
    load = bigin(load_from)
    load.org.rules.bulk_page_size = 20
    sync(load, "Pipelines", settings="ReadAPI=Bulk")  # 13 pages
    agree(load, "Pipelines")
    assert [
        c for c in load.org.ledger.calls() if c.path.startswith("/bigin/bulk/v2/read/") and c.status == 429
    ] == []


@pytest.mark.long
def test_a_list_goes_past_2000_records_by_page_tokens(load_from):
    org = Org(service="bigin")
    load = load_from(org)
    org.add_module(bigin_org().modules["Products"])
    for number in range(2_050):
        org.insert("Products", {"Product_Name": f"Product {number}"})
    sync(load, "Products", settings="ReadAPI=REST")
    agree(load, "Products")


# ---- what Bigin may not have


def test_the_tables_that_bigin_does_not_fill_are_left_out_with_the_reason(load_from):
    load = bigin(load_from)
    load.org.clock.advance(seconds=1)
    run = load()
    assert run.exit_code == 0
    said = {r.name: r.error for r in run.readings if r.status == "skipped"}
    assert said["territories"] == "Bigin has no territories"
    assert said["currencies"].startswith("Zoho Bigin has no such call: 404 INVALID_URL_PATTERN")
    assert said["sub_pipelines"].startswith("Zoho Bigin has no such call: 404 INVALID_URL_PATTERN")
    assert not [call for call in load.org.ledger.calls() if "territories" in call.path]
    tables = {name for (name,) in load.rows("select distinct module from sync_runs where status = 'read'")}
    assert tables >= {"users", "org", "roles", "profiles", "tags", "layouts", "modules", "fields"}
    assert load.rows("select count(*) from layouts where module = 'Pipelines'") == [(2,)]


@pytest.mark.long
def test_where_bigin_has_sub_pipelines_and_currencies_they_are_tables(load_from):
    load = bigin(load_from, bigin_pipelines=True, bigin_currencies=True)
    load.org.account.add_currency("EUR", "Euro", "1")
    load.org.clock.advance(seconds=1)
    assert load().exit_code == 0
    names = load.rows("select display_value from sub_pipelines order by 1")
    assert names == [("Repairs Standard",), ("Sales Standard",)]
    assert load.rows("select iso_code from currencies") == [("EUR",)]


@pytest.mark.long
def test_without_a_count_the_rows_come_all_the_same(load_from):
    load = bigin(load_from, bigin_count=False)
    run = sync(load, *MODULES)
    agree(load)
    assert {r.crm_count for r in run.readings if r.plan} == {None}


@pytest.mark.long
def test_without_a_list_of_deletions_a_deleted_record_leaves_all_the_same(load_from):
    load = bigin(load_from, bigin_deleted=False)
    sync(load, "Contacts")
    load.org.clock.advance(hours=1)
    load.org.delete("Contacts", load.org.records("Contacts")[7].id)
    tried(load, "Contacts")
    load.org.clock.advance(days=8)
    tried(load, "Contacts")
    agree(load, "Contacts")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.long
def test_with_any_switches_the_tables_are_the_account(load_from, seed):
    from random import Random

    org = bigin_org()
    org.quirks = Quirks.shuffled(
        Random(seed), bulk_seconds_per_job=None, list_lag_seconds=0, bigin_deleted=True, throttle_status=400
    )
    org.rules.coql_limit = org.quirks.bigin_coql_rows
    load = load_from(org)
    sync(load, *MODULES)
    agree(load)


# ---- in a script


@pytest.mark.long
def test_a_script_names_the_service_by_an_argument(load_from, tmp_path):
    load = bigin(load_from)
    org, settings = (
        load.org,
        load.connection_string.replace("Service=Bigin", "OAuthSettingsLocation=memory://"),
    )
    file = tmp_path / "script.duckdb"

    def run():
        org.clock.advance(hours=1)
        pipeline = dlt.pipeline(
            "bigin",
            destination=dlt.destinations.duckdb(str(file)),
            dataset_name="zoho_bigin",
            pipelines_dir=str(tmp_path / "script"),
        )
        pipeline.run(zoho_crm(settings, service="bigin"))

    run()
    deals = [record.id for record in org.records("Pipelines")]
    org.edit("Pipelines", deals[0], Stage="Closed Lost")
    org.delete("Pipelines", deals[1])
    org.ledger.clear()
    run()
    tables = tables_in(org, file, "zoho_bigin")
    agree(tables)
    no_calls_elsewhere(org)


def test_a_script_asks_nothing_when_the_modules_are_named(load_from):
    load = bigin(load_from)
    source = zoho_crm(load.connection_string, modules=["Pipelines", "sub_pipelines"], service="bigin")
    assert {*source.resources} == {"pipelines", "sub_pipelines"}
    assert load.org.ledger.calls() == []

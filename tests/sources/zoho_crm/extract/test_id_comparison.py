"""A sweep reads every record in few columns, and brings whole what the destination's rows lack."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from simulators.zoho_crm import Field, Module
from sources.zoho_crm.extract.id_comparison import confirm_deleted, fetch, narrow, read_id_scan
from sources.zoho_crm.models import MODIFIED_TIME, Window
from tests.support.reading import DAY, look, rows_of
from tests.support.sweeping import SCORES, Sweeper
from tests.support.truth import truth


@pytest.fixture
def sweeper(load):
    return lambda *args, **options: Sweeper(load, *args, **options)


def only(load, module, settings=""):
    client, found = look(load, settings, only=[module])
    return client, found.plans[0]


# ---- the narrow reading


def test_a_narrow_plan_has_the_id_the_version_and_what_is_asked_for(sweeper):
    made = sweeper(extra=SCORES)
    plan = narrow(made.plan, ("Score", "No_such_field"), 3)
    assert {c.api_name for c in plan.columns} == {"id", MODIFIED_TIME, "Score"}
    assert plan.is_full_refresh
    assert plan.reason == "every id and Score: 1 credit; Bulk Read 55"


def test_a_narrow_plan_of_a_window_reads_every_record(sweeper):
    made = sweeper()
    window = Window(DAY + timedelta(days=300), DAY + timedelta(days=301))
    made.plan = replace(made.plan, window=window)
    reading = made.read()
    assert set(rows_of(reading)) == set(made.ids)
    assert reading.reason == "every id: 1 credit; Bulk Read 55"
    assert (reading.plan.synced, reading.plan.until) == (None, None)


def test_a_wish_for_an_api_wins(sweeper):
    made = sweeper()
    assert [narrow(made.plan, (), 3, preferred_api).api for preferred_api in ("records", "coql", "bulk")] == [
        "records",
        "coql",
        "bulk",
    ]
    assert [narrow(made.plan, (), rows).api for rows in (10_000, 12_000)] == ["records", "bulk"]


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_converted_leads_and_unapproved_ones_are_no_differences(load, api):
    load.org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    ids = [load.org.insert("Leads", {"Last_Name": str(n)}) for n in range(4)]
    load.org.convert(ids[0])
    load.org.approve("Leads", ids[1], False)
    client, plan = only(load, "Leads")
    reading = read_id_scan(client, narrow(plan, (), 4, api), load.folder)
    assert set(rows_of(reading)) == set(ids)
    assert reading.api == api


def test_a_narrow_file_lies_beside_the_whole_one(sweeper):
    made = sweeper()
    path = made.read().parquet_file.path
    assert path.name == "things.parquet"
    assert path.parent == made.load.folder / "narrow"
    assert (made.load.folder / "things.parquet").exists()


def test_a_module_that_bulk_read_refuses_comes_by_the_records_api(sweeper):
    made = sweeper(bulk_supported=False)
    reading = made.read("bulk")
    assert (reading.api, set(rows_of(reading))) == ("records", set(made.ids))


# ---- proof, and what is fetched


def test_only_what_asking_by_id_does_not_bring_is_gone(sweeper):
    made = sweeper(150)
    made.load.org.delete("Things", made.ids[3])
    made.load.org.delete("Things", made.ids[120], permanent=True)
    gone = confirm_deleted(made.client, "Things", made.ids)
    assert gone == {made.ids[3], made.ids[120]}
    assert confirm_deleted(made.client, "Things", []) == set()


def test_hidden_records_are_not_gone(load):
    load.org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    ids = [load.org.insert("Leads", {"Last_Name": str(n)}) for n in range(2)]
    load.org.convert(ids[0])
    load.org.approve("Leads", ids[1], False)
    client, _ = only(load, "Leads")
    assert confirm_deleted(client, "Leads", ids) == set()


def test_rows_are_fetched_whole(sweeper):
    made = sweeper(250, fields=60)
    wanted = made.ids[::2]
    reading = fetch(made.client, made.plan, wanted, made.load.folder)
    expected = truth(made.load.org, "Things")
    assert rows_of(reading) == {id: expected[id] for id in wanted}
    assert (reading.api, reading.reason) == ("records", "125 records by id")
    assert reading.plan.is_full_refresh is False
    assert reading.usage.calls == 4


def test_a_record_that_went_meanwhile_has_no_row(sweeper):
    made = sweeper()
    made.load.org.delete("Things", made.ids[1])
    reading = fetch(made.client, made.plan, made.ids, made.load.folder)
    assert set(rows_of(reading)) == {made.ids[0], made.ids[2]}


def test_a_refusal_while_fetching_is_one_sentence(sweeper):
    made = sweeper()
    made.load.org.modules["Things"].no_permission = True
    reading = fetch(made.client, made.plan, made.ids, made.load.folder)
    assert reading.status == "failed"
    assert "NO_PERMISSION" in (reading.error or "")

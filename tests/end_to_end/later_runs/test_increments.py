"""From the second run on only what changed is read, and after every run the table is what the CRM has."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from sources.zoho_crm import limits
from tests.support.reading import LIST, QUERY, after_call, things
from tests.support.syncing import agrees, sync, synced, tried, watermark

BULK, FEED, COUNT = (
    "POST /crm/bulk/v8/read",
    "GET /crm/v8/{module}/deleted",
    "GET /crm/v8/{module}/actions/count",
)
APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}


def reading(load, name="Things"):
    return load.reading(name)


# ---- what is read


def test_the_second_run_reads_what_changed_and_no_more(load, org):
    ids = things(org, 20)
    sync(load)
    org.clock.advance(hours=1)
    org.edit("Things", ids[3], F0="new")
    org.insert("Things", {"F0": None})
    org.ledger.clear()
    sync(load)
    agrees(load)
    assert not reading(load).plan.is_full_refresh
    assert reading(load).rows == 2
    assert [c.query.get("ids") for c in org.ledger.calls(LIST)] == [None]
    assert len(org.ledger.calls(FEED)) == 1
    assert reading(load).reason == "2 changed since 2026-03-02 08:50"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_many_changes_land_by_every_api(load_from, monkeypatch, api):
    org = Org(rules=Rules(bulk_page_size=150))
    load = load_from(org)
    ids = things(org, 500)
    sync(load, settings=APIS[api])
    org.clock.advance(hours=1)
    for id in ids[::2]:
        org.edit("Things", id, F0=None)
    for id in ids[1::20]:
        org.delete("Things", id)
    sync(load, settings=APIS[api])
    agrees(load)
    assert (reading(load).api, reading(load).rows) == (api, 250)


@pytest.mark.long
def test_ties_on_one_second_across_the_edges_of_pages_all_land(load, org):
    things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    for number in range(650):
        org.insert("Things", {"F0": str(number)})
    sync(load)
    agrees(load)
    assert reading(load).rows == 650


def test_an_edit_at_the_very_second_of_the_watermark_is_not_lost(load, org):
    ids = things(org, 3)
    for id in ids[:2]:
        sync(load, lookback=timedelta())
        assert org.now() == watermark(load)
        org.edit("Things", id, F0="after the run, in its second")
    sync(load, lookback=timedelta())
    agrees(load)


def test_a_row_that_appears_late_below_the_watermark_lands(load, org):
    things(org, 3)
    org.clock.advance(hours=1)
    sync(load)
    org.insert("Things", {"F0": "late"}, modified_time=org.now() - timedelta(seconds=595))
    sync(load)
    agrees(load)


@pytest.mark.long
def test_a_longer_look_back_finds_what_appears_later_still_and_is_not_stored(load, org):
    things(org, 3)
    org.clock.advance(hours=1)
    sync(load)
    org.insert("Things", {"F0": "late"}, modified_time=org.now() - timedelta(minutes=25))
    for _ in range(2):
        sync(load)
        assert watermark(load) == org.now()
    assert reading(load).rows == 0
    sync(load, lookback=timedelta(minutes=30))
    agrees(load)


def test_the_watermark_is_zohos_time_before_the_first_row_was_read(load, org):
    ids = things(org, 3)
    began = org.now() + timedelta(seconds=1)

    def edit_later():
        org.clock.advance(hours=2)  # longer than the look-back
        org.edit("Things", ids[0], F0="while it was read")

    after_call(org, COUNT, 1, edit_later)
    sync(load)
    assert watermark(load) == began
    sync(load)
    agrees(load)
    assert landed_title(load, ids[0]) == "while it was read"


def landed_title(load, id):
    return load.rows(f"select f0 from zoho.things where id = '{id}'")[0][0]


def test_rows_edited_and_deleted_while_a_window_is_read_are_right_after_the_next(load, org):
    ids = things(org, 30)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids[:20]:
        org.edit("Things", id, F0="before")

    def meanwhile():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[0], F0="meanwhile")
        org.edit("Things", ids[25], F0="meanwhile")
        org.delete("Things", ids[1])
        org.delete("Things", ids[26])
        org.insert("Things", {"F0": "meanwhile"})

    after_call(org, LIST, 1, meanwhile)
    sync(load)
    org.clock.advance(hours=1)
    sync(load)
    agrees(load)


@pytest.mark.long
def test_windows_across_a_change_to_summer_time_lose_nothing(load_from):
    org = Org()
    org.time_zone = "America/New_York"
    load = load_from(org)
    ids = things(org, 3)
    # New York's clocks go forward on 2026-03-08 at 07:00 UTC.
    org.clock.advance((datetime(2026, 3, 8, 6, 30, tzinfo=timezone.utc) - org.now()).total_seconds())
    sync(load)
    for id in ids[:2]:
        org.clock.advance(minutes=20)
        org.edit("Things", id, F0="edited")
        sync(load)
        agrees(load)


@pytest.mark.long
def test_a_window_is_read_again_from_a_time_that_the_user_gives(load, org):
    ids = things(org, 4)
    sync(load)
    org.clock.advance(days=3)
    org.edit("Things", ids[0], F0="x")
    sync(load)
    org.record("Things", ids[1]).values["F0"] = "without a trace"
    org.clock.advance(hours=1)
    sync(load, since=datetime(2025, 12, 1, tzinfo=timezone.utc))
    agrees(load)
    assert reading(load).rows == 4
    assert watermark(load) == org.now()


@pytest.mark.long
def test_a_full_refresh_reads_everything(load, org):
    ids = things(org, 4)
    sync(load)
    org.record("Things", ids[1]).values["F0"] = "without a trace"
    sync(load)
    assert landed_title(load, ids[1]) == "0/1"
    sync(load, refresh=True)
    agrees(load)
    assert reading(load).reason.startswith("asked for by --full-refresh; ")


@pytest.mark.long
def test_a_module_without_modified_time_is_read_whole_with_that_reason(load, org):
    org.add_module(Module("Rates", [Field("Title", "text")], generated_type="custom", system_fields=("id",)))
    ids = [org.insert("Rates", {"Title": str(n)}) for n in range(5)]
    sync(load, "Rates")
    org.edit("Rates", ids[0], Title=None)
    org.delete("Rates", ids[1])
    sync(load, "Rates")
    agrees(load, "Rates")
    assert reading(load, "Rates").reason.startswith("it has no Modified_Time; ")


def test_a_destination_that_cannot_change_single_rows_is_given_whole_tables(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    ids = things(org, 5)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.edit("Things", ids[1], F0="new")
    sync(load)
    agrees(load)
    assert reading(load).reason.startswith("this destination cannot change single rows; ")


@pytest.mark.long
def test_more_changes_than_lists_reach_and_more_fields_than_any_call_takes(load_from, monkeypatch):
    monkeypatch.setattr(limits, "RECORDS_PER_PAGE", 10)
    monkeypatch.setattr(limits, "IDS_PER_CALL", 10)
    org = Org(rules=Rules(per_page=10, ids_per_list=10, token_reach=40, discrete_reach=20))
    load = load_from(org)
    ids = things(org, 90, fields=60)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids:
        org.clock.advance(seconds=1)
        org.edit("Things", id, F59="new")
    sync(load, settings=APIS["records"])
    agrees(load)
    assert (reading(load).api, reading(load).rows) == ("records", 90)


@pytest.mark.long
@pytest.mark.parametrize("api", ["bulk", "coql"])  # lists name both flags always
@pytest.mark.cases(1)
def test_leads_that_are_converted_or_not_approved_are_in_the_changes(load_from, api):
    org = Org(quirks=Quirks(count_parameters="ignored"))
    load = load_from(org)
    org.add_module(Module("Leads", [Field("Title", "text")], convertable=True))
    ids = [org.insert("Leads", {"Title": str(n)}) for n in range(6)]
    org.clock.advance(hours=1)
    sync(load, "Leads", settings=APIS[api])
    org.clock.advance(hours=1)
    org.convert(ids[0])
    org.approve("Leads", ids[1], approved=False)
    org.insert("Leads", {"Title": "new"}, converted=True)
    org.insert("Leads", {"Title": "new"}, approved=False)
    sync(load, "Leads", settings=APIS[api])
    agrees(load, "Leads")
    assert reading(load, "Leads").rows == 4


# ---- what it costs


@pytest.mark.long
def test_a_wish_for_bulk_read_makes_no_job_for_a_module_that_did_not_change(load, org):
    ids = things(org, 3)
    sync(load, settings=APIS["bulk"])
    org.clock.advance(hours=1)
    org.ledger.clear()
    sync(load, settings=APIS["bulk"])
    assert org.ledger.calls(BULK) == []
    org.edit("Things", ids[0], F0="new")
    sync(load, settings=APIS["bulk"])
    agrees(load)
    assert len(org.ledger.calls(BULK)) == 1


@pytest.mark.long
def test_an_idle_module_is_counted_once_a_day_and_one_that_changed_each_time(load, org):
    ids = things(org, 3)
    sync(load)
    counted = []
    for hours, edits in ((1, 0), (1, 1), (1, 0), (1, 0), (24, 0)):
        org.clock.advance(hours=hours)
        if edits:
            org.edit("Things", ids[0], F0="new")
        org.ledger.clear()
        sync(load)
        counted.append(len(org.ledger.calls(COUNT)))
    # By the look-back, the run after an edit meets it once more.
    assert counted == [0, 1, 1, 0, 1]


# ---- runs that fail in part


def test_a_module_that_fails_catches_up_and_the_others_go_on(load, org):
    things(org, 3)
    org.add_module(Module("Pears", [Field("Title", "text")], generated_type="custom"))
    pear = org.insert("Pears", {"Title": "old"})
    sync(load, "Things", "Pears")
    first = watermark(load, "Pears")
    org.clock.advance(days=1)
    org.edit("Pears", pear, Title="missed")
    org.clock.advance(hours=1)
    org.faults.add("GET /crm/v8/{module}", module="Pears", status=500, times=99)
    assert tried(load, "Things", "Pears").exit_code == 1
    assert watermark(load, "Pears") == first
    assert watermark(load, "Things") == org.now()
    org.faults = type(org.faults)()
    org.clock.advance(hours=1)
    sync(load, "Things", "Pears")
    agrees(load, "Pears")
    assert watermark(load, "Pears") == org.now()


@pytest.mark.long
def test_a_feed_that_fails_keeps_the_watermark(load, org):
    ids = things(org, 3)
    sync(load)
    first = watermark(load)
    org.clock.advance(days=1)
    org.edit("Things", ids[0], F0="new")
    org.delete("Things", ids[1])
    org.faults.add(FEED, html=True, times=99)
    assert tried(load).exit_code == 1
    assert watermark(load) == first
    assert synced(load)["filled"]
    org.faults = type(org.faults)()
    sync(load)
    agrees(load)


@pytest.mark.long
def test_lists_that_lag_lose_nothing(load_from):
    org = Org(quirks=Quirks(list_lag_seconds=45, count_lag_minutes=10))
    load = load_from(org)
    ids = things(org, 10)
    org.clock.advance(hours=1)
    sync(load)
    for id in ids[:2]:
        org.clock.advance(seconds=20)
        org.edit("Things", id, F0="edited")
        org.delete("Things", ids.pop())
        sync(load)
    org.clock.advance(minutes=1)
    sync(load)
    agrees(load)
    assert org.ledger.calls(QUERY) == []


@pytest.mark.long
def test_a_count_that_lags_is_no_reason_to_compare_every_id(load_from):
    org = Org(quirks=Quirks(count_lag_minutes=10))
    load = load_from(org)
    things(org, 3)
    org.clock.advance(hours=1)
    sync(load)
    for number in range(1, 3):
        org.clock.advance(hours=1)
        for _ in range(number):
            org.insert("Things", {"F0": "new"})
        org.ledger.clear()
        sync(load)
        agrees(load)
        assert synced(load)["difference"] == number
        assert len(org.ledger.calls(LIST)) == 1
    org.clock.advance(hours=1)
    sync(load)
    assert synced(load)["difference"] == 0


@pytest.mark.long
def test_edits_in_every_run_do_not_hide_that_a_record_is_missing(load_from):
    org = Org()
    load = load_from(org)
    ids = things(org, 5)
    org.delete("Things", ids[4])
    sync(load)
    org.clock.advance(hours=1)
    org.restore("Things", ids[4])  # which leaves no trace: no time of the record's moves, no feed names it
    for _ in range(2):
        org.edit("Things", ids[0], F0=str(org.now()))
        sync(load)
        org.clock.advance(hours=1)
    agrees(load)


@pytest.mark.long
def test_a_difference_of_the_count_s_own_is_found_out_once_and_hides_no_other(load_from):
    org = Org(quirks=Quirks(count_parameters="ignored"))
    load = load_from(org)
    ids = things(org, 5)
    for id in ids[:2]:
        org.approve("Things", id, approved=False)
    full_refreshes = []
    for run in range(8):
        org.clock.advance(hours=1)
        if run == 4:
            org._remove("Things", ids[4], "permanent", shown=False)
            org.edit("Things", ids[3], F0="so that it is counted")
        sync(load)
        full_refreshes.append(load.reading("Things").plan.is_full_refresh)
    agrees(load)
    # Run 4 counts one less, which no edit explains, so run 5 reads every record.
    assert [run for run, was in enumerate(full_refreshes) if was] == [0, 1, 5]

"""What a run remembers lies in the destination; whatever happens to it or to this machine, no row is lost."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import duckdb
import pytest
from dlt.common.versioned_state import compress_state, decompress_state
from hypothesis import given
from hypothesis import strategies as st

from simulators.zoho_crm import Clock, Field, Module, Org
from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.planning.sync_mode import FEED
from sources.zoho_crm.state import RecentlyDeleted, from_state, recently_deleted_from
from tests.support.reading import LIST, things
from tests.support.syncing import agrees, sync, tried, watermark

SINCE = "2026-03-02T08:50:00+00:00"


def why(load, module="Things"):
    return load.reading(module).reason


def on_a_new_machine(load):
    shutil.rmtree(load.folder / "p")


def database(load):
    load.let_go()
    return load.folder / "crm.duckdb"


def change(org, ids):
    """An edit, a deletion and a new record, an hour later."""
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0=f"edited at {org.now()}")
    org.delete("Things", ids.pop())
    org.insert("Things", {"F0": "new"})


def test_two_pipelines_in_one_dataset_each_have_a_watermark_of_their_own(load, org):
    ids = things(org, 9)
    sync(load)
    first = watermark(load)
    other = replace(load, name="another")
    change(org, ids)
    sync(other)
    assert watermark(other) > first
    assert other.reading("Things").plan.is_full_refresh
    for one in (load, other):
        change(org, ids)
        on_a_new_machine(load)
        sync(one)
        agrees(one)
        assert not one.reading("Things").plan.is_full_refresh


@pytest.mark.long
def test_two_accounts_in_two_datasets_of_one_database_do_not_mix(load, org, load_from):
    second = Org()
    other = replace(load_from(second), folder=load.folder, name="second", dataset="second")
    things(org, 3)
    things(second, 5)
    for one in (load, other):
        sync(one)
    second.edit("Things", second.records("Things")[0].id, F0="the second's")
    org.delete("Things", org.records("Things")[0].id)
    for one in (load, other):
        sync(one)
    agrees(load)
    agrees(other)


def test_a_database_that_was_deleted_is_filled_again(load, org):
    ids = things(org, 6)
    sync(load)
    change(org, ids)
    sync(load)
    database(load).unlink()
    change(org, ids)
    sync(load)
    agrees(load)
    assert load.reading("Things").plan.is_full_refresh


def test_a_database_that_was_put_back_to_an_earlier_copy_catches_up(load, org):
    ids = things(org, 9)
    sync(load)
    change(org, ids)
    sync(load)
    copy = load.folder / "copy.duckdb"
    shutil.copy(database(load), copy)
    then = watermark(load)
    change(org, ids)
    sync(load)
    database(load).with_suffix(".duckdb.wal").unlink(missing_ok=True)
    shutil.copy(copy, database(load))
    sync(load)
    agrees(load)
    assert load.reading("Things").plan.window.since == then - timedelta(minutes=10)


def test_a_table_that_was_dropped_by_hand_is_read_whole(load, org):
    ids = things(org, 6)
    sync(load)
    with duckdb.connect(str(database(load))) as connection:
        connection.execute(
            "drop table zoho.things; drop table zoho.deleted_records; drop table zoho.sync_runs"
        )
    change(org, ids)
    sync(load)
    agrees(load)
    assert why(load).startswith("its table is not in the destination; ")
    assert load.rows("select id from zoho.deleted_records") != []
    assert load.rows("select count(distinct run_id) from zoho.sync_runs") == [(1,)]


@pytest.mark.long
def test_a_column_that_was_dropped_by_hand_is_filled_again(load, org):
    ids = things(org, 4, fields=3)
    sync(load)
    with duckdb.connect(str(database(load))) as connection:
        connection.execute("alter table zoho.things drop column f1")
    change(org, ids)
    sync(load)
    agrees(load)


@pytest.mark.long
def test_rows_that_were_deleted_by_hand_come_back(load, org):
    ids = things(org, 6)
    sync(load)
    with duckdb.connect(str(database(load))) as connection:
        connection.execute(f"delete from zoho.things where id = '{ids[2]}'")
    org.clock.advance(days=7)
    sync(load)
    agrees(load)


@pytest.mark.parametrize("days", [61, 59])
@pytest.mark.cases(1)
def test_a_watermark_older_than_the_feed_of_deletions_is_no_use(load, org, days):
    ids = things(org, 6)
    sync(load)
    org.delete("Things", ids[0])
    org.clock.advance(days=days)
    org.edit("Things", ids[1], F0="edited")
    sync(load)
    agrees(load)
    old = why(load).startswith("its last sync at 2026-03-02 09:00 is older than Zoho's list of deletions; ")
    assert old == (days == 61)


def test_machines_whose_clocks_are_minutes_apart_take_turns_and_lose_nothing(load, org, monkeypatch):
    ids = things(org, 6)
    for minutes in (0, 25, -25):
        shift = timedelta(minutes=minutes)
        now = time.time() + shift.total_seconds()
        with monkeypatch.context() as machine:
            machine.setattr("time.time", lambda now=now: now)
            for place in ("client.client", "extract.extractor"):
                machine.setattr(f"sources.zoho_crm.{place}.datetime", _apart(shift))
            sync(load)
        agrees(load)
        assert watermark(load) == org.now()
        org.clock.advance(minutes=5)
        org.edit("Things", ids[minutes % 5], F0=f"edited after {minutes}")
        org.delete("Things", ids.pop())


def _apart(shift):
    class Apart(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + shift

    return Apart


@pytest.mark.long
def test_a_clock_that_was_put_back_loses_nothing(load, org):
    ids = things(org, 6)
    org.clock.advance(hours=30)
    sync(load)
    org.clock = Clock(org.now() - timedelta(hours=26))
    org.edit("Things", ids[0], F0="in an earlier time")
    org.delete("Things", ids[1])
    sync(load)
    agrees(load)
    assert watermark(load) == org.now()
    change(org, ids)
    sync(load)
    agrees(load)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "rubbish",
        [],
        {},
        {"until": 5},
        {"until": "yesterday"},
        {"until": SINCE[:19]},
        {"until": SINCE, "counted_at": SINCE[:19]},
        {"until": SINCE, "filled": 5},
        {"until": SINCE, "filled": [["x"]]},
        {"until": SINCE, "private": "F0"},
        {"until": SINCE, "difference": "many"},
        {"until": SINCE, "explained": None},
        {"until": SINCE, "keeps": "everything"},
    ],
)
def test_an_entry_that_makes_no_sense_is_none(entry):
    assert from_state(entry) is None


def test_an_entry_of_a_later_version_is_read_as_far_as_it_is_known():
    known = from_state({"until": SINCE, "keeps": "soft", "colour": "green"})
    assert known is not None
    assert (known.until.isoformat(), known.keeps) == (SINCE, "soft")


def test_a_state_that_makes_no_sense_is_a_reason_to_read_everything(load, org):
    ids = things(org, 6)
    sync(load)
    _spoil(load, lambda state: state["resources"].update(things={"module_state": "rubbish"}, nothings={}))
    change(org, ids)
    sync(load)
    agrees(load)
    assert load.reading("Things").plan.is_full_refresh
    assert watermark(load) == org.now()


def _spoil(load, spoil):
    """Change what the destination holds of the source's state, and forget what this machine knows of it."""
    with duckdb.connect(str(database(load))) as connection:
        query = "select version, state from zoho._dlt_pipeline_state order by version desc limit 1"
        version, text = connection.execute(query).fetchone()
        state = decompress_state(text)
        spoil(state["sources"]["zoho_crm"])
        change = "update zoho._dlt_pipeline_state set state = ? where version = ?"
        connection.execute(change, [compress_state(state), version])
    on_a_new_machine(load)


@pytest.mark.parametrize("settings", ["ReadAPI=Bulk", "ReadAPI=COQL"])
@pytest.mark.cases(1)
def test_a_field_that_an_earlier_version_left_out_as_refused_is_filled(load, org, settings):
    ids = things(org, 6, fields=3)
    sync(load, settings=settings)
    org.modules["Things"].refused_by_bulk = org.modules["Things"].refused_by_coql = {"F1"}

    def as_it_was(state):
        entry = state["resources"]["things"]["module_state"]
        entry["refused"] = ["F1"]
        entry["filled"] = [mark for mark in entry["filled"] if not mark.startswith("f1@")]
        del state["columns"]["things"]["F1"]

    _spoil(load, as_it_was)
    with duckdb.connect(str(database(load))) as connection:
        connection.execute("alter table zoho.things drop column f1")
    change(org, ids)
    sync(load, settings=settings)
    agrees(load)


@pytest.mark.long
def test_a_module_that_went_and_came_back_is_right(load, org):
    ids = things(org, 6)
    sync(load)
    module = org.modules["Things"]
    module.viewable = False
    change(org, ids)
    assert tried(load).exit_code == 1
    assert len(load.rows("select * from zoho.things")) == 6
    module.viewable = True
    sync(load)
    agrees(load)
    assert len(org.ledger.calls(LIST)) > 0


@pytest.mark.parametrize("file", ["state.json", "schemas/zoho_crm.schema.json"])
@pytest.mark.cases(1)
def test_a_file_of_dlt_that_a_power_cut_has_left_half_is_no_end(load, org, file):
    ids = things(org, 6)
    sync(load)
    torn = Path(load.pipeline.working_dir, file)
    torn.write_bytes(torn.read_bytes()[:40])
    change(org, ids)
    sync(load)
    agrees(load)
    assert not load.reading("Things").plan.is_full_refresh


# ---- records that may be restored


NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 90)), max_size=12), max_size=6),
    st.integers(1, 5),
)
def test_the_newest_deletions_are_remembered_and_that_there_were_more(runs, most):
    """However they come in runs: of the last sixty days the newest, and when there is none left out."""
    known, latest = RecentlyDeleted(), {}
    with mock.patch("sources.zoho_crm.state.MOST_DELETED", most):
        for run in runs:
            deleted = {str(id): NOW - timedelta(days=days) for id, days in run}
            for id, at in deleted.items():
                latest[id] = max(at.date(), latest.get(id, at.date()))
            known = recently_deleted_from(known.after(deleted, (), NOW - FEED).to_state())
    recent = {id: day for id, day in latest.items() if day >= (NOW - FEED).date()}
    assert len(known.days) <= most
    assert known.days.items() <= latest.items()
    left_out = [day for id, day in recent.items() if id not in known.days]
    assert known.dropped is not None or not left_out
    assert all(known.dropped >= day for day in left_out)


def test_what_left_the_recycle_bin_is_forgotten():
    known = RecentlyDeleted().after({"1": NOW, "2": NOW}, (), NOW - FEED)
    assert [*known.after({"1": NOW}, {"1"}, NOW - FEED).days] == ["2"]


@pytest.mark.parametrize(
    "entry", [None, [], "x", {}, {"ids": []}, {"ids": {"x": ["1"]}}, {"ids": {"2026-03-01": [1]}}]
)
def test_a_memory_of_deletions_that_cannot_be_read_is_none(entry):
    assert recently_deleted_from(entry) is None


@pytest.mark.whole_account
def test_rows_of_another_account_do_not_get_among_those_of_the_first(load_from):
    """Somebody has changed the connection string and not the dataset."""
    first, second = Org(), Org()
    second.account.zgid = "60099999999"
    for org in (first, second):
        org.add_module(Module("Boats", [Field("Name", "text")]))
        org.insert("Boats", {"Name": org.account.zgid})
    load, other = load_from(first), load_from(second)
    load()
    load.let_go()
    other.folder = load.folder
    with pytest.raises(
        SettingsError, match="holds the rows of another account.*Load it into another dataset"
    ):
        other()
    other.let_go()
    load()
    assert load.rows("select name from boats") == [(first.account.zgid,)]

"""Tables that keep deleted rows, or every version of a row, through whole runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from sources.zoho_crm.exceptions import SettingsError
from tests.end_to_end.deletions.test_deletions import FAMILY, family
from tests.support.reading import things
from tests.support.syncing import agrees, everything, live, sync, tried
from tests.support.truth import landed, truth

ALL = {"history": None}
SOFT = {"deletes": "soft"}
KEPT = pytest.mark.parametrize("keep", [ALL, SOFT], ids=["history", "soft"])


def mark(keep):
    return "_dlt_valid_to" if keep == ALL else "deleted_at"


def agrees_live(load, keep, module="Things"):
    assert live(load, module, mark(keep)) == truth(load.org, module)


def versions(load, id, columns="f0"):
    """What was held of a record: values, from when, up to when."""
    query = f"select {columns}, _dlt_valid_from, _dlt_valid_to from zoho.things where id = '{id}' order by 2"
    return [tuple(_utc(value) for value in row) for row in load.rows(query)]


def _utc(value):
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value


# ---- history


def test_every_version_of_a_row_is_kept_with_its_times(load, org):
    ids = things(org, 4)
    sync(load, **ALL)
    runs = [org.now()]
    for title in ("second", "third"):
        org.clock.advance(hours=1)
        org.edit("Things", ids[0], F0=title)
        sync(load, **ALL)
        runs.append(org.now())
        agrees_live(load, ALL)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    gone = org.now()
    sync(load, **ALL)
    agrees_live(load, ALL)
    first, second, third = runs
    expected = [("0/0", first, second), ("second", second, third), ("third", third, gone)]
    assert versions(load, ids[0]) == expected
    before = everything(load)
    sync(load, **ALL)
    assert everything(load) == before
    assert len(load.rows("select * from zoho.things")) == 6


@pytest.mark.long
def test_a_restored_record_opens_a_version_and_its_closed_ones_stay(load, org):
    ids = things(org, 3)
    sync(load, **ALL)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **ALL)
    org.clock.advance(hours=1)
    org.restore("Things", ids[0])
    org.edit("Things", ids[0], F0="back")
    sync(load, **ALL)
    agrees_live(load, ALL)
    assert [row[0] for row in versions(load, ids[0])] == ["0/0", "back"]
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **ALL)
    agrees_live(load, ALL)
    assert [row[2] is None for row in versions(load, ids[0])] == [False, False]


@pytest.mark.long
def test_an_edit_that_is_taken_back_is_two_versions_more(load, org):
    ids = things(org, 2)
    sync(load, **ALL)
    for title in ("x", "0/0"):
        org.clock.advance(hours=1)
        org.edit("Things", ids[0], F0=title)
        sync(load, **ALL)
    assert [row[0] for row in versions(load, ids[0])] == ["0/0", "x", "0/0"]


@pytest.mark.long
@KEPT
@pytest.mark.cases(1)
def test_whole_readings_keep_what_was(load, org, keep):
    ids = things(org, 5)
    sync(load, **keep)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    sync(load, **keep)
    org.clock.advance(hours=1)
    org.delete("Things", ids[2])
    org.edit("Things", ids[3], F0="edited too")
    org._remove("Things", ids[4], "permanent", shown=False)
    kept = len(load.rows("select * from zoho.things"))
    sync(load, refresh=True, **keep)
    agrees_live(load, keep)
    assert len(load.rows("select * from zoho.things")) == kept + (1 if keep == ALL else 0)


@KEPT
@pytest.mark.long
def test_a_watermark_older_than_the_feed_keeps_what_was(load, org, keep):
    ids = things(org, 3)
    sync(load, **keep)
    org.delete("Things", ids[0])
    org.clock.advance(days=200)
    org.edit("Things", ids[1], F0="edited")
    sync(load, **keep)
    agrees_live(load, keep)
    assert ids[0] in {id for (id,) in load.rows("select id from zoho.things")}


@KEPT
@pytest.mark.cases(1)
def test_sweeps_refreshes_and_new_fields_land_in_the_live_rows(load, org, keep):
    ids = things(org, 4, extra=[Field("Score", "formula", return_type="double")])
    sync(load, **keep)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    sync(load, **keep)
    org.set_computed("Things", ids[2], "Score", 2.5)
    org._remove("Things", ids[3], "permanent", shown=False)
    org.clock.advance(days=7)
    sync(load, **keep)
    agrees_live(load, keep)
    # A computed value is put in its place: that is no edit of the record.
    assert load.rows(f"select score from zoho.things where id = '{ids[2]}'") == [(2.5,)]
    org.add_field("Things", Field("Colour", "text"), value="red")
    sync(load, **keep)
    agrees_live(load, keep)
    before = everything(load)
    sync(load, **keep)
    assert everything(load) == before


@KEPT
@pytest.mark.long
def test_fields_that_are_gone_stay_in_old_and_in_new_rows(load, org, keep):
    ids = things(org, 4, fields=2)
    sync(load, **keep)
    org.clock.advance(hours=1)
    org.drop_field("Things", "F1")
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    sync(load, **keep)
    org.clock.advance(hours=1)
    sync(load, refresh=True, **keep)
    rows = set(load.rows("select id, f1 from zoho.things"))
    assert rows == {(id, f"1/{number}") for number, id in enumerate(ids)}


@KEPT
@pytest.mark.cases(1)
def test_children_keep_what_was_too(load, org, keep):
    deals = family(org)
    sync(load, *FAMILY, **keep)
    total = {module: len(truth(org, module)) for module in FAMILY}
    org.clock.advance(hours=1)
    org.delete("Deals", deals[0])
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    sync(load, *FAMILY, **keep)
    for module in FAMILY:
        agrees_live(load, keep, module)
        assert len(load.rows(f"select distinct id from zoho.{module}")) == total[module] + (module == "Lines")
    org.clock.advance(hours=1)
    org.restore("Deals", deals[0])
    org.edit("Deals", deals[0], Title="back")
    sync(load, *FAMILY, **keep)
    for module in FAMILY:
        agrees_live(load, keep, module)


@pytest.mark.long
def test_a_module_without_modified_time_has_a_history(load, org):
    org.add_module(Module("Rates", [Field("Title", "text")], generated_type="custom", system_fields=("id",)))
    ids = [org.insert("Rates", {"Title": str(n)}) for n in range(4)]
    sync(load, "Rates", **ALL)
    org.clock.advance(hours=1)
    org.edit("Rates", ids[0], Title="edited")
    org.delete("Rates", ids[1])
    sync(load, "Rates", **ALL)
    agrees_live(load, ALL, "Rates")
    assert len(load.rows("select * from zoho.rates")) == 5


@pytest.mark.long
def test_the_loser_of_a_merge_that_nothing_names_ends_its_last_version(load_from):
    org = Org(quirks=Quirks(merged_shown_as=None))
    load = load_from(org)
    ids = things(org, 4)
    sync(load, **ALL)
    org.clock.advance(hours=1)
    org.merge("Things", ids[0], [ids[1]])
    for _ in range(3):
        org.clock.advance(minutes=11)
        sync(load, **ALL)
    agrees_live(load, ALL)
    assert len(load.rows("select distinct id from zoho.things")) == 4


# ---- soft


@pytest.mark.long
def test_a_restored_record_is_live_again(load, org):
    ids = things(org, 3)
    sync(load, **SOFT)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **SOFT)
    assert landed(load, "things")[ids[0]]["deleted_at"] is not None
    org.clock.advance(hours=1)
    org.restore("Things", ids[0])
    org.edit("Things", ids[0], F0="back")
    sync(load, **SOFT)
    agrees_live(load, SOFT)
    assert len(load.rows("select * from zoho.things")) == 3


@pytest.mark.long
def test_a_restore_without_a_trace_is_found_by_the_weekly_comparison(load, org):
    ids = things(org, 3)
    sync(load, **SOFT)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **SOFT)
    org.restore("Things", ids[0])
    org.clock.advance(days=7)
    sync(load, **SOFT)
    agrees_live(load, SOFT)
    assert len(load.rows("select * from zoho.things")) == 3


# ---- switched on and off


@KEPT
@pytest.mark.long
def test_what_was_not_kept_before_is_kept_from_now_on(load, org, keep):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="before")
    sync(load, **keep)
    agrees_live(load, keep)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="after")
    org.delete("Things", ids[1])
    sync(load, **keep)
    agrees_live(load, keep)
    assert len(load.rows("select * from zoho.things")) == (4 if keep == ALL else 3)


@pytest.mark.parametrize("then", [{}, SOFT], ids=["hard", "soft"])
@pytest.mark.cases(1)
def test_a_history_is_not_dropped_in_silence(load, org, then):
    ids = things(org, 3)
    sync(load, **ALL)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="edited")
    sync(load, **ALL)
    before = everything(load)["things"]
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="again")
    run = tried(load, **then)
    assert run.exit_code == 1
    assert [failure.reason for failure in run.failures] == [
        "its table keeps its history: name it in --history, or drop the history with --full-refresh"
    ]
    assert everything(load)["things"] == before
    sync(load, refresh=True, **then)
    agrees(load, besides={"_dlt_valid_from", "_dlt_valid_to", "_dlt_row_version", "deleted_at"})
    org.clock.advance(hours=1)
    org.edit("Things", ids[1], F0="without a history")
    org.delete("Things", ids[2])
    sync(load, **then)
    mark_now = "deleted_at" if then == SOFT else "_dlt_valid_to"
    assert live(load, "Things", mark_now) == truth(org, "Things")


@KEPT
@pytest.mark.long
def test_what_another_pipeline_has_kept_is_not_replaced(load, org, keep):
    ids = things(org, 3)
    sync(load, **keep)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **keep)
    before = everything(load)["things"]
    other = replace(load, name="another")
    assert tried(other, **keep).exit_code == 1
    assert "keeps rows that another pipeline has closed" in other.reading("Things").error
    assert everything(load)["things"] == before


@KEPT
@pytest.mark.long
def test_a_module_without_records_begins_to_keep_with_its_first(load, org, keep):
    things(org, 0)
    sync(load, **keep)
    id = org.insert("Things", {"F0": "first"})
    org.clock.advance(hours=1)
    sync(load, **keep)
    assert not load.reading("Things").plan.is_full_refresh
    agrees_live(load, keep)
    org.delete("Things", id)
    sync(load, **keep)
    agrees_live(load, keep)
    assert len(load.rows("select * from zoho.things")) == 1


@pytest.mark.long
def test_deleted_rows_are_kept_again_after_they_were_dropped(load, org):
    ids = things(org, 4)
    sync(load, **SOFT)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **SOFT)
    sync(load, refresh=True)
    org.clock.advance(hours=1)
    org.delete("Things", ids[1])
    org.edit("Things", ids[2], F0="edited")
    sync(load)
    agrees(load, besides={"deleted_at"})
    sync(load, **SOFT)
    org.clock.advance(hours=1)
    org.delete("Things", ids[2])
    sync(load, **SOFT)
    agrees_live(load, SOFT)
    assert len(load.rows("select * from zoho.things")) == 2


@pytest.mark.long
def test_deleted_rows_are_not_dropped_by_a_history_in_silence(load, org):
    ids = things(org, 3)
    sync(load, **SOFT)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    sync(load, **SOFT)
    run = tried(load, **ALL)
    (failure,) = run.failures
    assert failure.reason == (
        "its table keeps deleted rows, which a history would not: drop them with --full-refresh,"
        " or leave it out of --history"
    )
    assert len(load.rows("select * from zoho.things")) == 3
    sync(load, refresh=True, **ALL)
    agrees_live(load, {"history": None})


@KEPT
def test_a_destination_that_cannot_change_rows_keeps_nothing(load, org, tmp_path, keep):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    things(org, 3)
    with pytest.raises(SettingsError, match="cannot keep deleted rows or histories"):
        tried(load, **keep)


def test_names_of_modules_with_history_are_found_in_any_spelling_or_named(load, org):
    things(org, 3)
    sync(load, history=frozenset({"things"}))
    assert "_dlt_valid_from" in load.pipeline.default_schema.get_table_columns("things")
    with pytest.raises(SettingsError, match="no module 'Thongs'; did you mean Things?"):
        tried(load, history=frozenset({"Thongs"}))


@pytest.mark.long
def test_the_look_back_makes_no_versions(load, org):
    ids = things(org, 3)
    sync(load, **ALL)
    org.edit("Things", ids[0], F0="edited")
    for _ in range(2):
        sync(load, lookback=timedelta(days=1), **ALL)
    assert len(versions(load, ids[0])) == 2

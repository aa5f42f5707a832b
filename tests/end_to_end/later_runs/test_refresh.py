"""What Modified_Time never shows: computed values, new fields, fields that go or change, renamed values."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from simulators.zoho_crm import Field, Org, Quirks, Rules
from tests.support.reading import LIST, things
from tests.support.syncing import agrees, everything, sync, synced
from tests.support.truth import landed

pytestmark = pytest.mark.whole_account

BULK = "POST /crm/bulk/v8/read"
APIS = {"bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}
SCORE = Field("Score", "formula", return_type="double")
TOTAL = Field("Total", "rollup_summary", return_type="currency")
PICK = Field("Pick", "picklist", pick_list_values=["Hot", "Cold"])
MULTI = Field("Multi", "multiselectpicklist", pick_list_values=["Red", "Blue"])


def extra(*fields):
    return {"extra": [replace(field) for field in fields]}


def column(load, name):
    return dict(load.rows(f"select id, {name} from zoho.things"))


# ---- computed fields


def test_formulas_and_roll_ups_are_read_for_every_row_once_a_day(load, org):
    ids = things(org, 4, **extra(SCORE, TOTAL))
    sync(load, settings=APIS["bulk"])
    org.set_computed("Things", ids[0], "Score", 1.5)
    org.set_computed("Things", ids[1], "Total", "12.340000001")
    org.clock.advance(hours=20)
    sync(load, settings=APIS["bulk"])
    assert column(load, "score")[ids[0]] is None
    org.clock.advance(hours=4)
    sync(load, settings=APIS["bulk"])
    agrees(load)
    org.set_computed("Things", ids[0], "Score", None)
    org.clock.advance(hours=2)
    sync(load, settings=APIS["bulk"], computed_refresh=timedelta(hours=1))
    agrees(load)


def test_a_module_with_formulas_is_read_whole_only_when_that_is_due(load, org):
    ids = things(org, 4, fields=30, **extra(SCORE))
    sync(load)
    org.set_computed("Things", ids[0], "Score", 2.5)
    org.clock.advance(hours=25)
    sync(load)
    agrees(load)
    assert load.reading("Things").reason.startswith("Score changes without Modified_Time")
    org.clock.advance(hours=1)
    sync(load)
    assert not load.reading("Things").plan.is_full_refresh


def lists(org):
    """Calls of the list, without the look for records that wait for approval or were restored."""
    calls = org.ledger.calls(LIST)
    return [call for call in calls if call.query.get("approved") != "false" and "ids" not in call.query]


def test_a_record_that_is_edited_brings_its_computed_values_along(load, org):
    ids = things(org, 4, **extra(SCORE))
    sync(load)
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="new")
    org.set_computed("Things", ids[0], "Score", 2.5)
    sync(load)
    agrees(load)


# ---- new fields


@pytest.mark.parametrize(("api", "value"), [("bulk", "12.5"), ("coql", "12.5"), ("records", None)])
@pytest.mark.cases(1)
def test_a_new_field_is_filled_on_the_run_that_first_sees_it(load, org, api, value):
    ids = things(org, 4)
    sync(load, settings=APIS[api])
    org.clock.advance(hours=1)
    org.add_field("Things", Field("Amount", "currency"), value=value)
    org.edit("Things", ids[0], Amount="7", F0="edited")
    sync(load, settings=APIS[api])
    agrees(load)
    before = everything(load)
    org.ledger.clear()
    sync(load, settings=APIS[api])
    assert everything(load) == before
    assert any(name.startswith("amount@") for name in synced(load)["filled"])


def test_new_fields_of_every_type_land_in_rows_that_did_not_change(load, org):
    things(org, 3)
    sync(load)
    kinds = {"A": "boolean", "B": "date", "C": "datetime", "D": "double", "E": "integer", "F": "text"}
    values = {
        "A": True,
        "B": date(2026, 2, 1),
        "C": datetime(2026, 2, 1, 10, tzinfo=timezone.utc),
        "D": 1.5,
        "E": 7,
        "F": "x",
    }
    for name, kind in kinds.items():
        org.add_field("Things", Field(name, kind), value=values[name])
    org.add_field("Things", replace(MULTI), value=["Red"])
    org.add_field("Things", Field("Friend", "lookup", lookup_module="Things"))
    sync(load)
    agrees(load)


@pytest.mark.long
def test_a_new_field_whose_refresh_fails_is_filled_by_the_next_run(load, org):
    from tests.support.syncing import tried

    things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.add_field("Things", Field("Amount", "currency"), value="12.5")
    org.faults.add(LIST, times=99, status=500)
    org.edit("Things", org.records("Things")[0].id, F0="new")
    assert tried(load).exit_code == 1
    org.faults = type(org.faults)()
    org.clock.advance(hours=1)
    sync(load)
    agrees(load)


# ---- fields that go, come back, or change their type


@pytest.mark.long
def test_a_field_that_is_gone_keeps_its_values_also_in_rows_that_are_read_again(load, org):
    ids = things(org, 4, fields=2)
    sync(load)
    held = column(load, "f1")
    org.clock.advance(hours=1)
    org.drop_field("Things", "F1")
    org.edit("Things", ids[0], F0="edited")
    new = org.insert("Things", {"F0": "new"})
    sync(load)
    agrees(load, besides={"f1"})
    assert column(load, "f1") == {**held, new: None}
    org.clock.advance(hours=1)
    sync(load, refresh=True)
    agrees(load, besides={"f1"})
    assert column(load, "f1") == {**held, new: None}
    org.clock.advance(days=8)
    org.record("Things", ids[1]).values["F0"] = "without a trace"
    org.record("Things", ids[1]).values["Modified_Time"] = org.now() - timedelta(hours=3)
    sync(load)
    agrees(load, besides={"f1"})
    assert column(load, "f1") == {**held, new: None}


@pytest.mark.long
def test_a_field_that_was_gone_for_a_while_is_filled_when_it_comes_back(load, org):
    ids = things(org, 4, fields=2)
    sync(load)
    org.clock.advance(hours=1)
    field = org.modules["Things"].field("F1")
    org.modules["Things"].fields.remove(field)  # a permission is lost, say
    org.record("Things", ids[0]).values["F1"] = "edited out of sight"
    org.edit("Things", ids[0], F0="edited")
    org.clock.advance(hours=1)  # more than the look-back of the third run
    sync(load)
    assert column(load, "f1")[ids[0]] == "1/0"
    org.clock.advance(hours=1)
    org.modules["Things"].fields.append(field)
    sync(load)
    agrees(load)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.cases(1)
def test_a_field_that_changes_its_type_keeps_both_forms(load, org, kept):
    ids = things(org, 4, fields=2)
    sync(load)
    held = column(load, "f1")
    org.clock.advance(hours=1)
    org.retype_field("Things", "F1", "integer", len if kept else None)
    org.edit("Things", ids[0], F0="edited")
    sync(load)
    now = {record.id: record.values["F1"] for record in org.records("Things")}
    assert column(load, "f1_2") == now
    assert column(load, "f1") == held
    org.clock.advance(hours=1)
    sync(load, refresh=True)
    assert (column(load, "f1"), column(load, "f1_2")) == (held, now)


@pytest.mark.long
def test_a_field_that_gets_its_first_type_back_is_read_anew(load, org):
    things(org, 4, fields=2)
    sync(load)
    org.clock.advance(hours=1)
    org.retype_field("Things", "F1", "integer", len)
    sync(load)
    org.clock.advance(hours=1)
    org.retype_field("Things", "F1", "text", lambda number: f"was {number}")
    sync(load)
    agrees(load, besides={"f1_2"})
    assert set(column(load, "f1_2").values()) == {3}


# ---- renamed values


@pytest.mark.parametrize("api", ["bulk", "records"])
@pytest.mark.cases(1)
def test_renamed_values_and_tags_are_found_by_the_weekly_comparison(load, org, api):
    ids = things(org, 4, **extra(PICK, MULTI))
    for id in ids[:2]:
        values = {"Pick": "Hot", "Multi": ["Red", "Blue"], "Tag": ["vip", "old"]}
        org.edit("Things", id, **values)
    org.clock.advance(hours=1)
    sync(load, settings=APIS[api])
    org.rename_picklist_value("Things", "Pick", "Hot", "Boiling")
    org.rename_picklist_value("Things", "Multi", "Red", "Crimson")
    org.modules["Things"].tags[0]["name"] = "very important"
    org.clock.advance(days=7)
    sync(load, settings=APIS[api])
    agrees(load)
    assert set(column(load, "pick").values()) == {"Boiling", None}


@pytest.mark.long
def test_a_lookup_that_is_emptied_because_its_record_went_is_found_by_the_weekly_comparison(load, org):
    ids = things(org, 3, **extra(Field("Friend", "lookup", lookup_module="Things")))
    org.edit("Things", ids[0], Friend=ids[1])
    org.clock.advance(hours=1)
    sync(load)
    org.delete("Things", ids[1])
    org.record("Things", ids[0]).values["Friend"] = None
    org.clock.advance(days=7)
    sync(load)
    agrees(load)


def test_the_weekly_comparison_brings_what_nothing_told_of(load_from):
    org = Org(quirks=Quirks(count_lag_minutes=10), rules=Rules(bulk_page_size=3))
    load = load_from(org)
    ids = things(org, 8)
    sync(load)
    org.clock.advance(hours=1)
    late = org.insert("Things", {"F0": "much too late"}, modified_time=org.now() - timedelta(days=40))
    org._remove("Things", ids[0], "permanent", shown=False)
    org.record("Things", ids[1]).values.update(F0="stale", Modified_Time=org.now() - timedelta(days=30))
    org.clock.advance(days=7)
    sync(load)
    agrees(load)
    assert late in landed(load, "things")
    org.ledger.clear()
    sync(load)
    assert len(lists(org)) == 1

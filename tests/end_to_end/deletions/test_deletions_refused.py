"""A list of deletions that Zoho refuses leaves no deleted row behind: every id is compared, or the table fails by name."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.end_to_end.deletions.test_deletions import FAMILY, FEED, family, family_agrees, remembered
from tests.support.commanding import account, command, restored_environment  # noqa: F401
from tests.support.reading import things
from tests.support.syncing import agrees, sync, synced, tried, watermark

LIST = "GET /crm/v8/{module}"
REFUSALS = [
    (403, "NO_PERMISSION"),
    (401, "OAUTH_SCOPE_MISMATCH"),
    (400, "AUTHORIZATION_FAILED"),
    (400, "INVALID_MODULE"),
    (400, "NOT_SUPPORTED"),
    (404, "INVALID_URL_PATTERN"),
    (400, "INVALID_DATA"),
]


def refuse(org, route=FEED, *, status=403, code="NO_PERMISSION", module="Things", **more):
    body = {"code": code, "status": "error", "message": "not for you", "details": {}}
    org.faults.add(route, module=module, status=status, body=body, times=99, **more)


def hear_again(org):
    org.faults = type(org.faults)()


def said(load, column, module="Things"):
    query = f"select {column} from zoho.sync_runs where module = '{module}' order by started_at desc limit 1"
    return load.rows(query)[0][0]


@pytest.mark.parametrize(
    ("status", "code", "worked_before"),
    [*((*refusal, False) for refusal in REFUSALS), (*REFUSALS[0], True), (*REFUSALS[3], True)],
)
@pytest.mark.cases(1)
def test_whatever_the_refusal_what_was_deleted_leaves_in_the_same_run(load, org, status, code, worked_before):
    ids = things(org, 5)
    sync(load)
    if worked_before:
        org.clock.advance(hours=1)
        sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.insert("Things", {"F0": "new"})  # the number of records is what it was
    refuse(org, status=status, code=code)
    sync(load)
    agrees(load)
    assert remembered(load) == [("Things", ids[0], "untraced")]
    assert f"{status} {code}" in said(load, "reason")
    assert load.reading("Things").usage.credits <= 4  # one for a page of ids, one by id to be sure


def test_each_run_reads_whole_while_the_list_is_refused_and_none_once_it_is_back(load, org):
    ids = things(org, 6)
    sync(load)
    since = watermark(load)
    refuse(org)
    for id in ids[:2]:
        org.clock.advance(hours=1)
        org.delete("Things", id)
        sync(load)
        agrees(load)
    assert synced(load)["deletions_refused_since"] == since.isoformat()
    hear_again(org)
    org.clock.advance(hours=1)
    org.delete("Things", ids[2])
    sync(load)
    agrees(load)
    assert "deletions_refused_since" not in synced(load)
    assert ("Things", ids[2], "recycle") in remembered(load)
    org.clock.advance(hours=1)
    sync(load)
    assert not load.reading("Things").plan.is_full_refresh


@pytest.mark.long
def test_what_is_compared_each_run_for_want_of_a_list_puts_the_weekly_look_at_values_off_no_further(
    load, org
):
    org.add_module(
        Module("Things", [Field("F0", "text"), Field("Pick", "picklist", pick_list_values=["Hot", "Cold"])])
    )
    org.insert("Things", {"F0": "a", "Pick": "Hot"})
    sync(load)
    refuse(org)
    org.rename_picklist_value("Things", "Pick", "Hot", "Very hot", rewrite=True)
    for _ in range(8):
        org.clock.advance(days=1)
        sync(load)
    agrees(load)


@pytest.mark.long
def test_a_module_that_cannot_be_read_whole_either_fails_by_name(org, command, account):  # noqa: F811
    ids = things(org, 3)
    assert command("run", "--quiet", "--modules", "Things").code == 0
    until = org.now()
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    refuse(org)
    refuse(org, LIST, nth=2)  # the first tells what has changed
    for why in ("403 NO_PERMISSION GET /crm/v8/Things/deleted", "Zoho refuses its list"):
        ran = command("run", "--quiet", "--modules", "Things")
        assert ran.code == 1
        assert "deletions unknown since 2026-" in ran.err
        assert why in ran.err
    told = command("status")
    assert "Deletions that are not known" in told.out
    assert f"Things: since {until:%Y-%m-%d %H:%M} UTC" in told.out
    table = next(e for e in command("status", "--log-format", "json").events if e.get("module") == "Things")
    assert (table["state"], table["deletions_unknown_since"]) == (
        "failing",
        until.isoformat(timespec="seconds"),
    )
    hear_again(org)
    org.clock.advance(hours=1)
    assert command("run", "--quiet", "--modules", "Things").code == 0
    assert "Deletions that are not known" not in command("status").out


@pytest.mark.long
def test_status_says_since_when_a_module_is_read_whole_for_want_of_the_list(org, command, account):  # noqa: F811
    things(org, 3)
    assert command("run", "--quiet", "--modules", "Things").code == 0
    until = org.now()
    refuse(org)
    org.clock.advance(hours=1)
    assert command("run", "--quiet", "--modules", "Things").code == 0
    told = command("status")
    assert f"Zoho has refused the list of deletions of Things since {until:%Y-%m-%d %H:%M} UTC" in told.out
    planned = command("plan", "--modules", "Things", "--log-format", "json")
    reasons = [e["reason"] for e in planned.events if e.get("module") == "Things"]
    assert any(why.startswith("Zoho refused its list of deletions") for why in reasons)


def test_a_whole_reading_says_that_deletions_could_not_be_remembered(load, org):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    refuse(org)
    sync(load, refresh=True)
    agrees(load)
    assert any("deleted_records lacks" in line for line in load.reading("Things").notes.lines())


def test_more_rows_than_anybody_deletes_are_not_believed(load, org):
    ids = things(org, 1_300)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids[:1_100]:
        org.delete("Things", id)
    refuse(org)
    run = tried(load)
    assert run.exit_code == 1
    assert "deletions unknown since" in load.reading("Things").error
    assert load.rows("select count(*) from zoho.things") == [(1_300,)]


# ---- modules of which Zoho documents no list


@pytest.mark.parametrize(
    ("answer", "with_a_new_one"),
    [("INVALID_MODULE", True), ("INVALID_MODULE", False), ("NOT_SUPPORTED", True)],
)
@pytest.mark.cases(1)
def test_a_note_goes_in_the_run_though_notes_have_no_list(load_from, answer, with_a_new_one):
    org = Org(quirks=Quirks(deleted_of_notes=answer))
    load = load_from(org)
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Notes", org.records("Notes")[0].id)
    if with_a_new_one:
        parent = {"id": deals[0], "name": None, "module": "Deals"}
        org.insert("Notes", {"Title": "new", "Parent_Id": parent})
        org.clock.advance(minutes=11)  # or the count could be late
    sync(load, *FAMILY)
    family_agrees(load)


@pytest.mark.long
def test_an_idle_module_without_a_list_costs_a_count_and_no_comparison(load_from):
    org = Org(quirks=Quirks(deleted_of_notes="INVALID_MODULE"))
    load = load_from(org)
    family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    assert load.run.fully_refreshed == set()
    assert len(org.ledger.calls("GET /crm/v8/{module}/actions/count")) == len(FAMILY) + 1


@pytest.mark.long
def test_a_list_of_notes_that_worked_before_is_no_list_that_is_not_there(load, org):
    family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Notes", org.records("Notes")[0].id)
    refuse(org, status=400, code="INVALID_MODULE", module="Notes")
    sync(load, *FAMILY)
    family_agrees(load)
    assert load.run.fully_refreshed == {"Notes"}


@pytest.mark.long
def test_lines_whose_list_is_refused_for_want_of_a_permission_are_compared(load, org):
    family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    refuse(org, module="Lines")
    sync(load, *FAMILY)
    assert load.run.fully_refreshed == {"Lines"}
    assert synced(load, "Lines")["deletions_refused_since"]

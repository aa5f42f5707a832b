"""What a comparison of every id makes of rows that hang on others, of kept versions, and of strange tables."""

from __future__ import annotations

from datetime import timedelta

import dlt
import pytest

from pipelines.zoho_crm.console import Console
from pipelines.zoho_crm.output.verify_report import difference_lines, print_verification
from pipelines.zoho_crm.run.pipeline import open_pipeline
from pipelines.zoho_crm.run.progress import Progress
from pipelines.zoho_crm.verify.verifier import Verifier
from simulators.zoho_crm import Field, Module
from sources.zoho_crm.config import ModuleSelection
from sources.zoho_crm.sync import extraction
from tests.end_to_end.deletions.test_deletions import FAMILY, family
from tests.support.reading import things
from tests.support.syncing import agrees, live, sync, synced, tried
from tests.support.truth import landed, truth


def verify(load, *modules, repair=False, settings=""):
    """The comparisons by module, after one that may not fail."""
    load.result = attempt(load, *modules, repair=repair, settings=settings)
    assert load.result.exit_code in (0, 4), [(r.name, r.error) for r in load.result.run.readings]
    return {comparison.name: comparison for comparison in load.result.comparisons}


def attempt(load, *modules, repair=False, settings="", max_credits=None):
    destination = load.destination or dlt.destinations.duckdb(str(load.folder / "crm.duckdb"))
    load.pipeline = open_pipeline(load.name, destination, load.dataset, str(load.folder / "p"), Progress())
    client, preferred_api = load.client(settings), load.credentials(settings).api
    client.context.max_credits = max_credits
    choice = ModuleSelection(only=frozenset(modules or ("Things",)))
    return Verifier(load.pipeline, client, choice, preferred_api, Progress()).verify(repair=repair)


def kinds(comparison):
    return {kind: sorted(ids) for kind, ids in comparison.ids.items() if ids}


def sql(load, *statements):
    with load.pipeline.sql_client() as client:
        for statement in statements:
            client.execute_sql(statement)


# ---- rows that hang on others


@pytest.fixture
def deals(load, org):
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    return deals


@pytest.mark.parametrize("chosen", [FAMILY, FAMILY[1:]], ids=["with their records", "alone"])
@pytest.mark.cases(1)
def test_rows_of_records_that_changed_or_went_since_the_last_run_are_no_difference(load, org, deals, chosen):
    org.delete("Deals", deals[0])
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.edit("Deals", deals[1], Title="edited")
    org.clock.advance(minutes=1)
    found = verify(load, *chosen)
    assert {name: kinds(comparison) for name, comparison in found.items() if kinds(comparison)} == {}
    assert {name: len(comparison.since) for name, comparison in found.items() if name != "Deals"} == {
        "Lines": 4,
        "Labels": 0,
        "Deals_X_Labels": 2,
        "Notes": 2,
    }


def test_rows_of_records_that_nobody_touched_are_differences(load, org, deals):
    org.edit("Deals", deals[1], Title="edited")
    line = next(r for r in org.records("Lines") if r.values["Parent_Id"]["id"] == deals[0])
    note = next(r for r in org.records("Notes") if r.values["Parent_Id"]["id"] == deals[0])
    sql(load, f"delete from zoho.lines where id = '{line.id}'")
    org._remove("Notes", note.id, "permanent", shown=False)
    found = verify(load, *FAMILY, repair=True)
    assert (kinds(found["Lines"]), kinds(found["Notes"])) == ({"missing": [line.id]}, {"extra": [note.id]})
    assert (found["Lines"].verdict, found["Notes"].verdict) == ("repaired", "repaired")
    agrees(load, "Lines")
    agrees(load, "Notes")


def test_a_lookup_that_zoho_empties_with_its_record_is_no_difference(load, org):
    things(org, 2, extra=[Field("Other", "lookup", lookup_module="Things")])
    first, second = (record.id for record in org.records("Things"))
    org.edit("Things", second, Other={"id": first, "name": None})
    org.clock.advance(hours=1)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", first)
    org.set_computed("Things", second, "Other", None)
    org.clock.advance(minutes=1)
    comparison = verify(load)["Things"]
    assert (kinds(comparison), comparison.since) == ({}, {first, second})


# ---- what a repair keeps


@pytest.mark.long
@pytest.mark.parametrize("api", ["REST", "Bulk"])
@pytest.mark.cases(1)
def test_a_repair_by_each_api_makes_the_tables_equal(load, org, api):
    ids = things(org, 400, fields=3, extra=[Field("Score", "formula", return_type="double")])
    org.clock.advance(hours=1)
    sync(load)
    org.clock.advance(hours=1)
    sql(
        load,
        f"delete from zoho.things where id = '{ids[0]}'",
        f"update zoho.things set modified_time = '2020-01-01', f0 = '?' where id = '{ids[1]}'",
        f"update zoho.things set score = 1 where id = '{ids[2]}'",
        f"insert into zoho.things select * from zoho.things where id = '{ids[3]}'",
    )
    org._remove("Things", ids[4], "permanent", shown=False)
    before = synced(load)
    comparison = verify(load, repair=True, settings=f"ReadAPI={api}")["Things"]
    assert (comparison.verdict, comparison.id_scan.api) == (
        "repaired",
        {"REST": "records"}.get(api, api.lower()),
    )
    assert kinds(comparison) == {
        "missing": ids[:1],
        "extra": ids[4:5],
        "stale": [ids[1], ids[3]],
        "values": ids[2:3],
    }
    assert comparison.id_scan.deleted_rows == 1
    agrees(load)
    after = synced(load)
    assert after["until"] > before["until"]
    assert after["verified_at"] == after["computed_at"] > before["verified_at"]


def test_a_repair_keeps_deleted_rows_where_they_are_marked(load, org):
    ids = things(org, 5)
    sync(load, deletes="soft")
    org.clock.advance(hours=1)
    org._remove("Things", ids[0], "permanent", shown=False)
    assert verify(load, repair=True)["Things"].verdict == "repaired"
    assert set(landed(load, "things")) == set(ids)
    assert live(load, "Things") == truth(org, "Things")


@pytest.mark.long
def test_a_repair_of_so_many_rows_that_all_are_read_keeps_their_versions(load, org):
    ids = things(org, 1_000)
    sync(load, history=None)
    org.clock.advance(hours=1)
    sql(load, "update zoho.things set modified_time = '2020-01-01', f0 = 'older', _dlt_row_version = 'x'")
    org._remove("Things", ids[0], "permanent", shown=False)
    comparison = verify(load, repair=True)["Things"]
    assert comparison.verdict == "repaired"
    assert not [call for call in org.ledger.calls() if "," in call.query.get("ids", "")]
    assert live(load, "Things", "_dlt_valid_to") == truth(org, "Things")
    assert load.rows("select count(*) from zoho.things where f0 = 'older'") == [(1_000,)]


def test_files_are_compared_and_corrected_by_a_whole_reading(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    assert verify(load)["Things"].verdict == "equal"
    org._remove("Things", ids[0], "permanent", shown=False)
    comparison = verify(load, repair=True)["Things"]
    assert (comparison.verdict, kinds(comparison)) == ("repaired", {"extra": ids[:1]})
    agrees(load)


# ---- tables that are not as others


def test_a_module_that_no_run_has_loaded_is_a_difference_that_a_run_repairs(load, org):
    things(org, 3)
    org.add_module(Module("Others", [Field("Title", "text")]))
    sync(load, "Others")
    found = verify(load, "Things", "Others", repair=True)
    assert (found["Things"].verdict, len(found["Things"].ids["missing"])) == ("never loaded", 3)
    assert found["Things"].id_scan.notes.remarks == ["no run has loaded it yet"]
    assert (found["Others"].verdict, load.result.exit_code) == ("equal", 4)
    assert "things" not in {name for (name,) in load.rows("show tables")}


@pytest.mark.parametrize("created", [True, False])
@pytest.mark.cases(1)
def test_a_module_without_times_of_changes_is_compared_by_its_ids(load, org, created):
    times = ("Created_Time",) if created else ()
    org.add_module(Module("Things", [Field("Title", "text")], system_fields=("id", *times)))
    ids = [org.insert("Things", {"Title": f"{n}"}) for n in range(3)]
    org.clock.advance(hours=1)
    sync(load)
    sql(load, f"delete from zoho.things where id = '{ids[0]}'")
    org.clock.advance(hours=1)
    new = org.insert("Things", {"Title": "new"})
    comparison = verify(load)["Things"]
    assert kinds(comparison) == {"missing": ids[:1] if created else [ids[0], new]}
    assert comparison.id_scan.notes.remarks == [
        "it has no Modified_Time: what changed since the last run may count as a difference"
    ]


@pytest.mark.long
@pytest.mark.parametrize("repair", [True, False])
@pytest.mark.cases(1)
def test_a_small_table_is_written_again_though_zoho_has_the_same_rows_as_before(load, org, repair):
    """Somebody has replaced a row of it by hand, so that its count is right."""
    org.add_module(Module("Things", [Field("Title", "text")], system_fields=("id",)))
    ids = [org.insert("Things", {"Title": f"{n}"}) for n in range(3)]
    org.clock.advance(hours=1)
    sync(load)
    sql(load, f"update zoho.things set id = '99' where id = '{ids[0]}'")
    org.clock.advance(hours=1)
    if repair:
        assert verify(load, repair=True)["Things"].verdict == "repaired"
    else:
        sync(load, refresh=True)
    agrees(load)


def test_a_field_that_is_new_since_the_last_run_is_named_and_not_compared(load, org):
    things(org, 3)
    sync(load)
    org.add_field("Things", Field("Late", "picklist", pick_list_values=["A"]), value="A")
    comparison = verify(load)["Things"]
    assert comparison.verdict == "equal"
    assert comparison.id_scan.notes.remarks == ["new since the last run and not compared: Late"]


def test_a_record_that_lists_hide_and_that_is_there_by_id_is_no_difference(load, org, monkeypatch):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    from simulators.zoho_crm.api import records

    ordered = records._ordered
    monkeypatch.setattr(
        records,
        "_ordered",
        lambda org, request, module: [
            r for r in ordered(org, request, module) if r.id != ids[1] or "ids" in request.query
        ],
    )
    comparison = verify(load, repair=True)["Things"]
    assert (comparison.verdict, comparison.id_scan.notes.remarks) == (
        "equal",
        ["1 records are there by id and in no list"],
    )


# ---- a permission that was taken away


@pytest.fixture
def few(monkeypatch):
    """More than three rows are many."""
    monkeypatch.setattr(extraction, "MANY", 3)


@pytest.mark.long
def test_rows_that_a_lost_permission_hides_are_not_removed(load, org, few):
    ids = things(org, 10)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids[:4]:
        org._remove("Things", id, "permanent", shown=False)
    comparison = verify(load, repair=True)["Things"]
    assert (comparison.verdict, load.result.exit_code) == ("differs", 4)
    assert comparison.refusal.startswith(
        "4 of its 10 rows are no longer shown by Zoho and no deletion names them"
    )
    run = tried(load, verify_every=timedelta(0))
    assert run.exit_code == 1
    assert load.reading("Things").error == comparison.refusal
    assert len(landed(load, "things")) == 10
    sync(load, refresh=True)
    agrees(load)


@pytest.mark.long
def test_fewer_rows_or_a_small_share_of_them_are_believed_to_be_gone(load, org, few):
    ids = things(org, 40)
    sync(load)
    org.clock.advance(hours=1)
    for id in ids[:8]:
        org._remove("Things", id, "permanent", shown=False)
    assert verify(load, repair=True)["Things"].verdict == "repaired"
    agrees(load)


@pytest.mark.long
def test_many_rows_may_go_with_records_that_are_read_whole_again(load, org, deals, few):
    org.delete("Deals", deals[0])
    org.delete("Deals", deals[1])
    sql(load, "drop table zoho.deals")
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    assert len(landed(load, "lines")) == 3
    agrees(load, "Lines")


# ---- failures


def test_a_module_that_cannot_be_compared_leaves_the_others_alone(load, org):
    things(org, 3)
    org.add_module(Module("Others", [Field("Title", "text")]))
    sync(load, "Things", "Others")
    org.clock.advance(hours=1)
    org.faults.add("GET /crm/v8/{module}", module="Others", status=500, times=99)
    result = attempt(load, "Things", "Others")
    assert result.exit_code == 1
    assert {c.name: c.verdict for c in result.comparisons} == {"Things": "equal", "Others": "failed"}


def test_a_feed_of_deletions_that_fails_fails_its_module(load, org):
    ids = things(org, 3)
    sync(load)
    org.clock.advance(hours=1)
    org.delete("Things", ids[0])
    org.faults.add("GET /crm/v8/{module}/deleted", module="Things", status=500, times=99)
    result = attempt(load, repair=True)
    assert (result.exit_code, result.comparisons[0].verdict) == (1, "failed")
    assert len(landed(load, "things")) == 3


def test_the_limit_of_credits_is_6(load, org):
    things(org, 3)
    org.add_module(Module("Pears", [Field("Title", "text")], generated_type="custom"))
    sync(load, "Things", "Pears")
    result = attempt(load, "Things", "Pears", max_credits=6)
    assert result.exit_code == 6
    assert [comparison.verdict for comparison in result.comparisons] == ["equal"]
    assert len(result.run.waiting) == 1
    assert attempt(load, "Things", "Pears", max_credits=9).exit_code == 0


# ---- what is printed


def test_few_ids_are_named_and_all_if_that_is_asked_for(load, org, capsys):
    things(org, 7)
    sync(load)
    sql(load, "delete from zoho.things")
    comparison = verify(load)["Things"]
    ids = sorted(comparison.ids["missing"])
    assert difference_lines(comparison, verbose=False) == [
        f"Things: 7 missing: {', '.join(ids[:5])} and 2 more"
    ]
    assert difference_lines(comparison, verbose=True) == [f"Things: 7 missing: {', '.join(ids)}"]
    print_verification(Console(), load.result)
    said = capsys.readouterr().out.splitlines()
    assert said[2].split() == ["Things", "things", "records", "7", "0", "7", *"0000", "1", "1", "differs"]
    assert said[-1].startswith("1 module compared in ")
    assert "0 equal, 1 differ, in 7 rows; 4 calls, 4 credits" in said[-1]

"""Runs under --max-credits: planning never uses the limit up, and run by run every table gets its turn."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.support.commanding import account, command, landed

__all__ = ["account", "command"]  # fixtures

NAMES = [f"Things_{letter}" for letter in "ABCDEFGHIJ"]
OURS = "users,org,roles,profiles,currencies,territories,tags,layouts,pipelines"
FILE = "zoho.duckdb"


@pytest.fixture
def org():
    org = Org()
    for number, name in enumerate(NAMES):
        org.add_module(Module(name, [Field("Name", "text")], generated_type="custom"))
        for row in range(number + 1):
            org.insert(name, {"Name": f"{name} {row}"})
    org.clock.advance(hours=1)
    return org


@pytest.fixture
def run(org, account, command, tmp_path):
    """A run an hour after the last one; never over its limit, by Zoho's own ledger."""

    def call(limit, *words):
        org.clock.advance(hours=1)
        org.ledger.clear()
        words = words or ("--exclude", OURS)
        done = command("run", "--max-credits", str(limit), "--progress", "off", *words)
        assert org.ledger.credits <= limit, done.out
        return done

    return call


def loaded(folder):
    """The modules whose tables are there, with the names of their rows."""
    tables = landed(folder / FILE, "select table_name from information_schema.tables")
    there = {name for (name,) in tables}
    return {
        name: {row for (row,) in landed(folder / FILE, f"select name from zoho_crm.{name.lower()}")}
        for name in NAMES
        if name.lower() in there
    }


def held(org, *names):
    return {name: {record.values["Name"] for record in org.records(name)} for name in names or NAMES}


def statuses(folder):
    """What `sync_runs` says of each module, of the last run."""
    query = "select run_id from zoho_crm.sync_runs order by started_at desc limit 1"
    ((last,),) = landed(folder / FILE, query)
    rows = landed(folder / FILE, f"select module, status from zoho_crm.sync_runs where run_id = '{last}'")
    return dict(rows)


def test_runs_with_a_small_limit_load_more_each_time_and_then_take_turns(org, run, tmp_path):
    there: list[int] = [0]
    while there[-1] < len(NAMES):
        assert run(21).code == 6 or len(loaded(tmp_path)) == len(NAMES)
        assert loaded(tmp_path) == held(org, *loaded(tmp_path))
        there.append(len(loaded(tmp_path)))
        assert there[-1] > there[-2]
    assert len(there) <= 3
    fields = landed(tmp_path / FILE, "select distinct module from zoho_crm.fields")
    assert {module for (module,) in fields} == set(NAMES)
    # From now on no run can do them all; each module is up to date at some time, and none is left behind.
    for name in NAMES:
        org.insert(name, {"Name": "new"})
    for _ in range(3):
        assert run(21).code == 6
    assert loaded(tmp_path) == held(org)


@pytest.mark.long
def test_a_limit_that_pays_for_the_changes_ends_with_0_once_all_is_loaded(org, run, tmp_path):
    for name in NAMES:
        for row in range(1_200):
            org.insert(name, {"Name": f"{name} more {row}"})
    org.clock.advance(hours=1)
    codes = []
    while 0 not in codes:
        codes.append(run(62).code)
        assert len(codes) <= 5
        assert loaded(tmp_path) == held(org, *loaded(tmp_path))
    assert loaded(tmp_path) == held(org)
    assert set(statuses(tmp_path).values()) == {"read"}


def test_a_limit_too_low_for_any_table_is_refused_with_the_number_that_would_do(org, run, tmp_path):
    refused = run(3, "--modules", NAMES[0])
    assert (refused.code, org.ledger.credits) == (2, 0)
    assert "--max-credits 3 is too low for even one table: an empty module takes 4 credits" in refused.err
    for row in range(1_000):
        org.insert(NAMES[0], {"Name": f"more {row}"})
    refused = run(8, "--modules", NAMES[0])
    assert (refused.code, landed_nothing(tmp_path)) == (2, True)
    enough = int(refused.err.split(" would do")[0].split()[-1])
    assert run(enough, "--modules", NAMES[0]).code == 0
    assert loaded(tmp_path) == held(org, NAMES[0])


def landed_nothing(folder):
    return not (folder / FILE).exists() or not loaded(folder)


@pytest.mark.long
def test_tables_that_are_too_dear_keep_no_other_waiting(org, run, tmp_path):
    for name in NAMES[:4]:
        for row in range(2_400):
            org.insert(name, {"Name": f"more {row}"})
    assert run(16).code == 6
    assert loaded(tmp_path) == held(org, NAMES[4])
    assert run(16).code == 6
    assert loaded(tmp_path) == held(org, *NAMES[4:])
    done = run(16)
    assert done.code == 6
    assert "it takes about 15 API credits, more than --max-credits 16 ever leaves for it: " in done.err


@pytest.mark.long
def test_status_says_what_waits_and_how_old_it_is(org, run, command, tmp_path):
    done = run(16)
    assert done.code == 6
    waiting = [name for name, status in statuses(tmp_path).items() if status == "waiting"]
    assert waiting and waiting == [name for name in NAMES if name not in loaded(tmp_path)]
    told = command("status", "--log-format", "json").events
    words = {line["module"]: line["state"] for line in told if line["event"] == "table"}
    (took,) = [line["seconds"] for line in told if line["event"] == "run"]
    assert f"in {took:,.1f} s" in done.out.splitlines()[-1]
    assert {words[name] for name in waiting} == {"stale"}
    assert {words[name] for name in loaded(tmp_path)} == {"fresh"}
    text = command("status").out
    assert "the limit of 16 API credits is reached" in text
    assert f"{len(waiting)} left for later" in text


@pytest.mark.long
def test_the_accounts_own_tables_get_their_turn_too_and_are_about_all_modules(org, run, tmp_path):
    for name in NAMES[:2]:
        org.tag(name, f"tag of {name}")
    words = ("--exclude", ",".join([*NAMES[2:], *(set(OURS.split(",")) - {"users", "org", "tags"})]))
    assert [run(8, *words).code, run(8, *words).code] == [6, 6]
    read = "select distinct module from zoho_crm.sync_runs where status = 'read'"
    assert {name for (name,) in landed(tmp_path / FILE, read)} >= {"users", "org", "tags", *NAMES[:2]}
    tags = landed(tmp_path / FILE, "select module, name from zoho_crm.tags order by 1")
    assert tags == [(name, f"tag of {name}") for name in NAMES[:2]]


@pytest.mark.long
def test_a_count_that_the_limit_cuts_off_is_said_and_made_up_for(org, run, tmp_path):
    name = NAMES[1]
    assert run(20, "--modules", name).code == 0
    org.delete(name, org.records(name)[0].id)
    org.insert(name, {"Name": "new"})
    org.faults.add("GET /crm/v8/{module}/deleted", truncate_json=True)  # paid for, and asked for again
    done = run(8, "--modules", name)
    assert done.code == 6
    assert f"{name}: its rows have landed and were not counted: stopped at the limit of 8" in done.err
    assert loaded(tmp_path) == held(org, name)
    counts = f"select crm_count from zoho_crm.sync_runs where module = '{name}' order by started_at"
    assert landed(tmp_path / FILE, counts)[1:] == [(None,)]
    assert run(20, "--modules", name).code == 0  # nothing has changed, and yet it counts
    assert landed(tmp_path / FILE, counts)[2:] == [(2,)]


@pytest.mark.long
def test_rows_of_a_record_are_not_forgotten_when_only_the_record_has_its_turn(org, run, tmp_path):
    """A line that is taken out of a deal leaves no trace but in the deal."""
    lines = Field("Lines", "subform", subform_module="Lines")
    org.add_module(Module("Deals", [Field("Name", "text"), lines], generated_type="default"))
    org.add_module(Module("Lines", [Field("Name", "text")], generated_type="subform", parent_module="Deals"))
    deal = org.insert("Deals", {"Name": "deal", "Lines": [{"Name": "one"}, {"Name": "two"}]})
    org.clock.advance(hours=1)
    chosen = ("--modules", "Deals,Lines")
    assert run(40, *chosen).code == 0
    gone = next(row for row in org.records("Lines") if row.values["Name"] == "two")
    org.remove_row("Lines", gone.id)
    org.edit("Deals", deal, Name="edited")
    assert run(8, *chosen).code == 6
    assert landed(tmp_path / FILE, "select name from zoho_crm.deals") == [("edited",)]
    assert run(40, *chosen).code == 0
    assert landed(tmp_path / FILE, "select name from zoho_crm.lines") == [("one",)]


@pytest.mark.long
def test_the_table_of_fields_is_no_failure_where_the_limit_leaves_all_modules_for_later(run, tmp_path):
    assert run(1_000, "--exclude", "tags").code == 0
    assert run(5, "--exclude", "tags").code == 6
    assert statuses(tmp_path)["fields"] == "read"
    fields = landed(tmp_path / FILE, "select distinct module from zoho_crm.fields")
    assert {module for (module,) in fields} == set(NAMES)

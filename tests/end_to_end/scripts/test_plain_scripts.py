"""What a dlt user does with the source in a script of their own, and the rows that are there afterwards."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

from simulators.zoho_crm import Field, Module, Org, Quirks, serve
from simulators.zoho_crm.faults import Faults
from sources.zoho_crm import zoho_crm
from sources.zoho_crm.sync.extraction import Extraction
from tests.conftest import wait_in_simulated_time
from tests.end_to_end.deletions.test_deletions import FAMILY, family, family_agrees
from tests.end_to_end.deletions.test_restored import OFFICE, office, office_agrees
from tests.support.reading import things
from tests.support.syncing import agrees, tables_in


class Script:
    """A user's script: a pipeline into DuckDB, and this source."""

    def __init__(self, org: Org, connection: str, folder: Path) -> None:
        self.org, self.connection, self.folder = org, connection, folder
        self.machine = folder / "pipelines"

    @property
    def pipeline(self) -> Any:
        return dlt.pipeline(
            "crm",
            destination=dlt.destinations.duckdb(str(self.folder / "crm.duckdb")),
            dataset_name="zoho",
            pipelines_dir=str(self.machine),
        )

    def source(self, *modules: str, **arguments: Any) -> Any:
        connection = f"{self.connection}OAuthSettingsLocation=memory://"
        return zoho_crm(connection, modules=modules or ("Things",), **arguments)

    def run(self, source: Any = None, *modules: str, **arguments: Any) -> dict[str, int]:
        """One run an hour after the last; the rows by table that dlt has written."""
        self.org.clock.advance(hours=1)
        self.org.ledger.clear()
        pipeline = self.pipeline
        pipeline.run(source or self.source(*modules), **arguments)
        counts = dict(pipeline.last_trace.last_normalize_info.row_counts)
        return {name: rows for name, rows in counts.items() if not name.startswith("_dlt")}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.pipeline.sql_client() as sql:
            return [tuple(row) for row in sql.execute_sql(query) or []]

    def calls(self) -> int:
        return len([call for call in self.org.ledger.calls() if call.path.startswith("/crm")])


@pytest.fixture
def script(org: Org, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    wait_in_simulated_time(monkeypatch, org)
    with serve(org) as zoho:
        yield Script(org, zoho.connection_string, tmp_path)


@pytest.fixture
def script_of(tmp_path: Path) -> Iterator[Any]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda org: Script(org, stack.enter_context(serve(org)).connection_string, tmp_path)


# ---- run after run


def test_the_second_run_of_an_idle_account_costs_five_calls_and_writes_no_row(script, org):
    things(org, 30)
    assert script.run()["things"] == 30
    agrees(script)
    assert script.run() == {}
    assert script.calls() <= 2 + 3
    agrees(script)


def test_a_later_run_reads_and_writes_what_has_changed(script, org):
    ids = things(org, 300)
    script.run()
    org.clock.advance(hours=1)
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    org.delete("Things", ids[2], permanent=True)
    org.insert("Things", {"F0": "new"})
    written = script.run(script.source("Things", "deleted_records"))
    agrees(script)
    assert written == {"things": 4, "deleted_records": 2}
    org.restore("Things", ids[1])
    script.run(script.source("Things", "deleted_records"))
    agrees(script)


@pytest.mark.long
def test_losers_of_a_merge_go_and_converted_leads_stay(script, org):
    fields = [Field("Title", "text"), Field("Converted__s", "boolean")]
    org.add_module(Module("Leads", fields, generated_type="default"))
    leads = [org.insert("Leads", {"Title": f"lead {n}", "Converted__s": False}) for n in range(4)]
    script.run(None, "Leads")
    org.merge("Leads", leads[0], [leads[1]])
    org.convert(leads[2])
    script.run(None, "Leads")
    agrees(script, "Leads")


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.cases(1)
def test_subforms_links_and_notes_go_and_come_back_with_their_record(script_of, moves):
    org = Org(quirks=Quirks(restore_moves_modified_time=moves, rows_touched_by_edit=moves))
    script = script_of(org)
    deals = family(org)
    modules = (*FAMILY, "deleted_records")
    script.run(None, *modules)
    org.delete("Deals", deals[0])
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    script.run(None, *modules)
    family_agrees(script)
    org.restore("Deals", deals[0])
    script.run(None, *modules)
    family_agrees(script)


@pytest.mark.parametrize(("state", "children_first"), [("one state", False), ("a state each", True)])
@pytest.mark.parametrize("moves", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.long
def test_tables_that_are_read_in_runs_of_their_own_agree(script_of, moves, state, children_first):
    """As an orchestrator does that gives each table a task."""
    org = Org(quirks=Quirks(restore_moves_modified_time=moves, rows_touched_by_edit=moves))
    script = script_of(org)
    deals = family(org)
    names = (*FAMILY, "deleted_records")

    def run() -> None:
        org.clock.advance(hours=1)
        parts = script.source(*names).decompose("scc")
        for part in reversed(parts) if children_first else parts:
            own = None if state == "one state" else "only_" + "_".join(part.selected_resources)
            script.pipeline.drop(pipeline_name=own).run(part)

    def check() -> None:
        family_agrees(tables_in(org, script.folder / "crm.duckdb", "zoho"))

    run()
    org.delete("Deals", deals[0])
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    run()
    check()
    assert ("Deals", deals[0]) in script.rows("select module, id from zoho.deleted_records")
    org.restore("Deals", deals[0])
    for _ in range(2 if children_first else 1):  # `deleted_records` came first and is read again
        run()
    check()


@pytest.mark.long
def test_a_new_field_is_filled_for_every_record(script, org):
    things(org, 5)
    script.run()
    org.add_field("Things", Field("Colour", "text"), value="red")
    script.run()
    agrees(script)


@pytest.mark.long
def test_formulas_are_right_a_day_later(script, org):
    ids = things(org, 5, extra=[Field("Score", "formula", return_type="double")])
    script.run()
    org.set_computed("Things", ids[0], "Score", 2.5)
    org.clock.advance(hours=24)
    script.run()
    agrees(script)


# ---- what dlt knows of a run


def test_a_named_module_costs_no_request_before_the_run_and_needs_no_pipeline(script, org):
    things(org, 3)
    dlt.pipeline("other", pipelines_dir=str(script.folder / "other")).deactivate()
    source = script.source()
    assert list(source.resources) == ["things"]
    assert org.ledger.calls() == []


def test_without_names_one_call_lists_the_modules(script, org):
    things(org, 3)
    source = zoho_crm(f"{script.connection}OAuthSettingsLocation=memory://")
    assert script.calls() == 1
    assert {"things", "users", "deleted_records"} <= set(source.resources)


def test_only_the_selected_resources_are_asked_for(script, org):
    things(org, 3)
    org.add_module(Module("Others", [Field("Title", "text")], generated_type="custom"))
    source = zoho_crm(f"{script.connection}OAuthSettingsLocation=memory://").with_resources("things")
    script.run(source)
    assert {call.module for call in org.ledger.calls() if call.module} == {"Things"}
    agrees(script)


def test_a_source_that_is_run_twice_reads_anew(script, org):
    ids = things(org, 3)
    source = script.source()
    script.run(source)
    org.edit("Things", ids[0], F0="edited")
    script.run(source)
    agrees(script)


def test_a_lost_folder_and_a_new_machine_go_on(script, org):
    ids = things(org, 50)
    script.run()
    shutil.rmtree(script.machine)
    org.edit("Things", ids[0], F0="edited")
    assert script.run() == {"things": 1}
    agrees(script)


def test_a_load_that_fails_moves_nothing(script, org, monkeypatch):
    ids = things(org, 20)
    script.run()
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])

    def refuse(self: Any) -> None:
        raise RuntimeError("the destination is full")

    with monkeypatch.context() as patch, pytest.raises(Exception, match="the destination is full"):
        patch.setattr(DuckDbCopyJob, "run", refuse)
        script.run()
    script.pipeline.abort_packages()
    script.run()
    agrees(script)


def test_a_module_that_fails_loads_nothing_and_the_next_run_has_all(script, org):
    ids = things(org, 20)
    script.run()
    org.edit("Things", ids[0], F0="edited")
    org.faults.add("GET /crm/v8/{module}", status=400, times=99)
    with pytest.raises(Exception, match="Things"):
        script.run()
    org.faults = Faults()
    script.run()
    agrees(script)


@pytest.mark.long
@pytest.mark.parametrize("refresh", ["drop_sources", "drop_resources", "drop_data"])
@pytest.mark.cases(1)
def test_refresh_reads_everything_again(script, org, refresh):
    things(org, 20)
    script.run()
    written = script.run(None, refresh=refresh)
    assert written["things"] == 20
    agrees(script)
    assert script.run() == {}


@pytest.mark.parametrize("deletes", ["hard", "soft"])
@pytest.mark.cases(1)
def test_refresh_forgets_rows_that_were_deleted(script, org, deletes):
    ids = things(org, 20)
    script.run(script.source(deletes=deletes))
    org.delete("Things", ids[0])
    script.run(script.source(deletes=deletes))
    kept = script.rows("select count(*) from things where deleted_at is not null")
    assert kept == [(1 if deletes == "soft" else 0,)]
    script.run(script.source(deletes=deletes), refresh="drop_data")
    agrees(script)


def test_replace_loads_the_whole_table_each_time(script, org):
    ids = things(org, 20)
    for _ in range(2):
        written = script.run(None, write_disposition="replace")
        assert written["things"] == 20 - (len(ids) - 20)
        agrees(script)
    org.delete("Things", ids[0])
    assert script.run(None, write_disposition="replace")["things"] == 19
    agrees(script)


def test_append_keeps_every_version_that_was_read(script, org):
    ids = things(org, 3)
    source = script.source()
    source.resources["things"].apply_hints(write_disposition="append")
    script.run(source)
    org.edit("Things", ids[0], F0="edited")
    script.run(source)
    assert sorted(script.rows(f"select f0 from things where id = '{ids[0]}'")) == [("0/0",), ("edited",)]
    assert script.rows("select count(*) from things") == [(4,)]


def test_history_keeps_every_version(script, org):
    ids = things(org, 3)
    script.run(script.source(history=True))
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    script.run(script.source(history=True))
    query = "select f0, _dlt_valid_to is null from things where id = '{}' order by _dlt_valid_from"
    assert script.rows(query.format(ids[0])) == [("0/0", False), ("edited", True)]
    assert script.rows(query.format(ids[1])) == [("0/1", False)]


# ---- steps


def test_a_map_sees_every_row_of_each_run(script, org):
    ids = things(org, 300)

    def louder(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.schema.get_field_index("f0"), "f0", pc.utf8_upper(rows["f0"]))

    for value in ("first", "second"):
        org.edit("Things", ids[0], F0=value)
        source = script.source()
        source.resources["things"].add_map(louder)
        script.run(source)
        assert script.rows(f"select f0 from things where id = '{ids[0]}'") == [(value.upper(),)]
    assert script.rows("select count(*) from things") == [(300,)]


def test_a_filter_and_a_yield_map_see_rows(script, org):
    things(org, 30)

    def halves(rows: pa.Table) -> Iterator[pa.Table]:
        yield rows.slice(0, rows.num_rows // 2)
        yield rows.slice(rows.num_rows // 2)

    source = script.source()
    source.resources["things"].add_filter(lambda rows: rows.num_rows > 0).add_yield_map(halves)
    script.run(source)
    agrees(script)


def test_deletions_go_through_steps(script, org):
    ids = things(org, 30)
    for _ in range(2):
        source = script.source()
        source.resources["things"].add_map(lambda rows: rows)
        script.run(source)
        agrees(script)
        org.delete("Things", ids[0]) if _ == 0 else None


def test_a_limit_loses_no_row(script, org):
    """A run that is cut off moves no cursor."""
    things(org, 30)
    source = script.source()
    source.resources["things"].add_limit(1)
    script.run(source)
    script.run()
    agrees(script)


def test_rows_may_become_dicts(script, org):
    things(org, 5)
    source = script.source()
    source.resources["things"].add_map(lambda rows: rows.to_pylist())
    script.run(source)
    assert script.rows("select count(*) from things") == [(5,)]


def test_a_column_hint_is_taken(script, org):
    things(org, 5)
    source = script.source()
    source.resources["things"].apply_hints(columns={"f0": {"description": "mine"}})
    script.run(source)
    agrees(script)


def test_a_source_outside_of_a_pipeline_gives_its_rows(script, org):
    things(org, 5)
    tables = list(script.source().resources["things"])
    assert sum(len(table) for table in tables) == 5


def test_rows_can_be_looked_at_while_a_pipeline_without_a_destination_is_active(script, org, tmp_path):
    things(org, 5)
    dlt.pipeline("nowhere", pipelines_dir=str(tmp_path / "nowhere")).activate()
    tables = list(script.source().resources["things"])
    assert sum(len(table) for table in tables) == 5


# ---- two at once


def test_two_pipelines_in_two_threads_share_nothing(script_of, tmp_path):
    orgs = [Org(), Org()]
    scripts = []
    for number, org in enumerate(orgs):
        ids = things(org, 20 + number)
        script = script_of(org)
        script.folder = tmp_path / str(number)
        script.folder.mkdir()
        script.machine = script.folder / "pipelines"
        scripts.append((script, org, ids))
    errors: list[BaseException] = []

    def work(script: Script) -> None:
        try:
            for _ in range(2):
                script.run()
        except BaseException as error:  # noqa: BLE001 - what a thread raises is lost
            errors.append(error)

    threads = [threading.Thread(target=work, args=(script,)) for script, _, _ in scripts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for script, _, _ in scripts:
        agrees(script)


# ---- the schema


def test_the_schema_has_labels_keys_and_references(script, org):
    org.add_module(Module("Parents", [Field("Title", "text", label="The title")], generated_type="custom"))
    lookup = Field("Parent", "lookup", lookup_module="Parents")
    org.add_module(Module("Children", [lookup], generated_type="custom"))
    parent = org.insert("Parents", {"Title": "one"})
    org.insert("Children", {"Parent": parent})
    script.run(None, "Parents", "Children")
    schema = script.pipeline.default_schema
    assert schema.tables["parents"]["columns"]["id"]["primary_key"]
    assert schema.tables["parents"]["columns"]["title"]["description"] == "The title"
    assert [r["referenced_table"] for r in schema.tables["children"]["references"]] == ["parents"]
    assert "children" in schema.to_mermaid()


# ---- what only one part of a run can know


@pytest.mark.long
def test_a_parent_that_is_replaced_each_run_takes_its_rows_along(script, org):
    deals = family(org)
    for turn in range(2):
        source = script.source(*FAMILY, "deleted_records")
        source.resources["deals"].apply_hints(write_disposition="replace")
        script.run(source)
        family_agrees(script)
        if not turn:
            org.delete("Deals", deals[0])
            org.remove_row("Lines", org.records("Lines")[0].id)


@pytest.mark.long
def test_tables_that_are_replaced_are_never_emptied_for_want_of_news(script, org):
    ids = things(org, 3)
    org.tag("Things", "hot")
    names = ("Things", "tags", "users", "deleted_records", "rejected_values")
    script.run(script.source(*names))
    org.delete("Things", ids[0])
    script.run(script.source(*names))
    for _ in range(2):
        script.run(script.source(*names), write_disposition="replace")
        agrees(script)
        assert script.rows("select count(*) from tags") == [(1,)]
        assert script.rows("select count(*) from users")[0][0] > 0


def test_a_parent_that_landed_before_a_kill_tells_its_rows_in_the_next_run(script, org, monkeypatch):
    """The parent is replaced, then the process dies; the next run finds its table as new as Zoho."""
    deals = family(org)
    modules = (*FAMILY, "deleted_records")
    script.run(None, *modules)
    org.clock.advance(days=7)
    org.delete("Deals", deals[0])
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    whole = DuckDbCopyJob.run

    def die(self: Any) -> None:
        if self.load_table_name != "deals":
            raise RuntimeError("killed")
        whole(self)

    with monkeypatch.context() as patch, pytest.raises(Exception, match="killed"):
        patch.setattr(DuckDbCopyJob, "run", die)
        script.run(None, *modules)
    script.pipeline.abort_packages()
    script.run(None, *modules)
    family_agrees(script)


def test_a_new_privacy_rule_takes_the_values_out_of_the_table(script, org, monkeypatch):
    things(org, 3, fields=2)
    script.run()
    assert script.rows("select count(f1) from things") == [(3,)]
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY", "Things.F1: drop")
    script.run()
    assert script.rows("select count(f0), count(f1) from things") == [(3, 0)]


# ---- records that come back from the recycle bin, where nobody loads `deleted_records`


@pytest.mark.parametrize("deletes", ["hard", "soft"])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.cases(1)
def test_a_restored_record_is_back_in_the_next_run_without_deleted_records(script, org, named, deletes):
    ids = things(org, 5)

    def source() -> Any:
        if named:
            return script.source(deletes=deletes)
        connection = f"{script.connection}OAuthSettingsLocation=memory://"
        return zoho_crm(connection, deletes=deletes).with_resources("things")

    script.run(source())
    org.delete("Things", ids[0])
    org.delete("Things", ids[1])
    org.clock.advance(hours=1)
    script.run(source())
    assert script.rows("select count(*) from things where deleted_at is null") == [(3,)]
    org.clock.advance(hours=12)
    script.run(source())
    assert script.rows("select count(*) from things where deleted_at is null") == [(3,)]
    org.restore("Things", ids[0])
    script.run(source())
    assert script.rows("select count(*) from things where deleted_at is null") == [(4,)]
    assert script.rows(f"select f0 from things where id = '{ids[0]}' and deleted_at is null") == [("0/0",)]
    assert script.run(source()) == {}
    assert script.calls() <= 2 + 3 + 1 + (0 if named else 1)  # the other one is asked for by its id
    org.clock.advance(days=61)  # by then the recycle bin is empty
    script.run(source())
    script.run(source())
    assert script.calls() <= 2 + 3 + (0 if named else 1)


@pytest.mark.long
def test_what_hung_on_a_restored_record_is_back_without_deleted_records(script_of):
    script = script_of(Org())
    accounts = office(script.org)
    script.run(None, *OFFICE)
    script.org.delete("Accounts", accounts[0])
    script.run(None, *OFFICE)
    office_agrees(script)
    script.org.restore("Accounts", accounts[0])
    script.run(None, *OFFICE)
    office_agrees(script)


@pytest.mark.long
def test_of_more_deletions_than_are_remembered_a_count_tells_who_is_back(script, org, monkeypatch):
    monkeypatch.setattr("sources.zoho_crm.state.MOST_DELETED", 2)
    ids = things(org, 8)
    script.run()
    for id in ids[:4]:
        org.delete("Things", id)
    script.run()
    org.insert("Things", {"F0": "new"})
    org.clock.advance(hours=1)
    assert script.run() == {"things": 1}  # by the count nobody is back: nothing is read whole
    agrees(script)
    for id in ids[:4]:
        org.restore("Things", id)
        script.run()
        agrees(script)


@pytest.mark.long
def test_a_memory_that_is_lost_is_made_of_deleted_records(script, org):
    """A script that loads `deleted_records` may forget its state, or may be of an earlier version."""
    ids = things(org, 5)
    names = ("Things", "deleted_records")
    script.run(None, *names)
    org.delete("Things", ids[0])
    org.delete("Things", ids[1])
    org.delete("Things", ids[2], permanent=True)
    script.run(None, *names)
    with script.pipeline.managed_state() as state:
        state["sources"]["zoho_crm"].pop("deleted_lately")
    org.restore("Things", ids[1])
    script.run()
    agrees(script)
    org.restore("Things", ids[0])
    script.run()
    agrees(script)


# ---- small tables that are read whole in each run, and not written again while they hold the same rows

SMALL = ("Small", "tags", "Things")


def small(org: Org) -> list[str]:
    """A module without times of changes, the tags of another one, and that one."""
    things(org, 3)
    org.tag("Things", "hot")
    org.add_module(Module("Small", [Field("F0", "text")], generated_type="custom", system_fields=("id",)))
    return [org.insert("Small", {"F0": text}) for text in ("a", "b", "c")]


def small_agrees(script: Script) -> None:
    agrees(script, "Small")
    agrees(script)
    assert script.rows("select name from tags") == [("hot",)]


@pytest.mark.parametrize("refresh", ["drop_sources", "drop_resources", "drop_data"])
@pytest.mark.cases(1)
def test_refresh_leaves_no_small_table_empty(script, org, refresh):
    small(org)
    script.run(None, *SMALL)
    script.run(None, *SMALL, refresh=refresh)
    small_agrees(script)
    assert script.run(None, *SMALL) == {}
    small_agrees(script)


@pytest.mark.parametrize("how", ["drop schema zoho cascade", "truncate zoho.small"])
@pytest.mark.cases(1)
def test_a_small_table_that_somebody_dropped_comes_back(script, org, how):
    small(org)
    script.run(None, *SMALL)
    script.rows(how)
    if "schema" in how:
        script.pipeline.drop()
    script.run(None, *SMALL)
    small_agrees(script)


@pytest.mark.long
def test_a_small_table_that_somebody_has_changed_is_right_within_a_week(script, org):
    small(org)
    script.run(None, *SMALL)
    script.rows("delete from small where f0 = 'a'")
    script.rows("insert into small (id, f0) values ('99', 'mine')")
    assert script.run(None, *SMALL) == {}
    org.clock.advance(days=7)
    script.run(None, *SMALL)
    small_agrees(script)


@pytest.mark.long
def test_what_a_step_made_of_a_small_table_goes_with_the_step(script, org):
    small(org)
    script.run(None, *SMALL)

    def louder(rows: pa.Table) -> pa.Table:
        return rows.set_column(rows.schema.get_field_index("f0"), "f0", pc.utf8_upper(rows["f0"]))

    source = script.source(*SMALL)
    source.resources["small"].add_map(louder)
    script.run(source)
    assert script.rows("select f0 from small order by 1") == [("A",), ("B",), ("C",)]
    shutil.rmtree(script.machine)  # the state says it, too
    script.run(None, *SMALL)
    small_agrees(script)


@pytest.mark.long
def test_a_small_table_that_another_disposition_wrote_is_written_again(script, org):
    ids = small(org)
    script.run(None, *SMALL)
    org.edit("Small", ids[0], F0="other")
    script.run(None, *SMALL, write_disposition="replace")
    org.edit("Small", ids[0], F0="a")
    script.run(None, *SMALL)
    small_agrees(script)


@pytest.mark.long
def test_a_small_table_that_landed_in_a_load_that_failed_is_not_taken_for_the_one_before(
    script, org, monkeypatch
):
    """Its rows are there, the state is as it was, and then Zoho has again what the state remembers."""
    ids = small(org)
    script.run(None, *SMALL)
    org.edit("Small", ids[0], F0="other")
    org.insert("Things", {"F0": "new"})
    whole = DuckDbCopyJob.run

    def die(self: Any) -> None:
        if self.load_table_name == "things":
            raise RuntimeError("killed")
        whole(self)

    with monkeypatch.context() as patch, pytest.raises(Exception, match="killed"):
        patch.setattr(DuckDbCopyJob, "run", die)
        script.run(None, *SMALL)
    script.pipeline.abort_packages()
    assert ("other",) in script.rows("select f0 from small")
    org.edit("Small", ids[0], F0="a")
    script.run(None, *SMALL)
    small_agrees(script)


# ---- Bulk Read jobs of a run that was killed, whose rows are as old as that run


def begun(script: Script, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """A run by Bulk Read that dies when its jobs are done and nothing has landed."""
    script.connection += "ReadAPI=Bulk;"

    def die(self: Extraction) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch, pytest.raises(Exception, match="killed"):
        patch.setattr(Extraction, "_add_restored_records", die)
        script.run(None, *modules)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("deletions", ["whole", "cut", "refused"])
@pytest.mark.cases(2)
def test_what_was_deleted_since_an_earlier_runs_job_is_not_in_the_table(
    script, org, monkeypatch, deletions, loaded
):
    ids = things(org, 300)
    if loaded:  # a module that is read whole once a week
        script.run()
        org.clock.advance(days=7)
    begun(script, monkeypatch, "Things")
    org.clock.advance(hours=2)
    for id in ids[:250]:
        org.delete("Things", id)
    org.edit("Things", ids[-1], F0="edited")
    org.insert("Things", {"F0": "new"})
    if deletions == "cut":
        monkeypatch.setattr("sources.zoho_crm.extract.deletions.MOST_PAGES", 1)
    if deletions == "refused":
        body = {"code": "NO_PERMISSION", "status": "error", "message": "no", "details": {}}
        org.faults.add("GET /crm/v8/{module}/deleted", module="Things", status=403, body=body, times=99)
    script.run()
    agrees(script)
    jobs = org.ledger.calls("POST /crm/bulk/v8/read")
    assert bool([job for job in jobs if b"greater_equal" not in job.body]) == (deletions != "whole")


def test_rows_of_subforms_that_went_since_an_earlier_runs_job_are_not_in_the_table(script, org, monkeypatch):
    """No list names them."""
    deals = family(org)
    begun(script, monkeypatch, *FAMILY)
    org.clock.advance(hours=2)
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.delete("Deals", deals[0])
    script.run(None, *FAMILY)
    family_agrees(script)

"""A run that dies at any moment is finished by the next one, and nothing is paid twice."""

from __future__ import annotations

import threading

import dlt
import pytest
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.job_client_impl import SqlLoadJob
from dlt.load.load import Load

from pipelines.zoho_crm.run import runner as program
from pipelines.zoho_crm.run.loading import Loader
from simulators.zoho_crm import Field, Org, Rules
from sources.zoho_crm.extract import extractor
from sources.zoho_crm.sync.extraction import Extraction
from tests.end_to_end.deletions.test_deletions import FAMILY, family, family_agrees, remembered
from tests.support.families import company
from tests.support.reading import things
from tests.support.syncing import agrees, live, sync, watermark
from tests.support.truth import truth

BULK, RESULT = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}/result"
FEED = "GET /crm/v8/{module}/deleted"


class Killed(BaseException):
    """Nobody catches it."""


@pytest.fixture
def die(load_from):
    """A run that dies at the nth call of a method, before or after its work; the patch goes with it."""

    def dying(load, owner, name, *modules, nth=1, after=False, **options):
        inner, calls = getattr(owner, name), []

        def killing(*args, **kwargs):
            calls.append(name)
            if len(calls) == nth and not after:
                raise Killed
            result = inner(*args, **kwargs)
            if len(calls) == nth:
                raise Killed
            return result

        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, killing)
            sync(load, *modules, **options)

    return dying


def die_when_committed(load, job, *modules, **options):
    """The database has committed what a job of dlt's does, and dlt has not heard of it."""
    run, complete = job.run, Load.complete_jobs
    committed, dead = threading.Event(), threading.Event()

    def committing(self):
        run(self)
        if not committed.is_set():
            committed.set()
            assert dead.wait(30)

    def completing(*args):
        if committed.is_set():
            dead.set()
            raise Killed
        return complete(*args)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(job, "run", committing)
        patch.setattr(Load, "complete_jobs", completing)
        sync(load, *modules, **options)


def changed(org, ids):
    """A week later: edits, deletions, new records, and a record that went without a trace."""
    org.clock.advance(days=7)
    org.edit("Things", ids[0], F0="edited")
    org.delete("Things", ids[1])
    org.insert("Things", {"F0": "new"})
    org._remove("Things", ids[2], "permanent", shown=False)
    org.set_computed("Things", ids[3], "Score", 2.5)
    org.add_field("Things", Field("Colour", "text"), value="red")


def scored(org):
    return things(org, 6, extra=[Field("Score", "formula", return_type="double")])


STAGES = {
    "while it reads deletions": (extractor, "read_deletions", 1, True),
    "amid what follows": (Extraction, "_follow", 1, True),
    "after normalize": (dlt.Pipeline, "normalize", 1, True),
    "before the package is recorded": (Load, "complete_package", 1, False),
    "after the package is recorded": (Load, "complete_package", 1, True),
    "before the logs": (program, "append_logs", 1, False),
    "after the logs": (Load, "complete_package", 2, True),
}


def finished(load, keep):
    """The next run makes it good."""
    load.org.clock.advance(minutes=11)
    sync(load, **keep)
    if keep:
        mark = "deleted_at" if "deletes" in keep else "_dlt_valid_to"
        assert live(load, "Things", mark) == truth(load.org, "Things")
    else:
        agrees(load)
    assert watermark(load) == load.org.now()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.cases(1)
def test_a_run_that_is_killed_is_finished_by_the_next(load, org, die, stage):
    ids = scored(org)
    sync(load)
    changed(org, ids)
    owner, name, nth, after = STAGES[stage]
    die(load, owner, name, nth=nth, after=after)
    finished(load, {})
    assert {row[1:] for row in remembered(load)} == {(ids[1], "recycle"), (ids[2], "untraced")}


HARD, SOFT, ALL = {}, {"deletes": "soft"}, {"history": None}


@pytest.mark.parametrize("job", [DuckDbCopyJob, SqlLoadJob])
@pytest.mark.parametrize("keep", [HARD, SOFT, ALL], ids=["hard", "soft", "history"])
@pytest.mark.cases(1)
def test_changes_that_the_database_has_and_dlt_does_not_know_of_land_once(load, org, job, keep):
    ids = scored(org)
    sync(load, **keep)
    changed(org, ids)
    die_when_committed(load, job, **keep)
    finished(load, keep)
    versions = load.rows(f"select * from zoho.things where id = '{ids[0]}'")
    assert len(versions) == (2 if keep == ALL else 1)


@pytest.mark.parametrize("keep", [HARD, ALL], ids=["hard", "history"])
@pytest.mark.cases(1)
def test_a_first_load_that_dlt_does_not_know_of_is_done_again(load, org, keep):
    ids = scored(org)
    die_when_committed(load, DuckDbCopyJob, **keep)
    changed(org, ids)
    finished(load, keep)
    if keep == HARD:
        assert len(load.rows("select * from zoho.things")) == len(truth(org, "Things"))


@pytest.mark.parametrize("stage", ["after the package is recorded", "amid"])
@pytest.mark.cases(1)
def test_children_of_a_run_that_is_killed_follow_in_the_next(load, org, die, stage):
    deals = family(org)
    sync(load, *FAMILY)
    org.clock.advance(hours=1)
    org.delete("Deals", deals[0])
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.edit("Deals", deals[1], Lines=[{"Title": "new"}])
    if stage == "amid":
        die(load, Extraction, "_follow", *FAMILY, nth=1, after=True)
    else:
        owner, name, nth, after = STAGES[stage]
        die(load, owner, name, *FAMILY, nth=nth, after=after)
    org.clock.advance(hours=1)
    sync(load, *FAMILY)
    family_agrees(load)


@pytest.mark.long
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.cases(1)
def test_jobs_of_a_run_that_is_killed_are_downloaded_again(load_from, die, first):
    org = Org(rules=Rules(bulk_page_size=4))
    load = load_from(org)
    ids = things(org, 11)
    if not first:
        sync(load, settings="ReadAPI=Bulk")
        org.clock.advance(hours=1)
        for id in ids[1:]:
            org.edit("Things", id, F0="edited")
        org.delete("Things", ids[0])
    org.ledger.clear()
    die(load, Loader, "load", settings="ReadAPI=Bulk")
    made = len(org.ledger.calls(BULK))
    assert made == 3
    # What happens before the next run is in it, too.
    org.clock.advance(hours=1)
    org.edit("Things", ids[3], F0="meanwhile")
    org.delete("Things", ids[4])
    org.insert("Things", {"F0": "meanwhile"})
    org.ledger.clear()
    began = org.now()
    sync(load, settings="ReadAPI=Bulk")
    agrees(load)
    assert watermark(load) > began
    if first:
        assert len(org.ledger.calls(BULK)) <= 1  # of what changed since
        assert len(org.ledger.calls(RESULT)) == made + len(org.ledger.calls(BULK))


def test_a_machine_that_is_lost_with_its_run_costs_no_row(load, org, die):
    import shutil

    ids = scored(org)
    sync(load)
    changed(org, ids)
    die(load, Load, "complete_package", nth=1, after=True)
    shutil.rmtree(load.folder / "p")
    finished(load, {})


def test_a_run_whose_load_fails_for_good_leaves_the_tables_and_the_next_one_lands(load, org, monkeypatch):
    import duckdb

    from tests.support.syncing import tried

    ids = scored(org)
    sync(load)
    first = watermark(load)
    changed(org, ids)

    def refuse(self):
        raise duckdb.IOException("No space left on device")

    with monkeypatch.context() as full:
        full.setattr(DuckDbCopyJob, "run", refuse)
        assert tried(load).exit_code == 1
    assert load.rows("select count(*) from zoho.things where f0 = 'edited'") == [(0,)]
    org.clock.advance(hours=1)
    sync(load)
    agrees(load)
    assert watermark(load) > first
    assert org.ledger.calls(FEED) != []


@pytest.mark.long
def test_a_parent_whose_load_fails_is_read_again_though_its_watermark_waits(load_from, monkeypatch):
    """Rows hang on it, so its watermark moves with the last package of the run, which must not move it now."""
    import duckdb

    org = company()
    load = load_from(org)
    load()
    deal = org.records("Deals")[0].id
    org.clock.advance(hours=1)
    org.edit("Deals", deal, Deal_Name="edited")
    org.clock.advance(hours=1)  # past the overlap of two windows
    whole = DuckDbCopyJob.run

    def refuse(self):
        if self.load_table_name == "deals":
            raise duckdb.IOException("No space left on device")
        whole(self)

    with monkeypatch.context() as full:
        full.setattr(DuckDbCopyJob, "run", refuse)
        assert load().exit_code == 1
    assert load.reading("Deals").status == "failed"
    org.clock.advance(hours=1)
    assert load().exit_code == 0
    assert load.rows(f"select deal_name from zoho.deals where id = '{deal}'") == [("edited",)]

"""An archive that was refused once is never used again: not by this run, not by a later one, not with --full-refresh."""

from __future__ import annotations

import errno

import duckdb
import pyarrow as pa
import pytest

from pipelines.zoho_crm.run.loading import Loader
from simulators.zoho_crm import Org, Rules
from sources.zoho_crm.extract.bulk_read.cell_completion import BulkRowCompleter
from tests.sources.zoho_crm.extract.bulk_read.test_reader import CREATE, DOWNLOAD, POLL
from tests.support.commanding import account, command, landed, quick
from tests.support.reading import things

__all__ = ["account", "command", "quick"]  # fixtures

ONLY = ("run", "--modules", "Things", "--exclude", "modules,fields", "--progress", "off")
SPOILT = ["truncated", "missing_row", "missing_column", "null_id", "no_header"]


@pytest.fixture
def org(monkeypatch):
    org = Org(rules=Rules(bulk_page_size=4))
    things(org, 6)
    org.clock.advance(hours=2)
    return org


@pytest.fixture
def run(account, command, quick, monkeypatch, tmp_path):
    """One run by Bulk Read, five minutes after the one before; the pipeline's folder is kept."""
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", f"{account}ReadAPI=Bulk;")
    return lambda *more: command(*ONLY, "--pipelines-dir", str(tmp_path / "p"), *more)


def rows(tmp_path):
    return dict(landed(tmp_path / "zoho.duckdb", "select id, f0 from zoho_crm.things"))


def true(org):
    return {record.id: record.values["F0"] for record in org.records("Things")}


def jobs(org) -> int:
    return len([call for call in org.ledger.calls(CREATE) if call.status == 201])


def polled(org) -> set[str]:
    """The jobs that were asked after."""
    return {call.path for call in org.ledger.calls(POLL)}


def spoil_all(org, how):
    return org.faults.add(DOWNLOAD, times=99, corrupt_zip=how)


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.cases(1)
def test_a_run_after_spoilt_archives_makes_its_jobs_anew(run, org, tmp_path, how):
    fault = spoil_all(org, how)
    done = run()
    assert done.code == 1 or how == "missing_column"  # that column comes by another API
    fault.times = 0
    org.clock.advance(minutes=5)
    before = polled(org)
    org.ledger.clear()
    done = run()
    assert done.code == 0, done.err
    assert rows(tmp_path) == true(org)
    assert not before & polled(org)
    assert jobs(org) == (0 if how == "missing_column" else 2)


@pytest.mark.parametrize("how", ["null_id", "text_id"])
def test_an_archive_with_a_row_that_has_no_id_is_fetched_again_then_made_again(run, org, tmp_path, how):
    org.faults.add(DOWNLOAD, times=2, corrupt_zip=how)
    done = run()
    assert done.code == 0, done.err
    assert rows(tmp_path) == true(org)
    assert jobs(org) == 3  # of two pages


def stumbling(monkeypatch, owner, name, error):
    """The method fails once its work is done, as if what it was given were no good."""
    inner = getattr(owner, name)

    def failing(*args, **options):
        inner(*args, **options)
        raise error

    patch = pytest.MonkeyPatch()
    patch.setattr(owner, name, failing)
    return patch


@pytest.mark.parametrize("more", [(), ("--full-refresh",)])
@pytest.mark.cases(1)
def test_what_was_believed_and_could_not_be_used_is_not_used_again(run, org, tmp_path, monkeypatch, more):
    patch = stumbling(
        monkeypatch, BulkRowCompleter, "complete_rows", pa.ArrowInvalid("column 'id' holds a null")
    )
    assert run().code == 1
    patch.undo()
    org.clock.advance(minutes=5)
    before = polled(org)
    org.ledger.clear()
    done = run(*more)
    assert done.code == 0, done.err
    assert rows(tmp_path) == true(org)
    assert before and not before & polled(org)


def test_rows_that_the_destination_refuses_are_read_anew(run, org, tmp_path):
    assert run().code == 0
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("create unique index once on zoho_crm.things (f0)")
    for record in org.records("Things"):
        org.edit("Things", record.id, F0="the same in every row")
    org.clock.advance(minutes=5)
    assert run("--full-refresh").code == 1
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("drop index zoho_crm.once")
    org.clock.advance(minutes=5)
    before = polled(org)
    org.ledger.clear()
    done = run("--full-refresh")
    assert done.code == 0, done.err
    assert rows(tmp_path) == true(org)
    assert before and not before & polled(org)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("where", [(BulkRowCompleter, "complete_rows"), (Loader, "_run")])
@pytest.mark.cases(1)
def test_what_is_no_fault_of_the_rows_costs_no_new_job(run, org, tmp_path, monkeypatch, error, where):
    patch = stumbling(monkeypatch, *where, error)
    assert run().code == 1
    patch.undo()
    org.clock.advance(minutes=5)
    org.ledger.clear()
    done = run()
    assert done.code == 0, done.err
    assert rows(tmp_path) == true(org)
    assert jobs(org) == 0

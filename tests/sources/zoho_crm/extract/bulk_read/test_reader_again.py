"""A run that was killed has made Bulk Read jobs: the next one downloads their results again, and is true."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from simulators.zoho_crm import Field, Org, Quirks, Rules
from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.client.job_journal import Journal, read_entries
from sources.zoho_crm.client.throttling import JobLimiter
from sources.zoho_crm.extract.extractor import ExtractResult, read_module
from sources.zoho_crm.models import Window
from tests.sources.zoho_crm.extract.bulk_read.test_job_queue import add_modules
from tests.sources.zoho_crm.extract.bulk_read.test_reader import (
    BULK,
    CREATE,
    DOWNLOAD,
    POLL,
    bodies,
    lines,
    refusal,
)
from tests.support.reading import add, look, rows_of, things
from tests.support.truth import truth

USED = "Bulk Read jobs of an earlier run used again"


class Killed(BaseException):
    """Nobody catches it."""


@pytest.fixture
def org() -> Org:
    org = Org(rules=Rules(bulk_page_size=4))
    org.bulk_states = ["ADDED", "COMPLETED"]
    return org


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def read_again(load: Any, folder: Path, module: str = "Things", **changes: Any) -> ExtractResult:
    """One reading by a client of its own, some minutes after the one before."""
    load.org.clock.advance(minutes=5)
    load.org.ledger.clear()
    client, found = look(load, BULK, only=[module])
    client.context.journal = Journal(folder)
    plan = replace(found.plans[0], **{"until": client.now(), **changes})
    return read_module(client, plan, load.folder)


def killed_reading(
    load: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, kill: str, nth: int, **options: Any
) -> datetime:
    """A reading that is killed right after the nth call of a method; returns up to when it was to read."""
    call, seen = getattr(ZohoClient, kill), [0]

    def killing(*args: Any) -> Any:
        answer = call(*args)
        seen[0] += 1
        if seen[0] == nth:
            raise Killed
        return answer

    monkeypatch.setattr(ZohoClient, kill, killing)
    with pytest.raises(Killed):
        read_again(load, folder, **options)
    monkeypatch.undo()
    return load.org.now()


def answered(org: Org, route: str) -> int:
    return len([call for call in org.ledger.calls(route) if call.status < 300])


def snapshots(load: Any, folder: Path, **options: Any) -> Iterator[tuple[Path, int]]:
    """What the disk holds, and how many jobs were made, at each call of Bulk Read: as if killed there."""
    org, enter, taken = load.org, load.org.ledger.add, []

    def add(call: Any) -> None:
        if call.route in (CREATE, POLL, DOWNLOAD):
            copy = folder.with_name(f"at-{len(taken)}")
            copy.mkdir()
            if folder.exists():
                shutil.copytree(folder, copy, dirs_exist_ok=True)
            taken.append((copy, answered(org, CREATE)))
        enter(call)

    org.ledger.add = add
    assert rows_of(read_again(load, folder, **options)) == truth(org, "Things")
    org.ledger.add = enter
    yield from taken


# ---- what is used again


def test_a_reading_killed_at_any_call_makes_no_job_twice(load, org, folder):
    things(org, 11)
    seen = set()
    for disk, made in snapshots(load, folder):
        seen.add(made)
        reading = read_again(load, disk)
        assert rows_of(reading) == truth(org, "Things")
        assert len(bodies(org)) == 3 - made
        assert answered(org, DOWNLOAD) == 3
        assert (f"{USED}: {made}" in lines(reading)) == bool(made)
        assert (reading.notes.read_as_of is not None) == bool(made)
    assert seen == {0, 1, 2, 3}


def test_the_journal_lies_alone_in_its_folder(load, org, folder):
    things(org, 11)
    disks = [disk for disk, _ in snapshots(load, folder)]
    assert {path.name for disk in [folder, *disks] for path in disk.iterdir()} == {"jobs.jsonl"}


def test_an_archive_lies_in_the_runs_folder_until_its_page_is_read(load, org, folder, tmp_path, monkeypatch):
    things(org, 11)
    temp_dir, bring, found = tmp_path / "scratch", ZohoClient.download, []
    temp_dir.mkdir()

    def bringing(self: ZohoClient, path: str, target: Path) -> None:
        assert [*temp_dir.rglob("*.zip")] == []
        bring(self, path, target)
        found.extend(temp_dir.rglob("*.zip"))

    monkeypatch.setattr(ZohoClient, "download", bringing)
    client, catalog = look(load, BULK, only=["Things"])
    client.context.journal, client.context.temp_dir = Journal(folder), temp_dir
    reading = read_module(client, replace(catalog.plans[0], until=client.now()), load.folder)
    assert rows_of(reading) == truth(org, "Things")
    assert len(found) == 3
    assert [*temp_dir.iterdir()] == []


def test_credits_are_not_paid_twice(load, org, folder, monkeypatch):
    things(org, 3)
    killed_reading(load, folder, monkeypatch, "download", 1)
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert reading.usage.credits <= 3  # a poll or two, and a download


def test_slices_of_a_module_are_told_apart(load_from, folder):
    org = Org(rules=Rules(bulk_page_size=4), quirks=Quirks(bulk_field_cap=6))
    org.bulk_states = ["ADDED", "COMPLETED"]
    things(org, 6, fields=4)
    load = load_from(org)
    taken = list(snapshots(load, folder))
    whole = taken[-1][1]
    assert whole > 2
    for disk, made in taken[::6]:
        reading = read_again(load, disk)
        assert rows_of(reading) == truth(org, "Things")
        assert made + len(bodies(org)) == whole


def test_a_reading_of_a_few_columns_uses_no_job_of_a_whole_one(load, org, folder):
    things(org, 3, fields=3)
    read_again(load, folder)
    client, found = look(load, BULK, only=["Things"])
    narrow = replace(found.plans[0], until=client.now()).drop_fields({"F1", "F2"})
    reading = read_again(load, folder, columns=narrow.columns)
    assert len(bodies(org)) == 1
    assert rows_of(reading) == truth(org, "Things", without={"F1", "F2"})


def test_modules_side_by_side_share_one_journal(load, org, folder):
    names = add_modules(org, 5)
    for name in names:
        read_again(load, folder, module=name)
    for name in names:
        reading = read_again(load, folder, module=name)
        assert rows_of(reading) == truth(org, name)
        assert bodies(org) == []


def test_jobs_that_are_used_again_give_their_places_back(load, org, folder):
    things(org, 11)
    read_again(load, folder)
    org.clock.advance(minutes=5)
    client, found = look(load, BULK, only=["Things"])
    client.context.journal, client.context.jobs = Journal(folder), JobLimiter(2)
    plan = replace(found.plans[0], until=client.now())
    for _ in range(2):
        org.ledger.clear()
        assert read_module(client, plan, load.folder).rows == 11
        assert bodies(org) == []
    assert client.context.jobs._taken == 0


def test_a_job_that_still_waits_in_the_queue_is_waited_for(load, org, folder, monkeypatch):
    things(org, 3)
    org.bulk_states = ["ADDED", "QUEUED", "QUEUED", "QUEUED", "COMPLETED"]
    killed_reading(load, folder, monkeypatch, "read_bulk_job", 1)
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert bodies(org) == []


# ---- how old the rows are


def test_the_earliest_reading_tells_how_old_the_rows_are(load, org, folder, monkeypatch):
    ids = things(org, 11)
    first = killed_reading(load, folder, monkeypatch, "read_bulk_job", 2)
    second = killed_reading(load, folder, monkeypatch, "download", 2)
    assert first < second
    org.clock.advance(minutes=1)
    org.edit("Things", ids[0], F0="edited since")
    reading = read_again(load, folder)
    assert reading.notes.read_as_of is not None
    assert reading.notes.read_as_of <= first
    assert rows_of(reading)[ids[0]]["f0"] == "0/0"
    others = {row_id: row for row_id, row in truth(org, "Things").items() if row_id != ids[0]}
    assert {row_id: row for row_id, row in rows_of(reading).items() if row_id != ids[0]} == others


def test_jobs_of_this_reading_alone_say_nothing_of_an_earlier_run(load, org, folder):
    things(org, 11)
    reading = read_again(load, folder)
    assert reading.notes.read_as_of is None
    assert USED not in lines(reading)


def test_rows_that_went_between_an_old_page_and_a_new_one_are_found(load, org, folder, monkeypatch):
    ids = things(org, 11)
    # The job of the second page is made only afterwards, and pages are positions.
    killed_reading(load, folder, monkeypatch, "read_bulk_job", 2)
    assert len(org.jobs) == 1
    org.delete("Things", ids[0])
    org.delete("Things", ids[1])
    reading = read_again(load, folder)
    rows, true = rows_of(reading), truth(org, "Things")
    assert {row_id: rows.get(row_id) for row_id in true} == true
    assert set(rows) - set(true) == set(ids[:2])  # the feed of deletions names them, as of read_as_of


# ---- what is not used again


@pytest.mark.parametrize(("hours", "made"), [(19, 0), (21, 3)])
def test_jobs_older_than_twenty_hours_are_made_anew(load, org, folder, hours, made):
    things(org, 11)
    read_again(load, folder)
    org.clock.advance(hours=hours)
    org.edit("Things", next(iter(truth(org, "Things"))), F0="later")
    reading = read_again(load, folder)
    assert len(bodies(org)) == made
    assert (rows_of(reading) == truth(org, "Things")) == bool(made)
    assert (reading.notes.read_as_of is None) == bool(made)


def test_a_job_ages_from_when_it_was_made(load, org, folder):
    things(org, 11)
    reading = read_again(load, folder)
    made = {one.job_id: one.made for one in read_entries((folder / "jobs.jsonl").read_bytes())}
    assert made == {job.id: job.created for job in org.jobs.values()}
    assert max(made.values()) > reading.plan.until


@pytest.mark.parametrize(
    "changes",
    [{"window": Window(None, datetime.fromisoformat("2026-03-03T00:00:00+00:00"))}, {"until": None}],
    ids=["window", "until"],
)
def test_a_reading_that_is_new_in_each_run_is_not_remembered(load, org, folder, changes):
    things(org, 3)
    for _ in range(2):
        assert read_again(load, folder, **changes).rows == 3
        assert len(bodies(org)) == 1
    assert not folder.exists()


def test_rows_that_no_time_of_change_could_bring_up_to_date_are_read_anew(load, org, folder):
    things(org, 3)
    _, found = look(load, BULK, only=["Things"])
    columns = found.plans[0].drop_fields({"Modified_Time"}).columns
    for _ in range(2):
        assert read_again(load, folder, columns=columns).rows == 3
        assert len(bodies(org)) == 1
    assert not folder.exists()


def test_a_field_that_has_become_another_is_a_new_question(load, org, folder):
    things(org, 3)
    read_again(load, folder)
    _, found = look(load, BULK, only=["Things"])
    columns = tuple(
        replace(c, field=replace(c.field, data_type="picklist")) if c.api_name == "F0" else c
        for c in found.plans[0].columns
    )
    assert read_again(load, folder, columns=columns).rows == 3
    assert len(bodies(org)) == 1


def test_what_has_landed_is_not_used_again(load, org, folder):
    things(org, 3)
    read_again(load, folder)
    Journal(folder).done("Things")
    reading = read_again(load, folder)
    assert len(bodies(org)) == 1
    assert reading.notes.read_as_of is None


# ---- what Zoho no longer honours


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "RESOURCE_NOT_FOUND"), (400, "INVALID_DATA"), (410, "GONE"), (403, "NO_PERMISSION")],
)
def test_a_job_that_zoho_does_not_show_any_more_is_made_anew(load, org, folder, status, code):
    things(org, 11)
    read_again(load, folder)
    org.faults.add(POLL, status=status, body=refusal(code))
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert "Bulk Read jobs made again, Zoho no longer knows a job that it took: 1" in lines(reading)
    # The first page's job is new, so its token is, and all that follow.
    assert len(bodies(org)) == 3
    assert reading.notes.read_as_of is None
    reading = read_again(load, folder)
    assert bodies(org) == []  # the new ones have taken the places of the old


def test_the_first_poll_of_a_job_of_our_own_that_is_refused_fails_as_ever(load, org, folder):
    things(org, 3)
    org.faults.add(POLL, status=400, body=refusal("INVALID_DATA"))
    reading = read_again(load, folder)
    assert reading.reason == "bulk refused it: INVALID_DATA"


@pytest.mark.parametrize("gone", [(404, "RESOURCE_NOT_FOUND"), (400, "EXPIRED_VALUE"), (410, "GONE")])
def test_an_expired_file_is_made_anew(load_from, folder, gone):
    org = Org(rules=Rules(bulk_page_size=4, bulk_file_hours=1), quirks=Quirks(bulk_expired_file=gone))
    things(org, 11)
    load = load_from(org)
    read_again(load, folder)
    org.clock.advance(hours=2)
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert f"Bulk Read jobs made again, the archive is gone ({gone[1]}): 3" in lines(reading)
    assert len(bodies(org)) == 3
    assert USED not in lines(reading)


@pytest.mark.parametrize("expired", [(400, "EXPIRED_VALUE"), (404, "RESOURCE_NOT_FOUND"), (410, "GONE")])
@pytest.mark.parametrize("known", [1, 2], ids=["the second page's", "the third page's"])
def test_where_a_page_token_has_expired_all_pages_are_read_anew(
    load_from, folder, monkeypatch, expired, known
):
    org = Org(
        rules=Rules(bulk_page_size=4, bulk_page_token_hours=1), quirks=Quirks(bulk_expired_token=expired)
    )
    org.bulk_states = ["ADDED", "COMPLETED"]
    ids = things(org, 11)
    load = load_from(org)
    first = killed_reading(load, folder, monkeypatch, "create_bulk_job", known + 1)
    entries = (folder / "jobs.jsonl").read_bytes().splitlines()
    assert len(entries) == known
    org.clock.advance(hours=2)
    org.edit("Things", ids[0], F0="edited since")
    org.delete("Things", ids[1])
    add(org, 1)
    reading = read_again(load, folder)
    rows, true = rows_of(reading), truth(org, "Things")
    assert {row_id: rows.get(row_id) for row_id in true} == true
    # Where its page had come already, a deleted record is there, and the age of the rows is told.
    assert set(rows) - set(true) == ({ids[1]} if known == 2 else set())
    assert (reading.notes.read_as_of is not None and reading.notes.read_as_of <= first) == (known == 2)
    assert "Bulk Read started again, because its pages of an earlier run are refused: 1" in lines(reading)
    assert len(bodies(org)) == 3
    assert rows_of(read_again(load, folder))[ids[0]]["f0"] == "edited since"
    assert bodies(org) == []


def test_a_page_token_of_our_own_that_is_refused_fails_as_ever(load, org, folder):
    things(org, 11)
    org.faults.add(CREATE, nth=2, status=400, body=refusal("EXPIRED_VALUE"))
    reading = read_again(load, folder)
    assert reading.reason == "bulk refused it: EXPIRED_VALUE"


# ---- jobs that are no good


def test_a_job_that_failed_is_never_used_again(load, org, folder):
    things(org, 3)
    org.faults.add(CREATE, times=3, job_states=["FAILURE"])
    assert read_again(load, folder).status == "failed"
    assert (folder / "jobs.jsonl").read_bytes() == b""
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert "made again" not in lines(reading)


def test_an_old_job_that_fails_leaves_as_many_tries_as_a_new_one_has(load, org, folder, monkeypatch):
    things(org, 3)
    org.faults.add(CREATE, job_states=["ADDED", "FAILURE"])
    killed_reading(load, folder, monkeypatch, "read_bulk_job", 1)
    org.faults.add(CREATE, times=3, job_states=["FAILURE"])
    reading = read_again(load, folder)
    assert reading.error.startswith("Bulk Read failed 4 times")
    assert len(bodies(org)) == 3


def test_a_torn_line_of_the_journal_costs_only_its_job(load, org, folder):
    things(org, 11)
    read_again(load, folder)
    path = folder / "jobs.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    reading = read_again(load, folder)
    assert rows_of(reading) == truth(org, "Things")
    assert len(bodies(org)) == 1
    read_again(load, folder)
    assert bodies(org) == []


def test_a_column_that_no_job_brings_comes_by_the_records_api_in_the_next_run_too(load, org, folder):
    things(org, 3, extra=[Field("F9", "text")])
    org.faults.add(DOWNLOAD, times=99, corrupt_zip="missing_column")
    for _ in range(2):
        reading = read_again(load, folder)
        assert rows_of(reading) == truth(org, "Things")
        assert list(reading.notes.empty) == ["F9"]

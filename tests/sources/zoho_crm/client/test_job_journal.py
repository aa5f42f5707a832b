"""The journal of Bulk Read jobs: what it keeps through a kill, a torn line and a full disk, and what it drops."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.client.job_journal import Entry, Journal, ModuleJobs, read_entries

NOW = datetime(2026, 3, 2, 9, 0, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
BODY = {"query": {"module": {"api_name": "Leads"}, "fields": ["id", "Name"]}}

texts = st.text(max_size=20)
zones = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
    lambda ahead: timezone(timedelta(minutes=ahead // timedelta(minutes=1)))
)
times = st.datetimes(timezones=zones)
entries = st.builds(Entry, texts, texts, st.from_regex(r"[0-9A-Za-z]{1,64}", fullmatch=True), times, times)
garbage = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(st.none(), st.integers(), texts),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["key", "module", "job_id", "made", "until"]), inner),
        ),
        max_leaves=8,
    ).map(lambda value: repr(value).replace("'", '"').encode("utf-8", "replace")),
).map(lambda line: line.replace(b"\n", b" "))


def entry(
    key: str = "k", module: str = "Leads", job_id: str = "1", made: datetime = NOW, until: datetime = NOW
) -> Entry:
    return Entry(key, module, job_id, made, until)


# ---- the file


@given(st.lists(entries, max_size=5))
def test_what_was_written_is_read(kept):
    assert read_entries(b"".join(one.line() for one in kept)) == kept


@given(st.lists(st.one_of(entries, garbage), max_size=6))
def test_garbage_between_entries_costs_no_entry(lines):
    content = b"".join(one.line() if isinstance(one, Entry) else one + b"\n" for one in lines)
    wanted = [one for one in lines if isinstance(one, Entry)]
    found = read_entries(content)
    assert [one for one in found if one in wanted] == wanted


@given(st.binary(max_size=300), times, st.timedeltas(timedelta(), timedelta(days=9)))
def test_no_file_breaks_a_run(tmp_path_factory, content, now, later):
    folder = tmp_path_factory.mktemp("journal")
    (folder / "jobs.jsonl").write_bytes(content)
    journal = Journal(folder)
    journal.tidy(now)
    journal.keep(entry(made=now))
    assert Journal(folder).find("k", now) == entry(made=now)


@given(times, times)
def test_any_two_times_can_be_compared(made, now):
    found = Journal(Path("nowhere"))
    found._entries["k"] = entry(made=made)
    assert (found.find("k", now) is not None) == (abs(made - now) < 20 * HOUR)


def test_a_line_torn_at_any_byte_costs_only_itself_and_not_the_next(tmp_path):
    lines = [entry("a", job_id="1").line(), entry("b", job_id="2").line()]
    for cut in range(len(lines[1])):
        (tmp_path / "jobs.jsonl").write_bytes(lines[0] + lines[1][:cut])
        Journal(tmp_path).keep(entry("c", job_id="3"))
        again = Journal(tmp_path)
        assert again.find("a", NOW).job_id == "1"
        assert again.find("c", NOW).job_id == "3"
        assert (again.find("b", NOW) is not None) == (cut == len(lines[1]) - 1)


@pytest.mark.parametrize("job_id", ["", "../../etc/passwd", "a b", "1" * 65, "1\n"])
def test_a_job_id_that_is_no_part_of_a_url_is_not_kept(tmp_path, job_id):
    assert read_entries(entry(job_id=job_id).line()) == []
    journal = Journal(tmp_path)
    journal.keep(entry(job_id=job_id))
    assert journal.find("k", NOW) is None


def test_times_without_a_zone_are_not_ours():
    assert read_entries(entry(made=NOW.replace(tzinfo=None)).line()) == []
    assert read_entries(entry(until=NOW.replace(tzinfo=None)).line()) == []


def test_the_latest_job_for_a_question_holds(tmp_path):
    journal = Journal(tmp_path)
    journal.keep(entry(job_id="1"))
    journal.keep(entry(job_id="2"))
    assert Journal(tmp_path).find("k", NOW).job_id == "2"


def test_a_disk_that_refuses_is_said_once_and_costs_only_the_memory_of_later_runs(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "zoho_crm")
    (tmp_path / "jobs.jsonl" / "x").mkdir(parents=True)
    journal = Journal(tmp_path)
    journal.keep(entry("a"))
    journal.keep(entry("b", job_id="2"))
    assert journal.find("a", NOW) is not None
    assert len(caplog.records) == 1
    assert "Bulk Read jobs are not remembered" in caplog.text


def test_after_a_refusal_the_whole_file_is_written_again(tmp_path):
    (tmp_path / "jobs.jsonl").mkdir()
    journal = Journal(tmp_path)
    journal.keep(entry("a"))
    (tmp_path / "jobs.jsonl").rmdir()
    journal.keep(entry("b", job_id="2"))
    again = Journal(tmp_path)
    assert again.find("a", NOW)
    assert again.find("b", NOW)


def test_threads_share_it(tmp_path):
    journal = Journal(tmp_path)
    names = [f"M{number}" for number in range(20)]

    def work(name: str) -> None:
        for page in range(5):
            journal.keep(entry(f"{name}/{page}", name, f"{name}p{page}"))
        journal.drop(f"{name}/0")

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = Journal(tmp_path)
    for name in names:
        found = [again.find(f"{name}/{page}", NOW) for page in range(5)]
        assert [one and one.job_id for one in found] == [None, *(f"{name}p{page}" for page in range(1, 5))]


# ---- what it drops


@pytest.mark.parametrize(("hours", "used"), [(0, True), (19.9, True), (20, False), (-1, True), (-20, False)])
def test_a_job_is_used_for_twenty_hours(tmp_path, hours, used):
    journal = Journal(tmp_path)
    journal.keep(entry())
    assert (journal.find("k", NOW + hours * HOUR) is not None) == used


def test_done_forgets_one_module(tmp_path):
    journal = Journal(tmp_path)
    for key, module, job_id in [("a", "Leads", "1"), ("b", "Leads", "2"), ("c", "Deals", "3")]:
        journal.keep(entry(key, module, job_id))
    journal.done("Leads")
    again = Journal(tmp_path)
    assert [again.find(key, NOW) is not None for key in "abc"] == [False, False, True]


def test_done_up_to_a_time_leaves_the_jobs_of_a_later_reading(tmp_path):
    journal = Journal(tmp_path)
    journal.keep(entry("landed", job_id="1", until=NOW))
    journal.keep(entry("killed", job_id="2", until=NOW + HOUR))
    journal.done("Leads", NOW)
    assert journal.find("landed", NOW) is None
    assert journal.find("killed", NOW)


def test_tidy_drops_what_is_older_than_a_day(tmp_path):
    journal = Journal(tmp_path)
    journal.keep(entry("old", job_id="1", made=NOW - 24 * HOUR))
    journal.keep(entry("young", job_id="2", made=NOW - 23 * HOUR))
    journal.tidy(NOW)
    assert b'"old"' not in (tmp_path / "jobs.jsonl").read_bytes()
    assert Journal(tmp_path)._entries.keys() == {"young"}


def test_tidy_removes_the_archives_of_earlier_versions_and_keeps_their_jobs(tmp_path):
    journal = Journal(tmp_path)
    journal.keep(entry(job_id="2"))
    for name in ("1.zip", "2.zip", "2.part", "notes.txt"):
        (tmp_path / name).touch()
    journal.tidy(NOW)
    assert {path.name for path in tmp_path.iterdir()} == {"jobs.jsonl", "notes.txt"}
    assert Journal(tmp_path).find("k", NOW).job_id == "2"


def test_a_journal_that_is_not_needed_leaves_no_folder(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.tidy(NOW)
    journal.done("Leads")
    assert not (tmp_path / "journal").exists()


# ---- whose question it is


def test_the_order_of_a_body_does_not_matter_and_all_else_does(tmp_path):
    journal = Journal(tmp_path)
    known_jobs = ModuleJobs(journal, "Leads", NOW, "as it was")
    known_jobs.keep(BODY, "1", NOW)
    turned = {"query": {"fields": ["id", "Name"], "module": {"api_name": "Leads"}}}
    assert known_jobs.find(turned, NOW).job_id == "1"
    fewer = {"query": {**BODY["query"], "fields": ["id"]}}
    assert known_jobs.find(fewer, NOW) is None
    assert ModuleJobs(journal, "Leads", NOW, "otherwise").find(BODY, NOW) is None
    assert ModuleJobs(journal, "Deals", NOW, "as it was").find(BODY, NOW) is None

"""Where a rule drops, masks or hashes a field, no file holds its value as it is: searched at every call of a run."""

from __future__ import annotations

import json
import tempfile

import duckdb
import pytest

from simulators.zoho_crm import Field, Module, Org, Rules
from sources.zoho_crm.extract.bulk_read import reader
from tests.sources.zoho_crm.extract.bulk_read.test_reader import CREATE
from tests.support.commanding import account, command, landed, quick
from tests.support.private import MARKER, SECRET, found_in

__all__ = ["account", "command", "quick"]  # fixtures

ONLY = ("--modules", "Wide", "--exclude", "modules,fields", "--progress", "off")
DROP, HASH = "Wide.Secret: drop", "Wide.Secret: hash"


def wide(org: Org, fields: int, rows: int = 5) -> Org:
    """A module `Wide` of so many text fields, and a field `Secret`."""
    names = [f"F{number}" for number in range(fields)]
    listed = [*(Field(name, "text") for name in names), Field("Secret", "text")]
    org.add_module(Module("Wide", listed, generated_type="custom"))
    for row in range(rows):
        org.insert("Wide", {**{name: f"{name} of {row}" for name in names}, "Secret": f"{MARKER} {row}"})
    org.clock.advance(hours=2)
    return org


@pytest.fixture
def org(request):
    return Org(rules=Rules(bulk_page_size=2))


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path, quick):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", SECRET)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


@pytest.fixture
def seen(org, monkeypatch, tmp_path):
    """The files that held the marker while a call was answered or an archive was read."""
    found: set[str] = set()
    enter = org.ledger.add

    def add(call):
        enter(call)
        found.update(found_in(tmp_path))

    read = reader.read_archive

    def reading(*whatever):
        for table in read(*whatever):
            found.update(found_in(tmp_path))
            yield table

    org.ledger.add = add
    monkeypatch.setattr(reader, "read_archive", reading)
    return found


def by_bulk(account, monkeypatch):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", f"{account}ReadAPI=Bulk;")


def fields_asked(org: Org) -> list[list[str]]:
    queries = [json.loads(call.body)["query"] for call in org.ledger.calls(CREATE)]
    return [query["fields"] for query in queries if "fields" in query]


def expected(org: Org) -> list[tuple]:
    rows = sorted(org.records("Wide"), key=lambda row: row.id)
    return [(row.id, row.values["F0"], row.values["F259"]) for row in rows]


@pytest.mark.parametrize("rule", [DROP, HASH])
@pytest.mark.cases(1)
def test_no_job_asks_for_more_fields_than_it_takes(account, command, org, seen, monkeypatch, tmp_path, rule):
    wide(org, 260)
    by_bulk(account, monkeypatch)
    done = command("run", *ONLY, "--privacy", rule)
    assert done.code == 0, done.err
    query = "select id, f0, f259 from zoho_crm.wide order by id"
    assert landed(tmp_path / "zoho.duckdb", query) == expected(org)
    assert max(len(fields) for fields in fields_asked(org)) <= 200
    assert len(fields_asked(org)) == 2
    assert [*seen, *found_in(tmp_path)] == []


def test_a_column_that_nobody_asked_for_reaches_no_file_and_no_table(
    account, command, org, seen, monkeypatch, tmp_path
):
    org.rules.bulk_fields = 3  # with more, every field comes
    wide(org, 3)
    by_bulk(account, monkeypatch)
    done = command("run", *ONLY, "--privacy", DROP)
    assert done.code == 0, done.err
    rows = landed(tmp_path / "zoho.duckdb", "select * from zoho_crm.wide")
    assert len(rows) == 5
    assert MARKER not in str(rows)
    assert [*seen, *found_in(tmp_path)] == []


def test_the_search_finds_what_no_rule_hides(account, command, org, seen, monkeypatch, tmp_path):
    wide(org, 3)
    by_bulk(account, monkeypatch)
    assert command("run", *ONLY).code == 0
    assert any(name.endswith(".zip") for name in seen)


def files_and_packages(tmp_path) -> list[str]:
    """The files with the marker, but for the database, whose rows a query tells."""
    return [name for name in found_in(tmp_path) if not name.endswith("zoho.duckdb")]


def test_rows_that_were_loaded_before_the_rule_are_in_no_package(account, command, org, tmp_path):
    """As an earlier version left them: dlt kept the files of what it had loaded."""
    wide(org, 3)
    place = tmp_path / "p"
    package = place / "zoho_crm" / "load" / "loaded" / "1700000000.1" / "completed_jobs"
    package.mkdir(parents=True)
    (package / "wide.jsonl").write_text(MARKER)
    done = command("run", *ONLY, "--privacy", HASH, "--pipelines-dir", str(place))
    assert done.code == 0, done.err
    assert files_and_packages(tmp_path) == []
    rows = landed(tmp_path / "zoho.duckdb", "select secret from zoho_crm.wide")
    assert {len(value) for (value,) in rows} == {64}


def test_what_was_loaded_is_kept_in_no_file_beside_the_destination(account, command, org, tmp_path):
    wide(org, 3)
    assert command("run", *ONLY, "--pipelines-dir", str(tmp_path / "p")).code == 0
    assert files_and_packages(tmp_path) == []
    assert not (tmp_path / "p" / "zoho_crm").exists()


def test_a_load_that_fails_leaves_its_rows_in_no_file(account, command, org, tmp_path):
    wide(org, 3)
    place = ("--pipelines-dir", str(tmp_path / "p"))
    assert command("run", *ONLY, *place).code == 0
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("create unique index once on zoho_crm.wide (f0)")
    org.clock.advance(hours=2)
    for record in org.records("Wide"):
        org.edit("Wide", record.id, F0="the same in every row")
    done = command("run", *ONLY, *place)
    assert done.code == 1
    assert "the destination refused it" in done.out + done.err
    assert files_and_packages(tmp_path) == []

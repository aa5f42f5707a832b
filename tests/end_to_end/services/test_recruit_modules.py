"""Recruit's modules are the account's: each that the API serves is a table, with its changes and its deletions."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import dlt
import pytest

from simulators.zoho_recruit import Field, Module
from simulators.zoho_recruit.demo import LONG, more_modules
from sources.zoho_api import zoho_api
from tests.support.connecting import assert_tables

CUSTOM = "J1_Participants"


@pytest.fixture
def recruit(suite):
    """Candidates and the demo's further modules."""
    suite.recruit.modules = {"Candidates": suite.recruit.modules["Candidates"]}
    for module in more_modules():
        suite.recruit.add_module(module)
    return suite.recruit


def add_participants(recruit):
    """Three records: the first and the last one with values that look like others."""
    candidate = recruit.insert("Candidates", {"Last_Name": "Ærø 🚢"})
    rows = (
        {"Remark": "2026-03-02T09:00:00+00:00", "Participant_No": "007", "Visa_Until": date(1969, 12, 31)},
        {"Essay": LONG, "Investment": Decimal("1234567890123.123456789"), "Flight_At": recruit.now()},
        {
            "Remark": "soon",
            "Investment": 12,
            "Candidate": recruit.lookup("Candidates", candidate),
            "Is_Hosted": True,
        },
    )
    return [recruit.insert(CUSTOM, row) for row in rows]


def test_a_column_has_the_type_that_recruit_gives_its_field(suite, recruit, read):
    add_participants(recruit)
    read.good("recruit", CUSTOM)
    kinds = dict(
        read.sql(
            "select column_name, data_type from information_schema.columns where table_name = 'j1_participants'"
        )
    )
    assert {name: kinds[name] for name in ("remark", "participant_no", "never_filled", "flight_at")} == {
        "remark": "VARCHAR",
        "participant_no": "VARCHAR",
        "never_filled": "DATE",  # though no record has a value
        "flight_at": "TIMESTAMP WITH TIME ZONE",
    }
    assert (kinds["visa_until"], kinds["investment"], kinds["is_hosted"]) == (
        "DATE",
        "DECIMAL(38,9)",
        "BOOLEAN",
    )
    assert_tables(read, suite, "recruit", "j1_participants")


def test_a_module_that_cannot_be_read_is_told_with_its_reason_and_the_others_are_read(suite, recruit, read):
    add_participants(recruit)
    recruit.add_module(Module("J1Participants", "Other", "custommodule", [Field("Name")]))
    run = read.good("recruit")
    told = {one.name: one.error for one in run.readings if one.status == "skipped"}
    assert told.pop("j1_candidates").endswith("permission denied - J1_Candidates (view)")
    assert told == {
        "Home": "the API does not serve it: api_supported is not true",
        "J1Participants": "there is another table that is called j1_participants",
    }
    assert run.table_counts["j1_participants"] == 3
    assert run.credits == suite.ledger.credits > run.calls
    logged = read.sql(
        "select module, credits, error from zoho_recruit.sync_runs where module in ('Home', 'vendors')"
    )
    assert sorted(logged) == [("Home", 0, told["Home"]), ("vendors", 6, None)]
    assert read("recruit", "home").exit_code == 1


@pytest.mark.long
def test_a_module_that_is_new_has_a_table_from_then_on(suite, recruit, read):
    recruit.modules = {"Vendors": recruit.modules["Vendors"]}
    read.good("recruit", "vendors")
    recruit.add_module(Module("Ferries", "Ferry", "custommodule", [Field("Name")], generated_type="custom"))
    recruit.insert("Ferries", {"Name": "Łódź"})
    suite.clock.advance(hours=1)
    run = read.good("recruit")
    assert run.table_counts["ferries"] == 1
    assert read.sql("select name from zoho_recruit.ferries") == [("Łódź",)]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.cases(1)
def test_deleted_records_leave_and_restored_ones_return(suite, recruit, read, inclusive):
    recruit.quirks.since_inclusive = inclusive
    ids = add_participants(recruit)
    read.good("recruit", CUSTOM)
    for id in ids[:2]:  # by two runs in one second
        recruit.delete(CUSTOM, id)
        run = read.good("recruit", CUSTOM)
        assert (run.readings[0].deleted_rows, run.table_counts["j1_participants"]) == (
            1,
            len(recruit.rows(CUSTOM)),
        )
        assert_tables(read, suite, "recruit", "j1_participants")
    assert read.good("recruit", CUSTOM).readings[0].deleted_rows == 0
    suite.clock.advance(hours=1)
    recruit.restore(CUSTOM, ids[0])
    recruit.edit(CUSTOM, ids[0], Remark="restored")
    read.good("recruit", CUSTOM)
    assert_tables(read, suite, "recruit", "j1_participants")
    recruit.restore(CUSTOM, ids[1])  # of which nothing tells
    read.good("recruit", CUSTOM, full=True)
    assert_tables(read, suite, "recruit", "j1_participants")
    recruit.delete(CUSTOM, ids[1])
    read.good("recruit", CUSTOM)
    assert_tables(read, suite, "recruit", "j1_participants")


def test_without_a_list_of_deletions_the_changes_come_and_the_report_says_so(suite, recruit, read):
    first = add_participants(recruit)[0]
    read.good("recruit", CUSTOM)
    suite.crm.faults.add(
        "GET /recruit/v2/{module}/deleted", status=400, body={"code": "INVALID_DATA", "message": "no list"}
    )
    suite.clock.advance(hours=1)
    recruit.edit(CUSTOM, first, Remark="changed")
    run = read.good("recruit", CUSTOM)
    reason = run.readings[0].reason
    assert reason.startswith("what changed; the list of deletions was refused (400 INVALID_DATA GET")
    assert "deletions are seen on 20" in reason
    assert_tables(read, suite, "recruit", "j1_participants")


@pytest.mark.long
def test_a_script_reads_the_modules_that_the_api_serves(suite, recruit, read):
    suite.clock.advance((datetime.now(timezone.utc) - suite.clock.now()).total_seconds())
    add_participants(recruit)
    account = f"{read.connection_string.rstrip('; ')};OAuthSettingsLocation=memory://;"
    source = zoho_api("recruit", credentials=account)
    assert "j1_participants" in source.resources and "j1_candidates" not in source.resources
    pipeline = dlt.pipeline(
        "script", dataset_name="zoho_recruit", pipelines_dir=str(read.folder / "script"),
        destination=dlt.destinations.duckdb(str(read.file)),
    )  # fmt: skip
    pipeline.run(source.with_resources("modules", "j1_participants", "j1_participants_deletions"))
    assert_tables(read, suite, "recruit", "j1_participants")
    suite.clock.advance(hours=1)
    recruit.delete(CUSTOM, recruit.rows(CUSTOM)[0].id)
    pipeline.run(zoho_api("recruit", ["J1_Participants"], account))
    assert_tables(read, suite, "recruit", "j1_participants")

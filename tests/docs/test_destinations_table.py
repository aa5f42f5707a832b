"""The table in docs/destinations.md is made of tests, and the page names settings that dlt has."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dlt.common.destination.reference import Destination

from sources.zoho_crm.sync.warehouse import Warehouse
from tests.end_to_end.destinations import test_destinations_matrix as matrix

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "destinations.md").read_text(encoding="utf-8")
NAMES = {
    "duckdb": "DuckDB",
    "postgres": "PostgreSQL",
    "sqlite": "SQLite",
    "mariadb": "MariaDB",
    "parquet": "Parquet files",
    "delta": "Delta",
    "iceberg": "Iceberg",
    "ducklake": "DuckLake",
}
WHOLE = {"parquet", "iceberg"}  # loaded whole, as the tests of the matrix assert by `Place.changes`

# Feature, the test whose cases prove it, and what stands in a cell: where rows are changed, and elsewhere.
FEATURES = [
    ("First load", "test_rows_follow_the_crm", "yes", "yes"),
    ("Later runs load", "test_rows_follow_the_crm", "changed rows", "all rows"),
    ("Deleted records leave", "test_rows_follow_the_crm", "yes", "yes"),
    ("Deletions in `deleted_records`", "test_deletions_are_remembered", "yes", "yes"),
    ("Soft deletes", "test_deleted_rows_stay_with_their_time", "yes", "refused"),
    ("A new field", "test_a_new_field_is_filled_and_an_old_one_stays", "yes", "yes"),
    ("History", "test_every_version_stays", "yes", "refused"),
    ("A name too long", "test_a_module_with_a_long_name_follows_the_crm", "yes", "yes"),
    ("A list read back", "test_rows_follow_the_crm", "yes", "yes"),
    ("Privacy rule later", "test_a_new_rule_of_privacy_takes_values_out", "yes", "yes"),
    ("`verify`", "test_verify_finds_what_no_list_shows_and_repair_corrects_it", "yes", "yes"),
    ("`verify --repair`", "test_verify_finds_what_no_list_shows_and_repair_corrects_it", "yes", "yes"),
    ("In a script", "test_a_script_follows_the_crm", "yes", "yes"),
]


def table() -> str:
    lines = ["| | " + " | ".join(NAMES.values()) + " |", "| --- |" + " --- |" * len(NAMES)]
    for feature, _, changed, whole in FEATURES:
        cells = [whole if name in WHOLE else changed for name in NAMES]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_page_has_the_table():
    found = PAGE.partition("<!-- destinations -->\n")[2].partition("\n<!-- /destinations -->")[0]
    assert found == table()


def test_every_cell_is_a_test():
    assert set(NAMES) == set(matrix.PLACES)
    for _, test, _, _ in FEATURES:
        arguments = getattr(matrix, test).__code__.co_varnames
        assert "at" in arguments, test  # which is run for every place


ROWS = re.findall(
    r"^\| `(\w+)` \| `pip install \"dlt\[(\w+)\]\"` \| (.+?) \| (changed|all) rows \|$",
    PAGE,
    re.MULTILINE,
)


@pytest.mark.parametrize(("name", "extra", "settings", "rows"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_not_run_has_the_settings_of_dlt_and_does_what_dlt_says_it_can(name, extra, settings, rows):
    assert name == extra
    destination: Any = Destination.from_reference(name)
    credentials = destination.spec.get_resolvable_fields()["credentials"]
    fields = credentials.get_resolvable_fields() if hasattr(credentials, "get_resolvable_fields") else None
    for key in re.findall(r"`DESTINATION__\w+?__CREDENTIALS__(\w+)`", settings):
        assert fields is None or key.lower() in fields, key
    pipeline: Any = SimpleNamespace(destination=destination, default_schema_name=None)
    assert Warehouse(pipeline, ROOT).can_merge is (rows == "changed")


def test_all_that_is_not_run_is_listed():
    assert {row[0] for row in ROWS} == {
        "bigquery",
        "snowflake",
        "redshift",
        "databricks",
        "mssql",
        "clickhouse",
        "motherduck",
    }

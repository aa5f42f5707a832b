"""docs/tables.md names every column of our own tables, with its type, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulators.zoho_crm import serve
from simulators.zoho_crm.demo import demo_org
from sources.zoho_crm import zoho_files
from sources.zoho_crm.discovery.account_tables import own_tables
from sources.zoho_crm.service import CRM
from sources.zoho_crm.transform.column_types import ColumnType
from sources.zoho_crm.transform.row_versions import DELETED_AT, MARKS
from tests.conftest import Loader

DOCS = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?:more: )?(`.+?`) \| `(\w+)` \| \S.* \|$", re.MULTILINE)


def columns_in(heading: str) -> dict[str, str]:
    """Each column below a heading, with its type."""
    section = re.split(r"^#+ ", DOCS.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return {name: kind for names, kind in ROW.findall(section) for name in re.findall("`(.+?)`", names)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Name and type of each column that a run of the demo company really makes."""
    org = demo_org()
    with serve(org) as zoho:
        folder = tmp_path_factory.mktemp("demo")
        load = Loader(org, zoho.connection_string.rstrip("; "), folder)
        load(only=("Vendors", "Attachments", *own_tables(CRM)))
        copied = zoho_files(str(folder / "files"), load.credentials())
        load.pipeline.run(copied)
        found = {
            table: {name: load.pipeline.default_schema.tables[table]["columns"][name] for name in names}
            for table in own_tables(CRM)
            for names in [[row[0] for row in load.rows(f"describe zoho.{table}")]]
        }
        load.let_go()
    return {
        table: {name: column["data_type"] for name, column in columns.items()}
        for table, columns in found.items()
    }


@pytest.mark.parametrize("table", own_tables(CRM))
def test_each_column_that_a_run_makes_is_named_with_its_type_and_no_other(made, table):
    assert columns_in(f"## `{table}`") == made[table]


def test_the_marks_of_kept_rows_are_named():
    marks = {DELETED_AT.name, *(field.name for field in MARKS)}
    assert columns_in("### Columns of `--deletes soft` and `--history`").keys() == marks


def test_every_type_of_a_column_is_in_the_table_of_types():
    types = DOCS.partition("| Zoho's type | Column |")[2].partition("###")[0]
    assert [kind.dlt_type for kind in ColumnType if f"`{kind.dlt_type}" not in types] == []

"""Zoho's labels are comments of tables and columns, and comments of others stay."""

from __future__ import annotations

import dlt
import pytest

from simulators.zoho_crm import Field, Module
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.syncing import sync

__all__ = ["postgres"]  # a fixture
ODD = "Name 'quoted' \"twice\"; 100% \\ 🛟"
IN_DUCKDB = (
    "select column_name, comment from duckdb_columns() where table_name = 'things' and comment is not null"
)
OF_TABLE = "select comment from duckdb_tables() where table_name = 'things'"
IN_POSTGRES = (
    "select a.attname, col_description(a.attrelid, a.attnum) from pg_attribute a"
    " where a.attrelid = 'zoho.things'::regclass and a.attnum > 0"
    " and col_description(a.attrelid, a.attnum) is not null"
)


@pytest.fixture
def things(org):
    org.add_module(Module("Things", [Field("Name", "text", label=ODD), Field("Size", "integer")]))
    org.insert("Things", {"Name": "one"})
    return org.modules["Things"]


def labels(module):
    """By column, from the simulated CRM."""
    return {field.api_name: field.label for field in module.fields}


def test_tables_and_columns_have_zohos_labels(load, things):
    sync(load)
    comments = dict(load.rows(IN_DUCKDB))
    assert comments["name"] == ODD
    assert comments["owner__id"] == labels(things)["Owner"]
    assert "deleted_at" not in comments
    assert load.rows(OF_TABLE) == [("Things",)]


def test_a_label_that_is_renamed_in_zoho_is_renamed_here_and_a_users_own_comment_stays(load, org, things):
    sync(load)
    load.rows("comment on column zoho.things.size is 'in metres'")
    for field in things.fields:
        field.label = f"New {field.label}"
    org.insert("Things", {"Name": "two"})
    sync(load)
    comments = dict(load.rows(IN_DUCKDB))
    assert comments["name"] == f"New {ODD}"
    assert comments["size"] == "in metres"


def test_postgres_has_them_too(load, postgres, things):
    load.destination = dlt.destinations.postgres(credentials=postgres)
    sync(load)
    assert dict(load.rows(IN_POSTGRES))["name"] == ODD
    assert load.rows("select obj_description('zoho.things'::regclass)") == [("Things",)]

"""Many rows go into DuckDB in bounded memory, and whole even where the bound is too low for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.zoho_crm.run import duckdb_memory, loading
from simulators.zoho_crm import Field, Module, Org
from tests.support.syncing import agrees, sync

NAMES = [f"Text_{number}" for number in range(40)]
READ_SETTINGS = (
    f"select name, value from duckdb_settings() where name in {duckdb_memory.SETTINGS} order by name"
)


@pytest.fixture
def load(load_from: Callable[[Org], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """An account of one module; each of its loads counts as one of many rows."""
    org = Org()
    org.add_module(Module("Things", [Field(name, "text") for name in NAMES], generated_type="custom"))
    for row in range(3_000):
        org.insert("Things", {name: f"{name} of {row * 7919 % 3001} " * 3 for name in NAMES})
    monkeypatch.setattr(duckdb_memory, "MANY", 1)
    return load_from(org)


@pytest.mark.long
def test_a_table_is_made_and_replaced_with_a_limit_which_is_gone_afterwards(load, monkeypatch):
    monkeypatch.setattr(duckdb_memory, "LEAST", 128 << 20)
    limits = []
    settings = duckdb_memory._settings
    monkeypatch.setattr(duckdb_memory, "_settings", lambda *of: limits.append(settings(*of)) or settings(*of))
    sync(load)
    agrees(load)
    load._keep_open()  # the settings are of the file's connections in this process
    before = load.rows(READ_SETTINGS)
    sync(load, refresh=True)
    agrees(load)
    assert load.rows(READ_SETTINGS) == before
    assert [int(limit["memory_limit"].split()[0]) < 1 << 29 for limit in limits] == [True] * len(limits)
    assert len(limits) > 1


def test_a_limit_that_is_too_low_is_raised_and_nothing_is_lost(load, monkeypatch):
    monkeypatch.setattr(duckdb_memory, "LEAST", 8 << 20)
    monkeypatch.setattr(duckdb_memory, "BYTES_PER_COLUMN", 1)
    monkeypatch.setenv("LOAD__RAISE_ON_MAX_RETRIES", "1")
    answers = []
    monkeypatch.setattr(
        loading,
        "is_out_of_memory",
        lambda error: answers.append(duckdb_memory.is_out_of_memory(error)) or answers[-1],
    )
    sync(load)
    agrees(load)
    assert set(answers) == {True}


@pytest.mark.parametrize(
    ("columns", "rows", "size", "limit", "given"),
    [
        (40, 40_000_000, 1 << 34, "18.6 GiB", ("2", 160 << 20)),
        (200, 8_000_000, 1 << 34, "18.6 GiB", ("2", 600 << 20)),
        (500, 2_000_000, 1 << 34, "18.6 GiB", ("1", 750 << 20)),
        (500, 9_000, 1 << 26, "18.6 GiB", ("1", 160 << 20)),
        (40, 100_000, 1 << 26, "18.6 GiB", ("2", 160 << 20)),
        (200, 200_000, 1 << 29, "18.6 GiB", ("1", 300 << 20)),  # less than two row groups
        (200, 8_000_000, 1 << 34, "100.0 MiB", ("2", 100 << 20)),  # the user's own
    ],
)
def test_the_limit_grows_with_the_columns_and_not_with_the_rows(columns, rows, size, limit, given):
    file = duckdb_memory._File(columns, rows, size)
    found = duckdb_memory._settings([file], {"memory_limit": limit, "threads": "2"}, 1)
    assert (found["threads"], found["memory_limit"]) == (given[0], f"{given[1]} bytes")

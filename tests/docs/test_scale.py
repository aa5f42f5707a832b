"""The tables of docs/scale.md are what `python -m benchmarks.scale` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scale.tables import tables

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
TABLES = tables()


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_the_table_that_the_script_prints(name):
    """`python -m benchmarks.table` writes it."""
    found = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    assert found.splitlines() == TABLES[name]

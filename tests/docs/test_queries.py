"""The queries of docs/queries.md run in DuckDB and PostgreSQL, and the page shows what the demo company gives.

pytestmark = pytest.mark.whole_account

`python -m tests.docs.test_queries` writes the results into the page anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest

from simulators.zoho_crm import serve
from simulators.zoho_crm.demo import demo_changes, demo_org
from tests.conftest import Loader
from tests.end_to_end.destinations.test_destinations import postgres

__all__ = ["postgres"]  # a fixture
PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
QUERY = re.compile(r"```sql\n(?:-- (\w+)\n)?(.*?)```\n", re.DOTALL)
RESULT = re.compile(r"\n(?:\|.*\|\n)+")
MODULES = (
    "Leads", "Accounts", "Contacts", "Deals", "DealHistory", "Tasks", "Calls", "Events", "Quotes", "Quoted_Items",
    "Products", "users", "fields",
)  # fmt: skip
SECTIONS = dict(SECTION.findall(PAGE.read_text(encoding="utf-8")))


def query_of(heading: str, place: str) -> str:
    found = {where or place: query for where, query in QUERY.findall(SECTIONS[heading])}
    return found[place]


def company(folder: Path, destination: Any = None) -> Iterator[Any]:
    """The demo company after some work in it, in two runs; gives what asks for rows as a table of Markdown."""
    org = demo_org()
    with serve(org) as zoho:
        load = Loader(org, zoho.connection_string.rstrip("; "), folder, destination, dataset="zoho_crm")
        load(only=MODULES, audit_log=True)
        org.clock.advance(days=1)
        demo_changes(org)
        org.clock.advance(hours=1)
        load(only=MODULES, audit_log=True)
        assert load.pipeline is not None
        with load.pipeline.sql_client() as sql:
            use = "use zoho_crm" if destination is None else "set search_path to zoho_crm"
            sql.execute_sql(use)
            yield lambda query: table(sql, query)
        load.let_go()


def table(sql: Any, query: str) -> str:
    with sql.execute_query(query) as cursor:
        names = [part[0] for part in cursor.description]
        rows = cursor.fetchall()
    assert rows
    lines = [names, ["---"] * len(names), *([cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split()).replace("|", "\\|")


def shown(heading: str) -> str:
    (result,) = RESULT.findall(SECTIONS[heading])
    return result.lstrip("\n")


def test_the_results_on_the_page_are_those_of_the_queries(tmp_path):
    for ask in company(tmp_path):
        assert {h: ask(query_of(h, "DuckDB")) for h in SECTIONS} == {h: shown(h) for h in SECTIONS}
    assert len(SECTIONS) > 12


@pytest.mark.long
def test_postgresql_gives_the_same(tmp_path, postgres):
    for ask in company(tmp_path, dlt.destinations.postgres(credentials=postgres)):
        assert {h: ask(query_of(h, "PostgreSQL")) for h in SECTIONS} == {h: shown(h) for h in SECTIONS}


def write_results() -> None:
    """Put each result behind the last query of its section."""
    text = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for ask in company(Path(folder)):
            for heading, section in SECTIONS.items():
                body = RESULT.sub("\n", section)
                *_, last = QUERY.finditer(body)
                result = ask(query_of(heading, "DuckDB"))
                told = f"{body[: last.end()]}\n{result}{body[last.end() :]}"
                text = text.replace(f"## {heading}\n{section}", f"## {heading}\n{told}")
    PAGE.write_text(re.sub(r"\n{3,}", "\n\n", text), encoding="utf-8")


if __name__ == "__main__":
    write_results()

"""The company that the examples of docs/orchestrators.md load, and what happens in it between two runs."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb

from simulators.zoho_crm import Field, Module, Org
from tests.support.syncing import agrees, tables_in

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "orchestrators.md").read_text()
DATASET = "zoho_crm_data"
MODULES = ("Deals", "Quotes", "Quoted_Items", "Notes")


def example(heading: str) -> str:
    """The Python file below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return code


def install_source(folder: Path) -> None:
    """What `dlt init` does with the source's folder, which test_dlt_init.py proves."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sources" / "zoho_crm", folder / "zoho_crm", ignore=ignored)


def environment(folder: Path, connection: str, **more: str) -> dict[str, str]:
    """An environment with nothing of the person who runs the tests, and no telemetry."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__ZOHO_CRM__CREDENTIALS": connection,
        **{name: os.environ[name] for name in ("OPENBLAS_CORETYPE", "TZ") if name in os.environ},
        **more,
    }


class Company:
    """Deals and quotes with lines and notes; three of each at first."""

    def __init__(self, org: Org) -> None:
        self.org = org
        title = ("Title", "text")
        people = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time")
        lines = Field("Quoted_Items", "subform", subform_module="Quoted_Items")
        notes = [Field(*title), Field("Parent_Id", "multi_module_lookup")]
        org.add_module(Module("Deals", [Field(*title)], generated_type="default"))
        org.add_module(Module("Quotes", [Field(*title), lines], generated_type="default"))
        subform = {"generated_type": "subform", "parent_module": "Quotes"}
        org.add_module(Module("Quoted_Items", [Field(*title)], **subform))
        org.add_module(Module("Notes", notes, system_fields=people))
        self.deals = [self.deal(number) for number in range(3)]
        self.quotes = [self.quote(number) for number in range(3)]
        org.clock.advance(hours=1)

    def deal(self, number: int) -> str:
        deal = self.org.insert("Deals", {"Title": f"deal {number}"})
        for title in ("one", "two"):
            parent = {"id": deal, "name": None, "module": "Deals"}
            self.org.insert("Notes", {"Title": title, "Parent_Id": parent})
        return deal

    def quote(self, number: int) -> str:
        rows = [{"Title": f"line {row}"} for row in range(3)]
        return self.org.insert("Quotes", {"Title": f"quote {number}", "Quoted_Items": rows})

    def work(self) -> None:
        """An edit, a new record, and deletions with what hangs on them."""
        self.org.clock.advance(hours=1)
        self.org.edit("Deals", self.deals[0], Title="edited")
        self.deals.append(self.deal(3))
        self.org.delete("Deals", self.deals[1])
        self.org.edit("Quotes", self.quotes[0], Quoted_Items=[{"Title": "another line"}])
        self.org.delete("Quotes", self.quotes[1], permanent=True)
        self.org.clock.advance(hours=1)

    def restore(self) -> None:
        self.org.restore("Deals", self.deals[1])
        self.org.clock.advance(hours=1)


def check(org: Org, file: Path) -> None:
    """Every table of the DuckDB file is what the CRM has."""
    tables = tables_in(org, file, DATASET)
    for module in MODULES:
        agrees(tables, module)
    assert rows(file, "select count(*) from users") == [(len(org.account.users),)]


def deleted(file: Path) -> set[tuple[str, str]]:
    return set(rows(file, "select module, id from deleted_records"))


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as database:
        database.execute(f"use {DATASET}")
        return database.execute(query).fetchall()

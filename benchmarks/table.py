"""The tables of README.md, made from results.json, so that no figure there was not run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .scenarios import SMALL_MODULES
from .served import ROOT

README = ROOT / "README.md"
RESULTS = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
PAGE_ROWS, PAGE_FIELDS = 200, 50  # of a list, which costs a credit


def main() -> None:
    text = README.read_text()
    inside = f"{BEGIN}\n{table_of(json.loads(RESULTS.read_text()))}\n{END}"
    README.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: inside, text, flags=re.DOTALL))


def table_of(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = ["| Work | Figure | Got | To reach |", "| --- | --- | ---: | ---: |"]
    for row in results["table"]:
        got, reach = (spelt(row[key], row["unit"]) for key in ("got", "reach"))
        missed = "" if row["reached"] else " (missed)"
        lines.append(f"| {row['work']} | {row['what']} | {got}{missed} | {reach} |")
    where = f"{machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}, {machine['system']}"
    form = "" if results["form"] == "usual" else f" BENCH=--form={results['form']}"
    how = f"`make bench{form}`, medians of {results['runs']} (Zoho's pace, ten times the rows, PyAirbyte: one run)"
    return "\n".join([*lines, "", f"{how}, {where}, {results['day']}.", "", *credits_of(results["works"])])


def credits_of(works: dict[str, Any]) -> list[str]:
    """What the API costs, beside what lists of records would: a credit for 200 rows and 50 fields."""
    lines = ["| API credits | Ours | By lists of records |", "| --- | ---: | ---: |"]
    for name in ("first_load", "wide_load"):
        rows, columns = works[name]["rows"], works[name]["columns"]
        lists = rows // PAGE_ROWS * -(-columns // PAGE_FIELDS)
        spent = works[name]["pipeline"]["credits"]
        lines.append(f"| first load, {rows:,} rows x {columns} | {spent:,} | {lists:,} |")
    rows = works["first_load"]["rows"] // 100
    lines.append(f"| {rows:,} changed rows | {works['increment']['credits']:,} | {rows // PAGE_ROWS:,} |")
    idle = works["idle"]["zero delay"]["credits"]
    modules = f"{SMALL_MODULES} modules"
    return [
        *lines,
        f"| nothing changed in {modules}; with deletions and counts | {idle:,} | {SMALL_MODULES}, without |",
    ]


def spelt(number: float, unit: str) -> str:
    digits = 0 if unit in ("MB", "") else 3 if number < 0.1 else 2
    return f"{number:,.{digits}f} {unit}".strip()


if __name__ == "__main__":
    main()

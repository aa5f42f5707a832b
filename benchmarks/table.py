"""The tables of benchmarks/README.md and docs/scale.md, and the short one of README.md, made from results.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .scale.tables import tables
from .scenarios import SMALL_MODULES
from .served import ROOT

README = ROOT / "README.md"
PAGE = Path(__file__).with_name("README.md")
RESULTS = Path(__file__).with_name("results.json")
SCALE = ROOT / "docs" / "scale.md"
PAGE_ROWS, PAGE_FIELDS = 200, 50  # of a list, which costs a credit
# What README.md shows of the table: what a user waits for, and the memory that it takes.
IN_README = {
    "first load, 1,000,000 rows x 40": {"wall against the plain way", "peak memory"},
    "first load, wide, 200,000 rows x 200": {"wall against the plain way", "peak memory"},
    "increment, 10,000 of 1,000,000 rows": {"wall less the simulator's own CPU seconds"},
    "idle run, 40 modules, zero delay": {"wall less the simulator's own CPU seconds"},
    "Zoho's pace, 1,000,000 rows in three modules": {"wall against Zoho's own times"},
}


def main() -> None:
    results = json.loads(RESULTS.read_text())
    credits = credits_of(results["works"])
    shown = [row for row in results["table"] if row["what"] in IN_README.get(row["work"], ())]
    fill(README, [*table_of(shown), "", *credits, "", how(results)])
    fill(PAGE, [*table_of(results["table"]), "", *credits, "", how(results)])
    for name, lines in tables().items():
        fill(SCALE, lines, mark=name)


def fill(page: Path, lines: list[str], mark: str = "benchmarks") -> None:
    """Put the lines between the page's two marks."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    inside = "\n".join([begin, *lines, end])
    page.write_text(re.sub(f"{begin}.*?{end}", lambda _: inside, page.read_text(), flags=re.DOTALL))


def table_of(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| Work | Figure | Measured | Target |", "| --- | --- | ---: | ---: |"]
    for row in rows:
        got, reach = (spelt(row[key], row["unit"]) for key in ("got", "reach"))
        missed = "" if row["reached"] else " (missed)"
        lines.append(f"| {row['work']} | {row['what']} | {got}{missed} | {reach} |")
    return lines


def how(results: dict[str, Any]) -> str:
    """By which command, on which machine and when it was measured."""
    machine = results["machine"]
    where = f"{machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}, {machine['system']}"
    form = "" if results["form"] == "usual" else f" BENCH=--form={results['form']}"
    command = f"`make bench{form}`, medians of {results['runs']} (Zoho's pace, ten times the rows, PyAirbyte: one run)"
    return f"{command}, {where}, {results['day']}."


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

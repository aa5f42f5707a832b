"""The table of README.md, made from results.json, so that no figure there was not run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .served import ROOT

README = ROOT / "README.md"
RESULTS = Path(__file__).with_name("results.json")
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"


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
    how = f"`make bench`, medians of {results['runs']} (Zoho's pace and PyAirbyte: one run)"
    return "\n".join([*lines, "", f"{how}, {where}, {results['day']}."])


def spelt(number: float, unit: str) -> str:
    digits = 0 if unit in ("MB", "") else 3 if number < 0.1 else 2
    return f"{number:,.{digits}f} {unit}".strip()


if __name__ == "__main__":
    main()

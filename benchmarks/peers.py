"""What a user would pick otherwise: rows a second, and how far each gets."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .measuring import run
from .scenarios import PYTHON, Report, Row, Size, empty_folder, repeated, shown
from .served import Account, served

LISTED, LISTED_FIELDS = "Listed", 30  # more fields would be more calls, for them and not for us


def peers(size: Size) -> Report:
    """What a user would pick otherwise, on plain records: rows a second, and how far each gets."""
    found: dict[str, Any] = {}
    with served(Account(listed=(LISTED, size.listed_rows, LISTED_FIELDS))) as zoho:
        fields = ",".join(zoho.ask("fields", module=LISTED)["fields"])
        options = [zoho.connection, LISTED, fields, "crm.duckdb"]
        (generic,) = repeated(
            min(size.runs, 3), lambda folder: run([PYTHON, "-m", "benchmarks.generic_rest", *options], folder)
        )
        found["generic_rest"] = shown(generic, size.listed_rows)
    if python := os.environ.get("PYAIRBYTE"):
        for rows in (2_000, 2_001):
            with served(Account(listed=(LISTED, rows, LISTED_FIELDS))) as zoho, empty_folder() as folder:
                script = str(Path(__file__).with_name("pyairbyte.py"))
                figures = run([str(Path(python).absolute()), script, zoho.connection, LISTED], folder)
            told = json.loads(re.findall(r'{"seconds".*}', figures.said)[-1])
            speed = round(told["rows"] / told["seconds"])  # without its imports
            found[f"pyairbyte, {rows:,} rows"] = {
                **shown(figures, told["rows"]),
                "rows_per_second": speed,
                "error": told["error"],
            }
    return [], found


def compare_peers(works: dict[str, Any]) -> list[Row]:
    """How many times as many rows a second the first load brings."""
    ours = works["first_load"]["pipeline"]["rows_per_second"]
    rows = works["first_load"]["rows"]
    names = {"generic_rest": ("dlt's generic REST source", 20), "pyairbyte, 2,000 rows": ("PyAirbyte", 100)}
    return [
        Row(
            f"first load, {rows:,} rows x 40",
            f"{name}: its rows/s against ours",
            theirs / ours,
            1 / times,
            "x",
        )
        for key, (name, times) in names.items()
        if key in works["peers"] and (theirs := works["peers"][key]["rows_per_second"])
    ]

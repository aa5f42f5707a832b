"""Measures the pipeline against the simulator, and prints one table.

The whole of it writes results.json, chart.svg and the tables of README.md.

Every figure is of a whole process: from before the interpreter starts until it has ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from . import table
from .chart import draw
from .measuring import machine
from .peers import compare_peers, peers
from .scenarios import SIZES, Row, Size
from .scenarios import WORKS as OURS

WORKS = {**OURS, "peers": peers}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--form", choices=list(SIZES), default="usual", help="how much is measured")
    parser.add_argument("--only", default="", help=f"some of {', '.join(WORKS)}")
    parser.add_argument("--runs", type=int, help="runs of each work, whose median counts")
    parser.add_argument("--keep", action="store_true", help="put what --only measures into the results")
    options = parser.parse_args()
    size = SIZES[options.form]
    if options.runs:
        size = type(size)(**{**vars(size), "runs": options.runs})
    names = [name for name in WORKS if name in options.only.split(",") or not options.only]
    if size.many_rows is None and "growth" in names:
        names.remove("growth")
    results = measured(names, size, options.form)
    if options.form == "short":
        print("The figures to reach are those of the usual form; nothing is written.")
        return 0
    if options.keep or not options.only:
        write(results, keep=options.keep)
    return 0 if all(row["reached"] for row in results["table"]) else 1


def measured(names: Sequence[str], size: Size, form: str) -> dict[str, Any]:
    """Do the works one after the other; each line of the table is printed as it is there."""
    results: dict[str, Any] = {"machine": machine(), "form": form, "runs": size.runs, "works": {}}
    results["day"] = datetime.now(timezone.utc).date().isoformat()
    print_heading(results)
    lines: list[Row] = []
    for name in names:
        rows, results["works"][name] = WORKS[name](size)
        if name == "peers" and "first_load" in names:
            rows = [*rows, *compare_peers(results["works"])]
        for row in rows:
            print_row(row)
        lines += rows
    results["table"] = [{**vars(row), "reached": row.reached} for row in lines]
    return results


def write(results: dict[str, Any], *, keep: bool) -> None:
    """results.json, the chart and README's table."""
    if keep:
        results = merged(json.loads(table.RESULTS.read_text(encoding="utf-8")), results)
    table.RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    draw(results)
    table.main()


def merged(before: dict[str, Any], results: dict[str, Any]) -> dict[str, Any]:
    """The results of before, with those works measured anew: of the same machine and form only."""
    if (before["machine"], before["form"]) != (results["machine"], results["form"]):
        sys.exit("the results at hand are of another machine or form: nothing is written")
    new = {(row["work"], row["what"]): row for row in results["table"]}
    rows = [new.pop((row["work"], row["what"]), row) for row in before["table"]]
    works = {**before["works"], **results["works"]}
    return {**before, "day": results["day"], "works": works, "table": [*rows, *new.values()]}


def print_heading(results: dict[str, Any]) -> None:
    found = results["machine"]
    print(
        f"{found['cores']} cores, {found['memory_gb']} GB, Python {found['python']}, median of {results['runs']}"
    )
    print(f"{'work':<48} {'figure':<44} {'got':>10} {'reach':>10}", flush=True)


def print_row(row: Row) -> None:
    mark = "" if row.reached else "  NOT REACHED"
    digits = 0 if row.unit in ("MB", "") else 2
    got, reach = f"{row.got:,.{digits}f} {row.unit}", f"{row.reach:,.{digits}f} {row.unit}"
    print(f"{row.work:<48} {row.what:<44} {got:>10} {reach:>10}{mark}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

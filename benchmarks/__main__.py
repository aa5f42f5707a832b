"""Measures the main road, bulk archives into DuckDB, against the plain way; prints one table.

The plain way downloads the same archives and lets DuckDB's read_csv put them into a table, types given.
Each way runs in a process of its own; the simulator in another, so that its work is not ours.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
WAYS = ("pipeline", "plain")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where archives are kept")
    parser.add_argument("--only", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--connection", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        measure_one(options)
    else:
        compare(options)


def measure_one(options: argparse.Namespace) -> None:
    """In a process of its own: print the seconds, rows and peak memory of one way as JSON."""
    from benchmarks import ways

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        rows = getattr(ways, options.only)(options.connection, Path(folder))
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = os.times()
    print(json.dumps({"seconds": seconds, "cpu": times.user + times.system, "rows": rows, "peak_mb": peak}))


def compare(options: argparse.Namespace) -> None:
    from benchmarks.server import served

    results: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with served(options.rows, options.columns, options.data) as connection:
        command = [sys.executable, "-m", "benchmarks", "--connection", connection, "--only"]
        subprocess.run([*command, "plain"], check=True, capture_output=True)  # makes the archives
        for _ in range(options.runs):
            for way in WAYS:
                done = subprocess.run([*command, way], check=False, capture_output=True, text=True)
                if done.returncode:
                    raise SystemExit(f"{way} failed: {done.stderr}")
                results[way].append(json.loads(done.stdout.splitlines()[-1]))
    print(
        f"{options.rows:,} rows x {options.columns} columns, median of {options.runs} runs, {os.cpu_count()} cores"
    )
    print(f"{'way':<10} {'rows':>12} {'seconds':>9} {'rows/s':>10} {'CPU s':>7} {'peak MB':>8}")
    for way, runs in results.items():
        seconds, cpu, peak = (
            statistics.median(r[key] for r in runs) for key in ("seconds", "cpu", "peak_mb")
        )
        rows = int(runs[0]["rows"])
        print(f"{way:<10} {rows:>12,} {seconds:>9.1f} {rows / seconds:>10,.0f} {cpu:>7.1f} {peak:>8,.0f}")


if __name__ == "__main__":
    main()

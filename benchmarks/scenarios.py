"""The works that are measured, each with what it should reach."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .measuring import Figures, median, run
from .organisations import served_organisations
from .served import Account, Served, served

MODULE = "Generated"
SMALL_MODULES = 40  # of the idle run
PYTHON = sys.executable
OWN = "wall less the simulator's own CPU seconds"  # which answers between our questions, and is not Zoho


@dataclass(frozen=True)
class Size:
    """How much is measured, and how often."""

    runs: int
    rows: int
    wide_rows: int
    paced_rows: int
    many_rows: int | None  # of the run that shows how time and memory grow
    listed_rows: int  # of the peers that read lists
    organisations: int = 100  # of the accounts of one command
    huge_rows: int = 10_000_000  # of one module, by Bulk Read jobs side by side


SIZES = {
    "short": Size(1, 200_000, 50_000, 100_000, None, 10_000, organisations=10, huge_rows=2_000_000),
    "usual": Size(5, 1_000_000, 200_000, 1_000_000, None, 60_000),
    "long": Size(5, 1_000_000, 200_000, 1_000_000, 10_000_000, 60_000),
}


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure against what it should be at most."""

    work: str
    what: str
    got: float
    reach: float
    unit: str

    @property
    def reached(self) -> bool:
        return self.got <= self.reach


Report = tuple[list[Row], dict[str, Any]]


def command(zoho: Served, *options: str, program: str = "pipelines.zoho_crm") -> list[str]:
    """The command as a person runs it; the state stays in the folder that it runs in."""
    given = ["--connection", f"{zoho.connection};OAuthSettingsLocation=tokens", "--pipelines-dir", "p"]
    return [PYTHON, "-m", program, *given, "--progress", "off", *options]


def ours(zoho: Served, *options: str, folder: Path, program: str = "pipelines.zoho_crm") -> Figures:
    return run(
        command(zoho, *options, program=program), folder, DESTINATION__DUCKDB__CREDENTIALS="crm.duckdb"
    )


def script(name: str, zoho: Served, folder: Path) -> Figures:
    return run([PYTHON, "-m", f"benchmarks.{name}", zoho.connection, MODULE, "peer.duckdb"], folder)


@contextmanager
def empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zoho-bench-") as folder:
        yield Path(folder)


def repeated(runs: int, *ways: Callable[[Path], Figures]) -> list[Figures]:
    """The median of each way; they take turns, so that a slow minute of the machine hits all."""
    found: list[list[Figures]] = [[] for _ in ways]
    for _ in range(runs):
        for kept, way in zip(found, ways, strict=True):
            with empty_folder() as folder:
                kept.append(way(folder))
    return [median(figures) for figures in found]


def first_load(size: Size) -> Report:
    return _against_plain("first load", Account(generated=((MODULE, size.rows, 40),)), size.runs, 0.6)


def wide_load(size: Size) -> Report:
    return _against_plain(
        "first load, wide", Account(generated=((MODULE, size.wide_rows, 200),)), size.runs, 0.8
    )


def hard_load(size: Size) -> Report:
    """Columns as real accounts have them: long unique texts, notes of several lines, many nulls."""
    return _against_plain(
        "hard data", Account(generated=((MODULE, size.rows, 48),), hard=True), size.runs, 0.8, cpu=1.0
    )


def hard_wide_load(size: Size) -> Report:
    return _against_plain(
        "hard data, wide",
        Account(generated=((MODULE, size.wide_rows, 197),), hard=True),
        size.runs,
        0.8,
        cpu=1.0,
    )


def _against_plain(work: str, account: Account, runs: int, reach: float, cpu: float | None = None) -> Report:
    (_, rows, columns), *_ = account.generated
    told: dict[str, Any] = {}

    def our_way(folder: Path) -> Figures:
        zoho.ask("tell")
        figures = ours(zoho, "--modules", MODULE, folder=folder)
        told.update(zoho.ask("tell"))
        return figures

    with served(account) as zoho:
        mine, other, parts = repeated(
            runs,
            our_way,
            lambda folder: script("plain", zoho, folder),
            lambda folder: script("limit", zoho, folder),
        )
    work = f"{work}, {rows:,} rows x {columns}"
    found = [
        Row(work, "wall against the plain way", mine.seconds / other.seconds, reach, "x"),
        Row(work, "peak memory", mine.peak_mb, 1_000, "MB"),
    ]
    if cpu is not None:
        found.insert(1, Row(work, "CPU seconds against the plain way", mine.cpu / other.cpu, cpu, "x"))
    return found, {
        "rows": rows,
        "columns": columns,
        "pipeline": {**shown(mine, rows), **told},
        "plain": shown(other, rows),
        "limit": shown(parts, rows),
    }


def growth(size: Size) -> Report:
    """Ten times the rows; Zoho's ten downloads a minute would be all that one sees, so they are lifted.

    Minutes for the many: once.
    """
    few, many = (size.many_rows or 0) // 10, size.many_rows or 0
    found = []
    for rows, runs in ((few, size.runs), (many, 1)):
        with served(Account(generated=((MODULE, rows, 40),))) as zoho:
            found += repeated(runs, partial(_unlimited, zoho))
    small, large = found
    work = f"first load, {many:,} rows x 40"
    rows = [
        Row(work, f"wall against {few:,} rows", large.seconds / small.seconds, 9.0, "x"),
        Row(work, f"peak memory against {few:,} rows", large.peak_mb / small.peak_mb, 1.3, "x"),
        Row(work, f"most disk against {few:,} rows", large.disk_mb / small.disk_mb, 10.5, "x"),
    ]
    return rows, {"few": shown(small, few), "many": shown(large, many)}


def _unlimited(zoho: Served, folder: Path) -> Figures:
    return ours(zoho, "--modules", MODULE, folder=folder, program="benchmarks.unlimited")


PACE = {"seconds_per_call": 0.05, "seconds_per_job": 3.5, "bytes_per_second": 20e6}


def paced(size: Size) -> Report:
    """Zoho's own pace: one job at a time, 3.5 s for 28,000 rows and more for more, 50 ms a call, 20 MB/s."""
    rows = size.paced_rows
    several = (("Large", rows * 3 // 5, 40), ("Second", rows // 5, 40), ("Third", rows // 5, 40))
    lines, details = [], {}
    for name, modules in (("three modules", several), ("one module", ((MODULE, rows, 40),))):
        with served(Account(generated=modules, **PACE)) as zoho:
            ratios = []
            for _ in range(1 if rows > 200_000 else size.runs):  # minutes each, and Zoho's pace is no noise
                with empty_folder() as folder:
                    taken = ours(zoho, "--modules", ",".join(m for m, *_ in modules), folder=folder)
                told = zoho.ask("tell")
                ratios.append((taken.seconds / _zohos_own(told, len(modules), rows), taken, told))
        ratio, taken, told = sorted(ratios, key=lambda one: one[0])[len(ratios) // 2]
        work = f"Zoho's pace, {rows:,} rows in {name}"
        lines.append(Row(work, "wall against Zoho's own times", ratio, 1.06, "x"))
        details[name] = {**shown(taken, rows), **told, "ratio": ratio}
    return lines, details


def _zohos_own(told: dict[str, Any], modules: int, rows: int) -> float:
    """The jobs one after the other, the calls that nothing can hide, and the last archive's download."""
    before = 2 + 1  # the modules; fields, and counts, of all modules at once
    around = 2 * told["jobs"]  # each job is made and found done; queued ones are made meanwhile
    if modules > 1:
        around = 2 * 2
    after = 1 + 1  # the last download's answer, the count that proves it
    archive = 117.0 * rows / told["jobs"]  # bytes of a zip, by the row
    return told["job_seconds"] + PACE["seconds_per_call"] * (before + around + after) + archive / 20e6


def huge(size: Size) -> Report:
    """One huge module by one job after the other, and by jobs side by side where Zoho works on one, and on four at once.

    Minutes each, so once; the time is mostly simulated (huge.py).
    """
    rows, details, lines = size.huge_rows, dict[str, Any](), []
    for name, jobs, at_once in (
        ("one after the other", 1, 1),
        ("side by side, Zoho works on one at a time", 4, 1),
        ("side by side, Zoho works on four at once", 4, 4),
    ):
        with empty_folder() as folder:
            order = [PYTHON, "-m", "benchmarks.huge", str(rows), str(jobs), str(at_once)]
            said = run(order, folder, DESTINATION__DUCKDB__CREDENTIALS="crm.duckdb").said
        found = details[name] = json.loads(said.splitlines()[-1])
        work = f"{rows:,} rows in one module, jobs {name}"
        lines.append(Row(work, "rows lost or twice", found["lost"] + found["twice"], 0, ""))
        if jobs > 1:
            chain = details["one after the other"]
            for what, key, most in (
                ("wall", "seconds", 1.02 if at_once == 1 else 0.35),
                ("credits", "credits", 1.1),
                ("peak memory", "peak_mb", 1.3),
            ):
                ratio = found[key] / chain[key]
                lines.append(Row(work, f"{what} against one after the other", ratio, most, "x"))
    return lines, details


def increment(size: Size) -> Report:
    """One in a hundred rows was edited since the first load."""
    rows = size.rows
    with served(Account(generated=((MODULE, rows, 40),))) as zoho, empty_folder() as start:
        ours(zoho, "--modules", MODULE, folder=start)
        zoho.ask("tell")
        zoho.ask("edit", module=MODULE, rows=rows // 100)
        found, before = [], zoho.cpu()
        for _ in range(size.runs):
            with empty_folder() as folder:
                shutil.copytree(start, folder, dirs_exist_ok=True)
                found.append(ours(zoho, "--modules", MODULE, folder=folder))
            told = zoho.ask("tell")
        taken, told["simulator_cpu"] = median(found), round((zoho.cpu() - before) / size.runs, 2)
    work = f"increment, {rows // 100:,} of {rows:,} rows"
    lines = [
        Row(work, OWN, taken.seconds - told["simulator_cpu"], 3.0, "s"),
        Row(work, "peak memory", taken.peak_mb, 400, "MB"),
    ]
    return lines, {**shown(taken, rows // 100), **told}


def changes(size: Size) -> Report:
    """Many changes: a tenth of one module, and a hundredth in each of ten modules."""
    lines, details = [], {}
    several = tuple(f"Part_{number}" for number in range(10))
    for name, modules, share in (("one module", (MODULE,), 10), ("ten modules", several, 100)):
        each = size.rows // len(modules)
        account = Account(generated=tuple((module, each, 40) for module in modules))
        with served(account) as zoho, empty_folder() as folder:
            ours(zoho, "--modules", ",".join(modules), folder=folder)
            for module in modules:
                zoho.ask("edit", module=module, rows=each // share)
            zoho.ask("tell")
            before = zoho.cpu()
            taken = ours(zoho, "--modules", ",".join(modules), folder=folder)
            simulator = round(zoho.cpu() - before, 2)
            told = zoho.ask("tell")
        rows = len(modules) * (each // share)
        lines.append(Row(f"{rows:,} changes in {name}", "peak memory", taken.peak_mb, 1_000, "MB"))
        details[name] = {**shown(taken, rows), **told, "simulator_cpu": simulator}
    return lines, details


def idle(size: Size) -> Report:
    """Forty modules of which none has changed."""
    lines, details = [], {}
    for name, delay in (("zero delay", 0.0), ("50 ms a call", 0.05)):
        with (
            served(Account(small_modules=SMALL_MODULES, seconds_per_call=delay)) as zoho,
            empty_folder() as folder,
        ):
            ours(zoho, folder=folder)
            zoho.ask("tell")
            found, before = [], zoho.cpu()
            for _ in range(size.runs):
                found.append(ours(zoho, folder=folder))
                told = zoho.ask("tell")
            taken, told["simulator_cpu"] = median(found), round((zoho.cpu() - before) / size.runs, 2)
        details[name] = {**shown(taken, 0), **told}
        work = f"idle run, {SMALL_MODULES} modules, {name}"
        if not delay:
            lines.append(Row(work, OWN, taken.seconds - told["simulator_cpu"], 3.5, "s"))
            lines.append(Row(work, "calls", told["calls"], 15 + 3 * SMALL_MODULES, ""))
        else:
            # Five calls run at one time, which every edition allows: that is the longest chain.
            chain = details["zero delay"]["seconds"] + told["calls"] / 5 * delay
            lines.append(
                Row(work, "wall against the longest chain of calls", taken.seconds / chain, 1.2, "x")
            )
    return lines, details


def accounts(size: Size) -> Report:
    """Small organisations in one command, four at a time: all of them loaded for the first time, and again. Once."""
    lines, details = [], {}
    with served_organisations(size.organisations) as zoho, empty_folder() as folder:
        variables = zoho.write_accounts(folder)
        order = [PYTHON, "-m", "pipelines.zoho_crm", "run", "--accounts", "accounts.toml", "--quiet"]
        for name, seconds in (("first load", 4.0), ("nothing new", 4.0)):
            taken = run(order, folder, tree=True, **variables)
            told = zoho.tell()
            work = f"{size.organisations} organisations, four at a time, {name}"
            lines += [
                Row(work, "wall for each", taken.seconds / size.organisations, seconds, "s"),
                Row(work, "memory of all processes at once", taken.tree_mb, 1_600, "MB"),
                Row(work, "calls refused as too many at once", told["refused"], 0, ""),
            ]
            details[name] = {**shown(taken, 0), "tree_mb": round(taken.tree_mb, 1), **told}
    return lines, details


def start(size: Size) -> Report:
    found = {}
    for name, options, code in (("the help text", ["--help"], 0), ("a usage error", ["--nonsense"], 2)):
        with empty_folder() as folder:
            program = f"import subprocess, sys; sys.exit(subprocess.call({[PYTHON, '-m', 'pipelines.zoho_crm', *options]!r}) != {code})"
            base = median(
                [
                    run(
                        [PYTHON, "-c", "import subprocess, sys; sys.exit(subprocess.call(['true']) != 0)"],
                        folder,
                    )
                    for _ in range(5)
                ]
            )
            found[name] = (
                median([run([PYTHON, "-c", program], folder) for _ in range(5)]).seconds - base.seconds
            )
    return [Row(name, "wall", seconds, 0.25, "s") for name, seconds in found.items()], found


def shown(figures: Figures, rows: int) -> dict[str, float]:
    shown = {
        "seconds": figures.seconds,
        "cpu": figures.cpu,
        "peak_mb": figures.peak_mb,
        "disk_mb": figures.disk_mb,
    }
    return {
        **{key: round(value, 2) for key, value in shown.items()},
        "rows_per_second": round(rows / figures.seconds),
    }


WORKS: dict[str, Callable[[Size], Report]] = {
    "start": start,
    "first_load": first_load,
    "wide_load": wide_load,
    "hard_load": hard_load,
    "hard_wide_load": hard_wide_load,
    "growth": growth,
    "increment": increment,
    "changes": changes,
    "idle": idle,
    "paced": paced,
    "huge": huge,
    "accounts": accounts,
}

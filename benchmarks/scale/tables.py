"""The tables of docs/scale.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, inf
from pathlib import Path
from typing import Any

from sources.zoho_crm import limits
from sources.zoho_crm.client.throttling import RetryPolicy
from sources.zoho_crm.planning.cost import BULK_ROWS_A_SECOND, CELL_IN_ARCHIVE, PARALLEL_CALLS, SECONDS_A_CALL
from sources.zoho_crm.service import CRM

from .model import LOAD, READ, Conditions, Fleet, Machine, Organisation, Work, Zoho, first_load, later_run

RESULTS = Path(__file__).parents[1] / "results.json"
NUMBERS = (1, 10, 100, 1_000)
ROWS = (1_000_000, 10_000_000, 100_000_000)
MINUTE, HOUR, DAY = 60, 3_600, 86_400


@dataclass(frozen=True)
class Assumptions:
    """What is not measured, or differs from place to place; each is an option of the command."""

    rows_a_second: float = BULK_ROWS_A_SECOND
    seconds_a_call: float = SECONDS_A_CALL
    modules: int = 10
    columns: int = 40
    changed: float = 0.01
    users: int = 10
    cores: int = 2
    memory: float = 8.0
    network: float = 20.0
    parallel: int = 4
    hour_price: float = 2.00
    storage_price: float = 23.0

    @cached_property
    def conditions(self) -> Conditions:
        zoho = Zoho(self.rows_a_second, self.seconds_a_call)
        return Conditions(zoho, Machine(self.cores, self.memory, self.network * 1e6))

    def organisation(self, rows: int) -> Organisation:
        return Organisation((ceil(rows / self.modules),) * self.modules, self.columns)

    def first(self, number: int, rows: int) -> Fleet:
        work = first_load(self.organisation(rows), self.conditions)
        return Fleet(number, work, self.conditions.machine, self.parallel)

    def later(self, number: int, rows: int) -> Fleet:
        work = later_run(self.organisation(rows), self.conditions, self.changed)
        return Fleet(number, work, self.conditions.machine, self.parallel)

    def credits_a_day(self, edition: str) -> int:
        return CRM.credits_a_day(edition, self.users) or 0

    def edition(self, credits: int) -> str:
        """The smallest one whose credits of a day are enough."""
        names = ("Free", "Standard", "Professional", "Enterprise", "Ultimate")
        return next((name for name in names if self.credits_a_day(name) >= credits), "none")


def limits_of_one(given: Assumptions) -> Iterator[str]:
    """How many rows each limit lets through."""
    archive, row_on_machine = given.columns * CELL_IN_ARCHIVE, given.columns * (READ + LOAD)
    credits_a_row = given.first(1, ROWS[-1]).work.credits / ROWS[-1]
    downloads, a_job = limits.BULK_DOWNLOADS_PER_MINUTE, limits.BULK_ROWS_PER_JOB
    page, timeout = limits.RECORDS_PER_PAGE, RetryPolicy.table_deadline
    hourly = {
        f"Zoho's jobs | {given.rows_a_second:,.0f} rows a second, one job at a time": given.rows_a_second,
        f"downloads a minute | {downloads} archives of {a_job:,} rows": downloads * a_job / MINUTE,
        f"network | {given.network:g} MB/s; {archive:g} bytes a row in an archive": given.network
        * 1e6
        / archive,
        f"machine | {row_on_machine * 1e6:.1f} s for a million rows on two cores": 1 / row_on_machine,
        f"Zoho's calls | {PARALLEL_CALLS} calls at once, each {page} rows in {given.seconds_a_call:g} s": PARALLEL_CALLS
        * page
        / given.seconds_a_call,
    }
    yield from ("| Limit | How much | Rows | in |", "| --- | --- | ---: | --- |")
    yield from (f"| {limit} | {rate * HOUR / 1e6:,.0f} M | an hour |" for limit, rate in hourly.items())
    for name in ("Free", "Standard"):
        a_day = given.credits_a_day(name)
        yield f"| credits a day | {name}: {a_day:,} | {a_day / credits_a_row / 1e6:,.0f} M | a day |"
    rows = timeout * given.rows_a_second
    yield f"| `--table-timeout` | {timeout / HOUR:g} hours | {rows / 1e6:,.0f} M | a run |"


def first_loads(given: Assumptions) -> Iterator[str]:
    yield (
        "| Organisations | Rows each | Time | What limits | In a day by | Calls each | Credits each "
        "| Edition | Memory, GB | Disk, GB | Warehouse, USD |"
    )
    yield "| ---: | ---: | ---: | --- | --- | ---: | ---: | --- | ---: | ---: | ---: |"
    for number in NUMBERS:
        for rows in ROWS:
            fleet = given.first(number, rows)
            cells = (
                f"{number:,}",
                f"{rows // 1_000_000} M",
                duration(fleet.seconds),
                fleet.limit,
                fleet.to_end_in(DAY),
                f"{fleet.work.calls:,}",
                f"{fleet.work.credits:,}",
                given.edition(fleet.work.credits),
                f"{fleet.memory_gb:.1f}",
                amount(fleet.disk_gb),
                amount(fleet.billed_hours * given.hour_price),
            )
            yield f"| {' | '.join(cells)} |"


def later_runs(given: Assumptions) -> Iterator[str]:
    yield (
        "| Organisations | Rows each | Time | What limits | In an hour by | Calls each | Credits each "
        "| Runs a day, Free / Standard | Memory, GB | Warehouse a month, USD |"
    )
    yield "| ---: | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for number in NUMBERS:
        for rows in ROWS:
            fleet = given.later(number, rows)
            runs = (given.credits_a_day(name) // fleet.work.credits for name in ("Free", "Standard"))
            stored = number * rows * given.columns * CELL_IN_ARCHIVE / 1e12 * given.storage_price
            cells = (
                f"{number:,}",
                f"{rows // 1_000_000} M",
                duration(fleet.seconds),
                fleet.limit,
                fleet.to_end_in(HOUR),
                f"{fleet.work.calls:,}",
                f"{fleet.work.credits:,}",
                " / ".join(f"{count:,}" for count in runs),
                f"{fleet.memory_gb:.1f}",
                amount(stored + 30 * fleet.billed_hours * given.hour_price),
            )
            yield f"| {' | '.join(cells)} |"


def speeds_of_zoho(given: Assumptions) -> Iterator[str]:
    """The same first load where Zoho's jobs are slower or faster than assumed."""
    yield "| Rows a second of Zoho's jobs | First load of 100 M rows | What limits | `--table-timeout` |"
    yield "| ---: | ---: | --- | --- |"
    for speed in (2_000, 4_000, 8_000, 40_000):
        fleet = replace(given, rows_a_second=speed).first(1, ROWS[-1])
        enough = fleet.seconds < RetryPolicy.table_deadline
        timeout = "the default" if enough else f"{ceil(1.2 * fleet.seconds / HOUR)}h"
        yield f"| {speed:,} | {duration(fleet.seconds)} | {fleet.limit} | {timeout} |"


def side_by_side(given: Assumptions) -> Iterator[str]:
    """One huge module, by one job after the other and by ranges side by side, whatever Zoho makes of them."""
    yield "| Rows in one module | Its jobs | Zoho works on | Time | What limits | Calls | Credits |"
    yield "| ---: | --- | --- | ---: | --- | ---: | ---: |"
    for rows in ROWS[1:]:
        org = Organisation((rows,), given.columns, own_tables=False)
        for jobs, words in ((1, "one after the other"), (org.jobs, f"{org.jobs} side by side")):
            for at_once in (1, 2, 4) if jobs > 1 else (1,):
                zoho = replace(given.conditions.zoho, jobs_at_once=at_once)
                work = first_load(replace(org, jobs=jobs), replace(given.conditions, zoho=zoho))
                works_on = "one at a time" if at_once == 1 else f"{at_once} at once"
                cells = (f"{rows // 1_000_000} M", words, works_on, duration(work.seconds), work.limit)
                yield f"| {' | '.join(cells)} | {work.calls:,} | {work.credits:,} |"


# How the simulator answered: at once, after 50 ms, or at Zoho's pace (scenarios.py). Its archives came over loopback.
MEASURED_ON = Machine(cores=2, memory_gb=25, network=1e9)
AT_ONCE = Conditions(Zoho(None, 0.0), MEASURED_ON)
UNLIMITED = Conditions(Zoho(None, 0.0, downloads_a_minute=inf), MEASURED_ON)
DELAYED = Conditions(Zoho(None, 0.05), MEASURED_ON)
PACED = Conditions(Zoho(BULK_ROWS_A_SECOND, 0.05), replace(MEASURED_ON, network=20e6))
ORGANISATIONS = 100


def comparison() -> Iterator[str]:
    """What results.json has, beside what the arithmetic says."""
    works = json.loads(RESULTS.read_text(encoding="utf-8"))["works"]
    figures = ("Time, s", "Calls", "Credits", "Memory, MB", "Disk, MB")
    yield f"| | {' | | '.join(figures)} | | Difference of time |"
    yield f"| --- | {'---: | ' * (2 * len(figures) + 1)}".rstrip()
    yield f"| | {'measured | computed | ' * len(figures)} |".replace("|  |", "| |")
    for name, found, work in (*_first_loads(works), *_later_runs(works)):
        computed = [work.seconds, work.calls, work.credits, work.memory_mb, work.most_disk / 1e6]
        yield _compared(name, found, computed)
    for name, found, work in _accounts(works.get("accounts", {})):
        fleet = Fleet(ORGANISATIONS, work, MEASURED_ON, parallel=4)
        all_of = [
            fleet.seconds,
            *(n * ORGANISATIONS for n in (work.calls, work.credits)),
            fleet.memory_gb * 1000,
        ]
        yield _compared(name, {**found, "peak_mb": found["tree_mb"]}, [*all_of, 0])


Compared = tuple[str, Mapping[str, float], Work]


def _first_loads(works: Mapping[str, Any]) -> Iterator[Compared]:
    million = Organisation((1_000_000,), own_tables=False)
    few, wide = works["first_load"]["pipeline"], works["wide_load"]["pipeline"]
    yield "`first_load`, 1,000,000 rows x 40", few, first_load(million, AT_ONCE)
    yield (
        "`wide_load`, 200,000 rows x 200",
        wide,
        first_load(replace(million, sizes=(200_000,), columns=200), AT_ONCE),
    )
    yield (
        "`growth`, 1,000,000 rows x 40",
        works["growth"]["few"],
        first_load(million, UNLIMITED),
    )
    ten = replace(million, sizes=(10_000_000,))
    yield "`growth`, 10,000,000 rows x 40", works["growth"]["many"], first_load(ten, UNLIMITED)
    for name, sizes in (("one module", (1_000_000,)), ("three modules", (600_000, 200_000, 200_000))):
        work = first_load(replace(million, sizes=sizes), PACED)
        yield f"`paced`, 1,000,000 rows in {name}", works["paced"][name], work
    huge = Organisation((10_000_000,), columns=4, own_tables=False)
    for name, found in works["huge"].items():
        zoho = Zoho(BULK_ROWS_A_SECOND, 0.0, jobs_at_once=4 if name.endswith("four at once") else 1)
        jobs = 1 if name == "one after the other" else huge.jobs
        yield f"`huge`, jobs {name}", found, first_load(replace(huge, jobs=jobs), replace(AT_ONCE, zoho=zoho))


def _later_runs(works: Mapping[str, Any]) -> Iterator[Compared]:
    million = Organisation((1_000_000,), own_tables=False)
    ten = replace(million, sizes=(100_000,) * 10)
    for name, found, work in (
        ("increment`, 10,000 of 1,000,000 rows", works["increment"], later_run(million, AT_ONCE, 0.01)),
        ("changes`, 10,000 in ten modules", works["changes"]["ten modules"], later_run(ten, AT_ONCE, 0.01)),
        ("changes`, 100,000 in one module", works["changes"]["one module"], later_run(million, AT_ONCE, 0.1)),
    ):
        yield f"`{name}", {**found, "seconds": found["seconds"] - found["simulator_cpu"]}, work
    for name, under in (("zero delay", AT_ONCE), ("50 ms a call", DELAYED)):
        yield (
            f"`idle`, 40 modules, {name}",
            works["idle"][name],
            later_run(Organisation((100,) * 40, 21), under, 0.0),
        )


def _accounts(works: Mapping[str, Any]) -> Iterator[Compared]:
    small = Organisation((200,) * 5, columns=21)
    for name, work in (
        ("first load", first_load(small, AT_ONCE)),
        ("nothing new", later_run(small, AT_ONCE, 0.0)),
    ):
        if name in works:  # it takes ten minutes, so not every results.json has it
            yield f"`accounts`, {ORGANISATIONS} organisations, {name}", works[name], work


def _compared(name: str, found: Mapping[str, float], computed: Sequence[float]) -> str:
    keys = ("seconds", "calls", "credits", "peak_mb", "disk_mb")
    cells = []
    for key, value in zip(keys, computed, strict=True):
        known = key in found and value > 1
        cells += [amount(found[key]), amount(value)] if known else ["", ""]
    return f"| {name} | {' | '.join(cells)} | {computed[0] / found['seconds'] - 1:+.0%} |".replace("  ", " ")


def duration(seconds: float) -> str:
    for unit, size in (("days", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= 1.95 * size:
            return f"{amount(seconds / size)} {unit}"
    return f"{seconds:.0f} s"


def amount(value: float) -> str:
    """Two digits, or all before the point."""
    return (
        f"{value:,.0f}"
        if isinstance(value, int) or value >= 9.95
        else f"{value:.1f}"
        if value >= 0.95
        else f"{value:.2f}"
    )


TABLES: dict[str, Callable[[Assumptions], Iterator[str]]] = {
    "limits": limits_of_one,
    "first loads": first_loads,
    "later runs": later_runs,
    "speeds": speeds_of_zoho,
    "side by side": side_by_side,
    "measured": lambda given: comparison(),
}


def tables(given: Assumptions | None = None) -> dict[str, list[str]]:
    """The lines of each, in Markdown, by the name that its place in the page has."""
    return {name: list(lines(given or Assumptions())) for name, lines in TABLES.items()}

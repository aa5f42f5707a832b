"""What a run should take: of one organisation, and of many on one machine. The arithmetic of docs/scale.md.

Zoho's limits and the prices of its calls are the product's own numbers (limits.py, planning/cost.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import ceil

from sources.zoho_crm import limits
from sources.zoho_crm.models import Field
from sources.zoho_crm.planning.cost import (
    CELL_IN_ARCHIVE,
    CELL_IN_JSON,
    PARALLEL_CALLS,
    Cost,
    cost_of,
    job_seconds,
    polls_of,
    ranges_of,
    rows_of_jobs,
    window_credits_by_api,
)
from sources.zoho_crm.service import CRM
from sources.zoho_crm.transform.column_types import Column
from sources.zoho_crm.transform.naming import name_columns

# Measured on two cores (benchmarks/README.md).
START = 2.2  # seconds of a process for all but its modules and rows: imports, the database, the report
A_MODULE = 0.03  # seconds for each module
READ, READ_CPU = (
    2.7 / 40e6,
    5.3 / 40e6,
)  # seconds and CPU seconds for a value from archive to Parquet, both cores
LOAD = 2.5 / 40e6  # seconds for a value from there into DuckDB, after all is read
MERGE = 30e-6 / 40  # seconds for a value of a changed row
IDLE_MB, LISTED_MB, FIRST_MB, MERGED_MB = 270, 420, 540, 690  # of a process: the number of rows adds little
VALUE_ON_DISK = 10  # bytes of a first load at its largest: Parquet files and the new tables
VALUE_STORED = 3.6  # bytes of the DuckDB file afterwards
CALLS_A_RUN, CREDITS_A_RUN = 8, 6  # the list of modules, and the account's own tables
CALLS_WITHOUT = 2  # where only named modules are read
CALLS_A_MODULE = 3  # fields, count; on later runs the first page of changes and the list of deletions
CALLS_A_CHANGE = (
    2  # of a module with more changes than a page: they are counted; records that wait for approval
)
DELETIONS = CRM.deleted_credits - 1  # that list is dearer than a call
COUNTS_A_RANGE = 4  # of a huge module, until it is known where it ends
CALLS, JOBS, DOWNLOADS = "Zoho's calls", "Zoho's jobs", "downloads a minute"
NETWORK, MACHINE = "network", "machine"
# Assumed.
SHORTEST_BILLED = 60.0  # seconds of a warehouse, each time that it starts
SPARE = 0.8  # of the memory that processes may fill


@dataclass(frozen=True)
class Organisation:
    """Modules with so many rows; not more columns than one Bulk Read job takes."""

    sizes: tuple[int, ...]
    columns: int = 40
    own_tables: bool = True  # whether users, roles, ... are read, too; with `--modules` they are not
    jobs: int = limits.BULK_JOBS_PER_MODULE  # of a huge module, side by side

    @property
    def modules(self) -> int:
        return len(self.sizes)

    @property
    def values(self) -> int:
        return sum(self.sizes) * self.columns

    @property
    def fields(self) -> tuple[Column, ...]:
        texts = (Field(f"Text_{n}", "text") for n in range(self.columns - 1))
        return name_columns([Field("id", "bigint"), *texts], {})


@dataclass(frozen=True)
class Zoho:
    """How fast Zoho answers: rows a second of its Bulk Read jobs (None: at once), and seconds a call.

    `jobs_at_once` of the organisation it works on.
    """

    rows_a_second: float | None
    seconds_a_call: float
    downloads_a_minute: float = limits.BULK_DOWNLOADS_PER_MINUTE
    jobs_at_once: int = 1

    def seconds_of_job(self, rows: int) -> float:
        return job_seconds(rows, self.rows_a_second) if self.rows_a_second else 0.0


@dataclass(frozen=True)
class Machine:
    cores: int
    memory_gb: float
    network: float  # bytes a second


@dataclass(frozen=True)
class Conditions:
    zoho: Zoho
    machine: Machine


@dataclass(frozen=True)
class Work:
    """One run of one organisation."""

    calls: int
    credits: int
    before: float  # seconds of the calls that must be answered first
    beside: Mapping[str, float]  # seconds by what takes them; they go on side by side
    own: float  # seconds that this machine needs before and after
    cpu: float
    bytes: float  # over the network
    memory_mb: int
    most_disk: float  # bytes, while it goes on
    stored: float  # bytes, afterwards
    loading: float  # seconds that the destination works

    @property
    def seconds(self) -> float:
        return self.before + max(self.beside.values()) + self.own

    @property
    def limit(self) -> str:
        """What takes most of the time."""
        parts = {**self.beside, CALLS: self.beside[CALLS] + self.before}
        parts[MACHINE] += self.own
        return max(parts, key=parts.__getitem__)


def first_load(org: Organisation, under: Conditions) -> Work:
    """Every module whole, by the cheaper one of Records and Bulk Read for all of them."""
    costs = {api: _sum(cost_of(api, size, org.fields) for size in org.sizes) for api in ("records", "bulk")}
    if costs["records"].credits <= costs["bulk"].credits:
        reading = _by_lists(costs["records"], under.zoho)
    else:
        reading = _by_jobs([_chains(size, org.jobs) for size in org.sizes], under.zoho)
    seconds = org.values * READ * 2 / min(under.machine.cores, 2)
    return _work(org, under, reading, _Effort(org.values, seconds, org.values * READ_CPU, org.values * LOAD))


def later_run(org: Organisation, under: Conditions, changed: float) -> Work:
    """A share of the rows has changed, in all modules alike; each module is read by the cheapest API."""
    rows = [round(size * changed) for size in org.sizes]
    prices, more = window_credits_by_api(max(rows), org.fields), CALLS_A_CHANGE
    api = min(prices, key=prices.__getitem__)
    if max(rows) <= limits.RECORDS_PER_PAGE:
        reading, more = _by_lists(Cost(0, 0), under.zoho), 0  # the first page has them all
    elif api == "bulk":
        reading = replace(_by_jobs([_chains(count, 1) for count in rows], under.zoho), memory_mb=MERGED_MB)
    else:
        calls = (cost_of(api, count, org.fields).calls - 1 for count in rows)
        credits = (window_credits_by_api(count, org.fields)[api] for count in rows)
        reading = _by_lists(_sum(map(Cost, calls, credits)), under.zoho)
    reading = replace(reading, credits=reading.credits + DELETIONS * org.modules)
    values = sum(rows) * org.columns
    return _work(org, under, reading, _Effort(values, 0.0, 0.0, values * MERGE), more)


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost(0, 0))


@dataclass(frozen=True)
class _Reading:
    calls: int
    credits: int
    seconds: Mapping[str, float]
    bytes_a_value: float
    memory_mb: int


def _by_lists(cost: Cost, zoho: Zoho) -> _Reading:
    seconds = {CALLS: cost.calls * zoho.seconds_a_call / PARALLEL_CALLS}
    memory = LISTED_MB if cost.calls else IDLE_MB
    return _Reading(cost.calls, cost.credits, seconds, CELL_IN_JSON, memory)


Chain = list[int]  # the rows of jobs that are made one after the other


def _chains(rows: int, jobs: int) -> list[Chain]:
    """The jobs of one module, in as many ranges as are read side by side; these take one job more."""
    ranges, chain = ranges_of(rows, jobs), rows_of_jobs(rows)
    ends = [round(len(chain) * number / ranges) for number in range(ranges + 1)]
    chains = [chain[begin:end] for begin, end in pairwise(ends)]
    return [*chains[:-1], [*chains[-1], 0]] if ranges > 1 else chains


def _by_jobs(modules: list[list[Chain]], zoho: Zoho) -> _Reading:
    jobs = sum(len(chain) for chains in modules for chain in chains)
    # A module waits for its jobs in turn, so that those of its ranges which wait are not asked for.
    polls, _ = _queue([[job for chain in chains for job in chain] for chains in modules], zoho)
    _, seconds = _queue([chain for chains in modules for chain in chains], zoho)
    looks = sum(1 + COUNTS_A_RANGE * len(chains) for chains in modules if len(chains) > 1)
    downloads = max(0.0, jobs - zoho.downloads_a_minute) / zoho.downloads_a_minute * 60
    return _Reading(
        calls=2 * jobs + polls + looks,
        credits=(limits.BULK_CREATE_CREDITS + 1) * jobs + polls + looks,
        seconds={JOBS: seconds, DOWNLOADS: downloads},
        bytes_a_value=CELL_IN_ARCHIVE,
        memory_mb=FIRST_MB,
    )


def _queue(chains: list[Chain], zoho: Zoho) -> tuple[int, float]:
    """How often jobs are asked for, and when the last one is done.

    Zoho works on so many at a time, in the order in which they were made. The next one of a chain is made when one is
    done.
    """
    places = min(len(chains), limits.BULK_JOBS_AT_ONCE)
    made = [(0.0, number, [*chain]) for number, chain in enumerate(chains[:places])]
    waiting = [(number, [*chain]) for number, chain in enumerate(chains)][places:]
    free, polls, last = [0.0] * zoho.jobs_at_once, 0, 0.0
    heapify(made)
    while made:
        since, number, jobs = heappop(made)
        own, begun = zoho.seconds_of_job(jobs.pop(0)), max(since, heappop(free))
        done = begun + own
        polls += polls_of(done - since, own, measured=since > 0, queued=begun - since)
        heappush(free, done)
        last = max(last, done)
        if not jobs and waiting:
            number, jobs = waiting.pop(0)
        if jobs:
            heappush(made, (done, number, jobs))
    return polls, last


@dataclass(frozen=True)
class _Effort:
    """What the machine does with so many values: reading goes on beside Zoho's work, loading comes after it."""

    values: int
    reading: float
    reading_cpu: float
    loading: float


def _work(org: Organisation, under: Conditions, reading: _Reading, effort: _Effort, more: int = 0) -> Work:
    """`more` calls for each module."""
    around = (CALLS_A_MODULE + more) * org.modules
    calls, credits = (CALLS_A_RUN, CREDITS_A_RUN) if org.own_tables else (CALLS_WITHOUT, CALLS_WITHOUT)
    start, bytes = START + A_MODULE * org.modules, effort.values * reading.bytes_a_value
    stored = org.values * VALUE_STORED
    before = stored if effort.values < org.values else 0  # the tables that are changed
    line = {MACHINE: effort.reading, NETWORK: bytes / under.machine.network}
    return Work(
        calls=reading.calls + around + calls,
        credits=reading.credits + around + credits,
        before=(around + calls) * under.zoho.seconds_a_call / limits.CALLS_AT_ONCE,
        beside={CALLS: 0.0, **reading.seconds, **line},
        own=start + effort.loading,
        cpu=start + effort.reading_cpu + effort.loading,
        bytes=bytes,
        memory_mb=reading.memory_mb,
        most_disk=effort.values * VALUE_ON_DISK + before,
        stored=stored,
        loading=effort.loading,
    )


@dataclass(frozen=True)
class Fleet:
    """Many organisations of one kind, so many at a time, on one machine."""

    number: int
    work: Work
    machine: Machine
    parallel: int

    @property
    def at_a_time(self) -> int:
        return min(self.number, self.parallel)

    @cached_property
    def parts(self) -> dict[str, float]:
        """Seconds by what limits: the longest counts."""
        alone = ceil(self.number / self.at_a_time) * self.work.seconds
        words = self.work.limit + (f", {self.at_a_time} at a time" if self.number > 1 else "")
        if self.number == 1:
            return {words: alone}
        cpu = self.number * self.work.cpu / self.machine.cores
        return {words: alone, MACHINE: cpu, NETWORK: self.number * self.work.bytes / self.machine.network}

    @property
    def seconds(self) -> float:
        return max(self.parts.values())

    @property
    def limit(self) -> str:
        return max(self.parts, key=self.parts.__getitem__)

    @property
    def memory_gb(self) -> float:
        return self.at_a_time * self.work.memory_mb / 1000

    @property
    def disk_gb(self) -> float:
        """DuckDB files of all, and what those that are being loaded need besides."""
        more = self.work.most_disk - self.work.stored
        return (self.number * self.work.stored + self.at_a_time * more) / 1e9

    @property
    def billed_hours(self) -> float:
        """Of one warehouse for all; it starts for each run, or does not stop between two."""
        each = max(SHORTEST_BILLED, self.work.loading)
        return min(self.number * each, max(SHORTEST_BILLED, self.seconds)) / 3600

    def to_end_in(self, seconds: float) -> str:
        """The smallest way that is fast enough."""
        if self.number == 1:
            return "one process" if self.seconds <= seconds else "not possible"
        most = max(self.parallel, int(self.machine.memory_gb * SPARE * 1000 / self.work.memory_mb))
        for parallel in range(self.parallel, most + 1):
            if replace(self, parallel=parallel).seconds <= seconds:
                return f"`--parallel {parallel}`"
        return f"{ceil(replace(self, parallel=most).seconds / seconds):,} machines, {most} at a time"

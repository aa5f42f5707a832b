"""Figures over time: what the runs did, by day and by module, in UTC."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES

from ..freshness import DestinationView
from ..history import COMPARED, Entry, PastRun

MOST = 6  # modules with a colour of their own
OTHERS = "all others"


@dataclass(frozen=True)
class DailySeries:
    """A number for each day and name; a day without one had none."""

    names: list[str]
    days: Mapping[date, Mapping[str, float]]

    def rows(self) -> list[list[Any]]:
        """As a table: the newest day first."""
        return [
            [day, *(self.days[day].get(n) for n in self.names)] for day in sorted(self.days, reverse=True)
        ]

    def last(self) -> list[tuple[str, float]]:
        """Each name with its number of the newest day that has one."""
        newest = {name: n for _, numbers in sorted(self.days.items()) for name, n in numbers.items()}
        return [(name, newest[name]) for name in self.names if name in newest]

    def of(self, names: Collection[str]) -> DailySeries:
        """These names alone, and the days that have one of them."""
        kept = {day: {n: number for n, number in has.items() if n in names} for day, has in self.days.items()}
        return DailySeries(
            [n for n in self.names if n in names], {day: has for day, has in kept.items() if has}
        )

    def values(self) -> list[dict[str, Any]]:
        """As a chart wants it."""
        return [
            {"day": day.isoformat(), "name": name, "number": number, "order": self.names.index(name)}
            for day, numbers in sorted(self.days.items())
            for name, number in numbers.items()
        ]


def daily(numbers: Iterable[tuple[date, str, int]], most: int = MOST) -> DailySeries:
    """Sums; names that are not among the largest share one."""
    days: dict[date, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for day, name, number in numbers:
        days[day][name] += number
        total[name] += number
    names = [name for name, number in total.most_common() if number]
    shown = names if len(names) <= most + 1 else names[:most]
    rest = set(names) - set(shown)
    merged = {day: _merged(counts, rest) for day, counts in days.items() if sum(counts.values())}
    return DailySeries([*shown, OTHERS] if rest else shown, merged)


def _merged(counts: Counter[str], rest: Collection[str]) -> dict[str, float]:
    found: dict[str, float] = {name: n for name, n in counts.items() if n and name not in rest}
    others = sum(n for name, n in counts.items() if name in rest)
    return {**found, OTHERS: others} if others else found


def changes(runs: Sequence[PastRun]) -> DailySeries:
    """Rows that came or went, by day and module; readings of whole modules are no changes."""
    return daily(
        (e.started_at.date(), e.module, (e.rows_read or 0) + (e.rows_deleted or 0))
        for e in _modules(runs)
        if e.since is not None or e.status == "repaired"
    )


def deletions(look: DestinationView, first: date) -> DailySeries:
    """What `deleted_records` remembers since then, by the day of the deletion in the CRM."""
    table = look.table("deleted_records", ["module", "deleted_time"])
    if table.num_columns < 2:
        return DailySeries([], {})
    days = pc.cast(table["deleted_time"], pa.date32())
    counts = pa.table({"module": table["module"], "day": days}).group_by(["module", "day"])
    rows = counts.aggregate([([], "count_all")]).to_pylist()
    return daily(
        (r["day"], str(r["module"]), r["count_all"])
        for r in rows
        if r["day"] is not None and r["day"] >= first
    )


def credits(runs: Sequence[PastRun]) -> DailySeries:
    return daily((run.started.date(), run.command, run.sum("credits")) for run in runs)


def rows_of_tables(runs: Sequence[PastRun], most: int) -> DailySeries:
    """The last count of each day of the largest modules."""
    days: dict[date, dict[str, float]] = defaultdict(dict)
    largest: dict[str, int] = {}
    for entry in _modules(runs):
        if entry.table_count is not None:
            days[entry.started_at.date()][entry.module] = entry.table_count
            largest[entry.module] = entry.table_count
    names = sorted(largest, key=lambda name: -largest[name])[:most]
    kept = {day: {n: c for n, c in counts.items() if n in names} for day, counts in days.items()}
    return DailySeries(names, {day: counts for day, counts in kept.items() if counts})


def differences(runs: Sequence[PastRun]) -> list[Entry]:
    """Where the CRM's count and the table's were compared, of modules that differed at least once."""
    compared = [e for e in _modules(runs) if e.crm_count is not None and e.table_count is not None]
    ever = {e.module for e in compared if e.crm_count != e.table_count}
    return [e for e in compared if e.module in ever]


def comparisons(runs: Sequence[PastRun]) -> list[Entry]:
    """What `verify --repair` wrote down."""
    return [e for e in _modules(runs) if e.status in COMPARED]


def _modules(runs: Iterable[PastRun]) -> Iterable[Entry]:
    return (entry for run in runs for entry in run.entries if entry.module not in ACCOUNT_TABLES)

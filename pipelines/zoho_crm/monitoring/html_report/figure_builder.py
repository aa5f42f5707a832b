"""The figures of the page: what each shows, in words, numbers and a chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ...console import counted
from ..freshness import DestinationView
from ..history import Entry, PastRun
from . import charts, series
from .figure import ENOUGH, Figure, FigureData
from .limits import credits_a_day, share

MANY_RUNS = 200  # more points than these say less, and make the page heavy
NEAR = 10  # a limit is drawn from a tenth of it on; else it would press the bars flat
SEATS = {"licenses": "licences bought", "active": "active users"}
SEATS_COLUMNS = ["from", "edition", *SEATS.values(), "portal licences", "inactive users"]


@dataclass(frozen=True)
class FigureBuilder:
    """Draws what the runs of the page tell."""

    look: DestinationView
    runs: Sequence[PastRun]
    span: charts.Span

    def all(self) -> list[Figure]:
        return [
            self.changes(),
            self.rows(),
            self.deletions(),
            self.credits(),
            self.durations(),
            self.differences(),
            self.seats(),
        ]

    def changes(self) -> Figure:
        data = series.changes(self.runs)
        if not data.days:
            return Figure("changes", "Changes a day", "No run has read single changes yet.")
        total = int(sum(sum(numbers.values()) for numbers in data.days.values()))
        words = f"{counted(total, 'row')} came, changed or went. Whole readings of a module are not counted."
        return self._daily("changes", "Changes a day", words, data)

    def rows(self) -> Figure:
        data = series.rows_of_tables(self.runs, series.MOST)
        title = "Rows of the largest tables"
        if not data.days:
            return Figure("rows", title, "No module has been loaded yet.")
        often = [name for name in data.names if sum(name in day for day in data.days.values()) >= ENOUGH]
        lines, numbers = data.of(often), data.of(set(data.names) - set(often)).last()
        words = "At the last run of each day."
        if often:
            words += " Each chart has its own scale, which need not begin at zero."
        if often and numbers:
            words += " A number stands for a table that was counted on one day only."
        days = (lines if often else data).days.keys()
        draft = FigureData("rows", title, words, ["day", *data.names], data.rows(), days, numbers)
        return draft.figure(lambda width: charts.multiples(lines, self.span, width), numbers)

    def deletions(self) -> Figure:
        data = series.deletions(self.look, self.span.first)
        title = "Deletions a day"
        if not data.days:
            return Figure("deletions", title, "No record was deleted in these days.")
        total = int(sum(sum(numbers.values()) for numbers in data.days.values()))
        words = f"{counted(total, 'record')} deleted in the CRM, by the day of the deletion."
        return self._daily("deletions", title, words, data)

    def credits(self) -> Figure:
        data, limit = series.credits(self.runs), self.limit()
        title = "API credits a day"
        most = int(max((sum(numbers.values()) for numbers in data.days.values()), default=0))
        if not most:
            return Figure("credits", title, "No run has spent credits in these days.")
        words = f"The dearest day cost {counted(most, 'credit')}"
        if limit is None:
            words += "; the account's limit is not known."
        else:
            words += f", {share(most, limit)} of the {limit:,} that Zoho's formula gives this edition a day"
            drawn_too = most * NEAR >= limit
            words += " (the dashed line)." if drawn_too else "."
            limit = limit if drawn_too else None
        return self._daily("credits", title, words, data, limit)

    def limit(self) -> int | None:
        names = ("license_details_paid_type", "license_details_users_license_purchased")
        rows = self.look.rows("org", names)
        return credits_a_day(*(rows[0][name] for name in names)) if rows else None

    def durations(self) -> Figure:
        runs, title = list(self.runs), "How long a run took"
        words = f"{counted(len(runs), 'run')}, in seconds"
        if len(runs) > MANY_RUNS:
            runs = _longest(runs)
            words += "; shown is the longest of each day and outcome"
        values = [{"day": _spell(run.started), "name": _good(run), "number": run.seconds} for run in runs]
        names = [name for name in ("ok", "failed") if any(v["name"] == name for v in values)]
        rows = [
            [
                run.started,
                run.command,
                run.seconds,
                run.sum("rows_read"),
                run.sum("rows_deleted"),
                run.outcome,
            ]
            for run in reversed(runs)
        ]
        columns = ["started", "command", "seconds", "rows read", "rows deleted", "outcome"]
        days = [run.started.date() for run in runs]
        draft = FigureData("durations", title, f"{words}.", columns, rows, days, _shortest_and_longest(runs))
        return draft.figure(lambda width: charts.dots(values, names, self.span, width))

    def differences(self) -> Figure:
        title = "Where the CRM's count differs"
        found = _last_of_a_day(series.differences(self.runs))
        if not found:
            return Figure("differences", title, "Each count of the CRM was the same as the table's.")
        more = {e: (e.table_count or 0) - (e.crm_count or 0) for e in found}
        sizes: dict[str, int] = {}
        for entry, difference in more.items():
            sizes[entry.module] = max(sizes.get(entry.module, 0), abs(difference))
        names = sorted(sizes, key=lambda name: -sizes[name])[: series.MOST]
        values = [
            {"day": _spell(e.at), "name": e.module, "number": more[e]} for e in found if e.module in names
        ]
        rows = [[e.at, e.module, e.crm_count, e.table_count, more[e]] for e in reversed(found)]
        words = (
            "The table's rows less the CRM's own count, at the last count of each day. That count may be ten"
            " minutes late."
        )
        columns, days = (
            ["counted", "module", "CRM count", "table", "difference"],
            [e.at.date() for e in found],
        )
        numbers = [(e.module, f"{more[e]:+,}") for e in found if e.module in names]
        draft = FigureData("differences", title, words, columns, rows, days, numbers)
        return draft.figure(lambda width: charts.steps(values, names, self.span, width))

    def seats(self) -> Figure:
        title, columns = "Seats and licences", ["read_at", "edition", *SEATS, "portal_licenses", "inactive"]
        kept = _where_it_changed(sorted(self.look.rows("seat_counts", columns), key=_read_at), columns[1:])
        kept = [row for row in kept if row["read_at"] is not None]
        if not kept:
            return Figure("seats", title, "No run has counted them yet: the next one does.")
        values = [
            {"day": _spell(row["read_at"]), "name": words, "number": row[name]}
            for row in kept
            for name, words in SEATS.items()
            if row[name] is not None and row["read_at"].date() >= self.span.first
        ]
        last = kept[-1]
        words = (
            f"{_known(last['active'])} active users, {_known(last['licenses'])} licences bought (edition"
            f" {last['edition'] or 'unknown'}). Portal users count as active and need none of these licences."
        )
        names = [words for words in SEATS.values() if any(v["name"] == words for v in values)]
        rows = [[row[name] for name in columns] for row in reversed(kept)]
        days = [row["read_at"].date() for row in kept if row["read_at"].date() >= self.span.first]
        numbers = [(words, last[name]) for name, words in SEATS.items() if last[name] is not None]
        draft = FigureData("seats", title, words, SEATS_COLUMNS, rows, days, numbers)
        return draft.figure(lambda width: charts.steps(values, names, self.span, width))

    def _daily(
        self, name: str, title: str, words: str, data: series.DailySeries, limit: int | None = None
    ) -> Figure:
        draft = FigureData(
            name, title, words, ["day", *data.names], data.rows(), data.days.keys(), data.last()
        )
        return draft.figure(lambda width: charts.bars(data, self.span, width, limit=limit))


def _spell(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _known(number: int | None) -> str:
    return "an unknown number of" if number is None else f"{number:,}"


def _good(run: PastRun) -> str:
    return "failed" if run.failed else "ok"


def _shortest_and_longest(runs: Sequence[PastRun]) -> list[tuple[str, float]]:
    times = [run.seconds for run in runs]
    return [("shortest", min(times)), ("longest", max(times))] if len(times) > 1 else [("seconds", times[0])]


def _longest(runs: Iterable[PastRun]) -> list[PastRun]:
    """The longest run of each day and outcome."""
    found: dict[tuple[date, str], PastRun] = {}
    for run in runs:
        key = (run.started.date(), _good(run))
        if key not in found or run.seconds > found[key].seconds:
            found[key] = run
    return list(found.values())


def _last_of_a_day(entries: Iterable[Entry]) -> list[Entry]:
    return [*{(entry.module, entry.at.date()): entry for entry in entries}.values()]


def _read_at(row: dict[str, Any]) -> float:
    return row["read_at"].timestamp() if row["read_at"] else 0


def _where_it_changed(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The first row, each that differs from the one before, and the last."""
    kept = [
        row
        for before, row in zip([None, *rows], rows, strict=False)
        if before is None or any(row[name] != before[name] for name in names)
    ]
    return [*kept, *([rows[-1]] if rows and rows[-1] is not kept[-1] else [])]


def span_of(runs: Sequence[PastRun], window: timedelta) -> charts.Span:
    """From the first run, but no further back than the window, to the last one."""
    last = runs[-1].started
    return charts.Span(max(runs[0].started, last - window).date(), last.date())

"""What the page of `report` says: collected from the destination, and filled into the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ...console import counted
from ...options import Options
from ...output.run_report import group
from ..freshness import (
    DestinationView,
    Freshness,
    FreshnessService,
    Headline,
    format_due,
    format_duration,
    headline,
)
from ..history import PastRun
from ..licences import (
    Seat,
    SeatCount,
    by_last_activity,
    credit_limit,
    licence_holders,
    read_seats,
    read_until,
    seat_counts,
    share,
)
from . import charts
from .charts import Figure
from .schema import Change, Reference, references, schema_changes, skipped_fields

WINDOW = timedelta(days=92)
LAST_RUNS = 15
LAST_FAILURES = 20
RECENT = timedelta(days=30)
MAX_USERS = 200
LONG_TEXT = 24  # letters
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Tile:
    """One number at the top."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class TableRow:
    """A module's table: how fresh it is, and what happens in it."""

    freshness: Freshness
    created: int | None  # records that exist now, of the last 30 days
    changed: datetime | None  # the newest Modified_Time
    width: float  # its rows as a share of the largest table's


@dataclass(frozen=True)
class Failure:
    """What failed in one run with one sentence."""

    at: datetime
    names: list[str]
    error: str


@dataclass(frozen=True)
class Page:
    """What the template shows."""

    company: str
    place: str
    made: datetime
    headline: Headline
    tiles: list[Tile]
    tables: list[Freshness]
    modules: list[TableRow]
    runs: list[PastRun]  # the newest first
    number_of_runs: int
    shown: int  # of them
    first: datetime
    can_merge: bool
    figures: dict[str, Figure]
    failures: list[Failure]
    deletions: list[list[Any]]
    credits: list[tuple[str, int]]
    seats: SeatCount | None
    users: list[Seat]  # those that hold a licence
    activity: list[tuple[str, int]]
    changes: list[Change]
    kept: list[tuple[str, str]]
    skips: list[tuple[str, str]]
    fields: list[tuple[str, str, list[str]]]  # module, reason, fields
    references: list[Reference]


def collect_page(view: DestinationView, options: Options) -> Page:
    service = FreshnessService(view, options)
    tables, every = service.tables(), view.history.runs(within=WINDOW)
    runs = [run for run in every if not run.stop]
    period = charts.period_of(runs, WINDOW)
    limit, counts = credit_limit(view), seat_counts(view)
    users = licence_holders(read_seats(view, tables))
    months = charts.month_starts(view.now)
    created = _created(view, tables, [*months, view.now - RECENT, view.now + timedelta(days=1)])
    by_month = {
        t.module: [*created[t.table][:-2], created[t.table][-1]] for t in tables if t.table in created
    }
    figures = [
        charts.created(by_month, months),
        charts.changes(runs, period),
        charts.rows(runs, period),
        charts.deletions(view, period),
        charts.credits(runs, limit, period),
        charts.durations(runs, period),
        charts.differences(runs, period),
        charts.seats(counts, period),
    ]
    company = next((row["company_name"] for row in view.rows("org", ["company_name"])), None)
    modules = _modules(view, tables, created)
    seats = next((count for count in reversed(counts) if count.active is not None), None)
    return Page(
        company=str(company or ""),
        place=view.place,
        made=view.now,
        headline=headline(tables, view.history.stopped()),
        tiles=[*_tiles(view, modules, tables, every, limit), *_seat_tile(seats)],
        tables=tables,
        modules=modules,
        runs=list(reversed(every[-LAST_RUNS:])),
        number_of_runs=view.history.number_of_runs,
        shown=len(every),
        first=every[0].started,
        can_merge=view.warehouse.can_merge,
        figures={figure.name: figure for figure in figures},
        failures=_failures(every),
        deletions=charts.deletions_by_module(view, period.first),
        credits=charts.credits_by_module(every),
        seats=seats,
        users=users[:MAX_USERS],
        activity=by_last_activity(users, read_until(view)),
        changes=schema_changes(view, runs),
        kept=[(", ".join(names), reason) for reason, names in group(service.kept()).items()],
        skips=service.skips(),
        fields=skipped_fields(view),
        references=references(view),
    )


def _created(
    view: DestinationView, tables: Sequence[Freshness], moments: Sequence[datetime]
) -> dict[str, tuple[int, ...]]:
    """By table: its records that were created before each of the moments."""
    return view.warehouse.count_before({t.table: "created_time" for t in tables if t.is_module}, moments)


def _modules(
    view: DestinationView, tables: Sequence[Freshness], created: Mapping[str, Sequence[int]]
) -> list[TableRow]:
    """The largest table first."""
    modules = [table for table in tables if table.is_module]
    changed = view.warehouse.newest([(table.table, None, "modified_time") for table in modules])
    largest = max((table.rows or 0 for table in modules), default=0) or 1
    return [
        TableRow(
            table,
            created[table.table][-1] - created[table.table][-2] if table.table in created else None,
            changed[table.table].time if table.table in changed else None,
            round(100 * (table.rows or 0) / largest, 1),
        )
        for table in sorted(modules, key=lambda table: (-(table.rows or 0), table.table))
    ]


def _tiles(
    view: DestinationView,
    modules: Sequence[TableRow],
    tables: Sequence[Freshness],
    runs: Sequence[PastRun],
    limit: int | None,
) -> list[Tile]:
    last, fresh = runs[-1], sum(table.status == "fresh" for table in tables)
    today = sum(run.sum("credits") for run in runs if view.now - run.started < timedelta(days=1))
    created = sum(row.created or 0 for row in modules)
    ended = f"{last.outcome}, took {last.seconds:,} s"
    return [
        Tile("Last run", f"{format_duration(view.now - last.finished)} ago", ended),
        Tile("Tables", f"{len(tables):,}", f"{fresh:,} fresh"),
        Tile(
            "Rows of the modules",
            f"{sum(row.freshness.rows or 0 for row in modules):,}",
            f"{created:,} created in 30 days",
        ),
        Tile(
            "Credits in 24 hours",
            f"{today:,}",
            f"{share(today, limit)} of {limit:,}" if limit else "limit not known",
        ),
    ]


def _seat_tile(seats: SeatCount | None) -> list[Tile]:
    if seats is None or seats.used is None:
        return []
    bought = f"of {counted(seats.licenses, 'licence')}" if seats.licenses is not None else ""
    return [Tile("Seats in use", f"{seats.used:,}", bought)]


def _failures(runs: Sequence[PastRun]) -> list[Failure]:
    """The newest first; what failed in one run for one reason stands together."""
    found = []
    for run in reversed(runs):
        sentences: dict[str, list[str]] = {}
        for entry in run.entries:
            if entry.status in ("failed", "differs"):
                error = entry.error or "`verify` found rows that differ from the CRM"
                sentences.setdefault(error, []).append(entry.module or "the whole run")
        found += [Failure(run.started, names, error) for error, names in sentences.items()]
    return found[:LAST_FAILURES]


# --- HTML: every value is escaped, because it comes from a CRM ---


def render(page: Page) -> str:
    def due(moment: datetime | None) -> str | None:
        return format_due(moment, page.made)

    return fill("page.html", page.made, page=page, due=due)


def fill(template: str, made: datetime, **values: Any) -> str:
    """A page from its template, as of a time."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cell=partial(_cell, year=made.year),
        dated=partial(_cell, year=0),
        ago=lambda moment: f"{format_duration(made - moment)} ago" if moment else _cell(None, 0),
        css=_css_class,
        counted=counted,
        share=share,
        name=_breakable,
    )
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(made=made, style=style, **values)


def _cell(value: Any, year: int) -> str:
    """A value as a person reads it; nothing is a dash, and the year of the page is left out."""
    if value is None or value == "":
        return "–"
    if isinstance(value, date):
        day = f"{value.day} {value:%b}" if value.year == year else f"{value.day} {value:%b %Y}"
        return f"{day}, {value:%H:%M}" if isinstance(value, datetime) else day
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _breakable(name: str) -> Markup:
    """A table's name that a narrow page breaks behind an underscore rather than inside a word."""
    return escape(name).replace("_", Markup("_<wbr>"))


def _css_class(value: Any) -> str:
    """Of a cell: numbers stand on the right, times in one line, sentences have room."""
    if isinstance(value, (int, float)):
        return "n"
    return "t" if isinstance(value, date) else "words" if len(str(value or "")) > LONG_TEXT else ""

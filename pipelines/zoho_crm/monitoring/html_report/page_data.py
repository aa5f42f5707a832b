"""Everything that the page tells, as plain values; each comes from the destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ...console import counted
from ...options import Options
from ...output.run_report import group
from ..freshness import DestinationView, Freshness, FreshnessService, Headline, headline, span
from ..history import PastRun
from .diagram import Diagram, diagram
from .figure import Figure
from .figure_builder import FigureBuilder, span_of
from .limits import share
from .lookups import Lookup, lookups
from .schema_changes import GONE, Change, schema_changes

WINDOW = timedelta(days=92)
LAST_RUNS = 15


@dataclass(frozen=True)
class Tile:
    """One number at the top."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Page:
    """What the template shows."""

    company: str
    place: str
    made: datetime
    headline: Headline
    tiles: list[Tile]
    tables: list[Freshness]
    runs: list[PastRun]  # the newest first
    number_of_runs: int
    shown: int  # of them
    first: datetime
    can_merge: bool
    figures: dict[str, Figure]
    changes: list[Change]
    kept: list[tuple[str, str]]
    skips: list[tuple[str, str]]
    fields: list[tuple[str, str, list[str]]]  # module, why, fields
    lookups: list[Lookup]
    diagram: Diagram | None


def collect_page(look: DestinationView, options: Options) -> Page:
    freshness_service = FreshnessService(look, options)
    tables, every = freshness_service.tables(), look.log.runs(within=WINDOW)
    runs = [run for run in every if not run.stop]
    figure_builder = FigureBuilder(look, runs, span_of(runs, WINDOW))
    relationships = lookups(look)
    company = next((row["company_name"] for row in look.rows("org", ["company_name"])), None)
    return Page(
        company=str(company or ""),
        place=look.place,
        made=look.now,
        headline=headline(tables, look.log.stopped()),
        tiles=_tiles(look, tables, every, figure_builder.limit()),
        tables=tables,
        runs=list(reversed(every[-LAST_RUNS:])),
        number_of_runs=look.log.number_of_runs,
        shown=len(every),
        first=every[0].started,
        can_merge=look.warehouse.can_merge,
        figures={figure.name: figure for figure in figure_builder.all()},
        changes=schema_changes(look, runs),
        kept=[(", ".join(names), why) for why, names in group(freshness_service.kept()).items()],
        skips=freshness_service.skips(),
        fields=_skipped_fields(look),
        lookups=relationships,
        diagram=diagram(
            relationships, [t.table for t in tables if t.is_module], {t.table: t.rows for t in tables}
        ),
    )


def _tiles(
    look: DestinationView, tables: Sequence[Freshness], runs: Sequence[PastRun], limit: int | None
) -> list[Tile]:
    last, fresh = runs[-1], sum(table.word == "fresh" for table in tables)
    today = sum(r.sum("credits") for r in runs if look.now - r.started < timedelta(days=1))
    part = f"of {limit:,} ({share(today, limit)})" if limit else "limit not known"
    tiles = [
        Tile("Tables", f"{len(tables):,}", f"{fresh:,} fresh"),
        Tile("Rows of the modules", f"{sum(t.rows or 0 for t in tables if t.is_module):,}"),
        Tile("Last run", f"{span(look.now - last.finished)} ago", f"{last.outcome}, took {last.seconds:,} s"),
        Tile("Credits in 24 hours", f"{today:,}", part),
    ]
    seats = look.rows("seat_counts", ["read_at", "active", "licenses"])
    known = [row for row in seats if row["read_at"] and row["active"] is not None]
    if known:
        row = max(known, key=lambda row: row["read_at"])
        licences = counted(row["licenses"], "licence") if row["licenses"] is not None else ""
        tiles.append(Tile("Active users", f"{row['active']:,}", licences))
    return tiles


def _skipped_fields(look: DestinationView) -> list[tuple[str, str, list[str]]]:
    """Fields that are no column and never were, with those of one reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in look.rows("fields", ["module", "api_name", "skip_reason"]):
        why: Any = row["skip_reason"]
        if why and not str(why).startswith(GONE):
            found.setdefault((str(row["module"]), str(why)), []).append(str(row["api_name"]))
    return [(module, why, names) for (module, why), names in sorted(found.items())]

"""The figures of the page: numbers over time, drawn by Vega-Lite as one SVG each that scales with the page.

Colours are the page's own variables, so one drawing serves light, dark and paper. Legends are HTML.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import vl_convert
from markupsafe import Markup

from sources.zoho_crm.discovery.account_tables import ACCOUNT_TABLES

from ...console import counted
from ..freshness import DestinationView
from ..history import Entry, PastRun
from ..licences import SeatCount, changed_counts, share

Spec = dict[str, Any]
Legend = Sequence[tuple[str, str]]  # name, colour

VEGA_LITE = "5.20"
WIDTH, HEIGHT, FONT_SIZE = 440, 190, 13  # at 390 px a letter is 11 px high, beside another chart 15 px
SMALL_WIDTH, SMALL_HEIGHT = 320, 110
FONT = "Helvetica, Arial, sans-serif"
COLOURS = [f"var(--c{number})" for number in range(1, 8)]
MAX_NAMES = 6  # with a colour of their own
OTHERS = "all others"
MIN_DAYS = 2  # a single one is told in numbers
MIN_AXIS = timedelta(days=13)  # on a shorter axis a bar would be as wide as the page
MAX_RUNS = 200  # more points than these say less, and make the page heavy
LIMIT_FROM = 10  # a limit is drawn from a tenth of it on; else it would press the bars flat
MONTHS = 12
DELETION_TYPES = {
    "recycle": "in the recycle bin",
    "permanent": "deleted for good, or merged",
    "untraced": "not in Zoho's list",
}


@dataclass(frozen=True)
class Figure:
    """`words` say what the charts show, or why there is none; `rows` are their numbers as a table."""

    name: str
    title: str
    words: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    numbers: Sequence[tuple[str, Any]] = ()  # large, in place of a chart or of a part of it
    charts: Sequence[tuple[str, Markup]] = ()  # each with a title if there are several
    legend: Legend = ()


@dataclass(frozen=True)
class Period:
    """The days that the page tells of."""

    first: date
    last: date

    def domain(self) -> list[str]:
        return [self._start().isoformat(), (self.last + timedelta(days=1)).isoformat()]

    def ticks(self, most: int) -> list[Spec]:
        """At most so many days, back from the last one."""
        days = (self.last - self._start()).days + 1
        chosen = [self.last - timedelta(days=back) for back in range(0, days, max(1, -(-days // most)))]
        return [{"year": d.year, "month": d.month, "date": d.day, "utc": True} for d in reversed(chosen)]

    def _start(self) -> date:
        return min(self.first, self.last - MIN_AXIS)


def period_of(runs: Sequence[PastRun], window: timedelta) -> Period:
    """From the first run, but no further back than the window, to the last one."""
    last = runs[-1].started
    return Period(max(runs[0].started, last - window).date(), last.date())


# --- Numbers ---


@dataclass(frozen=True)
class Series:
    """A number for each day, or month, and name; one without a number had none."""

    names: list[str]
    days: Mapping[date, Mapping[str, float]]

    def table(self) -> list[list[Any]]:
        """The newest day first."""
        return [
            [day, *(self.days[day].get(n) for n in self.names)] for day in sorted(self.days, reverse=True)
        ]

    def newest(self) -> list[tuple[str, float]]:
        """Each name with its number of the newest day that has one."""
        newest = {name: n for _, numbers in sorted(self.days.items()) for name, n in numbers.items()}
        return [(name, newest[name]) for name in self.names if name in newest]

    def days_of(self, name: str) -> int:
        return sum(name in numbers for numbers in self.days.values())

    def values(self, names: Collection[str] | None = None) -> list[Spec]:
        """As Vega-Lite wants it."""
        return [
            {"day": day.isoformat(), "name": name, "number": number, "order": self.names.index(name)}
            for day, numbers in sorted(self.days.items())
            for name, number in numbers.items()
            if names is None or name in names
        ]

    def total(self) -> int:
        return int(sum(sum(numbers.values()) for numbers in self.days.values()))


def summed(numbers: Iterable[tuple[date, str, int]]) -> Series:
    """Sums by day and name; names that are not among the largest share one."""
    days: dict[date, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for day, name, number in numbers:
        days[day][name] += number
        total[name] += number
    names = [name for name, number in total.most_common() if number]
    shown = names if len(names) <= MAX_NAMES + 1 else names[:MAX_NAMES]
    rest = set(names) - set(shown)
    merged = {day: _merged(counts, rest) for day, counts in days.items() if sum(counts.values())}
    return Series([*shown, OTHERS] if rest else shown, merged)


def _merged(counts: Counter[str], rest: Collection[str]) -> dict[str, float]:
    found: dict[str, float] = {name: n for name, n in counts.items() if n and name not in rest}
    others = sum(n for name, n in counts.items() if name in rest)
    return {**found, OTHERS: others} if others else found


def _modules(runs: Iterable[PastRun]) -> Iterable[Entry]:
    return (entry for run in runs for entry in run.entries if entry.module not in ACCOUNT_TABLES)


def month_starts(now: datetime) -> list[datetime]:
    """Of this month and of those before it, the oldest first."""
    months = [divmod(now.year * 12 + now.month - 1 - back, 12) for back in range(MONTHS)]
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return [start.replace(year=year, month=month + 1) for year, month in reversed(months)]


# --- Figures ---


def created(counts: Mapping[str, Sequence[int]], months: Sequence[datetime]) -> Figure:
    """`counts` has by name the records created before each month, and before now."""
    title = "Records created a month"
    data = summed(
        (month.date(), name, after - before)
        for name, found in counts.items()
        for month, before, after in zip(months, found, found[1:], strict=False)
    )
    if not data.days:
        return Figure("created", title, "No record of the tables was created in the last twelve months.")
    words = (
        f"{counted(data.total(), 'record')} of those that exist now, by their Created_Time, in the last twelve"
        " months."
    )
    values = [{**value, "day": f"{date.fromisoformat(value['day']):%b}"} for value in data.values()]
    order = [f"{month:%b}" for month in months]
    x = {"field": "day", "type": "ordinal", "sort": order, "scale": {"domain": order}, "title": None}
    spec = _bars(values, data.names, {**x, "axis": {"labelAngle": 0, "ticks": False}})
    rows = [[f"{row[0]:%b %Y}", *row[1:]] for row in data.table()]
    return _drawn(Figure("created", title, words, ["month", *data.names], rows), spec, data.names)


def changes(runs: Sequence[PastRun], period: Period) -> Figure:
    """Rows that came or went; readings of whole modules are no changes."""
    title = "Changes a day"
    data = summed(
        (e.started_at.date(), e.module, (e.rows_read or 0) + (e.rows_deleted or 0))
        for e in _modules(runs)
        if e.since is not None
    )
    if not data.days:
        return Figure("changes", title, "No run has read single changes yet: the second one does.")
    words = (
        f"{counted(data.total(), 'row')} came, changed or went. Whole readings of a module are not counted."
    )
    return _daily(Figure("changes", title, words), data, period)


def rows(runs: Sequence[PastRun], period: Period) -> Figure:
    """The last count of each day of the largest modules, each in a chart of its own."""
    title, days, largest = "Rows of the largest tables", defaultdict[date, dict[str, float]](dict), {}
    for entry in _modules(runs):
        if entry.table_count is not None:
            days[entry.started_at.date()][entry.module] = entry.table_count
            largest[entry.module] = entry.table_count
    names = sorted(largest, key=lambda name: -largest[name])[:MAX_NAMES]
    kept = {day: {n: c for n, c in counts.items() if n in names} for day, counts in days.items()}
    data = Series(names, {day: counts for day, counts in kept.items() if counts})
    if not data.days:
        return Figure("rows", title, "No module has been loaded yet.")
    drawn = [name for name in names if data.days_of(name) >= MIN_DAYS]
    words = "At the last run of each day."
    if drawn:
        words += " Each chart has its own scale, which need not begin at zero."
    else:
        words += _one_day(data.days)
    if drawn and len(drawn) < len(names):
        words += " A number stands for a table that was counted on one day only."
    charts = [
        (name, render_svg(_small_line(data.values([name]), period), f"rows-{number}"))
        for number, name in enumerate(drawn)
    ]
    numbers = [(name, number) for name, number in data.newest() if drawn and name not in drawn]
    return Figure("rows", title, words, ["day", *names], data.table(), numbers, charts)


def deletions(view: DestinationView, period: Period) -> Figure:
    """What `deleted_records` holds since then, by the day of the deletion in the CRM."""
    title = "Deletions a day"
    data = summed(
        (row["day"], DELETION_TYPES.get(str(row["type"]), str(row["type"])), row["count_all"])
        for row in _deleted(view, ["type"])
        if row["day"] >= period.first
    )
    if not data.days:
        return Figure("deletions", title, "No record was deleted in these days.")
    words = (
        f"{counted(data.total(), 'record')} deleted in the CRM, by the day of the deletion, also those that were"
        " never in a table."
    )
    return _daily(Figure("deletions", title, words), data, period)


def deletions_by_module(view: DestinationView, first: date) -> list[list[Any]]:
    """Module, deletions of each type, and the day of the last one; the most first."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, date] = {}
    for row in _deleted(view, ["module", "type"]):
        if row["day"] >= first:
            found[str(row["module"])][str(row["type"])] += row["count_all"]
            last[str(row["module"])] = max(row["day"], last.get(str(row["module"]), row["day"]))
    names = sorted(found, key=lambda name: (-sum(found[name].values()), name))
    return [[name, *(found[name][kind] for kind in DELETION_TYPES), last[name]] for name in names]


def _deleted(view: DestinationView, names: list[str]) -> list[dict[str, Any]]:
    table = view.table("deleted_records", [*names, "deleted_time"])
    if table.num_columns <= len(names):
        return []
    table = table.append_column("day", pc.cast(table["deleted_time"], pa.date32()))
    counts: pa.Table = table.group_by([*names, "day"]).aggregate([([], "count_all")])
    return [row for row in counts.to_pylist() if row["day"] is not None]


def credits(runs: Sequence[PastRun], limit: int | None, period: Period) -> Figure:
    title = "API credits a day"
    data = summed((run.started.date(), run.command, run.sum("credits")) for run in runs)
    most = int(max((sum(numbers.values()) for numbers in data.days.values()), default=0))
    if not most:
        return Figure("credits", title, "No run has spent credits in these days.")
    words = f"The dearest day cost {counted(most, 'credit')}"
    if limit is None:
        return _daily(Figure("credits", title, f"{words}; the account's limit is not known."), data, period)
    drawn = most * LIMIT_FROM >= limit
    words += f", {share(most, limit)} of the {limit:,} that Zoho's formula gives this edition a day"
    words += " (the dashed line)." if drawn else "."
    return _daily(Figure("credits", title, words), data, period, limit if drawn else None)


def credits_by_module(runs: Sequence[PastRun]) -> list[tuple[str, int]]:
    """What each module has cost; those that are not among the dearest share a line."""
    total: Counter[str] = Counter()
    for run in runs:
        for entry in run.entries:
            total[entry.module] += entry.credits or 0
    dearest = [(name, credits) for name, credits in total.most_common() if credits and name]
    rest = sum(credits for _, credits in dearest[MAX_NAMES:])
    return [*dearest[:MAX_NAMES], *([(OTHERS, rest)] if rest else [])]


def durations(runs: Sequence[PastRun], period: Period) -> Figure:
    shown, title = list(runs), "How long a run took"
    words = f"{counted(len(runs), 'run')}, in seconds"
    if len(runs) > MAX_RUNS:
        shown = _longest_of_a_day(runs)
        words += "; shown is the longest of each day and outcome"
    columns = ["started", "command", "seconds", "rows read", "rows deleted", "outcome"]
    table = [
        [r.started, r.command, r.seconds, r.sum("rows_read"), r.sum("rows_deleted"), r.outcome]
        for r in reversed(shown)
    ]
    figure = Figure("durations", title, f"{words}.", columns, table)
    if len({run.started.date() for run in shown}) < MIN_DAYS:
        times = [run.seconds for run in shown]
        ends = (
            [("shortest", min(times)), ("longest", max(times))] if len(times) > 1 else [("seconds", times[0])]
        )
        return replace(
            figure, words=f"{words}.{_one_day({run.started.date() for run in shown})}", numbers=ends
        )
    values = [{"day": _iso(run.started), "name": _outcome(run), "number": run.seconds} for run in shown]
    names = [name for name in ("ok", "failed") if any(value["name"] == name for value in values)]
    colours = {"ok": COLOURS[0], "failed": "var(--bad)"}
    spec = _chart(
        values,
        {
            "mark": {"type": "point", "filled": True, "size": 40, "opacity": 0.9},
            "encoding": {
                "x": _days(period),
                "y": _number(whole=False),
                "color": _colour(names, [colours[name] for name in names]),
                "shape": {
                    "field": "name",
                    "type": "nominal",
                    "scale": {"domain": ["ok", "failed"], "range": ["circle", "triangle-up"]},
                    "legend": None,
                },
            },
        },
    )
    return _drawn(figure, spec, names, [colours[name] for name in names])


def differences(runs: Sequence[PastRun], period: Period) -> Figure:
    """Where the CRM's count and the table's were compared, of modules that differed at least once."""
    title = "Where the CRM's count differs"
    compared = [e for e in _modules(runs) if e.crm_count is not None and e.table_count is not None]
    ever = {e.module for e in compared if e.crm_count != e.table_count}
    found = [*{(e.module, e.at.date()): e for e in compared if e.module in ever}.values()]
    if not found:
        return Figure("differences", title, "Each count of the CRM was the same as the table's.")
    difference = {entry: (entry.table_count or 0) - (entry.crm_count or 0) for entry in found}
    sizes: Counter[str] = Counter()
    for entry, size in difference.items():
        sizes[entry.module] = max(sizes[entry.module], abs(size))
    names = [name for name, _ in sizes.most_common(MAX_NAMES)]
    words = (
        "The table's rows less the CRM's own count, at the last count of each day. That count may be ten"
        " minutes late."
    )
    last = {entry.module: size for entry, size in difference.items()}
    if not any(last.values()):
        words = f"At the last count no module differed. {words}"
    columns = ["counted", "module", "CRM count", "table", "difference"]
    table = [[e.at, e.module, e.crm_count, e.table_count, difference[e]] for e in reversed(found)]
    shown = [e for e in found if e.module in names]
    values = [{"day": _iso(e.at), "name": e.module, "number": difference[e]} for e in shown]
    numbers = [(e.module, f"{difference[e]:+,}") for e in shown]
    return _steps(Figure("differences", title, words, columns, table, numbers), values, names, period)


def seats(counts: Sequence[SeatCount], period: Period) -> Figure:
    """Licences bought, and users that hold one."""
    title, kept = "Seats over time", changed_counts(counts)
    columns = [
        "from",
        "edition",
        "licences bought",
        "in use",
        "portal licences",
        "portal users",
        "inactive users",
    ]
    table = [
        [c.read_at, c.edition, c.licenses, c.used, c.portal_licenses, c.portal_used, c.inactive]
        for c in reversed(kept)
    ]
    if not kept:
        return Figure("seats", title, "No run has counted them yet: the next one does.")
    lines = {"licences bought": "licenses", "in use": "used"}
    values = [
        {"day": _iso(count.read_at), "name": name, "number": getattr(count, attribute)}
        for count in kept
        for name, attribute in lines.items()
        if getattr(count, attribute) is not None and count.read_at.date() >= period.first
    ]
    names = [name for name in lines if any(value["name"] == name for value in values)]
    words = "User licences bought, and active users of type Regular User, each of whom holds one."
    return _steps(Figure("seats", title, words, columns, table), values, names, period)


def _daily(figure: Figure, data: Series, period: Period, limit: int | None = None) -> Figure:
    """Stacked bars by day, with a line for a limit; of a single day, its numbers."""
    figure = replace(figure, columns=["day", *data.names], rows=data.table())
    if len(data.days) < MIN_DAYS:
        return replace(figure, words=f"{figure.words}{_one_day(data.days)}", numbers=data.newest())
    return _drawn(
        figure, _bars(data.values(), data.names, _days(period, "utcyearmonthdate"), limit), data.names
    )


def _steps(figure: Figure, values: Sequence[Spec], names: Sequence[str], period: Period) -> Figure:
    """Lines that keep a value until the next one is known; of a single day, the figure's numbers."""
    days = {date.fromisoformat(value["day"][:10]) for value in values}
    if len(days) < MIN_DAYS:
        return replace(figure, words=f"{figure.words}{_one_day(days)}")
    encoding = {"x": _days(period), "y": _number(), "color": _colour(names)}
    line = {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2}, "encoding": encoding}
    point = {"mark": {"type": "point", "filled": True, "size": 22, "opacity": 1}, "encoding": encoding}
    return _drawn(replace(figure, numbers=()), _chart(values, {"layer": [line, point]}), names)


def _drawn(figure: Figure, spec: Spec, names: Sequence[str], colours: Sequence[str] = ()) -> Figure:
    legend = [*zip(names, colours or _colours(names), strict=True)] if len(names) > 1 else []
    return replace(figure, charts=[("", render_svg(spec, figure.name))], legend=legend)


def _one_day(days: Collection[date]) -> str:
    told = (
        f" So far there is one day, {d.day} {d:%b %Y}; a chart begins with the second." for d in set(days)
    )
    return "".join(told)


def _longest_of_a_day(runs: Iterable[PastRun]) -> list[PastRun]:
    """The longest run of each day and outcome."""
    found: dict[tuple[date, str], PastRun] = {}
    for run in runs:
        key = (run.started.date(), _outcome(run))
        if key not in found or run.seconds > found[key].seconds:
            found[key] = run
    return list(found.values())


def _outcome(run: PastRun) -> str:
    return "failed" if run.failed else "ok"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


# --- Vega-Lite ---


def _bars(values: Sequence[Spec], names: Sequence[str], x: Spec, limit: int | None = None) -> Spec:
    bars: Spec = {
        "mark": {"type": "bar", "width": {"band": 0.8}},
        "encoding": {
            "x": x,
            "y": {**_number(), "stack": "zero"},
            "color": _colour(names),
            "order": {"field": "order", "type": "quantitative"},
        },
    }
    rule = {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.5, "color": "var(--bad)"}
    line = {"mark": rule, "encoding": {"y": {"datum": limit, "type": "quantitative"}}}
    return _chart(values, {"layer": [bars, line] if limit is not None else [bars]})


def _small_line(values: Sequence[Spec], period: Period) -> Spec:
    y = {**_number(), "scale": {"zero": False, "nice": True}}
    y["axis"] = {**y["axis"], "tickCount": 3}
    encoding = {"x": _days(period, most=4), "y": y}
    line = {"type": "line", "strokeWidth": 2, "interpolate": "step-after", "color": COLOURS[0]}
    point = {"type": "point", "filled": True, "size": 14, "opacity": 1, "color": COLOURS[0]}
    layer = [{"mark": mark, "encoding": encoding} for mark in (line, point)]
    return {**_chart(values, {"layer": layer}), "width": SMALL_WIDTH, "height": SMALL_HEIGHT}


def _chart(values: Sequence[Spec], marks: Spec) -> Spec:
    axis = {
        "domainColor": "var(--line)",
        "gridColor": "var(--grid)",
        "tickColor": "var(--line)",
        "labelColor": "var(--soft)",
        "labelFontSize": FONT_SIZE,
    }
    return {
        "data": {"values": list(values)},
        "width": WIDTH,
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {"aria": False, "background": None, "font": FONT, "axis": axis, "view": {"stroke": None}},
        **marks,
    }


def _days(period: Period, unit: str | None = None, most: int = 5) -> Spec:
    return {
        "field": "day",
        "type": "temporal",
        **({"timeUnit": unit} if unit else {}),
        "title": None,
        "scale": {"type": "utc", "domain": period.domain(), "nice": False},
        "axis": {
            "format": "%-d %b",
            "values": period.ticks(most),
            "grid": False,
            "labelOverlap": True,
            "labelFlush": False,
        },
    }


def _number(*, whole: bool = True) -> Spec:
    """A count is written out, as elsewhere on the page; half a row is no label."""
    label = "format(datum.value, ',')"
    return {
        "field": "number",
        "type": "quantitative",
        "title": None,
        "axis": {
            "tickCount": 4,
            "domain": False,
            "ticks": False,
            "labelExpr": f"datum.value % 1 ? '' : {label}" if whole else label,
        },
    }


def _colour(names: Sequence[str], colours: Sequence[str] = ()) -> Spec:
    scale = {"domain": list(names), "range": list(colours or _colours(names))}
    return {"field": "name", "type": "nominal", "scale": scale, "legend": None}


def _colours(names: Sequence[str]) -> list[str]:
    return ["var(--rest)" if name == OTHERS else colour for name, colour in zip(names, COLOURS, strict=False)]


# --- SVG ---

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan", "circle", "defs", "clipPath"})
TEXT = {"text-anchor", "font-family", "font-size", "font-weight"}
PLACE = {
    "viewBox",
    "width",
    "height",
    "transform",
    "d",
    "x",
    "y",
    "x1",
    "y1",
    "x2",
    "y2",
    "dx",
    "dy",
    "cx",
    "cy",
    "r",
}
PAINT = {"fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "opacity"}
ATTRIBUTES = frozenset({*TEXT, *PLACE, *PAINT, "clip-path", "id"})
LONG_NUMBER = re.compile(r"(\d+\.\d)\d+")


def render_svg(spec: Mapping[str, Any], name: str) -> Markup:
    """One chart as an `svg` element; its words are in the page, so it says nothing itself.

    Only known elements and attributes are kept, with ids of the figure's own.
    """
    root = ET.fromstring(vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE))
    _clean(root, name)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page decides
    return Markup(ET.tostring(root, encoding="unicode"))


def _clean(element: ET.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(SVG)
    kept = {key: value for key, value in element.attrib.items() if key in ATTRIBUTES}
    element.attrib.clear()
    for key, value in kept.items():
        if key == "id":
            value = f"{name}-{value}"
        value = value.replace("url(#", f"url(#{name}-")
        element.set(key, LONG_NUMBER.sub(r"\1", value))
    element.tail = None
    for child in list(element):
        known = isinstance(child.tag, str) and child.tag.removeprefix(SVG) in ELEMENTS
        if known and not _is_invisible(child):
            _clean(child, name)
        else:
            element.remove(child)


def _is_invisible(element: ET.Element) -> bool:
    empty = element.tag == f"{SVG}path" and not element.get("d")
    return empty or element.get("opacity") == "0" or element.get("display") == "none"

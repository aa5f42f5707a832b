"""The charts as Vega-Lite, each for a wide and for a narrow page; colours are the page's own variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from .series import OTHERS, DailySeries

Spec = dict[str, Any]
COLOURS = [f"var(--c{number})" for number in range(1, 8)]
FONT = "Helvetica, Arial, sans-serif"
LETTER = 0.6  # of the size of its font is a digit wide
AT_LEAST = timedelta(days=13)  # of one day, a chart would be one bar as wide as the page


@dataclass(frozen=True)
class Width:
    """A page as wide as this gives a chart so much room."""

    name: str
    pixels: int
    height: int
    font: int
    ticks: int
    columns: int  # of legends and of small multiples


WIDE = Width("wide", 860, 210, 13, 10, 4)
NARROW = Width("narrow", 345, 190, 12, 4, 2)


@dataclass(frozen=True)
class Span:
    """The days of the page."""

    first: date
    last: date

    def domain(self) -> list[str]:
        first = min(self.first, self.last - AT_LEAST)
        return [first.isoformat(), (self.last + timedelta(days=1)).isoformat()]


def bars(data: DailySeries, span: Span, width: Width, *, limit: int | None = None) -> Spec:
    """Stacked bars by day, with a line for a limit."""
    names = data.names
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "width": {"band": 0.8}},
            "encoding": {
                "x": _days(span, width, unit="utcyearmonthdate"),
                "y": _number("number", stack=True),
                "color": _colour(names, width),
                "order": {"field": "order", "type": "quantitative"},
            },
        }
    ]
    if limit is not None:
        rule = {"type": "rule", "strokeDash": [6, 4], "strokeWidth": 1.5, "color": "var(--bad)"}
        layers.append({"mark": rule, "encoding": {"y": {"datum": limit, "type": "quantitative"}}})
    return {**_page(width, data.values()), "layer": layers}


def steps(values: Sequence[dict[str, Any]], names: Sequence[str], span: Span, width: Width) -> Spec:
    """Lines that keep a value until the next one is known, each with a point where it was."""
    encoding = {
        "x": _days(span, width),
        "y": _number("number"),
        "color": _colour(names, width),
    }
    line = {"mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2}, "encoding": encoding}
    point = {"mark": {"type": "point", "filled": True, "size": 22, "opacity": 1}, "encoding": encoding}
    return {**_page(width, values), "layer": [line, point]}


def dots(values: Sequence[dict[str, Any]], names: Sequence[str], span: Span, width: Width) -> Spec:
    """A point a run, by its outcome."""
    return {
        **_page(width, values),
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.9},
        "encoding": {
            "x": _days(span, width),
            "y": _number("number", whole=False),
            "color": _colour(names, width, ["var(--c1)", "var(--bad)"]),
            "shape": {
                "field": "name",
                "type": "nominal",
                "scale": {"domain": list(names), "range": ["circle", "triangle-up"][: len(names)]},
            },
        },
    }


def multiples(data: DailySeries, span: Span, width: Width) -> Spec:
    """A small chart a name, each with a scale of its own."""
    columns = 3 if width is WIDE else 1
    longest = max(len(f"{number:,}") for numbers in data.days.values() for number in numbers.values())
    labels = max(40, round(longest * LETTER * width.font))
    room = (width.pixels - columns * (labels + 28)) // columns
    few = Width(width.name, room, 70, width.font, 4 if width is WIDE else 3, columns)
    base = _page(few, data.values())
    header = {"title": None, "labelColor": "var(--ink)", "labelFontSize": 13, "labelAnchor": "start"}
    facet = {"field": "name", "type": "nominal", "sort": list(data.names), "header": header}
    y = {**_number("number"), "scale": {"zero": False, "nice": True}}
    y["axis"] = {**y["axis"], "tickCount": 3, "minExtent": labels, "maxExtent": labels}  # one edge for all
    sizes = {name: base.pop(name) for name in ("width", "height", "autosize")}
    encoding = {"x": _days(span, few), "y": y}
    line = {"type": "line", "strokeWidth": 2, "interpolate": "step-after", "color": "var(--c1)"}
    point = {"type": "point", "filled": True, "size": 14, "opacity": 1, "color": "var(--c1)"}
    layer = [{"mark": mark, "encoding": encoding} for mark in (line, point)]
    return {
        **base,
        "facet": facet,
        "columns": columns,
        "spacing": {"row": 26, "column": 22},
        "spec": {"width": room, "height": sizes["height"], "layer": layer},
        "resolve": {"scale": {"y": "independent"}},
    }


def _page(width: Width, values: Sequence[dict[str, Any]]) -> Spec:
    quiet = {
        "domainColor": "var(--line)",
        "gridColor": "var(--grid)",
        "tickColor": "var(--line)",
        "labelColor": "var(--soft)",
        "labelFontSize": width.font,
        "titleColor": "var(--soft)",
    }
    return {
        "data": {"values": list(values)},
        "width": width.pixels,
        "height": width.height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": {
            "aria": False,
            "background": None,
            "font": FONT,
            "axis": quiet,
            "view": {"stroke": None},
            "legend": {"labelColor": "var(--ink)", "labelFontSize": width.font, "labelLimit": 150},
        },
    }


def _days(span: Span, width: Width, unit: str | None = None) -> Spec:
    return {
        "field": "day",
        "type": "temporal",
        **({"timeUnit": unit} if unit else {}),
        "title": None,
        "scale": {"type": "utc", "domain": span.domain(), "nice": False},
        "axis": {
            "format": "%-d %b",
            "values": _labelled(span, width),
            "grid": False,
            "labelOverlap": True,
            "labelFlush": False,
        },
    }


def _labelled(span: Span, width: Width) -> list[Spec]:
    """As many days as there is room for, back from the last one."""
    first = min(span.first, span.last - AT_LEAST)
    days = (span.last - first).days + 1
    step = max(1, -(-days // width.ticks))
    chosen = [span.last - timedelta(days=back) for back in range(0, days, step)]
    return [{"year": d.year, "month": d.month, "date": d.day, "utc": True} for d in reversed(chosen)]


def _number(field: str, *, stack: bool = False, whole: bool = True) -> Spec:
    """A count is written out, as elsewhere on the page; half a row is no label."""
    label = "format(datum.value, ',')"
    axis = {
        "tickCount": 4,
        "domain": False,
        "ticks": False,
        "labelExpr": f"datum.value % 1 ? '' : {label}" if whole else label,
    }
    return {
        "field": field,
        "type": "quantitative",
        "title": None,
        "axis": axis,
        **({"stack": "zero"} if stack else {}),
    }


def _colour(names: Sequence[str], width: Width, colours: Sequence[str] = ()) -> Spec:
    palette = list(colours or COLOURS)[: len(names)]
    if OTHERS in names:
        palette[list(names).index(OTHERS)] = "var(--rest)"
    legend = {"title": None, "orient": "top", "columns": width.columns, "symbolType": "square"}
    return {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": list(names), "range": palette},
        "legend": legend if len(names) > 1 else None,
    }

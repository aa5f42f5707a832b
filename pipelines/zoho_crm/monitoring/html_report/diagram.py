"""The tables and their lookups as boxes in layers: what is looked up stands left of what looks it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import igraph

from .lookups import Lookup

BOX, HEIGHT, BETWEEN, ROW, MARGIN = 176, 30, 72, 40, 8
LETTERS = 22  # of a name that fits into a box; the whole one is its tooltip
ROUNDS = 200  # of making lines cross less

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    name: str
    shown: str
    rows: int | None
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    path: str
    words: str  # the columns


@dataclass(frozen=True)
class Diagram:
    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float
    alone: list[str]  # tables that look up none of the others


def diagram(
    lookups: Sequence[Lookup], tables: Sequence[str], rows: Mapping[str, int | None]
) -> Diagram | None:
    """None if no table looks up another one."""
    relationships = [tie for tie in lookups if tie.table != tie.target]
    names = sorted({tie.table for tie in relationships} | {tie.target for tie in relationships})
    alone = sorted(set(tables) - set(names))
    if not relationships:
        return None
    numbers = {name: number for number, name in enumerate(names)}
    edges = [(numbers[tie.target], numbers[tie.table]) for tie in relationships]
    routes, places = _layered(len(names), edges)
    boxes = [Box(name, _short(name), rows.get(name), *places[number]) for name, number in numbers.items()]
    lines = [
        Line(
            _path([places[stop] for stop in route]), f"{t.table} looks up {t.target}: {', '.join(t.columns)}"
        )
        for t, route in zip(relationships, routes, strict=True)
    ]
    width = max(box.x for box in boxes) + BOX + MARGIN
    height = max(y for _, y in places) + HEIGHT + MARGIN
    return Diagram(boxes, lines, width, height, alone)


def _layered(vertices: int, edges: Sequence[tuple[int, int]]) -> tuple[list[list[int]], list[Point]]:
    """Where each vertex stands, and the vertices that each edge passes, from left to right.

    An edge over several layers gets a vertex of its own in each between, so that it passes no box.
    """
    graph = igraph.Graph(n=vertices, edges=edges, directed=True)
    layers = [round(layer) for _, layer in graph.layout_sugiyama(maxiter=ROUNDS).coords]
    routes = []
    for edge in edges:
        start, end = sorted(edge, key=layers.__getitem__)
        between = range(layers[start] + 1, layers[end])
        routes.append([start, *range(len(layers), len(layers) + len(between)), end])
        layers += between
    steps = [step for route in routes for step in pairwise(route)]
    whole = igraph.Graph(n=len(layers), edges=steps, directed=True)
    placed = whole.layout_sugiyama(layers=layers, maxiter=ROUNDS).coords
    top = min(across for across, _ in placed)
    return routes, [_place(across - top, layer) for (across, _), layer in zip(placed, layers, strict=True)]


def _place(across: float, layer: int) -> Point:
    return MARGIN + layer * (BOX + BETWEEN), MARGIN + round(across * ROW, 1)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _path(stops: Sequence[Point]) -> str:
    """From box to box in curves; between them straight through the layers that are passed."""
    (x, y), parts = stops[0], []
    x, y = x + BOX, y + HEIGHT / 2
    parts.append(f"M{x:g} {y:g}")
    for number, (next_x, next_y) in enumerate(stops[1:], 1):
        next_y += HEIGHT / 2
        middle = (x + next_x) / 2
        parts.append(f"C{middle:g} {y:g} {middle:g} {next_y:g} {next_x:g} {next_y:g}")
        x, y = next_x, next_y
        if number < len(stops) - 1:
            x += BOX
            parts.append(f"H{x:g}")
    return "".join(parts)

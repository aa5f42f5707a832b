"""A figure: a chart, what it says in words, and its numbers as a table; figures of one day are told, not drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from .charts import NARROW, WIDE, Spec, Width
from .drawing import render_svg

ENOUGH = 2  # days; one is a dot in an empty frame


@dataclass(frozen=True)
class Figure:
    """`words` say what the chart shows; without a chart they say why there is none."""

    name: str
    title: str
    words: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    numbers: Sequence[tuple[str, Any]] = ()  # large, in place of a chart or of a part of it
    wide: Markup | None = None
    narrow: Markup | None = None


@dataclass(frozen=True)
class FigureData:
    """A figure before it is drawn, with the days that it has points of."""

    name: str
    title: str
    words: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    days: Collection[date]
    numbers: Sequence[tuple[str, Any]]  # what it says if it is not drawn

    def figure(self, spec: Callable[[Width], Spec], beside: Sequence[tuple[str, Any]] = ()) -> Figure:
        """Drawn for wide and narrow pages, with numbers `beside` it; or told in words and large numbers."""
        rest = (self.columns, self.rows)
        if len(set(self.days)) < ENOUGH:
            return Figure(self.name, self.title, f"{self.words}{_so_far(self.days)}", *rest, self.numbers)
        wide, narrow = (render_svg(spec(width), f"{self.name}-{width.name}") for width in (WIDE, NARROW))
        return Figure(self.name, self.title, self.words, *rest, beside, wide, narrow)


def _so_far(days: Collection[date]) -> str:
    return "".join(
        f" So far there is one day, {d.day} {d:%b %Y}; a chart begins with the second." for d in set(days)
    )

"""The page as HTML: every value is escaped, because it comes from a CRM."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...console import counted
from ..freshness import due, span
from .page_data import Page

LONG = 24  # letters
TEMPLATES = Path(__file__).parent / "templates"


def rendered(page: Page) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cell=partial(_cell, year=page.made.year), kind=_kind, counted=counted, dated=partial(_cell, year=0)
    )
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    template = environment.get_template("page.html")
    return template.render(page=page, style=style, due=lambda moment: due(moment, page.made))


def _cell(value: Any, year: int) -> str:
    """A value as a person reads it; nothing is a dash, and the year of the page goes without saying."""
    if value is None or value == "":
        return "–"
    if isinstance(value, date):
        day = f"{value.day} {value:%b}" if value.year == year else f"{value.day} {value:%b %Y}"
        return f"{day}, {value:%H:%M}" if isinstance(value, datetime) else day
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _kind(value: Any) -> str:
    """The class of a cell: numbers stand on the right, times in one line, sentences have room."""
    if isinstance(value, (int, float)):
        return "n"
    return "t" if isinstance(value, date) else "words" if len(str(value or "")) > LONG else ""

"""The options that say how a sync keeps up: how far it looks back, how often it proves, what becomes of deletions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

import click

from .names import spelt_out

SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=36_525)
EARLIEST, LATEST = 1970, 2999
ALL = frozenset({"*"})  # as names of modules: every one


class Span(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """A length of time: a number and its unit, `10m`, `24h`, `7d`."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = SPAN.fullmatch(str(value).strip().lower())
        if not found:
            self.fail(
                f"{value!r} is no length of time: write a number and s, m, h or d, such as 12h.", param, ctx
            )
        try:
            span = timedelta(**{UNITS[found[2]]: float(found[1])})
        except OverflowError:
            span = timedelta.max
        if span > LONGEST:
            self.fail(f"{value!r} is too long: more than 100 years.", param, ctx)
        return span


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time in ISO 8601; without an offset it is UTC."""

    name = "ISO-TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = (
                value
                if isinstance(value, datetime)
                else datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
            )
        except ValueError:
            self.fail(f"{value!r} is no time in ISO 8601, such as 2026-03-01T00:00:00+01:00.", param, ctx)
        if not EARLIEST <= moment.year <= LATEST:
            self.fail(
                f"{value!r} is no time that Zoho could know: years go from {EARLIEST} to {LATEST}.",
                param,
                ctx,
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


class Modules(click.ParamType):  # type: ignore[type-arg]
    """API names between commas, or `all`; dlt's configuration may say true, false or a list."""

    name = "A,B|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, bool):
            return ALL if value else frozenset()
        value = spelt_out(value)
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Iterable):
            self.fail(f"{value!r} is no list of names.", param, ctx)
        names = frozenset(str(part).strip() for part in parts) - {""}
        words = {name.casefold() for name in names}
        if words & {"all", "true", "*"}:
            return ALL
        return frozenset() if words <= {"false"} else names


def keeping(option: Callable[..., click.Parameter]) -> list[click.Parameter]:
    """What a table keeps; also of the command that only lists, as a table that keeps more is refused without."""
    return [
        option(
            "--deletes",
            type=click.Choice(["hard", "soft"]),
            default="hard",
            show_default=True,
            help="soft: the row of a deleted record stays, with deleted_at set.",
        ),
        option(
            "--table-format",
            type=click.Choice(["delta", "iceberg", "native"]),
            help="Format of the tables, where the destination has several. [default: the one they have]",
        ),
        option("--history", type=Modules(), help="Keep every version of the rows of these modules."),
    ]


def patience(option: Callable[..., click.Parameter]) -> click.Parameter:
    """How long a DuckDB file is waited for."""
    return option(
        "--wait-for-database",
        type=Span(),
        default="1m",
        show_default=True,
        help="How long to wait for a DuckDB file that another process has open.",
    )

"""How a Bulk Read archive looks: a zip with one member, a CSV of one cell a value."""

from __future__ import annotations

import csv
import datetime
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """What Zoho's own words leave open about the file, and the zone of the user whose job it is."""

    zone: datetime.tzinfo
    multiselect_separator: str = ";"
    true: str = "true"
    false: str = "false"
    line_end: str = "\n"


def write_csv(header: Sequence[str], rows: Iterable[Sequence[Any]], dialect: Dialect) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=dialect.line_end)
    writer.writerow(header)
    shapes = shapes_of(dialect)
    for row in rows:
        writer.writerow([shapes.get(type(value), shape_other)(value) for value in row])
    return text.getvalue()


def shapes_of(dialect: Dialect) -> dict[type, Callable[[Any], str]]:
    """How a value of each type is spelt in a cell. None and the empty string both give an empty cell."""
    return {
        str: str,
        type(None): lambda _: "",
        int: str,
        float: lambda value: format(Decimal(repr(value)), "f"),
        Decimal: lambda value: format(value, "f"),
        bool: lambda value: dialect.true if value else dialect.false,
        datetime.date: datetime.date.isoformat,
        datetime.datetime: lambda value: value.astimezone(dialect.zone).isoformat(timespec="seconds"),
        list: lambda value: shape_list(value, dialect.multiselect_separator),
        dict: shape_object,
    }


def shape_list(values: list[Any], separator: str) -> str:
    """Picklist values, or the names of tags and territories, which are always joined by a comma."""
    if all(isinstance(value, str) for value in values):
        return separator.join(values)
    if all(isinstance(value, dict) and "name" in value for value in values):
        return ",".join(value["name"] for value in values)
    return json.dumps(values, ensure_ascii=False, default=str)


def shape_object(value: dict[str, Any]) -> str:
    """A lookup is its bare id; an object of one key, such as `{"RRULE": "FREQ=..."}`, is its bare text."""
    if "id" in value:
        return str(value["id"])
    if len(value) == 1:
        return str(next(iter(value.values())))
    return json.dumps(value, ensure_ascii=False, default=str)


def shape_other(value: Any) -> str:
    raise TypeError(f"a CSV cell cannot hold a {type(value).__name__}")


def zip_csv(member: str, text: str, modified: datetime.datetime) -> bytes:
    """The archive of one job; its member bears the job's time, so that equal jobs give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        entry = zipfile.ZipInfo(member, date_time=modified.timetuple()[:6])
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, text.encode())
    return buffer.getvalue()

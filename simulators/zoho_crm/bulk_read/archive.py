"""The archive of a Bulk Read job: a zip with one CSV file, or a copy of it that a fault has spoilt."""

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


# -- archives that are no good

Rows = list[list[str]]
CHANGED_ROWS: dict[str, Callable[[Rows], Rows]] = {
    "missing_row": lambda rows: rows[:-1],
    "extra_row": lambda rows: [*rows, rows[-1]],
    "foreign_rows": lambda rows: [rows[0], *([f"9{id}", *cells] for id, *cells in rows[2:])],
    "missing_column": lambda rows: [row[:-1] for row in rows],
    "null_id": lambda rows: [*rows[:-1], ["", *rows[-1][1:]]],
    "text_id": lambda rows: [*rows[:-1], ["none", *rows[-1][1:]]],
    "no_header": lambda rows: rows[1:],
}


def corrupted(archive: bytes, how: str) -> bytes:
    """A spoilt copy; a file without rows cannot miss one, so there the fault is an error of the test."""
    if how == "truncated":
        return archive[: len(archive) // 2]
    if how == "not_zip":
        return b"<html><body>Service temporarily unavailable</body></html>"
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        name = files.namelist()[0]
        text = files.read(name).decode()
    if how == "two_members":
        return zipped({name: text, f"copy-of-{name}": text})
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ValueError(f"corrupt_zip={how!r} needs a file with rows and columns")
    return zipped({name: written(CHANGED_ROWS[how](rows))})


def written(rows: Rows) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def zipped(members: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()

"""The ways in which a downloaded archive may be no good."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable

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

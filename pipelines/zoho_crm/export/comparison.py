"""`verify --against FOLDER`: the files of an export against its manifest, and its rows against the destination."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sources.zoho_crm.exceptions import SettingsError

from ..console import Console, counted
from ..errors import DIFFERENT, print_error
from ..monitoring.freshness import open_destination
from ..options import Options
from .manifest import NAME, FileRecord, ManifestError, read_manifest, records, sha256_of

EQUAL = "equal"


@dataclass(frozen=True)
class Compared:
    """A file, or the rows of a table, and how it differs."""

    name: str
    status: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.status}{self.detail}"


def compare_export(console: Console, options: Options) -> int:
    """Name everything that differs; gives the exit code."""
    folder = Path(options.against or "").expanduser().absolute()
    if not folder.is_dir():
        raise SettingsError(f"There is no folder {folder}: --against names the folder of an export.")
    try:
        facts = read_manifest(folder)
    except ManifestError as error:
        return _end(console, [str(error)], {"files": 0, "tables": 0, "exit_code": DIFFERENT})
    files = [_compared(folder, record) for record in records(facts)]
    rows, why_not = _compared_rows(console, options, facts)
    different = [one for one in (*files, *rows) if one.status != EQUAL]
    for one in files:
        console.event("file", {"file": one.name, "status": one.status, "detail": one.detail.strip() or None})
    for one in rows:
        console.event("rows", {"table": one.name, "status": one.status, "detail": one.detail.strip() or None})
    console.paragraph("Differences", [str(one) for one in different])
    known = {NAME, *(one.name for one in files)}
    others = sorted(path.name for path in folder.iterdir() if path.name not in known)
    console.paragraph("Not in the manifest", others)
    if why_not:
        console.text()
        console.text(f"The rows were not compared with a destination: {why_not}")
    sums = {
        "files": len(files),
        "tables": len(rows),
        "differ": len(different),
        "made_at": facts["made_at"],
        "not_compared": why_not,
        "exit_code": DIFFERENT if different else 0,
    }
    return _end(console, [str(one) for one in different], sums)


def _end(console: Console, different: list[str], sums: dict[str, Any]) -> int:
    console.text()
    console.event("summary", sums)
    console.last(
        f"{counted(sums['files'], 'file')} compared with {NAME}, rows of {counted(sums['tables'], 'table')} with the"
        f" destination: {counted(len(different), 'difference')}."
    )
    if different:
        print_error(f"The export differs: {'; '.join(different)}.")
    return int(sums["exit_code"])


def _compared(folder: Path, record: FileRecord) -> Compared:
    path = folder / Path(record.file).name
    try:
        size = path.stat().st_size
        if size < record.bytes:
            return Compared(record.file, "is cut", f": {size:,} of {record.bytes:,} bytes")
        if size > record.bytes:
            return Compared(record.file, "is too long", f": {size:,} instead of {record.bytes:,} bytes")
        if sha256_of(path) != record.sha256:
            return Compared(record.file, "has other content", ": its SHA-256 differs")
    except FileNotFoundError:
        return Compared(record.file, "is missing")
    except OSError as error:
        return Compared(record.file, "cannot be read", f": {error.strerror}")
    return Compared(record.file, EQUAL)


def _compared_rows(
    console: Console, options: Options, facts: dict[str, Any]
) -> tuple[list[Compared], str | None]:
    """The tables of the export with the rows that the destination has now; or why there is none to look at."""
    try:
        with open_destination(options, console) as view:
            there = view.warehouse.columns(table["table"] for table in facts["tables"])
            found = {name: view.warehouse.count_all(name) for name in there}
    except SettingsError as error:
        return [], str(error)
    return [_compared_table(table["table"], table["rows"], found) for table in facts["tables"]], None


def _compared_table(table: str, rows: int, found: dict[str, int]) -> Compared:
    if table not in found:
        return Compared(table, "is not in the destination", f": {rows:,} rows in the export")
    if found[table] != rows:
        detail = f": {rows:,} in the export, {found[table]:,} in the destination"
        return Compared(table, "has another number of rows", detail)
    return Compared(table, EQUAL)

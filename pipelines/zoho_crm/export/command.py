"""The command `export`: one file a table and a manifest, all in place at once or not at all."""

from __future__ import annotations

import glob
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sources.zoho_crm.exceptions import SettingsError

from ..console import Console, counted
from ..monitoring.columns import TableColumns, table_columns
from ..monitoring.freshness import DestinationView, Freshness, FreshnessService, open_destination
from ..options import Options
from ..version import SCRIPT, VERSION
from .manifest import NAME, FileRecord, ManifestError, read_manifest, records, write_manifest
from .table_files import json_schema, write_rows

LEFTOVER = 24 * 60 * 60  # seconds after which nobody still works in a temporary folder
MEANWHILE = (
    "A run has loaded rows during the export, so its tables may be of different moments: export again when no run"
    " is in progress."
)
CONVENTIONS = {
    "parquet": "Types are those of the schemas; JSON is text, times are UTC.",
    "csv": (
        "UTF-8, a line of names first. Every text is in double quotes, a quote in it doubled; nothing between two"
        ' commas is null, "" is an empty text. Times are UTC, decimals exact, JSON is text.'
    ),
    "jsonl": (
        "UTF-8, one JSON object a line with every column. Decimals are exact numbers without zeros at their end;"
        " times are UTC."
    ),
}


def export_tables(console: Console, options: Options) -> int:
    """Write the folder, or leave what was there."""
    folder = Path(options.folder).expanduser().absolute()
    with open_destination(options, console) as view, replaced_folder(folder) as place:
        loads = _loads(view)
        facts = _facts(console, view, options, place)
        facts["changed_meanwhile"] = _loads(view) != loads
        manifest = write_manifest(place, facts)
    if facts["changed_meanwhile"]:
        console.text(MEANWHILE)
    sums = {
        "path": str(folder),
        "tables": len(facts["tables"]),
        "rows": sum(table["rows"] for table in facts["tables"]),
        "bytes": sum(table[part]["bytes"] for table in facts["tables"] for part in ("data", "schema")),
        "manifest_sha256": manifest.sha256,
        "changed_meanwhile": facts["changed_meanwhile"],
    }
    console.text()
    console.event("summary", sums)
    console.last(
        f"{counted(sums['tables'], 'table')}, {counted(sums['rows'], 'row')}, {sums['bytes']:,} bytes are in {folder};"
        f" the SHA-256 of its {NAME} is {manifest.sha256}."
    )
    return 0


def _facts(console: Console, view: DestinationView, options: Options, place: Path) -> dict[str, Any]:
    """Write the files; gives what the manifest says of them."""
    freshness = {table.table: table for table in FreshnessService(view, options).tables()}
    tables = table_columns(view)
    live = view.warehouse.count(tables)
    organisation = next(iter(view.rows("org", ["id", "zgid", "company_name"])), None)
    not_read = [
        {"module": row["api_name"], "reason": row["skip_reason"]}
        for row in view.rows("modules", ["api_name", "table_name", "skip_reason"])
        if not row["table_name"]
    ]
    return {
        "made_by": f"{SCRIPT} {VERSION}",
        "made_at": _iso(view.now),
        "from": view.place,
        "organisation": organisation,
        "format": options.file_format,
        "conventions": CONVENTIONS[options.file_format],
        "modules_without_table": not_read,
        "tables": [
            _export_table(console, view, table, options.file_format, place)
            | {"live_rows": live.get(table.table)}
            | _of_the_crm(freshness.get(table.table))
            for table in tables.values()
        ],
    }


def _export_table(
    console: Console, view: DestinationView, table: TableColumns, file_format: str, place: Path
) -> dict[str, Any]:
    path, described = place / f"{table.table}.{file_format}", place / f"{table.table}.schema.json"
    batches = view.warehouse.batches(table.table, [column.name for column in table.columns])
    rows = write_rows(batches, table.columns, file_format, path)
    described.write_text(
        json.dumps(json_schema(table), ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n"
    )
    written = FileRecord.of(path)
    console.text(f"{table.table}: {counted(rows, 'row')}, {written.bytes:,} bytes")
    console.event("file", {"table": table.table, "rows": rows, **asdict(written), "status": "written"})
    return {
        "table": table.table,
        "module": table.module,
        "label": table.label,
        "rows": rows,
        "data": asdict(written),
        "schema": asdict(FileRecord.of(described)),
        "fields_left_out": [asdict(field) for field in table.left_out],
    }


def _of_the_crm(table: Freshness | None) -> dict[str, Any]:
    """Zoho's own count, and the rows that the table had then."""
    if table is None:
        return {}
    return {
        "state": table.status,
        "last_success": _iso(table.last_success),
        "complete_until": _iso(table.until),
        "crm_count": table.crm_count,
        "crm_counted_at": _iso(table.counted_at),
        "rows_when_counted": table.table_count,
    }


def _loads(view: DestinationView) -> int | None:
    """How many loads there were; each run has some."""
    return view.warehouse.count(["_dlt_loads"]).get("_dlt_loads")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A folder beside it that takes its place when all is written. Raises SettingsError before, if it cannot.

    Only its owner may look into it.
    """
    _check(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _clear_leftovers(folder)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.part-", dir=folder.parent))
    except OSError as error:
        raise SettingsError(f"The folder {folder} cannot be written ({error.strerror}).") from None
    try:
        yield made
        _put_in_place(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check(folder: Path) -> None:
    """Nothing but an export is ever replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SettingsError(f"{folder} is a file: name a folder for the export.")
    try:
        known = {NAME, *(record.file for record in records(read_manifest(folder)))}
    except ManifestError:
        known = set()
    if others := sorted({path.name for path in folder.iterdir()} - known):
        raise SettingsError(
            f"The folder {folder} holds {others[0]}, which is not of an export: name one that does not exist."
        )


def _clear_leftovers(folder: Path) -> None:
    """Remove what killed exports have left."""
    for part in folder.parent.glob(f".{glob.escape(folder.name)}.part-*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > LEFTOVER:
                shutil.rmtree(part, ignore_errors=True)


def _put_in_place(made: Path, folder: Path) -> None:
    before = made.with_name(made.name.replace(".part-", ".before-"))
    try:
        if folder.exists():
            folder.rename(before)
        made.rename(folder)
    except OSError as error:
        if before.exists() and not folder.exists():
            before.rename(folder)
        raise SettingsError(
            f"The folder {folder} cannot be replaced ({error.strerror}): name one that does not exist."
        ) from None
    shutil.rmtree(before, ignore_errors=True)

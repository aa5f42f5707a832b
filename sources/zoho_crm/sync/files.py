"""The table `files`: one row a file of the CRM, where its copy is, or why there is none.

What there is to copy is in the destination's tables already, so listing it makes no call.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from .. import limits
from ..client.client import ZohoClient
from ..discovery.account_tables import ACCOUNT_TABLES
from ..discovery.catalog import PreviousState
from ..exceptions import (
    CredentialsError,
    CreditBudgetExceeded,
    DailyLimitError,
    NotAvailableError,
    Retriable,
    SettingsError,
    StorageError,
    ZohoConnectionError,
    ZohoCrmError,
    suggest,
)
from ..extract.file_store import FileStore
from ..extract.files import Copied, ZohoFile, copy_file, media_type
from ..models import Field, Module
from ..transform.column_types import INSTANT, ColumnType
from ..transform.parquet_writer import groups_of
from ..transform.privacy_rules import PrivacyRules
from ..transform.row_versions import DELETED_AT
from .warehouse import Warehouse

FILES = "files"
KEY = ("kind", "id")
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=name not in KEY) for name in (*KEY, "module", "record_id")),
        *(pa.field(name, pa.string()) for name in ("field", "name", "version", "state", "reason", "path")),
        pa.field("size", pa.int64()),
        pa.field("size_in_zoho", pa.int64()),
        *(pa.field(name, pa.string()) for name in ("type", "sha256", "folder")),
        pa.field("copied_at", INSTANT),
        DELETED_AT,
    ]
)
ATTACHMENTS, PHOTO = "Attachments", "Record_Image"
# Keys of a file in the value of a field: the CRM's, then Bigin's.
FIELD_KEYS = {
    "id": ("id", "attachment_Id"),
    "name": ("File_Name__s", "file_Name"),
    "size": ("Size__s", "file_Size"),
    "version": ("File_Id__s", "file_Id"),
}
UPLOADS = ("fileupload", "imageupload")
MOST_LOST = 10  # files in a row that no call brings: then Zoho, or the network, is down
MOST_REFUSED = 5  # files of a module's field that Zoho refuses in a row: then it refuses all
REFUSED_ALL = "Zoho has refused several files of this kind before it, so it was not asked for"
NO_RECORD = "its record is in no table: it is an e-mail's, or of a module or record that is not read"

Row = dict[str, Any]


@dataclass(frozen=True)
class FileChoice:
    """Whose files are copied, and how large they may be."""

    modules: frozenset[str] = frozenset()  # by API name; none: of all modules
    exclude: frozenset[str] = frozenset()
    most: int | None = None  # bytes
    rules: PrivacyRules = field(default_factory=PrivacyRules)  # hidden fields have no files

    def selects(self, module: str) -> bool:
        return (not self.modules or module in self.modules) and module not in self.exclude


@dataclass
class FileListing:
    """The files that the destination's tables tell of, and what became of them in earlier runs."""

    warehouse: Warehouse
    memory: PreviousState
    choice: FileChoice
    folder: str | None = None  # where the copies are to be; None: anywhere
    known: dict[tuple[str, str], Row] = field(default_factory=dict)
    pending: list[ZohoFile] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)  # rows of files that left the CRM, or are back
    distrusted: frozenset[str] = frozenset()  # paths of copies that are not as they were made

    def __post_init__(self) -> None:
        with self.warehouse.open_connection():
            self._there = self.warehouse.tables()
            if FILES in self._there:
                for part in self.warehouse.batches(FILES, SCHEMA.names):
                    self.known.update(((row["kind"], row["id"]), row) for row in part.to_pylist())

    def distrust(self, paths: Collection[str]) -> None:
        """These copies are not as they were made, and a file that was gone may be back: all are to be asked for again."""
        self.distrusted = frozenset(paths)
        for row in self.known.values():
            if row["path"] in self.distrusted or row["state"] == "gone":
                row["state"] = "failed"

    def look(self, now: datetime) -> FileListing:
        """Find what is to be copied. Raises SettingsError for a module that has no table."""
        self._check_modules()
        listed: set[tuple[str, str]] = set()
        with self.warehouse.open_connection():
            files = list(self._listed())
        for file in files:
            listed.add(file.key)
            row = self.known.get(file.key)
            if self._is_due(file, row):
                self.pending.append(file)
            elif row is not None and row["deleted_at"] is not None:
                self.changed.append({**row, "deleted_at": None})
        for key, row in self.known.items():
            if key not in listed and row["deleted_at"] is None and self._is_listed(row):
                self.changed.append({**row, "deleted_at": now})
        self.pending.sort(key=self._has_failed)  # last, so that they never keep others from being copied
        return self

    def _has_failed(self, file: ZohoFile) -> bool:
        row = self.known.get(file.key)
        return row is not None and row["state"] == "failed"

    def _check_modules(self) -> None:
        modules = self.memory.tables
        for name in sorted(self.choice.modules.difference(ACCOUNT_TABLES)):
            if name not in modules:
                near = suggest(name, modules)
                hint = f"; did you mean {near}?" if near else ""
                raise SettingsError(f"files: no module {name} was read into a table here{hint}")
        for name in (module for module, table in modules.items() if table == FILES):
            raise SettingsError(f"the module {name} has the table {FILES}: load it into another dataset")

    @property
    def bytes(self) -> int:
        """What is to come, as far as Zoho states the sizes."""
        return sum(file.size or 0 for file in self.pending)

    def _is_due(self, file: ZohoFile, row: Row | None) -> bool:
        if row is None or row["version"] != file.version or row["state"] == "failed":
            return True
        if (row["state"] == "skipped" and file.module) or (row["state"] == "gone" and row["deleted_at"]):
            return True
        if row["state"] == "too_large":
            size = max(row["size"] or 0, file.size or 0)
            return self.choice.most is None or 0 < size <= self.choice.most
        return row["state"] == "copied" and self.folder is not None and row["folder"] != self.folder

    def _is_listed(self, row: Row) -> bool:
        """Whether a file would be listed if it were there still."""
        if row["kind"] == "attachment":
            known, chosen = row["module"] is not None, not self.choice.modules
            return self._attachments is not None and (self.choice.selects(row["module"]) if known else chosen)
        table = self.memory.tables.get(row["module"], "")
        return self.choice.selects(row["module"]) and self._column(table, row["field"] or PHOTO) is not None

    # ---- what there is

    @property
    def _attachments(self) -> str | None:
        if ATTACHMENTS in self.choice.exclude:
            return None
        table = self.memory.tables.get(ATTACHMENTS)
        return table if table in self._there and self._column(table or "", "Parent_Id") else None

    def _listed(self) -> Iterator[ZohoFile]:
        yield from self._of_attachments()
        for module, table in self.memory.tables.items():
            if module == ATTACHMENTS or not self.choice.selects(module) or table not in self._there:
                continue
            yield from self._of_fields(module, table)
            yield from self._of_photos(module, table)

    def _of_attachments(self) -> Iterator[ZohoFile]:
        table = self._attachments
        if table is None:
            return
        names = ("id", "Parent_Id", "File_Name", "Size", "Modified_Time")
        columns = {name: column for name in names if (column := self._column(table, name)) is not None}
        rows = [row for part in self._rows(table, columns) for row in part]
        parents = self._modules_of({row["Parent_Id"] for row in rows if row["Parent_Id"]})
        for row in rows:
            module = parents.get(row["Parent_Id"] or "")
            if not self.choice.selects(module) if module else self.choice.modules:
                continue
            modified = row.get("Modified_Time")
            yield ZohoFile(
                "attachment",
                row["id"],
                module or "",
                self.memory.tables.get(module or "", ""),
                row["Parent_Id"] or "",
                row.get("File_Name") or row["id"],
                modified.isoformat() if isinstance(modified, datetime) else str(modified or ""),
                size=_number(row.get("Size")),
            )

    def _of_fields(self, module: str, table: str) -> Iterator[ZohoFile]:
        fields = [
            name
            for name, forms in self.memory.columns.get(table, {}).items()
            if forms[1] == ColumnType.OBJECTS.name
        ]
        shown = [name for name in fields if not any(self._is_hidden(module, name, kind) for kind in UPLOADS)]
        columns = {name: column for name in shown if (column := self._column(table, name)) is not None}
        if not columns:
            return
        for part in self._rows(table, {"id": "id", **columns}):
            for row in part:
                for name in columns:
                    yield from _files_in(row[name], module, table, row["id"], name)

    def _of_photos(self, module: str, table: str) -> Iterator[ZohoFile]:
        column = self._column(table, PHOTO)
        if column is None or self._is_hidden(module, PHOTO, "profileimage"):
            return
        for part in self._rows(table, {"id": "id", PHOTO: column}):
            for row in part:
                if row[PHOTO]:
                    yield ZohoFile("photo", row["id"], module, table, row["id"], "photo", row[PHOTO], PHOTO)

    def _modules_of(self, ids: set[str]) -> dict[str, str]:
        """The module of each of these records that is in a table."""
        found: dict[str, str] = {}
        for module, table in self.memory.tables.items():
            left = [id for id in ids if id not in found and id.isdecimal() and id.isascii()]
            if module == ATTACHMENTS or not left or "id" not in self._there.get(table, ()):
                continue
            path = self.warehouse.read(table, ["id"], ids=left)
            found.update((id, module) for part in groups_of(path) for id in part["id"].to_pylist())
            path.unlink()
        return found

    def _rows(self, table: str, columns: Mapping[str, str]) -> Iterator[list[Row]]:
        """Live rows with Zoho's names of their fields, in parts."""
        path = self.warehouse.read(table, list(columns.values()))
        for part in groups_of(path):
            yield part.rename_columns(list(columns)).to_pylist()
        path.unlink()

    def _column(self, table: str, api_name: str) -> str | None:
        forms = self.memory.columns.get(table, {}).get(api_name)
        return forms[0] if forms and forms[0] in self._there.get(table, ()) else None

    def _is_hidden(self, module: str, api_name: str, data_type: str) -> bool:
        rules, of, what = self.choice.rules, Module(module), Field(api_name, data_type)
        return rules.why_not(of, what) is not None or rules.masking_rule(of, what) is not None


def _files_in(value: Any, module: str, table: str, record_id: str, name: str) -> Iterator[ZohoFile]:
    """The files in the value of a field, which is JSON."""
    try:
        listed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict):
            continue
        found = {
            part: next((entry[key] for key in keys if entry.get(key) is not None), None)
            for part, keys in FIELD_KEYS.items()
        }
        if found["id"] is None or found["name"] is None:  # something else, such as a reminder
            continue
        version = str(found["version"] or "")
        yield ZohoFile(
            "field",
            str(found["id"]),
            module,
            table,
            record_id,
            str(found["name"]),
            version,
            name,
            _number(found["size"]),
        )


def _number(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


@dataclass
class FileCopier:
    """Copies the files of a listing, some at a time."""

    client: ZohoClient
    store: FileStore
    listing: FileListing
    _paths: dict[str, str] = field(default_factory=dict)  # by hash, of what is in the store
    _refused: Counter[tuple[str, str, str | None]] = field(
        default_factory=Counter
    )  # of a module's field, in a row
    _lost: int = 0  # files in a row that no call brought
    _locks: tuple[Lock, ...] = field(default_factory=lambda: tuple(Lock() for _ in range(256)))

    def __post_init__(self) -> None:
        for row in self.listing.known.values():
            if row["state"] == "copied" and row["folder"] == self.store.url:
                self._paths.setdefault(row["sha256"], row["path"])

    def rows(self) -> Iterator[Row]:
        """The rows that are new or changed, each as soon as its file is whole.

        Raises what ends all: a full folder, a refused account, a limit of credits, or a network that is down. What was
        copied by then is in rows before.
        """
        yield from self.listing.changed
        files = iter(self.listing.pending)
        with ThreadPoolExecutor(limits.CALLS_AT_ONCE) as pool:
            running: set[Future[Row]] = set()
            try:
                while True:
                    free = limits.CALLS_AT_ONCE - len(running)
                    running |= {pool.submit(self._row, file) for file in islice(files, free)}
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    errors = [error for one in done if (error := one.exception()) is not None]
                    if errors:  # no more begin; those under way end
                        done |= wait(running).done
                    yield from (one.result() for one in done if one.exception() is None)
                    if errors:
                        raise errors[0]
            finally:
                for one in running:
                    one.cancel()

    def _row(self, file: ZohoFile) -> Row:
        copied = self._copy(file)
        return {
            "kind": file.kind,
            "id": file.id,
            "module": file.module or None,
            "record_id": file.record_id,
            "field": file.field,
            "name": file.name,
            "version": file.version,
            "state": copied.state,
            "reason": copied.reason,
            "path": copied.path,
            "size": copied.size,
            "size_in_zoho": file.size,
            "type": copied.type,
            "sha256": copied.sha256,
            "folder": self.store.url if copied.path else None,
            "copied_at": self.client.now() if copied.path else None,
            "deleted_at": None,
        }

    def _copy(self, file: ZohoFile) -> Copied:
        if not file.module:
            return Copied("skipped", NO_RECORD)
        if self._refused[file.module, file.kind, file.field] >= MOST_REFUSED:
            return Copied("failed", REFUSED_ALL)
        return self._there(file) or self._download(file)

    def _download(self, file: ZohoFile) -> Copied:
        try:
            copied = copy_file(self.client, file, self.listing.choice.most, self._keep)
        except (StorageError, CredentialsError, CreditBudgetExceeded, DailyLimitError):
            raise
        except (ZohoConnectionError, Retriable) as error:
            self._lost += 1
            if self._lost >= MOST_LOST:
                raise
            return Copied("failed", str(error))
        except ZohoCrmError as error:
            if isinstance(error, NotAvailableError):
                self._refused[file.module, file.kind, file.field] += 1
            return Copied("failed", str(error))
        self._lost = self._refused[file.module, file.kind, file.field] = 0
        return copied

    def _there(self, file: ZohoFile) -> Copied | None:
        """A copy that is in the store: of a run that was killed before its row was, or moved there by somebody."""
        row = self.listing.known.get(file.key)
        copied = row if row and row["version"] == file.version and row["state"] == "copied" else None
        unknown = file.kind == "photo" or file.size is None or file.path in self.listing.distrusted
        if copied is None and unknown:
            return None
        path = copied["path"] if copied else file.path
        size = copied["size"] if copied else file.size
        if self.store.size(path) != size or (found := self.store.sha256(path)) is None:
            return None
        if copied is not None and found[1] != copied["sha256"]:
            return None
        self._paths.setdefault(found[1], path)
        return Copied("copied", None, path, size, found[1], media_type(path))

    def _keep(self, local: Path, sha256: str, own: str) -> str:
        """Put a file into the store, unless one with the same bytes is there."""
        with self._locks[int(sha256[:2], 16)]:
            path = self._paths.get(sha256)
            if path is None:
                self.store.put(local, own)
                path = self._paths[sha256] = own
        return path


def items_of(rows: Sequence[Row], warehouse: Warehouse) -> Any:
    """Rows as dlt is to load them; all of them where single rows cannot be changed."""
    columns: dict[str, Any] = {name: {"name": name, "primary_key": True, "nullable": False} for name in KEY}
    hints = dlt.mark.make_hints(
        write_disposition=warehouse.merge or "replace",
        columns=columns,
        table_format=cast(Any, warehouse.table_format),
    )
    return dlt.mark.with_hints(pa.Table.from_pylist(list(rows), schema=SCHEMA), hints)


def files_resource(rows: Callable[[], Iterator[Any]]) -> DltResource:
    """The resource of the table, by what hands its rows to dlt."""
    return dlt.resource(rows, name=FILES, write_disposition="merge", primary_key=list(KEY))

"""Writes the files of a project, and leaves alone what somebody else has made or changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sources.zoho_crm.exceptions import SettingsError

# The first line of a file of ours, with a hash of all that follows it.
MARK = re.compile(r"(?:--|#) Written by zoho-crm models \[([0-9a-f]{12})\][^\n]*\n")

Status = Literal["written", "unchanged", "kept", "removed"]


@dataclass(frozen=True)
class FileChange:
    """What became of a file; `kept` is one that is not ours any more."""

    file: str
    status: Status


def write_project(folder: Path, files: Mapping[str, str], own_folder: str) -> list[FileChange]:
    """Write the files below the folder, and remove those of ours that `own_folder` has besides.

    Raises SettingsError for a folder that cannot be written.
    """
    try:
        changes = [FileChange(name, _write(folder / name, body)) for name, body in files.items()]
        for path in sorted((folder / own_folder).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name not in files and path.is_file() and _is_ours(_text(path)):
                path.unlink()
                changes.append(FileChange(name, "removed"))
    except OSError as error:
        raise SettingsError(f"The folder {folder} cannot be written ({error.strerror}).") from None
    return changes


def _write(path: Path, body: str) -> Status:
    comment = "--" if path.suffix == ".sql" else "#"
    text = f"{comment} Written by zoho-crm models [{_hash(body)}]; once changed, it is left as it is.\n{body}"
    if path.exists():
        there = _text(path)
        if there == text:
            return "unchanged"
        if not _is_ours(there):
            return "kept"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
    return "written"


def _text(path: Path) -> str:
    """Whatever its encoding is: what is not UTF-8 is not ours."""
    return path.read_text(encoding="utf-8", errors="replace")


def _is_ours(text: str) -> bool:
    mark = MARK.match(text)
    return mark is not None and mark[1] == _hash(text[mark.end() :])


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:12]

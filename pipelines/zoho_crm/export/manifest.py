"""`manifest.json`: what an export holds, so that anybody can prove later that it is whole and unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "manifest.json"
CHUNK = 1 << 20


class ManifestError(Exception):
    """The manifest is missing, damaged or was changed; the sentence says which."""


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was written."""

    file: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        return cls(path.name, path.stat().st_size, sha256_of(path))


def sha256_of(path: Path) -> str:
    """The hash of a file that may be larger than the memory."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> FileRecord:
    """Write it with a hash of itself."""
    path = folder / NAME
    text = json.dumps({**facts, "sha256": _own_hash(facts)}, ensure_ascii=False, indent=2)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return FileRecord.of(path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises ManifestError for one that is not what was written."""
    try:
        facts = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{NAME} is missing") from None
    except (OSError, ValueError) as error:
        raise ManifestError(f"{NAME} cannot be read ({type(error).__name__})") from None
    if not isinstance(facts, dict) or facts.pop("sha256", None) != _own_hash(facts):
        raise ManifestError(f"{NAME} is not as it was written")
    return facts


def records(facts: Mapping[str, Any]) -> list[FileRecord]:
    """The files of the tables, each with its schema behind it."""
    return [FileRecord(**table[part]) for table in facts["tables"] for part in ("data", "schema")]


def _own_hash(facts: Mapping[str, Any]) -> str:
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

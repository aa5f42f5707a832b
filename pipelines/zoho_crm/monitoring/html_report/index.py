"""The page that leads to the pages of many accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from sources.zoho_crm.redaction import redact

from . import import_page, replaced_file


@dataclass(frozen=True)
class IndexRow:
    """One account."""

    account: str
    state: str
    sentence: str
    place: str
    page: str | None  # the name of its file, if there is one


def write_index(folder: Path, rows: Sequence[IndexRow]) -> Path:
    """Write index.html beside the pages; returns its path. Raises SettingsError."""
    page = import_page()
    path = folder / "index.html"
    with replaced_file(path) as file:
        text = page.fill("index.html", datetime.now(timezone.utc), rows=rows)
        file.write(redact(text))
    return path

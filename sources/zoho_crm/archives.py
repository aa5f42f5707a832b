"""Where the archive of a Bulk Read job is put: on the disk, or in memory if it may not be written as it is."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

from .archive import Archive
from .client import ZohoClient
from .jobs import Job
from .journal import PART, Chapter
from .plan import Plan


def place_of(plan: Plan, job: Job, chapter: Chapter | None, folder: Path) -> Archive:
    """Beside the journal where there is one, so that a later run finds it."""
    if plan.secret:
        return BytesIO()
    return chapter.archive(job.id) if chapter else folder / "page.zip"


def is_there(archive: Archive) -> bool:
    return isinstance(archive, Path) and archive.exists()


def throw_away(archive: Archive) -> None:
    """Nobody is to read it again."""
    if isinstance(archive, Path):
        with suppress(OSError):
            archive.unlink(missing_ok=True)


def bring(client: ZohoClient, url: str, archive: Archive) -> None:
    """Download it. A file of that name is whole: a killed run leaves its torn one under another."""
    if isinstance(archive, BytesIO):
        archive.seek(0)
        archive.truncate()
        client.download(url, archive)
        return
    part = archive.with_suffix(PART)
    client.download(url, part)
    part.replace(archive)

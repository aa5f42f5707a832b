"""Copies one file of the CRM: an attachment, a file of an upload field, or the photo of a record."""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal

from ..client.client import ZohoClient
from ..exceptions import Fatal, FileTooLarge
from .file_store import CHUNK, clean_name, safe_name

Kind = Literal["attachment", "field", "photo"]
State = Literal["copied", "too_large", "gone", "link", "skipped", "failed"]
# Zoho's answers for an attachment that is a link, and for a file that is not there.
NOT_A_FILE, NO_SUCH_FILE = "DOWNLOAD_NOT_ALLOWED", "INVALID_DATA"
NO_SUCH_CALL = "INVALID_URL_PATTERN"  # with 404, which says nothing of the file
# The formats that Zoho takes for photos, by their first bytes; the call tells no name.
IMAGES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp"}


@dataclass(frozen=True)
class ZohoFile:
    """A file as Zoho's records tell of it."""

    kind: Kind
    id: str  # of the attachment, of the value of the field, or of the record whose photo it is
    module: str
    table: str
    record_id: str
    name: str
    version: str  # changes when the file does
    field: str | None = None
    size: int | None = None  # that Zoho states

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.id

    @property
    def path(self) -> str:
        """Where it goes: `deals/<record>/<name>-<mark>.pdf`. No other file, and no other version, has the same path."""
        mark = sha256(f"{self.kind} {self.id} {self.version}".encode()).hexdigest()[:10]
        return f"{self.table}/{clean_name(self.record_id)}/{safe_name(self.name, mark)}"


@dataclass(frozen=True)
class Copied:
    """What became of a file."""

    state: State
    reason: str | None = None
    path: str | None = None
    size: int | None = None
    sha256: str | None = None
    type: str | None = None


def copy_file(
    client: ZohoClient, file: ZohoFile, most: int | None, keep: Callable[[Path, str, str], str]
) -> Copied:
    """Download a file, and have it kept.

    Args:
        client: Asks Zoho; one credit, if it is not refused.
        file: Which.
        most: The bytes that it may have; None: any.
        keep: Takes the local file, its hash and its path; gives the path of a file with this hash.

    Raises:
        StorageError, OSError: It is not kept.
        ZohoCrmError: Zoho did not bring it.
    """
    if most is not None and (file.size or 0) > most:
        return Copied("too_large", f"{file.size:,} bytes by Zoho's record", size=file.size)
    with tempfile.NamedTemporaryFile(dir=client.context.temp_dir, prefix="file-") as local:
        try:
            sizes = _sizes(client, file, local, most)
        except FileTooLarge as error:
            return Copied("too_large", "larger than the limit, whatever Zoho's record says", size=error.size)
        except Fatal as error:
            if error.code == NOT_A_FILE:
                return Copied("link", "a link, which has no file")
            if error.code == NO_SUCH_FILE or (error.status == 404 and error.code != NO_SUCH_CALL):
                return Copied("gone", str(error))
            raise
        if not sizes:
            return Copied("gone", "Zoho has no such file")
        if file.size not in (None, sizes[-1]) and sizes[0] != sizes[-1]:
            told = " and then ".join(f"{size:,}" for size in sizes)
            return Copied("failed", f"{told} bytes came instead of {file.size:,}")
        return _kept(file, Path(local.name), keep)


def _sizes(client: ZohoClient, file: ZohoFile, target: IO[bytes], most: int | None) -> list[int]:
    """Download it, and once more if it has not the size that Zoho states; none if there is no such file.

    A row may state an old size, so a size that comes twice is believed.
    """
    sizes: list[int] = []
    while len(sizes) < 2 and (not sizes or file.size not in (None, sizes[-1])):
        target.seek(0)
        target.truncate()
        if not _download(client, file, target, most):
            return []
        target.flush()
        sizes.append(target.tell())
    return sizes


def _download(client: ZohoClient, file: ZohoFile, target: IO[bytes], most: int | None) -> bool:
    record = f"{file.module}/{file.record_id}"
    if file.kind == "attachment":
        return client.download_file(f"{record}/Attachments/{file.id}", target, most=most)
    if file.kind == "photo":
        return client.download_file(f"{record}/photo", target, most=most)
    params = {"fields_attachment_id": file.id}
    return client.download_file(f"{record}/actions/download_fields_attachment", target, params, most)


def _kept(file: ZohoFile, local: Path, keep: Callable[[Path, str, str], str]) -> Copied:
    size, found, head = 0, sha256(), b""
    with local.open("rb") as content:
        while chunk := content.read(CHUNK):
            head = head or chunk[:8]
            found.update(chunk)
            size += len(chunk)
    suffix = next((suffix for start, suffix in IMAGES.items() if head.startswith(start)), "")
    own = f"{file.path}{suffix}" if file.kind == "photo" else file.path
    path = keep(local, found.hexdigest(), own)
    return Copied("copied", None, path, size, found.hexdigest(), media_type(path))


def media_type(path: str) -> str | None:
    """By the suffix of its name."""
    return mimetypes.guess_type(path)[0]

"""The folder or bucket that files are copied into, by fsspec, with the credentials of dlt's filesystem source."""

from __future__ import annotations

import errno
import re
import unicodedata
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.storages import FilesystemConfiguration, fsspec_from_config

from ..exceptions import SettingsError, StorageError

SECTIONS = ("sources", "filesystem")  # where dlt's own filesystem source looks for credentials
IN_PLACE = frozenset(
    {"file", "local", "sftp", "ssh", "ftp", "smb"}
)  # show a file while it is written; buckets don't
TOLD_BY_ITSELF = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
CHUNK = 1 << 20
LONGEST_STEM, LONGEST_SUFFIX = 120, 20  # bytes; file systems take 255 for a name
UNSEEN = frozenset({"Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # categories of Unicode
BAD_LETTERS = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


class FileStore:
    """A folder or bucket; what has a name in it is whole."""

    def __init__(self, url: str) -> None:
        """`url` is a path or what fsspec knows, such as `s3://bucket/folder`. Raises SettingsError."""
        try:
            config = resolve_configuration(FilesystemConfiguration(bucket_url=url), sections=SECTIONS)
            self._fs, self._root = fsspec_from_config(config)
        except Exception as error:  # noqa: BLE001 - whatever the library of a bucket raises while it connects
            told = " ".join(str(error).split())
            raise SettingsError(f"The folder {shown(url)} cannot be used: {told}") from None
        if config.is_local_filesystem:
            self._root = FilesystemConfiguration.make_local_path(config.bucket_url)
        self.url = self._root if config.is_local_filesystem else shown(config.bucket_url).rstrip("/")
        self._renames = config.protocol in IN_PLACE

    def put(self, local: Path, path: str) -> None:
        """Copy a file under a name, all of it or nothing. Raises StorageError, and OSError if there is no room."""
        whole = self._place(path)
        made = f"{whole.rpartition('/')[0]}/.part-{whole.rpartition('/')[2]}" if self._renames else whole
        try:
            if self._renames:
                self._fs.makedirs(whole.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(local), made)
            if (there := self._fs.size(made)) != local.stat().st_size:
                raise StorageError(f"{there} of {local.stat().st_size:,} bytes arrived")
            if self._renames:
                self._fs.mv(made, whole)
        except BaseException as error:
            with suppress(Exception):
                self._fs.rm_file(made)
            if not isinstance(error, Exception) or getattr(error, "errno", None) in TOLD_BY_ITSELF:
                raise
            raise StorageError(f"{self.url} does not take {path}: {told_by(error)}") from error

    def sha256(self, path: str) -> tuple[int, str] | None:
        """The bytes that a file has, and their hash; None if there is none. Raises StorageError."""
        try:
            found, size = sha256(), 0
            with self._fs.open(self._place(path), "rb") as file:
                while chunk := file.read(CHUNK):
                    found.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise StorageError(f"{self.url} does not give {path}: {told_by(error)}") from error
        return size, found.hexdigest()

    def size(self, path: str) -> int | None:
        """The bytes that a file has; None if there is none. Raises StorageError."""
        try:
            return int(self._fs.size(self._place(path)))
        except FileNotFoundError:
            return None
        except Exception as error:
            raise StorageError(f"{self.url} does not give {path}: {told_by(error)}") from error

    def _place(self, path: str) -> str:
        return f"{str(self._root).rstrip('/')}/{path}"


def shown(url: str) -> str:
    """A URL without the password in it."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.password:
            return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")).geturl()
    return url


def told_by(error: Exception) -> str:
    """What an error of somebody's library says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def clean_name(name: str) -> str:
    """Without letters that are special somewhere, that cannot be seen, or that turn the writing around: they are `_`."""
    letters = (
        "_" if BAD_LETTERS.match(letter) or unicodedata.category(letter) in UNSEEN else letter
        for letter in unicodedata.normalize("NFC", name)
    )
    return "".join(letters).strip(" .") or "file"


def safe_name(name: str, mark: str) -> str:
    """A name that every file system takes: that of the file, with a mark before its suffix, so that no two are equal."""
    path = PurePosixPath(clean_name(name))
    stem, suffix = path.stem, path.suffix
    if len(suffix.encode()) > LONGEST_SUFFIX:
        stem, suffix = stem + suffix, ""
    stem = stem.encode()[:LONGEST_STEM].decode(errors="ignore").rstrip(" .")
    return f"{stem}-{mark}{suffix}"

"""Writes a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sources.zoho_crm.exceptions import SettingsError


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """A file that takes the place of the path when all is written. Raises SettingsError before, if it can't."""
    if path.is_dir():
        raise SettingsError(f"--output {path} is a folder: name a file.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise SettingsError(f"--output {path} cannot be written ({error.strerror}).") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        Path(name).chmod(0o666 & ~_umask())  # mkstemp's own mode is its owner's only
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

"""Writes a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sources.zoho_crm.errors import SettingsError


def write_atomically(path: Path, text: str) -> Path:
    """Raises SettingsError where the file cannot be written; returns where it is."""
    path = path.absolute()
    try:
        if path.is_dir():
            raise SettingsError(f"--output {path} is a folder: name a file.")
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o666 & ~_umask())  # mkstemp's own mode is its owner's only
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"--output {path} cannot be written ({error.strerror}).") from error
    return path


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

"""The page of `report`: one HTML file about all runs, which loads nothing from anywhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TextIO

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.redaction import redact

from ...options import Options
from ..freshness import DestinationView, Headline

EXTRA = ("jinja2", "vl_convert")


def write_page(view: DestinationView, options: Options) -> tuple[Path, Headline]:
    """Write the page; returns its path and its headline. Raises SettingsError without the libraries."""
    page_module = import_page()
    path = Path(options.output).expanduser().absolute()
    with replaced_file(path) as file:
        page = page_module.collect_page(view, options)
        file.write(redact(page_module.render(page)))
    return path, page.headline


def import_page() -> ModuleType:
    """What fills the templates. Raises SettingsError without its libraries."""
    try:
        from . import page
    except ModuleNotFoundError as missing:
        if missing.name not in EXTRA:
            raise
        raise SettingsError(
            f"report needs a library that is not installed ({missing.name}): run `make setup`, or"
            ' pip install "jinja2>=3.1.6" "vl-convert-python>=1.7".'
        ) from None
    return page


@contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
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

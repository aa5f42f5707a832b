"""One run of a pipeline at a time: a lock that a dead process gives back, and that nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sources.zoho_crm.errors import SettingsError

from .failures import Busy


def lock_file(pipelines_dir: str, name: str) -> Path:
    """Beside the pipeline's working folder: dlt empties the folder itself now and then."""
    return Path(pipelines_dir) / f"{name}.lock"


@contextmanager
def alone(pipelines_dir: str, name: str) -> Iterator[None]:
    """Hold the pipeline's lock. Raises Busy if another process holds it."""
    path = lock_file(pipelines_dir, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(blocking=False)
    except Timeout:
        raise Busy(f"Another run of the pipeline {name} is in progress; nothing was done.") from None
    except OSError as error:
        raise SettingsError(
            f"The pipelines dir {pipelines_dir} cannot be used ({error.strerror}): name another with --pipelines-dir."
        ) from None
    try:
        yield
    finally:
        lock.release()

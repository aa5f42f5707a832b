"""One run at a time, of a pipeline and into a dataset: locks that a dead process gives back, and nobody waits for."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.processes import is_alive

from ..errors import PipelineBusy


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as the note beside it says."""

    process: int
    machine: str
    folder: str
    since: datetime
    command: str = "run"

    def __str__(self) -> str:
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"process {self.process} on {self.machine}, in {self.folder}, since {since}"

    @property
    def is_alive(self) -> bool:
        """Whether the process may still be there; of another machine nobody knows."""
        return self.machine != socket.gethostname() or is_alive(self.process)


def lock_file(pipelines_dir: str, name: str) -> Path:
    """Beside the pipeline's working folder, which a run empties."""
    return Path(pipelines_dir) / f"{name}.lock"


def dataset_lock_file(database: Path, dataset: str) -> Path:
    """Beside the DuckDB file, so that it is the same one for every user and folder."""
    return database.with_name(f".{database.name}.{dataset}.lock")


def holder_of(lock: Path) -> Holder | None:
    """Who holds the lock, or died while holding it: the note goes when the lock is given back."""
    try:
        told: dict[str, Any] = json.loads(_note(lock).read_text(encoding="utf-8"))
        return Holder(**{**told, "since": datetime.fromisoformat(told["since"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


@contextmanager
def pipeline_lock(pipelines_dir: str, name: str, command: str = "run") -> Iterator[Holder | None]:
    """Hold the pipeline's lock. Raises PipelineBusy if another process holds it.

    Gives the holder before, if that one died with the lock.
    """
    path = lock_file(pipelines_dir, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _taken(path)
    except OSError as error:
        raise SettingsError(
            f"The pipelines dir {pipelines_dir} cannot be used ({error.strerror}): name another with --pipelines-dir."
        ) from None
    if lock is None:
        raise PipelineBusy(f"Another run of the pipeline {name} is in progress{_by(path)}; nothing was done.")
    before = holder_of(path)
    with _noted(lock, path, command):
        yield before


@contextmanager
def database_lock(database: Path | None, dataset: str, command: str = "run") -> Iterator[None]:
    """Hold the lock of a dataset in a DuckDB file, if it is one. Raises PipelineBusy if another process holds it."""
    with ExitStack() as stack:
        if database is not None and database.parent.is_dir():
            path = dataset_lock_file(database.resolve(), dataset)
            with suppress(OSError):  # nothing can be written there, which DuckDB will say
                lock = _taken(path)
                if lock is None:
                    raise PipelineBusy(
                        f"Another run into the dataset {dataset} of {database} is in progress{_by(path)};"
                        " nothing was done."
                    )
                stack.enter_context(_noted(lock, path, command))
        yield


def _taken(path: Path) -> FileLock | None:
    """The lock, or None if another process has it. Raises OSError."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock


@contextmanager
def _noted(lock: FileLock, path: Path, command: str) -> Iterator[None]:
    """A note beside the lock says who holds it, as long as it is held."""
    note = _note(path)
    holder = Holder(os.getpid(), socket.gethostname(), str(Path.cwd()), datetime.now(timezone.utc), command)
    with suppress(OSError):
        note.write_text(json.dumps(asdict(holder), default=str), encoding="utf-8")
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


def _note(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}.holder")


def _by(path: Path) -> str:
    holder = holder_of(path)
    return f" ({holder})" if holder else ""

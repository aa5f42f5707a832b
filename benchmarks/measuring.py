"""Runs a command as a process of its own: seconds, CPU seconds and peak memory, as the system counts them."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .served import ROOT


@dataclass(frozen=True)
class Figures:
    """One run: from before the interpreter starts until it has ended."""

    seconds: float
    cpu: float
    peak_mb: float
    disk_mb: float = 0.0
    said: str = ""


def run(command: Sequence[str], folder: Path, **variables: str) -> Figures:
    """Raises RuntimeError with what the command said if it fails."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        **variables,
    }
    with tempfile.TemporaryFile("w+") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(list(command), cwd=folder, env=environment, stdout=said, stderr=said)
        disk = Disk(folder)
        disk.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        disk.ended.set()
        disk.join()
        said.seek(0)
        words = said.read()
    if process.returncode:
        told = " ".join(command)[:200]
        raise RuntimeError(f"{told} ended with {process.returncode}: {words[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(seconds, cpu, usage.ru_maxrss / 1024, disk.most / 1e6, words)


class Disk(threading.Thread):
    """The most that a folder held, looked at four times a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.most, self.ended = folder, 0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.25):
            inodes: dict[int, int] = {}
            for place, _, names in os.walk(self.folder):  # which passes over what is gone meanwhile
                for name in names:
                    with suppress(OSError):
                        info = Path(place, name).lstat()
                        inodes[info.st_ino] = info.st_size  # a linked file counts once
            self.most = max(self.most, sum(inodes.values()))


def median(runs: Sequence[Figures]) -> Figures:
    """Of each figure its own median."""
    keys = ("seconds", "cpu", "peak_mb", "disk_mb")
    return Figures(**{key: statistics.median(getattr(r, key) for r in runs) for key in keys})


def machine() -> Mapping[str, Any]:
    """What the figures were taken on."""
    import platform

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }

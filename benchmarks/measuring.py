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
    tree_mb: float = 0.0  # of the process and its children at one time


def run(command: Sequence[str], folder: Path, *, tree: bool = False, **variables: str) -> Figures:
    """Raises RuntimeError with what the command said if it fails; `tree` measures its children as well."""
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
        memory = Memory(process.pid, disk.ended)
        if tree:
            memory.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        disk.ended.set()
        disk.join()
        if tree:
            memory.join()
        said.seek(0)
        words = said.read()
    if process.returncode:
        told = " ".join(command)[:200]
        raise RuntimeError(f"{told} ended with {process.returncode}: {words[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Figures(seconds, cpu, usage.ru_maxrss / 1024, disk.most / 1e6, words, memory.most / 1e6)


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


class Memory(threading.Thread):
    """The most that a process and its children held together, by Linux's /proc, looked at four times a second.

    Pages that several of them share count once.
    """

    def __init__(self, pid: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.ended = pid, 0, ended

    def run(self) -> None:
        while not self.ended.wait(0.25):
            self.most = max(self.most, sum(map(_memory_of, _tree(self.pid))))


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        found = [int(one) for file in children for one in file.read_text().split()]
    except OSError:
        return []
    return [pid, *(one for child in found for one in _tree(child))]


def _memory_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


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

"""One process for each account, some at a time; what they say is passed on line by line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from ..errors import FAILED, INTERRUPTED

ROOT = Path(__file__).parents[3]
Stream = Literal["out", "err"]


@dataclass(frozen=True)
class Job:
    """What one process is to do. Its environment holds the settings, secrets among them: others see no command line."""

    name: str
    command: str
    environment: Mapping[str, str]


@dataclass
class Ended:
    """How a process ended."""

    name: str
    code: int
    seconds: float = 0.0
    last: dict[Stream, str] = field(default_factory=dict)  # the last line of each stream
    started: bool = True


class Processes:
    """Runs jobs side by side, and those of one group one after the other.

    `tell` gets each line as it comes, and `told` the name of a job that has ended; by one thread at a time. A signal stops all: see `stop` and `kill`.
    """

    def __init__(self, tell: Callable[[str, Stream, str], None], told: Callable[[str], None]) -> None:
        self._tell, self._told = tell, told
        self._running: set[subprocess.Popen[str]] = set()
        self._starting, self._telling = threading.RLock(), threading.Lock()
        self._stopping = False
        self._broken: Exception | None = None  # why nothing more can be told

    def run(self, groups: Sequence[Sequence[Job]], parallel: int) -> dict[str, Ended]:
        """How each job ended. Raises what `tell` raised, once all have ended."""
        with ThreadPoolExecutor(parallel) as pool:
            try:
                futures = [pool.submit(self._run_group, group) for group in groups]
                ended = [one for future in futures for one in future.result()]
            except BaseException:
                self.stop()
                raise
        if self._broken is not None:
            raise self._broken
        return {one.name: one for one in ended}

    def stop(self) -> None:
        """Let each end cleanly, and start no more."""
        self._stopping = True
        self._each(lambda process: process.terminate())

    def kill(self) -> None:
        """End each at once."""
        self._stopping = True
        self._each(lambda process: process.kill())

    def _each(self, do: Callable[[subprocess.Popen[str]], None]) -> None:
        with self._starting:
            for process in self._running:
                with suppress(OSError):
                    do(process)

    def _run_group(self, group: Sequence[Job]) -> list[Ended]:
        return [self._run(job) for job in group]

    def _run(self, job: Job) -> Ended:
        begun = time.monotonic()
        with self._starting:
            if self._stopping:
                return Ended(job.name, INTERRUPTED, started=False)
            process = _start(job)
            self._running.add(process)
        ended = Ended(job.name, FAILED)
        with process:
            readers = [
                threading.Thread(
                    target=self._pass_on, args=(ended, stream, pipe), name=f"{stream} {job.name}"
                )
                for stream, pipe in _pipes(process)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            process.wait()
        with self._starting:
            self._running.discard(process)
        ended.seconds = time.monotonic() - begun
        ended.code = process.returncode
        if ended.code < 0:
            ended.last["err"] = f"The process was ended by signal {-ended.code}."
            ended.code = FAILED
        self._say(self._told, job.name)
        return ended

    def _pass_on(self, ended: Ended, stream: Stream, pipe: IO[str]) -> None:
        for line in pipe:
            text = line.rstrip("\n")
            if text.strip():
                ended.last[stream] = text
            self._say(self._tell, ended.name, stream, text)

    def _say(self, tell: Callable[..., None], *words: str) -> None:
        """What is read after standard output has failed goes nowhere, so that no process waits."""
        with self._telling:
            if self._broken is None:
                try:
                    tell(*words)
                except Exception as error:  # noqa: BLE001 - raised again when all have ended
                    self._broken = error
                    self.stop()


def _pipes(process: subprocess.Popen[str]) -> Iterator[tuple[Stream, IO[str]]]:
    assert process.stdout is not None
    assert process.stderr is not None
    yield "out", process.stdout
    yield "err", process.stderr


def _start(job: Job) -> subprocess.Popen[str]:
    """In a session of its own: a Ctrl-C reaches this process alone, which tells each of the others once."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.zoho_crm", job.command],
        env={**job.environment, **_importable()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        bufsize=1,
        start_new_session=True,
    )


def _importable() -> dict[str, str]:
    """The same code as this process has, wherever it was started; and UTF-8 between the two."""
    path = os.environ.get("PYTHONPATH")
    given = {"PYTHONIOENCODING": "utf-8"}
    if ROOT.name in ("site-packages", "dist-packages"):
        return given
    return {**given, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), path)))}

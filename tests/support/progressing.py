"""A run in a process of its own that waits at a call of Zoho's for as long as a test wants it to."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulators.zoho_crm import Org
from tests.pipelines.zoho_crm.test_process import environment

MODULES = "GET /crm/v8/settings/modules"


@contextmanager
def stopped_at(
    org: Org, route: str = MODULES, nth: int = 1
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The nth call of a route waits: the events are that it has come, and that it may go on."""
    come, go, seen = threading.Event(), threading.Event(), []
    take = org.faults.take

    def waiting(name: str, module: str | None) -> Any:
        if name == route:
            seen.append(name)
            if len(seen) == nth:
                come.set()
                go.wait()
        return take(name, module)

    org.faults.take = waiting  # type: ignore[method-assign]
    try:
        yield come, go
    finally:
        go.set()
        org.faults.take = take  # type: ignore[method-assign]


@contextmanager
def in_progress(
    org: Org, folder: Path, connection: str, *words: str, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """A run that is in the middle while the block lasts, and goes to its end afterwards."""
    with stopped_at(org) as (come, go):
        process = start(folder, "--connection", connection, *words, **more)
        try:
            while not come.wait(0.1):
                assert process.poll() is None, process.communicate()
            yield process
        finally:
            go.set()
            process.said, process.complaint = process.communicate()  # type: ignore[attr-defined]


def start(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.zoho_crm", *words],
        cwd=folder,
        env=environment(folder, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def this_machine() -> str:
    return socket.gethostname()


@contextmanager
def at_call(org: Org, route: str, do: Callable[[], None], nth: int = 1) -> Iterator[None]:
    """Something happens at the nth call of a route, before it is answered."""
    take, seen, lock = org.faults.take, [], threading.Lock()

    def doing(name: str, module: str | None) -> Any:
        with lock:
            if name == route:
                seen.append(name)
                if len(seen) == nth:
                    do()
        return take(name, module)

    org.faults.take = doing  # type: ignore[method-assign]
    try:
        yield
    finally:
        org.faults.take = take  # type: ignore[method-assign]
    assert len(seen) >= nth

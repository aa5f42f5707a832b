"""Runs a pipeline in a process of its own that dies in the middle, as by kill -9."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import dlt
import requests
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from simulators.zoho_crm import Org
from sources.zoho_crm.client.throttling import RetryPolicy

HUNG = 120  # seconds until a child that hangs is killed, which is a death like any other


@dataclass
class RemoteTime:
    """Time of the parent's org, as the child sees it: what it waits moves the parent's clock."""

    send: int
    receive: int
    _now: float = 0.0
    _lock: Any = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
            os.write(self.send, struct.pack("<cd", b"s", seconds))
            os.read(self.receive, 1)

    def monotonic(self) -> float:
        with self._lock:
            return self._now

    def retry_policy(self) -> RetryPolicy:
        return RetryPolicy(sleep=self.sleep, monotonic=self.monotonic, backoff=0)


def run_and_kill(org: Org, run: Callable[[RetryPolicy], int], moment: int) -> int | None:
    """The exit code of a run that was over before the moment came, or None."""
    to_parent, to_child = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        # The simulator's threads only wait meanwhile, and the child never returns to what Python warns of.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _in_child(run, moment, RemoteTime(to_parent[1], to_child[0]))
    os.close(to_parent[1])
    os.close(to_child[0])
    try:
        with os.fdopen(to_parent[0], "rb") as messages, os.fdopen(to_child[1], "wb", 0) as answers:
            while kind := messages.read(1):
                if kind == b"e":
                    return _ended(pickle.loads(messages.read()))
                org.clock.advance(seconds=struct.unpack("<d", messages.read(8))[0])
                answers.write(b".")
    finally:
        os.waitpid(child, 0)
    return None


def _ended(how: int | str) -> int:
    assert isinstance(how, int), f"the run raised:\n{how}"
    return how


def _in_child(run: Callable[[RetryPolicy], int], moment: int, time: RemoteTime) -> NoReturn:
    try:
        signal.alarm(HUNG)
        _die_at(moment)
        how: int | str = run(time.retry_policy())
    except BaseException:  # noqa: BLE001 - the parent judges it
        how = traceback.format_exc()
    try:
        with os.fdopen(time.send, "wb") as messages:
            messages.write(b"e" + pickle.dumps(how))
    finally:
        os._exit(0)


def _die_at(moment: int) -> None:
    """Kill this process at the moment-th of: a call before it is sent, a call after its answer, a commit,
    a file copied into the database, the end of a load package."""
    left, lock = [moment], threading.Lock()

    def tick() -> None:
        with lock:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, name: str, *, before: bool = False) -> None:
        inner = getattr(owner, name)

        def ticking(*args: Any, **kwargs: Any) -> Any:
            if before:
                tick()
            result = inner(*args, **kwargs)
            tick()
            return result

        setattr(owner, name, ticking)

    around(requests.Session, "send", before=True)
    around(DuckDbSqlClient, "commit_transaction")
    around(DuckDbCopyJob, "run")
    around(dlt.Pipeline, "run")

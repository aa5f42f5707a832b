"""The standard streams, which may be closed, on a full disk, or a pipe that nobody reads any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from .safe_text import redact
from .wrapping import columns_of, wrapped

STREAMS = ("stdin", "stdout", "stderr")


class OutputError(Exception):
    """Standard output takes nothing more."""


def open_streams() -> None:
    """A closed stream becomes one that swallows what is said, and no file gets its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) < len(STREAMS):
        pass
    os.close(number)
    for name in STREAMS[1:]:
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may not know every letter


@contextmanager
def printing() -> Iterator[None]:
    """Raises Unwritable for what the system says of standard output; a closed pipe stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"Standard output cannot be written ({error.strerror}).") from None


def remark(line: str) -> None:
    """A line on standard error, if that takes it: the exit code tells as well."""
    with suppress(OSError):
        told = wrapped(redact(line), columns_of(sys.stderr))
        sys.stderr.write("".join(f"{part}\n" for part in told))


def flushed() -> None:
    """Write what still waits; Python would do it when no sentence can be said any more. Raises as `printing`."""
    with suppress(OSError):
        sys.stderr.flush()
    with printing():
        sys.stdout.flush()


def swallow() -> None:
    """Let what a broken stream still holds go nowhere, so that Python ends with our exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _redirect_to_devnull(stream)


def _redirect_to_devnull(stream: TextIO) -> None:
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

"""Runs a command on a terminal of its own, and shows what a person sees there at any moment."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable

import pyte

from tests.test_command_process import environment


class Terminal:
    """A command on a terminal; reading it goes on until something is seen, or the command has ended."""

    def __init__(self, folder, *words, rows=24, columns=100, **more):
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        given = environment(folder, TERM="xterm-256color", **more)
        for name in ("COLUMNS", "LINES", *(() if "NO_COLOR" in more else ("NO_COLOR",))):
            given.pop(name, None)
        command = [sys.executable, "-m", "pipelines.zoho_crm", *words]
        self.pid, self.fd = pty.fork()
        if not self.pid:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background
            os.chdir(folder)
            os.execve(sys.executable, command, given)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.fd, keys)

    def until(self, seen: Callable[[list[str]], bool]):
        """The screen as soon as it is so; fails if the command ends before."""
        end = time.monotonic() + 60
        while not seen(self.lines()):
            assert time.monotonic() < end and self._read(), "\n".join(self.lines())
        return self.lines()

    def end(self):
        """The exit code."""
        while self._read():
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code

    def lines(self):
        return [line.rstrip() for line in self.screen.display]

    def everything(self):
        """What has scrolled away, and the screen."""
        gone = [
            "".join(line[x].data for x in range(self.screen.columns)).rstrip()
            for line in self.screen.history.top
        ]
        return [*gone, *self.lines()]

    def _read(self):
        try:
            ready, _, _ = select.select([self.fd], [], [], 60)
            got = os.read(self.fd, 1 << 16) if ready else b""
        except OSError:  # Linux tells the end of a terminal so
            return False
        self.raw += got
        self._stream.feed(got)
        return bool(got)

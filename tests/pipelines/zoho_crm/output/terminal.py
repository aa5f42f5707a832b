"""Runs a command on a terminal of its own, and shows what a person sees there at any moment."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte

from tests.pipelines.zoho_crm.test_process import environment

# Makes the terminal the process's own, so that Ctrl-C is a signal, also where the tests run in the background.
BEGIN = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Terminal:
    """A command on a terminal; reading it goes on until something is seen, or the command has ended."""

    def __init__(self, folder, *words, rows=24, columns=100, **more):
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        given = environment(folder, TERM="xterm-256color", **more)
        for name in ("COLUMNS", "LINES", *(() if "NO_COLOR" in more else ("NO_COLOR",))):
            given.pop(name, None)
        self.fd, theirs = pty.openpty()
        self.resize(rows, columns)
        command = [sys.executable, "-c", BEGIN, "-m", "pipelines.zoho_crm", *words]
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        self.process = subprocess.Popen(command, cwd=folder, env=given, start_new_session=True, **streams)
        os.close(theirs)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.fd, keys)

    def until(self, seen: Callable[[list[str]], bool]):
        """The screen as soon as it is so; fails if the command ends before."""
        end = time.monotonic() + 300
        while not seen(self.lines()):
            assert time.monotonic() < end and self._read(), "\n".join(self.lines())
        return self.lines()

    def end(self):
        """The exit code."""
        while self._read():
            pass
        os.close(self.fd)
        return self.process.wait(60)

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

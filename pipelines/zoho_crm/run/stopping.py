"""Ctrl-C and SIGTERM: the first ends the run cleanly, the second at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import INTERRUPTED

SHOW_CURSOR = b"\x1b[?25h\n"


class SignalHandler:
    """What the signals of this process mean. While something must not be broken off, the first one waits."""

    def __init__(self) -> None:
        self.asked = False
        self._unbroken = 0
        self.tell: Callable[[], None] | None = None  # that the end is waited for; called by the signal
        self.before_kill: Callable[[], None] | None = (
            None  # what ends with this process; called by the second one
        )

    def install(self) -> None:
        """Whoever starts the process in the background with SIGINT ignored is left alone."""
        signal.signal(signal.SIGTERM, self._on_signal)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_signal)

    @contextmanager
    def defer_interrupt(self) -> Iterator[None]:
        """What runs in here is finished first."""
        self._unbroken += 1
        try:
            yield
        finally:
            self._unbroken -= 1
            if self.asked and not self._unbroken:
                raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            if self.before_kill is not None:
                self.before_kill()
            _kill()
        self.asked = True
        if not self._unbroken:
            raise KeyboardInterrupt
        if self.tell is not None:
            self.tell()


STOP = SignalHandler()


def _kill() -> None:
    """No handler, no thread and no file is waited for; only the cursor comes back, which the live view hides."""
    if sys.stdout.isatty():
        os.write(1, SHOW_CURSOR)
    os._exit(INTERRUPTED)

"""The live view of a run on a terminal: paints the board a few times a second, and leaves nothing behind."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live

from sources.zoho_crm.watch import Watch

from .board import Board
from .live_layout import screen
from .progress import Progress

if TYPE_CHECKING:
    from sources.zoho_crm.door import Door
    from sources.zoho_crm.reading import Reading
    from sources.zoho_crm.tables import Table

    from .expectation import Expectation

EVERY = 0.2  # seconds


class _Remarks(Watch):
    """Long waits of calls that belong to no table, below the tables."""

    def __init__(self, live: LiveProgress) -> None:
        self._live = live

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        self._live.board.remark = "" if "waited" in facts else text
        return self._live.shown


class LiveProgress(Progress):
    """Keeps a board and shows it. The painter is a thread of its own, so that no reading waits for a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout)
        self.board = Board()
        self._door: Door | None = None
        # What is written meanwhile stands above the view; standard error only where it is the terminal, too.
        self._live = Live(
            console=self.console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="crop",
            redirect_stderr=sys.stderr.isatty(),
            get_renderable=lambda: screen(self.board, self._door, self.console.size),
        )
        self._size = self.console.size
        self._closed = threading.Event()
        self._painter = threading.Thread(target=self._paint, name="live", daemon=True)

    def follow(self, door: Door) -> None:
        self._door = door

    @property
    def shown(self) -> bool:
        return self._painter.ident is not None and not self._closed.is_set()

    def remark(self, text: str) -> None:
        self.board.remark = text
        if not self._painter.ident and not self._closed.is_set():
            self._live.start()
            self._painter.start()

    def start(self, expectation: Expectation) -> None:
        self.remark("")

    def expect(self, tables: Sequence[Table]) -> None:
        self.board.expect(tables)
        self.remark("")

    def watch(self, table: Table) -> Watch:
        return self.board.watch(table.table)

    def waits(self) -> Watch:
        return _Remarks(self)

    def read(self, reading: Reading) -> None:
        self.board.set(reading.table, "read")

    def loading(self, readings: Sequence[Reading]) -> None:
        for reading in readings:
            if reading.status == "read":
                self.board.set(reading.table, "loading")

    def done(self, reading: Reading) -> None:
        self.board.done(reading)

    def compared(self, thin: Reading) -> None:
        self.board.done(thin)

    def stopping(self) -> None:
        self.board.stopping = True

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._painter.ident:
            self._painter.join(5 * EVERY)  # a terminal that is held (Ctrl-S) holds the painter
            self._live.stop()

    def _paint(self) -> None:
        while not self._closed.wait(EVERY):
            with suppress(OSError, ValueError):  # the terminal is gone; the run goes on
                self._paint_once()

    def _paint_once(self) -> None:
        """After a change of size nobody knows where the lines went, so the view begins on an empty screen."""
        if self.console.size != self._size:
            self._size = self.console.size
            self._live.stop()
            self.console.clear()
            self._live.start()
        self._live.refresh()

"""Tells how far a run is: a live view on a terminal, lines elsewhere; threads may call it at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dlt.common.runtime.collector_base import Collector

from sources.zoho_crm.client.progress import NO_PROGRESS, ProgressCallback, ProgressListener

from ..console import Console, counted

if TYPE_CHECKING:
    from sources.zoho_crm.client.context import ClientContext
    from sources.zoho_crm.extract.extractor import ExtractResult
    from sources.zoho_crm.sync.tables import Table

    from .plan_totals import PlanTotals

STOPPING = b"Stopping: what is being loaded is finished first. Once more kills at once.\n"


class Progress(Collector, ProgressListener):
    """A collector of dlt's that hears of our readings, too. This one shows nothing."""

    step = ""

    def update(  # noqa: PLR0913 - dlt's signature
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        """What dlt counts inside its steps; a lot takes it less than a second or two."""

    def follow(self, context: ClientContext) -> None:
        """Show the credits of this client from now on."""

    def remark(self, text: str) -> None:
        """What goes on beside the tables."""

    def wait(self, text: str) -> None:
        """Something is waited for that may take long."""
        self.remark(text)

    def start(self, expectation: PlanTotals) -> None:
        """The account was asked what it offers; now the reading begins."""

    def expect(self, tables: Sequence[Table]) -> None:
        """These tables are read next."""

    def watch(self, table: Table) -> ProgressCallback:
        """A thread begins to read a table; gives what it is to tell."""
        return NO_PROGRESS

    def waits(self) -> ProgressCallback:
        """What calls that belong to no table are to tell: of long waits only."""
        return NO_PROGRESS

    def read(self, reading: ExtractResult) -> None:
        """A thread is through with a table; it waits to be loaded, or to be told."""

    def loading(self, readings: Sequence[ExtractResult]) -> None:
        """These are whole, and go into the destination now."""

    def done(self, reading: ExtractResult) -> None:
        """A table has been read and loaded, or has failed."""

    def stopping(self) -> None:
        """The run is to end once the load under way has; called by a signal, so it may not wait for anything."""

    def close(self) -> None:
        """No more comes."""

    def _start(self, step: str) -> None:
        self.step = step

    def _stop(self) -> None:
        self.step = ""


class LogProgress(Progress):
    """One line an event, with its date: the start, each table when it is read and loaded; with `verbose` also on its way there."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._lock = threading.Lock()

    def wait(self, text: str) -> None:
        self.tell(text, "waiting", {"reason": text})

    def start(self, expectation: PlanTotals) -> None:
        facts: dict[str, object] = {
            "modules": expectation.modules,
            "rows_expected": expectation.rows,
            "credits_expected": expectation.credits,
            "seconds_expected": round(expectation.seconds, 1),
        }
        self.tell(
            f"Reading {counted(expectation.modules, 'module')}, {counted(expectation.rows, 'row')} by Zoho's"
            f" count: about {counted(expectation.credits, 'credit')}, {expectation.seconds:,.0f} s.",
            "start",
            facts,
        )

    def watch(self, table: Table) -> ProgressCallback:
        return _LogWatch(self, table.name, table.table, verbose=self._verbose)

    def waits(self) -> ProgressCallback:
        return _LogWatch(self, "", "", verbose=False)

    def done(self, reading: ExtractResult) -> None:
        self.tell(done_line(reading), "read", facts(reading))

    def stopping(self) -> None:
        os.write(2, STOPPING)  # not by Python's own files: the signal may have come in the middle of one

    def tell(self, line: str, event: str, facts: dict[str, object]) -> None:
        with self._lock:
            self._console.text(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC  {line}")
            self._console.event(event, facts)


class _LogWatch(ProgressCallback):
    """A line for a long wait of a table; with `verbose` also one for each of its stages."""

    def __init__(self, log: LogProgress, name: str, table: str, *, verbose: bool) -> None:
        self._log, self._name, self._table, self._verbose = log, name, table, verbose
        self._last = ("", "")

    def rows(self, count: int) -> None:
        self._tell("reading")

    def waits(self, state: str) -> None:
        self._tell("waiting", state)

    def downloads(self, size: int) -> None:
        self._tell("downloading")

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        whose = {"module": self._name or None, "table": self._table or None}
        self._log.tell(f"{self._name}: {text}" if self._name else text, "wait", {**whose, **facts})
        return True

    def _tell(self, phase: str, state: str = "") -> None:
        if self._verbose and (phase, state) != self._last:
            self._last = (phase, state)
            told = f"waiting at Zoho: {state}" if state else phase
            facts = {"module": self._name, "table": self._table, "phase": phase, "state": state}
            self._log.tell(f"{self._name}: {told}", "phase", dict(facts))


def facts(reading: ExtractResult) -> dict[str, object]:
    """A reading that has come to its end, for a program."""
    return {
        "module": reading.name,
        "table": reading.table,
        "status": reading.status,
        "rows": reading.rows,
        "seconds": round(reading.seconds, 1),
        "api": reading.api,
        "error": reading.error,
    }


def done_line(reading: ExtractResult) -> str:
    """`Leads: 1,234 rows in 5.6 s by bulk`, or what went wrong."""
    if reading.status != "read":
        return f"{reading.name}: {reading.status}: {reading.error or reading.reason}"
    return f"{reading.name}: {counted(reading.rows or 0, 'row')} in {reading.seconds:,.1f} s by {reading.api}"

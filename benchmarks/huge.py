"""One huge module by Bulk Read, at the pace of Zoho's jobs, in time that does not wait.

The simulator and the command are one process with one clock. Pauses between polls are added to it instead of being waited
for; all else counts by its CPU seconds, without those of the simulator's archives. So other programs do not slow it down.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from pipelines.zoho_crm.__main__ import main as command
from simulators.zoho_crm import Org, Quirks, serve
from simulators.zoho_crm.bulk_read.jobs import BulkJob
from simulators.zoho_crm.clock import START, Clock
from simulators.zoho_crm.generated import add_generated_module
from simulators.zoho_crm.generated.module import Generated
from sources.zoho_crm.client import client, throttling

MODULE, COLUMNS = "Generated", 4  # id, Owner, Created_Time, Modified_Time


class QuickClock(Clock):
    """The CPU seconds of this process, with pauses that nobody waited for and without those of `leave_out`."""

    def __init__(self) -> None:
        super().__init__()
        self.more = -time.process_time()

    def monotonic(self) -> float:
        return time.process_time() + self.more

    def sleep(self, seconds: float) -> None:
        self.more += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def leave_out(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any) -> Any:
            begun = time.process_time()
            try:
                return work(*args)
            finally:
                self.more -= time.process_time() - begun

        return timed


def measure(rows: int, jobs: int, at_once: int) -> dict[str, float]:
    """A first load with `jobs` of the module side by side, from a Zoho that works on `at_once`."""
    clock = QuickClock()
    pace = partial(throttling.RetryPolicy, sleep=clock.sleep, monotonic=clock.monotonic)
    client.RetryPolicy = throttling.RetryPolicy = pace  # type: ignore[misc,assignment]
    Generated.archive = clock.leave_out(Generated.archive)  # type: ignore[method-assign]
    org = Org(quirks=Quirks(bulk_seconds_per_job=3.5, bulk_jobs_parallel=at_once), clock=clock)
    with tempfile.TemporaryDirectory() as archives, serve(org) as zoho:
        add_generated_module(org, MODULE, rows=rows, columns=COLUMNS, folder=Path(archives))
        settings = f"{zoho.connection_string.rstrip(';')};OAuthSettingsLocation=memory://"
        options = ["--connection", settings, "--pipelines-dir", "p", "--progress", "off", "--modules", MODULE]
        sys.argv = ["zoho-crm", "run", *options, "--bulk-read-jobs", str(jobs)]
        begun = clock.monotonic()
        try:
            command()
        except SystemExit as end:
            if end.code:
                raise
        seconds = clock.monotonic() - begun
    with duckdb.connect("crm.duckdb", read_only=True) as crm:
        counted = crm.sql("select count(*), count(distinct id) from zoho_crm.generated").fetchall()
    made = [job for job in org.jobs.values() if isinstance(job, BulkJob)]
    return {
        "seconds": round(seconds, 1),
        "credits": org.ledger.credits,
        "calls": len([call for call in org.ledger.calls() if call.path.startswith("/crm/")]),
        "jobs": len(made),
        "lost": rows - counted[0][1],
        "twice": counted[0][0] - counted[0][1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))

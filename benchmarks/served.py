"""The simulator in a process of its own, told by lines of JSON what to do: its work is not ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LONG_AGO = datetime(2026, 1, 1, tzinfo=timezone.utc)
DATA = ROOT / "benchmarks" / "data"


@dataclass(frozen=True)
class Account:
    """What is simulated: generated modules as (name, rows, columns), small ones, and how slow Zoho is.

    `hard` modules have columns as real accounts do: long unique texts, notes of several lines, many nulls.
    """

    generated: tuple[tuple[str, int, int], ...] = ()
    hard: bool = False
    listed: tuple[str, int, int] | None = None  # the same as plain records
    small_modules: int = 0
    rows_of_small: int = 100
    seconds_per_call: float = 0.0
    seconds_per_job: float | None = None  # None: a job is done when it is asked for
    bytes_per_second: float | None = None
    page_rows: int = 200_000
    quirks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """An account that is being served."""

    connection: str
    process: subprocess.Popen[str]

    def cpu(self) -> float:
        """The CPU seconds that the simulator has taken so far, by Linux's /proc."""
        spent = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, what: str, **details: Any) -> dict[str, Any]:
        """`edit` rows of a module, or `tell` what was asked of Zoho since the last time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def served(account: Account) -> Iterator[Served]:
    command = [sys.executable, "-m", "benchmarks.served", json.dumps(asdict(account))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield Served(process.stdout.readline().strip(), process)
        finally:
            process.terminate()


def main() -> None:
    from simulators.zoho_crm import serve
    from simulators.zoho_crm.generated import edit_generated_rows

    org = _org(json.loads(sys.argv[1]))
    with serve(org) as zoho:
        print(zoho.connection_string.rstrip(";"), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            answer: dict[str, Any] = {}
            if order["do"] == "edit":
                edit_generated_rows(org, order["module"], order["rows"])
            elif order["do"] == "fields":
                answer = {"fields": [f.api_name for f in org.modules[order["module"]].fields]}
            elif order["do"] == "tell":
                answer = _told(org)
            print(json.dumps(answer), flush=True)


def _org(account: dict[str, Any]) -> Any:
    from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
    from simulators.zoho_crm.clock import Clock
    from simulators.zoho_crm.generated import add_generated_module

    from .listed import add_listed_module, add_version_2

    rules = Rules(
        bulk_page_size=account["page_rows"],
        seconds_per_call=account["seconds_per_call"],
        download_bytes_per_second=account["bytes_per_second"],
        # Many runs in a row: the limits of a minute and of ten minutes are not what is measured.
        bulk_downloads_per_minute=10_000,
        access_tokens_per_window=10_000,
    )
    quirks = Quirks(bulk_seconds_per_job=account["seconds_per_job"], **account["quirks"])
    org = Org(rules=rules, quirks=quirks, clock=Clock.real())
    org.bulk_states = ["COMPLETED"]
    for name, rows, columns in account["generated"]:
        module = add_generated_module(
            org, name, rows=rows, columns=columns, folder=DATA, hard=account["hard"]
        )
        _make_archives(org, module)
    if account["listed"]:
        add_version_2()
        add_listed_module(org, *account["listed"])
    for number in range(account["small_modules"]):
        name = f"Small_{number}"
        fields = [Field(f"Text_{n}", "text") for n in range(20)]
        org.add_module(Module(name, fields, generated_type="custom"))
        for row in range(account["rows_of_small"]):
            org.insert(name, {f"Text_{n}": f"{row}/{n}" for n in range(20)}, modified_time=LONG_AGO)
    return org


def _make_archives(org: Any, module: Any) -> None:
    """Once, and before anything is measured; the names are those of a job for all fields."""
    from simulators.zoho_crm.bulk_read.jobs import dialect_of

    names = [f.api_name for f in module.fields if f.api_name != "id"]
    generated, size = module.generated, org.rules.bulk_page_size
    for first in range(0, generated.rows, size):
        window = (first, min(first + size, generated.rows))
        generated.archive(names, window, org.quirks.bulk_id_header, dialect_of(org))


def _told(org: Any) -> dict[str, Any]:
    """Calls, credits, and the seconds that Zoho itself took for Bulk Read; forgets them."""
    spans = [job.span for job in org.jobs.values() if getattr(job, "span", None)]
    calls = [call for call in org.ledger.calls() if call.path.startswith("/crm/")]
    told = {
        "calls": len(calls),
        "credits": org.ledger.credits,
        "jobs": len(org.jobs),
        "job_seconds": sum((end - start).total_seconds() for start, end in spans),
        "polls": sum(call.route.endswith("read/{job_id}") for call in calls),
    }
    org.ledger.clear()
    org.jobs.clear()
    return told


if __name__ == "__main__":
    main()

"""The commands: what each opens, does and prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .console import Console
from .failures import FAILED, complain
from .options import Options

if TYPE_CHECKING:
    import dlt

    from sources.zoho_crm.client import ZohoClient
    from sources.zoho_crm.credentials import ZohoCredentials
    from sources.zoho_crm.survey import Choice, Survey

    from .progress import Progress


@dataclass
class Work:
    """What a command has at hand when all is opened."""

    console: Console
    options: Options
    credentials: ZohoCredentials
    client: ZohoClient
    pipeline: dlt.Pipeline
    choice: Choice
    progress: Progress

    def look(self) -> Survey:
        from .sync import look

        return look(self.pipeline, self.client, self.choice, self.credentials.api)


def run(options: Options, console: Console) -> int:
    """Copy the account into the destination (the default)."""
    from .account import SIMULATED
    from .report import failed, print_report
    from .sync import sync

    with opened(options, console) as work, closing(work.progress):
        result = sync(work.pipeline, work.client, work.choice, work.credentials.api, work.progress)
        work.progress.close()
        remark = SIMULATED if options.demo else ""
        print_report(console, result, verbose=options.verbose, remark=remark)
        for name, why in failed(result):
            complain(f"{name}: {why}")
        if options.demo:
            _print_sql(work)
    return result.exit_code


def plan(options: Options, console: Console) -> int:
    """Say what a run would read, by which API, why, and what it would cost."""
    from .offers import print_plan

    with opened(options, console) as work:
        found = work.look()
        print_plan(console, found, verbose=options.verbose)
    return FAILED if found.failures else 0


def modules(options: Options, console: Console) -> int:
    """List the account's modules; with --modules, the fields of those."""
    from .offers import print_fields, print_modules

    with opened(options, console) as work:
        found = work.look()
        if options.modules:
            print_fields(console, found)
        else:
            print_modules(console, found)
    return FAILED if found.failures else 0


def check(options: Options, console: Console) -> int:
    """Say whether a run would work, and what to do if not."""
    from .check import print_checks

    return print_checks(options, console)


@contextmanager
def opened(options: Options, console: Console) -> Iterator[Work]:
    """Settings, lock and destination, in the order in which their mistakes should be told."""
    from sources.zoho_crm.client import connect
    from sources.zoho_crm.survey import Choice

    from .account import opened_account, pipelines_dir
    from .destination import choose_destination
    from .lock import alone
    from .progress import choose_progress
    from .sync import open_pipeline

    name, place = options.pipeline_name, pipelines_dir(options)
    with opened_account(options, console) as credentials:
        destination = choose_destination(options.destination, options.dataset, name, options.demo)
        progress = choose_progress(options.progress, console)
        with alone(place, name):
            pipeline = open_pipeline(name, destination, options.dataset, place, progress)
            choice = Choice(options.modules, options.exclude)
            yield Work(console, options, credentials, connect(credentials), pipeline, choice, progress)


def _print_sql(work: Work) -> None:
    """Lines that a person can paste into Python."""
    from .destination import DEMO_FILE

    if work.options.destination != "duckdb":
        return
    data = work.options.dataset
    work.console.text()
    work.console.text("Try it in Python:")
    for line in (
        "import duckdb",
        f"crm = duckdb.connect({DEMO_FILE!r}, read_only=True)",
        f'crm.sql("select stage, count(*), sum(amount) from {data}.deals group by stage order by 2 desc").show()',
        f'crm.sql("select module, api, rows_read, crm_count from {data}.sync_runs order by started_at").show()',
    ):
        work.console.text(f"  {line}")

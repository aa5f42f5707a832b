"""The commands: what each opens, does and prints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .console import Console
from .failures import complain
from .options import Options, policy_of

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
    from .account import SIMULATED, pipelines_dir
    from .aftermath import telling_the_end
    from .complaints import complain_about
    from .report import print_report
    from .sync import sync

    with (
        telling_the_end(options, "run") as ending,
        opened(options, console, "run") as work,
        closing(work.progress),
    ):
        result = sync(work.pipeline, work.client, work.choice, work.credentials.api, work.progress)
        work.progress.close()
        ending.run, ending.code = result, result.exit_code
        remark = SIMULATED if options.demo else ""
        print_report(console, result, verbose=options.verbose, remark=remark)
        complain_about(result, pipelines_dir(options), options.pipeline_name)
        if options.demo and not result.exit_code:
            _print_sql(work, result.run_id)
    return result.exit_code


def plan(options: Options, console: Console) -> int:
    """Say what a run would read, how, and what it would cost."""
    from .complaints import code_of
    from .offers import print_plan

    with opened(options, console, "plan", loads=False) as work:
        found = work.look()
        print_plan(console, found, work.client, verbose=options.verbose)
    return code_of(found)


def modules(options: Options, console: Console) -> int:
    """List the account's modules, or the fields of --modules."""
    from .complaints import code_of
    from .offers import print_fields, print_modules

    with opened(options, console, "modules", loads=False) as work:
        found = work.look()
        if options.modules:
            print_fields(console, found)
        else:
            print_modules(console, found)
    return code_of(found)


def authorize(options: Options, console: Console) -> int:
    """Get the tokens once, write them into .env, check them."""
    from .authorize import get_tokens

    return get_tokens(options, console)


def check(options: Options, console: Console) -> int:
    """Say whether a run would work, and what to do if not.

    It takes 3 API credits.
    """
    from .check import print_checks

    return print_checks(options, console)


def verify(options: Options, console: Console) -> int:
    """Compare every id with the CRM; --repair mends what differs."""
    from .account import SIMULATED, pipelines_dir
    from .aftermath import telling_the_end
    from .comparison_report import print_verification
    from .complaints import complain_about
    from .verifying import Verifier

    opening = opened(options, console, "verify", loads=options.repair)
    with telling_the_end(options, "verify") as ending, opening as work, closing(work.progress):
        verifier = Verifier(work.pipeline, work.client, work.choice, work.credentials.api, work.progress)
        result = verifier.verify(repair=options.repair)
        work.progress.close()
        ending.run, ending.code = result.run, result.exit_code
        remark = SIMULATED if options.demo else ""
        print_verification(console, result, verbose=options.verbose, remark=remark)
        complain_about(result.run, pipelines_dir(options), options.pipeline_name)
        if result.differing:
            names = ", ".join(comparison.name for comparison in result.differing)
            mend = "" if options.repair else ": --repair puts it right"
            ending.sentence = f"The destination differs from the CRM in {names}{mend}."
            complain(ending.sentence)
    return result.exit_code


def status(options: Options, console: Console) -> int:
    """Say how fresh each table is, what failed and what is due.

    From the destination alone, on any machine.
    """
    from .looking import looking
    from .status import print_status

    with looking(options, console) as look:
        return print_status(console, look, options)


def report(options: Options, console: Console) -> int:
    """Write one HTML page about all runs.

    From the destination alone, on any machine; it loads nothing from the network.
    """
    from sources.zoho_crm.errors import SettingsError

    from .headline import headline
    from .looking import looking
    from .page import write_page

    with looking(options, console) as look:
        if not look.log.has_tables:
            told = headline([], look.log.stopped())
            raise SettingsError(f"No run has come to its end here ({look.place}). {told.sentence}")
        path, told = write_page(look, options)
        facts = told.facts(look)
    console.event("page", {"path": str(path), "headline": told.sentence})
    console.event("summary", {**facts, "path": str(path)})
    console.last(f"{told} The page is {path}")
    return 0


@contextmanager
def opened(options: Options, console: Console, command: str, *, loads: bool = True) -> Iterator[Work]:
    """Settings, lock and destination, in the order in which their mistakes should be told."""
    from sources.zoho_crm.client import connect
    from sources.zoho_crm.pacing import Pace
    from sources.zoho_crm.survey import Choice

    from .account import opened_account
    from .destination import choose_destination
    from .showing import choose_progress
    from .stopping import STOP
    from .working import opened_pipeline

    name, policy = options.pipeline_name, policy_of(options)
    with ExitStack() as stack:
        credentials = stack.enter_context(opened_account(options, console))
        destination = choose_destination(options.destination, options.dataset, name, options.demo)
        progress = choose_progress(options.progress, console, verbose=options.verbose)
        stack.enter_context(closing(progress))
        STOP.tell = progress.stopping
        opening = opened_pipeline(options, destination, progress, command if loads else None)
        pipeline = stack.enter_context(opening)
        choice = Choice(options.modules, options.exclude, options.full_refresh, policy)
        client = connect(credentials, Pace(table_deadline=options.table_timeout.total_seconds()))
        client.door.max_credits = options.max_credits
        client.waits.watch = progress.waits()
        try:
            yield Work(console, options, credentials, client, pipeline, choice, progress)
        except BaseException:
            client.door.max_credits = 0  # what still reads makes no more calls
            raise


def _print_sql(work: Work, run_id: str) -> None:
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
        f"runs = crm.table('{data}.sync_runs').filter(\"run_id = '{run_id}'\").order('rows_read desc nulls last')",
        "runs.select('module, status, api, rows_read, crm_count, credits').show()",
    ):
        work.console.text(f"  {line}")

"""One run: survey the account, read its tables side by side, land each, follow up, prove, and write it down."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.exceptions import DestinationException

from sources.zoho_crm.auth.scopes import other_service
from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.client.context import ApiUsage
from sources.zoho_crm.config import ModuleSelection
from sources.zoho_crm.discovery.account_tables import own_tables
from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.exceptions import CredentialsError, CreditBudgetExceeded, NotAvailableError
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.extract.probe import discover
from sources.zoho_crm.models import PreferredApi
from sources.zoho_crm.sync.extraction import Extraction
from sources.zoho_crm.sync.pipeline_state import SOURCE, load_previous_state
from sources.zoho_crm.sync.tables import account_tables, module_tables
from sources.zoho_crm.sync.warehouse import Warehouse

from ..errors import one_line
from .credit_limit import CreditEstimates, least_recent_first, survey_within, turns_of
from .loading import Loader, Remembered, append_logs, work_folder
from .plan_totals import credits_of, total_plan
from .privacy_cleanup import clear_private_columns
from .progress import Progress
from .row_counts import check_row_counts
from .run_log import SEAT_COUNTS, SeatCounts, sync_runs_reading
from .run_result import RunResult
from .server_lock import loading_turn

logger = logging.getLogger("zoho_crm")


def look(
    pipeline: dlt.Pipeline,
    client: ZohoClient,
    choice: ModuleSelection,
    preferred_api: PreferredApi,
    prices: CreditEstimates | None = None,
) -> Catalog:
    """What the account offers and what a run would read; loads nothing.

    Under a limit of credits that is what the limit pays for, at the prices of a run or at these.
    """
    state: Mapping[str, Any] = pipeline.state.get("sources", {}).get(SOURCE, {})
    warehouse = Warehouse(pipeline, Path(pipeline.working_dir), choice.policy.table_format)
    warehouse.check(keeps_more=choice.policy.keeps_more)
    memory = load_previous_state(state, warehouse)
    try:
        if client.context.max_credits is None:
            return discover(client, choice, preferred_api, memory)
        if prices is None:
            prices = CreditEstimates(partial(credits_of, client.service))
        return survey_within(client, choice, preferred_api, memory, prices)
    except NotAvailableError as error:
        told = other_service(client.context.auth.scope, client.service) or str(error)
        raise CredentialsError(f"Zoho does not let these credentials list the modules: {told}") from error


def sync(
    pipeline: dlt.Pipeline,
    client: ZohoClient,
    choice: ModuleSelection,
    preferred_api: PreferredApi,
    progress: Progress,
) -> RunResult:
    """Read and load every chosen table; one that fails leaves the others alone."""
    run = RunResult(named=choice.named)
    progress.follow(client.context)
    progress.remark("asking what the account offers")
    try:
        found = look(pipeline, client, choice, preferred_api)
    except CreditBudgetExceeded as error:
        run.stop(error, client)
        return run
    run.follow(found)
    planning = replace(client.usage)
    with work_folder(pipeline) as folder:
        warehouse = Warehouse(pipeline, folder, choice.policy.table_format)
        clear_private_columns(warehouse, found)
        extraction = Extraction(
            client,
            choice,
            preferred_api,
            found.memory,
            warehouse,
            folder,
            journal=jobs_file(pipeline),
            watcher=progress,
        )
        ours = account_tables(client, found)
        run.expected = total_plan(found, ours, planning.calls)
        progress.start(run.expected)
        extraction.read(found, least_recent_first([*module_tables(client, found), *ours], found))
        extraction.describe()
        run.readings = _in_order([*extraction.readings.values()], found)
        _charge_planning(run.readings, planning)
        seats = SeatCounts(run.run_id)
        seats.look(run.readings)
        with loading_turn(pipeline, choice.only, progress.wait), warehouse.open_connection():
            labels, version = warehouse.labels(), warehouse.schema_version
            _load(run, extraction, pipeline, progress)
            if run.fully_refreshed or warehouse.schema_version != version:
                _write_comments(warehouse, labels)
            progress.remark("counting the rows")
            _write_down(run, extraction, pipeline, client, seats)
    return run


def _load(run: RunResult, extraction: Extraction, pipeline: dlt.Pipeline, progress: Progress) -> None:
    """Load what was read, and forget the jobs of rows that have landed, or never will."""
    progress.loading(run.readings)
    Loader(pipeline, extraction, extraction.found.choice.never).load(run.readings)
    for reading in run.readings:
        progress.done(reading)
        journal = extraction.client.context.journal
        if journal and (reading.status == "read" or reading.unloadable):
            journal.done(reading.name, extraction.found.until)
    run.fully_refreshed = {
        r.name for r in extraction.modules() if r.plan and r.plan.is_full_refresh and r.plan.synced
    }
    run.overdue = extraction.deferred()


def _write_comments(warehouse: Warehouse, before: Mapping[Any, str]) -> None:
    """A destination that refuses a comment has its rows all the same."""
    try:
        warehouse.write_comments(before)
    except DestinationException as error:
        logger.warning("Comments of tables and columns were not written: %s", one_line(str(error), 200))


def jobs_file(pipeline: dlt.Pipeline) -> Path:
    """Where the Bulk Read jobs of a run are remembered until their rows have landed."""
    return Path(pipeline.pipelines_dir, f"{pipeline.pipeline_name}.jobs")


def _write_down(
    run: RunResult, extraction: Extraction, pipeline: dlt.Pipeline, client: ZohoClient, seats: SeatCounts
) -> None:
    """Compare the counts, add up the run, and load its logs with what is to be remembered."""
    found = extraction.found
    check_row_counts(run, extraction.warehouse, client, found)
    run.close(client)
    log = sync_runs_reading(run, extraction.folder)
    more = seats.log(extraction.folder) if SEAT_COUNTS.table not in found.choice.never else []
    turns = turns_of(found, run.cut) if found.order is not None else {}
    remembered = Remembered(run.synced, run.readings, found.until, turns)
    append_logs(pipeline, extraction.warehouse, [log, *more], remembered)
    run.is_logged = not log.error
    if log.error:
        run.troubles.append((log.name, log.error))


def _charge_planning(ours: Sequence[ExtractResult], planning: ApiUsage) -> None:
    """What was asked while planning is what `modules` and `fields` hold: one call is the former's."""
    for reading in ours:
        if reading.name not in ("modules", "fields"):
            continue
        first = reading.name == "modules"
        reading.usage = ApiUsage(1, 1) if first else ApiUsage(planning.calls - 1, planning.credits - 1)


def _in_order(readings: list[ExtractResult], found: Catalog) -> list[ExtractResult]:
    """Modules as Zoho lists them, then our own tables."""
    order = [*(m.api_name for m in found.modules), *own_tables(found.service)]
    return sorted(readings, key=lambda r: (r.plan is None, order.index(r.name)))

"""One run: survey the account, read its tables side by side, land each, follow up, prove, and write it down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import dlt

from sources.zoho_crm.children import Link, links, links_not_asked
from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.deleted_records import DELETED_RECORDS
from sources.zoho_crm.door import Usage
from sources.zoho_crm.endpoints import OUR_TABLES
from sources.zoho_crm.errors import CredentialsError, CreditLimit, SettingsError, Skippable
from sources.zoho_crm.held import Held
from sources.zoho_crm.journal import Journal
from sources.zoho_crm.memory import SOURCE, memory_of
from sources.zoho_crm.plan import Wish
from sources.zoho_crm.privacy import Rules
from sources.zoho_crm.reading import Reading
from sources.zoho_crm.survey import Choice, Survey, survey
from sources.zoho_crm.tables import Table, account_tables, metadata_tables, module_tables, not_due
from sources.zoho_crm.watch import UNWATCHED

from .emptying import empty_columns
from .expectation import Expectation, counted_tables, credits_of, expect
from .fetching import as_they_come, spool_folder
from .followups import FollowUps
from .limiting import Prices, in_turn, rows_by_table, survey_within, turns_of
from .loading import Landing, older_columns
from .outcome import Run
from .progress import Progress
from .proof import prove
from .seat_counts import SEAT_COUNTS, SeatCounts
from .sync_runs import sync_runs_reading


def look(
    pipeline: dlt.Pipeline, client: ZohoClient, choice: Choice, wish: Wish, prices: Prices | None = None
) -> Survey:
    """What the account offers and what a run would read; loads nothing.

    Under a limit of credits that is what the limit pays for, at the prices of a run or at these.
    """
    state: Mapping[str, Any] = pipeline.state.get("sources", {}).get(SOURCE, {})
    held = Held(pipeline, Path(pipeline.working_dir))
    policy = choice.policy
    if not held.merges and (policy.deletes != "hard" or policy.history != frozenset()):
        raise SettingsError(
            "this destination cannot keep deleted rows or histories: single rows cannot be changed"
        )
    memory = memory_of(state, held.tables() if held.merges else None)
    try:
        if client.door.max_credits is None:
            return survey(client, choice, wish, memory, OUR_TABLES)
        if prices is None:
            prices = Prices(partial(credits_of, counts=rows_by_table(memory, held.count)))
        return survey_within(client, choice, wish, memory, prices)
    except Skippable as error:
        raise CredentialsError(f"Zoho does not let these credentials list the modules: {error}") from error


def sync(pipeline: dlt.Pipeline, client: ZohoClient, choice: Choice, wish: Wish, progress: Progress) -> Run:
    """Read and load every chosen table; one that fails leaves the others alone."""
    run = Run(named=choice.only)
    progress.follow(client.door)
    progress.remark("asking what the account offers")
    try:
        found = look(pipeline, client, choice, wish)
    except CreditLimit as error:
        run.stop(error, client)
        return run
    run.follow(found)
    planning = replace(client.usage)
    with spool_folder(pipeline) as folder:
        client.door.scratch = folder
        empty_columns(Held(pipeline, folder), found)
        landing = _landing(pipeline, folder, found)
        journal = client.door.journal = _journal(pipeline, found)
        run.links = _links(found)
        ours = account_tables(client, found)
        run.expected = _expected(found, landing.held, ours, planning)
        progress.start(run.expected)
        seats = SeatCounts(run.run_id)
        tables = in_turn([*module_tables(client, found), *ours], found)
        for readings in as_they_come(tables, folder, progress, one_by_one=found.one_by_one):
            seats.look(readings)
            _land(run, landing, readings, progress)
            _forget_jobs(journal, readings, found)
        FollowUps(run, found, landing, client, wish, progress).finish()
        progress.remark("counting the rows")
        with landing.held.kept_open():
            _land_metadata(run, landing, found, planning)
            run.readings = _in_order([*run.readings, *not_due(found)], found)
            _write_down(run, found, landing, client, seats)
    return run


def _write_down(run: Run, found: Survey, landing: Landing, client: ZohoClient, seats: SeatCounts) -> None:
    """Prove the tables, add up the run, and land its logs with the watermarks that waited for them."""
    prove(run, landing.held, client, found)
    run.close(client)
    log = sync_runs_reading(run, landing.folder)
    more = seats.log(landing.folder) if SEAT_COUNTS.table not in found.choice.never else []
    turns = turns_of(found, run.cut) if found.order is not None else {}
    landing.append(log, run.synced, *more, read=run.readings, started=found.until, turns=turns)
    run.is_logged = not log.error
    if log.error:
        run.troubles.append((log.name, log.error))


def _landing(pipeline: dlt.Pipeline, folder: Path, found: Survey) -> Landing:
    remembers = DELETED_RECORDS.table not in found.choice.never
    return Landing(pipeline, Held(pipeline, folder), folder, remembers, older=older_columns(found))


def _links(found: Survey) -> list[Link]:
    listed = {m.api_name: m for m in found.modules}
    return [*links(found.fields, listed), *links_not_asked(found.fields, listed, found.memory.synced)]


def _expected(found: Survey, held: Held, ours: Sequence[Table], planning: Usage) -> Expectation:
    due = counted_tables(found)
    return expect(found, ours, held.count(due) if due else {}, planning.calls)


def _land(run: Run, landing: Landing, readings: Sequence[Reading], progress: Progress) -> None:
    """One lot of tables that are whole."""
    run.defer(readings)
    progress.loading(readings)
    with landing.held.kept_open():
        landing.land(readings)
    run.readings += readings
    for reading in readings:
        progress.done(reading)


def _forget_jobs(journal: Journal, readings: Sequence[Reading], found: Survey) -> None:
    """Their rows have landed, or never will."""
    for reading in readings:
        if reading.plan is None:
            continue
        if reading.status == "read" or reading.unloadable:
            journal.done(reading.name, found.until)


def _journal(pipeline: dlt.Pipeline, found: Survey) -> Journal:
    """The Bulk Read jobs that a killed run has paid for, but those whose rows have landed."""
    journal = Journal(Path(pipeline.pipelines_dir, f"{pipeline.pipeline_name}.jobs"))
    journal.tidy(found.until)
    for module, synced in found.memory.synced.items():
        journal.done(module, synced.until)
    if found.choice.policy.rules != Rules():  # archives may be of a run without these rules
        journal.remove_files(but=[plan.module.api_name for plan in found.plans if not plan.secret])
    return journal


def _land_metadata(run: Run, landing: Landing, found: Survey, planning: Usage) -> None:
    """The tables `modules` and `fields`, which know what the readings have met."""
    refused = {r.name: _refused(r) for r in run.readings}
    ours = [table.read(landing.folder, UNWATCHED) for table in metadata_tables(found, refused)]
    landing.land(ours)
    _charge_planning(ours, planning)
    run.readings += ours


REFUSED = "an API refused it when the module was read whole, and no record had a value"


def _refused(reading: Reading) -> dict[str, str]:
    """Fields that an API refuses, and why; those of the last whole reading, too."""
    plan = reading.plan
    before = plan.synced.empty if plan and plan.synced and not plan.whole else ()
    return {**dict.fromkeys(before, REFUSED), **reading.notes.refused, **reading.notes.empty}


def _charge_planning(ours: Sequence[Reading], planning: Usage) -> None:
    """What was asked while planning is what `modules` and `fields` hold: one call is the former's."""
    for reading in ours:
        first = reading.name == "modules"
        reading.usage = Usage(1, 1) if first else Usage(planning.calls - 1, planning.credits - 1)


def _in_order(readings: list[Reading], found: Survey) -> list[Reading]:
    """Modules as Zoho lists them, then our own tables."""
    order = [*(m.api_name for m in found.modules), *OUR_TABLES]
    return sorted(readings, key=lambda r: (r.plan is None, order.index(r.name)))

"""Compares every id of the chosen modules with the destination, and puts right what differs if that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import dlt

from sources.zoho_crm.account import keep_rows
from sources.zoho_crm.children import links
from sources.zoho_crm.client import ZohoClient
from sources.zoho_crm.columns import COMPUTED
from sources.zoho_crm.differences import Differences, compare, held_columns
from sources.zoho_crm.endpoints import OUR_TABLES
from sources.zoho_crm.errors import CreditLimit, SettingsError
from sources.zoho_crm.extraction import Extraction
from sources.zoho_crm.held import Held
from sources.zoho_crm.plan import Plan, Wish
from sources.zoho_crm.reading import Reading, must_be_read
from sources.zoho_crm.survey import Choice, Survey
from sources.zoho_crm.sweep import narrow, read_narrow
from sources.zoho_crm.synced import Synced
from sources.zoho_crm.tables import Table, module_tables, read_side_by_side
from sources.zoho_crm.windows import CHANGED, CREATED, goes_along, mark

from .comparison import KINDS, Comparison, ids_since
from .console import counted
from .judging import Judge, carefully, column
from .limiting import Prices
from .loading import Loader, Remembered, append_logs, work_folder
from .outcome import Run
from .progress import Progress
from .sync import look
from .sync_runs import SYNC_RUNS

DIFFERS = 4  # the exit code
NEVER_LOADED = "no run has loaded it yet"
STATELESS = "its table is there, but the pipeline's state does not know it: a run reads it whole"


@dataclass
class Verification:
    """What `verify` found and did."""

    run: Run
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def differing(self) -> list[Comparison]:
        """What differs still."""
        return [c for c in self.comparisons if c.verdict in ("differs", "never loaded")]

    @property
    def exit_code(self) -> int:
        """As of a run; 4 if a table differs and was not put right."""
        return self.run.exit_code or (DIFFERS if self.differing else 0)


@dataclass
class Verifier:
    """Everything that a comparison needs."""

    pipeline: dlt.Pipeline
    client: ZohoClient
    choice: Choice
    wish: Wish
    progress: Progress

    def verify(self, *, repair: bool) -> Verification:
        """Compare all chosen modules; only a repair changes the destination."""
        # As if all were to be read whole: that asks for counts and not for changes.
        try:
            choice = replace(self.choice, refresh=True)
            found = look(self.pipeline, self.client, choice, self.wish, Prices(self._price, settings=False))
        except CreditLimit as error:
            stopped = Run()
            stopped.stop(error, self.client)
            return Verification(stopped)
        found.check_key()
        if found.choice.only and found.choice.only <= {*OUR_TABLES}:
            raise SettingsError("verify compares modules: a run reads the other tables whole")
        run = Run()
        run.follow(found)
        run.named -= {*OUR_TABLES}
        result = Verification(run)
        with work_folder(self.pipeline) as folder:
            self.client.door.scratch = folder
            held = Held(self.pipeline, folder, self.choice.policy.table_format)
            listed = [module.api_name for module in found.modules]
            compared = self._compared(found, held, folder)
            result.comparisons = sorted(compared, key=lambda c: listed.index(c.name))
            tied = links(found.fields, {m.api_name: m for m in found.modules})
            Judge(result.comparisons, tied, found.memory.synced, self.client).judge()
            if repair:
                self._repair(result.comparisons, found, held, folder)
            run.readings = [comparison.thin for comparison in result.comparisons]
            run.close(self.client)
            if repair:
                self._log(result, found, held, folder)
        return result

    def _compared(self, found: Survey, held: Held, folder: Path) -> Iterator[Comparison]:
        plans = {plan.module.api_name: _known(plan) for plan in found.plans}
        tables = []
        for name, plan in plans.items():
            thin = narrow(plan, _beside(plan), plan.rows, self.wish)
            read = partial(read_narrow, self.client, thin)
            tables.append(Table(name, plan.table, thin.columns, read, thin.cost.calls, thin))
        self.progress.follow(self.client.door)
        for reading in read_side_by_side(tables, folder, self.progress, one_by_one=found.one_by_one):
            comparison = Comparison(plans[reading.name], reading)
            carefully(comparison, partial(_take, held, folder))
            self.progress.done(reading)
            yield comparison

    def _repair(self, comparisons: Sequence[Comparison], found: Survey, held: Held, folder: Path) -> None:
        """Read the modules that differ whole, load them, and compare again."""
        due = {c.name: c for c in comparisons if c.thin.status == "read" and c.loaded and c.doubtful}
        due = {name: c for name, c in due.items() if not c.refusal}
        if not due:
            return
        plans = [replace(c.plan, reason=f"verify found differences; {c.plan.reason}") for c in due.values()]
        again = replace(found, plans=plans)
        place = folder / "repair"
        place.mkdir()
        extraction = Extraction(
            self.client, self.choice, self.wish, found.memory, held, place, watcher=self.progress
        )
        extraction.read(again, module_tables(self.client, again))
        Loader(self.pipeline, extraction).load([*extraction.readings.values()])
        for reading in extraction.readings.values():
            carefully(due[reading.name], partial(_take_repair, held, folder, reading))

    def _price(self, plan: Plan) -> int:
        known = _known(plan)
        return narrow(known, _beside(known), plan.rows, self.wish).cost.credits

    def _log(self, result: Verification, found: Survey, held: Held, folder: Path) -> None:
        """One row a module in `sync_runs`; with it the state learns what was found equal."""
        log = Reading("sync_runs", "sync_runs", "", "")
        rows = [_row(result.run, comparison) for comparison in result.comparisons]
        log = keep_rows(log, SYNC_RUNS, rows, folder, {})
        equal = {
            c.name: _proven(c, c.plan.synced)
            for c in result.comparisons
            if c.verdict == "equal" and c.plan.synced
        }
        append_logs(self.pipeline, held, [log], Remembered(equal))
        result.run.is_logged = not log.error
        if log.error:
            result.run.troubles.append((log.name, log.error))


# ---- one module


def _known(plan: Plan) -> Plan:
    """The plan with rows kept as they have been so far."""
    return plan if plan.synced is None else replace(plan, keeps=plan.synced.keeps)


def _beside(plan: Plan) -> tuple[str, ...]:
    """The fields to compare beside id and version: those that may change without it. Not fields that are new."""
    filled = plan.synced.filled if plan.synced else ()
    names = [c.api_name for c in plan.columns if mark(c) in filled and goes_along(c)]
    return tuple(names if plan.has(CHANGED) else dict.fromkeys((*names, CREATED)))


def compared(held: Held, folder: Path, thin: Reading, plan: Plan) -> tuple[Differences, Path]:
    """What differs between a narrow reading and the destination, and the file of the latter's rows."""
    spooled = must_be_read(thin)
    there = held.tables().get(plan.table, frozenset())
    rows = held.read(plan.table, [name for name in held_columns(spooled, plan.columns) if name in there])
    return compare(spooled, rows, plan.columns, folder), rows


def _take(held: Held, folder: Path, comparison: Comparison) -> None:
    """Compare every id. Raises what the destination raises."""
    thin, plan = comparison.thin, comparison.plan
    if plan.table in held.tables():
        comparison.take(*compared(held, folder, thin, plan))
    else:
        comparison.take_unloaded()
    if not comparison.loaded:
        thin.notes.remarks.append(NEVER_LOADED if comparison.held is None else STATELESS)
    filled = plan.synced.filled if plan.synced else [mark(column) for column in plan.columns]
    new = [c.api_name for c in plan.columns if mark(c) not in filled]
    if new:
        thin.notes.remarks.append(f"new since the last run and not compared: {', '.join(new)}")


def _take_repair(held: Held, folder: Path, reading: Reading, comparison: Comparison) -> None:
    """What became of a module that was read whole, and what differs still."""
    thin = comparison.thin
    thin.also(reading)
    if reading.status != "read":
        return
    left = _left(held, folder, comparison)
    comparison.repaired = not left
    comparison.counted = held.count([comparison.plan.table]).get(comparison.plan.table)
    if left:
        thin.notes.remarks.append(f"{counted(len(left), 'row')} of these still differ")


def _left(held: Held, folder: Path, comparison: Comparison) -> set[str]:
    """What differs still; a row that came in a newer version than was compared does not."""
    found, rows = compared(held, folder, comparison.thin, comparison.plan)
    after = Comparison(comparison.plan, comparison.thin)
    after.take(found, rows)
    if comparison.until is not None:
        changed = column(comparison.plan, CHANGED)
        after.excuse(ids_since(rows, changed, comparison.until), ("stale", "values"))
    return set[str]().union(*(after.ids[kind] & comparison.ids[kind] for kind in KINDS if kind != "values"))


def _proven(comparison: Comparison, synced: Synced) -> Synced:
    """What the state is to remember: when every id was compared, and every computed value."""
    plan = comparison.plan
    computed = {c.api_name for c in plan.columns if c.field.data_type in COMPUTED}
    read = {c.api_name for c in comparison.thin.columns}
    computed_at = plan.until if computed <= read else synced.computed_at
    return replace(synced, verified_at=plan.until, computed_at=computed_at)


def _row(run: Run, comparison: Comparison) -> dict[str, Any]:
    thin = comparison.thin
    done = {"equal": "verified", "never loaded": "differs"}.get(comparison.verdict, comparison.verdict)
    return {
        "run_id": run.run_id,
        "module": thin.name,
        "api": thin.api,
        "reason": thin.reason,
        "status": done,
        "error": thin.error or comparison.refusal,
        "rows_read": thin.followed,
        "rows_deleted": thin.deleted_rows,
        "crm_count": thin.rows,
        "table_count": comparison.table_rows if comparison.counted is None else comparison.counted,
        "calls": thin.usage.calls,
        "credits": thin.usage.credits,
        "started_at": thin.started.isoformat(),
        "finished_at": thin.finished.isoformat() if thin.finished else None,
        "until": comparison.until.isoformat() if comparison.until else None,
        "skipped_fields": [],
    }

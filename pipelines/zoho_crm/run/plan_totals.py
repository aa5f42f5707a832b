"""What a run is expected to read and to take: line by line for `plan`, and in sum to be held against what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.planning.cost import (
    PARALLEL_CALLS,
    SECONDS_A_CALL,
    Estimate,
    estimate,
    job_seconds,
    polls_of,
    rows_of_jobs,
    together,
    window_credits_by_api,
)
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.service import Service
from sources.zoho_crm.sync.tables import Table


@dataclass(frozen=True)
class PlanLine:
    """What one reading is expected to take."""

    module: str
    table: str
    api: str
    reason: str
    rows: int | None
    calls: int
    credits: int
    estimate: Estimate


@dataclass(frozen=True)
class PlanTotals:
    """The readings of a run; the last line is what planning itself asked."""

    lines: tuple[PlanLine, ...]
    modules: int

    @property
    def rows(self) -> int:
        return sum(line.rows or 0 for line in self.lines)

    @property
    def calls(self) -> int:
        return sum(line.calls for line in self.lines)

    @property
    def credits(self) -> int:
        return sum(line.credits for line in self.lines)

    @property
    def bytes(self) -> int:
        return sum(line.estimate.bytes for line in self.lines)

    @property
    def seconds(self) -> float:
        *readings, planning = (line.estimate for line in self.lines)
        return together(readings) + planning.seconds


def total_plan(found: Catalog, ours: Sequence[Table], asked: int) -> PlanTotals:
    """What is to come of a survey that took `asked` calls; `ours` are the account's own tables."""
    lines = [_of_plan(found.service, plan) for plan in found.plans]
    if not found.sequential:
        lines = _waiting_for_each_other(lines)
    lines += [
        PlanLine(t.name, t.table, "settings", t.reason, None, t.calls, t.calls, _of_calls(t.calls))
        for t in ours
    ]
    both = "modules, fields"
    seconds = asked * SECONDS_A_CALL / PARALLEL_CALLS
    planning = PlanLine(
        both, both, "settings", "asked while planning", None, asked, asked, Estimate(0, seconds)
    )
    return PlanTotals((*lines, planning), len(found.plans))


def _waiting_for_each_other(lines: Sequence[PlanLine]) -> list[PlanLine]:
    """Zoho works on one Bulk Read job at a time: the first of each module is polled while those before it are done."""
    waits, found = 0.0, []
    for line in lines:
        if line.estimate.one_at_a_time:
            alone = job_seconds(rows_of_jobs(line.rows or 0)[0])
            more = polls_of(waits + alone, alone, queued=waits) - polls_of(alone, alone)
            line = replace(line, calls=line.calls + more, credits=line.credits + more)
            waits += alone
        found.append(line)
    return found


def credits_of(service: Service, plan: Plan) -> int:
    """What a planned module should take in all, the count at the end of the run with it."""
    counted = 0 if plan.is_full_refresh or plan.filters else 1
    return _of_plan(service, plan).credits + counted


def expected_of(table: Table) -> Estimate:
    """The guess for one table, as far as its plan tells."""
    plan = table.plan
    if plan is None:
        return _of_calls(table.calls)
    return estimate(plan.api, plan.rows or 0, len(plan.columns), table.calls)


def _of_calls(calls: int) -> Estimate:
    return estimate("records", 0, 0, calls)


def _of_plan(service: Service, plan: Plan) -> PlanLine:
    """What the reading of a module takes."""
    name, cost = plan.module.api_name, plan.cost
    calls, credits = cost.calls, cost.credits
    if not plan.is_full_refresh:
        calls = max(calls - 1, 0)  # its first page has come already
        credits = max(
            window_credits_by_api(plan.rows or 0, plan.columns, plan.api_availability.coql)[plan.api], 0
        )
    if plan.synced is not None:
        calls, credits = calls + 1, credits + service.deleted_credits
    guess = estimate(plan.api, plan.rows or 0, len(plan.columns), calls)
    return PlanLine(name, plan.table, plan.api, plan.reason, plan.rows, calls, credits, guess)

"""What a run has read and loaded, and how a command ended."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from sources.zoho_crm.client.client import ZohoClient
from sources.zoho_crm.discovery.catalog import Catalog
from sources.zoho_crm.exceptions import CredentialsError, CreditBudgetExceeded
from sources.zoho_crm.extract.extractor import ExtractResult
from sources.zoho_crm.models import Skip
from sources.zoho_crm.state import ModuleState

from ..errors import FAILED
from .plan_totals import PlanTotals

OUT_OF_SCOPE = "OAUTH_SCOPE_MISMATCH"


@dataclass
class RunResult:
    """What one run did."""

    readings: list[ExtractResult] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)  # modules that were not read, and why
    failures: list[Skip] = field(default_factory=list)  # modules whose fields could not be asked
    waiting: list[Skip] = field(default_factory=list)  # what the limit of credits leaves for a later run
    named: frozenset[str] = frozenset()  # what the user asked for by name
    troubles: list[tuple[str, str]] = field(default_factory=list)  # what failed beside the tables, and why
    table_counts: dict[str, int] = field(default_factory=dict)  # rows in the destination, by table
    converted_counts: dict[str, int] = field(default_factory=dict)  # of these, converted records
    synced: dict[str, ModuleState] = field(default_factory=dict)  # what the comparison of counts has found
    overdue: dict[str, ModuleState] = field(
        default_factory=dict
    )  # modules that could not follow their parents
    fully_refreshed: set[str] = field(default_factory=set)  # modules that were read whole again
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None
    calls: int = 0
    credits: int = 0
    credits_remaining: int | None = None
    is_logged: bool = False  # `sync_runs` has its rows
    spent: bool = False  # the limit of credits was too low for all of it
    expected: PlanTotals | None = None  # what it was to take, before it began to read

    def follow(self, found: Catalog) -> None:
        """It does what the survey has found."""
        self.named, self.skips, self.failures = found.choice.named, found.skips, found.failures
        self.waiting, self.spent = found.waiting, bool(found.waiting or found.over_credit_limit)

    def stop(self, error: CreditBudgetExceeded, client: ZohoClient) -> None:
        """It ends before anything was read: already the questions to plan it cost too much."""
        self.troubles.append(("planning", str(error)))
        self.spent = True
        self.close(client)

    def close(self, client: ZohoClient) -> None:
        """Add up what it cost; the watermark of a table that failed stays where it was."""
        for reading in self.readings:
            if reading.status != "read":
                self.synced.pop(reading.name, None)
        self.synced.update(self.overdue)
        usages = [client.usage, *(r.usage for r in self.readings if r.name not in ("modules", "fields"))]
        self.calls = sum(usage.calls for usage in usages)
        self.credits = sum(usage.credits for usage in usages)
        self.credits_remaining = client.context.credits_remaining
        self.finished = datetime.now(timezone.utc)

    @property
    def cut(self) -> set[str]:
        """The tables that the limit of credits has cut off."""
        return {r.name for r in self.readings if isinstance(r.cause, CreditBudgetExceeded)}

    @property
    def exit_code(self) -> int:
        """0: every chosen table is synced. 1: something failed. 3: Zoho refused credentials or scopes.

        6: stopped at the credit limit.
        """
        missed = {
            r.name: r.error or "" for r in self.readings if r.status == "skipped" and r.name in self.named
        }
        missed.update((s.module.api_name, s.reason) for s in self.skips if s.module.api_name in self.named)
        missed.update((r.name, r.error or "") for r in self.readings if r.status == "failed")
        missed.update((s.module.api_name, s.reason) for s in self.failures)
        if self._refused(missed.values()):
            return 3
        if self.spent or self.cut:
            return 6
        return 1 if missed or self.troubles else 0

    def _refused(self, missed: Iterable[str]) -> bool:
        """Whether credentials or scopes are to blame: for one table that was wanted, or for all modules."""
        if any(isinstance(r.cause, CredentialsError) for r in self.readings):
            return True
        modules = [r for r in self.readings if r.plan is not None]
        if not any(r.status == "read" for r in modules):
            missed = [*missed, *(s.reason for s in self.skips), *(r.error or "" for r in modules)]
        return any(OUT_OF_SCOPE in why for why in missed)


@dataclass
class CommandOutcome:
    """What is known of it; a run that broke off has no `run`, and a sentence instead."""

    command: str
    pipeline: str
    code: int = FAILED
    sentence: str = ""
    error: BaseException | None = None  # that broke it off
    run: RunResult | None = None
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None

    @property
    def seconds(self) -> float:
        return ((self.finished or self.started) - self.started).total_seconds()

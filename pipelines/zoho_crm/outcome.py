"""What one run did, and the exit code that tells it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from sources.zoho_crm.errors import CredentialsError, CreditLimit
from sources.zoho_crm.plan import Skip
from sources.zoho_crm.reading import Reading

OUT_OF_SCOPE = "OAUTH_SCOPE_MISMATCH"


@dataclass
class Run:
    """What one run did."""

    readings: list[Reading] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)  # modules that were not read, and why
    failures: list[Skip] = field(default_factory=list)  # modules whose fields could not be asked
    named: frozenset[str] = frozenset()  # what the user asked for by name
    troubles: list[tuple[str, str]] = field(default_factory=list)  # what failed beside the tables, and why
    table_counts: dict[str, int] = field(default_factory=dict)  # rows in the destination, by table
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None
    calls: int = 0
    credits: int = 0
    credits_remaining: int | None = None

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
        if any(isinstance(r.cause, CreditLimit) for r in self.readings):
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

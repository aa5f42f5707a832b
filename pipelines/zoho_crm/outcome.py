"""What one run did, and the exit code that tells it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone

from sources.zoho_crm.errors import CredentialsError, CreditLimit
from sources.zoho_crm.plan import Skip
from sources.zoho_crm.reading import Reading


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
        if any(isinstance(r.cause, CredentialsError) for r in self.readings) or self._all_out_of_scope():
            return 3
        if any(isinstance(r.cause, CreditLimit) for r in self.readings):
            return 6
        failed = any(r.status == "failed" for r in self.readings) or bool(self.failures or self.troubles)
        skipped = {s.module.api_name for s in self.skips} | {
            r.name for r in self.readings if r.status == "skipped"
        }
        return 1 if failed or self.named & skipped else 0

    def _all_out_of_scope(self) -> bool:
        modules = [r for r in self.readings if r.plan is not None]
        reasons = [s.reason for s in self.skips] + [r.error or "" for r in modules]
        return not any(r.status == "read" for r in modules) and any(
            "OAUTH_SCOPE_MISMATCH" in r for r in reasons
        )

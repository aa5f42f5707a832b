"""What a user decides about a sync: which modules, how far to look back, how often to prove."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from .state import DeletionMode
from .transform.privacy_rules import PrivacyRules

AUDIT_LOG = "audit_log"
ON_REQUEST = frozenset({AUDIT_LOG})  # tables that are read only where a user asks for them


@dataclass(frozen=True)
class SyncConfig:
    """The settings of incremental sync; the defaults are the README's."""

    lookback: timedelta = timedelta(minutes=10)  # taken off a watermark when it is used, never stored
    computed_refresh: timedelta = timedelta(hours=24)  # of formulas and roll-ups, which move no Modified_Time
    verify_every: timedelta = timedelta(days=7)  # read whole, for what no list of changes shows
    settings_refresh: timedelta = timedelta(hours=24)  # of tables that take a call for each module
    count_every: timedelta = timedelta(hours=24)  # compare Zoho's count of a module that did not change
    deletes: Literal["hard", "soft"] = "hard"
    history: frozenset[str] | None = frozenset()  # modules that keep every version; None for all
    since: datetime | None = None  # read again what changed since then
    table_format: str | None = (
        None  # delta, iceberg or native; None for what the tables have, or the destination's
    )
    rules: PrivacyRules = field(
        default_factory=PrivacyRules
    )  # what is dropped, masked, hashed, chosen and filtered
    audit_log: bool = False  # read the log of what users did

    @property
    def keeps_more(self) -> bool:
        """Whether some table keeps more than the CRM has."""
        return self.deletes != "hard" or self.history != frozenset()

    def keeps(self, module: str) -> DeletionMode:
        """What becomes of the older state of a module's rows."""
        return "history" if self.history is None or module in self.history else self.deletes


@dataclass(frozen=True)
class ModuleSelection:
    """What a user wants of a run; modules by API name, empty means all."""

    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    refresh: bool = False  # read everything whole, also what is read once a day only
    policy: SyncConfig = field(default_factory=SyncConfig)

    @property
    def named(self) -> frozenset[str]:
        """What a user asked for by name, or by an option of its own: not to get it is a failure."""
        return self.only | ({AUDIT_LOG} if self.policy.audit_log else frozenset())

    def selects(self, name: str) -> bool:
        by_default = not self.only and name not in ON_REQUEST
        return (by_default or name in self.named) and name not in self.never

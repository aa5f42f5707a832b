"""What a check finds, and what the checks of one call share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from ..errors import FAILED, one_line
from ..options import Options
from ..version import program

if TYPE_CHECKING:
    from pathlib import Path

    from sources.zoho_crm.auth.credentials import ZohoCredentials
    from sources.zoho_crm.client.client import ZohoClient
    from sources.zoho_crm.config import ModuleSelection
    from sources.zoho_crm.exceptions import ZohoCrmError
    from sources.zoho_crm.models import Module
    from sources.zoho_crm.service import Service

    from .account_checks import Grants


Status = Literal["ok", "warning", "failed", "unknown"]
COMMAND = program()
AUTHORIZE = f"run `{COMMAND} authorize`"
FEW = 5  # names shown without --verbose


@dataclass(frozen=True)
class CheckResult:
    """`unknown` is what could not be asked, or what Zoho does not tell."""

    name: str
    status: Status
    message: str
    remedy: str = ""
    code: int = field(default=0, compare=False)
    needs_another: bool = field(default=False, compare=False)  # it was not asked because another check failed

    def facts(self) -> Mapping[str, Any]:
        """What a program reads; the sentences are one line each."""
        found = asdict(replace(self, message=one_line(self.message), remedy=one_line(self.remedy)))
        del found["code"], found["needs_another"]
        return found


def ok(name: str, message: str) -> CheckResult:
    return CheckResult(name, "ok", message)


def warning(name: str, message: str, remedy: str) -> CheckResult:
    return CheckResult(name, "warning", message, remedy)


def unknown(name: str, message: str, remedy: str = "") -> CheckResult:
    return CheckResult(name, "unknown", message, remedy)


def not_asked(name: str, why: str) -> CheckResult:
    """A check that another one, which failed, stands in the way of."""
    return CheckResult(name, "unknown", f"not asked: {why}", needs_another=True)


def failed(name: str, message: str, remedy: str, code: int = FAILED) -> CheckResult:
    return CheckResult(name, "failed", message, remedy, code)


def listed(names: list[str], *, verbose: bool) -> str:
    """`Leads, Deals and 3 more`; all of them if they are few or wanted."""
    if verbose or len(names) <= FEW + 1:
        return ", ".join(names)
    return f"{', '.join(names[:FEW])} and {len(names) - FEW:,} more"


@dataclass
class CheckContext:
    """None is what nobody has found out, or what could not be."""

    options: Options
    place: str  # the pipelines dir
    open_account: Callable[[], ZohoCredentials]

    credentials: ZohoCredentials | None = (
        None  # without a client they are enough to see whether the server answers
    )
    client: ZohoClient | None = None
    reached: bool = False  # the accounts server
    grants: Grants | None = None  # with a token that works
    organisation: Mapping[str, Any] | ZohoCrmError | None = None
    clock: tuple[float, str] | None = None  # seconds that this machine is ahead, and of whose clock
    modules: list[Module] | None = None  # all that Zoho lists
    choice: ModuleSelection | None = None  # in Zoho's spelling

    destination: Any = None
    database: Path | None = None  # DuckDB's file
    busy: bool = False  # another run holds the lock
    rows: int = 0  # that the last runs found in the CRM
    last_credits: int | None = None  # that the last run took
    loaded: frozenset[str] = frozenset()  # modules and tables that were read before: to lose one fails a run

    def compare_clocks(self, server: datetime | None, before: datetime, after: datetime, whose: str) -> None:
        """`Date` is cut to the second, and was written at some time between the two."""
        if server is None:
            return
        ahead = 0.0
        if server > after:
            ahead = (after - server).total_seconds()
        elif (before - server).total_seconds() > 1:
            ahead = (before - server).total_seconds()
        self.clock = ahead, whose

    @property
    def service(self) -> Service:
        from sources.zoho_crm.service import SERVICES

        return SERVICES[self.options.service]

    @property
    def tables(self) -> list[Module]:
        """The chosen modules that Zoho offers to this user."""
        from sources.zoho_crm.discovery.catalog import skip_reason

        if self.modules is None or self.choice is None:
            return []
        return [m for m in self.modules if self.choice.selects(m.api_name) and not skip_reason(m)]

    @property
    def any_module(self) -> str | None:
        """One to ask with, chosen if possible."""
        from sources.zoho_crm.discovery.catalog import skip_reason

        names = [m.api_name for m in [*self.tables, *(self.modules or ())] if not skip_reason(m)]
        return names[0] if names else None

    @property
    def own_tables(self) -> list[str]:
        """The chosen tables that are no module's."""
        from sources.zoho_crm.discovery.account_tables import own_tables

        ours = [name for name in own_tables(self.service) if name not in self.service.lacks]
        if self.choice is not None:
            return [name for name in ours if self.choice.selects(name)]
        from sources.zoho_crm.config import ModuleSelection, SyncConfig

        policy = SyncConfig(audit_log=self.options.audit_log)
        choice = ModuleSelection(self.options.modules, self.options.exclude, policy=policy)
        return [name for name in ours if choice.selects(name)]

"""What the checks have found out so far, so that a later one asks nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .options import Options

if TYPE_CHECKING:
    from pathlib import Path

    from sources.zoho_crm.client import ZohoClient
    from sources.zoho_crm.credentials import ZohoCredentials
    from sources.zoho_crm.errors import ZohoCrmError
    from sources.zoho_crm.metadata import Module
    from sources.zoho_crm.survey import Choice

    from .check_grants import Grants


@dataclass
class State:
    """None is what nobody has found out, or what could not be."""

    options: Options
    place: str  # the pipelines dir
    open_account: Callable[[], ZohoCredentials]

    credentials: ZohoCredentials | None = None  # without a client they are enough for a knock at the door
    client: ZohoClient | None = None
    reached: bool = False  # the accounts server
    grants: Grants | None = None  # with a token that works
    organisation: Mapping[str, Any] | ZohoCrmError | None = None
    clock: tuple[float, str] | None = None  # seconds that this machine is ahead, and of whose clock
    modules: list[Module] | None = None  # all that Zoho lists
    choice: Choice | None = None  # in Zoho's spelling

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
    def tables(self) -> list[Module]:
        """The chosen modules that Zoho offers to this user."""
        from sources.zoho_crm.survey import why_not

        if self.modules is None or self.choice is None:
            return []
        return [m for m in self.modules if self.choice.wants(m.api_name) and not why_not(m)]

    @property
    def any_module(self) -> str | None:
        """One to ask with, chosen if possible."""
        from sources.zoho_crm.survey import why_not

        names = [m.api_name for m in [*self.tables, *(self.modules or ())] if not why_not(m)]
        return names[0] if names else None

    @property
    def own_tables(self) -> list[str]:
        """The chosen tables that are no module's."""
        from sources.zoho_crm.endpoints import OUR_TABLES

        if self.choice is not None:
            return [name for name in OUR_TABLES if self.choice.wants(name)]
        wanted = self.options.modules
        return [n for n in OUR_TABLES if (not wanted or n in wanted) and n not in self.options.exclude]

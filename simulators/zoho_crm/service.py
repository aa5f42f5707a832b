"""What the server and the accounts server need of a simulated service of Zoho's, whatever data it holds."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from .clock import Clock
from .faults import Faults
from .ledger import Ledger
from .oauth.tokens import Tokens
from .quirks import Quirks
from .rules import Rules


class Service(ABC):
    """Limits, switches, time, tokens, faults and the calls so far; `Org` adds the CRM."""

    def __init__(
        self, rules: Rules | None = None, quirks: Quirks | None = None, clock: Clock | None = None
    ) -> None:
        self.lock = threading.RLock()
        self.rules = rules or Rules()
        self.quirks = quirks or Quirks()
        self.clock = clock or Clock()
        self.running = self.running_heavy = 0
        self.running_lock = threading.Lock()
        self.ledger = Ledger()
        self.faults = Faults()
        self.tokens = Tokens(self)

    def now(self) -> datetime:
        """The time in whole seconds: Zoho keeps no fractions."""
        return self.clock.now().replace(microsecond=0)

    @property
    @abstractmethod
    def zgid(self) -> str:
        """The organisation's id."""

    @property
    @abstractmethod
    def company_name(self) -> str: ...

    @property
    @abstractmethod
    def user(self) -> dict[str, Any]:
        """The user that the tokens act as."""

    @property
    @abstractmethod
    def time_zone(self) -> str:
        """The API user's zone: the offset of every datetime that Zoho writes."""

"""How a command ended, as far as those who are not looking want to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .failures import FAILED

if TYPE_CHECKING:
    from .outcome import Run


@dataclass
class Ending:
    """What is known of it; a run that broke off has no `run`, and a sentence instead."""

    command: str
    pipeline: str
    code: int = FAILED
    sentence: str = ""
    error: BaseException | None = None  # that broke it off
    run: Run | None = None
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    finished: datetime | None = None

    @property
    def seconds(self) -> float:
        return ((self.finished or self.started) - self.started).total_seconds()

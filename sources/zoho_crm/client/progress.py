"""What a reading tells while it goes on, to whoever wants to know; called from the thread that reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..extract.extractor import ExtractResult
    from ..sync.tables import Table


class ProgressCallback:
    """Hears how far the reading of one table is. This one does not listen."""

    def rows(self, count: int) -> None:
        """So many rows have come; fewer than none where some are taken back."""

    def waits(self, state: str) -> None:
        """Zoho works on it: the state of a Bulk Read job, in Zoho's words."""

    def pauses(self, text: str, facts: dict[str, object]) -> bool:
        """A wait of more than half a minute, with its reason and its end, or that it is over; whether anybody heard."""
        return False

    def downloads(self, size: int) -> None:
        """So many more bytes of an archive have come; none where it begins."""


NO_PROGRESS = ProgressCallback()


class ProgressListener:
    """Hears of all tables of a run, from the threads that read them. This one does not listen."""

    def expect(self, tables: Sequence[Table]) -> None:
        """These are read next."""

    def watch(self, table: Table) -> ProgressCallback:
        """A thread begins to read a table; gives what is to hear of it."""
        return NO_PROGRESS

    def read(self, reading: ExtractResult) -> None:
        """A thread is through with a table."""

"""What a reading tells while it goes on, to whoever wants to know; called from the thread that reads."""

from __future__ import annotations


class Watch:
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


UNWATCHED = Watch()

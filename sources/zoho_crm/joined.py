"""Splits the cells of Bulk Read that hold several values joined by a separator.

Zoho does not say which separator joins the values of a multi-select field (a semicolon by its import
pages, a comma by what other connectors met), and the values may hold either. So a cell is split against
the values that the field knows; one that can be read in two ways, or in none, is for the Records API.
"""

from __future__ import annotations

from collections.abc import Iterable

SEPARATORS = (";", ",")


class Splitter:
    """Splits the cells of one column; learns the account's separator from the first clear cell."""

    def __init__(self, known: Iterable[str], separators: tuple[str, ...] = SEPARATORS) -> None:
        self.known = set(known)
        self.separators = separators

    def learn(self, texts: Iterable[str]) -> None:
        """Settle on the one separator that some cell proves; without a proof both stay possible."""
        for text in texts:
            ways = {
                separator: way
                for separator in self.separators
                for way in self._ways(text, separator)
                if len(way) > 1
            }
            if len(ways) == 1 and text not in self.known:
                self.separators = (next(iter(ways)),)
                return

    def split(self, text: str) -> list[str] | None:
        """The values of a cell, or None if the text alone does not tell."""
        if not any(separator in text for separator in self.separators):
            return [text]
        ways = {way for separator in self.separators for way in self._ways(text, separator)}
        if len(ways) == 1:
            return list(next(iter(ways)))
        return None

    def _ways(self, text: str, separator: str) -> list[tuple[str, ...]]:
        """At most two ways to read the text as known values joined by the separator."""
        parts = text.split(separator)
        ways_from: list[list[tuple[str, ...]]] = [[] for _ in parts] + [[()]]
        for start in reversed(range(len(parts))):
            for end in range(start + 1, len(parts) + 1):
                value = separator.join(parts[start:end])
                if value in self.known and ways_from[end]:
                    ways_from[start] += [(value, *rest) for rest in ways_from[end]]
                if len(ways_from[start]) > 1:
                    break
            del ways_from[start][2:]
        return ways_from[0]

"""Splits the cells of Bulk Read that hold several values joined by a separator.

Zoho does not say which separator joins the values of a multi-select field (a semicolon by its import
pages, a comma by what other connectors met), and the values may hold either. So a cell is split against
the values that the field knows; one that can be read in two ways, or in none, is for the Records API.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

SEPARATORS = (";", ",")


class Splitter:
    """Splits the cells of one column; learns the account's separator from the clear cells."""

    def __init__(self, known: Iterable[str], separators: tuple[str, ...] = SEPARATORS) -> None:
        self.known = set(known)
        self.possible = self.separators = separators

    def learn(self, texts: Iterable[str]) -> None:
        """Settle on the separator that most cells prove; without a proof all stay possible.

        One cell may prove the wrong one: a value that its field no longer knows, `A,B`, looks like two.
        """
        proofs: Counter[str] = Counter()
        for text in texts if len(self.separators) > 1 else ():
            proven = [s for s in self.separators if any(len(way) > 1 for way in self._ways(text, s))]
            if len(proven) == 1 and text not in self.known:
                proofs[proven[0]] += 1
        ranked = proofs.most_common(2)
        if ranked and (len(ranked) == 1 or ranked[0][1] > ranked[1][1]):
            self.separators = (ranked[0][0],)

    def split(self, text: str) -> list[str] | None:
        """The values of a cell, or None if the text alone does not tell.

        A text without any separator is one value, known or not.
        """
        if not any(separator in text for separator in self.possible):
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

"""Splits the cells of Bulk Read that hold several values joined by a separator.

Zoho does not say which separator joins the values of a multi-select field (a semicolon by its import
pages, a comma by what other connectors met), and the values may hold either; a value that its field no
longer knows may even look like two that it knows. So the separator is proven by a record that came in both
forms, and a cell that can still be read in two ways is for the Records API.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

SEPARATORS = (";", ",")
TAG_SEPARATOR = ","  # of the names of tags and nothing else


def separator_of(text: str, values: Sequence[str]) -> str | None:
    """What joins these values to this text. One value proves nothing: it may hold any separator."""
    if len(values) < 2:
        return None
    length = (len(text) - sum(map(len, values))) // (len(values) - 1)
    separator = text[len(values[0]) :][: max(length, 0)]
    # More than a sign and blanks is the value that an edit has taken away meanwhile: `A;B;C` is now A and C.
    return separator if separator.strip() in SEPARATORS and separator.join(values) == text else None


class Splitter:
    """Splits the cells of one column by the values that its field knows."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)

    def learn(self, values: Iterable[str]) -> None:
        """Values that a record holds, though its field may no longer list them."""
        self.known.update(values)

    def split(self, text: str, separator: str | None) -> list[str] | None:
        """The values of a cell, or None if the text does not tell.

        Without a proven separator only a text without any, or one known value, is clear. With one, unknown
        parts are values that were taken from the list, unless this field's values hold the separator.
        """
        if separator is None:
            return [text] if self._is_one(text) else None
        if separator not in text:
            return [text]
        ways = self._ways(text, separator)
        if ways:
            return list(ways[0]) if len(ways) == 1 else None
        parts = text.split(separator)
        plain = self.known and not any(separator in value for value in self.known)
        return parts if plain and all(parts) else None

    def _is_one(self, text: str) -> bool:
        found = [separator for separator in SEPARATORS if separator in text]
        return all(self._ways(text, separator) == [(text,)] for separator in found)

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

"""The bytes behind attachments, file fields and photos, by the id of the file; a photo's is that of its record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

Missing = Literal["gone", "link"]


@dataclass
class Contents:
    """What a download brings. A file that nobody has put here has bytes of its own, made of its id."""

    _known: dict[str, bytes | Missing] = field(default_factory=dict)

    def put(self, id: str, content: bytes) -> None:
        """Give a file these bytes; its row may state another size."""
        self._known[id] = content

    def lose(self, id: str) -> None:
        """The row stays, and the file is gone."""
        self._known[id] = "gone"

    def make_link(self, id: str) -> None:
        """The attachment is a link to somewhere else, so it has no file."""
        self._known[id] = "link"

    def of(self, id: str, size: int, head: bytes = b"") -> bytes | Missing:
        """`size` and `head` are those of a file with bytes of its own."""
        return self._known[id] if id in self._known else head + generated(id, size - len(head))


def generated(id: str, size: int) -> bytes:
    """The same bytes for the same id, and for no other."""
    return hashlib.shake_256(id.encode()).digest(size)

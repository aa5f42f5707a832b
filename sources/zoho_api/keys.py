"""Primary keys: rows that differ and have the same one would replace each other in their table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..zoho_crm.exceptions import ExtractError
from .paginators import parse_time


@dataclass(frozen=True)
class Parent:
    """From whose rows a resource is read, and what it was told to take over from them."""

    name: str
    columns: tuple[str, ...]  # the parent's columns that a request is made with
    included: tuple[str, ...] = ()  # those that the file takes over into the rows itself

    def column(self, name: str) -> str:
        """What a column of the parent's is called in the rows, as dlt names it."""
        return f"_{self.name}_{name}"


@dataclass
class KeyCheck:
    """A step that raises ExtractError for a primary key that tells rows apart too little.

    A row may come twice, as pages move while they are read, and may have been edited meanwhile. So rows with one key
    that differ are a fault of the key if they are in one answer, or of different parents, or if none of them can have
    been edited meanwhile: it changed before `settled`, or the pages do not overlap and there is no time of change.
    Takes about 220 bytes a row.
    """

    resource: str
    names: tuple[str, ...]
    parent: Parent | None = None
    cursor: str | None = None  # the column with the time of change
    settled: datetime | None = None  # what changed before was not edited during this run
    repeats: bool = True  # whether a row may come twice, edited meanwhile, where no cursor tells
    _seen: dict[int, tuple[int, int]] = field(default_factory=dict)  # hashes: key -> parent, row

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        place = hash(self._take_parent(row))
        for name in self.names:
            if name not in row:
                raise ExtractError(
                    f"no row of {self.resource} has the column {name} of its primary_key; the rows have {', '.join(row)}"
                )
        content = hash(json.dumps(row, sort_keys=True, default=str))
        known = self._seen.setdefault(hash(tuple(str(row[name]) for name in self.names)), (place, content))
        if known[1] != content and (known[0] != place or self._is_settled(row)):
            raise self._ambiguous(other_parent=known[0] != place)
        return row

    def check_answer(self, rows: Sequence[Any]) -> None:
        """Rows of one answer are of one moment, so those that differ are not versions of one row."""
        seen: dict[tuple[str, ...], Any] = {}
        for row in rows:
            if isinstance(row, dict):
                key = tuple(str(row[name]) for name in self.names if name in row)
                if seen.setdefault(key, row) != row and self._has_own(row):
                    raise self._ambiguous(other_parent=False)

    def _has_own(self, row: Mapping[str, Any]) -> bool:
        """Whether all columns of the key are there, but for the parent's, which come later."""
        prefix = self.parent.column("") if self.parent else None
        return all(name in row or (prefix and name.startswith(prefix)) for name in self.names)

    def _take_parent(self, row: dict[str, Any]) -> tuple[str, ...]:
        """The values that the row's request was made with; those that the file did not want are taken out."""
        if self.parent is None:
            return ()
        values = []
        for name in self.parent.columns:
            column = self.parent.column(name)
            values.append(str(row.get(column)))
            if name not in self.parent.included:
                row.pop(column, None)
        return tuple(values)

    def _is_settled(self, row: Mapping[str, Any]) -> bool:
        if self.cursor is None:
            return not self.repeats
        time = row.get(self.cursor)
        return isinstance(time, str) and self.settled is not None and parse_time(time) < self.settled

    def _ambiguous(self, *, other_parent: bool) -> ExtractError:
        key = ", ".join(self.names)
        if self.parent is None or not other_parent:
            return ExtractError(
                f"different rows of {self.resource} have the same primary_key {key}, so only one of them would stay:"
                " name all columns that tell them apart"
            )
        included = ", ".join(dict.fromkeys((*self.parent.included, *self.parent.columns)))
        columns = (self.parent.column(name) for name in self.parent.columns)
        names = ", ".join(dict.fromkeys((*columns, *self.names)))
        return ExtractError(
            f"rows of {self.resource} of different {self.parent.name} have the same primary_key {key}, so only one of them"
            f" would stay: write include_from_parent: [{included}] and primary_key: [{names}]"
        )


class FirstOfEach:
    """Lets each row through once: rows that are inserted meanwhile push others to the next page."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._seen: set[tuple[Any, ...]] = set()

    def __call__(self, row: Mapping[str, Any]) -> bool:
        values = tuple(str(row.get(name)) for name in self._names)
        if values in self._seen:
            return False
        self._seen.add(values)
        return True

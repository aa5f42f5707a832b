"""Compares the tables of a destination with the simulated org, row by row and value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from tests.truth import column_of, truth

from .target import Row, Tables, Target
from .world import World

OURS = frozenset({"deleted_at"})


def differences(world: World, target: Target, began: datetime, *, whole: bool) -> list[str]:
    """What a run left that it may not leave; `whole`: it ended with exit code 0.

    Another run has to leave every row as it was or as it should be.
    """
    now, names = target.tables(), target.column_names(world.org)
    found: list[str] = []
    for module in world.org.modules:
        look = _Module(world, target, module, names[module], began)
        found += look.whole(now) if whole else look.unharmed(now)
    gone = [table for table in target.before if table not in now]
    return found + [f"the table {table} is gone" for table in gone]


class _Module:
    """One module against its table."""

    def __init__(
        self, world: World, target: Target, module: str, names: Mapping[str, str | None], began: datetime
    ) -> None:
        self.world, self.module, self.began, self.fresh = world, module, began, target.fresh
        self.table = module.lower()
        self.before = {} if target.fresh else target.before.get(self.table, {})
        self.reshaped = world.reshaped != target.reshaped
        fields = world.org.modules[module].fields
        self.fields = {f.api_name: names.get(f.api_name) for f in fields if column_of(f) is not None}
        self.expected = truth(world.org, module, names={k: v for k, v in names.items() if v is not None})
        # Without Modified_Time the module is read whole each time.
        self.excuses = not target.fresh and world.org.modules[module].field("Modified_Time") is not None

    def whole(self, now: Tables) -> Iterator[str]:
        missing = [name for name, column in self.fields.items() if column is None]
        yield from (f"{self.module}: the field {name} has no column" for name in missing)
        if self.table not in now:
            yield f"{self.module}: there is no table {self.table}"
            return
        rows = now[self.table]
        for id in self.expected.keys() - rows.keys():
            if not self._may_be_missing(id):
                yield f"{self.module} {id} is missing"
        for id in rows.keys() - self.expected.keys():
            if not self._may_be_extra(id):
                yield f"{self.module} {id} is not in the CRM any more"
        for id in rows.keys() & self.expected.keys():
            yield from self._wrong(id, rows[id])

    def unharmed(self, now: Tables) -> Iterator[str]:
        rows = now.get(self.table, {})
        for id in (self.before.keys() - rows.keys()) & self.expected.keys():
            yield f"{self.module} {id} was lost"
        for id in rows.keys() - self.before.keys() - self.expected.keys():
            yield f"{self.module} {id} came from nowhere"
        for id, row in rows.items():
            if _same(row, self.before.get(id)) or self.reshaped or id not in self.expected:
                continue
            wrong = list(self._wrong(id, row))
            if wrong:
                yield f"{self.module} {id} is neither as before nor as it should be: {'; '.join(wrong)}"

    def _wrong(self, id: str, row: Row) -> Iterator[str]:
        for name, column in self.fields.items():
            if column is None:
                continue
            value, should = row.get(column), self.expected[id][column]
            if value != should and not self._may_be_old(id, name, column, value):
                yield f"{self.module} {id} {column} is {value!r}, should be {should!r}"
        yield from self._former(id, row)

    def _former(self, id: str, row: Row) -> Iterator[str]:
        """The columns of fields that are gone, or that had another type, keep what they held."""
        held = self.before.get(id, {})
        for column in row.keys() - set(self.fields.values()) - {"id"} - OURS:
            if row[column] != held.get(column):
                yield f"{self.module} {id} {column} is {row[column]!r}, was {held.get(column)!r}"

    # What once was right in the table does not become wrong again: an excuse counts only for what stayed.

    def _may_be_old(self, id: str, name: str, column: str, value: Any) -> bool:
        stayed = id in self.before and self.before[id].get(column) == value
        return self.excuses and stayed and self.world.may_be_old((self.module, id), name, value, self.began)

    def _may_be_missing(self, id: str) -> bool:
        key = (self.module, id)
        return self.excuses and id not in self.before and self.world.may_be_missing(key, self.began)

    def _may_be_extra(self, id: str) -> bool:
        key = (self.module, id)
        return self.excuses and id in self.before and self.world.may_be_extra(key, self.began)


def _same(row: Row, before: Row | None) -> bool:
    """Columns that came meanwhile are empty in what stayed."""
    if before is None:
        return False
    return all(row.get(name) == before.get(name) for name in row.keys() | before.keys())

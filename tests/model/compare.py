"""Compares the tables of a destination with the simulated org, row by row and value by value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from simulators.zoho_crm.crm.deletions import listed_as
from tests.support.truth import column_of, truth

from .target import NOT_DATA, Held, Row, Target
from .world import COMPUTED, World

FEED = timedelta(days=59)  # the feed of deletions remembers a little longer


def differences(world: World, target: Target, began: datetime, *, whole: bool) -> list[str]:
    """What a run left that it may not leave; `whole`: it ended with exit code 0.

    Another run has to leave every row as it was or as it should be.
    """
    now, names = target.tables(), target.column_names()
    found = [f"the table {table} is gone" for table in target.before if table not in now]
    for module in world.org.modules:
        look = _Module(world, target, module, names[module], began)
        table = now.get(module.lower())
        if whole and table is None:
            found.append(f"{module}: there is no table")
        table = table or Held()
        found += look.whole(table) if whole else look.unharmed(table)
        found += look.remembered(table)
    if whole and target.good is not None and not target.fresh:
        found += unremembered(world, target, target.good, began)
    return found


def unremembered(world: World, target: Target, since: datetime, began: datetime) -> Iterator[str]:
    """Deletions that the feed told of between two good runs and that `deleted_records` does not hold."""
    held = target.deletions() if began - since < FEED else None
    for module in world.modules_with_feed() if held is not None else ():
        for gone in world.org.deletions[module]:
            key = (module, gone.record.id)
            told = gone.deleted_time > since and listed_as(world.org, gone) and not gone.restored
            if told and held is not None and key not in held:
                yield f"deleted_records does not hold {key}"


class _Module:
    """One module against its table."""

    def __init__(
        self, world: World, target: Target, module: str, names: Mapping[str, str | None], began: datetime
    ) -> None:
        self.world, self.module, self.began = world, module, began
        self.keeps = target.policy.keeps(module)
        self.previous = Held() if target.fresh else target.before.get(module.lower(), Held())
        self.before = self.previous.live
        self.reshaped = world.reshaped != target.reshaped
        fields = world.org.modules[module].fields
        self.fields = {f.api_name: names.get(f.api_name) for f in fields if column_of(f) is not None}
        self.computed = {self.fields.get(f.api_name) for f in fields if f.data_type in COMPUTED}
        self.expected = truth(world.org, module, names={k: v for k, v in names.items() if v is not None})
        # Without Modified_Time the module is read whole each time.
        self.excuses = not target.fresh and world.org.modules[module].field("Modified_Time") is not None

    def whole(self, now: Held) -> Iterator[str]:
        missing = [name for name, column in self.fields.items() if column is None]
        yield from (f"{self.module}: the field {name} has no column" for name in missing)
        rows = now.live
        for id in self.expected.keys() - rows.keys():
            if not self._may_be_missing(id):
                yield f"{self.module} {id} is missing"
        for id in rows.keys() - self.expected.keys():
            if not self._may_be_extra(id):
                yield f"{self.module} {id} is not in the CRM any more"
        for id in rows.keys() & self.expected.keys():
            yield from self._wrong(id, rows[id])

    def unharmed(self, now: Held) -> Iterator[str]:
        rows = now.live
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

    def remembered(self, now: Held) -> Iterator[str]:
        """What a table keeps of the past stays there, whatever the run came to."""
        for id in self.previous.dead.keys() - now.dead.keys() - now.live.keys():
            yield f"{self.module} {id}, deleted earlier, is gone"
        if self.keeps == "soft":
            for id in self.before.keys() - now.dead.keys() - now.live.keys():
                yield f"{self.module} {id} is gone, not marked"
        for id, versions in self.previous.closed.items():
            kept = now.closed.get(id, [])[: len(versions)]
            if len(kept) < len(versions) or any(
                not _same(*pair, ()) for pair in zip(kept, versions, strict=True)
            ):
                yield f"{self.module} {id}: the versions {_cut(versions)} are now {_cut(kept)}"
        if self.keeps == "history":
            yield from self._versions(now)

    def _versions(self, now: Held) -> Iterator[str]:
        """What a row held before is a version that is over, and versions follow each other.

        A new value of a formula is put into the open version.
        """
        beside = NOT_DATA | self.computed
        for id, row in self.before.items() if not self.reshaped else ():
            held = [*now.closed.get(id, [])[len(self.previous.closed.get(id, [])) :], now.live.get(id, {})]
            if not any(_same(version, row, beside) for version in held):
                yield f"{self.module} {id}: the version {_cut(row)} is lost"
        for id, versions in now.closed.items():
            last = [now.live[id]] if id in now.live else []
            for one, other in zip(versions, [*versions[1:], *last], strict=False):
                if not one["_dlt_valid_from"] <= one["_dlt_valid_to"] <= other["_dlt_valid_from"]:
                    yield f"{self.module} {id}: two versions at one time"

    def _wrong(self, id: str, row: Row) -> Iterator[str]:
        for name, column in self.fields.items():
            if column is None:
                continue
            value, should = row.get(column), self.expected[id][column]
            if value != should and not self._may_be_old(id, name, column, value):
                yield f"{self.module} {id} {column} is {_cut(value)}, should be {_cut(should)}"
        yield from self._former(id, row)

    def _former(self, id: str, row: Row) -> Iterator[str]:
        """The columns of fields that are gone, or that had another type, keep what they held."""
        held = self.before.get(id) or self.previous.dead.get(id) or {}
        for column in row.keys() - set(self.fields.values()) - {"id"} - NOT_DATA:
            if row[column] != held.get(column) and (id in self.before or row[column] is not None):
                yield f"{self.module} {id} {column} is {_cut(row[column])}, was {_cut(held.get(column))}"

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


def _same(row: Row, before: Row | None, beside: Collection[str | None] = NOT_DATA) -> bool:
    """Columns that came meanwhile are empty in what stayed."""
    if before is None:
        return False
    return all(row.get(name) == before.get(name) for name in (row.keys() | before.keys()) - set(beside))


def _cut(value: Any) -> str:
    """Texts may be long."""
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]}... ({len(text)})"

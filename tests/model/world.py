"""The org as people use it, and the exact list of what Zoho shows to no reader until it looks at everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulators.zoho_crm import Field, Org
from simulators.zoho_crm.crm.deletions import in_bin
from tests.support.truth import value_of

Key = tuple[str, str]  # module, id

COMPUTED = ("formula", "rollup_summary")
LAG = timedelta(seconds=45)  # a run may have looked when the lists did not show the change yet
COMPUTED_REFRESH = timedelta(hours=24) + LAG
VERIFY_EVERY = timedelta(days=7) + LAG


@dataclass(frozen=True)
class Old:
    """A value that a field had until `since`, and that a table may show until a run at `due`."""

    value: Any
    due: datetime


@dataclass
class World:
    """Every change goes through `changing`, which writes down what no reader can see.

    That is, all of it:
    1. A formula or roll-up changes without Modified_Time: old until the daily refresh.
    2. Zoho rewrites the records of a renamed picklist value, and by one of the simulator's switches the notes
       of a merge's losers, without Modified_Time: old until the weekly comparison.
    3. A record that a run has removed is restored: its deletion leaves the feed and its Modified_Time is the
       old one, so it and its rows are missing until ids are compared: weekly at the latest.
    4. A record goes without a trace: the losers of a merge that the feed does not name, a link whose removal
       edits no record, a note where Notes have no feed (by switches of the simulator): there until then.
    """

    org: Org
    stale: dict[tuple[str, str, str], list[Old]] = field(default_factory=dict)
    returned: dict[Key, datetime] = field(default_factory=dict)
    unnamed: dict[Key, datetime] = field(default_factory=dict)
    reshaped: int = 0
    """How often fields came, went or changed their type."""

    def now(self) -> datetime:
        return self.org.now()

    @contextmanager
    def changing(self, how: str = "seen") -> Iterator[None]:
        """`how`: seen, computed, unseen, restored or reshaped."""
        before = self._records()
        yield
        after = self._records()
        for key in before.keys() - after.keys():
            self._forget(key)
            if how == "unseen":
                self.unnamed[key] = self.now() + VERIFY_EVERY
        for key in after.keys() - before.keys():
            self._forget(key)
            if how == "restored" and after[key]["Modified_Time"] != self.now():
                self.returned[key] = self.now() + VERIFY_EVERY
        for key in before.keys() & after.keys():
            if before[key] != after[key]:
                self._changed(key, how, before[key], after[key])
        self.reshaped += how == "reshaped"

    def _changed(self, key: Key, how: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        if how == "seen" or before["Modified_Time"] != after["Modified_Time"]:
            self._forget(key)
        elif how in ("computed", "unseen"):
            due = self.now() + (COMPUTED_REFRESH if how == "computed" else VERIFY_EVERY)
            for name, value in after.items():
                if before.get(name) != value:
                    known = self.org.modules[key[0]].field(name)
                    assert known is not None
                    old = Old(value_of(known, before.get(name)), due)
                    self.stale.setdefault((*key, name), []).append(old)

    def _forget(self, key: Key) -> None:
        """Whoever reads the record now reads all of it."""
        self.returned.pop(key, None)
        self.unnamed.pop(key, None)
        for name in [name for name in self.stale if name[:2] == key]:
            del self.stale[name]

    def _records(self) -> dict[Key, dict[str, Any]]:
        return {
            (module, record.id): deepcopy(record.values)
            for module in self.org.modules
            for record in self.org.records(module)
        }

    # -- what a run that began at a time may leave

    def may_be_old(self, key: Key, api_name: str, value: Any, began: datetime) -> bool:
        olds = self.stale.get((*key, api_name), ())
        return any(old.value == value and began < old.due for old in olds)

    def may_be_missing(self, key: Key, began: datetime) -> bool:
        return key in self.returned and began < self.returned[key]

    def may_be_extra(self, key: Key, began: datetime) -> bool:
        return key in self.unnamed and began < self.unnamed[key]

    # -- what can be picked

    def ids(self, *modules: str) -> list[Key]:
        return [(module, record.id) for module in modules for record in self.org.records(module)]

    def bin(self) -> list[Key]:
        """What lies in the recycle bin and can come back by itself."""
        return [
            (module, gone.record.id)
            for module in self.org.modules
            for gone in self.org.deletions[module]
            if gone.parent is None and gone.binned and in_bin(self.org, gone)
        ]

    def modules_with_feed(self) -> list[str]:
        """The modules whose feed of deletions Zoho offers."""
        quirks = self.org.quirks
        rows, notes = quirks.deleted_of_rows == "offered", quirks.deleted_of_notes == "offered"
        return [
            name
            for name, module in self.org.modules.items()
            if (rows if module.generated_type in ("subform", "linking") else notes or name != "Notes")
        ]

    def fields(self, test: Callable[[Field], bool]) -> list[tuple[str, Field]]:
        return [
            (module.api_name, field)
            for module in self.org.modules.values()
            for field in module.fields
            if not field.system and test(field)
        ]

"""A service that holds rows of some kinds: they are inserted, edited and deleted between two calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..zoho_crm.clock import Clock
from ..zoho_crm.quirks import Quirks
from ..zoho_crm.rules import Rules
from ..zoho_crm.service import Service


@dataclass
class Row:
    """One row as the service keeps it: datetimes are aware, money is Decimal."""

    kind: str
    id: str
    values: dict[str, Any]
    created: datetime
    modified: datetime
    parent: str | None = None
    """The row that it belongs to, or the organisation."""


class RowService(Service):
    """A `Service` with tables of rows; ids are texts of 18 digits, in the order in which rows were inserted."""

    first_id = 100_000_000_000_000_001
    kinds: tuple[str, ...] = ()

    def __init__(
        self,
        rules: Rules | None = None,
        quirks: Quirks | None = None,
        clock: Clock | None = None,
        account: Service | None = None,
    ) -> None:
        super().__init__(rules, quirks, clock, account)
        self._account = account
        self._next_id = self.first_id
        self.tables: dict[str, dict[str, Row]] = {kind: {} for kind in self.kinds}

    @property
    def zgid(self) -> str:
        return self._account.zgid if self._account else "60012345678"

    @property
    def company_name(self) -> str:
        return self._account.company_name if self._account else "Example Company"

    @property
    def user(self) -> dict[str, Any]:
        return self._account.user if self._account else {"full_name": "Ada Admin", "email": "ada@example.com"}

    @property
    def time_zone(self) -> str:
        return self._account.time_zone if self._account else "Asia/Kolkata"

    def new_id(self) -> str:
        with self.lock:
            self._next_id += 7
            return str(self._next_id)

    def insert(
        self,
        kind: str,
        values: dict[str, Any] | None = None,
        *,
        parent: str | None = None,
        modified_time: datetime | None = None,
    ) -> str:
        """Add a row and give its id; created and modified are now, unless a time is given."""
        with self.lock:
            now = modified_time or self.now()
            id = self.new_id()
            self.tables[kind][id] = Row(kind, id, {**self.defaults(kind), **(values or {})}, now, now, parent)
            return id

    def edit(self, kind: str, id: str, *, modified_time: datetime | None = None, **values: Any) -> None:
        """Change values; the row's time of modification becomes now unless it is given."""
        with self.lock:
            row = self.tables[kind][id]
            row.values.update(values)
            row.modified = modified_time or self.now()

    def delete(self, kind: str, id: str) -> None:
        """Delete a row and those that belong to it; no call reports that."""
        with self.lock:
            del self.tables[kind][id]
            for table in self.tables.values():
                for child in [row.id for row in table.values() if row.parent == id]:
                    del table[child]

    def records(self, kind: str, parent: str | None = None) -> list[dict[str, Any]]:
        """The truth: every row, whole, as a call for this one row would show it, in the order of the ids."""
        with self.lock:
            return [self.whole(row) for row in self.rows(kind, parent)]

    def rows(self, kind: str, parent: str | None = None) -> list[Row]:
        return [row for row in self.tables[kind].values() if parent in (None, row.parent)]

    def defaults(self, kind: str) -> dict[str, Any]:
        """The values of a row that names none: every column is there."""
        return {}

    @abstractmethod
    def whole(self, row: Row) -> dict[str, Any]:
        """The row in the service's own words, with every column."""


def ordered(rows: Iterable[Row], value: Any, *, descending: bool = False) -> list[Row]:
    """By a value, empty ones first, and by id among equals."""

    def key(row: Row) -> tuple[Any, ...]:
        found = value(row)
        return (found is not None, "" if found is None else found, row.id)

    return sorted(rows, key=key, reverse=descending)

"""Reads a module by COQL: keyset pages of 2,000 rows by (Modified_Time, id), never by OFFSET."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from . import limits
from .answers import more_in, rows_in
from .arrow import records_table
from .client import ZohoClient
from .errors import CredentialsError, Fatal, ReadFailed, Retriable, ZohoError
from .notes import Notes
from .page_chain import RowLimit
from .plan import Plan, Window, coql_page, flags_to_name
from .records import add_chunk, field_chunks, mend_rich_text, read_rows
from .records import extract as records_extract
from .slices import Ways, whole_rows
from .spool import Forget
from .walks import CHANGED, Record, any_converted


def extract(client: ZohoClient, plan: Plan, notes: Notes) -> Iterator[pa.Table | Forget]:
    """Yield the module in tables; the first may be empty, so that the table exists all the same."""
    selectable = tuple(c for c in plan.columns if c.in_coql)
    yield from whole_rows(client, plan, notes, [(_extract, selectable)], WAYS)


def _extract(client: ZohoClient, plan: Plan, notes: Notes) -> Iterator[pa.Table]:
    yield from _tables(_Reader(client, plan, notes))


def _tables(reader: _Reader) -> Iterator[pa.Table]:
    yield records_table([], reader.plan.columns)
    for page in reader.pages():
        mend_rich_text(reader.client, reader.plan, page, reader.notes)
        yield records_table(page, reader.plan.columns)


def read_beside(client: ZohoClient, plan: Plan, notes: Notes) -> Iterator[pa.Table | Forget]:
    """Fields that Bulk Read does not bring; by the Records API where COQL refuses the module or the query."""
    try:
        reader = _Reader(client, plan, notes)
    except (ZohoError, ReadFailed) as error:
        if isinstance(error, (Retriable, CredentialsError)):
            raise
        notes.failures["coql"] = str(error)
        for column in plan.columns:
            notes.refused.pop(column.api_name, None)
        yield from records_extract(client, plan, notes)
        return
    yield from _tables(reader)


def is_empty(client: ZohoClient, plan: Plan, name: str) -> bool:
    """Whether COQL is sure that no record has a value in a field; one call of one credit."""
    conditions = [f"{name} is not null", *named(flags_to_name(plan))]
    query = select_query(["id"], plan.module.api_name, conditions, ["id"], 1)
    try:
        return client.may_use_coql and not rows_in(
            client.post("coql", {"select_query": query}, credits=1), "data"
        )
    except ZohoError:
        return False


WAYS = Ways(lambda column: column.in_coql, lambda *_: False)  # what it refuses, it refuses here, too


# ---- the query


def quote(value: str) -> str:
    """A COQL literal; the quote is doubled inside ("Kaizen #171")."""
    return "'" + value.replace("'", "''") + "'"


def all_of(conditions: Sequence[str]) -> str:
    """`((A and B) and C)`: Zoho documents a flat triple as a syntax error ("Kaizen #171")."""
    return _paired(conditions, "and")


def any_of(conditions: Sequence[str]) -> str:
    return _paired(conditions, "or")


def _paired(conditions: Sequence[str], word: str) -> str:
    joined = conditions[0]
    for condition in conditions[1:]:
        joined = f"({joined} {word} {condition})"
    return joined


def after(key: Sequence[tuple[str, str]]) -> str:
    """The condition for rows past a key: `(T > 't' or (T = 't' and id > 'i'))`."""
    (name, value), *rest = key
    greater = f"{name} > {quote(value)}"
    return any_of([greater, all_of([f"{name} = {quote(value)}", after(rest)])]) if rest else greater


def goes_forward(earlier: Sequence[tuple[str, str]], key: Sequence[tuple[str, str]]) -> bool:
    """Whether a page ended further on in the order than the one before it, whose key it was asked by."""
    if not earlier:
        return True
    try:
        return _place(key) > _place(earlier)
    except ValueError:
        return key != earlier


def _place(key: Sequence[tuple[str, str]]) -> list[datetime | int]:
    return [
        int(text) if name == "id" else datetime.fromisoformat(text.replace("Z", "+00:00"))
        for name, text in key
    ]


def within(window: Window) -> list[str]:
    """The conditions of a window; none for one that is open at both ends."""
    ends: tuple[tuple[str, datetime | None], ...] = ((">=", window.since), ("<", window.until))
    return [f"{CHANGED} {sign} {quote(end.isoformat(timespec='seconds'))}" for sign, end in ends if end]


def named(flags: Sequence[str]) -> list[str]:
    """Conditions that are true for every record, yet name the flags, so that Zoho hides nothing."""
    return [any_of([f"{flag} = 'true'", f"{flag} = 'false'"]) for flag in flags]


def select_query(
    fields: Sequence[str], module: str, conditions: Sequence[str], order: Sequence[str], limit: int
) -> str:
    keys = ", ".join(f"{name} asc" for name in order)
    return (
        f"select {', '.join(fields)} from {module} where {all_of(conditions)} order by {keys} limit {limit}"
    )


# ---- the walk


@dataclass
class _Reader:
    """One walk over one module; learns what the account refuses while it goes."""

    client: ZohoClient
    plan: Plan
    notes: Notes
    cap: int = limits.COQL_FIELD_CAPS[0]
    hidden: list[str] = field(default_factory=list)
    opened: tuple[list[Record], bool] | None = None  # the first page of a window
    last: Record = field(default_factory=dict)  # the last row of the latest page, before repairs
    came: int = 0  # rows

    @property
    def _module(self) -> str:
        return self.plan.module.api_name

    def __post_init__(self) -> None:
        self.limit = RowLimit(self.client, self.plan)
        self.hidden = flags_to_name(self.plan)
        self._find_out()

    def _find_out(self) -> None:
        """Ask until the query stands: fields, field cap and criteria that Zoho refuses go."""
        for _ in range(len(self.plan.columns) + len(limits.COQL_FIELD_CAPS) + len(self.hidden) + 1):
            try:
                self._look()
                return
            except ZohoError as error:
                self._learn(error)
        raise ReadFailed(f"COQL refuses every query of {self._module}")

    def _look(self) -> None:
        """One row of each chunk; of a window the first page, so that one call tells that nothing changed."""
        if self.plan.whole:
            for chunk in field_chunks(self.plan.columns, self.cap):
                self._select(chunk, [], ["id"], 1)
        else:
            self.opened = self._page(self._timed(), [CHANGED, "id"], self._size(limits.COQL_PAGES[0]))

    def _timed(self) -> list[str]:
        return [f"{CHANGED} is not null", *within(self.plan.window)]

    def _size(self, unknown: int) -> int:
        return unknown if self.plan.rows is None else coql_page(self.plan.rows)

    def _learn(self, error: ZohoError) -> None:
        """Drop what the refusal names, or raise it again."""
        name = str(error.details.get("column_name") or error.details.get("api_name") or "")
        if error.code == "LIMIT_EXCEEDED" and self.cap > limits.COQL_FIELD_CAPS[-1]:
            told = str(error.details.get("limit", ""))
            lower = [cap for cap in limits.COQL_FIELD_CAPS if cap < self.cap]
            self.cap = int(told) if told.isdigit() and 2 < int(told) < self.cap else lower[0]
        elif error.code in ("INVALID_QUERY", "INVALID_DATA") and name in self.hidden:
            if any_converted(self.client, self._module):
                raise error  # without the flag these records would be missing without a word
            self.hidden.remove(name)
        elif error.code in ("INVALID_QUERY", "INVALID_DATA") and name != "id" and self.plan.has(name):
            self.plan = self.plan.without({name})
            self.notes.refused[name] = f"COQL refuses it ({error.code})"
            self.notes.refusals["coql", name] = str(error.code)
        elif type(error) is Fatal and self.hidden and not any_converted(self.client, self._module):
            self.hidden = []  # it may be this flag that Zoho does not take, by whatever name
        else:
            raise error

    def pages(self) -> Iterator[list[Record]]:
        """Every row; one that is edited meanwhile comes again at the end, in its newer form."""
        most = limits.COQL_ROWS_PER_CALL
        if not self.plan.has(CHANGED):
            yield from self._walk(["id"], [], self._size(most))
            return
        yield from self._walk([CHANGED, "id"], self._timed(), self._size(most), self.opened)
        if self.plan.whole:
            yield from self._walk(["id"], [f"{CHANGED} is null"], limits.COQL_PAGES[0])

    def _walk(
        self,
        order: list[str],
        conditions: list[str],
        size: int,
        opened: tuple[list[Record], bool] | None = None,
    ) -> Iterator[list[Record]]:
        rows, more = opened or self._page(conditions, order, size)
        key: list[tuple[str, str]] = []
        while True:
            if rows:
                yield rows
            if not more:
                return
            self.came += len(rows)
            self.limit.check(self.came)
            earlier, key = key, [(name, str(self.last.get(name))) for name in order]
            if not self.last or not goes_forward(earlier, key):
                raise ReadFailed("COQL says that there are more records, and brings none")
            rows, more = self._page([*conditions, after(key)], order, size)

    def _page(self, conditions: list[str], order: list[str], size: int) -> tuple[list[Record], bool]:
        """One page with all fields; rows that differ between two chunks are read again by id."""
        first, *others = field_chunks(self.plan.columns, self.cap)
        rows, more = self._select(first, conditions, order, size)
        self.last = rows[-1] if rows else {}
        whole = {row["id"]: row for row in rows}
        torn: set[str] = set()
        for chunk in others if rows else ():
            parts, _ = self._select(chunk, conditions, order, size)
            torn |= add_chunk(whole, {part["id"]: part for part in parts})
        if torn:
            self.notes.repairs["records read again because they changed while being read"] += len(torn)
            again = read_rows(self.client, self.plan, sorted(torn), self.notes)
            rows = [row for row in whole.values() if row["id"] not in torn] + again
        return rows, more

    def _select(
        self, fields: list[str], conditions: list[str], order: list[str], limit: int
    ) -> tuple[list[Record], bool]:
        conditions = [*(conditions or ["id is not null"]), *named(self.hidden)]
        query = select_query(fields, self._module, conditions, order, limit)
        answer = self.client.post("coql", {"select_query": query}, credits=limits.coql_credits(limit))
        return rows_in(answer, "data"), more_in(answer)

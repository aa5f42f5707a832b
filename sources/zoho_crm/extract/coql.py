"""Reads a module by COQL: keyset pages of 2,000 rows by (Modified_Time, id), never by OFFSET."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from .. import limits
from ..client.client import ZohoClient
from ..client.page_chain import RowLimit
from ..client.responses import more_in, rows_in
from ..exceptions import CredentialsError, ExtractError, Fatal, Retriable, ZohoError
from ..models import MODIFIED_TIME, CoqlPages
from ..planning.cost import coql_page
from ..planning.plan import Plan, visibility_criteria
from ..transform.arrow_tables import records_table
from ..transform.parquet_writer import DiscardRows
from .column_batches import ApiCapabilities, read_all_columns
from .coql_query import after, goes_forward, named, select_query, within
from .notes import ExtractNotes
from .record_lookup import add_chunk, fetch_full_rich_text, field_chunks, read_rows
from .records import extract as records_extract
from .records_pagination import Record, any_converted


def extract(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    """Yield the module in tables; the first may be empty, so that the table exists all the same."""
    selectable = tuple(c for c in plan.columns if c.in_coql)
    yield from read_all_columns(client, plan, notes, [(_extract, selectable)], WAYS)


def _extract(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table]:
    yield from _tables(_Reader(client, plan, notes))


def _tables(reader: _Reader) -> Iterator[pa.Table]:
    yield records_table([], reader.plan.columns)
    for page in reader.pages():
        fetch_full_rich_text(reader.client, reader.plan, page, reader.notes)
        yield records_table(page, reader.plan.columns)


def read_supplement(client: ZohoClient, plan: Plan, notes: ExtractNotes) -> Iterator[pa.Table | DiscardRows]:
    """Fields that Bulk Read does not bring; by the Records API where COQL refuses the module or the query."""
    try:
        reader = _Reader(client, plan, notes)
    except (ZohoError, ExtractError) as error:
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
    conditions = [f"{name} is not null", *named(visibility_criteria(plan))]
    query = select_query(["id"], plan.module.api_name, conditions, ["id"], 1)
    try:
        return client.may_use_coql and not rows_in(
            client.post("coql", {"select_query": query}, credits=1), "data"
        )
    except ZohoError:
        return False


WAYS = ApiCapabilities(
    lambda column: column.in_coql, lambda *_: False
)  # what it refuses, it refuses here, too

# ---- the walk


@dataclass
class _Reader:
    """One walk over one module; learns what the account refuses while it goes."""

    client: ZohoClient
    plan: Plan
    notes: ExtractNotes
    cap: int = limits.COQL_FIELD_CAPS[0]
    hidden: list[str] = field(default_factory=list)
    opened: tuple[list[Record], bool] | None = None  # the first page of a window
    last: Record = field(default_factory=dict)  # the last row of the latest page, before repairs
    came: int = 0  # rows

    @property
    def _module(self) -> str:
        return self.plan.module.api_name

    @property
    def _pages(self) -> CoqlPages:
        return self.client.service.coql_pages

    def __post_init__(self) -> None:
        self.limit = RowLimit(self.client, self.plan)
        self.hidden = visibility_criteria(self.plan)
        self._find_out()

    def _find_out(self) -> None:
        """Ask until the query stands: fields, field cap and criteria that Zoho refuses go."""
        for _ in range(len(self.plan.columns) + len(limits.COQL_FIELD_CAPS) + len(self.hidden) + 1):
            try:
                self._look()
                return
            except ZohoError as error:
                self._learn(error)
        raise ExtractError(f"COQL refuses every query of {self._module}")

    def _look(self) -> None:
        """One row of each chunk; of a window the first page, so that one call tells that nothing changed."""
        if self.plan.is_full_refresh:
            for chunk in field_chunks(self.plan.columns, self.cap):
                self._select(chunk, [], ["id"], 1)
        else:
            self.opened = self._page(self._timed(), [MODIFIED_TIME, "id"], self._size(self._pages[0]))

    def _timed(self) -> list[str]:
        return [f"{MODIFIED_TIME} is not null", *within(self.plan.window)]

    def _size(self, unknown: int) -> int:
        return unknown if self.plan.rows is None else coql_page(self.plan.rows, self._pages)

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
            self.plan = self.plan.drop_fields({name})
            self.notes.refused[name] = f"COQL refuses it ({error.code})"
            self.notes.refusals["coql", name] = str(error.code)
        elif type(error) is Fatal and self.hidden and not any_converted(self.client, self._module):
            self.hidden = []  # it may be this flag that Zoho does not take, by whatever name
        else:
            raise error

    def pages(self) -> Iterator[list[Record]]:
        """Every row; one that is edited meanwhile comes again at the end, in its newer form."""
        most = self._pages[-1]
        if not self.plan.has(MODIFIED_TIME):
            yield from self._walk(["id"], [], self._size(most))
            return
        yield from self._walk([MODIFIED_TIME, "id"], self._timed(), self._size(most), self.opened)
        if self.plan.is_full_refresh:
            yield from self._walk(["id"], [f"{MODIFIED_TIME} is null"], self._pages[0])

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
                raise ExtractError("COQL says that there are more records, and brings none")
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

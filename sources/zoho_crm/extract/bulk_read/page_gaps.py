"""Finds the records that fall between two pages of Bulk Read, because others were deleted meanwhile.

Pages are positions. When a record of page one goes before page two is made, the first record of page two
moves into page one, which was read already, and no page has it. Zoho gives the pages in the order of ids,
so such a record lies between the last id of one page and the first of the next, or past the last of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ... import limits
from ...client.client import ZohoClient
from ...exceptions import ExtractError, ZohoError
from ...models import Window
from ...planning.plan import Plan
from ...transform.arrow_tables import records_table
from ..coql_query import named, quote, select_query, within
from ..notes import ExtractNotes
from ..record_lookup import read_rows

LONG = pa.decimal128(38, 0)  # an id has up to 19 digits, and one day more


@dataclass
class _Page:
    """The ids of one page, as far as they have come."""

    rows: int = 0
    first: int = 0
    last: int = 0
    in_order: bool = True

    def see(self, cells: pa.ChunkedArray) -> None:
        if not len(cells):
            return
        try:
            ids = pc.cast(cells, pa.int64())  # ten times as fast
        except pa.ArrowInvalid:
            ids = pc.cast(cells, LONG)
        self.in_order &= pc.all(pc.less_equal(ids[:-1], ids[1:]), min_count=0).as_py()
        first, last = int(ids[0].as_py()), int(ids[-1].as_py())
        self.in_order &= not self.rows or self.last <= first
        self.first = self.first if self.rows else first
        self.rows, self.last = self.rows + len(cells), last


class PageGapDetector:
    """Remembers the first and the last id of each page, and asks for what lies between."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: ExtractNotes) -> None:
        self._client, self._plan, self._notes = client, plan, notes
        self._pages: list[_Page] = []

    def begin_page(self) -> None:
        self._pages.append(_Page())

    def check_last_page(self, *, more: bool) -> None:
        """Raises ExtractError if Zoho goes on after a page that brought no id past those before it."""
        page, before = self._pages[-1], self._pages[:-1]
        if not more or not all(one.in_order for one in self._pages):
            return
        if not page.rows or page.last <= max((one.last for one in before), default=0):
            raise ExtractError(
                "Bulk Read says that there are more pages, and the last one brought nothing new"
            )

    def begin_page_anew(self) -> None:
        self._pages[-1] = _Page()

    def see(self, table: pa.Table) -> None:
        """More rows of the page that was begun last."""
        self._pages[-1].see(table["id"])

    def find_missing(self, flags: Sequence[str]) -> Iterator[pa.Table]:
        """The records that no page had; nothing if there was one page. `flags` are those of the criteria."""
        if len(self._pages) < 2:
            return
        if not all(page.in_order for page in self._pages):
            self._remark("its pages do not come in the order of ids")
            return
        try:
            ids = [found for border in self._id_gaps() for found in self._between(border, flags)]
        except (ZohoError, ExtractError) as error:
            self._remark(str(error))
            return
        if ids:
            self._notes.repairs["records found between two pages, because others were deleted"] += len(ids)
            records = read_rows(self._client, self._plan, ids, self._notes)
            yield records_table(records, self._plan.columns)

    def _id_gaps(self) -> Iterator[tuple[int, int | None]]:
        highest = 0
        for number, page in enumerate(page for page in self._pages if page.rows):
            if number and page.first > highest + 1:
                yield highest, page.first
            highest = max(highest, page.last)
        yield highest, None

    def _between(self, border: tuple[int, int | None], flags: Sequence[str]) -> Iterator[str]:
        after, before = border
        more = True
        while more:
            ends = [f"id > {quote(str(after))}"]
            ends += [f"id < {quote(str(before))}"] if before else []
            module, limit = self._plan.module.api_name, limits.RECORDS_PER_PAGE
            query = select_query(
                ["id"], module, [*ends, *within(self._plan.window), *named(flags)], ["id"], limit
            )
            answer = self._client.post("coql", {"select_query": query}, credits=limits.coql_credits(limit))
            ids = [str(row["id"]) for row in answer.get("data", [])]
            yield from ids
            more = bool(ids) and bool(answer.get("info", {}).get("more_records"))
            if more and int(ids[-1]) <= after:
                raise ExtractError("COQL says that there are more records, and brings none")
            after = int(ids[-1]) if ids else after

    def _remark(self, why: str) -> None:
        """Zoho's count may be ten minutes old, so fewer rows than it has are no proof of a loss."""
        counted, whole = self._plan.rows, self._plan.window == Window()
        rows = sum(page.rows for page in self._pages)
        words = "not checked whether a deletion moved a record from one page of Bulk Read to another"
        if whole and counted is not None and rows < counted:
            words = f"Bulk Read brought {rows:,} records where the CRM counted {counted:,}, and it is {words}"
        self._notes.remarks.append(f"{words}: {why}")

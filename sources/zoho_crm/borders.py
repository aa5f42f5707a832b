"""Finds the records that fall between two pages of Bulk Read, because others were deleted meanwhile.

Pages are positions. When a record of page one goes before page two is made, the first record of page two
moves into page one, which was read already, and no page has it. Zoho gives the pages in the order of ids,
so such a record lies between the last id of one page and the first of the next, or past the last of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from . import limits
from .arrow import records_table
from .client import ZohoClient
from .coql import named, quote, select_query, within
from .errors import ZohoError
from .notes import Notes
from .plan import Plan, Window
from .records import read_rows

NUMBER = pa.decimal128(38, 0)  # an id has up to 19 digits, and one day more


class Borders:
    """Remembers the first and the last id of each page, and asks for what lies between."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: Notes) -> None:
        self._client, self._plan, self._notes = client, plan, notes
        self._pages: list[tuple[int, int]] = []  # those with rows
        self._jobs = self._rows = 0
        self._in_order = True

    def add(self, tables: Sequence[pa.Table]) -> None:
        """One page."""
        self._jobs += 1
        parts = [pc.cast(part, NUMBER) for table in tables for part in table["id"].chunks]
        ids = pa.chunked_array(parts, type=NUMBER)
        self._rows += len(ids)
        if len(ids):
            self._in_order &= pc.all(pc.less_equal(ids[:-1], ids[1:]), min_count=0).as_py()
            self._pages.append((int(ids[0].as_py()), int(ids[-1].as_py())))

    def missed(self, flags: Sequence[str]) -> Iterator[pa.Table]:
        """The records that no page had; nothing if there was one page. `flags` are those of the criteria."""
        if self._jobs < 2:
            return
        if not self._in_order:
            self._remark("its pages do not come in the order of ids")
            return
        try:
            ids = [found for border in self._borders() for found in self._between(border, flags)]
        except ZohoError as error:
            self._remark(str(error))
            return
        if ids:
            self._notes.repairs["records found between two pages, because others were deleted"] += len(ids)
            records = read_rows(self._client, self._plan, ids, self._notes)
            yield records_table(records, self._plan.columns)

    def _borders(self) -> Iterator[tuple[int, int | None]]:
        highest = 0
        for number, (first, last) in enumerate(self._pages):
            if number and first > highest + 1:
                yield highest, first
            highest = max(highest, last)
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
            after = int(ids[-1]) if ids else after

    def _remark(self, why: str) -> None:
        """Zoho's count may be ten minutes old, so fewer rows than it has are no proof of a loss."""
        counted, whole = self._plan.rows, self._plan.window == Window()
        words = "not checked whether a deletion moved a record from one page of Bulk Read to another"
        if whole and counted is not None and self._rows < counted:
            words = f"Bulk Read brought {self._rows:,} records where the CRM counted {counted:,}, and it is {words}"
        self._notes.remarks.append(f"{words}: {why}")

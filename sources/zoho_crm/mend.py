"""Completes what Bulk Read gives only in part: joined values that can be read in two ways, cut rich text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from . import limits
from .client import ZohoClient
from .columns import Column, Kind
from .errors import ZohoCrmError
from .joined import Splitter
from .notes import Notes
from .plan import Plan
from .records import is_cut, read_full_texts, read_ids
from .values import convert, to_json


class Mender:
    """Mends the tables of one module; remembers what it learnt about the account's separators."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: Notes) -> None:
        self.client, self.plan, self.notes = client, plan, notes
        self._splitters: dict[str, Splitter] = {}
        self._tag_names: list[str] | None = None  # asked for when the first cell holds a comma

    def mend(self, table: pa.Table) -> pa.Table:
        for column in self.plan.columns:
            if column.kind is Kind.NAMES:
                table = self._replace(table, column, self._split(table, column))
            elif column.field.rich_text:
                table = self._replace(table, column, self._full_texts(table, column))
        return table

    @staticmethod
    def _replace(table: pa.Table, column: Column, cells: Any) -> pa.Table:
        at = table.column_names.index(column.name)
        return table.set_column(at, table.schema.field(at), cells)

    # ---- joined values

    def _split(self, table: pa.Table, column: Column) -> pa.ChunkedArray:
        """Cells such as `A;B` as JSON lists; a cell that the text alone does not tell is asked for."""
        cells = table[column.name]
        texts = [text for text in pc.unique(cells).to_pylist() if text is not None]
        if not texts:
            return cells
        splitter = self._splitter(column, texts)
        splitter.learn(texts)
        lists = {text: splitter.split(text) for text in texts}
        unclear = [text for text, values in lists.items() if values is None]
        json_of = {text: to_json(values) for text, values in lists.items() if values is not None}
        out = [None if text is None else json_of.get(text) for text in cells.to_pylist()]
        if unclear:
            self._ask(table, column, set(unclear), out)
        return pa.chunked_array([pa.array(out, type=pa.string())])

    def _splitter(self, column: Column, texts: Iterable[str]) -> Splitter:
        if column.api_name == "Tag":
            if self._tag_names is None and any("," in text for text in texts):
                self._tag_names = self._ask_for_tags()
            return Splitter(self._tag_names or (), (",",))
        if column.name not in self._splitters:
            self._splitters[column.name] = Splitter(column.field.pick_list)
        return self._splitters[column.name]

    def _ask_for_tags(self) -> list[str]:
        try:
            rows = self.client.get("settings/tags", {"module": self.plan.module.api_name}).get("tags", [])
        except ZohoCrmError:
            return []  # every cell with a comma is then asked for
        return [str(row["name"]) for row in rows]

    def _ask(self, table: pa.Table, column: Column, unclear: set[str], out: list[str | None]) -> None:
        """Fill in the lists of unclear cells from the Records API."""
        cells, ids = table[column.name].to_pylist(), table["id"].to_pylist()
        rows = [row for row, text in enumerate(cells) if text in unclear]
        found = read_ids(
            self.client, self.plan.module.api_name, ["id", column.api_name], [ids[r] for r in rows]
        )
        for row in rows:
            record = found.get(ids[row], {})
            # A record that is gone by now keeps its text as the one value; the next run removes it.
            out[row] = convert(Kind.NAMES, record.get(column.api_name)) or to_json([cells[row]])
        self.notes.repairs[f"cells of {column.api_name} asked for by the Records API"] += len(rows)

    # ---- rich text

    def _full_texts(self, table: pa.Table, column: Column) -> pa.ChunkedArray:
        """Texts of exactly 500 characters may be cut ones: Zoho does not say whether Bulk Read cuts."""
        cells = table[column.name]
        if column.kind is not Kind.TEXT:
            return cells
        # Zoho may count an emoji as two, so a cut text may have fewer characters; never fewer bytes.
        long = pc.greater_equal(pc.binary_length(cells), limits.RICH_TEXT_IN_LISTS)
        short = pc.less_equal(pc.utf8_length(cells), limits.RICH_TEXT_IN_LISTS)
        likely = pc.indices_nonzero(pc.fill_null(pc.and_(long, short), False)).to_pylist()
        rows = [row for row in likely if is_cut(cells[row].as_py())]
        if not rows:
            return cells
        out, module = cells.to_pylist(), self.plan.module.api_name
        for row in rows:
            full = read_full_texts(self.client, module, table["id"][row].as_py(), [column.api_name])
            out[row] = convert(Kind.TEXT, full.get(column.api_name, out[row]))
        self.notes.repairs["rich texts read in full"] += len(rows)
        return pa.chunked_array([pa.array(out, type=pa.string())])

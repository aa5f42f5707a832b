"""Completes what Bulk Read gives only in part: joined values that can be read in two ways, cut rich text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from . import limits
from .client import ZohoClient
from .columns import Column, Kind
from .errors import ZohoCrmError
from .joined import TAG_SEPARATOR, Splitter, separator_of
from .notes import Notes
from .plan import Plan
from .records import is_cut, read_full_texts, read_ids
from .values import convert, names_of, to_json


class Mender:
    """Mends the tables of one module; remembers which separator was proven."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: Notes) -> None:
        self.client, self.plan, self.notes = client, plan, notes
        self._splitters: dict[str, Splitter] = {}
        self._proven: str | None = None  # what joins the values of multi-select fields in this account

    def mend(self, table: pa.Table) -> pa.Table:
        for column in self.plan.columns if table.num_rows else ():
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
        """Cells such as `A;B` as JSON lists; where the text does not tell, the Records API does."""
        encoded = table[column.name].combine_chunks().dictionary_encode()
        clear = self._clear(column, encoded.dictionary.to_pylist())
        if clear is not None:
            return pa.chunked_array([pc.take(pa.array(clear, pa.string()), encoded.indices)])
        cells = table[column.name].to_pylist()
        texts = {text: row for row, text in enumerate(cells) if text is not None}
        splitter = self._splitter(column, texts)
        answers = self._ask_once_a_text(table, column, texts, splitter)
        lists = {text: splitter.split(text, self._separator(column)) for text in texts}
        unclear = {text for text, values in lists.items() if values is None}
        rows = [row for row, text in enumerate(cells) if text in unclear and row not in answers]
        answers.update(self._ask(table, column, rows))
        json_of = {text: to_json(values or [text]) for text, values in lists.items()}
        # A record that is gone by now keeps its text as the one value; the next run removes it.
        out = [
            to_json(answers[row]) if answers.get(row) else text and json_of[text]
            for row, text in enumerate(cells)
        ]
        return pa.chunked_array([pa.array(out, type=pa.string())])

    def _clear(self, column: Column, texts: list[str]) -> list[str] | None:
        """The JSON of all texts, of which a column has few; None if one can be read in two ways."""
        splitter, separator = self._splitter(column, texts), self._separator(column)
        lists = [splitter.split(text, separator) for text in texts]
        if None in lists:
            return None
        return [to_json(values or [text]) for text, values in zip(texts, lists, strict=True)]

    def _separator(self, column: Column) -> str | None:
        return TAG_SEPARATOR if column.api_name == "Tag" else self._proven

    def _ask_once_a_text(
        self, table: pa.Table, column: Column, texts: Mapping[str, int], splitter: Splitter
    ) -> dict[int, list[str]]:
        """Ask for one record of each unclear text, a call at a time: the first may make the others clear."""
        answers: dict[int, list[str]] = {}
        unclear = list(texts)
        while unclear := [text for text in unclear if splitter.split(text, self._separator(column)) is None]:
            asked, unclear = unclear[: limits.IDS_PER_CALL], unclear[limits.IDS_PER_CALL :]
            found = self._ask(table, column, [texts[text] for text in asked])
            answers.update(found)
            for text in asked:
                values = found.get(texts[text], [])
                proven = separator_of(text, values)
                if proven or values == [text]:  # or else somebody has edited the record meanwhile
                    splitter.learn(values)
                self._proven = self._proven or (proven if column.api_name != "Tag" else None)
        return answers

    def _splitter(self, column: Column, texts: Iterable[str]) -> Splitter:
        if column.name not in self._splitters:
            if column.api_name != "Tag":
                self._splitters[column.name] = Splitter(column.field.pick_list)
            elif any(TAG_SEPARATOR in text for text in texts):
                self._splitters[column.name] = Splitter(self._ask_for_tags())
        return self._splitters.get(column.name, Splitter())

    def _ask_for_tags(self) -> list[str]:
        try:
            rows = self.client.get("settings/tags", {"module": self.plan.module.api_name}).get("tags", [])
        except ZohoCrmError:
            return []  # every text with a comma is then asked for
        return [str(row["name"]) for row in rows]

    def _ask(self, table: pa.Table, column: Column, rows: Sequence[int]) -> dict[int, list[str]]:
        """The lists of some rows from the Records API; records that are gone or hold none are absent."""
        if not rows:
            return {}
        ids = {row: table["id"][row].as_py() for row in rows}
        module, field = self.plan.module.api_name, column.api_name
        found = read_ids(self.client, module, ["id", field], list(ids.values()))
        self.notes.repairs[f"cells of {field} asked for by the Records API"] += len(rows)
        lists = {row: found.get(record_id, {}).get(field) for row, record_id in ids.items()}
        return {row: names_of(values) for row, values in lists.items() if values}

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

"""Completes rows of Bulk Read: values that its cells cut or join."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ... import limits
from ...client.client import ZohoClient
from ...exceptions import ZohoCrmError
from ...planning.plan import Plan
from ...transform.column_types import Column, ColumnType
from ...transform.converters import convert, names_of, to_json
from ..notes import ExtractNotes
from ..record_lookup import is_cut, read_full_texts, read_ids

SEPARATORS = (";", ",")
TAG_SEPARATOR = ","  # of the names of tags and nothing else


def separator_of(text: str, values: Sequence[str]) -> str | None:
    """What joins these values to this text. One value proves nothing: it may hold any separator."""
    if len(values) < 2:
        return None
    length = (len(text) - sum(map(len, values))) // (len(values) - 1)
    separator = text[len(values[0]) :][: max(length, 0)]
    # More than a sign and blanks is the value that an edit has taken away meanwhile: `A;B;C` is now A and C.
    return separator if separator.strip() in SEPARATORS and separator.join(values) == text else None


class MultiSelectParser:
    """Splits the cells of one column by the values that its field knows."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)

    def learn(self, values: Iterable[str]) -> None:
        """Values that a record holds, though its field may no longer list them."""
        self.known.update(values)

    def split(self, text: str, separator: str | None) -> list[str] | None:
        """The values of a cell, or None if the text does not tell.

        Without a proven separator only a text without any, or one known value, is clear. With one, unknown
        parts are values that were taken from the list, unless this field's values hold the separator.
        """
        if separator is None:
            return [text] if self._is_one(text) else None
        if separator not in text:
            return [text]
        ways = self._ways(text, separator)
        if ways:
            return list(ways[0]) if len(ways) == 1 else None
        parts = text.split(separator)
        plain = self.known and not any(separator in value for value in self.known)
        return parts if plain and all(parts) else None

    def _is_one(self, text: str) -> bool:
        found = [separator for separator in SEPARATORS if separator in text]
        return all(self._ways(text, separator) == [(text,)] for separator in found)

    def _ways(self, text: str, separator: str) -> list[tuple[str, ...]]:
        """At most two ways to read the text as known values joined by the separator."""
        parts = text.split(separator)
        ways_from: list[list[tuple[str, ...]]] = [[] for _ in parts] + [[()]]
        for start in reversed(range(len(parts))):
            for end in range(start + 1, len(parts) + 1):
                value = separator.join(parts[start:end])
                if value in self.known and ways_from[end]:
                    ways_from[start] += [(value, *rest) for rest in ways_from[end]]
                if len(ways_from[start]) > 1:
                    break
            del ways_from[start][2:]
        return ways_from[0]


class BulkRowCompleter:
    """Completes the tables of one module; remembers which separator was proven."""

    def __init__(self, client: ZohoClient, plan: Plan, notes: ExtractNotes) -> None:
        self.client, self.plan, self.notes = client, plan, notes
        self._splitters: dict[str, MultiSelectParser] = {}
        self._proven: str | None = None  # what joins the values of multi-select fields in this account

    def complete_rows(self, table: pa.Table) -> pa.Table:
        for column in self.plan.columns if table.num_rows else ():
            if column.kind is ColumnType.NAMES:
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
        self, table: pa.Table, column: Column, texts: Mapping[str, int], splitter: MultiSelectParser
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

    def _splitter(self, column: Column, texts: Iterable[str]) -> MultiSelectParser:
        if column.name not in self._splitters:
            if column.api_name != "Tag":
                self._splitters[column.name] = MultiSelectParser(column.field.pick_list)
            elif any(TAG_SEPARATOR in text for text in texts):
                self._splitters[column.name] = MultiSelectParser(self._ask_for_tags())
        return self._splitters.get(column.name, MultiSelectParser())

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
        if column.kind is not ColumnType.TEXT:
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
            out[row] = convert(ColumnType.TEXT, full.get(column.api_name, out[row]))
        self.notes.repairs["rich texts read in full"] += len(rows)
        return pa.chunked_array([pa.array(out, type=pa.string())])

"""The page of `report` as a browser's parser sees it: elements, attributes, and tables by their captions."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "br"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.tables: dict[str, list[dict[str, str]]] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self._caption, self._header, self._row, self._cell = "", [], [], ""
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._caption, self._header = "", []
        if tag == "tr":
            self._row = []
        if tag in ("td", "th"):
            self._cell = ""

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag in ("td", "th"):
            self._row.append(" ".join(self._cell.split()))
        elif tag == "tr" and "thead" in self._open:
            self._header = self._row
        elif tag == "tr":
            rows = self.tables.setdefault(self._caption.strip(), [])
            rows.append(dict(zip(self._header, self._row, strict=True)))

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.texts.append(data)
        self._cell += data
        if "caption" in self._open:
            self._caption += data

"""No private word of an earlier version comes back: code, tests and pages use Zoho's, dlt's or common words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "sources", "pipelines", "simulators", "tests", "benchmarks")
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
KINDS = {".py", ".md", ".html", ".css", ".toml", ".json"}

# Each with what to say instead. `_` ends a word as a space does, so names of functions are searched, too.
INSTEAD = {
    "veil(s|ed)?": "masking rule",
    "purses?": "credit budget",
    "knock(s|ed|ing)?": "call, ping",
    "twins?": "column of rejected texts",
    "sieved?": "filter",
    "mend(s|ed|ing|er)?": "repair, correct, complete",
    "misfits?": "rejected value",
    "spool(s|ed|ing|er)?": "Parquet file, to write",
    "doors?": "client",
    "borders": "page gaps",
    "whose[ _]turn": "which is due",
    "clerks?": "service",
    "gently": "one row at a time",
    "unveil(s|ed)?": "show",
}
WORDS = {word: re.compile(rf"(?<![a-z])(?:{word})(?![a-z])", re.IGNORECASE) for word in INSTEAD}
KEPT = {
    ("pipelines/zoho_crm/run/loading.py", "spool(s|ed|ing|er)?")
}  # a folder that killed runs have left on disks


def files() -> Iterator[Path]:
    yield from (ROOT / page for page in PAGES)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in KINDS and path != Path(__file__) and "data" not in path.parts:
                yield path


TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in files()}


@pytest.mark.parametrize("word", INSTEAD)
def test_a_private_word_is_nowhere(word):
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in TEXTS.items()
        if (name, word) not in KEPT
        for number, line in enumerate(text.splitlines(), 1)
        if WORDS[word].search(line)
    ]
    assert found == [], f"say instead: {INSTEAD[word]}"


def test_all_folders_are_searched_and_names_are_taken_apart():
    assert {name.split("/")[0] for name in TEXTS} == {*FOLDERS, *PAGES}
    assert WORDS["twins?"].search("def text_twin_of(column):")
    assert not WORDS["mend(s|ed|ing|er)?"].search("a command that is recommended")

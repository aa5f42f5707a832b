"""docs/troubleshooting.md has every sentence that the code has for what goes wrong, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.sentences import sentences

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SAID = sentences()
DOCUMENTED = {
    row.strip()
    for part in PAGE.split("\n## ")[1:]
    for row in re.findall(r"^(?:- (.+)|\| (.+?) \| .+ \|)$", part, re.MULTILINE)
    for row in row
    if row and row.strip("- ") and row != "Sentence"
}


@pytest.mark.parametrize("sentence", sorted(SAID))
def test_a_sentence_of_the_code_is_on_the_page(sentence):
    assert sentence in DOCUMENTED, f"{SAID[sentence]} says it"


def test_the_page_has_no_sentence_that_the_code_does_not_have():
    assert sorted(DOCUMENTED - set(SAID)) == []


def test_the_code_is_really_searched():
    assert len(SAID) > 150
    assert SAID["a job ended as ... : ..."] == "sources/zoho_crm/extract/bulk_read/job.py"
    assert SAID["no run has loaded it yet"] == "pipelines/zoho_crm/verify/verifier.py"

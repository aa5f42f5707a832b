"""Cells that hold several values: split only where the text alone tells how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.joined import SEPARATORS, Splitter

VALUES = st.text(alphabet="AB;, ", min_size=1, max_size=4)
KNOWN = st.sets(VALUES, min_size=1, max_size=6)


@given(
    KNOWN, st.lists(st.text(alphabet="AB;, ", min_size=1), max_size=5), st.text(alphabet="AB;, ", min_size=1)
)
def test_an_answer_joins_to_its_text_and_holds_known_values_only(known, others, text):
    splitter = Splitter(known)
    splitter.learn(others)
    values = splitter.split(text)
    if values is not None:
        assert text in {separator.join(values) for separator in SEPARATORS}
        assert set(values) <= known or not any(separator in text for separator in SEPARATORS)


@given(st.data(), st.sampled_from(SEPARATORS))
def test_known_values_come_back_or_are_asked_for(data, separator):
    known = sorted(data.draw(KNOWN))
    cells = data.draw(
        st.lists(st.lists(st.sampled_from(known), min_size=1, max_size=4), min_size=1, max_size=5)
    )
    splitter = Splitter(known, (separator,))
    splitter.learn([separator.join(cell) for cell in cells])
    for cell in cells:
        assert splitter.split(separator.join(cell)) in (cell, None)


@given(st.data(), st.sampled_from(SEPARATORS))
def test_values_without_separators_come_back_whatever_joins_them(data, separator):
    known = sorted(data.draw(st.sets(st.text(alphabet="AB ", min_size=1, max_size=3), min_size=1)))
    cell = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=5))
    assert Splitter(known).split(separator.join(cell)) == cell


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A", ["A"]),
        ("gone", ["gone"]),
        ("A;B", ["A", "B"]),
        ("B;C", ["B;C"]),
        ("A;B;C", ["A", "B;C"]),
        ("D,E;A", ["D,E", "A"]),
        ("gone;A", None),
        ("A,gone", None),
    ],
)
def test_a_cell_is_split_by_the_values_that_its_field_knows(text, values):
    assert Splitter(["A", "B", "B;C", "D,E"]).split(text) == values


def test_a_cell_that_reads_in_two_ways_is_asked_for():
    assert Splitter(["A", "B", "A;B"]).split("A;B") is None
    assert Splitter(["A", "B;C", "A;B", "C"]).split("A;B;C") is None


def test_one_deceptive_cell_does_not_outvote_the_others():
    splitter = Splitter(["A", "B", "C"])
    splitter.learn(["A,B", "A;B", "B;C"])  # the first is one value that the field no longer knows
    assert splitter.split("A,B") is None
    assert splitter.split("A;C") == ["A", "C"]


def test_a_wrong_proof_makes_no_wrong_row():
    splitter = Splitter(["A", "B", "C"])
    splitter.learn(["A,B"])
    assert splitter.split("A;C") is None

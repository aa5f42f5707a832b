"""Cells that hold several values: split only where the text alone tells how."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.extract.bulk_read.cell_completion import SEPARATORS, MultiSelectParser, separator_of

VALUES = st.text(alphabet="AB;, ", min_size=1, max_size=4)
KNOWN = st.sets(VALUES, min_size=1, max_size=6)


@given(KNOWN, st.text(alphabet="AB;, ", min_size=1), st.sampled_from([None, *SEPARATORS]))
def test_an_answer_joins_to_its_text(known, text, separator):
    values = MultiSelectParser(known).split(text, separator)
    if values is not None:
        assert text == (separator or "").join(values)
        assert len(values) == 1 or set(values) <= known or not any(separator in value for value in known)


@given(st.data(), st.sampled_from(SEPARATORS))
def test_known_values_come_back_or_are_asked_for(data, separator):
    known = sorted(data.draw(KNOWN))
    cell = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
    assert MultiSelectParser(known).split(separator.join(cell), separator) in (cell, None)


@given(st.data(), st.sampled_from(SEPARATORS))
def test_values_without_separators_come_back_also_those_that_the_field_has_lost(data, separator):
    values = st.text(alphabet="AB ", min_size=1, max_size=3)
    known = data.draw(st.sets(values, min_size=1))
    cell = data.draw(st.lists(values, min_size=1, max_size=5))
    assert MultiSelectParser(known).split(separator.join(cell), separator) == cell


@given(
    st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5), st.sampled_from([";", ",", "; ", ", ", "|"])
)
def test_only_a_sign_of_separation_is_ever_proven(cell, now, separator):
    proven = separator_of(separator.join(cell), cell)
    assert proven == (separator if len(cell) > 1 and separator != "|" else None)
    assert (separator_of(separator.join(cell), now) or ";").strip() in SEPARATORS


@pytest.mark.parametrize(
    ("text", "separator", "values"),
    [
        ("A", None, ["A"]),
        ("gone", None, ["gone"]),
        ("A;B", None, None),  # or one value that the field has lost
        ("A;B", ";", ["A", "B"]),
        ("A;B", ",", ["A;B"]),
        ("B;C", None, ["B;C"]),
        ("B;C", ";", ["B;C"]),
        ("A;B;C", ";", ["A", "B;C"]),
        ("D,E;A", ";", ["D,E", "A"]),
        ("gone;A", ";", None),  # as `B;C` is a value, `gone;A` may have been one
        ("D,gone;A", ",", None),
    ],
)
def test_a_cell_is_split_by_the_values_that_its_field_knows(text, separator, values):
    assert MultiSelectParser(["A", "B", "B;C", "D,E"]).split(text, separator) == values


def test_a_cell_that_reads_in_two_ways_is_asked_for():
    assert MultiSelectParser(["A", "B", "A;B"]).split("A;B", ";") is None
    assert MultiSelectParser(["A", "B", "A;B"]).split("A;B", None) is None
    assert MultiSelectParser(["A", "B;C", "A;B", "C"]).split("A;B;C", ";") is None


@pytest.mark.parametrize("text", ["A;;B", ";A", "gone;"])
def test_no_value_is_empty(text):
    assert MultiSelectParser(["A", "B"]).split(text, ";") is None


def test_a_value_that_its_field_has_lost_is_known_once_a_record_held_it():
    splitter = MultiSelectParser(["A", "B"])
    assert splitter.split("A,B", ",") == ["A", "B"]
    splitter.learn(["A,B"])
    assert splitter.split("A,B", ",") is None


def test_an_edit_meanwhile_proves_no_separator():
    assert separator_of("A;B;C", ["A", "C"]) is None
    assert separator_of("A;B", ["A"]) is None
    assert separator_of("A", ["A;B", "C"]) is None

"""The conditions that we write mean what they should to a parser that nobody here shares."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.zoho_crm import Field, Module, Org
from simulators.zoho_crm.coql.executor import select
from simulators.zoho_crm.coql.parser import Comparison, Group, parse
from simulators.zoho_crm.crm.columns import Columns
from sources.zoho_crm.extract.coql_query import after, all_of, any_of, quote, select_query

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["'", "''", "\\'", "' or '"]
)
TERMS = st.lists(TEXTS, min_size=1, max_size=8)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
FEW = settings(max_examples=80, deadline=None)


def where(condition):
    return parse(f"select id from Things where {condition}", flat_conditions=False).where


def holds(test, names):
    """The truth of a condition over `name = '...'`, by the names that are true."""
    if isinstance(test, Comparison):
        return test.values[0].text in names
    parts = [holds(part, names) for part in test.parts]
    return all(parts) if test.operator == "and" else any(parts)


@FEW
@given(TEXTS)
def test_a_quoted_value_is_read_back_as_it_was(text):
    test = where(f"Name = {quote(text)}")
    assert isinstance(test, Comparison)
    assert (test.column, test.operator, [v.text for v in test.values]) == ("Name", "=", [text])


@FEW
@given(TERMS, st.data())
def test_all_of_and_any_of_are_pairs_and_mean_what_they_say(texts, data):
    true = set(data.draw(st.lists(st.sampled_from(texts))))
    conditions = [f"Name = {quote(text)}" for text in texts]
    assert holds(where(all_of(conditions)), true) == all(text in true for text in texts)
    assert holds(where(any_of(conditions)), true) == any(text in true for text in texts)


def test_no_group_has_more_than_two_parts():
    def widths(test):
        return (
            [len(test.parts), *(w for part in test.parts for w in widths(part))]
            if isinstance(test, Group)
            else []
        )

    assert set(widths(where(all_of([f"Name = '{n}'" for n in range(9)])))) == {2}


@pytest.mark.parametrize("offset", [0, 5.5, -8])
@FEW
@given(seconds=st.lists(st.integers(0, 4), max_size=25), size=st.integers(1, 7))
def test_pages_by_key_hold_every_row_once(offset, seconds, size):
    """Whatever the ties, the size of a page and the zone that the times are written in."""
    org = Org()
    module = org.add_module(Module("Things", [Field("Name", "text")]))
    for second in seconds:
        org.insert("Things", {}, modified_time=START + timedelta(seconds=second))
    columns = Columns(org, module, lambda module, field: False)
    zone = timezone(timedelta(hours=offset))
    order, key, ids, more = ["Modified_Time", "id"], [], [], True
    while more:
        conditions = ["id is not null", *([after(key)] if key else [])]
        query = parse(
            select_query(["id", "Modified_Time"], "Things", conditions, order, size), flat_conditions=False
        )
        assert (query.limit, query.offset) == (size, 0)
        found = select(query, columns, org.records("Things"))
        ids += [record.id for record in found.records]
        more = found.more
        if more:
            last = found.records[-1]
            key = [("Modified_Time", last.modified.astimezone(zone).isoformat()), ("id", last.id)]
    assert sorted(ids) == sorted(record.id for record in org.records("Things"))

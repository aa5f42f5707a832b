"""Names of columns: unique, as dlt's convention leaves them, and the same from run to run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.models import Field
from sources.zoho_crm.transform.naming import CONVENTION, name_columns, name_tables, remember, snake_case

TYPES = ["text", "integer", "lookup", "ownerlookup", "multiselectpicklist", "fileupload", "currency"]
API_NAMES = st.one_of(
    st.sampled_from(
        [
            "Lead_Source",
            "LeadSource",
            "lead_source",
            "Owner",
            "Owner__id",
            "deleted_at",
            "Id",
            "A",
            "A_2",
            "A__2",
            "名前",
            "名",
            "$state",
        ]
    ),
    st.text(min_size=1, max_size=12),
    st.text(alphabet="aAbB_2$名é ", min_size=1, max_size=8),
)
FIELDS = st.lists(
    st.builds(Field, API_NAMES, st.sampled_from(TYPES)), max_size=8, unique_by=lambda field: field.api_name
)


def assert_good(names: list[str]) -> None:
    assert len(set(names)) == len(names)
    for name in names:
        assert CONVENTION.normalize_path(name) == name
        assert "__" not in name.removesuffix("__id")
        assert name == name.lower()
        assert name.isascii()


@given(st.text(min_size=1))
def test_any_name_becomes_one_identifier(api_name):
    assert_good([snake_case(api_name)])
    assert snake_case(api_name) == snake_case(api_name)


@given(FIELDS)
def test_columns_have_names_of_their_own(fields):
    assert_good([column.name for column in name_columns(fields, {})])


@given(FIELDS, FIELDS)
def test_a_name_once_given_stays_with_its_field(before, after):
    first = name_columns(before, {})
    memory = remember(first, {})
    second = name_columns(after, memory)
    assert_good([column.name for column in second])
    named = {(column.api_name, column.kind): column.name for column in first}
    for column in second:
        known = named.get((column.api_name, column.kind))
        if known:
            assert column.name == known
        else:
            assert column.name not in named.values()
    third = name_columns(before, remember(second, memory))
    assert [column.name for column in third] == [column.name for column in first]


@given(st.lists(st.sampled_from(TYPES), min_size=1, max_size=6))
def test_each_kind_of_a_field_has_its_own_column_for_ever(types):
    memory: dict = {}
    names: dict = {}
    for data_type in types:
        (column,) = name_columns([Field("Size", data_type)], memory)
        memory = remember([column], memory)
        assert names.setdefault(column.kind, column.name) == column.name
    assert len(set(names.values())) == len(names)


def test_the_memory_of_an_earlier_version_still_counts():
    memory = {"Size": ["size", "TEXT"]}
    assert [c.name for c in name_columns([Field("Size", "text")], memory)] == ["size"]
    assert [c.name for c in name_columns([Field("Size", "integer")], memory)] == ["size_2"]


@pytest.mark.parametrize(
    ("api_name", "name"),
    [
        ("Account_Name", "account_name"),
        ("Converted__s", "converted_s"),
        ("Region__c", "region_c"),
        ("LeadSource", "lead_source"),
        ("$state", "_state"),
        ("名前", "ming_qian"),
    ],
)
def test_names_are_spelt_as_dlt_spells_them(api_name, name):
    assert snake_case(api_name) == name


def test_the_id_comes_first_and_lookups_end_in_id():
    fields = [Field("Name", "text"), Field("Owner", "ownerlookup"), Field("id", "bigint")]
    assert [c.name for c in name_columns(fields, {})] == ["id", "name", "owner__id"]


@given(
    st.lists(st.text(min_size=1, max_size=10), unique=True),
    st.lists(st.text(min_size=1, max_size=10), unique=True),
)
def test_tables_keep_their_names_and_leave_ours_alone(before, after):
    first = name_tables(before, ("users", "fields"), {})
    second = name_tables(after, ("users", "fields"), first)
    assert_good(list(second.values()))
    assert not {"users", "fields"} & set(second.values())
    assert {name: second[name] for name in first} == first

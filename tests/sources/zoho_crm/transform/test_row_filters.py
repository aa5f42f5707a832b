"""The texts of `--filters`: read, or refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.transform.row_filters import COMPARATORS, read_filter


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_one_sentence(text):
    try:
        found = read_filter(text)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert found.comparator in COMPARATORS
        assert found.values


@pytest.mark.parametrize(
    "text", ["*.City: equal Rome", "Persons.C?ty: equal Rome", "Persons.<text>: equal Rome"]
)
def test_a_filter_names_one_field_of_one_module(text):
    with pytest.raises(SettingsError, match="is not a filter: write MODULE.FIELD"):
        read_filter(text)


def test_a_list_of_values_may_hold_commas_in_quotes():
    assert read_filter('Deals.City: in Rome, "Paris, Texas"').values == ("Rome", "Paris, Texas")

"""Which rule holds for which field, and how a wrong one is refused."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.models import Field, MaskingRule, Module
from sources.zoho_crm.transform.column_types import Column, ColumnType, column_type_of, masked_type
from sources.zoho_crm.transform.masking import apply_masking, canonical, hash_value, mask_value
from sources.zoho_crm.transform.privacy_rules import (
    NEEDED,
    matches,
    parse_rules,
    split_rules,
)
from tests.support.private import SECRET, rules

LEADS = Module("Leads")
NAMES = st.text("AbC_é", max_size=6)


def treatment(text, field, module=LEADS):
    masking_rule = parse_rules(split_rules(text), [], [], SECRET).masking_rule(module, field)
    return masking_rule.how if masking_rule else "keep"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("*.Email: hash", "hash"),
        ("Email: hash", "hash"),
        ("leads.email:mask", "mask"),
        ("L*.E?ail = drop", "drop"),
        ("Contacts.Email: drop", "keep"),
        ("*.<email>: mask", "mask"),
        ("Leads.Email: keep; *.Email: drop", "keep"),
        ("*.Email: drop\nLeads.Email: keep", "drop"),
        ("*.Phone: drop, *.*: hash", "hash"),
    ],
)
def test_the_first_rule_that_fits_holds(text, what):
    assert treatment(text, Field("Email", "email")) == what


def test_a_type_in_angle_brackets_also_names_texts_that_are_called_so():
    for field in (Field("Work_Mail", "email"), Field("Second_Email", "text"), Field("email", "text")):
        assert treatment("<email>: drop", field) == "drop"
    assert treatment("<email>: drop", Field("Email_Opt_Out", "boolean")) == "keep"
    assert treatment("<phone>: drop", Field("mobile", "text")) == "drop"


@pytest.mark.parametrize("name", ["id", "Modified_Time", "Converted__s", "Parent_Id"])
def test_what_the_pipeline_needs_is_kept_by_patterns_and_refused_by_name(name):
    assert name.casefold() in NEEDED
    assert treatment("*.*: drop", Field(name, "text")) == "keep"
    with pytest.raises(SettingsError, match=f"the pipeline itself needs {name}"):
        rules(f"Leads.{name}: mask")


def test_the_lookups_by_which_rows_hang_on_records_are_kept():
    assert treatment("*.*: hash", Field("Order", "lookup"), Module("Items", "subform")) == "keep"
    assert treatment("*.*: hash", Field("Order", "lookup")) == "hash"


@given(NAMES, NAMES)
def test_a_name_without_signs_fits_itself_in_any_case_and_no_other(one, other):
    assert matches(one.swapcase(), one) or "é" in one
    assert matches(one, other) == (one.casefold() == other.casefold())


@given(st.text("ab*?", max_size=8), st.text("ab\n", max_size=8))
def test_patterns_fit_as_those_of_a_shell(pattern, name):
    assert matches(pattern, name) == fnmatchcase(name, pattern)


@given(st.text(max_size=30))
def test_any_text_is_a_rule_or_one_sentence(text):
    try:
        found = parse_rules([text], [text], [], SECRET)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert len(found.rules) == len(found.chosen)


@pytest.mark.parametrize(
    "text", ["Email", "Email: encrypt", "a.b.c: drop", ": drop", "Leads.: hash", "*.Email hash"]
)
def test_what_is_no_rule_is_refused_with_an_example(text):
    with pytest.raises(
        SettingsError, match=r"is not a rule: write MODULE.FIELD: what, such as \*.Email: hash"
    ):
        rules(text)


@pytest.mark.parametrize(("key", "words"), [("", "is missing"), ("short", "is too short")])
def test_a_hash_takes_a_key_and_the_sentence_says_what_to_set(key, words):
    with pytest.raises(SettingsError, match=f"privacy_key {words}.*SOURCES__ZOHO_CRM__PRIVACY_KEY") as error:
        rules("*.Email: hash", key=key)
    assert "short," not in str(error.value)
    assert rules("*.Email: drop", key=key).rules


def test_no_form_of_the_rules_shows_the_key():
    made = rules("*.Email: hash")
    assert SECRET not in f"{made!r} {made} {made.masking_rule(LEADS, Field('Email', 'email'))!r}"
    assert SECRET not in str(made.entries(LEADS, [Field("Email", "email")]))


@pytest.mark.parametrize("text", ["Leads", "Leads; Leads.Email"])
def test_a_chosen_field_tells_its_module(text):
    with pytest.raises(SettingsError, match="'Leads' is not a field: write MODULE.FIELD"):
        parse_rules([], split_rules(text), [], None)


# ---- values


EMAIL = Field("Email", "email")
HASH = MaskingRule("hash", SECRET)


@given(st.emails(), st.sampled_from(["", " ", "\t\n"]))
def test_an_address_has_one_hash_however_it_is_written(address, blanks):
    assert hash_value(HASH, blanks + address.upper() + blanks) == hash_value(HASH, address.upper().casefold())


@given(st.integers(-(10**15), 10**15))
def test_a_number_has_one_hash_whatever_its_type(number):
    from decimal import Decimal

    forms = {number, str(number), Decimal(number), Decimal(f"{number}.00")}
    assert len({hash_value(HASH, form) for form in forms}) == 1
    assert canonical(number) == str(number)


@given(st.text(min_size=1, max_size=60))
def test_a_mask_shows_one_character_or_the_domain(text):
    shown = mask_value(text)
    head, _, tail = shown.partition("***")
    assert len(head) <= 1
    assert tail == "" or ("@" in text and text.strip().endswith(tail[1:]))


@pytest.mark.parametrize("text", ["", "A", "Al", " B "])
def test_a_short_text_shows_nothing(text):
    assert mask_value(text) == "***"


@pytest.mark.parametrize(("number", "shown"), [("+49 (30) 1234-56", "***56"), ("110", "***"), ("ext", "***")])
def test_a_phone_number_shows_its_last_two_digits(number, shown):
    assert mask_value(number, "phone") == shown


@pytest.mark.parametrize("how", ["mask", "hash"])
@pytest.mark.parametrize(
    "data_type", ["text", "integer", "currency", "boolean", "date", "datetime", "double"]
)
def test_null_stays_null_and_what_does_not_fit_leaks_nowhere(how, data_type):
    from sources.zoho_crm.transform.arrow_tables import records_table

    field, masking_rule = Field("Secret", data_type), MaskingRule(how, SECRET)
    column = Column("secret", field, masked_type(column_type_of(field), masking_rule), masking_rule)
    table = records_table([{"Secret": None}, {"Secret": "rather a word"}, {}], (column,))
    assert table.column_names == ["secret"]
    values = table["secret"].to_pylist()
    assert [values[0], values[2]] == [None, None]
    assert "word" not in str(values[1])
    assert (values[1] is None) is (how == "mask" and data_type in ("date", "datetime"))


def test_the_id_of_a_lookup_keeps_its_columns_kind():
    import pyarrow as pa

    field = Field("Owner", "ownerlookup")
    column = Column("owner__id", field, masked_type(column_type_of(field), HASH), HASH)
    assert column.kind is ColumnType.ID
    assert apply_masking(column, pa.array(["123"])).to_pylist() == [hash_value(HASH, "123")]

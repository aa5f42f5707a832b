"""One value of Zoho's gives one value of ours, as JSON or as a cell; what does not fit is said, never guessed."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.transform.column_types import ColumnType
from sources.zoho_crm.transform.converters import ConversionError, as_text, convert

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from([Decimal("1E+999999999"), Decimal("-1E-999999999"), "\ud83d", "1E+999999999"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ZONES = st.timedeltas(timedelta(hours=-12), timedelta(hours=14)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=ZONES).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
MONEY = st.decimals(-(10**16), 10**16, places=9)

# Kind -> what the CRM holds, its JSON, its cell in an archive, and the value that both must become.
FORMS = {
    ColumnType.TEXT: (st.text(min_size=1), str, str, lambda v: v.replace("\0", "\ufffd")),
    ColumnType.BIGINT: (st.integers(-(2**63), 2**63 - 1), int, str, int),
    ColumnType.DOUBLE: (
        st.floats(allow_nan=False, allow_infinity=False),
        lambda v: Decimal(repr(v)),
        repr,
        float,
    ),
    ColumnType.DECIMAL: (MONEY, lambda v: v, lambda v: format(v, "f"), lambda v: v),
    ColumnType.BOOL: (st.booleans(), bool, lambda v: "TRUE" if v else "false", bool),
    ColumnType.DATE: (st.dates(), date.isoformat, date.isoformat, lambda v: v),
    ColumnType.TIMESTAMP: (INSTANTS, datetime.isoformat, datetime.isoformat, lambda v: v),
    ColumnType.ID: (st.integers(10**18, 10**19).map(str), lambda v: {"id": v, "name": "x"}, str, str),
    ColumnType.RULE: (st.just("FREQ=DAILY"), lambda v: {"RRULE": v}, str, str),
}


@pytest.mark.parametrize("kind", FORMS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_json_and_cell_of_one_value_give_one_value(kind, data):
    values, as_json, as_cell, expected = FORMS[kind]
    value = data.draw(values)
    assert convert(kind, as_json(value)) == convert(kind, as_cell(value)) == expected(value)


@pytest.mark.parametrize("kind", ColumnType, ids=lambda kind: kind.name)
@given(value=ANYTHING)
def test_nothing_but_a_conversion_error_is_raised_and_its_text_is_whole(kind, value):
    try:
        converted = convert(kind, value)
    except ConversionError:
        converted = as_text(value)
        assert isinstance(converted, str)
    if isinstance(converted, str):
        assert converted.encode() is not None


@pytest.mark.parametrize("kind", ColumnType, ids=lambda kind: kind.name)
@pytest.mark.parametrize("empty", [None, "", [], {}], ids=repr)
def test_what_is_empty_is_null(kind, empty):
    assert convert(kind, empty) is None


def test_a_lookup_without_an_id_is_null():
    assert convert(ColumnType.ID, {"id": None, "name": None}) is None
    assert convert(ColumnType.RULE, {"RRULE": None}) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.BIGINT, Decimal("5.5")),
        (ColumnType.BIGINT, 2**63),
        (ColumnType.BIGINT, True),
        (ColumnType.BIGINT, "0x1F"),
        (ColumnType.BIGINT, Decimal("1E+999999999")),
        (ColumnType.BIGINT, "1_000"),
        (ColumnType.DOUBLE, "1_000.5"),
        (ColumnType.DECIMAL, "1_000"),
        (ColumnType.DOUBLE, True),
        (ColumnType.DECIMAL, False),
        (ColumnType.DOUBLE, "nan"),
        (ColumnType.DOUBLE, Decimal("1E+400")),
        (ColumnType.DECIMAL, Decimal("0.1234567891")),
        (ColumnType.DECIMAL, Decimal("1E+30")),
        (ColumnType.DATE, "2024-01-01T00:00:00"),
        (ColumnType.DATE, "2023-02-29"),
        (ColumnType.TIMESTAMP, "2024-01-01T00:00:00"),
        (ColumnType.TIMESTAMP, "0001-01-01T00:00:00+05:30"),
        (ColumnType.BOOL, "maybe"),
        (ColumnType.ID, {"name": "x"}),
    ],
)
def test_a_value_that_does_not_fit_is_a_conversion_error(kind, value):
    with pytest.raises(ConversionError):
        convert(kind, value)


def test_half_an_emoji_becomes_the_replacement_character():
    assert convert(ColumnType.TEXT, json.loads('"cut \\ud83d"')) == "cut \ufffd"
    assert json.loads(convert(ColumnType.NAMES, ["\ud83d", "ok"])) == ["\ufffd", "ok"]


@pytest.mark.parametrize("text", ["a\0b", "\0\0", "\\\0", "\\\\u0000", "\\\\\0\0\\", '"\0'])
def test_the_character_nul_becomes_the_replacement_character_and_nothing_else_changes(text):
    whole = text.replace("\0", "\ufffd")
    assert convert(ColumnType.TEXT, text) == whole
    assert json.loads(convert(ColumnType.NAMES, [text, "ok"])) == [whole, "ok"]
    assert json.loads(convert(ColumnType.OBJECTS, {text: [text]})) == {whole: [whole]}
    with pytest.raises(ConversionError):
        convert(ColumnType.BIGINT, "5\0")


@pytest.mark.parametrize("number", ["12345678901234567890.12", "0.1234567890123456789", "7", "-0.5", "1e3"])
def test_numbers_in_json_keep_every_digit(number):
    exact = json.loads(f'{{"a": [{number}]}}', parse_float=Decimal)
    assert json.loads(convert(ColumnType.OBJECTS, exact), parse_float=Decimal) == exact


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999999999"])
def test_a_number_that_json_does_not_know_is_its_text(number):
    for value in (json.loads(number), json.loads(number, parse_float=Decimal), Decimal(number)):
        text = convert(ColumnType.OBJECTS, {"a": [value], "b": 1})
        found = json.loads(text, parse_constant=pytest.fail)
        assert isinstance(found["a"][0], str)
        assert found["b"] == 1


@pytest.mark.parametrize(
    "kind", [ColumnType.OBJECTS, ColumnType.NAMES, ColumnType.IDS], ids=lambda kind: kind.name
)
@given(value=ANYTHING)
def test_what_is_written_is_json(kind, value):
    with suppress(ConversionError):
        written = convert(kind, value)
        json.loads(written or "null", parse_constant=pytest.fail)


def test_a_text_keeps_its_blanks_and_its_zeros():
    assert convert(ColumnType.TEXT, " 007 ") == " 007 "


@given(st.lists(st.text(min_size=1), min_size=1))
def test_names_are_a_list_in_json(names):
    scrubbed = [as_text(name) for name in names]
    assert json.loads(convert(ColumnType.NAMES, names)) == scrubbed
    assert json.loads(convert(ColumnType.NAMES, [{"name": n, "id": "1"} for n in names])) == scrubbed

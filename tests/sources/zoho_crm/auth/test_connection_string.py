"""The grammar of connection strings."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.zoho_crm.auth.connection_string import apply_edits, join_settings, settings_edits, split_settings
from sources.zoho_crm.exceptions import SettingsError

NAMES = st.text(alphabet="abcXYZ_ 0.9é", min_size=1).map(str.strip).filter(bool)
VALUES = st.text() | st.text(alphabet="ab=;'\" \n\t")


@given(st.lists(st.tuples(NAMES, VALUES)))
@example([("A", ""), ("B", " "), ("C", "';\"")])
def test_any_values_survive_formatting_and_parsing(pairs):
    assert split_settings(join_settings(pairs)) == pairs


@given(st.text() | st.text(alphabet="aB=;'\" \n"))
def test_no_garbage_makes_anything_but_one_settings_error(text):
    try:
        pairs = split_settings(text)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert split_settings(join_settings(pairs)) == pairs


@given(
    st.text(alphabet="Qz7=;'\" ", min_size=3),
    st.sampled_from(["{}", "'{}", '"{}', "'{}' {}", "{};{}", '"a"{}']),
)
def test_no_error_shows_a_piece_of_a_value(secret, form):
    text = "Region=US;OAuthClientSecret=" + form.replace("{}", secret)
    try:
        split_settings(text, known={"region", "oauthclientsecret"})
    except SettingsError as error:
        assert not {"Q", "z", "7"} & set(str(error))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        (" \n ; ;; ", []),
        ("A=1", [("A", "1")]),
        ("A=1;", [("A", "1")]),
        ("\n A\t=\n 1 ;\r\n B = 2 ", [("A", "1"), ("B", "2")]),
        ("A=b=c==;", [("A", "b=c==")]),
        ("A=;B=", [("A", ""), ("B", "")]),
        ("A='x;y' ; B=\"it's\"", [("A", "x;y"), ("B", "it's")]),
        ('A=\'it\'\'s\';B="say ""hi"""', [("A", "it's"), ("B", 'say "hi"')]),
        ("A='';B=' '", [("A", ""), ("B", " ")]),
        ("A=it's;B=1", [("A", "it's"), ("B", "1")]),
        ("Scope=a,\n b;", [("Scope", "a,\n b")]),
        ("A=1;a=2", [("A", "1"), ("a", "2")]),
    ],
)
def test_the_grammar(text, pairs):
    assert split_settings(text) == pairs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Region=US;oops", "setting 2 has no '='"),
        ("=US", "setting 1 has no name"),
        ("'Region=US'", "no quotes around the whole string"),
        ("Region='US", "Region (setting 1) starts with a quote that nothing closes"),
        ("Region='US' of A;", "Region (setting 1) goes on after its closing quote"),
        ("Other='US", "the value of setting 1 starts"),
    ],
)
def test_an_error_tells_the_place_and_the_rule(text, words):
    with pytest.raises(SettingsError) as caught:
        split_settings(text, known={"region"})
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["", " A", "A=B", "A;B", "'A"])
def test_a_name_that_could_not_be_read_back_is_not_written(name):
    with pytest.raises(SettingsError):
        join_settings([(name, "1")])


def edited(text, **changes):
    return apply_edits(text, settings_edits(text, changes))


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("", {"A": "1"}, "A=1;"),
        ("A=1", {"B": "2"}, "A=1;B=2;"),
        ("A=1;", {"a": "3"}, "A=3;"),
        ("A = 1 ; b='x;y';\n", {"B": "it's"}, "A = 1 ; b='it''s';\n"),
        ('A="1"; B=2', {"A": '"'}, 'A=""""; B=2'),
        ("A=1;\n  B=2;\n", {"C": "3", "D": "4"}, "A=1;\n  B=2;\n  C=3;\n  D=4;\n"),
        ("A=1; B=; C=3;", {"B": "2"}, "A=1; B=2; C=3;"),
        ("A=1; B=2; C=3;", {"B": None}, "A=1;  C=3;"),
        ("A=1;B=2  ", {"B": None, "C": "3"}, "A=1;;C=3;  "),
        ("A=1;B=  ", {"B": "2", "C": "3"}, "A=1;B=  2;C=3;"),
        ("A=1;a=2;", {"A": "3"}, "A=3;a=3;"),
        ("A=1;B=' 2 ';", {"A": "1", "Z": None}, "A=1;B=' 2 ';"),
    ],
)
def test_a_setting_is_changed_and_nothing_else_moves(text, changes, expected):
    assert edited(text, **changes) == expected


@given(
    st.lists(st.tuples(st.sampled_from("ABCD"), VALUES)),
    st.dictionaries(st.sampled_from("abCDEF"), st.none() | VALUES),
    st.sampled_from(["", ";", " ; ", "\n"]),
)
def test_after_any_change_the_settings_have_the_new_values(pairs, changes, tail):
    text = join_settings(pairs) + tail
    after = dict(split_settings(edited(text, **changes)))
    kept = {name: value for name, value in pairs if name.casefold() not in map(str.casefold, changes)}
    wanted = {name.casefold(): value for name, value in changes.items() if value is not None}
    assert {name: value for name, value in after.items() if name in kept} == kept
    assert {name.casefold(): value for name, value in after.items() if name not in kept} == wanted

"""Connector files: what is wrong is named with its file, its line and the nearest key."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_api import ConnectorError, list_connectors, load_connector, zoho_api
from sources.zoho_api.connector import read_connector

GOOD = """\
title: Harbour
authentication:
  type: oauth2
  authorization_url: https://auth.example/authorize
  token_url: https://auth.example/token
host: https://api.example
parameters:
  year: 2026
client:
  base_url: ${host}/v1
resources:
  - name: boats
    endpoint:
      path: boats
      params:
        year: ${year}
      data_selector: boats
  - name: logs
    endpoint:
      path: boats/${resources.boats.id}/logs
"""
ADDED_AGAIN = (
    "logs has no primary_key, so a later run would add its rows again: name the columns that tell rows apart, or read"
    " it whole each time, with write_disposition: replace"
)
ACCOUNT = "OAuthClientId=1000.A;OAuthClientSecret=b;OAuthRefreshToken=1000.c.d"


def read(text):
    return read_connector(text, "harbour.yaml", "harbour")


def test_a_good_file_says_what_there_is():
    connector = read(GOOD)
    assert [(r.name, r.mode, r.parent) for r in connector.resources] == [
        ("boats", "whole", None),
        ("logs", "children", "boats"),
    ]
    assert connector.ancestors(connector.resource("logs")) == ["boats"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("data_selector", "data_selctor", 17, "unknown key data_selctor: did you mean data_selector?"),
        ("token_url", "tokn_url", 5, "unknown key tokn_url: did you mean token_url?"),
        ("client:", "clients:", 9, "unknown key clients: did you mean client?"),
        ("${year}", "${yaer}", 16, "unknown placeholder ${yaer}: did you mean ${year}?"),
        (
            "${resources.boats.id}",
            "${resources.boat.id}",
            20,
            "unknown placeholder ${resources.boat.id}: did you mean ${resources.boats.id}?",
        ),
        (
            "${resources.boats.id}",
            "${resources.boat.boatNo}",
            20,
            "unknown placeholder ${resources.boat.boatNo}: did you mean ${resources.boats.boatNo}?",
        ),
        (
            "${year}",
            "${incremental.start}",
            16,
            "unknown placeholder ${incremental.start}: did you mean ${incremental.start_value}?",
        ),
        (
            "  - name: logs\n",
            "  - name: logs\n    write_disposition: merge\n",
            19,
            ADDED_AGAIN,
        ),
        (
            "data_selector: boats",
            "paginator: single_pge",
            17,
            "there is no paginator single_pge: did you mean single_page?",
        ),
        (
            "data_selector: boats",
            "paginator: {type: offset, limit: 2, ofset_param: from}",
            17,
            "unknown key ofset_param: did you mean offset_param?",
        ),
        ("data_selector: boats", "paginator: {limit: 2}", 17, "the key type is missing"),
        ("type: oauth2", "type: oauth", 3, "type has to be zoho, oauth2 or none"),
        ("name: logs", "name: boats", 18, "two resources are called boats"),
        ("  year: 2026", "  - 2026", 7, "parameters has to be keys and values"),
        ("title: Harbour", "title: [Harbour]", 1, "title has to be a text"),
        ("- name: logs\n", "- nam: logs\n", 18, "unknown key nam: did you mean name?"),
        ("title: Harbour", "title: 'Harbour", 1, ""),
        (
            "token_url: https:",
            "token_url: http:",
            5,
            "http://auth.example/token is not encrypted: it has to begin with https://",
        ),
        (
            "host: https://api.example",
            "host: HTTP://127.0.0.1.example",
            6,
            "HTTP://127.0.0.1.example is not encrypted: it has to begin with https://",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old, new, line, words):
    with pytest.raises(ConnectorError) as error:
        read(GOOD.replace(old, new, 1))
    text = str(error.value)
    assert text.startswith("harbour.yaml, line ")
    if words:
        assert text == f"harbour.yaml, line {line}: {words}"


TABLES = """\
authentication: {type: none}
host: https://api.example
client: {base_url: "${host}"}
resources:
  - name: modules
    primary_key: no
  - name: fields
    endpoint: {path: "f/${resources.modules.x}"}
  - name: records
    for_each:
      resource: modules
      table_name: api_name
      columns: {resource: fields, name: a, data_type: b, types: {date: date}}
    endpoint: {path: "${each.api_name}"}
"""


def test_a_word_that_yaml_1_1_takes_for_false_is_a_text():
    assert read(TABLES).resource("modules").config["primary_key"] == "no"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("resource: modules", "resource: moduls", 11, "there is no resource moduls: did you mean modules?"),
        ("resource: fields", "resource: field", 13, "there is no resource field: did you mean fields?"),
        ("resource: modules", "resource: fields", 10, "fields is read from other rows itself"),
        ("table_name: api_name", "", 10, "the key table_name is missing"),
        ("{date: date}", "{date: dat}", 13, "dat is no type of dlt's"),
        ("${resources.modules.x}", "${each.x}", 8, "unknown placeholder ${each.x}"),
        ("for_each:", "deletions: {}\n    for_each:", 10, "the key endpoint is missing"),
        (
            "${resources.modules.x}",
            "${resources.records.x}",
            7,
            "fields is read from the rows of tables that are not known before",
        ),
        ("primary_key: no", "primary_key: 1", 6, "primary_key has to be a text or a list"),
    ],
)
def test_what_is_wrong_with_tables_of_rows_is_named(old, new, line, words):
    with pytest.raises(ConnectorError) as error:
        read(TABLES.replace(old, new, 1))
    assert str(error.value).startswith(f"harbour.yaml, line {line}: {words}")


@pytest.mark.parametrize("key", ["authentication", "host", "client", "resources"])
def test_a_missing_key_is_named(key):
    data = yaml.safe_load(GOOD)
    del data[key]
    with pytest.raises(ConnectorError, match=f"the key {key} is missing"):
        read(yaml.safe_dump(data))


@given(st.text(max_size=200))
def test_any_text_is_a_connector_or_one_sentence(text):
    with pytest.raises(ConnectorError) as error:
        read(text)
    assert "\n" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["title", "authentication", "host", "client", "resources", "parameters"]), JSON)
def test_any_value_of_a_key_is_taken_or_one_sentence(key, value):
    data = {**yaml.safe_load(GOOD), key: value}
    try:
        read(yaml.safe_dump(data))
    except ConnectorError as error:
        assert "\n" not in str(error)


def test_what_comes_with_the_program_is_good():
    assert list_connectors() == ["books", "desk", "recruit"]
    for name in list_connectors():
        connector = load_connector(name)
        names = [r.name for r in connector.resources if not r.is_template]
        source = zoho_api(name, names, ACCOUNT)
        assert {r.name for r in source.selected_resources.values()} == {*names}
        assert all(r.scopes for r in connector.resources)


def test_a_name_that_is_none_is_told_with_the_nearest():
    with pytest.raises(ConnectorError, match="there is no connector dsk: did you mean desk"):
        load_connector("dsk")
    with pytest.raises(ConnectorError, match="desk has no resource tickts: did you mean tickets"):
        zoho_api("desk", ["tickts"], ACCOUNT)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(ConnectorError, match=r"none\.yaml cannot be read: No such file or directory"):
        load_connector(tmp_path / "none.yaml")

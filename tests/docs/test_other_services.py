"""docs/other-services.md is true: its tables are those of the connector files, its keys are known, its example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dlt.sources.rest_api.config_setup import PAGINATOR_MAP

from sources.zoho_api import list_connectors, load_connector
from sources.zoho_api.connector import (
    AUTHENTICATION_KEYS,
    COLUMNS_KEYS,
    CREDITS_KEYS,
    DELETIONS_KEYS,
    FOR_EACH_KEYS,
    KEYS,
    ORGANIZATION_KEYS,
    OUR_RESOURCE_KEYS,
    read_connector,
)
from sources.zoho_api.paginators import PAGINATORS

PAGE = Path(__file__).parents[2].joinpath("docs/other-services.md").read_text()


def table(name):
    """The rows of a connector's table in the page."""
    connector = load_connector(name)
    lines = [
        "| Table | Later runs read | Deletions are seen | In a run | Price | Scopes |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in connector.resources:
        name = f"one of each of `{one.for_each.resource}`" if one.is_template else f"`{one.name}`"
        if connector.reads_all(one):
            mode, deletions = "all rows", "by each run"
        else:
            mode = f"of the {one.parent} that changed" if one.parent else "what changed"
            days = one.full_refresh_days
            deletions = f"every {days} days, or by `--full-refresh`" if days else "by `--full-refresh`"
            deletions = "by each run" if one.deletions else deletions
        selected = "yes" if one.config.get("selected", True) else "by name"
        scopes = ", ".join(f"`{scope}`" for scope in one.scopes)
        lines.append(f"| {name} | {mode} | {deletions} | {selected} | {connector.price_of(one)} | {scopes} |")
    return "\n".join(lines)


@pytest.mark.parametrize("name", list_connectors())
def test_the_tables_are_those_of_the_connector_files(name):
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", PAGE, re.DOTALL)
    assert found == table(name)


def test_every_key_of_a_connector_file_is_in_the_page():
    part = PAGE.partition("## The keys of a connector file")[2]
    named = set(re.findall(r"`([a-z_]+)`", part))
    known = (
        AUTHENTICATION_KEYS,
        CREDITS_KEYS,
        FOR_EACH_KEYS,
        COLUMNS_KEYS,
        DELETIONS_KEYS,
        ORGANIZATION_KEYS,
    )
    assert {*KEYS, *OUR_RESOURCE_KEYS, *PAGINATORS, *(key for keys in known for key in keys)} <= named


def test_the_paginators_of_the_page_are_all_that_there_are():
    part = PAGE.partition("| `type` | The next page | Keys |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE)) == {*PAGINATOR_MAP, *PAGINATORS} - {
        "auto",
        "json_response",
    }


def test_the_example_is_a_good_file():
    text = re.findall(r"```yaml\n(title: Tracker.*?)```", PAGE, re.DOTALL)[0]
    connector = read_connector(text, "tracker.yaml", "tracker")
    assert [(one.name, one.mode) for one in connector.resources] == [
        ("projects", "changes"),
        ("tasks", "children"),
    ]

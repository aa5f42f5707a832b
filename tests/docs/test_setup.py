"""docs/setup.md tells the truth: the consoles, the scopes, the redirect URI, and each sentence of `authorize`."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.zoho_crm.cli import cli
from sources.zoho_crm.auth.data_centers import DATA_CENTRES, data_centre
from sources.zoho_crm.auth.oauth_client import CONSENT_REFUSALS, DEFAULT_CALLBACK, DENIED
from sources.zoho_crm.service import CRM

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
FILES = (
    "sources/zoho_crm/auth/oauth_client.py",
    "pipelines/zoho_crm/authorize/command.py",
    "pipelines/zoho_crm/authorize/prompts.py",
    "pipelines/zoho_crm/authorize/callback_server.py",
    "pipelines/zoho_crm/authorize/env_file.py",
    "pipelines/zoho_crm/check/account_checks.py",
    "sources/zoho_crm/auth/credentials.py",
)


def test_each_region_has_its_console_and_accounts_server():
    rows = re.findall(r"^\| (`.+`) \| (https://\S+) \| (\S+) \|$", DOCS, re.MULTILINE)
    found = [(centre, row[1], row[2]) for row in rows for centre in [data_centre(row[0].split("`")[1])]]
    assert found == [(centre, centre.console, centre.accounts_host) for centre in DATA_CENTRES]
    for names, _, _ in rows:
        assert len({data_centre(name) for name in re.findall("`(.+?)`", names)}) == 1


def test_the_scopes_and_the_redirect_uri_are_those_of_the_code():
    assert f"\n{','.join(CRM.scopes)}\n" in DOCS
    assert f"exactly `{DEFAULT_CALLBACK}`" in DOCS


def test_every_word_of_a_refusal_is_explained():
    assert [word for word in (*DENIED, *CONSENT_REFUSALS) if word not in DOCS] == []


def test_every_sentence_that_is_explained_is_one_that_can_be_said():
    source = "".join((ROOT / name).read_text(encoding="utf-8") for name in FILES)
    said = re.sub(r'"\s+f?"', "", source)  # as one text, however it is broken into lines
    explained = re.findall(
        r"^\| `(.+?)` \|[^|]+\|$", DOCS.partition("When it does not work")[2], re.MULTILINE
    )
    assert len(explained) > 20
    plain = [text for text in explained if not text.startswith("OAuthClientId and")]  # its names vary
    assert [text for text in plain if text not in said] == []


def test_its_options_exist():
    known = {name for param in cli.commands["authorize"].params for name in param.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", DOCS)) <= known

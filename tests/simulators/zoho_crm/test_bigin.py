"""Bigin on the simulator's server: its paths, scopes and limits, and what it does not have."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.simulators.zoho_crm.wire import wired


def small(**quirks):
    org = Org(service="bigin", quirks=Quirks(**quirks))
    org.add_module(Module("Pipelines", [Field("Deal_Name", "text"), Field("Notes__c", "textarea")]))
    org.insert("Pipelines", {"Deal_Name": "Boat"})
    return org


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/bigin/v2/Pipelines?fields=Deal_Name", 200, None),
        ("/bigin/v2/Pipelines", 400, "REQUIRED_PARAM_MISSING"),
        ("/bigin/v2/Pipelines?fields=id&page=11&per_page=200", 400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ("/bigin/v2/settings/territories", 404, "INVALID_URL_PATTERN"),
        ("/bigin/v2/settings/recycle_bin", 404, "INVALID_URL_PATTERN"),
        ("/bigin/v2/org/currencies", 404, "INVALID_URL_PATTERN"),
        ("/bigin/v2/settings/pipeline?layout_id=1", 404, "INVALID_URL_PATTERN"),
        ("/crm/v8/Pipelines?fields=Deal_Name", 401, "OAUTH_SCOPE_MISMATCH"),
        ("/bigin/v1/Pipelines?fields=Deal_Name", 418, None),
        ("/bigin/v2/Pipelines?fields=id&converted=both", 418, None),
    ],
)
def test_a_call_is_answered_below_bigins_root_only(path, status, code):
    with wired(small()) as wire:
        answer = wire.at(path)
        assert answer.status_code == status
        assert code is None or answer.json()["code"] == code


def test_a_token_of_the_crm_is_refused():
    org = small()
    org.scopes = {"ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL"}
    with wired(org) as wire:
        answer = wire.at("/bigin/v2/Pipelines?fields=id")
        assert (answer.status_code, answer.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_token_of_bigin_is_refused_by_the_crm():
    org = Org()
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    org.scopes = {"ZohoBigin.modules.ALL"}
    with wired(org) as wire:
        assert wire.at("/crm/v8/Deals?fields=id").json()["code"] == "OAUTH_SCOPE_MISMATCH"
        assert wire.at("/bigin/v2/Deals?fields=id").json()["code"] == "OAUTH_SCOPE_MISMATCH"


@pytest.mark.parametrize(
    ("switch", "path"),
    [
        ("bigin_count", "Pipelines/actions/count"),
        ("bigin_deleted", "Pipelines/deleted"),
        ("bigin_currencies", "org/currencies"),
        ("bigin_pipelines", "settings/pipeline?layout_id=1"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_call_in_doubt_is_there_or_not(switch, path, there):
    with wired(small(**{switch: there})) as wire:
        answer = wire.at(f"/bigin/v2/{path}")
        assert (answer.status_code == 404) != there
        assert there or answer.json()["code"] == "INVALID_URL_PATTERN"


@pytest.mark.parametrize(("rows", "limit"), [(200, 201), (2_000, 2_001)])
def test_a_query_brings_so_many_rows(rows, limit):
    with wired(small(bigin_coql_rows=rows)) as wire:
        query = "select id from Pipelines where id is not null limit {}"
        assert wire.send("/bigin/v2/coql", {"select_query": query.format(rows)}).status_code == 200
        assert wire.send("/bigin/v2/coql", {"select_query": query.format(limit)}).status_code == 400


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("column", ["Notes__c", "Tag"])
def test_a_query_takes_columns_of_several_lines_or_not(taken, column):
    with wired(small(bigin_coql_texts=taken)) as wire:
        query = f"select {column} from Pipelines where id is not null limit 1"
        answer = wire.send("/bigin/v2/coql", {"select_query": query})
        assert answer.status_code == (200 if taken else 400)
        assert taken or answer.json()["details"]["column_name"] == column


def test_credits_and_the_address_of_a_download_are_bigins():
    org = small()
    with wired(org) as wire:
        job = wire.send("/bigin/bulk/v2/read", {"query": {"module": {"api_name": "Pipelines"}}}).json()
        id = job["data"][0]["details"]["id"]
        while (told := wire.at(f"/bigin/bulk/v2/read/{id}").json()["data"][0])["state"] != "COMPLETED":
            pass
        assert told["result"]["download_url"] == f"/bigin/bulk/v2/read/{id}/result"
        assert wire.at(told["result"]["download_url"]).status_code == 200
        org.ledger.clear()
        wire.at("/bigin/v2/Pipelines/deleted")
        assert org.ledger.credits == 1

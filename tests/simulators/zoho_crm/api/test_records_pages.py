"""The pages of a list: their order, their tokens and their ends."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Rules
from tests.simulators.zoho_crm.wire import refusal, wired


@pytest.fixture
def wire():
    org = Org(Rules(per_page=20, discrete_reach=200, token_reach=300))
    org.add_module(Module("Accounts", [Field("Account_Name", "text")]))
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    with wired(org) as wire:
        yield wire


def fill(org: Org, count: int, module: str = "Leads") -> list[str]:
    name = "Last_Name" if module == "Leads" else "Account_Name"
    return [org.insert(module, {name: f"name {number}"}) for number in range(count)]


def test_the_newest_id_comes_first_unless_asked_otherwise(wire):
    ids = fill(wire.org, 3)
    assert [row["id"] for row in wire.rows("Leads", fields="id")] == ids[::-1]
    assert [row["id"] for row in wire.rows("Leads", fields="id", sort_order="asc")] == ids


def test_sort_by_knows_three_fields(wire):
    ids = fill(wire.org, 3)
    wire.org.clock.advance(60)
    wire.org.edit("Leads", ids[0], Last_Name="edited")
    rows = wire.rows("Leads", fields="id", sort_by="Modified_Time")
    assert rows[0]["id"] == ids[0]
    assert refusal(wire.get("Leads", fields="id", sort_by="Last_Name")) == (400, "INVALID_DATA")
    assert refusal(wire.get("Leads", fields="id", sort_order="up")) == (400, "INVALID_DATA")


def test_a_hidden_modified_time_cannot_be_asked_or_sorted_by(wire):
    wire.org.add_module(Module("Odd", [Field("Name", "text")], hidden_modified_time=True))
    id = wire.org.insert("Odd", {"Name": "x"})
    assert wire.rows("Odd", fields="Modified_Time") == [{"id": id}]
    assert refusal(wire.get("Odd", fields="id", sort_by="Modified_Time")) == (400, "INVALID_DATA")


def test_the_info_tells_how_to_go_on(wire):
    fill(wire.org, 21)
    info = wire.get("Leads", fields="id").json()["info"]
    assert (info["count"], info["page"], info["per_page"], info["more_records"]) == (20, 1, 20, True)
    assert info["page_token_expiry"].endswith("+05:30")
    last = wire.get("Leads", fields="id", page_token=info["next_page_token"]).json()["info"]
    assert (last["count"], last["page"], last["more_records"], last["next_page_token"]) == (1, 2, False, None)
    assert (
        wire.get("Leads", fields="id", page_token=last["previous_page_token"]).json()["info"]["count"] == 20
    )


def test_page_11_is_refused(wire):
    fill(wire.org, 201)
    assert wire.get("Leads", fields="id", page=10).status_code == 200
    answer = wire.get("Leads", fields="id", page=11)
    assert refusal(answer) == (400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED")
    assert (
        answer.json()["message"] == "You can only get the first 2000 records without using page_token param."
    )


def test_tokens_go_past_page_10(wire):
    ids = fill(wire.org, 250)
    assert [row["id"] for row in wire.walk("Leads", fields="id")] == ids[::-1]


def test_tokens_end_at_their_reach(wire):
    fill(wire.org, 301)
    token = {}
    for _ in range(15):
        info = wire.get("Leads", fields="id", **token).json()["info"]
        token = {"page_token": info["next_page_token"]}
    assert info["more_records"] is True
    answer = wire.get("Leads", fields="id", **token)
    assert refusal(answer) == (400, "PAGINATION_LIMIT_EXCEEDED")
    assert answer.json()["message"] == "You can only get up to first 100000 records using page_token param."


def test_a_token_is_bound_to_the_other_parameters(wire):
    fill(wire.org, 30)
    fill(wire.org, 30, "Accounts")
    token = wire.get("Leads", fields="id").json()["info"]["next_page_token"]
    for params in ({"fields": "id,Last_Name"}, {"fields": "id", "sort_order": "asc"}):
        answer = wire.get("Leads", **params, page_token=token)
        assert refusal(answer) == (400, "TOKEN_BOUND_DATA_MISMATCH")
    assert refusal(wire.get("Accounts", fields="id", page_token=token)) == (400, "TOKEN_BOUND_DATA_MISMATCH")


def test_a_token_and_a_page_are_ambiguous(wire):
    fill(wire.org, 30)
    token = wire.get("Leads", fields="id").json()["info"]["next_page_token"]
    answer = wire.get("Leads", fields="id", page_token=token, page=2)
    assert refusal(answer) == (400, "AMBIGUITY_DURING_PROCESSING")


def test_a_token_lives_a_day(wire):
    fill(wire.org, 30)
    token = wire.get("Leads", fields="id").json()["info"]["next_page_token"]
    wire.org.clock.advance(hours=24)
    del wire.session.headers["Authorization"]
    assert refusal(wire.get("Leads", fields="id", page_token=token)) == (400, "EXPIRED_VALUE")


def test_a_token_of_another_user_or_of_nobody_is_invalid(wire):
    fill(wire.org, 30)
    token = wire.get("Leads", fields="id").json()["info"]["next_page_token"]
    wire.org.account.user = wire.org.account.add_user("Other", "Admin")
    for text in (token, "junk"):
        assert refusal(wire.get("Leads", fields="id", page_token=text)) == (400, "INVALID_DATA")


def test_an_edit_between_pages_moves_rows_across_the_edge(wire):
    ids = fill(wire.org, 40)
    asked = {"fields": "id", "sort_by": "Modified_Time", "sort_order": "asc"}
    first = wire.get("Leads", **asked).json()
    wire.org.clock.advance(1)
    wire.org.edit("Leads", ids[0], Last_Name="edited")
    second = wire.rows("Leads", **asked, page_token=first["info"]["next_page_token"])
    met = [row["id"] for row in first["data"] + second]
    assert met.count(ids[0]) == 2
    assert ids[20] not in met


def test_more_than_200_a_page_are_refused(wire):
    assert refusal(wire.get("Leads", fields="id", per_page=21)) == (400, "INVALID_DATA")
    assert refusal(wire.get("Leads", fields="id", per_page="many")) == (400, "INVALID_DATA")

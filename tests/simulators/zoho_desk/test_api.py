"""Desk: organisations, lists, searches by time, what belongs to a ticket, limits and refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.zoho_crm.rules import Rules
from simulators.zoho_desk import Desk, DeskQuirks
from simulators.zoho_suite import Suite
from tests.simulators.asking import ask

RANGE = "2026-03-01T00:00:00.000Z,2026-03-03T00:00:00.000Z"


def get(desk, path, **query):
    headers = {"orgid": desk.org_id, **query.pop("headers", {})}
    return ask(desk, f"/api/v1/{path}", headers=headers, **query)


def desk_with(tickets=0, quirks=None, rules=None):
    desk = Desk(quirks=quirks, rules=rules)
    desk.tokens.scopes = set(Suite().tokens.scopes)
    for number in range(tickets):
        desk.insert(
            "tickets", {"subject": f"T{number}", "description": "long"}, modified_time=at(desk, number)
        )
    return desk


def at(desk, seconds):
    return desk.now() - timedelta(hours=1) + timedelta(seconds=seconds)


def ids(reply):
    return [row["id"] for row in reply.body["data"]] if reply.body else []


def test_organizations_need_no_org_id_and_all_else_does():
    desk = desk_with(1)
    (organization,) = ask(desk, "/api/v1/organizations").body["data"]
    assert (organization["id"], organization["companyName"]) == (desk.org_id, "Example Company")
    reply = ask(desk, "/api/v1/tickets")
    assert (reply.status, reply.body["errorCode"]) == (422, "UNPROCESSABLE_ENTITY")
    assert get(desk, "tickets").status == 200


def test_an_org_id_of_another_organisation_is_refused():
    reply = get(desk_with(1), "tickets", headers={"orgid": "1"})
    assert (reply.status, reply.body["errorCode"]) == (403, "OAUTH_ORG_MISMATCH")


def test_without_org_id_zoho_may_take_the_only_organisation():
    assert ask(desk_with(1, DeskQuirks(missing_org_id="default")), "/api/v1/tickets").status == 200


def test_org_id_may_stand_in_the_query_where_the_quirk_says_so():
    desk = desk_with(1)
    assert ask(desk, "/api/v1/tickets", orgId=desk.org_id).status == 418
    desk.quirks.org_id_in_query = True
    assert ask(desk, "/api/v1/tickets", orgId=desk.org_id).status == 200


def test_an_empty_list_is_204_without_a_body():
    reply = get(desk_with(), "tickets")
    assert (reply.status, reply.body) == (204, None)


def test_a_list_shows_ten_rows_and_at_most_a_hundred():
    desk = desk_with(120)
    assert len(ids(get(desk, "tickets"))) == 10
    assert len(ids(get(desk, "tickets", limit=100))) == 100
    reply = get(desk, "tickets", limit=101)
    assert (reply.status, reply.body["message"]) == (
        422,
        "The value passed for the 'limit' query parameter is invalid.",
    )


@pytest.mark.parametrize(("starts_at", "second_page"), [(1, 3), (0, 2)])
def test_a_list_starts_at_one_or_at_zero(starts_at, second_page):
    desk = desk_with(5, DeskQuirks(list_starts_at=starts_at))
    first = ids(get(desk, "tickets", limit=2, sortBy="createdTime"))
    assert first == ids(get(desk, "tickets", limit=2, sortBy="createdTime", **{"from": starts_at}))
    following = ids(get(desk, "tickets", limit=2, sortBy="createdTime", **{"from": second_page}))
    assert first + following == [row["id"] for row in desk.records("tickets")][:4]
    assert first == ids(get(desk, "tickets", limit=2, sortBy="createdTime", **{"from": 0}))


def test_a_list_of_products_starts_at_zero():
    desk = desk_with()
    made = [desk.insert("products", {"productName": str(number)}) for number in range(3)]
    assert ids(get(desk, "products", **{"from": 1})) == made[1:]


def test_tickets_come_newest_first_and_can_be_sorted_by_their_creation():
    desk = desk_with(3)
    order = [row["id"] for row in desk.records("tickets")]
    assert ids(get(desk, "tickets")) == order[::-1]
    assert ids(get(desk, "tickets", sortBy="createdTime")) == order
    assert get(desk, "tickets", sortBy="modifiedTime").status == 422


def test_a_list_of_tickets_has_neither_modified_time_nor_description():
    desk = desk_with(1)
    (row,) = get(desk, "tickets").body["data"]
    assert row["createdTime"] == "2026-03-02T08:00:00.000Z"
    assert not {"modifiedTime", "description", "cf"} & set(row)
    whole = get(desk, f"tickets/{row['id']}").body
    assert (whole["description"], whole["modifiedTime"]) == ("long", "2026-03-02T08:00:00.000Z")
    assert whole == desk.records("tickets")[0]


def test_a_search_starts_at_zero_counts_and_shows_whole_rows():
    desk = desk_with(7)
    truth = desk.records("tickets")
    query = {"modifiedTimeRange": RANGE, "sortBy": "modifiedTime", "limit": 3}
    reply = get(desk, "tickets/search", **query, **{"from": 3})
    assert (reply.body["data"], reply.body["count"]) == (truth[3:6], 7)
    assert get(desk, "tickets/search", **query, **{"from": 7}).status == 204
    assert ids(get(desk, "tickets/search", **query | {"sortBy": "-modifiedTime"})) == [
        row["id"] for row in truth[:3:-1]
    ]


def test_a_search_by_time_includes_both_ends():
    desk = desk_with(5)
    reply = get(desk, "tickets/search", modifiedTimeRange="2026-03-02T08:00:01.000Z,2026-03-02T08:00:03.000Z")
    assert ids(reply) == [row["id"] for row in desk.records("tickets")][1:4]


@pytest.mark.parametrize(
    "text", ["2026-03-01T00:00:00.000Z", "2026-03-01,2026-03-02", "2026-03-01T00:00:00+00:00,2026-03-02T00:00:00Z",
             "2026-13-01T00:00:00Z,2026-13-02T00:00:00Z"]
)  # fmt: skip
def test_a_search_wants_two_times_in_utc(text):
    assert get(desk_with(1), "tickets/search", modifiedTimeRange=text).status == 422


@pytest.mark.parametrize("reach", [4_999, 999])
def test_a_search_reaches_no_further_than_its_last_row(reach):
    desk = desk_with(1, DeskQuirks(search_reach=reach))
    assert get(desk, "tickets/search", **{"from": reach}).status == 204
    assert get(desk, "tickets/search", **{"from": reach + 1}).status == 422


def test_a_search_may_lag():
    desk = desk_with(0, DeskQuirks(search_lag_seconds=60))
    id = desk.insert("tickets")
    assert get(desk, "tickets/search").status == 204
    desk.clock.advance(minutes=1)
    assert ids(get(desk, "tickets/search")) == [id]


@pytest.mark.parametrize("kind", ["contacts", "accounts", "products", "tasks"])
def test_other_rows_are_listed_and_searched_by_time(kind):
    desk = desk_with()
    id = desk.insert(kind)
    assert ids(get(desk, kind)) == [id]
    assert get(desk, f"{kind}/search", modifiedTimeRange=RANGE).body["data"] == desk.records(kind)


@pytest.mark.parametrize("kind", ["agents", "departments"])
def test_agents_and_departments_come_up_to_200_at_a_time(kind):
    desk = desk_with()
    made = [desk.insert(kind) for _ in range(201)]
    assert ids(get(desk, kind, limit=200)) == made[:200]
    assert get(desk, kind, limit=201).status == 422


def test_comments_and_threads_belong_to_a_ticket_and_change_it():
    desk = desk_with(2)
    first, second = (row["id"] for row in desk.records("tickets"))
    comment = desk.add_comment(first, "Seen\nit 🚨", isPublic=True)
    thread = desk.add_thread(first, channel="EMAIL", content="<p>whole</p>")
    (row,) = get(desk, f"tickets/{first}/comments").body["data"]
    assert (row["id"], row["content"], row["commentedTime"]) == (
        comment,
        "Seen\nit 🚨",
        "2026-03-02T09:00:00.000Z",
    )
    (row,) = get(desk, f"tickets/{first}/threads", limit=200).body["data"]
    assert row["id"] == thread and "content" not in row
    assert get(desk, f"tickets/{second}/comments").status == 204
    held = desk.records("tickets")[0]
    assert (held["commentCount"], held["threadCount"], held["modifiedTime"]) == (
        "1",
        "1",
        "2026-03-02T09:00:00.000Z",
    )
    desk.delete("tickets", first)
    assert get(desk, f"tickets/{first}/comments").status == 404
    assert desk.records("comments") == desk.records("threads") == []


def test_an_unknown_id_is_404():
    reply = get(desk_with(), "tickets/1")
    assert (reply.status, reply.body["errorCode"]) == (404, "URL_NOT_FOUND")


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("organizations", "Desk.basic.READ"), ("tickets", "Desk.tickets.READ"), ("contacts", "Desk.contacts.READ"),
        ("accounts", "Desk.contacts.READ"), ("agents", "Desk.basic.READ"), ("departments", "Desk.basic.READ"),
        ("products", "Desk.products.READ"), ("tasks", "Desk.tasks.READ"),
    ],
)  # fmt: skip
def test_each_call_needs_its_scope(path, scope):
    desk = desk_with()
    assert get(desk, path, scopes={scope}).status in (200, 204)
    reply = get(desk, path, scopes={"Desk.events.READ", "ZohoCRM.modules.ALL"})
    assert (reply.status, reply.body["errorCode"]) == (403, "SCOPE_MISMATCH")


def test_a_search_needs_the_scope_of_searches_too():
    desk = desk_with(1)
    assert get(desk, "tickets/search", scopes={"Desk.tickets.READ"}).status == 403
    assert get(desk, "tickets/search", scopes={"Desk.tickets.READ", "Desk.search.READ"}).status == 200


def test_without_a_token_and_with_a_wrong_one():
    desk = desk_with()
    reply = get(desk, "tickets", headers={"authorization": ""})
    assert (reply.status, reply.body["errorCode"]) == (401, "UNAUTHORIZED")
    reply = get(desk, "tickets", headers={"authorization": "Zoho-oauthtoken 1000.a.b"})
    assert reply.status == 401
    assert reply.body == {"errorCode": "INVALID_OAUTH", "message": "The OAuth Token you provided is invalid."}


def test_credits_of_a_list_grow_with_its_first_row():
    desk = desk_with(1)
    firsts = (0, 2_000, 2_001, 10_001, 50_001, 100_001)
    weights = [
        get(desk, "tickets", **{"from": first}).headers["X-Rate-Limit-Request-Weight-v3"] for first in firsts
    ]
    assert weights == ["3", "3", "5", "10", "50", "100"]
    assert desk.ledger.calls(service="desk")[0].credits == 3


def test_the_days_credits_end_with_429_and_come_back_at_midnight():
    desk = desk_with(1, rules=Rules(daily_credits=6))
    assert get(desk, "tickets").headers["X-Rate-Limit-Remaining-v3"] == "3"
    assert get(desk, "tickets").status == 200
    reply = get(desk, "tickets")
    assert (reply.status, reply.body["errorCode"], reply.headers["Retry-After"]) == (
        429,
        "THRESHOLD_EXCEEDED",
        "54000",
    )
    desk.clock.advance(54_000)
    assert get(desk, "tickets").status == 200


def test_too_many_calls_at_one_time_are_refused_without_retry_after():
    desk = desk_with(1, rules=Rules(concurrency=0))
    reply = get(desk, "tickets")
    assert (reply.status, reply.body["errorCode"]) == (429, "TOO_MANY_REQUESTS")
    assert "Retry-After" not in reply.headers


def test_what_is_not_modelled_is_418():
    assert get(desk_with(1), "tickets", viewId=1).status == 418
    assert get(desk_with(1), "events").status == 418


def test_an_account_without_desk():
    desk = desk_with(1)
    desk.enabled = False
    reply = get(desk, "tickets")
    assert (reply.status, reply.body["errorCode"]) == (403, "FORBIDDEN")

"""The provider's API: pages by link or by cursor, tasks of a project, limits and refusals."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from simulators.oauth_provider import Provider, ProviderQuirks, demo_provider
from simulators.oauth_provider.provider import ProviderRules
from tests.simulators.asking import ask


def provider_with(projects=0, rules=None, **quirks):
    provider = Provider(rules, ProviderQuirks(**quirks))
    for number in range(projects):
        at = provider.now() - timedelta(hours=1) + timedelta(seconds=number)
        provider.insert("projects", {"name": f"P{number}"}, modified_time=at)
    return provider


def test_pages_are_linked():
    provider = provider_with(5)
    found, path, query = [], "/v1/projects", {"per_page": "2"}
    while path:
        reply = ask(provider, path, **query)
        found += reply.body
        link = reply.headers.get("Link", "").partition(">")[0].lstrip("<")
        path, query = urlsplit(link).path, dict(parse_qsl(urlsplit(link).query))
    assert found == provider.records("projects")
    assert ask(provider, "/v1/projects", cursor="x").status == 400


def test_pages_may_have_a_cursor():
    provider = provider_with(5, paging="cursor")
    found, cursor = [], {}
    while cursor is not None:
        body = ask(provider, "/v1/projects", limit=2, **cursor).body
        found += body["items"]
        cursor = {"cursor": body["next_cursor"]} if body["next_cursor"] else None
    assert found == provider.records("projects")
    for cursor in ("x", "YWZ0ZXIgeA=="):
        assert ask(provider, "/v1/projects", cursor=cursor).status == 400


def test_tasks_belong_to_a_project():
    provider = provider_with(2)
    first, second = (row["id"] for row in provider.records("projects"))
    task = provider.insert("tasks", {"title": "Climb"}, parent=first)
    (row,) = ask(provider, f"/v1/projects/{first}/tasks").body
    assert (row["id"], row["project_id"], row["title"]) == (task, first, "Climb")
    assert ask(provider, f"/v1/projects/{second}/tasks").body == []
    assert ask(provider, f"/v1/projects/{first}").body == provider.records("projects")[0]
    reply = ask(provider, "/v1/projects/1/tasks")
    assert (reply.status, reply.body["error"]["type"]) == (404, "not_found")


def test_rows_that_changed_since_a_time():
    provider = provider_with(3)
    reply = ask(provider, "/v1/projects", updated_since="2026-03-02T08:00:01Z")
    assert [row["name"] for row in reply.body] == ["P1", "P2"]
    assert ask(provider, "/v1/projects", updated_since="yesterday").status == 400


def test_a_page_has_a_largest_size():
    assert ask(provider_with(1), "/v1/projects", per_page=51).status == 400
    assert ask(provider_with(1), "/v1/projects", per_page=0).status == 400


@pytest.mark.parametrize(
    ("quirks", "header"),
    [
        ({}, "30"),
        ({"retry_after": None}, None),
        ({"retry_after_as_date": True}, "Mon, 02 Mar 2026 09:00:30 GMT"),
    ],
)
def test_too_many_calls_a_minute(quirks, header):
    provider = provider_with(1, ProviderRules(calls_per_minute=1), **quirks)
    assert ask(provider, "/v1/projects").status == 200
    reply = ask(provider, "/v1/projects")
    assert (reply.status, reply.body["error"]["type"]) == (429, "rate_limited")
    assert reply.headers.get("Retry-After") == header
    provider.clock.advance(minutes=1)
    assert ask(provider, "/v1/projects").status == 200


def test_only_a_bearer_token_with_the_scope_is_accepted():
    provider = provider_with(1)
    access = provider.tokens.renew(provider.tokens.refresh_token)
    for header, status in (
        (f"Zoho-oauthtoken {access}", 401),
        ("Bearer wrong", 401),
        (f"Bearer {access}", 200),
    ):
        assert ask(provider, "/v1/projects", headers={"authorization": header}).status == status
    reply = ask(provider, "/v1/projects", scopes={"tasks:read"})
    assert (reply.status, reply.body["error"]["type"]) == (403, "insufficient_scope")


def test_the_demo_has_projects_with_no_task_and_with_several_pages():
    provider = demo_provider()
    counts = [len(provider.records("tasks", row["id"])) for row in provider.records("projects")]
    assert min(counts) == 0 and max(counts) == 120 and len(counts) == 130
    assert provider.records("projects") == demo_provider().records("projects")


def test_what_is_not_modelled_is_418():
    assert ask(provider_with(), "/v1/people").status == 418
    assert ask(provider_with(), "/v1/projects", q="x").status == 418

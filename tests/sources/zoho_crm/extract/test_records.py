"""The Records API reads a module whole: past every limit, and while people work in it."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from tests.support.reading import COQL, LIST, QUERY, RECORDS, after_call, read, rows_of, things
from tests.support.truth import landed, truth


def low_reach(load_from, reach=600, **quirks):
    return load_from(Org(rules=Rules(token_reach=reach), quirks=Quirks(**quirks)))


def orders(org):
    """The orders of the walks, in the order in which they began."""
    calls = [c for c in org.ledger.calls(LIST) if "page_token" not in c.query]
    return [(c.query["sort_by"], c.query["sort_order"]) for c in calls]


UP, DOWN, TIME = ("id", "asc"), ("id", "desc"), ("Modified_Time", "asc")


def test_more_rows_than_page_numbers_reach(load, org):
    things(org, 2_001)
    assert load("ReadAPI=REST", only=["Things"]).exit_code == 0
    assert landed(load, "things") == truth(org, "Things")
    assert [c.query.get("page") for c in org.ledger.calls(LIST)] == [None] * 11


@pytest.mark.parametrize("rows", [0, 1, 199, 200, 201, 400])
def test_page_edges(load, org, rows):
    things(org, rows)
    reading = read(load)
    assert rows_of(reading) == truth(org, "Things")
    assert (
        len(reading.parquet_file.schema) == len(reading.columns) + 1
    )  # and deleted_at: an empty module has its columns too


def test_past_the_reach_of_tokens_a_second_walk_comes_from_the_other_end(load_from):
    load = low_reach(load_from)
    things(load.org, 1_150)
    assert rows_of(read(load)) == truth(load.org, "Things")
    assert orders(load.org) == [UP, DOWN]


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("per_second", [1, 7, 250])
def test_past_twice_the_reach_the_rest_comes_by_time(load_from, inclusive, per_second):
    load = low_reach(load_from, if_modified_since_inclusive=inclusive)
    things(load.org, 2_100, per_second=per_second)
    assert rows_of(read(load)) == truth(load.org, "Things")
    assert orders(load.org)[:3] == [UP, DOWN, TIME]


def test_more_records_of_one_second_than_the_reach_are_one_sentence(load_from):
    load = low_reach(load_from)
    things(load.org, 2_000, per_second=2_000)
    reading = read(load)
    assert reading.status == "failed"
    assert reading.error == (
        "the Records API cannot list all records of one second (2026-01-01T00:00:00+00:00): use Bulk Read"
    )


def test_past_twice_the_reach_without_modified_time_is_one_sentence(load_from):
    load = low_reach(load_from)
    things(load.org, 1_300, system_fields=("id",))
    reading = read(load)
    assert reading.status == "failed"
    assert "without Modified_Time: use Bulk Read" in reading.error


# ---- while people work


@pytest.mark.parametrize("rows", [1_000, 1_150, 2_100])  # up; up and down; by time as well
@pytest.mark.parametrize("shown", ["recycle", None], ids=["in the feed", "no trace"])
@pytest.mark.parametrize("counted", [True, False])
def test_deletions_lose_no_other_record(load_from, rows, shown, counted):
    """The rows of subforms leave no trace in the deleted feed; a count needs a scope of its own."""
    load = low_reach(load_from, reach=1_000 if rows == 1_000 else 600, merged_shown_as=shown)
    org = load.org
    org.scopes -= set() if counted else {"ZohoSearch.securesearch.READ"}
    ids = things(org, rows)
    gone = iter([*ids[10:60:10], *ids[-60:-10:10]])

    def remove():
        for _ in range(2):
            org._remove("Things", next(gone), shown or "permanent", shown=shown is not None)

    after_call(org, LIST, 2, remove, times=3)
    if shown is None:
        org.modules["Things"].generated_type = "subform"
    found, expected = rows_of(read(load)), truth(org, "Things")
    assert expected.items() <= found.items()
    assert len(expected) == rows - 6


def test_a_merge_that_leaves_no_trace_is_noticed_by_the_count(load_from):
    load = low_reach(load_from, reach=100_000, merged_shown_as=None)
    ids = things(load.org, 900)
    after_call(load.org, LIST, 2, lambda: load.org.merge("Things", ids[5], ids[6:9]))
    found, expected = rows_of(read(load)), truth(load.org, "Things")
    assert expected.keys() <= found.keys()


def test_a_feed_that_refuses_costs_a_second_walk_and_no_record(load, org):
    ids = things(org, 500)
    org.scopes -= {"ZohoSearch.securesearch.READ"}
    org.faults.add(
        "GET /crm/v8/{module}/deleted", status=400, body={"code": "NOT_SUPPORTED", "status": "error"}
    )
    after_call(org, LIST, 1, lambda: org.delete("Things", ids[3]))
    found = rows_of(read(load))
    assert truth(org, "Things").items() <= found.items()
    assert orders(org) == [UP, DOWN]


def test_without_deletions_there_is_one_walk(load, org):
    things(org, 500)
    read(load)
    assert orders(org) == [UP]


def test_inserts_and_edits_in_the_middle_lose_nothing(load, org):
    ids = things(org, 700)

    def work():
        org.clock.advance(seconds=5)
        org.insert("Things", {"F0": "new"})
        for id in (ids[0], ids[350], ids[650]):
            org.edit("Things", id, F0="edited")

    after_call(org, LIST, 2, work)
    found, expected = rows_of(read(load)), truth(org, "Things")
    assert found.keys() == expected.keys()
    stale = {id for id in expected if found[id] != expected[id]}
    assert stale == {ids[0], ids[350]}  # read before their edit: the next run brings them


def test_edits_in_the_walk_by_time_lose_nothing(load_from):
    load = low_reach(load_from)
    org = load.org
    ids = things(org, 2_100, per_second=450)
    middle = iter(ids[700:1_400:40])

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", next(middle), F0="edited")

    after_call(org, LIST, 7, work, times=12)
    assert rows_of(read(load)).keys() == truth(org, "Things").keys()


# ---- whole runs


def test_notes_need_an_administrator(load, org):
    org.add_module(Module("Notes", [Field("Note_Title", "text")]))
    org.insert("Notes", {"Note_Title": "secret"})
    org.user["profile"] = {"name": "Standard", "id": org.account.profiles[1]["id"]}
    assert load(never=["users", "org", "roles", "profiles", "currencies", "territories"]).exit_code == 0
    reading = load.reading("Notes")
    assert (reading.status, reading.api) == ("skipped", "records")
    assert reading.error.startswith("403 NOT_SUPPORTED GET /crm/v8/Notes")
    assert reading.error.endswith("the request is not supported for this user")
    assert load.rows("select status, error from sync_runs where module = 'Notes'") == [
        ("skipped", reading.error)
    ]


# ---- answers that make no sense

LAST = {"more_records": False}


def test_a_permission_lost_in_the_middle_is_a_failure_and_no_skip(load, org):
    things(org, 500)
    after_call(org, LIST, 2, lambda: setattr(org.modules["Things"], "no_permission", True))
    reading = read(load)
    assert (reading.status, reading.parquet_file) == ("failed", None)
    assert "403 NO_PERMISSION" in reading.error


@pytest.mark.parametrize("token", [None, "the same"])
def test_a_walk_that_cannot_go_on_is_one_sentence(load, org, token):
    things(org, 1)
    page = {"data": [{"id": "1"}], "info": {"more_records": True, "next_page_token": token}}
    org.faults.add(LIST, status=200, body=page, times=5)
    reading = read(load)
    assert reading.status == "failed"
    assert "token" in reading.error


def test_a_page_in_an_unforeseen_form_is_one_sentence(load, org):
    things(org, 1)
    org.faults.add(LIST, status=200, body={"data": [{"no": "id"}], "info": {"more_records": False}})
    assert "in an unknown form" in read(load).error


def test_a_lonely_record_that_looks_like_an_error_is_a_record(load, org):
    things(org, 0, extra=[Field("status", "text"), Field("code", "text")])
    org.insert("Things", {"status": "error", "code": "E42"})
    assert rows_of(read(load)) == truth(org, "Things")


@pytest.mark.parametrize(
    "body", [{}, [], {"info": LAST}, {"data": None, "info": LAST}, {"data": [{"id": "1"}]}]
)
@pytest.mark.parametrize("settings", [RECORDS, COQL])
def test_an_answer_that_lacks_its_rows_or_its_end_is_no_empty_module(load, org, settings, body):
    things(org, 1)
    for route in (LIST, QUERY):
        org.faults.add(route, status=200, body=body, times=9)
    reading = read(load, settings=settings)
    assert (reading.status, reading.parquet_file) == ("failed", None)

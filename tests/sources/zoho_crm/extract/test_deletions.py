"""What was deleted comes whole, or the feed says why it may not be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from simulators.zoho_crm import Module, Org, Quirks, Rules
from sources.zoho_crm.exceptions import CredentialsError, Retriable, ZohoConnectionError
from sources.zoho_crm.extract.deletions import WALKS, Deletion, read_deletions
from tests.support.reading import after_call, things

FEED = "GET /crm/v8/{module}/deleted"
ME = {"id": "5", "name": "Me"}


def at(load_from, reach=2_000, **quirks):
    """Of two thousand by default; a low reach makes the eleventh page a near one."""
    return load_from(Org(rules=Rules(discrete_reach=reach), quirks=Quirks(**quirks)))


def delete(org, count, *, permanent=0):
    """The ids that are deleted, one a second; the last ones for good."""
    ids = things(org, count)
    for n, id in enumerate(ids):
        org.clock.advance(seconds=1)
        org.delete("Things", id, permanent=n >= count - permanent)
    return ids


def feed(load, since=None):
    client = load.client()
    client.get("settings/modules")  # from then on it knows Zoho's time
    return read_deletions(client, "Things", since or datetime(2026, 3, 1, tzinfo=timezone.utc))


def ids_in(found):
    return [deletion.id for deletion in found.deletions]


def calls(org):
    return [(c.query["type"], int(c.query["page"])) for c in org.ledger.calls(FEED)]


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("news", [True, False])
def test_an_idle_module_is_one_call_of_two_credits(load_from, status, news):
    load = at(load_from, deleted_nothing_new_status=status)
    ids = delete(load.org, 3)
    now = load.org.now()
    found = feed(load, now if news else now + timedelta(minutes=1))
    assert (ids_in(found), found.gap) == (ids[-1:] if news else [], None)
    assert [(c.credits, c.status) for c in load.org.ledger.calls(FEED)] == [(2, 200 if news else status)]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_the_second_that_it_is_asked_for_is_in_it(load_from, inclusive, zone):
    load = at(load_from, if_modified_since_inclusive=inclusive)
    load.org.time_zone = zone
    ids = delete(load.org, 9)
    since = load.org.now() - timedelta(seconds=4)
    found = feed(load, since.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert ids_in(found) == ids[4 - inclusive :]
    assert found.deletions[-5].deleted_time == since


def test_a_deletion_tells_who_and_when(load, org):
    org.add_module(Module("Leads", []))
    binned = org.insert("Leads", {"Owner": org.account.me})
    org.delete("Leads", binned)
    org.clock.advance(hours=1)
    gone = org.insert("Leads", {})
    org.delete("Leads", gone, permanent=True)
    first, second = read_deletions(load.client(), "Leads", org.now() - timedelta(hours=2)).deletions
    assert (first.id, first.type, first.deleted_by) == (binned, "recycle", org.account.me["id"])
    assert second == Deletion(gone, None, "permanent", org.now(), None)
    assert second.deleted_time - first.deleted_time == timedelta(hours=1)


# ---- more than a page


@pytest.mark.parametrize("rows", [200, 201, 2_500])
def test_every_page_is_followed(load, org, rows):
    ids = delete(org, rows, permanent=7)
    found = feed(load)
    assert (ids_in(found), found.gap) == (ids, None)
    assert len(calls(org)) == (1 if rows == 200 else 2 * -(-rows // 200))  # more than one are looked at twice


def test_where_the_eleventh_page_is_refused_the_two_kinds_come_one_by_one(load_from):
    load = at(load_from, reach=600, deleted_page_11=False)
    ids = delete(load.org, 1_000, permanent=450)
    found = feed(load)
    assert (ids_in(found), found.gap) == (ids, None)
    kinds = [kind for kind, page in calls(load.org) if page == 1]
    assert kinds == ["all", "recycle", "recycle", "permanent", "permanent"]


@pytest.mark.parametrize("permanent", [0, 50, 700])
def test_what_no_page_reaches_is_a_gap(load_from, permanent):
    load = at(load_from, reach=600, deleted_page_11=False)
    ids = delete(load.org, 1_400, permanent=permanent)
    found = feed(load)
    assert set(ids_in(found)) < set(ids)
    assert len(found.deletions) >= 600
    assert found.gap.startswith("its list of deletions goes on past its last page, 3: ")
    assert "400 DISCRETE_PAGINATION_LIMIT_EXCEEDED GET /crm/v8/Things/deleted" in found.gap


def test_a_restore_while_paging_hides_no_other_deletion(load, org):
    ids = delete(org, 500)
    after_call(org, FEED, 1, lambda: org.restore("Things", ids[-1]))  # the newest, on the page that was read
    found = feed(load)
    assert (ids_in(found), found.gap) == (ids, None)


def test_deletions_while_paging_are_no_reason_to_begin_again(load, org):
    delete(org, 300)
    more = things_more(org, 40)

    def work():
        org.clock.advance(seconds=1)
        org.delete("Things", more.pop())

    after_call(org, FEED, 1, work, times=30)
    found = feed(load)
    assert (len(found.deletions) >= 300, found.gap, len(calls(org))) == (True, None, 4)


def test_a_feed_that_never_stands_still_is_a_gap(load, org):
    ids = delete(org, 900)
    newest = iter(ids[::-1])
    after_call(org, FEED, 1, lambda: org.restore("Things", next(newest)), times=99)
    found = feed(load)
    assert set(ids) >= set(ids_in(found))
    if found.gap:
        assert found.gap == f"its list of deletions changed each of the {WALKS} times it was read"
    else:
        assert {d.record.id for d in org.deletions["Things"]} <= set(ids_in(found))


def things_more(org, count):
    return [org.insert("Things", {"F0": str(n)}) for n in range(count)]


# ---- what may be odd


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "NOT_SUPPORTED"), (400, "INVALID_MODULE"), (403, "NO_PERMISSION"), (404, "INVALID_URL_PATTERN")],
)
def test_a_module_without_a_feed_has_a_gap_in_zohos_words(load, org, status, code):
    things(org, 1)
    org.faults.add(FEED, status=status, body={"code": code, "status": "error", "message": "not here"})
    found = feed(load)
    assert found.deletions == ()
    words = f"its list of deletions could not be read: {status} {code} GET /crm/v8/Things/deleted"
    assert found.gap.startswith(words)
    assert len(calls(org)) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 500, "body": {"code": "INTERNAL_ERROR", "status": "error"}}, Retriable),
        ({"status": 401, "body": {"code": "AUTHENTICATION_FAILURE", "status": "error"}}, CredentialsError),
        ({"reset": True}, ZohoConnectionError),
    ],
)
@pytest.mark.parametrize("nth", [1, 2])
def test_what_passes_or_needs_a_person_is_raised(load, org, fault, error, nth):
    delete(org, 300)
    org.faults.add(FEED, nth=nth, times=99, **fault)
    with pytest.raises(error):
        feed(load)


ROW = {
    "id": "1",
    "display_name": "a",
    "type": "recycle",
    "deleted_time": "2026-03-02T10:00:00+05:30",
    "deleted_by": ME,
}
AT = datetime(2026, 3, 2, 4, 30, tzinfo=timezone.utc)


def served(load, org, *rows, **info):
    things(org, 0)
    info = {"more_records": False, **info}
    org.faults.add(FEED, status=200, body={"data": list(rows), "info": info})
    return feed(load)


@pytest.mark.parametrize(
    "time", ["2026-03-02T10:00:00+05:30", "2026-03-02T04:30:00Z", "2026-03-01T20:30:00-08:00"]
)
def test_times_are_instants(load, org, time):
    found = served(load, org, {**ROW, "deleted_time": time})
    assert found.deletions == (Deletion("1", "a", "recycle", AT, "5"),)


@pytest.mark.parametrize("time", [None, "", "yesterday", "2026-03-02T10:00:00", 7])
def test_a_deletion_without_a_time_was_deleted_by_now(load, org, time):
    (found,) = served(load, org, {**ROW, "deleted_time": time}).deletions
    assert found.deleted_time == org.now()


@pytest.mark.parametrize("person", [None, {}, {"id": None}, "someone"])
def test_a_deletion_without_a_person(load, org, person):
    (found,) = served(load, org, {**ROW, "deleted_by": person, "display_name": None, "type": None}).deletions
    assert found == Deletion("1", None, "unknown", AT, None)


def test_a_row_without_an_id_is_a_gap_and_no_crash(load, org):
    nameless = {**ROW, "id": None}
    found = served(load, org, nameless, nameless, ROW)
    assert ids_in(found) == ["1"]
    assert found.gap == "its list of deletions has a row without an id"


def test_a_page_that_does_not_say_whether_it_is_the_last(load, org):
    found = served(load, org, ROW, more_records=None)
    assert (ids_in(found), found.gap) == (["1"], None)


def test_one_page_again_and_again_ends_in_a_gap(load, org):
    things(org, 0)
    body = {"data": [ROW], "info": {"more_records": True}}
    org.faults.add(FEED, status=200, body=body, times=999)
    found = feed(load)
    assert (ids_in(found), found.gap) == (
        ["1"],
        "its list of deletions goes on past its last page, 1: Zoho says so, and brings nothing new",
    )


def test_an_answer_without_a_list_is_a_gap(load, org):
    things(org, 0)
    org.faults.add(FEED, status=200, body={"deleted": []})
    assert feed(load).gap == "its list of deletions could not be read: Zoho's answer has no list of data"

"""What changed since a time comes whole by every API: past every limit, and while people work in the CRM."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules, serve
from sources.zoho_crm import limits
from sources.zoho_crm.extract.notes import ExtractNotes
from sources.zoho_crm.extract.probe import plan_changes
from sources.zoho_crm.models import Window
from sources.zoho_crm.service import CRM, SERVICES
from tests.conftest import Loader
from tests.support.reading import DAY, LIST, QUERY, after_call, queries, things
from tests.support.truth import truth
from tests.support.windowing import SECOND, by_every_api, changed, planned, since_then, window

FEED = "GET /crm/v8/{module}/deleted"
HOUR = timedelta(hours=1)


def at(load_from, *, reach=100_000, **quirks):
    return load_from(Org(rules=Rules(token_reach=reach), quirks=Quirks(**quirks)))


def small_pages(patch):
    """The reader's part of pages of ten; the account's is in `small_rules`."""
    for name, value in {"RECORDS_PER_PAGE": 10, "IDS_PER_CALL": 10}.items():
        patch.setattr(limits, name, value)
    patch.setitem(SERVICES, "CRM", replace(CRM, coql_pages=(10,)))


def small_rules(reach):
    return Rules(per_page=10, ids_per_list=10, coql_limit=10, discrete_reach=100, token_reach=reach)


@pytest.fixture
def small(load_from, monkeypatch):
    """An account whose pages have ten rows."""

    def loader(reach=100_000, **quirks):
        small_pages(monkeypatch)
        return load_from(Org(rules=small_rules(reach), quirks=Quirks(**quirks)))

    return loader


def walks(org):
    """How each walk was ordered, in the order in which they began; the first one may be half of one."""
    calls = [c for c in org.ledger.calls(LIST) if "page_token" not in c.query and "ids" not in c.query]
    return [(c.query.get("sort_by"), c.query.get("sort_order")) for c in calls]


ZOHOS, UP, DOWN, TIME = (None, None), ("id", "asc"), ("id", "desc"), ("Modified_Time", "asc")


# ---- the edges of a window


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_every_api_has_the_second_that_a_window_begins_with(load_from, inclusive, flat):
    load = at(load_from, if_modified_since_inclusive=inclusive, coql_flat_triples=flat)
    things(load.org, 900, per_second=30)
    since = DAY + 10 * SECOND
    client, plan = window(load, since)
    expected = since_then(load.org, since)
    for api, found in by_every_api(load, client, plan).items():
        early = {id: row for id, row in found.items() if row["modified_time"] < since}
        assert {id: row for id, row in found.items() if id not in early} == expected, api
        assert len(early) == (30 if inclusive and api == "records" else 0), api


def test_the_end_of_a_window_is_the_next_ones_beginning(load, org):
    things(org, 40)
    client, plan = window(load, DAY, DAY + 30 * SECOND)
    found = by_every_api(load, client, plan)
    assert found["coql"] == found["bulk"]
    assert len(found["coql"]) == 30
    assert found["records"] == truth(org, "Things")  # lists have no end: the newer ones are kept as well


ZONES = [
    ("Asia/Kolkata", datetime(2026, 5, 1, 18, 29, 50, tzinfo=timezone.utc)),
    ("America/New_York", datetime(2026, 3, 8, 6, 59, 50, tzinfo=timezone.utc)),  # 01:59:59, then 03:00
    ("America/New_York", datetime(2026, 11, 1, 5, 59, 50, tzinfo=timezone.utc)),  # 01:59:59, then 01:00
    ("Europe/Berlin", datetime(2026, 10, 25, 0, 59, 50, tzinfo=timezone.utc)),
    ("Pacific/Chatham", datetime(2026, 4, 4, 13, 59, 50, tzinfo=timezone.utc)),
]


@pytest.mark.parametrize(("zone", "edge"), ZONES)
@pytest.mark.parametrize("offset", [0, 330, -480])
def test_times_are_instants_in_every_zone(small, zone, edge, offset):
    """The hour that summer time takes away, and the one that comes twice."""
    load = small()
    org = load.org
    org.time_zone = zone
    things(org, 0)
    for n in range(105):  # more than a page of COQL, so that its key is a time in that zone
        org.insert("Things", {"F0": str(n)}, modified_time=edge + timedelta(seconds=n // 5))
    since = (edge + 5 * SECOND).astimezone(timezone(timedelta(minutes=offset)))
    client, plan = window(load, since)
    expected = since_then(org, since)
    assert len(expected) == 80
    for api, found in by_every_api(load, client, plan).items():
        assert found == expected, api


@pytest.mark.parametrize("per_second", [1, 9, 10, 11, 25, 50])
def test_ties_on_one_second_across_the_edges_of_pages(small, per_second):
    load = small(coql_flat_triples=False)
    things(load.org, 45, per_second=per_second)
    client, plan = window(load, DAY)
    expected = truth(load.org, "Things")
    assert changed(load, client, plan) == expected
    assert changed(load, client, replace(plan, api="coql")) == expected


def test_a_row_that_appears_late_is_in_the_overlap(load, org):
    """Zoho may show a record only after its time: the caller's window begins that much earlier."""
    things(org, 300)
    client, plan = window(load, DAY + 299 * SECOND)
    assert len(changed(load, client, plan)) == 1
    late = org.insert("Things", {"F0": "late"}, modified_time=DAY + 100 * SECOND)
    client, plan = window(load, DAY + 100 * SECOND)
    assert all(late in found for found in by_every_api(load, client, plan).values())


@pytest.mark.parametrize("hides", [True, False])
def test_converted_and_unapproved_records_are_changes_too(load_from, hides):
    converted = {"coql_hides_converted": hides, "bulk_hides_converted": hides}
    waiting = {"coql_hides_unapproved": hides, "bulk_hides_unapproved": hides}
    load = at(load_from, **converted, **waiting, list_approved="honoured" if hides else "ignored")
    org = load.org
    org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    _, converted = (org.insert("Leads", {"Last_Name": name}, modified_time=DAY) for name in "ab")
    org.convert(converted)
    waits = org.insert("Leads", {"Last_Name": "c"}, approved=False)
    client, plan = window(load, DAY + HOUR, module="Leads")
    assert all(found.keys() == {converted, waits} for found in by_every_api(load, client, plan).values())


# ---- past every limit


def test_wide_modules_come_in_chunks(load_from):
    load = at(load_from, coql_columns=50)
    things(load.org, 30, fields=120)
    since = DAY + 10 * SECOND
    client, plan = window(load, since)
    for api, found in by_every_api(load, client, plan).items():
        assert found == since_then(load.org, since), api


def test_more_fields_than_coql_takes(load, org):
    things(org, 30, fields=520)
    client, plan = window(load, DAY + 10 * SECOND)
    notes = ExtractNotes()
    found = changed(load, client, replace(plan, api="coql"), notes)
    assert (found, notes.lines()) == (since_then(org, DAY + 10 * SECOND), [])


def test_what_coql_and_bulk_read_lack_comes_beside(load, org):
    things(org, 0, extra=[Field("Files", "fileupload")])
    for n in range(250):
        values = {"F0": str(n), "Files": [{"id": str(n), "File_Name__s": "a.pdf"}]}
        org.insert("Things", values, modified_time=DAY + n * SECOND)
    client, plan = planned(load, DAY + 20 * SECOND, "records")
    expected = since_then(org, DAY + 20 * SECOND)
    assert plan.first is not None  # it has fields that the slices lack, and the other way round
    for api, found in by_every_api(load, client, plan).items():
        assert found == expected, api


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("per_second", [1, 3, 12])
@pytest.mark.parametrize(("rows", "way"), [(28, [ZOHOS]), (56, [ZOHOS, UP]), (105, [ZOHOS, UP, TIME])])
def test_tokens_end_and_the_window_does_not(small, inclusive, per_second, rows, way):
    load = small(reach=40, if_modified_since_inclusive=inclusive)
    things(load.org, rows + 24, per_second=per_second)
    since = DAY + timedelta(seconds=24 // per_second)
    client, plan = planned(load, since, "records")
    found = changed(load, client, plan)
    assert since_then(load.org, since).items() <= found.items()
    assert len(found) <= len(since_then(load.org, since - SECOND))
    began = walks(load.org)
    assert (began[: len(way)], TIME in began) == (way, TIME in way)


def test_another_order_than_zoho_names_loses_nothing(small, monkeypatch):
    """Where two walks are to meet, the order of both has to be known."""
    load = small(reach=40)
    org = load.org
    ids = things(org, 70)
    shuffled = Random(7).sample(ids, len(ids))
    for n, id in enumerate(shuffled):
        org.edit("Things", id, Modified_Time=DAY + n * SECOND)
    from simulators.zoho_crm.api import records

    ordered = records._ordered
    by_time = lambda org, request, module: sorted(
        ordered(org, request, module), key=lambda record: record.modified, reverse=True
    )
    monkeypatch.setattr(
        records, "_ordered", lambda *a: ordered(*a) if "sort_by" in a[1].query else by_time(*a)
    )
    client, plan = planned(load, DAY, "records")
    assert changed(load, client, plan) == truth(org, "Things")
    assert walks(org)[:2] == [ZOHOS, TIME]


def test_coql_pages_without_a_reach(small):
    load = small(coql_reach=20)
    things(load.org, 105, per_second=3)
    client, plan = window(load, DAY)
    assert changed(load, client, replace(plan, api="coql")) == truth(load.org, "Things")
    assert not [query for query in queries(load.org) if "offset" in query.lower()]


# ---- the first page


def test_a_first_page_of_other_fields_is_read_again(load, org):
    """Between planning and reading, fields may come and go."""
    things(org, 300, fields=3)
    client, plan = planned(load, DAY, "records")
    narrow = plan.drop_fields({"F1"})
    assert {id: {**row, "f1": None} for id, row in changed(load, client, narrow).items()} == {
        id: {**row, "f1": None} for id, row in truth(org, "Things").items()
    }
    page = [{name: value for name, value in row.items() if name != "F2"} for row in plan.first.records]
    stale = replace(plan, first=replace(plan.first, records=tuple(page)))
    assert changed(load, client, stale) == truth(org, "Things")


def test_a_token_that_expired_meanwhile_costs_one_more_page(load, org):
    things(org, 300)
    client, plan = planned(load, DAY, "records")
    org.clock.advance(hours=25)
    assert changed(load, client, plan) == truth(org, "Things")
    assert walks(org) == [ZOHOS, ZOHOS]


def test_the_first_page_serves_after_another_api_has_refused(load, org):
    things(org, 250, coql_supported=False)
    client, plan = planned(load, DAY, coql=True)
    assert plan.api == "coql"
    plan = plan.with_api("records", "coql refused it")
    assert changed(load, client, plan) == truth(org, "Things")
    assert len(org.ledger.calls(LIST)) == 2


# ---- while people work


@pytest.mark.parametrize("rows", [11, 25, 50])
@pytest.mark.parametrize("shown", ["recycle", None], ids=["in the feed", "no trace"])
def test_deletions_between_planning_and_reading_lose_no_other_record(small, rows, shown):
    load = small(merged_shown_as=shown)
    org = load.org
    org.scopes -= {"ZohoSearch.securesearch.READ"}  # no count that would tell
    ids = things(org, rows + 20)
    if shown is None:
        org.modules["Things"].generated_type = "subform"
    since = DAY + 20 * SECOND
    client, plan = planned(load, since, "records")
    for id in ids[-8:-3]:  # of the page that was read: later ones move up into it
        org._remove("Things", id, shown or "permanent", shown=shown is not None)
    org.clock.advance(minutes=20)
    client.get("settings/modules")  # which tells the client how late it is
    found = changed(load, client, plan)
    assert since_then(org, since).items() <= found.items()
    assert len(found.keys() - since_then(org, since).keys()) <= 5


def test_a_deletion_that_empties_the_second_page_is_noticed(load, org):
    """The whole rest moves up into the page that was read, so nothing seems to be left."""
    ids = things(org, 201)
    client, plan = window(load, DAY)
    after_call(org, LIST, 1, lambda: org.delete("Things", ids[-5]))
    found = changed(load, client, plan)
    assert truth(org, "Things").items() <= found.items()


def test_a_record_that_two_walks_miss_is_found_by_a_third(small):
    load = small()
    org = load.org
    ids = things(org, 31)
    client, plan = window(load, DAY)
    for nth, gone in ((2, ids[30]), (4, ids[0])):  # each moves the same record over the edge of a page
        after_call(org, LIST, nth, lambda gone=gone: org.delete("Things", gone))
    found = changed(load, client, plan)
    assert ids[10] in found
    assert truth(org, "Things").items() <= found.items()
    assert walks(org) == [ZOHOS, UP, ZOHOS]


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_edits_and_inserts_while_reading_lose_nothing(small, api):
    load = small()
    org = load.org
    ids = things(org, 215)
    client, plan = window(load, DAY)
    org.clock.advance(seconds=30)
    plan = replace(plan, api=api)

    def work():
        org.clock.advance(seconds=1)
        org.insert("Things", {"F0": "new"})
        for id in (ids[3], ids[125], ids[-3]):
            org.edit("Things", id, F0="edited")

    after_call(org, {"records": LIST, "coql": QUERY}.get(api, "POST /crm/bulk/v8/read"), 1, work)
    found, expected = changed(load, client, plan), truth(org, "Things")
    assert set(ids) <= found.keys()
    for id, row in found.items():
        assert row == expected[id] or row["modified_time"] < expected[id]["modified_time"]


def test_an_edit_between_two_chunks_makes_no_torn_row(load_from):
    load = at(load_from, coql_columns=50)
    org = load.org
    ids = things(org, 30, fields=100)
    client, plan = window(load, DAY)

    def work():
        org.clock.advance(seconds=1)
        org.edit("Things", ids[5], F0="new", F99="new")
        org.delete("Things", ids[6])

    after_call(org, QUERY, 3, work)  # two refusals, the first page of the first chunk
    plan = replace(plan, api="coql", window=Window(DAY, DAY + HOUR))
    assert changed(load, client, plan) == truth(org, "Things")


def test_nothing_says_that_rows_are_missing_when_the_window_is_a_page(load, org):
    things(org, 200)
    client, plan = planned(load, DAY, "records")
    changed(load, client, plan)
    assert len(org.ledger.calls(FEED)) == 0


# ---- anything


class People:
    """They work through a list: each piece says what to do, and to which record."""

    def __init__(self, org, work):
        self.org, self.todo = org, list(work)

    def work(self):
        if not self.todo:
            return
        what, number = self.todo.pop(0)
        live = [record.id for record in self.org.records("Things")]
        gone = [deletion.record.id for deletion in self.org.deletions["Things"]]
        if what == "insert":
            self.org.insert("Things", {"F0": str(number)})
        elif what == "restore" and gone:
            self.org.restore("Things", gone[number % len(gone)])
        elif what == "edit" and live:
            self.org.edit("Things", live[number % len(live)], F0=str(number))
        elif what == "delete" and live:
            self.org.delete("Things", live[number % len(live)])
        elif what == "wait":
            self.org.clock.advance(seconds=number % 3)


def run_windows(load, start, script):
    """Two windows, one while people work and one while nobody does; their rows are put into one table."""
    org, (work, every, api) = load.org, script
    people, calls = People(org, work), [0]

    def act():
        calls[0] += 1
        if calls[0] % every == 0:
            people.work()

    for route in (LIST, QUERY):
        after_call(org, route, 1, act, times=1_000)
    table: dict = {}
    until = None
    for since in (start, None):
        client, plan = window(load, since or until)
        until = client.now()
        plan = replace(plan, api=api, until=until)
        if api == "records":
            plan = plan_changes(client, plan, "records", False)
        table.update(changed(load, client, plan))
        while people.todo:
            people.work()
        for id in table.keys() - truth(org, "Things").keys():  # what the feed of deletions is for
            del table[id]
        org.clock.advance(seconds=1)
    assert table == truth(org, "Things")


WORK = st.tuples(
    st.sampled_from(["insert", "edit", "delete", "delete", "restore", "wait"]), st.integers(0, 10_000)
)


@hypothesis_settings(max_examples=25)
@given(
    work=st.lists(WORK, max_size=25),
    rows=st.sampled_from([5, 25, 45, 90]),
    per_second=st.sampled_from([1, 4, 12]),
    every=st.integers(1, 3),
    inclusive=st.booleans(),
    api=st.sampled_from(["records", "coql"]),
)
def test_one_window_and_the_next_are_the_truth(
    tmp_path_factory, work, rows, per_second, every, inclusive, api
):
    """Small pages, tokens that soon end, and people at work between any two calls."""
    quirks = Quirks(if_modified_since_inclusive=inclusive, coql_flat_triples=False)
    org = Org(rules=small_rules(reach=40), quirks=quirks)
    things(org, 0)
    start = org.now() - HOUR
    for n in range(rows):
        org.insert("Things", {"F0": str(n)}, modified_time=start + timedelta(seconds=n // per_second))
    with serve(org) as zoho, pytest.MonkeyPatch.context() as patch:
        small_pages(patch)
        load = Loader(org, zoho.connection_string.rstrip("; "), tmp_path_factory.mktemp("w"))
        run_windows(load, start, (work, every, api))

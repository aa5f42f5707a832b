"""A list that never says that it is over: the chain of pages stops, its table fails, the others are loaded."""

from __future__ import annotations

from copy import deepcopy
from itertools import count

import pytest

from simulators.zoho_crm import Field, Module, dispatch
from tests.support.reading import COQL, LIST, QUERY, RECORDS, add, things
from tests.support.syncing import tried
from tests.support.truth import landed, truth

BULK = "ReadAPI=Bulk"
CREATE, POLL = "POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{job_id}"
DELETED, USERS = "GET /crm/v8/{module}/deleted", "GET /crm/v8/users"
KEYS = {USERS: "users"}


class Endless:
    """Answers of one route that always say that there is more; its rows are the same, new ones, or none."""

    def __init__(self, monkeypatch, route, rows, module="Things"):
        self.route, self.rows, self.module, self.number = route, rows, module, count(1)
        self.called, self.body, self.first = dispatch._called, None, None
        monkeypatch.setattr(dispatch, "_called", self)

    def __call__(self, org, known, request, variables):
        if known.name == CREATE and b"again" in request.body:
            request.body = self.first
        elif known.name == CREATE and request.module == self.module:
            self.first = request.body
        if request.query.get("page_token", "").startswith("again"):
            del request.query["page_token"]
        if known.name == self.route and request.query.get("page", "1") != "1":
            request.query["page"] = "1"
        answer = self.called(org, known, request, variables)
        if known.name == self.route and request.module in (self.module, None):
            self.go_on(answer)
        return answer

    def go_on(self, answer):
        number = next(self.number)
        if answer.status == 200:
            self.body = deepcopy(answer.body)
        if self.body is None:
            return
        answer.status, answer.body = 200, deepcopy(self.body)
        if self.route == POLL:
            result = answer.body["data"][0].get("result")
            if result:
                result.update(more_records=True, next_page_token=f"again-{number}")
            return
        key = KEYS.get(self.route, "data")
        if self.rows == "none":
            answer.body[key] = []
        for place, row in enumerate(answer.body[key] if self.rows == "new" else ()):
            row["id"] = str(10**18 + 1_000 * number + place)
            if "Modified_Time" in row:
                row["Modified_Time"] = org_time(number)
        answer.body["info"].update(more_records=True)
        if self.route == LIST:
            answer.body["info"]["next_page_token"] = f"again-{number}"


def org_time(number):
    return f"2026-02-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00+00:00"


def two_tables(org):
    things(org, 450)
    org.add_module(Module("Others", [Field("Name", "text")]))
    org.insert("Others", {"Name": "one"})


CASES = [
    (LIST, RECORDS, "same", "there are more Things, and brings none that is new", 20),
    (LIST, RECORDS, "none", "there are more Things, and brings none that is new", 20),
    (LIST, RECORDS, "new", "where it counts 450", 120),
    (QUERY, COQL, "same", "COQL says that there are more records, and brings none", 20),
    (QUERY, COQL, "none", "COQL says that there are more records, and brings none", 20),
    (QUERY, COQL, "new", "where it counts 450", 120),
    (POLL, BULK, "same", "there are more pages, and the last one brought nothing new", 230),
]


@pytest.mark.parametrize(("route", "settings", "rows", "sentence", "credits"), CASES)
@pytest.mark.cases(1)
def test_a_list_without_an_end_fails_its_table_alone(
    load, org, monkeypatch, route, settings, rows, sentence, credits
):
    two_tables(org)
    Endless(monkeypatch, route, rows)
    run = tried(load, "Things", "Others", settings=settings)
    assert run.exit_code == 1
    assert sentence in load.reading("Things").error
    assert run.credits <= credits
    assert "things" not in load.pipeline.default_schema.data_table_names()
    assert landed(load, "others") == truth(org, "Others")


def test_deletions_without_an_end_are_compared_by_id(load, org, monkeypatch):
    ids = things(org, 5)
    assert tried(load).exit_code == 0
    org.clock.advance(minutes=30)
    org.delete("Things", ids[0])
    Endless(monkeypatch, DELETED, "same")
    run = tried(load)
    assert landed(load, "things") == truth(org, "Things")
    assert run.credits < 60


@pytest.mark.long
@pytest.mark.parametrize("rows", ["same", "none"])
def test_users_without_an_end_fail_their_table_alone(load, org, monkeypatch, rows):
    two_tables(org)
    Endless(monkeypatch, USERS, rows, module=None)
    run = tried(load, "users", "Others")
    assert run.exit_code == 1
    assert "there are more users" in load.reading("users").error
    assert run.credits < 20
    assert landed(load, "others") == truth(org, "Others")


def test_records_made_while_a_list_is_read_do_not_end_it(load, org, monkeypatch):
    """Each page is read again in part, as new records push the others on; far more come than Zoho counted."""
    things(org, 650)
    called = dispatch._called
    left = [2]

    def busy(org, known, request, variables):
        if known.name == LIST and left[0] and request.query.get("page_token"):
            left[0] -= 1
            add(org, 200)
        return called(org, known, request, variables)

    monkeypatch.setattr(dispatch, "_called", busy)
    assert tried(load, settings=RECORDS).exit_code == 0
    assert len(org.records("Things")) == 1_050
    assert landed(load, "things") == truth(org, "Things")

"""Each row of the table in docs/refusals.md: a call, Zoho's answer, and what a run makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm.discovery.account_tables import own_tables
from sources.zoho_crm.service import CRM
from tests.end_to_end.deletions.test_deletions import family
from tests.model.target import exit_code_of
from tests.support.syncing import agrees

pytestmark = pytest.mark.whole_account

PAGE = (Path(__file__).parents[3] / "docs" / "refusals.md").read_text(encoding="utf-8")
LIST, COUNT, FEED = (
    "GET /crm/v8/{module}",
    "GET /crm/v8/{module}/actions/count",
    "GET /crm/v8/{module}/deleted",
)
FIELDS, MODULES, LAYOUTS = (f"GET /crm/v8/settings/{name}" for name in ("fields", "modules", "layouts"))
USERS, TAGS = "GET /crm/v8/users", "GET /crm/v8/settings/tags"
JOBS = "POST /crm/bulk/v8/read"
COQL, TEXTS = "POST /crm/v8/coql", "GET /crm/v8/{module}/{id}/actions/fetch_full_data"
EMPTY = {"status": 204}


def error(status: int, code: str, **more: Any) -> dict[str, Any]:
    body = {"code": code, "status": "error", "message": "no", "details": more.pop("details", {})}
    return {"status": status, "body": body, **more}


REFUSED, NO_MODULE = error(403, "NO_PERMISSION"), error(400, "INVALID_MODULE")


@dataclass(frozen=True)
class Case:
    """`before`: a good run came first. `says` stands in the report of that table."""

    call: str
    answer: str
    route: str
    fault: dict[str, Any]
    table: str
    status: str  # of the table: read, skipped or failed
    code: int
    before: bool = False
    says: str = ""
    more: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    also: Callable[[Any], None] | None = None  # what else happens before the answer
    then: Callable[[Any], None] | None = None  # what else has to hold

    @property
    def key(self) -> tuple[str, str]:
        return self.call, self.answer


def case(row: str, *args: Any, **more: Any) -> Any:
    call, answer = (part.strip() for part in row.split("|"))
    return pytest.param(Case(call, answer, *args, **more), id=row.replace(" | ", ": "))


def small() -> Org:
    """Things, and Deals with a layout, pipelines and a tag."""
    org = Org()
    org.add_module(
        Module("Things", [Field("Title", "text"), Field("Text", "textarea", textarea="rich_text")])
    )
    org.add_module(Module("Deals", [Field("Title", "text")]))
    org.tag("Deals", "hot")
    org.account.add_pipeline(org.modules["Deals"].layouts[0]["id"], "Standard", ["Won"])
    org.account.add_territory("North")
    org.account.add_user("Old", "User", status="deleted")
    for title in ("a", "b"):
        org.insert("Things", {"Title": title})
        org.insert("Deals", {"Title": title})
    org.clock.advance(hours=1)
    return org


def read_again(load: Any) -> None:
    """All rows of the table stand for what the CRM has."""
    agrees(load)


def delete_one(load: Any) -> None:
    load.org.delete("Things", load.org.records("Things")[0].id)


def is_empty(load: Any) -> None:
    assert load.rows("select count(*) from zoho.things") == [(0,)]


def a_long_text(load: Any) -> None:
    load.org.insert("Things", {"Title": "c", "Text": "long " * 300})


def drop_rows(load: Any) -> None:
    for module in ("Things", "Deals"):
        for record in load.org.records(module):
            load.org.delete(module, record.id)


def a_day_later(load: Any) -> None:
    """Every id is compared, as no count can prove the table."""
    assert load.run.fully_refreshed == {"Things"} or not load.run.fully_refreshed
    load.org.clock.advance(hours=25)
    load(only=("Things",), never=("modules", "fields"))
    assert load.run.fully_refreshed == {"Things"}


CASES = [
    case("list of modules | `NO_PERMISSION`, `OAUTH_SCOPE_MISMATCH`", MODULES, REFUSED, "", "", 3),
    case("list of modules | nothing (204)", MODULES, EMPTY, "", "", 1),
    case("list of modules | HTML, no JSON, 5xx", MODULES, {"html": True}, "", "", 1),
    case(
        "list of modules | without a module that was read before, whose fields say `INVALID_MODULE`",
        MODULES, {}, "Things", "skipped", 0, before=True, also=lambda load: load.org.drop_module("Things"),
    ),
    case(
        "list of modules | without a module that was read before, whose fields are still listed",
        MODULES, {}, "Things", "failed", 1, before=True, says="still knows its fields",
        also=lambda load: hide(load, "Things"),
    ),
    case("fields | `NO_PERMISSION`, `INVALID_MODULE`, not read before", FIELDS, REFUSED, "Things", "skipped", 0),
    case("fields | any refusal, read before", FIELDS, NO_MODULE, "Things", "failed", 1, before=True),
    case(
        "fields | `INVALID_DATA`, `PATTERN_NOT_MATCHED`, `INVALID_URL_PATTERN`, not read before, but it has records",
        FIELDS, error(400, "INVALID_DATA"), "Things", "failed", 1, says="although it has records",
    ),
    case(
        "fields | the same, and it has no record",
        FIELDS, error(400, "INVALID_DATA"), "Things", "skipped", 0, also=drop_rows,
    ),
    case("fields | nothing (204), but it has records", FIELDS, EMPTY, "Things", "failed", 1, says="has records"),
    case("fields | 5xx, HTML", FIELDS, error(500, "INTERNAL_ERROR"), "Things", "failed", 1),
    case("records | a refusal, not read before", LIST, REFUSED, "Things", "skipped", 0),
    case(
        "records | any refusal, read before",
        LIST, REFUSED, "Things", "failed", 1, before=True, more=[(COQL, REFUSED), (JOBS, REFUSED)],
    ),
    case(
        "records | a refusal after Zoho gave a part",
        TEXTS, REFUSED, "Things", "failed", 1, says="rich text", also=a_long_text,
    ),
    case(
        "rich text in full | anything but the text, of a record that exists",
        TEXTS, error(404, "INVALID_URL_PATTERN"), "Things", "failed", 1, says="rich text", also=a_long_text,
    ),
    case(
        "deletions | any refusal of a module that has such a list",
        FEED, REFUSED, "Things", "read", 0, before=True, also=delete_one, then=read_again, says="it was read whole",
    ),
    case(
        "deletions | an answer without a list",
        FEED, {"status": 200, "body": {"odd": []}}, "Things", "read", 0, before=True, also=delete_one, then=read_again,
    ),
    case("deletions | nothing (204, 304)", FEED, EMPTY, "Things", "read", 0, before=True, then=read_again),
    case("deletions | 5xx, HTML", FEED, error(500, "INTERNAL_ERROR"), "Things", "failed", 1, before=True),
    case("count | a refusal, before a first load", COUNT, REFUSED, "Things", "read", 0, then=read_again),
    case(
        "count | a refusal, no number, 204, 5xx, after a run",
        COUNT, REFUSED, "Things", "read", 0, before=True, says="no count", also=delete_one, then=a_day_later,
    ),
    case("`users` | `NO_PERMISSION`, `OAUTH_SCOPE_MISMATCH`, not read before", USERS, REFUSED, "users", "skipped", 0),
    case("`users` | any refusal, read before", USERS, REFUSED, "users", "failed", 1, before=True),
    case("`users` | nothing (204)", USERS, EMPTY, "users", "failed", 1, says="lists no users"),
    case("`users` | HTML, no JSON, 5xx", USERS, {"html": True}, "users", "failed", 1),
    case(
        "`users`, `DeletedUsers` | a refusal, never answered before",
        USERS, {**REFUSED, "nth": 2}, "users", "read", 0, says="not offered: NO_PERMISSION for DeletedUsers",
    ),
    case(
        "`users`, `DeletedUsers` | a refusal, answered before",
        USERS, {**REFUSED, "nth": 2}, "users", "failed", 1, before=True, says="what it gave before, DeletedUsers",
    ),
    case("`org`, `roles`, `profiles` | nothing (204)", "GET /crm/v8/org", EMPTY, "org", "failed", 1),
    case("`org`, `roles`, `profiles` | any refusal, read before", "GET /crm/v8/settings/roles", REFUSED, "roles", "failed", 1, before=True),
    case("`currencies`, `territories` | `FEATURE_...`, `CURRENCIES_NOT_ENABLED`, not read before", "GET /crm/v8/org/currencies", {"nth": 99}, "currencies", "skipped", 0),
    case("`currencies`, `territories` | nothing (204)", "GET /crm/v8/settings/territories", EMPTY, "territories", "read", 0),
    case("`currencies`, `territories` | any refusal, read before", "GET /crm/v8/settings/territories", error(403, "FEATURE_NOT_SUPPORTED"), "territories", "failed", 1, before=True),
    case("`tags`, `layouts` of a module | a refusal, never answered before", TAGS, {**REFUSED, "times": 1}, "tags", "read", 0, says="not offered: NO_PERMISSION for"),
    case("`tags`, `layouts` of a module | a refusal, answered before", TAGS, {**REFUSED, "times": 1}, "tags", "failed", 1, before=True, says="what it gave before"),
    case("`tags`, `layouts` of a module | nothing (204)", TAGS, EMPTY, "tags", "read", 0),
    case("`pipelines` | Zoho lists no layouts of Deals (204)", LAYOUTS, EMPTY, "pipelines", "failed", 1),
    case("`pipelines` | a refusal, answered before", "GET /crm/v8/settings/pipeline", REFUSED, "pipelines", "failed", 1, before=True),
]  # fmt: skip


def hide(load: Any, module: str) -> None:
    """Out of the list of modules, and nowhere else."""
    listed = [m for name, m in load.org.modules.items() if name != module]
    rows = [{"api_name": m.api_name, "api_supported": True, "viewable": True} for m in listed]
    load.org.faults.add(MODULES, status=200, body={"modules": rows}, times=9)


@pytest.mark.parametrize("one", CASES)
@pytest.mark.cases(12)
def test_what_a_refusal_means(load_from, one):
    org = small()
    load = load_from(org)
    wanted = one.table or "Things"
    never = {*own_tables(CRM), "Things", "Deals"} - {wanted}
    never -= {"tags": {"Things", "Deals"}, "pipelines": {"Deals"}}.get(wanted, set())
    # Not by name: what is named and not offered fails a run.
    choice = {"never": never}
    was = None
    if one.before:
        assert load(**choice).exit_code == 0
        was = rows(load, wanted)
        org.clock.advance(hours=26)
    if one.also:
        one.also(load)
    if one.fault:
        for route, fault in ((one.route, one.fault), *one.more):
            org.faults.add(route, **{"times": 99, **fault})
    try:
        run = load(**choice)
    except Exception as error:  # noqa: BLE001 - as the command line would
        assert exit_code_of(error) == one.code
        return
    assert run.exit_code == one.code, [(r.name, r.error) for r in run.readings] + run.troubles
    told, words = outcome(run, wanted)
    assert (told, one.says in words) == (one.status, True), words
    if was is not None and one.status != "read":
        assert rows(load, wanted) == was
    if one.then:
        one.then(load)


def outcome(run: Any, table: str) -> tuple[str, str]:
    """The status of a table in a run, and all that the report says of it."""
    for reading in run.readings:
        if reading.name == table:
            return reading.status, " ".join([reading.error or "", reading.reason, *reading.notes.lines()])
    for status, skips in (("skipped", run.skips), ("failed", run.failures)):
        for skip in skips:
            if skip.module.api_name == table:
                return status, skip.reason
    return "", ""


def rows(load: Any, table: str) -> list[Any]:
    return sorted(load.rows(f"select * from zoho.{table.lower()}"), key=repr)


def test_rows_by_their_parents_are_compared_whole_where_coql_refuses(load, org):
    """The one row of the page that takes two modules."""
    deals = family(org)
    load(never=own_tables(CRM))
    org.clock.advance(hours=1)
    org.edit("Deals", deals[0], Title="edited")
    org.remove_row("Lines", org.records("Lines")[0].id)
    org.faults.add(COQL, **{**REFUSED, "times": 99})
    assert load(never=own_tables(CRM)).exit_code == 0
    assert "Lines" in load.run.fully_refreshed
    agrees(load, "Lines")


ELSEWHERE = {
    ("rows by their record's id (COQL)", "any refusal"): "the test above",
    (
        "deletions",
        "`INVALID_MODULE`, `NOT_SUPPORTED` and the like, of a module that Zoho documents without",
    ): ("tests/end_to_end/deletions/test_deletions_refused.py"),
}


def test_the_page_has_a_row_for_each_case_and_the_other_way_round():
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")][2:]
    there = {tuple(cell.strip() for cell in re.split(r" \| ", line.strip("| "))[:2]) for line in lines}
    assert there == {*(param.values[0].key for param in CASES), *ELSEWHERE}

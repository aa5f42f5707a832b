"""Every call of a run with every fault: a run ends with 0 only if its tables are right, and the next one corrects the rest.

Modules do not depend on each other, so one run tries a call with all faults at once, a module for each. Where a call
is about the whole account, each run gives every such call another fault.
"""

from __future__ import annotations

import duckdb
import pytest

from simulators.zoho_crm import Field, Module, Org, serve
from tests.conftest import LONG, wait_in_simulated_time
from tests.support.commanding import command, landed, restored_environment
from tests.support.truth import truth

__all__ = ["command", "restored_environment"]  # fixtures

DATABASE = "zoho.duckdb"


def refusal(status, code):
    return {"status": status, "body": {"code": code, "message": "no", "status": "error", "details": {}}}


FAULTS = {
    "no permission": refusal(403, "NO_PERMISSION"),
    "authorization failed": refusal(403, "AUTHORIZATION_FAILED"),
    "scope mismatch": refusal(401, "OAUTH_SCOPE_MISMATCH"),
    "invalid module": refusal(400, "INVALID_MODULE"),
    "invalid data": refusal(400, "INVALID_DATA"),
    "not supported": refusal(400, "NOT_SUPPORTED"),
    "feature off": refusal(403, "FEATURE_NOT_ENABLED"),
    "limit exceeded": refusal(400, "LIMIT_EXCEEDED"),
    "not found": refusal(404, "INVALID_URL_PATTERN"),
    "too many requests": refusal(429, "TOO_MANY_REQUESTS"),
    "internal error": refusal(500, "INTERNAL_ERROR"),
    "error in a 200": refusal(200, "NO_PERMISSION"),
    "gateway's page, 503": {"status": 503, "html": True},
    "gateway's page, 200": {"status": 200, "html": True},
    "nothing, 204": {"status": 204},
    "nothing, 200": {"empty": True},
    "empty object": {"status": 200, "body": {}},
    "null for rows": {"status": 200, "body": {"data": None, "fields": None, "count": None}},
    "rows of no objects": {"status": 200, "body": {"data": [None, 7, "x"], "fields": [None], "count": "x"}},
    "a list": {"status": 200, "body": []},
    "half the JSON": {"truncate_json": True},
    "half the body": {"cut_after": 10},
    "no answer": {"reset": True},
}
EVERY_TIME = 10**6

MODULE_CALLS = {
    "fields": ("GET /crm/v8/settings/fields", ""),
    "count": ("GET /crm/v8/{module}/actions/count", ""),
    "list": ("GET /crm/v8/{module}", "ReadAPI=REST"),
    "deletions": ("GET /crm/v8/{module}/deleted", ""),
    "COQL": ("POST /crm/v8/coql", "ReadAPI=COQL"),
    "Bulk Read job": ("POST /crm/bulk/v8/read", "ReadAPI=Bulk"),
    "Bulk Read state": ("GET /crm/bulk/v8/read/{job_id}", "ReadAPI=Bulk"),
    "Bulk Read archive": ("GET /crm/bulk/v8/read/{job_id}/result", "ReadAPI=Bulk"),
}
ACCOUNT_CALLS = {
    "users": "GET /crm/v8/users",
    "org": "GET /crm/v8/org",
    "roles": "GET /crm/v8/settings/roles",
    "profiles": "GET /crm/v8/settings/profiles",
    "currencies": "GET /crm/v8/org/currencies",
    "territories": "GET /crm/v8/settings/territories",
    "tags": "GET /crm/v8/settings/tags",
    "layouts": "GET /crm/v8/settings/layouts",
    "pipelines": "GET /crm/v8/settings/pipeline",
}
# Somebody may have removed them all; everything else always has a row.
MAY_BE_EMPTY = {(name, "nothing, 204") for name in ("currencies", "territories", "tags", "pipelines")}
RUN_CALLS = {"token": "POST /oauth/v2/token", "modules": "GET /crm/v8/settings/modules"}


# Zoho says that nothing changed, which may be true: only its count tells, and the next run compares every id.
COUNT_TELLS = {(call, "nothing, 204") for call in ("list", "deletions", "COQL")}


class Account:
    """A module for each fault, with a few records in each."""

    def __init__(self, modules):
        self.org = Org()
        self.org.rules.access_tokens_per_window = 1_000
        self.modules = modules
        for name in modules:
            fields = [Field("Title", "text"), Field("Amount", "currency"), Field("Story", "textarea")]
            self.org.add_module(Module(name, fields, generated_type="custom"))
            for number in range(12):
                story = None if number == 2 else 'several\nlines 🦊, "quoted"'
                self.org.insert(name, {"Title": f"{name} {number}", "Amount": number, "Story": story})

    def edit(self):
        """One record changes, one comes and one goes, in each module."""
        self.org.clock.advance(seconds=3600)
        for name in self.modules:
            first, second, *_ = [record.id for record in self.org.records(name)]
            self.org.edit(name, first, Title="edited")
            self.org.delete(name, second)
            self.org.insert(name, {"Title": "new"})
        self.org.clock.advance(seconds=3600)

    def expected(self, name):
        columns = ("id", "title", "amount", "story")
        return sorted(tuple(row[c] for c in columns) for row in truth(self.org, name).values())


def table(name):
    """The rows of a module's table; None where there is no table."""
    try:
        return sorted(landed(DATABASE, f"select id, title, amount, story from zoho_crm.{name.lower()}"))
    except duckdb.CatalogException:
        return None


def last_states():
    """What the latest run wrote down of each table: its status and its error."""
    latest = "select run_id from zoho_crm.sync_runs order by started_at desc limit 1"
    rows = landed(DATABASE, f"select module, status, error from zoho_crm.sync_runs where run_id = ({latest})")
    return {module: (status, error) for module, status, error in rows}


def differing(command):
    """The modules of which `status` says that the table differs from Zoho's count."""
    told = command("status", "--log-format", "json").events
    return {event["module"] for event in told if event.get("state") == "differs"}


@pytest.fixture
def crm_of(monkeypatch):
    """`crm_of(modules)` serves an account whose waits cost no time."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(modules):
            account = Account(modules)
            wait_in_simulated_time(monkeypatch, account.org)
            zoho = stack.enter_context(serve(account.org))
            account.settings = f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
            return account

        yield make


def some_faults(call):
    """All of them in the long form; in the short one a third, for each call another one."""
    return [
        f
        for number, f in enumerate(FAULTS)
        if LONG or number % 3 == [*MODULE_CALLS, *RUN_CALLS].index(call) % 3
    ]


LATER = [pytest.param(call, "later run", id=f"{call}, later run") for call in MODULE_CALLS]
FIRST = [
    pytest.param(call, "first run", id=f"{call}, first run", marks=pytest.mark.long) for call in MODULE_CALLS
]


@pytest.mark.parametrize(("call", "phase"), [*LATER, *FIRST])
@pytest.mark.cases(1)
def test_a_call_about_one_module(call, phase, crm_of, command, record_property):
    route, settings = MODULE_CALLS[call]
    modules = {f"Things_{number}": fault for number, fault in enumerate(some_faults(call))}
    crm = crm_of(modules)
    words = ["run", "--connection", crm.settings + settings, "--exclude", "layouts,tags,pipelines"]
    before = dict.fromkeys(modules)
    if phase == "later run":
        done = command(*words)
        assert done.code == 0, done.err
        before = {name: crm.expected(name) for name in modules}
        crm.edit()
    for name, fault in modules.items():
        crm.org.faults.add(route, module=name, times=EVERY_TIME, **FAULTS[fault])
    done = command(*words)
    assert "Traceback" not in done.out + done.err
    states, loss = last_states(), []
    for name, fault in modules.items():
        status, error = states[name]
        if status == "failed":
            assert name in done.err, fault
            assert error, fault
            assert table(name) in (before[name], crm.expected(name)), f"{fault}: half a table"
        elif status == "skipped":
            assert phase == "first run", f"{fault}: left out, though it was read before"
            assert error, fault
            assert table(name) is None, fault
        elif table(name) != crm.expected(name):
            loss.append((call, fault))
            assert name in differing(command), fault
    assert set(loss) <= (COUNT_TELLS if phase == "later run" else set())
    failed = any(status == "failed" for status, _ in states.values())
    assert done.code in ((1, 3) if failed else (0, 3)), done.err

    for fault in crm.org.faults.unspent():
        fault.times = 0
    done = command(*words)
    assert done.code == 0, done.err
    assert [name for name in modules if table(name) != crm.expected(name)] == []
    record_property("faults_tried", len(modules))


@pytest.mark.parametrize(
    "turn", [pytest.param(t, marks=[pytest.mark.long] if t % 8 else []) for t in range(len(FAULTS))]
)
@pytest.mark.cases(1)
def test_calls_about_the_account(turn, crm_of, command, record_property):
    """Each call with another fault in each turn: the tables keep what they held, and the failed ones are named."""
    crm = crm_of(["Deals"])
    crm.org.account.add_territory("North")
    crm.org.account.add_currency("EUR", "Euro", "1.1")
    crm.org.tag("Deals", "hot")
    crm.org.account.add_pipeline(crm.org.modules["Deals"].layouts[0]["id"], "Standard", ["New", "Won"])
    words = ["run", "--connection", crm.settings, "--modules", ",".join(ACCOUNT_CALLS)]
    done = command(*words)
    assert done.code == 0, done.err
    before = {name: rows_of(name) for name in ACCOUNT_CALLS}
    assert all(before.values()), before
    given = {call: list(FAULTS)[(turn + place) % len(FAULTS)] for place, call in enumerate(ACCOUNT_CALLS)}
    for call, fault in given.items():
        crm.org.faults.add(ACCOUNT_CALLS[call], times=EVERY_TIME, **FAULTS[fault])
    done = command(*words, "--full-refresh")
    assert "Traceback" not in done.out + done.err
    states, loss = last_states(), []
    for name, fault in given.items():
        if (name, fault) in MAY_BE_EMPTY and states[name][0] == "read":
            assert rows_of(name) == 0, name
            continue
        if rows_of(name) != before[name] or states[name][0] != "failed" or name not in done.err:
            loss.append((name, fault, states[name]))
    assert loss == []
    assert done.code in (1, 3)
    record_property("faults_tried", len(given))


def rows_of(name):
    return landed(DATABASE, f"select count(*) from zoho_crm.{name}")[0][0]


@pytest.mark.parametrize("call", RUN_CALLS)
@pytest.mark.cases(1)
def test_calls_that_a_run_cannot_do_without(call, crm_of, command, record_property):
    crm = crm_of(["Deals"])
    words = ["run", "--connection", crm.settings, "--modules", "Deals"]
    assert command(*words).code == 0
    before = crm.expected("Deals")
    crm.edit()
    for fault in (FAULTS[name] for name in some_faults(call)):
        crm.org.tokens.kill_access_tokens()
        added = crm.org.faults.add(RUN_CALLS[call], times=EVERY_TIME, **fault)
        done = command(*words)
        added.times = 0
        assert done.code in (1, 2, 3), (fault, done.err)
        assert "Traceback" not in done.out + done.err
        assert table("Deals") == before
    assert command(*words).code == 0
    assert table("Deals") == crm.expected("Deals")
    record_property("faults_tried", len(some_faults(call)))

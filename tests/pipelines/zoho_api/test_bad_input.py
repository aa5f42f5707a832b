"""Whatever goes wrong is one sentence and the right exit code; the other tables go on, and the next run is right."""

from __future__ import annotations

import duckdb
import pytest

from sources.zoho_api import session
from sources.zoho_api.connector import load_connector

SEARCH = "GET /api/v1/tickets/search"


def count(table):
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        (found,) = database.sql(f"select count(*) from {table}").fetchone()
    return found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "dsk"), "there is no connector dsk: did you mean desk?"),
        (("run", "desk", "--modules", "tickts"), "--modules tickts: no table of desk; did you mean tickets?"),
        (("run", "desk", "--moduls", "tickets"), "No such option --moduls. Did you mean --modules?"),
        (("rn", "desk"), "No such command"),
        (("run", "desk", "--param", "x"), "--param x: write NAME=VALUE."),
        (("run", "desk", "--param", "x=1"), "desk.yaml has no parameter x; it has since"),
        (("call", "desk", "tickts"), "desk has no resource tickts: did you mean tickets?"),
        (
            ("call", "desk", "ticket_comments"),
            "this needs a value of a row of tickets: --param ticket_id=...",
        ),
        (("run", "nowhere.yaml"), "nowhere.yaml cannot be read: No such file or directory"),
        (("list", "bad.yaml"), "bad.yaml, line 1: unknown key titel: did you mean title?"),
    ],
)
def test_wrong_usage_is_one_line(api, suite, tmp_path, words, said):
    (tmp_path / "bad.yaml").write_text("titel: x\n")
    done = api(*words)
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "zoho.duckdb").exists()


@pytest.mark.long
def test_a_bad_file_among_several_holds_up_no_other(api, suite, tmp_path):
    (tmp_path / "bad.yaml").write_text("titel: x\n")
    done = api("run", "bad.yaml", "desk", "--param", "desk.since=2000-01-01T00:00:00.000Z")
    assert done.code == 2
    assert done.err == "Error: bad.yaml, line 1: unknown key titel: did you mean title?\n"
    assert count("zoho_desk.tickets") == 3


FAULTS = {
    "html": ({"html": True}, "an answer in HTML"),
    "half": ({"truncate_json": True}, "brought no JSON, or only a part of it arrived"),
    "reset": ({"reset": True}, "Connection"),
    "500": ({"status": 500, "body": {"errorCode": "INTERNAL_SERVER_ERROR", "message": "m"}}, "500"),
    "redirect": (
        {"status": 302, "headers": {"Location": "http://elsewhere.invalid/x"}},
        "answered with a redirect to elsewhere.invalid",
    ),
    "no key": ({"status": 200, "body": {"rows": [], "total": 0}}, "finds nothing in"),
    "day": (
        {"status": 429, "body": {"errorCode": "THRESHOLD_EXCEEDED", "message": "credits"}},
        "no API credits are left",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.cases(1)
def test_a_table_that_fails_holds_up_no_other_and_comes_with_the_next_run(api, suite, fault):
    options, said = FAULTS[fault]
    suite.crm.faults.add(SEARCH, times=999, **options)
    done = api("run", "desk", "--modules", "tickets,agents")
    assert (done.code, count("zoho_desk.agents")) == (1, 3)
    assert done.err.startswith("Error: tickets: ") and said in done.err
    assert len(done.err.splitlines()) == 1
    if fault == "no key":
        assert "the answer's keys are rows, total" in done.err
    suite.crm.faults._faults.clear()
    assert api("run", "desk", "--modules", "tickets,agents").code == 0
    assert count("zoho_desk.tickets") == 3


def test_throttles_of_a_minute_pass(api, suite):
    suite.crm.faults.add(
        "GET /books/v3/invoices", times=3, status=429, body={"code": 44, "message": "per minute"}
    )
    assert api("run", "books", "--modules", "invoices").code == 0
    assert count("zoho_books.invoices") == 3


def test_a_token_that_was_revoked_is_renewed_and_a_grant_that_is_gone_is_exit_code_3(api, suite):
    assert api("run", "desk", "--modules", "agents").code == 0
    for token in list(suite.tokens.access):
        suite.tokens.access.pop(token)
    assert api("run", "desk", "--modules", "agents").code == 0
    suite.tokens.revoke(suite.tokens.refresh_token)
    done = api("run", "desk", "--modules", "agents")
    assert done.code == 3 and len(done.err.splitlines()) == 1


def test_a_scope_that_is_not_granted_is_named_with_the_command_that_adds_it(api, suite):
    suite.tokens.scopes -= {"Desk.search.READ", "ZohoBooks.invoices.READ"}
    done = api("run", "desk", "--modules", "tickets,agents")
    assert done.code == 3
    assert "a scope is not granted: it needs Desk.tickets.READ and Desk.search.READ" in done.err
    assert "zoho_api authorize desk" in done.err
    assert count("zoho_desk.agents") == 3
    done = api("check", "desk")
    assert done.code == 3 and "not granted: Desk.search.READ; needed by tickets, contacts" in done.out


def test_a_service_that_the_account_does_not_have(api, suite):
    suite.books.enabled = False
    done = api("run", "books", "desk", "--modules", "invoices,agents")
    assert done.code == 1
    assert done.err.startswith("Error: books: ") and "this account has no Zoho Books" in done.err
    assert count("zoho_desk.agents") == 3


@pytest.mark.long
def test_several_organisations_need_a_choice(api, suite, monkeypatch):
    second = suite.books.add_organization("Second")
    suite.books.insert("invoices", {"invoice_number": "S"}, parent=second)
    done = api("run", "books", "--modules", "invoices")
    assert done.code == 2
    assert f"{second} (Second)" in done.err
    assert "SOURCES__ZOHO_API__BOOKS__ORGANIZATION_ID" in done.err
    assert api("check", "books").code == 1
    assert api("run", "books", "--modules", "invoices", "--param", f"organization_id={second}").code == 0
    assert count("zoho_books.invoices") == 1
    monkeypatch.setenv("SOURCES__ZOHO_API__BOOKS__ORGANIZATION_ID", suite.books.default_organization)
    assert api("run", "books", "--modules", "invoices", "--full-refresh").code == 0
    assert count("zoho_books.invoices") == 3


def test_a_page_that_repeats_ends_the_table(api, suite):
    page = {"code": 0, "invoices": [{"invoice_id": "1"}], "page_context": {"has_more_page": True}}
    suite.crm.faults.add("GET /books/v3/invoices", times=9, status=200, body=page)
    done = api("run", "books", "--modules", "invoices")
    assert done.code == 1
    assert "brought the same page twice: its paging does not go on" in done.err


def test_a_token_goes_to_the_connectors_host_only(api, suite, tmp_path):
    from importlib.resources import files

    text = files("sources.zoho_api").joinpath("connectors/desk.yaml").read_text()
    (tmp_path / "other.yaml").write_text(
        text.replace("path: agents", "path: http://elsewhere.invalid/agents")
    )
    assert load_connector(tmp_path / "other.yaml").name == "other"
    done = api("run", "other.yaml", "--modules", "agents")
    assert done.code == 1
    assert "elsewhere.invalid is not the host that this token is for: no call is made" in done.err


@pytest.mark.long
def test_a_full_disk_leaves_what_was_loaded_and_the_next_run_is_right(api, suite, monkeypatch):
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    assert api("run", "desk", "--modules", "tickets").code == 0
    suite.clock.advance(hours=1)
    suite.desk.insert("tickets", {"subject": "fourth"})
    inner = DuckDbSqlClient.execute_query

    def full(self, query, *args, **kwargs):
        if "tickets" in str(query) and str(query).lstrip().upper().startswith(("INSERT", "COPY")):
            raise OSError(28, "No space left on device")
        return inner(self, query, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(DuckDbSqlClient, "execute_query", full)
        done = api("run", "desk", "--modules", "tickets,agents")
    assert done.code == 1
    assert done.err.startswith("Error: tickets: The disk is full: make room and run again.")
    assert api("run", "desk", "--modules", "tickets").code == 0
    assert count("zoho_desk.tickets") == 4


def test_an_interrupted_run_is_finished_by_the_next_one(api, suite, monkeypatch):
    read = session.read_body

    def interrupted(response, *rest):
        if "/tickets/search" in response.url:
            raise KeyboardInterrupt
        return read(response, *rest)

    with monkeypatch.context() as pressed:
        pressed.setattr(session, "read_body", interrupted)
        done = api("run", "desk", "--modules", "agents,tickets")
    assert done.code == 130
    assert api("run", "desk", "--modules", "agents,tickets").code == 0
    assert count("zoho_desk.tickets") == 3


def test_a_limit_of_calls_ends_with_6_and_the_next_run_reads_the_rest(api, suite):
    done = api("run", "desk", "--modules", "tickets,agents", "--max-calls", "2")
    assert done.code == 6
    assert done.err == "Error: agents: stopped at the limit of 2 calls\n"
    assert count("zoho_desk.tickets") == 3
    calls = [call for call in suite.crm.ledger.calls() if "/api/v1/" in call.path]
    assert len(calls) == 2
    assert api("run", "desk", "--modules", "tickets,agents").code == 0
    assert count("zoho_desk.agents") == 3


def test_a_limit_of_credits_ends_with_6_before_it_is_passed(api, suite):
    done = api(
        "run", "recruit", "--modules", "Candidates", "--max-credits", "6"
    )  # modules 1, fields 1, page 3
    assert (done.code, done.err) == (6, "Error: candidates: stopped at the limit of 6 API credits\n")
    assert suite.crm.ledger.credits == 5
    assert api("run", "recruit", "--modules", "candidates", "--max-credits", "7").code == 0
    assert count("zoho_recruit.candidates") == 3
    done = api("run", "desk", "--modules", "agents", "--max-credits", "2", "--param", "organization_id=1")
    assert (done.code, done.err) == (6, "Error: agents: stopped at the limit of 2 API credits\n")


def test_a_module_that_the_account_does_not_have_is_wrong_usage_with_the_nearest(api, suite):
    done = api("run", "recruit", "--modules", "candidats")
    assert (done.code, done.err) == (
        2,
        "Error: --modules candidats: no table of recruit; did you mean candidates?\n",
    )
    done = api("run", "recruit", "desk", "--modules", "candidats,agents")
    assert done.code == 2 and count("zoho_desk.agents") == 3


@pytest.mark.long
def test_an_account_whose_modules_cannot_be_listed_is_told_in_one_line(api, suite):
    suite.crm.faults.add("GET /recruit/v2/settings/modules", times=999, status=500)
    done = api("run", "recruit", "desk", "--modules", "candidates,agents")
    assert done.code == 1 and len(done.err.splitlines()) == 1
    assert done.err.startswith("Error: recruit: 500 INTERNAL_ERROR GET /recruit/v2/settings/modules")
    assert count("zoho_desk.agents") == 3

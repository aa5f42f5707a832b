"""`list`, `check`, `call`, `status`, `report` and `authorize`, for people and for programs."""

from __future__ import annotations

import json

import duckdb

from sources.zoho_crm.service import BIGIN, CRM


def test_list_names_connectors_and_tables(api):
    done = api("list")
    assert done.code == 0
    assert done.out.endswith("3 connectors.\n")
    rows = [line.split() for line in api("list", "desk").out.splitlines()]
    assert next(row[:4] for row in rows if row[:1] == ["tickets"]) == ["tickets", "what", "changed", "yes"]
    events = api("list", "desk", "--log-format", "json").events
    assert {"connector": "desk", "table": "agents", "mode": "whole"}.items() <= next(
        event for event in events if event.get("table") == "agents"
    ).items()


def test_check_says_that_all_is_well(api, suite):
    done = api("check", "desk", "books", "recruit")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("All is well.\n")


def test_call_shows_request_status_headers_json_and_rows_and_no_secret(api, suite):
    ticket = suite.desk.rows("tickets")[0].id
    suite.desk.add_comment(ticket, "a comment")
    done = api("call", "desk", "ticket_comments", "--param", f"ticket_id={ticket}")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("GET http://127.0.0.1:") and f"/api/v1/tickets/{ticket}/comments?" in lines[0]
    assert lines[1].startswith("200 OK in ")
    assert "X-Rate-Limit-Request-Weight-v3: " in done.out
    assert '"content": "a comment"' in done.out
    assert lines[-1] == "1 row found by the selector data."
    for secret in (*suite.tokens.access, suite.tokens.refresh_token, suite.tokens.client_secret):
        assert secret not in done.out + done.err

    (event,) = api("call", "desk", "agents", "--log-format", "json").events
    assert (event["event"], event["method"], event["status"], event["rows"]) == ("call", "GET", 200, 3)


def test_call_of_a_refused_request_is_exit_code_1(api, suite):
    done = api("call", "desk", "ticket_comments", "--param", "ticket_id=1")
    assert done.code == 1
    assert done.err == "Error: Zoho Desk refused the call with 404.\n"
    suite.crm.faults.add("GET /api/v1/agents", status=302, headers={"Location": "http://elsewhere.invalid/"})
    assert "redirect to elsewhere.invalid" in api("call", "desk", "agents").err
    suite.crm.faults.add("GET /api/v1/agents", times=99, reset=True)
    done = api("call", "desk", "agents")
    assert done.code == 1 and len(done.err.splitlines()) == 1


def test_a_quiet_run_gives_one_line_and_one_in_json_its_tables(api, suite):
    done = api("run", "recruit", "--modules", "candidates", "--quiet")
    assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 1)
    done = api("run", "recruit", "--modules", "candidates", "--log-format", "json")
    assert all(isinstance(json.dumps(event), str) for event in done.events)
    assert [event["module"] for event in done.events if event["event"] == "table"] == ["candidates"]


def test_a_run_counts_the_credits_that_desk_tells(api, suite):
    suite.desk.rules.daily_credits = 50
    (summary,) = [
        event
        for event in api("run", "desk", "--modules", "agents,tickets", "--log-format", "json").events
        if event["event"] == "summary"
    ]
    spent = suite.crm.ledger.credits
    assert (summary["credits"], summary["credits_remaining"]) == (spent, 50 - spent)
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        (counted,) = database.sql("select sum(credits) from zoho_desk.sync_runs").fetchone()
    assert counted == spent - 1  # the organisation is no table


def test_status_and_report_of_a_connector(api, suite, tmp_path):
    assert api("run", "desk", "--modules", "agents").code == 0
    done = api("status", "desk")
    assert done.code == 0 and "agents" in done.out
    done = api("report", "desk")
    assert done.code == 0
    assert "agents" in (tmp_path / "zoho_report.html").read_text()


def test_authorize_asks_for_all_scopes_at_once_and_keeps_those_that_there_are(api, suite, monkeypatch):
    from pipelines.zoho_api import authorize
    from sources.zoho_api.connector import load_connector

    asked = []
    monkeypatch.setattr(
        authorize, "get_tokens_of_zoho", lambda o, c, scopes, check: asked.append(scopes) or 0
    )
    suite.tokens.scopes = {"ZohoRecruit.modules.ALL"}
    assert api("authorize", "desk", "books", "crm", "bigin").code == 0
    (scopes,) = asked
    declared = [load_connector(name).authentication.scopes for name in ("desk", "books")]
    assert set(scopes) == {*CRM.scopes, *BIGIN.scopes, *declared[0], *declared[1], "ZohoRecruit.modules.ALL"}
    assert len(scopes) == len(set(scopes))


def test_authorize_of_a_foreign_api_among_others_is_wrong_usage(api, suite, tmp_path):
    (tmp_path / "other.yaml").write_text(
        "authentication: {type: oauth2, authorization_url: 'https://a.invalid', token_url: 'https://a.invalid'}\n"
        "host: https://a.invalid\nclient: {base_url: '${host}'}\nresources: [{name: rows}]\n"
    )
    done = api("authorize", "desk", "other.yaml")
    assert (done.code, done.err) == (2, "Error: other has a consent of its own: authorize it alone.\n")

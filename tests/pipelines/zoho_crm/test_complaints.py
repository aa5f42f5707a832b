"""No exit code stands alone: what went wrong is on standard error, and a last line sums up."""

from __future__ import annotations

import pytest

from tests.support.commanding import account, command, restored_environment, shop

__all__ = ["account", "command", "restored_environment"]  # fixtures

FIELDS = "GET /crm/v8/settings/fields"
REFUSED = {"code": "INTERNAL_ERROR", "message": "no", "status": "error", "details": {}}


@pytest.fixture
def org():
    return shop()


@pytest.mark.parametrize("name", ["plan", "modules"])
def test_a_quiet_command_that_only_looks_says_which_module_failed_and_why(name, org, account, command):
    org.faults.add(FIELDS, module="Leads", status=400, body=REFUSED, times=2)
    done = command(name, "-q")
    assert done.code == 1
    assert done.err.startswith("Error: Leads: 400 INTERNAL_ERROR GET ")
    assert done.out.count("\n") == 1
    [lost, summary] = command(name, "-q", "--log-format", "json").events
    assert (lost["module"], summary["event"]) == ("Leads", "summary")


def test_an_account_that_grants_no_module_is_refused_with_a_sentence(org, account, command):
    org.scopes -= {scope for scope in org.scopes if scope.casefold().startswith("zohocrm.modules")}
    done = command("-q", "--pipelines-dir", "p")
    assert done.code == 3
    said = "Error: No module could be read: 3 lack a scope (`check` names it), as Leads: "
    assert done.err.startswith(said), done.err
    assert "OAUTH_SCOPE_MISMATCH" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("name", ["run", "verify"])
def test_a_limit_that_is_too_low_to_plan_is_refused_with_the_number_that_would_do(name, account, command):
    done = command(name, "--max-credits", "1", "-q", "--pipelines-dir", "p")
    assert (done.code, done.out) == (2, "")
    assert "--max-credits 1 is too low for even one table: an empty module takes 4 credits" in done.err
    assert done.err.count("\n") == 1
    as_json = (name, "--max-credits", "1", "-q", "--pipelines-dir", "p", "--log-format", "json")
    [event] = command(*as_json).events
    assert (event["event"], event["exit_code"]) == ("error", 2)


@pytest.mark.parametrize("names", ["users", "layouts", "sync_runs,Leads", "USERS"])
def test_a_table_of_ours_keeps_no_history(names, account, command):
    done = command("plan", "--history", names)
    table = names.partition(",")[0].lower()
    assert (done.code, done.err) == (
        2,
        f"Error: only modules keep a history: leave {table} out of --history\n",
    )


def test_a_history_of_a_module_that_is_not_read_is_a_warning(account, command, caplog):
    assert command("plan", "--history", "Secrets,Leads").code == 0
    said = "Secrets of --history is not read, so it keeps none: this user may not view it"
    assert [record.getMessage() for record in caplog.records] == [said]
    caplog.clear()
    assert command("plan", "--history", "Secrets,Leads", "--modules", "Leads").code == 0
    assert caplog.records == []


def test_a_quiet_check_for_a_program_shows_what_failed_and_sums_up(account, command):
    done = command("check", "-q", "--log-format", "json", "--modules", "Secrets")
    assert done.code != 0
    *checks, summary = done.events
    assert {event["event"] for event in checks} == {"check"}
    assert {event["status"] for event in checks} <= {"failed", "warning"}
    assert "modules" in [event["name"] for event in checks if event["status"] == "failed"]
    assert (summary["event"], summary["exit_code"]) == ("summary", done.code)


def test_nothing_at_all_begins_with_what_to_do_and_names_each_setting(command):
    done = command("plan")
    assert done.err.startswith(
        "Error: No account is set: run `python -m pipelines.zoho_crm authorize`, or fill in "
    )
    assert "OAuthClientId, OAuthClientSecret and OAuthRefreshToken are missing" in done.err
    assert "looked in --connection, the environment, .env and secrets.toml" in done.err


def test_an_account_that_is_given_in_part_is_told_what_is_missing(command):
    example = (
        "OAuthClientId=; OAuthClientSecret=; OAuthRefreshToken=; Region=US;"  # .env.example, not filled in
    )
    assert "No account is set" in command("plan", "--connection", example).err
    done = command("plan", "--connection", "OAuthClientId=1000.A")
    assert "No account is set" not in done.err
    assert "OAuthRefreshToken are missing" in done.err
    assert "run `authorize`; if it gets no refresh token" in done.err


def test_a_json_list_in_the_environment_is_read_as_names(account, command, monkeypatch):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__MODULES", '["Leads", "Vendors"]')
    monkeypatch.setenv("SOURCES__ZOHO_CRM__FIELDS", '["Leads.Last_Name"]')
    done = command("plan", "--log-format", "json")
    assert done.code == 0, done.err
    assert {e["module"] for e in done.events if e["event"] == "plan"} >= {"Leads", "Vendors"}
    assert "Deals" not in {e.get("module") for e in done.events}
    assert "Amount" in [e["field"] for e in done.events if e["event"] == "field_left_out"]

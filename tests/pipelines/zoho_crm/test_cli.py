"""What each command prints and returns, against a simulated account."""

from __future__ import annotations

import re

import pytest

from tests.support.commanding import account, command, landed, shop

__all__ = ["account", "command"]  # fixtures


@pytest.fixture
def org():
    return shop()


def test_run_is_the_command_when_none_is_named(account, command, tmp_path):
    done = command("--modules", "Leads")
    assert done.code == 0, done.err
    assert landed(tmp_path / "zoho.duckdb", "select last_name, amount from zoho_crm.leads order by 1") == [
        ("Lead 0", 0),
        ("Lead 1", 1),
        ("Lead 2", 2),
    ]


def test_a_run_reports_every_table_what_was_skipped_and_left_out_and_sums_up_in_the_last_line(
    account, command
):
    done = command("run", "--progress", "off")
    assert done.code == 0, done.err
    leads = done.lines("Leads")[0].split("  ")
    assert [cell.strip() for cell in leads if cell.strip()][:2] == ["Leads", "leads"]
    assert "  Secrets: this user may not view it" in done.out.splitlines()
    assert "  Deals: Home: its parts are columns of their own" in done.out.splitlines()
    assert re.fullmatch(
        r"\d+ tables, \d+ rows in [\d.]+ s: \d+ calls, \d+ credits; [1-9]\d* skipped, 0 failed\.",
        done.out.splitlines()[-1],
    )
    assert done.err == ""


def test_a_module_that_fails_is_told_on_both_streams_and_the_others_are_loaded(
    org, account, command, tmp_path
):
    org.faults.add(
        "GET /crm/v8/{module}", module="Deals", times=99, status=400, body={"code": "X", "status": "error"}
    )
    done = command("--modules", "Leads,Deals")
    assert done.code == 1
    assert done.err.startswith("Error: Deals: 400 X ")
    assert "1 failed." in done.out.splitlines()[-1]
    assert landed(tmp_path / "zoho.duckdb", "select count(*) from zoho_crm.leads") == [(3,)]


def test_a_module_asked_for_by_name_that_zoho_does_not_offer_is_an_error(account, command):
    done = command("--modules", "Leads,Secrets")
    assert done.code == 1
    assert done.err == "Error: Secrets was asked for and is skipped: this user may not view it\n"


def test_plan_says_by_which_api_why_and_at_what_cost_and_leaves_nothing_behind(account, command, tmp_path):
    done = command("plan", "--exclude", "vendors")
    assert done.code == 0, done.err
    assert done.lines("Leads")[0].split()[:3] == ["Leads", "leads", "records"]
    assert "1 credit; Bulk Read 55" in done.lines("Leads")[0]
    assert not done.lines("Vendors")
    assert "field Shape has the unknown type 'hologram'" in done.out
    assert done.out.splitlines()[-1].startswith(
        "2 modules, 4 rows by Zoho's count: about 20 calls, 20 credits"
    )
    assert not list(tmp_path.glob("zoho.duckdb*"))


def test_plan_names_few_fields_and_counts_many_unless_asked(org, account, command):
    deals = org.modules["Deals"]
    deals.fields += [type(deals.fields[0])(f"Place_{n}", "address") for n in range(6)]
    assert "Deals: 7 fields: its parts are columns of their own" in command("plan").out
    assert "Place_5: its parts are columns of their own" in command("plan", "-v").out


def test_modules_lists_what_the_account_offers_and_why_some_are_not_read(account, command):
    done = command("modules", "--exclude", "Vendors")
    assert done.code == 0, done.err
    rows = {line.split()[0]: line for line in done.out.splitlines()[1:] if line}
    assert rows["Leads"].split()[1:2] == ["default"]
    assert rows["Leads"].split()[-1] == "yes"
    assert rows["Secrets"].endswith("this user may not view it")
    assert rows["Vendors"].endswith("not chosen")


def test_modules_of_a_name_lists_its_fields_their_columns_and_what_is_left_out(account, command):
    done = command("modules", "--modules", "deals", "--log-format", "json")
    fields = {event["field"]: event for event in done.events if event["event"] == "field"}
    assert fields["Name"] == {
        "event": "field",
        "time": fields["Name"]["time"],
        "module": "Deals",
        "field": "Name",
        "data_type": "text",
        "column": "name",
        "column_type": "text",
        "reason": "",
    }
    assert fields["Home"]["column"] is None
    assert fields["Home"]["reason"] == "its parts are columns of their own"


def test_an_account_that_loses_its_modules_scope_is_refused_with_3(org, account, command):
    org.scopes -= {scope for scope in org.scopes if scope.casefold().startswith("zohocrm.settings")}
    done = command("plan")
    assert done.code == 3
    assert done.err.count("\n") == 1
    assert "OAUTH_SCOPE_MISMATCH" in done.err

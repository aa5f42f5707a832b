"""What newcomers met: misspelt keys, tables that keep more than was said, a sum that does not add up."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.support.commanding import account, command, restored_environment, shop

__all__ = ["account", "command", "restored_environment"]  # fixtures


@pytest.fixture
def org() -> Org:
    return shop()


def test_a_misspelt_key_is_named_with_the_nearest_one(command, account, tmp_path, caplog):
    (tmp_path / ".env").write_text(
        "SOURCES__ZOHO_CRM__PRIVCY='*.Last_Name: drop'\nSOURCES__ZOHO_CRM__MODULES=Leads\n"
        "SOURCES__ZOHO_CRM__LEADS__WRITE_DISPOSITION=merge\n"
    )
    assert command("plan").code == 0
    said = [record.getMessage() for record in caplog.records if "Unknown key" in record.getMessage()]
    key = "SOURCES__ZOHO_CRM__PRIVCY (did you mean SOURCES__ZOHO_CRM__PRIVACY?)"
    assert said == [f"Unknown key in the environment or .env, ignored: {key}"]


def test_modules_lists_a_table_that_keeps_deleted_rows(command, account):
    keep = ("--deletes", "soft", "--history", "Deals", "--pipelines-dir", "p")
    assert command("--modules", "Leads,Deals", *keep).code == 0
    listed = command("modules", *keep, "--log-format", "json")
    assert listed.code == 0
    read = {e["module"]: e["read"] for e in listed.events if e["event"] == "module"}
    assert (read["Leads"], read["Deals"]) == ("yes", "yes")


def test_the_credits_of_the_tables_add_up_to_those_of_the_run(command, account, org):
    org.add_module(Module("Payroll", [Field("Name", "text")], generated_type="custom", no_permission=True))
    done = command("--log-format", "json", "--pipelines-dir", "p")
    tables = [e for e in done.events if e["event"] == "table"]
    assert sum(e["credits"] for e in tables) == done.events[-1]["credits"]
    assert sum(e["calls"] for e in tables) == done.events[-1]["calls"]


def test_the_path_of_a_database_is_no_secret(command, account, monkeypatch):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", "/no/such/folder/x.duckdb")
    done = command("--pipelines-dir", "p")
    assert done.code == 2
    assert "/no/such/folder/x.duckdb" in done.err

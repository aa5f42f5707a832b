"""Rules of privacy on the command line, in the environment and in dlt's files."""

from __future__ import annotations

import dlt
import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext

from simulators.zoho_crm import Org
from sources.zoho_crm import zoho_crm
from tests.support.commanding import account, command, landed
from tests.support.private import SECRET, found_in, people

__all__ = ["account", "command"]  # fixtures

RULES = "*.<email>: hash; Customers.Contact: hash; Last_Name: drop; <phone>: drop; Story: drop; Likes: drop"
ONLY = ("--modules", "Persons,Customers", "--exclude", "modules,fields", "--progress", "off")


@pytest.fixture
def org():
    return people(Org())


def test_rules_come_from_the_command_line_and_the_key_from_the_environment(
    account, command, tmp_path, monkeypatch
):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", SECRET)
    done = command("run", *ONLY, "--privacy", RULES, "--pipelines-dir", str(tmp_path / "p"))
    assert done.code == 0, done.err
    assert "dropped by the privacy rule *.Last_Name: drop" in done.out
    assert SECRET not in done.out + done.err
    query = "select count(*) from zoho_crm.persons p join zoho_crm.customers c on p.email = c.contact"
    assert landed(tmp_path / "zoho.duckdb", query) == [(3,)]
    assert found_in(tmp_path) == []
    assert found_in(tmp_path, marker=SECRET) == []


@pytest.fixture(params=["environment", "config.toml"])
def configured(request, tmp_path, monkeypatch):
    """Rules where dlt looks for them."""
    if request.param == "environment":
        monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY", "*.Email: mask\nPersons.Phone: drop")
        monkeypatch.setenv("SOURCES__ZOHO_CRM__FIELDS", "Persons.Email,Persons.Phone,Persons.City")
        monkeypatch.setenv("SOURCES__ZOHO_CRM__FILTERS", "Persons.City: in Sparta, Corinth")
        yield
        return
    context = Container()[PluggableRunContext]
    file = tmp_path / ".dlt" / "config.toml"
    file.parent.mkdir()
    file.write_text(
        '[sources.zoho_crm]\nprivacy = ["*.Email: mask", "Persons.Phone: drop"]\n'
        'fields = ["Persons.Email", "Persons.Phone", "Persons.City"]\n'
        'filters = ["Persons.City: in Sparta, Corinth"]\n'
    )
    context.reload_providers()
    yield
    file.unlink()
    context.reload_providers()


@pytest.mark.cases(1)
def test_rules_come_from_dlts_configuration(account, command, configured, tmp_path):
    done = command("run", *ONLY)
    assert done.code == 0, done.err
    assert landed(tmp_path / "zoho.duckdb", "select email, city from zoho_crm.persons") == [
        ("***@example.com", "Sparta")
    ]


def test_a_missing_key_is_one_sentence_and_nothing_is_read(account, command, tmp_path):
    done = command("run", *ONLY, "--privacy", RULES)
    assert done.code == 2
    assert "privacy_key is missing" in done.err
    assert "SOURCES__ZOHO_CRM__PRIVACY_KEY" in done.err
    assert not (tmp_path / "zoho.duckdb").exists()


@pytest.mark.long
def test_verify_finds_no_difference_in_hashes_and_refuses_another_key(account, org, command, monkeypatch):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", SECRET)
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY", RULES)
    assert command("run", *ONLY).code == 0
    org.clock.advance(hours=1)
    done = command("verify", *ONLY)
    assert done.code == 0, done.out + done.err
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", f"{SECRET}, another one")
    for call in (("run",), ("verify", "--repair")):
        done = command(*call, *ONLY)
        assert done.code == 2
        assert "made with another privacy_key" in done.err


def test_verify_repairs_with_hashes_only(account, org, command, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", SECRET)
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY", RULES)
    assert command("run", *ONLY).code == 0
    org.clock.advance(hours=1)
    before = landed(tmp_path / "zoho.duckdb", "select * from zoho_crm.persons order by id")
    with duckdb.connect(str(tmp_path / "zoho.duckdb")) as database:
        database.execute("delete from zoho_crm.persons where city = 'Sparta'")
    done = command("verify", *ONLY, "--repair")
    assert done.code == 0, done.out + done.err
    after = landed(tmp_path / "zoho.duckdb", "select * from zoho_crm.persons order by id")
    assert after == before
    assert found_in(tmp_path) == []


def test_a_plan_says_which_fields_do_not_come_and_why(account, command):
    done = command(
        "plan", "--modules", "Customers", "--privacy", "Contact: drop", "--fields", "Customers.City"
    )
    assert done.code == 0, done.err
    assert "dropped by the privacy rule *.Contact: drop" in done.out
    assert "not among the chosen fields" in done.out


def test_the_dlt_source_keeps_the_rules_too(account, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY", "*.Email: mask; Last_Name: hash")
    monkeypatch.setenv("SOURCES__ZOHO_CRM__PRIVACY_KEY", SECRET)
    monkeypatch.setenv("SOURCES__ZOHO_CRM__FILTERS", "Persons.City: equal Sparta")
    pipeline = dlt.pipeline(
        "crm",
        destination=dlt.destinations.duckdb(str(tmp_path / "x.duckdb")),
        dataset_name="z",
        pipelines_dir=str(tmp_path / "p"),
    )
    pipeline.run(zoho_crm(modules=["Persons"]))
    assert landed(tmp_path / "x.duckdb", "select email from z.persons") == [("***@example.com",)]
    assert found_in(tmp_path, marker=SECRET) == []

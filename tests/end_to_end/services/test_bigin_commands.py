"""`--service bigin` in each command, and CRM and Bigin side by side in one DuckDB file."""

from __future__ import annotations

import json
from contextlib import contextmanager

import duckdb
import pytest

from simulators.zoho_crm import Clock, Field, Module, Org, serve
from simulators.zoho_crm.demo import bigin_org
from sources.zoho_crm.service import BIGIN, CRM, SERVICES
from tests.end_to_end.services.both import no_calls_elsewhere
from tests.support.commanding import command, restored_environment

__all__ = ["command", "restored_environment"]  # fixtures

KEY = "SOURCES__ZOHO_CRM__CREDENTIALS"
MEMORY = "OAuthSettingsLocation=memory://;"
QUIET = ("--progress", "off", "--quiet")


@contextmanager
def served(monkeypatch, org, *, named=True):
    """The account's settings in the environment; `named`: with `Service=Bigin` in them."""
    with serve(org) as zoho:
        text = zoho.connection_string if named else zoho.connection_string.replace("Service=Bigin;", "")
        monkeypatch.setenv(KEY, text + MEMORY)
        yield text


@pytest.fixture
def org():
    org = bigin_org(clock=Clock.real())
    org.clock.run()
    return org


def rows(query):
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("how", ["option", "setting", "key"])
@pytest.mark.cases(1)
def test_the_service_is_chosen_by_an_option_a_setting_or_a_key(command, monkeypatch, org, how):
    words = ("--service", "bigin") if how == "option" else ()
    if how == "key":
        monkeypatch.setenv("SOURCES__ZOHO_CRM__SERVICE", "Bigin")
    with served(monkeypatch, org, named=how == "setting"):
        planned = command("plan", "--modules", "Pipelines", *words)
        done = command("run", "--modules", "Pipelines,Contacts", *QUIET, *words)
        verified = command("verify", "--modules", "Pipelines,Contacts", *QUIET, *words)
        told = command("status", "--format", "json", *words)
    assert (planned.code, done.code, verified.code, told.code) == (0, 0, 0, 0), done.err + verified.err
    assert "Pipelines" in planned.out
    assert rows("select count(*), count(pipeline__id) from zoho_bigin.pipelines") == [(260, 260)]
    assert rows("select count(*) from zoho_bigin.contacts") == [(449,)]
    assert {e["module"] for e in told.events if e.get("event") == "table"} >= {"Pipelines", "Contacts"}
    no_calls_elsewhere(org)


@pytest.mark.long
def test_verify_finds_what_differs_and_repairs_it(command, monkeypatch, org):
    with served(monkeypatch, org):
        assert command("run", "--modules", "Pipelines", *QUIET).code == 0
        with duckdb.connect("zoho.duckdb") as database:
            database.execute("delete from zoho_bigin.pipelines where deal_name = 'Deal 7'")
        assert command("verify", "--modules", "Pipelines", *QUIET).code == 4
        assert command("verify", "--modules", "Pipelines", "--repair", *QUIET).code in (0, 4)
        assert command("verify", "--modules", "Pipelines", *QUIET).code == 0
    assert rows("select count(*) from zoho_bigin.pipelines") == [(260,)]


def test_the_option_wins_over_the_setting(command, monkeypatch, org):
    with served(monkeypatch, org):
        done = command("plan", "--service", "crm")
    assert done.code == 3
    assert {call.path.split("/")[1] for call in org.ledger.calls() if "oauth" not in call.path} == {"crm"}


@pytest.mark.long
def test_crm_and_bigin_stand_side_by_side_in_one_file(command, monkeypatch, org):
    crm = Org(clock=Clock.real())
    crm.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    crm.add_module(Module("Contacts", [Field("Full_Name", "text")]))
    crm.insert("Contacts", {"Full_Name": "of the CRM"})
    crm.account.add_pipeline(crm.modules["Deals"].layouts[0]["id"], "the CRM's", ["Won"])
    for _ in range(2):
        for account in (crm, org):
            with served(monkeypatch, account):
                done = command("run", *QUIET)
                assert done.code == 0, done.err
    assert rows("select full_name from zoho_crm.contacts") == [("of the CRM",)]
    assert rows("select count(*) from zoho_bigin.contacts") == [(449,)]
    assert rows("select display_value from zoho_crm.pipelines") == [("the CRM's",)]  # the account's table
    assert rows("select count(*) from zoho_bigin.pipelines") == [(260,)]  # the deals
    with served(monkeypatch, crm):
        assert command("verify", *QUIET).code == 0
    with served(monkeypatch, org):
        assert command("verify", *QUIET).code == 0


# ---- scopes


def test_a_token_of_the_crm_is_refused_with_the_remedy(command, monkeypatch, org):
    org.scopes = set(CRM.scopes)
    with served(monkeypatch, org):
        done = command("run", *QUIET)
        checked = command("check", "--json")
    assert done.code == 3
    assert "its scopes are of Zoho CRM (ZohoCRM.*), and Zoho Bigin needs ZohoBigin.*" in done.err
    assert "run `authorize` with Service=Bigin, or set Service=CRM" in done.err
    found = {check["name"]: check for check in json.loads(checked.out)}
    assert checked.code == 3
    assert "Zoho Bigin needs ZohoBigin.*" in found["modules"]["message"]
    assert "for ZohoBigin.settings.modules.READ" in found["modules"]["remedy"]


def test_a_token_without_named_scopes_is_refused_by_the_call(command, monkeypatch, org):
    org.scopes, org.quirks.scope_in_token_answer = set(CRM.scopes), False
    with served(monkeypatch, org):
        done = command("run", *QUIET)
    assert done.code == 3
    assert "401 OAUTH_SCOPE_MISMATCH GET /bigin/v2/settings/modules" in done.err


def test_check_names_the_scopes_of_bigin(command, monkeypatch, org):
    org.scopes = set(BIGIN.scopes) - {"ZohoBigin.bulk.READ", "ZohoBigin.users.READ"}
    with served(monkeypatch, org):
        checked = command("check", "--json")
    found = {check["name"]: check for check in json.loads(checked.out)}
    assert found["scope ZohoBigin.modules.READ"]["status"] == "ok"
    assert found["scope ZohoBigin.users.READ"]["status"] == "warning"
    assert "ZohoBigin.bulk.READ" in found["bulk"]["message"]
    assert "Service=Bigin" in found["settings"]["message"]
    assert not [name for name in found if "territories" in name]
    assert "ZohoCRM" not in checked.out
    no_calls_elsewhere(org)


@pytest.mark.parametrize(
    ("words", "scopes"),
    [
        ((), set(BIGIN.scopes)),
        (
            ("--modules", "Pipelines"),
            {
                "ZohoBigin.modules.pipelines.READ", "ZohoBigin.settings.modules.READ",
                "ZohoBigin.settings.fields.READ", "ZohoBigin.settings.layouts.READ", "ZohoBigin.bulk.READ",
                "ZohoBigin.coql.READ", "ZohoSearch.securesearch.READ",
            },
        ),
    ],
)  # fmt: skip
def test_authorize_asks_for_the_scopes_of_bigin_and_writes_the_service(
    command, monkeypatch, org, tmp_path, words, scopes
):
    with serve(org) as zoho:
        kept = [part for part in zoho.connection_string.split(";") if part and "RefreshToken" not in part]
        connection = ";".join(part for part in kept if part != "Service=Bigin")
        code = org.tokens.self_client_code(scopes)
        done = command(
            "authorize", "--service", "bigin", "--self-client", "--code", code,
            "--connection", f"{connection};{MEMORY}", *words,
        )  # fmt: skip
        told = command("plan", "--modules", "Pipelines")  # by .env alone
    assert done.code == 0, done.out + done.err
    assert "Service=Bigin" in (tmp_path / ".env").read_text()
    assert told.code == 0, told.err
    no_calls_elsewhere(org)


def test_the_consent_asks_for_the_scopes_of_bigin(command, monkeypatch, org):
    with serve(org) as zoho:
        connection = f"{zoho.connection_string}{MEMORY}"
        asked = command("authorize", "--no-browser", "--wait", "1s", "--connection", connection)
    assert asked.code == 2
    assert "ZohoBigin.modules.READ%2CZohoBigin.settings.READ" in asked.out
    assert "ZohoCRM" not in asked.out


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_client_credentials_name_the_organisation_of_the_service(command, monkeypatch, service):
    org = bigin_org(clock=Clock.real()) if service is BIGIN else Org(clock=Clock.real())
    if service is CRM:
        org.add_module(Module("Contacts", [Field("Full_Name", "text")]))
    with serve(org) as zoho:
        kept = [part for part in zoho.connection_string.split(";") if part and "RefreshToken" not in part]
        text = ";".join([*kept, "AuthScheme=ClientCredentials", MEMORY])
        done = command("plan", "--connection", text, "--modules", "Contacts")
    assert done.code == 0, done.err


@pytest.mark.long
def test_a_demo_of_bigin_has_its_own_dataset(command):
    done = command("run", "--demo", "--service", "bigin", *QUIET)
    assert done.code == 0, done.err
    with duckdb.connect("zoho_demo.duckdb", read_only=True) as database:
        assert database.execute("select count(*) from zoho_bigin.pipelines").fetchall() == [(260,)]


def test_the_options_name_the_services_as_the_source_does():
    from pipelines.zoho_crm.options import DATASETS

    assert {service.name: service.dataset for service in SERVICES.values()} == DATASETS


def test_a_service_that_is_none_is_refused_in_one_sentence(command, monkeypatch, org):
    done = command("plan", "--service", "desk")
    assert done.code == 2
    assert "'desk'" in done.err
    monkeypatch.setenv(KEY, "Service=Desk;OAuthClientId=x;")
    done = command("plan")
    assert done.code == 2
    assert "Service has a wrong value (Desk). Allowed: CRM or Bigin." in done.err

"""`check` and what a token may read: modules, each scope against each chosen table, Bulk Read and COQL."""

from __future__ import annotations

import pytest

from pipelines.zoho_crm.authorize.scopes import wanted
from simulators.zoho_crm import Module, Quirks, serve
from sources.zoho_crm.auth.credentials import resolve_credentials
from sources.zoho_crm.auth.scopes import PROBES, covers, needs, of_tables
from sources.zoho_crm.config import ON_REQUEST
from sources.zoho_crm.discovery.account_tables import ENDPOINTS, own_tables
from sources.zoho_crm.extract.account import Before, read_endpoint
from sources.zoho_crm.service import CRM
from tests.support.checking import MEMORY, check, small
from tests.support.commanding import command

__all__ = ["check", "command"]  # fixtures

EVERY = {*CRM.scopes}
FIVE = {"ZohoCRM.modules.READ", "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ"}
FIVE |= {"ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ"}


def of(*scopes, told=True):
    """An account whose token has these scopes; `told`: the token's answer names them."""
    org = small()
    org.scopes = {*scopes}
    org.quirks.scope_in_token_answer = told
    return org


both_ways = pytest.mark.parametrize("told", [True, False], ids=["told", "asked"])

# ---- modules


def test_a_module_that_this_user_may_not_see_is_a_warning(check):
    org = small()
    org.add_module(Module("Secrets", viewable=False))
    org.add_module(Module("Scoring_Rules__s", viewable=False))  # Zoho shows it to nobody
    org.add_module(Module("Home", api_supported=False))
    done = check(org)
    assert (done.code, done["modules"]) == (0, "warning")
    assert "2 of 5 can be read; this user may not see Secrets -> let the user's profile see it" in done.says(
        "modules"
    )
    assert check(org, "--exclude", "Secrets")["modules"] == "ok"


def test_a_module_that_was_asked_for_and_cannot_be_seen_is_1(check):
    org = small()
    org.add_module(Module("Secrets", viewable=False))
    done = check(org, "--modules", "Leads,Secrets")
    assert (done.code, done["modules"]) == (1, "failed")
    assert "not Secrets: this user may not view it -> let the user's profile see it" in done.says("modules")


def test_a_module_without_an_api_is_to_be_left_out(check):
    org = small()
    org.add_module(Module("Home", api_supported=False))
    done = check(org, "--modules", "Leads,Home")
    assert (done.code, done["modules"]) == (1, "failed")
    assert "not Home: Zoho does not offer it by API -> leave it out" in done.says("modules")


def test_what_was_read_before_and_cannot_be_now_fails_a_run_and_the_check(command, check):
    org = of(*EVERY)
    with serve(org) as zoho:
        assert command("--connection", f"{zoho.connection_string}{MEMORY}").code == 0
        org.scopes = EVERY - {"ZohoCRM.users.READ"}
        org.modules["Deals"].viewable = False
        ran = command("--connection", f"{zoho.connection_string}{MEMORY}")
    done = check(org)
    assert (ran.code, done.code) == (3, 1)
    assert (done["modules"], done["scope ZohoCRM.users.READ"]) == ("failed", "failed")
    assert "a run fails, as Deals was read before" in done.says("modules")


def test_a_module_that_was_asked_for_and_that_a_profile_forbids_is_1(check):
    org = small()
    org.add_module(Module("Payroll", no_permission=True))
    done = check(org, "--modules", "Payroll")
    assert (done.code, done["modules"]) == (1, "failed")
    assert "not Payroll: 403 NO_PERMISSION" in done.says("modules")


def test_a_module_that_does_not_exist_is_2_with_the_nearest_name(check):
    done = check(small(), "--modules", "Leeds")
    assert (done.code, done["modules"]) == (2, "failed")
    assert "did you mean Leads? (`modules` lists them) -> correct --modules" in done.says("modules")


# ---- scopes


@both_ways
def test_all_that_authorize_asks_for_is_enough(told, check):
    done = check(of(*EVERY, told=told))
    assert (done.code, done.wrong()) == (0, set())
    assert "granted, for Leads, Deals" in done.says("scope ZohoCRM.modules.READ")


def test_asking_costs_a_credit_a_scope_and_a_module(check):
    org = of(*EVERY, told=False)
    check(org)
    scopes = len([*PROBES, "the count"]) - len(["settings/modules, users and org are asked anyway"])
    assert org.ledger.credits <= 3 + scopes + len(org.modules)
    assert not org.jobs


@both_ways
def test_without_the_scope_of_the_modules_nothing_can_be_read(told, check):
    done = check(of(*EVERY - {"ZohoCRM.modules.READ"}, told=told))
    assert (done.code, done["scope ZohoCRM.modules.READ"]) == (3, "failed")
    assert "not granted for Leads, Deals -> run" in done.says("scope ZohoCRM.modules.READ")
    assert "authorize`, which asks for it" in done.says("scope ZohoCRM.modules.READ")


@both_ways
def test_a_token_for_some_modules_is_told_which_it_lacks(told, check):
    org = of(*EVERY - {"ZohoCRM.modules.READ"}, "ZohoCRM.modules.leads.READ", told=told)
    some = check(org)
    assert (some.code, some["scope ZohoCRM.modules.READ"]) == (0, "warning")
    said = "not granted for Deals (neither ZohoCRM.modules.deals.READ nor ZohoCRM.modules.READ)"
    assert said in some.says("scope ZohoCRM.modules.READ")
    named = check(org, "--modules", "Leads,Deals")
    assert (named.code, named["scope ZohoCRM.modules.READ"]) == (3, "failed")
    assert check(org, "--modules", "Leads").code == 0


@both_ways
@pytest.mark.parametrize(
    ("scope", "table"),
    [
        ("ZohoCRM.users.READ", "users"),
        ("ZohoCRM.org.READ", "org"),
        ("ZohoCRM.settings.roles.READ", "roles"),
        ("ZohoCRM.settings.profiles.READ", "profiles"),
        ("ZohoCRM.settings.currencies.READ", "currencies"),
        ("ZohoCRM.settings.territories.READ", "territories"),
        ("ZohoCRM.settings.tags.READ", "tags"),
        ("ZohoCRM.settings.layouts.READ", "layouts"),
        ("ZohoCRM.settings.pipeline.READ", "pipelines"),
    ],
)
@pytest.mark.cases(5)
def test_a_scope_of_one_of_our_tables_is_missed_for_that_table(scope, table, told, check):
    parts = {scope for scopes in of_tables(CRM).values() for scope in scopes}
    org = of(*FIVE, "ZohoSearch.securesearch.READ", *parts - {scope}, told=told)
    org.account.add_currency("USD", "US Dollar", "1.0")
    org.account.add_territory("North")
    every = check(org)
    assert (every.code, every[f"scope {scope}"]) == (0, "warning")
    assert f"not granted: without it a run leaves out {table}" in every.says(f"scope {scope}")
    assert "authorize`, which asks for it" in every.says(f"scope {scope}")
    assert every.wrong() == {f"scope {scope}"}
    named = check(org, "--modules", table)
    assert (named.code, named[f"scope {scope}"]) == (3, "failed")
    assert check(org, "--exclude", table).wrong() <= {f"scope {scope}"}


def test_the_scopes_of_our_tables_are_those_without_which_zoho_refuses_them(load):
    org = load.org
    org.add_module(Module("Deals"))
    org.account.add_currency("USD", "US Dollar", "1.0")
    org.account.add_territory("North")

    def status(endpoint, scopes):
        org.scopes = scopes
        org.clock.advance(minutes=11)  # for another ten tokens
        return read_endpoint(load.client(), endpoint, ["Deals"], load.folder, Before({})).status

    for endpoint in ENDPOINTS:
        needed = {*of_tables(CRM)[endpoint.table]}
        assert status(endpoint, needed) == "read", endpoint.table
        for scope in needed:
            assert status(endpoint, needed - {scope}) == "skipped", scope
    without = {
        "deleted_records",
        "rejected_values",
        "sync_runs",
        "seat_counts",
        "files",
    }  # what other calls have brought
    assert {*of_tables(CRM)} == {*own_tables(CRM)} - without


@pytest.mark.parametrize("scope", ["ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ"])
@both_ways
def test_without_the_lists_of_modules_and_fields_nothing_can_be_read(scope, told, check):
    done = check(of(*FIVE - {scope}, "ZohoCRM.org.READ", "ZohoCRM.users.READ", told=told))
    assert (done.code, done[f"scope {scope}"]) == (3, "failed")
    assert "not granted: no run of " in done.says(f"scope {scope}")


@both_ways
def test_the_five_scopes_that_other_connectors_ask_for_are_enough_for_the_modules(told, check):
    done = check(of(*FIVE, told=told))
    assert done.code == 0
    assert done["organisation"] == done["user"] == "unknown"
    assert "may not be asked with this token (OAUTH_SCOPE_MISMATCH)" in done.says("organisation")
    assert "the CRM's own counts are missing" in done.says("scope ZohoSearch.securesearch.READ")


def test_every_scope_of_the_users_own_list_is_needed(check):
    settings = f"{MEMORY}Scope=ZohoCRM.modules.READ,ZohoCRM.notifications.READ;"
    done = check(of(*EVERY), settings=settings)
    assert (done.code, done["Scope"]) == (3, "failed")
    assert "is not granted: ZohoCRM.notifications.READ" in done.says("Scope")


def test_a_scope_that_the_users_own_list_lacks_is_to_be_added_first(check):
    settings = f"{MEMORY}Scope={','.join(sorted(FIVE))};"
    done = check(of(*FIVE), settings=settings)
    assert "-> add ZohoCRM.users.READ to Scope, then run" in done.says("scope ZohoCRM.users.READ")


# ---- Bulk Read and COQL


@both_ways
@pytest.mark.parametrize(("name", "scope"), [("bulk", "ZohoCRM.bulk.READ"), ("coql", "ZohoCRM.coql.READ")])
def test_an_api_without_its_scope_is_a_warning_and_no_job_is_made(name, scope, told, check):
    org = of(*EVERY - {scope}, told=told)
    done = check(org)
    assert (done.code, done[name]) == (0, "warning")
    assert f"is not allowed, {scope} is not granted: " in done.says(name)
    assert "authorize`, which asks for it" in done.says(name)
    assert not org.jobs


def test_an_api_that_the_settings_leave_out_needs_no_scope(check):
    done = check(of(*EVERY - {"ZohoCRM.bulk.READ", "ZohoCRM.coql.READ"}), settings=f"{MEMORY}ReadAPI=REST;")
    assert (done["bulk"], done["coql"]) == ("ok", "ok")


def test_a_long_list_of_tables_is_cut_unless_verbose(check):
    org = small()
    for number in range(9):
        org.add_module(Module(f"Module_{number}"))
    assert "Leads, Deals, Module_0, Module_1, Module_2 and 6 more" in check(org).says(
        "scope ZohoCRM.modules.READ"
    )
    assert "Module_8" in check(org, "-v").says("scope ZohoCRM.modules.READ")


@pytest.mark.parametrize("seed", range(3))
def test_no_switch_of_the_simulator_turns_a_good_account_into_a_bad_one(seed, check):
    from random import Random

    org = small()
    org.quirks = Quirks.shuffled(Random(seed), client_credentials_path="token")
    assert check(org).code == 0


# ---- the rule


@pytest.mark.parametrize(
    ("granted", "scope", "covered"),
    [
        ("ZohoCRM.modules.READ", "ZohoCRM.modules.READ", True),
        ("zohocrm.modules.read", "ZohoCRM.modules.READ", True),
        ("ZohoCRM.modules.ALL", "ZohoCRM.modules.leads.READ", True),
        ("ZohoCRM.modules.leads.READ", "ZohoCRM.modules.READ", False),
        ("ZohoCRM.modules.CREATE", "ZohoCRM.modules.READ", False),
        ("ZohoCRM.settings.ALL", "ZohoCRM.modules.READ", False),
    ],
)
def test_a_scope_is_covered_by_itself_by_all_and_by_a_wider_group(granted, scope, covered):
    assert covers({granted}, scope) is covered


def test_what_a_sync_asks_for_covers_every_table():
    usual = [name for name in own_tables(CRM) if name not in ON_REQUEST]
    assert all(covers(CRM.scopes, scope) for scope in needs(CRM, ["Leads"], usual))


# ---- the audit log, which is read on request only

AUDIT = {"ZohoCRM.settings.audit_logs.CREATE", "ZohoFiles.files.READ"}


@both_ways
def test_the_scopes_of_the_audit_log_are_looked_at_where_it_is_asked_for(told, check):
    assert not [name for name in check(of(*EVERY, told=told)).checks if "audit" in name]
    done = check(of(*EVERY, told=told), "--audit-log")
    if told:
        assert (done.code, done["scope ZohoCRM.settings.audit_logs.CREATE"]) == (3, "failed")
        assert "no run of audit_log" in done.says("scope ZohoCRM.settings.audit_logs.CREATE")
        for scope in AUDIT:
            assert "authorize --audit-log`, which asks for it" in done.says(f"scope {scope}")
    else:
        assert (done.code, done["scope ZohoCRM.settings.audit_logs.CREATE"]) == (0, "unknown")
    assert check(of(*EVERY, *AUDIT), "--audit-log").code == 0


def test_authorize_asks_for_them_only_with_the_option():
    credentials = resolve_credentials("OAuthClientId=a;OAuthClientSecret=b;OAuthRefreshToken=c;")
    assert wanted([], [], credentials) == [*CRM.scopes]
    assert {*wanted([], [], credentials, audit_log=True)} == {*CRM.scopes} | AUDIT
    narrow = wanted(["Leads"], [], credentials, audit_log=True)
    assert {*AUDIT, "ZohoCRM.settings.audit_logs.READ"} <= {*narrow}
    assert "ZohoCRM.settings.CREATE" not in narrow

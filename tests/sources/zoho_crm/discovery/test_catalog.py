"""What an account offers becomes plans and skips, each with a reason, and one module hides no other."""

from __future__ import annotations

import shutil

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks, Rules
from sources.zoho_crm.discovery.catalog import PreviousState
from sources.zoho_crm.exceptions import CredentialsError, SettingsError, ZohoCrmError
from tests.support.reading import look, things
from tests.support.truth import landed, truth

pytestmark = pytest.mark.whole_account

FIELDS, COUNT = "GET /crm/v8/settings/fields", "GET /crm/v8/{module}/actions/count"


def skips_of(found):
    return {skip.module.api_name: skip.reason for skip in found.skips}


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("shape", ["object", "data", "list"])
def test_every_kind_of_unreadable_module_is_a_skip_with_a_reason(load_from, status, shape):
    load = load_from(Org(quirks=Quirks(no_permission_status_on_fields=status, error_shape=shape)))
    org = load.org
    things(org, 3)
    org.add_module(Module("Home", api_supported=False))
    org.add_module(Module("Scores", viewable=False))
    org.add_module(Module("Locks", no_permission=True))
    org.add_module(Module("Visits", fields_204=True))
    org.add_module(Module("CTI_Entry", invalid_module=True))
    org.add_module(Module("Rules", scope_mismatch=True))
    _, found = look(load)
    path = "GET /crm/v8/settings/fields?module="
    assert skips_of(found) == {
        "Home": "Zoho does not offer it by API",
        "Scores": "this user may not view it",
        "Locks": f"{status} NO_PERMISSION {path}Locks: permission denied",
        "Visits": "Zoho lists no fields for it",
        "CTI_Entry": f"400 INVALID_MODULE {path}CTI_Entry: the module name given seems to be invalid",
        "Rules": f"401 OAUTH_SCOPE_MISMATCH {path}Rules: invalid oauth scope to access this URL",
    }
    assert [plan.module.api_name for plan in found.plans] == ["Things"]
    assert found.failures == []
    assert len(org.ledger.calls("POST /oauth/v2/token")) == 1  # no new token brings a scope


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500, "times": 99}, "500 INTERNAL_ERROR GET /crm/v8/settings/fields?module=Broken"),
        ({"html": True, "times": 99}, "brought HTML, so something else than Zoho answered"),
        ({"empty": True, "times": 99}, "200 GET /crm/v8/settings/fields?module=Broken brought an empty body"),
        ({"reset": True, "times": 99}, "could not be reached"),
        ({"status": 200, "body": {"fields": None}}, "Zoho's answer has no list of fields"),
        ({"status": 200, "body": {"data": []}}, "Zoho's answer has no list of fields"),
        (
            {"status": 200, "body": {"fields": ["text"]}},
            "Zoho's list of fields holds something that is not an object",
        ),
    ],
)
def test_a_broken_module_is_a_failure_and_hides_no_other(load, org, fault, words):
    things(org, 3)
    org.add_module(Module("Broken"))
    org.faults.add(FIELDS, module="Broken", **fault)
    _, found = look(load)
    assert [(f.module.api_name, words in f.reason) for f in found.failures] == [("Broken", True)]
    assert [plan.module.api_name for plan in found.plans] == ["Things"]


def test_a_run_with_a_broken_module_lands_the_others_and_fails(load, org):
    things(org, 3)
    org.add_module(Module("Broken"))
    org.add_module(Module("Home", api_supported=False))
    org.faults.add(FIELDS, module="Broken", status=500, times=99)
    assert load("ReadAPI=REST").exit_code == 1
    assert landed(load, "things") == truth(org, "Things")
    runs = dict(load.rows("select module, status || ': ' || coalesce(error, '') from sync_runs"))
    assert runs["Things"] is None or runs["Things"] == "read: "
    assert runs["Home"] == "skipped: Zoho does not offer it by API"
    assert runs["Broken"].startswith("failed: 500 INTERNAL_ERROR")
    assert {"users", "org", "modules", "fields"} < runs.keys()
    assert load.rows("select count(*), count(distinct module) from sync_runs")[0][0] == len(runs)
    reasons = dict(load.rows("select api_name, skip_reason from modules"))
    assert reasons == {
        "Things": None,
        "Home": "Zoho does not offer it by API",
        "Broken": runs["Broken"].removeprefix("failed: "),
    }


def test_without_the_scope_for_modules_nothing_is_read(load, org):
    org.scopes = {s for s in org.scopes if not s.startswith("ZohoCRM.settings")}
    things(org, 3)
    with pytest.raises(CredentialsError, match="list the modules: 401 OAUTH_SCOPE_MISMATCH"):
        load("ReadAPI=REST")
    assert len(org.ledger.calls("POST /oauth/v2/token")) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 500}, "500 INTERNAL_ERROR GET /crm/v8/settings/modules"),
        ({"html": True}, "brought HTML, so something else than Zoho answered"),
        ({"empty": True}, "brought an empty body"),
        ({"reset": True}, "could not be reached"),
        ({"status": 200, "body": {"data": []}}, "Zoho's answer has no list of modules"),
    ],
)
def test_without_the_list_of_modules_there_is_one_sentence(load, org, fault, words):
    org.faults.add("GET /crm/v8/settings/modules", times=99, **fault)
    with pytest.raises(ZohoCrmError) as error:
        look(load)
    assert words in str(error.value)
    assert len(str(error.value).splitlines()) == 1


# ---- the choice


@pytest.mark.parametrize(
    ("name", "near"),
    [("Thing", "; did you mean Things?"), ("user", "; did you mean users?"), ("Zebra", "")],
)
@pytest.mark.parametrize("side", ["only", "never"])
def test_an_unknown_name_is_an_error_with_the_nearest_one(load, org, name, near, side):
    things(org, 1)
    with pytest.raises(SettingsError) as error:
        look(load, **{side: [name]})
    assert str(error.value) == f"the account has no module {name!r}{near} (`modules` lists them)"


def test_names_are_chosen_without_regard_to_case(load, org):
    things(org, 1)
    org.add_module(Module("Other"))
    _, found = look(load, only=["thINGS", "USERS"])
    assert found.choice.only == {"Things", "users"}
    assert [plan.module.api_name for plan in found.plans] == ["Things"]
    _, found = look(load, never=["things"])
    assert [plan.module.api_name for plan in found.plans] == ["Other"]


def test_a_module_named_like_one_of_our_tables_is_told_apart_by_its_spelling(load, org):
    org.add_module(Module("Users", generated_type="custom"))
    assert look(load, only=["users"])[1].choice.only == {"users"}
    assert look(load, only=["Users"])[1].choice.only == {"Users"}


# ---- calls at once, counts


def test_never_more_than_five_calls_at_once(load_from):
    """The Free edition bears five; that there are several, an edition of one call at a time would show."""
    org = Org(rules=Rules(concurrency=5, seconds_per_call=0.004))
    load = load_from(org)
    for number in range(12):
        org.add_module(Module(f"M{number}", [Field("Name", "text")]))
        org.insert(f"M{number}", {"Name": "x"})
    assert load().exit_code == 0
    assert org.ledger.calls(status=429) == []
    org.rules.concurrency, org.rules.seconds_per_call = 1, 0.05
    look(load)
    assert org.ledger.calls(status=429) != []


def test_a_refused_count_is_no_obstacle(load, org):
    org.scopes -= {"ZohoSearch.securesearch.READ"}
    things(org, 3)
    _, found = look(load, "")
    (plan,) = found.plans
    assert (plan.rows, plan.api, plan.reason) == (None, "bulk", "first load, Zoho gives no count")


@pytest.mark.parametrize("fault", [{"status": 500, "times": 99}, {"status": 200, "body": {"count": "many"}}])
def test_a_count_that_makes_no_sense_is_none(load, org, fault):
    things(org, 3)
    org.faults.add(COUNT, **fault)
    assert [plan.rows for plan in look(load, "")[1].plans] == [None]


# ---- the names of tables


def collide(org):
    for name in ("Users", "Sync_Runs", "Foo_Bar", "FooBar", "名前", "顧客"):
        org.add_module(Module(name, [Field("Name", "text")], generated_type="custom"))
        org.insert(name, {"Name": f"of {name}"})


NAMED = {"Users": "users_2", "Sync_Runs": "sync_runs_2", "Foo_Bar": "foo_bar", "FooBar": "foo_bar_2"}


def test_tables_whose_names_collide_are_told_apart_and_keep_their_names(load, org):
    collide(org)
    assert load("ReadAPI=REST").exit_code == 0
    tables = {r.name: r.table for r in load.run.readings if r.plan}
    assert NAMED.items() < tables.items()
    assert len(set(tables.values())) == 6
    assert all(name.isascii() and name.isidentifier() for name in tables.values())
    for module, table in tables.items():
        assert load.rows(f"select name from {table}") == [(f"of {module}",)]
    # Zoho lists them in another order, with one more, and this machine has forgotten everything.
    org.modules = dict(reversed(org.modules.items()))
    org.add_module(Module("Foo__Bar", [Field("Name", "text")], generated_type="custom"))
    org.modules = dict(reversed(org.modules.items()))
    shutil.rmtree(load.folder / "p")
    assert load("ReadAPI=REST").exit_code == 0
    again = {r.name: r.table for r in load.run.readings if r.plan}
    assert again == {**tables, "Foo__Bar": "foo_bar_3"}
    assert load.rows("select name from foo_bar_3") == []


def test_a_name_that_was_given_stays_whatever_comes_later(load, org):
    collide(org)
    memory = PreviousState(tables={"FooBar": "foo_bar"})
    assert look(load, memory=memory)[1].tables["Foo_Bar"] == "foo_bar_2"


def test_a_field_without_a_name_is_told_and_the_others_come(load, org):
    things(org, 2, fields=1)
    named = {"api_name": "F0", "data_type": "text", "json_type": "string"}
    body = {"fields": [{"id": "77", "data_type": "text"}, named]}
    org.faults.add("GET /crm/v8/settings/fields", module="Things", status=200, body=body)
    _, found = look(load, only=["Things"])
    plan = found.plans[0]
    assert [c.name for c in plan.columns] == ["id", "f0"]
    assert plan.left_out == (("a field without a name, id 77", "Zoho lists it without a name"),)


def test_a_module_without_a_name_is_told_and_the_others_come(load, org):
    things(org, 1)
    body = {"modules": [{"id": "77"}, {"api_name": "Things"}]}
    org.faults.add("GET /crm/v8/settings/modules", status=200, body=body)
    _, found = look(load)
    assert [plan.module.api_name for plan in found.plans] == ["Things"]
    assert [skip.module.api_name for skip in found.skips] == ["a module without a name, id 77"]


def test_nothing_left_to_read_is_a_mistake(load, org):
    things(org, 1)
    with pytest.raises(SettingsError, match="nothing is left to read"):
        look(load, only=["Things"], never=["things"])


def test_an_unknown_refusal_of_the_fields_is_a_failure(load, org):
    things(org, 1)
    body = {"code": "SOMETHING_NEW", "details": {}, "message": "no", "status": "error"}
    org.faults.add("GET /crm/v8/settings/fields", module="Things", status=400, body=body)
    _, found = look(load)
    assert [failure.module.api_name for failure in found.failures] == ["Things"]
    assert not found.skips

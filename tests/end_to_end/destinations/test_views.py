"""`views`: what a person reads, in DuckDB and in PostgreSQL; runs keep it up to date, and nobody else's view is touched."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import unquote

import duckdb
import pytest

from simulators.zoho_crm import Field, Module, Org
from simulators.zoho_crm.crm.models import PickListValue
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.commanding import account, command

__all__ = ["account", "command", "postgres"]  # fixtures
ODD = 'Betrag "netto" 💶 100%'
LONG = f"{'Wie viele Türme ' * 5}hat er?"


@pytest.fixture
def org():
    org = Org()
    org.time_zone = "America/New_York"
    stages = [PickListValue("Open", "Opened"), PickListValue("Won", "Won")]
    org.add_module(Module("Accounts", [Field("Account_Name", "text")]))
    fields = [
        Field("Deal_Name", "text"),
        Field("Amount", "currency", label=ODD),
        Field("Amount_2", "double", label=ODD.upper()),
        Field("Long_1", "text", label=LONG),
        Field("Long_2", "text", label=LONG),
        Field("Currency", "picklist", pick_list_values=["EUR", "USD"]),
        Field("Stage", "picklist", pick_list_values=stages),
        Field("Colours", "multiselectpicklist", pick_list_values=[*stages, "Blue; faded"]),
        Field("Account_Name", "lookup", lookup_module="Accounts"),
        Field("Lines", "subform", subform_module="Lines"),
        Field("Met", "datetime"),
    ]
    org.add_module(Module("Deals", fields))
    org.add_module(
        Module("Lines", [Field("Price", "currency")], generated_type="subform", parent_module="Deals")
    )
    modules = {"multi_module_lookup": {"modules": [{"api_name": "Accounts"}, {"api_name": "Deals"}]}}
    about = Field("About", "multi_module_lookup", extra=modules)
    org.add_module(Module("Visits", [Field("Name", "text"), about]))
    account = org.insert("Accounts", {"Account_Name": "Light & Sons"})
    deal = org.insert(
        "Deals",
        {
            "Deal_Name": "tower",
            "Amount": "12.5",
            "Amount_2": 2.5,
            "Currency": "USD",
            "Stage": "Opened",
            "Colours": ["Blue; faded", "Opened"],
            "Account_Name": {"id": account},
            "Met": datetime(2026, 7, 1, 12, tzinfo=timezone.utc),
            "Lines": [{"Price": "3"}],
        },
    )
    for module, id in (("Accounts", account), ("Deals", deal)):
        org.insert("Visits", {"Name": f"visit of {module}", "About": {"id": id, "module": module}})
    return org


@pytest.fixture(params=["duckdb", "postgres"])
def crm(request, org, account, command, monkeypatch):
    """`crm("views", "--labels")` against a loaded destination, and `crm.select` to look into it."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else {}
    place = {**server, "host": unquote(str(server.get("host")))}

    def select(query, *, change=False):
        if request.param == "duckdb":
            with duckdb.connect("zoho.duckdb", read_only=not change) as database:
                return database.execute(query).fetchall()
        import psycopg2

        names = {"dbname": place["database"], "user": place["username"]}
        connection = psycopg2.connect(host=place["host"], port=place["port"], **names)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def call(*words):
        return command(*words, "--destination", request.param)

    for key, value in server.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{key.upper()}", str(value))
    if request.param == "postgres":
        select("drop schema if exists zoho_crm_views cascade; drop schema if exists zoho_crm cascade")
    assert call("run", "--progress", "off", "--quiet").code == 0
    call.select = select
    return call


def columns(crm, view):
    found = crm.select(
        "select column_name from information_schema.columns"
        f" where table_schema = 'zoho_crm_views' and table_name = '{view}'"
    )
    return {name for (name,) in found}


def test_a_view_has_names_labels_money_and_local_times(org, crm):
    calls = len(org.ledger.calls())
    done = crm("views", "--labels")
    assert (done.code, done.err) == (0, "")
    assert len(org.ledger.calls()) == calls
    quoted = ODD.replace('"', '""')
    shown = f'"Owner", "Account Name", "{quoted}", "{quoted} (currency)", "Stage", "Colours", "Met"'
    assert crm.select(f"select {shown} from zoho_crm_views.deals") == [
        (
            org.user["full_name"],
            "Light & Sons",
            12.5,
            "USD",
            "Open",
            "Blue; faded; Open",
            datetime.fromisoformat("2026-07-01T08:00:00"),
        )
    ]
    assert crm.select('select "Price", "Price (currency)" from zoho_crm_views.lines') == [(3, "USD")]
    visits = crm.select('select "Name", "About" from zoho_crm_views.visits order by 1')
    assert visits == [("visit of Accounts", "Light & Sons"), ("visit of Deals", "tower")]
    names = columns(crm, "deals")
    assert f"{ODD.upper()} (amount_2)" in names
    assert len([name for name in names if name.startswith("Wie viele")]) == 2
    assert not names & {"deleted_at", "_dlt_id"}


@pytest.mark.cases(1)
def test_a_run_keeps_them_up_to_date_and_touches_nobody_elses(org, crm):
    crm("views")
    assert crm.select("select owner, account_name from zoho_crm_views.deals") == [
        (org.user["full_name"], "Light & Sons")
    ]
    for statement in (
        "create or replace view zoho_crm_views.visits as select 1 as mine",
        "create view zoho_crm_views.my_own as select 2 as mine",
        "drop table zoho_crm.lines cascade",
    ):
        if crm.select("select 1") and "visits" in statement:
            crm.select("drop view zoho_crm_views.visits", change=True)
        crm.select(statement, change=True)
    org.add_field("Deals", Field("New", "text"))
    org.modules["Deals"].fields[0].label = "Renamed"
    org.modules.pop("Lines")
    org.insert("Deals", {"Deal_Name": "second", "New": "it is"})
    done = crm("run", "--progress", "off")
    assert done.code == 0
    assert crm.select("select new from zoho_crm_views.deals where deal_name = 'second'") == [("it is",)]
    assert crm.select("select mine from zoho_crm_views.visits") == [(1,)]
    assert crm.select("select mine from zoho_crm_views.my_own") == [(2,)]
    assert "  visits: somebody made or changed it" in done.out.partition("Views that are not up to date")[2]
    assert columns(crm, "lines") == set()


@pytest.mark.long
def test_labels_stay_until_the_command_says_otherwise_and_all_can_go(org, crm):
    crm("views", "--labels")
    org.modules["Deals"].fields[0].label = "Renamed"
    assert crm("run", "--progress", "off", "--full-refresh").out.count("not up to date") == 0
    assert {"Renamed", "Owner ID"} <= columns(crm, "deals")
    crm("views")
    assert {"deal_name", "owner__id"} <= columns(crm, "deals")
    done = crm("views", "--drop")
    assert done.code == 0
    assert crm.select("select 1 from information_schema.schemata where schema_name = 'zoho_crm_views'") == []


def test_a_destination_without_views_says_so(account, command, tmp_path, monkeypatch):
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "files"))
    done = command("views", "--destination", "filesystem")
    assert (done.code, done.out) == (2, "")
    assert "The destination filesystem gets no views from here" in done.err

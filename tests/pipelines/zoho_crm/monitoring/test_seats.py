"""`seats`: who holds a licence, what they did last, and which licences can be given back."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta, timezone

import pytest

from simulators.zoho_crm import Clock, Field, Module, Org
from tests.support.commanding import account, command

__all__ = ["account", "command"]  # fixtures
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def org():
    """Users whose last activity is 100, 70, 40 and 0 days before the end, and some that hold no licence."""
    org = Org(clock=Clock(START))
    org.account.license = {"users_license_purchased": 9, "paid_type": "enterprise"}
    org.add_module(Module("Apples", [Field("Name", "text")], generated_type="custom"))
    org.add_module(Module("Pears", [Field("Name", "text")], generated_type="custom"))
    account = org.account
    account.add_role("Seller", reporting_to="CEO")
    people = {}
    for name in ("Creator", "Changer", "Owner", "Deleter", "Nobody", 'Former, "Jr" 🍐'):
        people[name] = account.add_user(None, name, role="Seller", profile="Standard")
    people['Former, "Jr" 🍐']["status"] = "inactive"
    account.add_user("Paula", "Portal", type__s="Client Portal User")

    def me(name):
        return {"id": people[name]["id"], "name": name}

    org.insert("Apples", {"Name": "a", "Created_By": me("Creator"), "Modified_By": me("Creator")})
    org.clock.advance(days=30)
    pear = org.insert("Pears", {"Name": "b"})
    org.edit("Pears", pear, Modified_By=me("Changer"))
    org.clock.advance(days=30)
    owned = org.insert("Pears", {"Name": "c", "Owner": me("Owner")})
    org.clock.advance(days=40)
    org.edit("Pears", owned, Name="changed by Ada, which is nothing that its owner did")
    account.add_user(None, "Newcomer", confirm=False)
    return org


@pytest.fixture
def seats(account, command):
    def call(*words):
        done = command("seats", *words)
        assert (done.code, done.err) == (0, "")
        return done

    assert command("run", "--progress", "off", "--quiet").code == 0
    return call


def rows(done):
    return list(csv.DictReader(done.out.splitlines(keepends=True)))


def test_each_user_has_what_they_did_last_and_the_days_since(org, seats):
    found = {row["name"]: row for row in rows(seats("--format", "csv"))}
    assert set(found) == {user["full_name"] for user in org.account.users}
    assert {
        name: (row["licence"], row["last_activity"], row["activity"], row["days_idle"])
        for name, row in found.items()
    } == {
        "Ada Admin": ("user", (START + timedelta(days=100)).isoformat(), "changed: pears", "0"),
        "Creator": ("user", START.isoformat(), "created: apples", "100"),
        "Changer": ("user", (START + timedelta(days=30)).isoformat(), "changed: pears", "70"),
        "Owner": ("user", (START + timedelta(days=60)).isoformat(), "owns: pears", "40"),
        "Deleter": ("user", "", "", "100"),
        "Nobody": ("user", "", "", "100"),
        "Newcomer": ("user", "", "", "0"),
        "Paula Portal": ("portal", "", "", "100"),
        'Former, "Jr" 🍐': ("", "", "", "100"),
    }
    assert found["Creator"]["role"] == "Seller"
    assert found["Creator"]["profile"] == "Standard"
    assert (found["Newcomer"]["confirmed"], found["Creator"]["confirmed"]) == ("False", "True")
    assert found["Creator"]["user_id"] == org.account.users[1]["id"]


@pytest.mark.long
def test_a_deletion_is_an_activity_of_who_deleted(org, account, command, seats):
    org.account.user = next(u for u in org.account.users if u["full_name"] == "Deleter")
    org.clock.advance(hours=1)
    org.delete("Apples", org.records("Apples")[0].id)
    org.clock.advance(hours=1)
    command("run", "--progress", "off", "--quiet")
    found = {row["name"]: row for row in rows(seats("--format", "csv"))}
    assert (found["Deleter"]["activity"], found["Deleter"]["days_idle"]) == ("deleted: deleted_records", "0")
    assert found["Creator"]["last_activity"] == "", "the only record of this user is gone"


def test_the_list_to_take_back_holds_only_users_with_a_licence_the_longest_idle_first(seats):
    assert [row["name"] for row in rows(seats("--idle", "60", "--format", "csv"))] == [
        "Deleter",
        "Nobody",
        "Creator",
        "Changer",
    ]
    assert seats("--idle", "101", "--format", "csv").out.count("\n") == 1, "the names of the columns alone"


def test_the_sums_and_what_they_cost(seats):
    *_, summary = seats("--price", "39.90", "--format", "json").events
    counts = {"bought": 9, "used": 7, "free": 2, "idle_30": 5, "idle_60": 4, "idle_90": 3}
    assert {name: summary[name] for name in counts} == counts
    assert summary["bought_cost"] == "359.10"
    assert summary["idle_60_cost"] == "159.60"
    assert len(summary["definitions"]) == 4


@pytest.mark.long
def test_a_person_reads_the_sums_and_how_they_are_counted(seats):
    done = seats("--price", "40")
    assert "  idle for 60 days or more: 4, 160\n" in done.out
    assert "\nHow it is counted:\n  last activity: the newest time" in done.out
    assert done.out.splitlines()[-1] == (
        "7 user licences used of 9 bought; idle: 5 for 30 days, 4 for 60 days, 3 for 90 days."
    )


@pytest.mark.long
def test_no_call_is_made_and_no_credentials_are_needed(org, seats, monkeypatch):
    monkeypatch.delenv("SOURCES__ZOHO_CRM__CREDENTIALS")
    before = len(org.ledger.calls())
    seats()
    assert len(org.ledger.calls()) == before


@pytest.mark.long
def test_without_the_table_of_users_it_says_so(account, command):
    command("run", "--modules", "Apples", "--progress", "off", "--quiet")
    done = command("seats")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: The table users is not in the dataset zoho_crm in duckdb, or empty: a run that reads users fills"
        " it.\n"
    )


@pytest.mark.parametrize("price", ["much", "-1", "NaN"])
def test_a_price_is_a_number(command, price):
    done = command("seats", f"--price={price}")
    assert done.code == 2
    assert f"'{price}' is not a price" in done.err

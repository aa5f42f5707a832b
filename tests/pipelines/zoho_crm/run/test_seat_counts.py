"""The history of seats and licences, which the account itself does not keep."""

from __future__ import annotations

import json

import pytest

from simulators.zoho_crm import Module

pytestmark = pytest.mark.whole_account

SEATS = (
    "select edition, licenses, active, inactive, deleted, unconfirmed from zoho.seat_counts order by read_at"
)


@pytest.fixture(autouse=True)
def module(org):
    """An account without any module is not believed."""
    org.add_module(Module("Things"))


def test_each_run_writes_down_what_is_paid_for_and_who_uses_it(load, org):
    org.account.license = {"users_license_purchased": 9, "paid_type": "enterprise"}
    for name, more in {"A": {}, "B": {"confirm": False}, "C": {"status": "inactive"}}.items():
        org.account.add_user(name, name, **more)
    org.account.add_user("P", "P", type__s="Client Portal User")
    calls = load().calls
    org.account.license["users_license_purchased"] = 12
    org.account.users[1]["status"] = "deleted"
    org.account.users[2]["status"] = "disabled"
    run = load()
    assert run.exit_code == 0
    assert run.calls <= calls  # it costs none
    assert load.rows(SEATS) == [("enterprise", 9, 4, 1, 0, 1), ("enterprise", 12, 2, 2, 1, 0)]
    by_type = load.rows("select active_by_type from zoho.seat_counts order by read_at")
    assert json.loads(by_type[0][0]) == {"Regular User": 3, "Client Portal User": 1}
    ids = "select distinct run_id from zoho.{} order by 1"
    assert load.rows(ids.format("seat_counts")) == load.rows(ids.format("sync_runs"))


@pytest.mark.long
def test_without_the_users_only_the_licence_is_known(load, org):
    org.scopes -= {scope for scope in org.scopes if "users" in scope.casefold()}
    org.account.license = {"users_license_purchased": 9, "paid_type": "enterprise"}
    load()
    assert load.rows(SEATS) == [("enterprise", 9, None, None, None, None)]


def test_a_run_that_reads_neither_table_writes_nothing(load, org):
    load(only=["roles"])
    assert load.rows("select count(*) from information_schema.tables where table_name = 'seat_counts'") == [
        (0,)
    ]


@pytest.mark.long
def test_it_can_be_left_out(load, org):
    load(never=["seat_counts"])
    assert load.rows("select count(*) from information_schema.tables where table_name = 'seat_counts'") == [
        (0,)
    ]

"""A multi-user look-up comes as the table of its linking module, in both forms in which metadata names that."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.syncing import agrees, sync

LINKS = "Deals_X_Users"


def deals_with_teams(form):
    """Two deals, and the users that look after them."""
    org = Org(quirks=Quirks(multi_user_linking_module=form))
    team = Field("Team", "multiuserlookup", linking_module=LINKS, linking_field="Deal")
    org.add_module(Module("Deals", [Field("Deal_Name", "text"), team]))
    links = [Field("Deal", "lookup", lookup_module="Deals"), Field("Member", "userlookup")]
    org.add_module(Module(LINKS, links, generated_type="linking", display_field="id"))
    deals = [org.insert("Deals", {"Deal_Name": name}) for name in ("first", "second")]
    user = org.account.users[0]["id"]
    rows = [org.insert(LINKS, {"Deal": deal, "Member": user}) for deal in deals for _ in range(2)]
    return org, deals, rows, user


@pytest.mark.parametrize("form", ["text", "object"])
@pytest.mark.parametrize("api", ["auto", "bulk"])
@pytest.mark.cases(1)
def test_its_rows_are_a_table_that_follows_links_and_records(load_from, form, api):
    org, deals, rows, user = deals_with_teams(form)
    load = load_from(org)
    sync(load, "Deals", LINKS, settings=f"ReadAPI={api}")
    agrees(load, LINKS)
    assert load.rows("select distinct deal__id from deals_x_users order by 1") == [
        (id,) for id in sorted(deals)
    ]
    assert {member for (member,) in load.rows("select member__id from deals_x_users")} == {user}
    (why,) = (why for name, why in load.reading("Deals").plan.left_out if name == "Team")
    assert why == "its rows are the module Deals_X_Users"

    org.clock.advance(hours=1)
    org.remove_row(LINKS, rows[0])
    org.insert(LINKS, {"Deal": deals[0], "Member": user})
    sync(load, "Deals", LINKS, settings=f"ReadAPI={api}")
    agrees(load, LINKS)

    org.clock.advance(hours=1)
    org.delete("Deals", deals[1])
    sync(load, "Deals", LINKS, settings=f"ReadAPI={api}")
    agrees(load, LINKS)
    assert {deal for (deal,) in load.rows("select deal__id from deals_x_users")} == {deals[0]}

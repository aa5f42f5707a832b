"""The switches: each with all its values, and any mixture of them an account that could be."""

from __future__ import annotations

from dataclasses import fields
from random import Random

import pytest

from simulators.zoho_crm import Org, Quirks
from simulators.zoho_crm.quirks import impossible
from tests.simulators.zoho_crm.calling import query, read
from tests.simulators.zoho_crm.deals import children_org, deal_of, sizes
from tests.simulators.zoho_crm.wire import wired

ALONE = {
    "bulk_rows_per_second",
    "coql_reach",
}  # a measured speed; a limit that only older versions have lower


def test_every_switch_lists_its_values_and_its_default_is_the_first():
    for switch in fields(Quirks):
        choices = switch.metadata["choices"]
        assert choices[0] == switch.default, switch.name
        assert len(set(map(repr, choices))) == len(choices) > (switch.name not in ALONE), switch.name


def test_a_shuffle_reaches_every_value_of_every_switch():
    random = Random(1)
    seen = [Quirks.shuffled(random) for _ in range(200)]
    for switch in fields(Quirks):
        values = {repr(getattr(quirks, switch.name)) for quirks in seen}
        assert values == set(map(repr, switch.metadata["choices"])), switch.name


def test_equal_seeds_shuffle_equally():
    assert Quirks.shuffled(Random(7)) == Quirks.shuffled(Random(7)) != Quirks.shuffled(Random(8))


def test_no_shuffled_account_contradicts_itself():
    random = Random(2)
    assert not any(impossible(Quirks.shuffled(random)) for _ in range(200))


def test_a_pinned_switch_stays():
    for seed in range(20):
        quirks = Quirks.shuffled(Random(seed), count_lag_minutes=3, deleted_of_notes="offered")
        assert (quirks.count_lag_minutes, quirks.deleted_of_notes) == (3, "offered")


def test_what_stays_when_its_record_goes_is_in_no_feed():
    for seed in range(20):
        quirks = Quirks.shuffled(Random(seed), notes_go_with_record=False)
        assert not quirks.notes_in_deleted
        assert not quirks.notes_in_recycle_bin
        assert quirks.merge_moves_notes != "lost"


@pytest.mark.parametrize("seed", range(12))
def test_an_account_with_any_switches_works(seed):
    org = children_org()
    org.quirks = Quirks.shuffled(Random(seed), bulk_seconds_per_job=None, bearer_accepted=True)
    first, second, third = (deal_of(org, name) for name in "abc")
    everything = sizes(org)
    org.clock.advance(minutes=11)  # more than anything lags
    with wired(org) as wire:
        assert len(wire.rows("Deals", fields="Deal_Name")) == 3
        assert wire.get("Deals/actions/count").json() == {"count": 3}
        org.delete("Deals", first)
        org.restore("Deals", first)
        assert sizes(org) == everything
        org.merge("Deals", second, [third])
        org.clock.advance(minutes=11)
        assert len(wire.rows("Deals", fields="Deal_Name")) == 2
        assert wire.get("Deals/deleted").status_code in (200, 204)
        assert wire.get("Rows/deleted").status_code in (204, 200, 400)
        assert wire.get("settings/recycle_bin").status_code in (200, 204)
    assert len(query(org, "select Deal_Name from Deals where id is not null").body["data"]) == 2
    assert len(read(org, "Deals", fields=["Deal_Name"])) == 2


def test_an_org_starts_with_the_defaults():
    assert Org().quirks == Quirks()

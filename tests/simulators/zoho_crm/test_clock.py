"""The clock stands still or runs, and never goes back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.zoho_crm import Clock


def test_the_clock_stands_until_it_is_moved():
    clock = Clock()
    assert clock.now() == clock.now()
    before = clock.now()
    assert clock.advance(1.5, minutes=1) - before == timedelta(seconds=61.5)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)


def test_a_real_clock_runs_and_can_be_moved_too():
    clock = Clock.real()
    before = clock.now()
    assert clock.advance(hours=1) - before >= timedelta(hours=1)

"""A run that is killed, as by kill -9, at a call or a commit: the next run is right."""

from __future__ import annotations

import pytest

from tests.model.killing import run_and_kill
from tests.support.connecting import assert_tables


@pytest.mark.parametrize("moment", [4, 12, 25])
@pytest.mark.cases(1)
def test_the_run_after_a_killed_one_is_right(suite, read, moment):
    for number in range(120):
        suite.desk.insert("tickets", {"subject": f"{number}"})
    read.good("desk", "tickets")
    read.let_go()
    suite.clock.advance(hours=1)
    suite.desk.edit("tickets", suite.desk.rows("tickets")[0].id, subject="edited")
    suite.desk.insert("tickets", {"subject": "new"})
    code = run_and_kill(suite, lambda _: read("desk", "tickets", "agents").exit_code, moment)
    assert code in (None, 0)
    read.good("desk", "tickets")
    assert_tables(read, suite, "desk", "tickets")

"""A row that was edited while pages moved may come twice; other rows with the same key are told."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from sources.zoho_api.keys import KeyCheck, Parent
from sources.zoho_crm.exceptions import ExtractError

SETTLED = datetime(2026, 11, 29, tzinfo=timezone.utc)
OLD, NEW = "2026-11-01T00:00:00.000Z", "2026-11-30T00:00:00.000Z"
CHANGES = KeyCheck("boats", ("no",), cursor="at", settled=SETTLED)
WHOLE = KeyCheck("boats", ("no",), repeats=False)
OVERLAPPING = KeyCheck("boats", ("no",))
CHILDREN = KeyCheck("log", ("no",), Parent("boats", ("no",)))


@pytest.mark.parametrize(
    ("check", "first", "second", "is_told"),
    [
        (CHANGES, {"no": 1, "at": OLD}, {"no": 1, "at": OLD}, False),  # the same row once more
        (CHANGES, {"no": 1, "at": OLD}, {"no": 1, "at": NEW}, False),  # edited since
        (CHANGES, {"no": 1, "at": OLD, "a": 1}, {"no": 1, "at": OLD, "a": 2}, True),
        (CHANGES, {"no": 1, "at": 5}, {"no": 1, "at": 6}, False),  # nobody knows what 6 is
        (WHOLE, {"no": 1, "a": 1, "b": 2}, {"b": 2, "a": 1, "no": 1}, False),
        (WHOLE, {"no": 1, "a": 1}, {"no": 1, "a": 2}, True),
        (OVERLAPPING, {"no": 1, "a": 1}, {"no": 1, "a": 2}, False),
        (CHILDREN, {"no": 1, "a": 1, "_boats_no": 1}, {"no": 1, "a": 2, "_boats_no": 1}, False),
        (CHILDREN, {"no": 1, "a": 1, "_boats_no": 1}, {"no": 1, "a": 1, "_boats_no": 2}, False),
        (CHILDREN, {"no": 1, "a": 1, "_boats_no": 1}, {"no": 1, "a": 2, "_boats_no": 2}, True),
    ],
)
def test_rows_of_two_answers(check, first, second, is_told):
    check._seen.clear()
    check(dict(first))
    if is_told:
        with pytest.raises(
            ExtractError, match="have the same primary_key no, so only one of them would stay"
        ):
            check(dict(second))
    else:
        assert "_boats_no" not in check(dict(second))


def test_rows_of_one_answer_that_differ_are_never_versions_of_one():
    CHANGES.check_answer([{"no": 1, "at": NEW}, {"no": 1, "at": NEW}, {"no": 2, "at": NEW}])
    with pytest.raises(ExtractError, match="different rows of boats"):
        CHANGES.check_answer([{"no": 1, "at": OLD}, {"no": 1, "at": NEW}])

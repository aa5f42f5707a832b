"""Multi-select values through Bulk Read: the true lists, for as few calls as they take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.reading import read, rows_of

BULK = "ReadAPI=Bulk"
LIST = "GET /crm/v8/{module}"


@pytest.fixture(params=[";", ","])
def multi(request: pytest.FixtureRequest, load_from) -> Callable:
    """Reads rows with these values by Bulk Read; gives their lists and the number of calls it took."""

    def values_and_calls(known: list[str], cells: list[list[str]]) -> tuple[list[list[str]], int]:
        org = Org(quirks=Quirks(bulk_multiselect_separator=request.param))
        fields = [Field("Multi", "multiselectpicklist", pick_list_values=known)]
        org.add_module(Module("Things", fields, generated_type="custom"))
        ids = [org.insert("Things", {"Multi": cell}) for cell in cells]
        reading = read(load_from(org), "Things", BULK)
        rows = rows_of(reading)
        assert reading.api == "bulk"
        # One call more looks for records that wait for approval.
        calls = [call for call in org.ledger.calls(LIST) if call.query.get("approved") != "false"]
        return [rows[row]["multi"] for row in ids], len(calls)

    return values_and_calls


def test_a_value_that_its_field_has_lost_proves_no_separator(multi):
    cells = [["A,B"], ["A;B"], *[["A", "C"], ["B", "C"], ["C", "A", "B"]] * 80]
    # One call for the separator, one because C, A, B may now be C and a lost value.
    assert multi(["A", "B", "C"], cells) == (cells, 2)


def test_a_lost_value_alone_is_one_value(multi):
    for lost in ("A,B", "A;B"):
        cells = [[lost]] * 3
        assert multi(["A", "B"], cells)[0] == cells


def test_thousands_of_cells_with_a_lost_value_take_one_call(multi):
    cells = [["A", "gone"], ["gone", "B"], ["gone", "lost", f"A{7}"]] * 1_000
    assert multi(["A", "B"], cells) == (cells, 1)


def test_lost_values_beside_a_value_with_separators_take_one_call_for_all_rows_of_a_text(multi):
    cells = [["A", f"gone {number % 90}"] for number in range(900)] + [["x;y"], ["x,y", "A"]]
    assert multi(["A", "x;y", "x,y"], cells) == (cells, 1)


def test_texts_with_two_readings_are_asked_for_row_by_row(multi):
    known = ["A", "B", "A;B", "A,B"]
    cells = [["A", "B"], ["A;B"], ["A,B"], ["B", "A"]] * 30
    found, calls = multi(known, cells)
    assert found == cells
    assert calls == 2


def test_a_field_without_listed_values_is_asked_for_once_a_text(multi):
    cells = [["A", "B"], ["B;A"], ["C,A"]] * 50
    found, calls = multi([], cells)
    assert found == cells
    assert calls <= 3


def test_cells_of_one_value_take_no_call(multi):
    cells = [["A"], ["x;y"], ["x,y"], ["gone"]] * 5
    assert multi(["A", "x;y", "x,y"], cells) == (cells, 0)

"""A table on a terminal: no word is broken, and what has no room gives way in a fixed order."""

from __future__ import annotations

import pytest

from pipelines.zoho_crm import console
from pipelines.zoho_crm.console import Console

COLUMNS = ("module", "table", "reason", "rows")
ROW = (
    "Lighthouses_X_Products_of_the_North",
    "lighthouses_x_products_of_the_north",
    "read whole " * 6,
    1_234_567,
)


@pytest.fixture
def printed(monkeypatch, capsys):
    def table(width, spare):
        monkeypatch.setattr(console, "terminal_width", lambda: width)
        monkeypatch.setenv("COLUMNS", str(width))
        Console("text").table(COLUMNS, [ROW], spare)
        return capsys.readouterr().out

    return table


@pytest.mark.parametrize(("width", "gone"), [(200, set()), (151, set()), (118, {"table"}), (114, {"table"})])
def test_columns_that_can_be_spared_go_where_there_is_no_room(width, gone, printed):
    out = printed(width, ("table", "reason"))
    assert {name for name in COLUMNS if name not in out.split()} == gone
    assert "Lighthouses_X_Products_of_the_North" in out and "1,234,567" in out
    assert out.split().count("whole") == 6
    assert max(map(len, out.splitlines())) <= width


def test_the_first_ones_go_first(printed):
    out = printed(100, ("reason", "table"))
    assert "whole" not in out and "lighthouses_x_products_of_the_north" in out

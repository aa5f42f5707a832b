"""How a Bulk Read archive looks, cell by cell."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from simulators.zoho_crm.bulk_read.archive import Dialect, write_csv, zip_csv

BERLIN = Dialect(ZoneInfo("Europe/Berlin"))
SUMMER = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.timezone.utc)
WINTER = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)


def cell(value: object, dialect: Dialect = BERLIN) -> str:
    text = write_csv(["Id", "Value"], [["1", value]], dialect)
    return list(csv.reader(io.StringIO(text, newline="")))[1][1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, "", id="null"),
        pytest.param("", "", id="the empty string"),
        pytest.param("007", "007", id="digits as text"),
        pytest.param('a "b", c', 'a "b", c', id="quotes and a comma"),
        pytest.param("one\ntwo\r\nthree", "one\ntwo\r\nthree", id="line ends inside a value"),
        pytest.param("שלום 👋", "שלום 👋", id="right to left and an emoji"),
        pytest.param(12, "12", id="an integer"),
        pytest.param(Decimal("1234567.123456789"), "1234567.123456789", id="nine decimals"),
        pytest.param(Decimal("1E+3"), "1000", id="a decimal without exponent"),
        pytest.param(1e-7, "0.0000001", id="a double without exponent"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param(datetime.date(2026, 3, 1), "2026-03-01", id="a date"),
        pytest.param(SUMMER, "2026-07-01T14:00:00+02:00", id="a time in summer"),
        pytest.param(WINTER, "2026-01-01T13:00:00+01:00", id="a time in winter"),
        pytest.param({"id": "17", "name": "Acme"}, "17", id="a lookup is its bare id"),
        pytest.param({"RRULE": "FREQ=DAILY"}, "FREQ=DAILY", id="a rule is its bare text"),
        pytest.param(["a", "b;c"], "a;b;c", id="a multi-select"),
        pytest.param([{"name": "x", "id": "1"}, {"name": "y", "id": "2"}], "x,y", id="tags"),
    ],
)
def test_a_cell_spells_a_value_as_zoho_does(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_the_open_questions_of_the_file_are_switches() -> None:
    other = Dialect(
        datetime.timezone.utc, multiselect_separator=",", true="TRUE", false="FALSE", line_end="\r\n"
    )
    assert write_csv(["Id", "A", "B"], [["1", True, ["a", "b"]]], other) == 'Id,A,B\r\n1,TRUE,"a,b"\r\n'


def test_quotes_are_doubled_and_plain_cells_are_bare() -> None:
    assert (
        write_csv(["Id", "A"], [["1", 'say "hi"'], ["2", "plain"]], BERLIN)
        == 'Id,A\n1,"say ""hi"""\n2,plain\n'
    )


def test_a_value_that_no_cell_can_hold_is_an_error() -> None:
    with pytest.raises(TypeError, match="set"):
        write_csv(["Id"], [[{1}]], BERLIN)


def test_the_archive_has_exactly_one_member_and_equal_jobs_give_equal_bytes() -> None:
    archive = zip_csv("1.csv", "Id\n1\n", SUMMER)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.namelist() == ["1.csv"]
        assert files.read("1.csv") == b"Id\n1\n"
    assert archive == zip_csv("1.csv", "Id\n1\n", SUMMER)

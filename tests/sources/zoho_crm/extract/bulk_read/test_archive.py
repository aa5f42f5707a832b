"""Archives that Zoho, a gateway or a bad line may bring: read whole, or refused as a whole."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.zoho_crm.extract.bulk_read.archive import CorruptArchiveError, read_archive
from sources.zoho_crm.models import Field
from sources.zoho_crm.transform.arrow_tables import records_table
from sources.zoho_crm.transform.column_types import Column, ColumnType

ID = Column("id", Field("id", "bigint"), ColumnType.TEXT)
NAME = Column("name", Field("Name", "text"), ColumnType.TEXT)
SIZE = Column("size", Field("Size", "integer"), ColumnType.BIGINT)
TYPED = (
    ColumnType.BIGINT,
    ColumnType.DOUBLE,
    ColumnType.DECIMAL,
    ColumnType.BOOL,
    ColumnType.DATE,
    ColumnType.TIMESTAMP,
)


def archive(folder: Path, content: bytes | str, *more: str) -> Path:
    path = folder / "job.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("1.csv", content)
        for name in more:
            file.writestr(name, content)
    return path


def rows(path: Path, columns: tuple[Column, ...], count: int) -> list[dict]:
    return [row for table in read_archive(path, columns, count) for row in table.to_pylist()]


@pytest.mark.parametrize("content", ["", "Id,Name", "Id,Name\n", "Id,Name\r\n", "\ufeffId,Name\r\n"])
def test_a_file_without_rows_is_whole_if_the_job_counted_none(tmp_path, content):
    path = archive(tmp_path, content)
    assert rows(path, (ID, NAME), 0) == []
    with pytest.raises(CorruptArchiveError, match="has 0 rows where the job counted 1"):
        rows(path, (ID, NAME), 1)


@pytest.mark.parametrize(
    "head", ["Id,Name", "id,Name", "\ufeffId,Name", '"Id","Name"', "Name,Id", "Id,Name,More"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_found_by_their_header(tmp_path, head, end):
    cells = {"Id": "1", "id": "1", "Name": "x", "More": "y"}
    names = head.replace('"', "").replace("\ufeff", "").split(",")
    path = archive(tmp_path, end.join([head, ",".join(cells[name] for name in names), ""]))
    assert rows(path, (ID, NAME), 1) == [{"id": "1", "name": "x"}]


@pytest.mark.parametrize(
    ("content", "count", "words"),
    [
        ("Id,Name\n1,x\n", 2, "has 1 rows where the job counted 2"),
        ("Id,Name\n1,x\n2,y\n", 1, "has 2 rows where the job counted 1"),
        ("Id,Other\n1,x\n", 1, r"lacks the column\(s\) Name"),
        ("Id,Name\n1,x,3\n", 1, "damaged"),
        ("Id,Name\n1\n", 1, "damaged"),
        ("<html>\n<body>\n", 1, "lacks the column"),
    ],
    ids=["missing row", "extra row", "missing column", "long row", "short row", "html"],
)
def test_a_file_that_is_not_what_was_asked_is_refused(tmp_path, content, count, words):
    with pytest.raises(CorruptArchiveError, match=words):
        rows(archive(tmp_path, content), (ID, NAME), count)


def test_two_members_are_refused(tmp_path):
    with pytest.raises(CorruptArchiveError, match="2 members instead of one"):
        rows(archive(tmp_path, "Id\n1\n", "2.csv"), (ID,), 1)


def test_an_encrypted_or_strangely_packed_archive_is_refused(tmp_path):
    path = archive(tmp_path, "Id\n1\n")
    whole = path.read_bytes()
    directory = whole.rindex(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):  # the flag of encryption; a compression nobody knows
        spoilt = bytearray(whole)
        spoilt[directory + offset] = value
        spoilt[offset - 2] = value
        path.write_bytes(bytes(spoilt))
        with pytest.raises(CorruptArchiveError, match="damaged"):
            rows(path, (ID,), 1)


@given(st.data())
def test_a_flipped_byte_is_noticed_or_harmless(tmp_path_factory, data):
    content = "Id,Name\n" + "".join(f"{n},name {n * 7919}\n" for n in range(50))
    path = archive(tmp_path_factory.getbasetemp(), content)
    true, whole = rows(path, (ID, NAME), 50), bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(whole))
    with suppress(CorruptArchiveError):
        assert rows(path, (ID, NAME), 50) == true


@given(st.integers(min_value=0))
def test_a_cut_archive_is_refused(tmp_path_factory, at):
    path = archive(tmp_path_factory.getbasetemp(), "Id\n" + "".join(f"{n}\n" for n in range(200)))
    whole = path.read_bytes()
    path.write_bytes(whole[: at % len(whole)])
    with pytest.raises(CorruptArchiveError):
        rows(path, (ID,), 200)


def test_one_value_that_does_not_fit_costs_only_itself(tmp_path):
    path = archive(tmp_path, "Id,Size,Name\n1,5,a\n2,many,b\n3,,c\n4,0x1F,d\n")
    found = rows(path, (ID, SIZE, NAME), 4)
    assert [row["size"] for row in found] == [5, None, None, None]
    assert [row["size rejected"] for row in found] == [None, "many", None, "0x1F"]
    assert [row["name"] for row in found] == ["a", "b", "c", "d"]


def test_bytes_that_are_no_text_do_not_end_the_run(tmp_path):
    path = archive(tmp_path, b"Id,Size,Name\n1,5,caf\xe9\n2,6,plain\n")
    assert [row["name"] for row in rows(path, (ID, SIZE, NAME), 2)] == ["caf\ufffd", "plain"]
    assert [row["size"] for row in rows(path, (ID, SIZE, NAME), 2)] == [5, 6]


def test_a_text_longer_than_a_block_is_whole(tmp_path):
    text = "x" * (5 << 20)
    assert rows(archive(tmp_path, f"Id,Name\n1,{text}\n2,y\n"), (ID, NAME), 2)[0]["name"] == text


@pytest.mark.parametrize(
    "text", ["NULL", "NA", "nan", "N/A", "#N/A", "null", " ", "007", "\\N", "a\r\nb", 'q"q']
)
def test_a_text_is_what_stands_in_its_cell(tmp_path, text):
    cell = '"' + text.replace('"', '""') + '"'
    assert rows(archive(tmp_path, f"Id,Name\n1,{cell}\n2,\n"), (ID, NAME), 2) == [
        {"id": "1", "name": text},
        {"id": "2", "name": None},
    ]


NEARLY_VALUES = (
    "0x1F 0xFFFFFFFFFFFFFFFF +5 5.0 1e3 -0 007 nan NaN inf -Infinity 1e400 1e-400 1E+999999999 .5 5. 1_0 --1 "
    "9223372036854775807 9223372036854775808 -9223372036854775809 0.1234567891 0.123456789 1e-10 "
    "123456789012345678901234567890 99999999999999999999999999999.999999999 true FALSE True 1 0 yes tRuE "
    "2024-02-29 2024-2-9 2023-02-29 0000-01-01 9999-12-31 10000-01-01 20240101 2024-01-01T00:00:00Z "
    "2024-01-01T00:00:00+05:30 2024-01-01T00:00+05:30 2024-01-01T00:00:00 2024-01-01T00Z 2024-01-01T24:00:00Z "
    "2024-01-01T00:00:00.5Z 2024-01-01T00:00:00.123456Z 0000-01-01T00:00:00Z 0001-01-01T00:00:00+05:30 "
    "9999-12-31T23:59:59-05:30 2024-01-01T23:59:60Z 2024-01-01T00:00:00z words"
)
NEARLY = st.sampled_from(NEARLY_VALUES.split())
CELLS = st.one_of(
    NEARLY,
    NEARLY.map(lambda text: f" {text} "),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=9).map(lambda number: format(number, "f")),
    st.floats().map(repr),
    st.dates().map(date.isoformat),
    st.datetimes(timezones=st.just(timezone.utc)).map(datetime.isoformat),
    st.text(alphabet="0123456789+-.eE:TZx ", min_size=1, max_size=12),
)


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.name)
@given(cells=st.lists(CELLS, min_size=1, max_size=3))
def test_a_cell_is_the_same_value_as_its_text_in_json(tmp_path_factory, kind, cells):
    column = Column("c", Field("C", "x"), kind)
    text = "Id,C\n" + "".join(f'{n},"{cell}"\n' for n, cell in enumerate(cells))
    path = archive(tmp_path_factory.getbasetemp(), text)
    from_csv = rows(path, (ID, column), len(cells))
    records = [{"id": str(n), "C": cell} for n, cell in enumerate(cells)]
    assert from_csv == records_table(records, (ID, column)).to_pylist()


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: kind.name)
def test_each_value_that_is_nearly_one_is_the_same_in_json(tmp_path, kind):
    column = Column("c", Field("C", "x"), kind)
    for cell in (
        NEARLY_VALUES.split()
    ):  # alone, because one value that does not fit sends its whole file by the slow road
        from_csv = rows(archive(tmp_path, f"Id,C\n1,{cell}\n"), (ID, column), 1)
        assert from_csv == records_table([{"id": "1", "C": cell}], (ID, column)).to_pylist(), cell


@pytest.mark.parametrize("kind", [ColumnType.TEXT, ColumnType.ID, *TYPED], ids=lambda kind: kind.name)
@pytest.mark.parametrize("cell", ["5\0", "\0", "a\0\0b"], ids=repr)
def test_the_character_nul_is_the_same_as_in_json(tmp_path, kind, cell):
    column = Column("c", Field("C", "x"), kind)
    from_csv = rows(archive(tmp_path, f"Id,C\n1,5\n2,{cell}\n3,\n"), (ID, column), 3)
    records = [{"id": "1", "C": "5"}, {"id": "2", "C": cell}, {"id": "3", "C": None}]
    assert from_csv == records_table(records, (ID, column)).to_pylist()
    assert "\0" not in str(from_csv)


def test_money_keeps_every_digit(tmp_path):
    money = Column("c", Field("C", "currency"), ColumnType.DECIMAL)
    path = archive(tmp_path, "Id,C\n1,1234567890123456.123456789\n2,-0.000000001\n")
    assert [row["c"] for row in rows(path, (ID, money), 2)] == [
        Decimal("1234567890123456.123456789"),
        Decimal("-0.000000001"),
    ]

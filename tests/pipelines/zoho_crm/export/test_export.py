"""`export` and `verify --against`: files with every row of the CRM, and what is wrong with files is named."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Field, Module, Org
from tests.end_to_end.destinations.test_destinations import postgres
from tests.support.commanding import account, command
from tests.support.truth import truth

__all__ = ["account", "command", "postgres"]  # fixtures
ODD = [
    'quote " and, comma',
    "two\nlines\r\nand one",
    "🛟 שלום",
    "  blanks  ",
    "null",
    "\u2028 separator",
    "'=1+1",
]
FORMATS = ("parquet", "csv", "jsonl")


@pytest.fixture
def org():
    """Odd texts, a null in every type, an amount with all its digits, and a module that nobody may view."""
    org = Org()
    org.account.company_name = "Lumen"
    fields = [
        Field("Name", "text"),
        Field("Amount", "currency"),
        Field("Share", "double"),
        Field("Number", "bigint"),
        Field("Open", "boolean"),
        Field("Day", "date"),
        Field("At", "datetime"),
        Field("Kinds", "multiselectpicklist", pick_list_values=["a", "b;c"]),
        Field("Home", "address"),
    ]
    org.add_module(Module("Deals", fields))
    org.add_module(Module("Things", [Field("Name", "text"), Field("Deal", "lookup", lookup_module="Deals")]))
    org.add_module(Module("Secrets", [Field("Name", "text")], viewable=False))
    for number, name in enumerate(ODD):
        org.insert("Deals", {"Name": name, "Amount": "12345678901234567890.123456789", "Number": number})
    full = {
        "Name": "full",
        "Amount": "0.5",
        "Share": 0.1,
        "Number": 2**53 + 1,
        "Open": True,
        "Day": date(2026, 2, 28),
        "At": org.now(),
        "Kinds": ["a", "b;c"],
    }
    org.insert("Deals", full)
    org.insert("Deals", {})
    return org


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Where the database of the first run is kept: the same account makes the same one."""
    return tmp_path_factory.mktemp("synced") / "zoho.duckdb"


@pytest.fixture
def export(account, command, tmp_path, monkeypatch, database):
    """`export("csv", ...)` gives what the command said and its folder; without credentials."""
    if database.exists():
        shutil.copy(database, "zoho.duckdb")
    else:
        assert command("run", "--progress", "off", "--quiet").code == 0
        shutil.copy("zoho.duckdb", database)
    monkeypatch.delenv("SOURCES__ZOHO_CRM__CREDENTIALS")

    def call(file_format="parquet", *words, name="out"):
        done = command("export", name, "--format", file_format, *words)
        assert (done.code, done.err) == (0, "")
        return done, tmp_path / name

    return call


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def of(folder, table):
    return next(entry for entry in manifest(folder)["tables"] if entry["table"] == table)


def rows_in(folder, table, file_format):
    """The rows of a file as Python has them, read by somebody else's reader."""
    path = folder / f"{table}.{file_format}"
    if file_format == "parquet":
        return pq.read_table(path).to_pylist()
    if file_format == "jsonl":
        lines = path.read_text(encoding="utf-8").split("\n")
        assert lines.pop() == ""
        return [json.loads(line, parse_float=Decimal) for line in lines]
    with duckdb.connect() as database:
        found = database.execute(f"from read_csv('{path}', all_varchar=true, allow_quoted_nulls=false)")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    kinds = {"amount": Decimal, "number": int, "open": {"true": True, "false": False}.__getitem__}
    return [{n: v if v is None else kinds.get(n, str)(v) for n, v in row.items()} for row in rows]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_has_every_record_of_the_crm(org, export, file_format):
    _, folder = export(file_format)
    rows = {row["id"]: row for row in rows_in(folder, "deals", file_format)}
    expected = truth(org, "Deals")
    assert rows.keys() == expected.keys()
    for id, record in expected.items():
        row = rows[id]
        assert set(row) == {*record, "deleted_at"}
        for name in ("name", "amount", "number", "open"):
            assert row[name] == record[name], name
        assert (row["share"] is None) == (record["share"] is None)
        assert (row["kinds"] is None) == (record["kinds"] is None)
    full = next(row for row in rows.values() if row["name"] == "full")
    kinds = full["kinds"] if file_format == "jsonl" else json.loads(full["kinds"])
    assert kinds == ["a", "b;c"]
    assert str(full["day"]) == "2026-02-28"


def test_in_csv_a_null_differs_from_an_empty_text(org, account, command, tmp_path):
    command("run", "--progress", "off", "--quiet")
    with duckdb.connect("zoho.duckdb") as database:
        database.execute("update zoho_crm.deals set name = '' where number = 0")
    assert command("export", "out", "--format", "csv").code == 0
    text = (tmp_path / "out" / "deals.csv").read_bytes().decode("utf-8")
    head, *_ = text.split("\n")
    place = next(csv.reader([head])).index("name")
    with duckdb.connect() as database:
        query = "select name from read_csv('out/deals.csv', all_varchar=true, allow_quoted_nulls=false) order by number"
        names = [name for (name,) in database.execute(query).fetchall()]
    assert place > 0
    assert names.count("") == 1
    assert names.count(None) == 1


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_manifest_tells_of_each_file_and_of_zohos_own_count(org, export, file_format):
    done, folder = export(file_format, "--log-format", "json")
    facts = manifest(folder)
    files = {entry[part]["file"]: entry[part] for entry in facts["tables"] for part in ("data", "schema")}
    assert set(files) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    for name, record in files.items():
        content = (folder / name).read_bytes()
        assert (record["bytes"], record["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    deals = of(folder, "deals")
    assert (deals["module"], deals["rows"], deals["live_rows"], deals["crm_count"]) == ("Deals", 9, 9, 9)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.+", deals["crm_counted_at"])
    left = {field["field"]: field["reason"] for field in deals["fields_left_out"]}
    assert left.keys() == {"Home"}
    assert left["Home"]
    assert {module["module"] for module in facts["modules_without_table"]} == {"Secrets"}
    assert facts["organisation"]["company_name"] == "Lumen"
    assert of(folder, "users")["rows"] == len(org.account.users)
    *_, summary = done.events
    assert summary["rows"] == sum(entry["rows"] for entry in facts["tables"])
    written = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert summary["manifest_sha256"] == written
    assert not facts["changed_meanwhile"]


def test_the_schema_describes_every_column_of_a_row(export):
    _, folder = export("jsonl")
    for entry in manifest(folder)["tables"]:
        schema = json.loads((folder / entry["schema"]["file"]).read_text(encoding="utf-8"))
        for row in rows_in(folder, entry["table"], "jsonl"):
            assert set(row) == set(schema["properties"]) == set(schema["required"])
            for name, value in row.items():
                assert fits(value, schema["properties"][name]), (entry["table"], name, value)
    things = json.loads((folder / "things.schema.json").read_text(encoding="utf-8"))
    assert things["properties"]["deal__id"] == {
        "type": ["string", "null"],
        "title": "Deal",
        "x-type": "text",
        "x-field": "Deal",
        "x-zoho-type": "lookup",
        "x-references": ["deals.id"],
    }


def fits(value, described):
    kinds = {"string": str, "integer": int, "number": (int, Decimal), "boolean": bool, "null": type(None)}
    wanted = described.get("type")
    wanted = [wanted] if isinstance(wanted, str) else wanted
    return wanted is None or any(isinstance(value, kinds[kind]) for kind in wanted)


@pytest.mark.long
def test_rows_that_are_kept_of_deleted_records_are_exported_too(org, account, command, tmp_path):
    soft = ("--progress", "off", "--quiet", "--deletes", "soft")
    command("run", *soft)
    gone = org.records("Deals")[0].id
    org.clock.advance(hours=1)
    org.delete("Deals", gone)
    org.clock.advance(hours=1)
    command("run", *soft)
    command("export", "out")
    rows = {row["id"]: row["deleted_at"] for row in rows_in(tmp_path / "out", "deals", "parquet")}
    assert [id for id, at in rows.items() if at is not None] == [gone]
    deals = of(tmp_path / "out", "deals")
    assert (deals["rows"], deals["live_rows"], deals["crm_count"]) == (9, 8, 8)


@pytest.mark.long
def test_postgresql_gives_the_same_files_seats_and_descriptions(org, account, command, postgres, monkeypatch):
    for key, value in postgres.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{key.upper()}", str(value))
    there = ("--destination", "postgres")
    assert command("run", "--progress", "off", "--quiet", *there).code == 0
    assert command("export", "out", "--format", "jsonl", *there).code == 0
    rows = {row["id"]: row for row in rows_in(Path("out"), "deals", "jsonl")}
    expected = truth(org, "Deals")
    assert rows.keys() == expected.keys()
    for id, record in expected.items():
        assert {name: rows[id][name] for name in ("name", "amount", "number", "kinds")} == {
            name: record[name] for name in ("name", "amount", "number", "kinds")
        }
    assert command("verify", "--against", "out", *there).code == 0
    described = command("describe", "deals", "--format", "json", *there).events
    assert {e["column"]: e["nulls"] for e in described if e["event"] == "column"}["name"] == 1
    assert command("seats", "--format", "csv", *there).out.count("\n") == 1 + len(org.account.users)


def test_no_call_is_made(org, export):
    before = len(org.ledger.calls())
    export()
    assert len(org.ledger.calls()) == before


@pytest.mark.long
def test_a_second_export_takes_the_place_of_the_first_whatever_its_format(export, command, tmp_path):
    export("csv")
    _, folder = export("jsonl")
    assert {path.suffix for path in folder.iterdir()} == {".json", ".jsonl"}
    assert command("verify", "--against", "out").code == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_an_export_that_breaks_off_leaves_the_one_before(export, command, tmp_path, monkeypatch):
    _, folder = export("csv")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.zoho_crm.export.command.write_manifest", full)
    done = command("export", "out", "--format", "jsonl")
    assert done.code == 1
    assert done.err.startswith("Error: The disk is full")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


@pytest.mark.parametrize("there", ["a file", "a folder with a file", "an export and a file"])
def test_nothing_but_an_export_is_replaced(export, command, tmp_path, there):
    if there == "a file":
        own = tmp_path / "out"
    else:
        if there == "an export and a file":
            export()
        own = tmp_path / "out" / "thesis.txt"
        own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    done = command("export", "out")
    assert done.code == 2
    assert own.read_text() == "mine"
    assert ("out is a file" in done.err) if there == "a file" else ("holds thesis.txt" in done.err)


def test_only_the_owner_may_read_the_folder(export):
    _, folder = export()
    assert folder.stat().st_mode & 0o077 == 0


# --- verify --against ---


def against(command, *words):
    return command("verify", "--against", "out", "--log-format", "json", *words)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.cases(1)
def test_an_export_that_nobody_touched_is_equal(org, export, command, file_format):
    export(file_format)
    calls = len(org.ledger.calls())
    done = against(command)
    assert (done.code, done.err) == (0, "")
    assert {e["status"] for e in done.events if e["event"] in ("file", "rows")} == {"equal"}
    assert {e["table"] for e in done.events if e["event"] == "rows"} >= {"deals", "things", "users"}
    assert len(org.ledger.calls()) == calls


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (flip, "deals.csv has other content: its SHA-256 differs"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "deals.csv is cut: 100 of "),
        (lambda path: path.write_bytes(path.read_bytes() + b"\n"), "deals.csv is too long: "),
        (lambda path: path.unlink(), "deals.csv is missing"),
    ],
    ids=["a byte", "cut", "longer", "gone"],
)
@pytest.mark.cases(1)
def test_a_file_that_differs_is_named(export, command, change, sentence):
    _, folder = export("csv")
    change(folder / "deals.csv")
    done = against(command)
    assert done.code == 4
    assert done.err.startswith("Error: The export differs: ")
    assert sentence in done.err
    different = [e["file"] for e in done.events if e["event"] == "file" and e["status"] != "equal"]
    assert different == ["deals.csv"]


@pytest.mark.long
def test_several_are_named_at_once_and_a_schema_counts(export, command):
    _, folder = export("csv")
    flip(folder / "deals.schema.json")
    (folder / "users.csv").unlink()
    done = against(command)
    assert done.code == 4
    assert "deals.schema.json has other content" in done.err
    assert "users.csv is missing" in done.err


def edited(path):
    path.write_text(path.read_text().replace('"rows": 9', '"rows": 8'))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda path: path.unlink(), "manifest.json is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "manifest.json cannot be read"),
        (edited, "manifest.json is not as it was written"),
    ],
    ids=["gone", "cut", "edited"],
)
@pytest.mark.cases(2)
def test_a_manifest_that_differs_is_named(export, command, change, sentence):
    _, folder = export("csv")
    change(folder / "manifest.json")
    done = against(command)
    assert (done.code, done.events[-1]["exit_code"]) == (4, 4)
    assert sentence in done.err


def test_rows_that_the_destination_does_not_have_are_named(export, command):
    export("csv")
    with duckdb.connect("zoho.duckdb") as database:
        database.execute("delete from zoho_crm.deals where name = 'full'")
        database.execute("drop table zoho_crm.things")
    done = against(command)
    assert done.code == 4
    assert "deals has another number of rows: 9 in the export, 8 in the destination" in done.err
    assert "things is not in the destination: 0 rows in the export" in done.err


def test_files_are_proven_on_a_machine_without_the_destination(export, command, tmp_path):
    export("csv")
    (tmp_path / "zoho.duckdb").unlink()
    done = command("verify", "--against", "out")
    assert (done.code, done.err) == (0, "")
    assert "The rows were not compared with a destination: Nothing was ever synced here" in done.out
    flip(tmp_path / "out" / "deals.csv")
    assert command("verify", "--against", "out").code == 4


@pytest.mark.long
def test_a_file_of_somebody_else_is_told_and_is_no_difference(export, command):
    _, folder = export("csv")
    (folder / "notes-of-mine.txt").write_text("mine")
    done = command("verify", "--against", "out")
    assert done.code == 0
    assert "Not in the manifest:\n  notes-of-mine.txt\n" in done.out


@pytest.mark.parametrize("word", ["--repair", "--modules=Deals", "--exclude=Deals"])
def test_it_goes_with_no_option_about_the_crm(command, word):
    done = command("verify", "--against", "out", word)
    assert done.code == 2
    assert "--against and --files each compare all files of a folder" in done.err


def test_a_folder_that_is_not_there_is_a_wrong_option(command):
    done = command("verify", "--against", "nowhere")
    assert done.code == 2
    assert "There is no folder" in done.err

"""Every feature on every destination that can run here, with rows that are read back from it.

docs/destinations.md and the README have one table of it, and a test keeps each cell to a test of this file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from deltalake import DeltaTable
from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm import zoho_crm
from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.sync import warehouse as held_module
from tests.end_to_end.destinations.places import MARKS, Place
from tests.end_to_end.destinations.test_destinations import postgres
from tests.pipelines.zoho_crm.verify.test_verifier import verify
from tests.support.commanding import account, command
from tests.support.private import MARKER, people, rules
from tests.support.syncing import sync
from tests.support.truth import column_of, truth

pytestmark = [
    pytest.mark.filterwarnings("ignore:implicitly coercing SELECT"),  # of dlt's merge by SQLAlchemy
    pytest.mark.filterwarnings(
        "ignore:Delete operation did not match"
    ),  # of dlt's first replacement in Iceberg
]

__all__ = ["account", "command", "postgres"]  # fixtures

LONG = "A_Question_That_Somebody_Has_Typed_As_The_Label_Of_A_Field_And_That_Became_Its_Name"
LISTS = [["A"], ["A", "B"], ['it\'s "quoted"', "A"], None]
DEALS = "Deals"


def deals(org: Org, rows: int = 20, name: str = DEALS) -> list[str]:
    """A module with a column of every type, some of them with names of more than 63 characters."""
    fields = [
        Field("Title", "text"),
        Field(LONG, "text"),
        Field(f"{LONG}_2", "lookup", lookup_module=name),
        Field("Colours", "multiselectpicklist", pick_list_values=["A", "B", 'it\'s "quoted"']),
        Field("Files", "fileupload"),
        Field("Amount", "currency", decimal_place=9),
        Field("Share", "double"),
        Field("Pieces", "integer"),
        Field("Open", "boolean"),
        Field("Day", "date"),
        Field("Moment", "datetime"),
    ]
    org.add_module(Module(name, fields, generated_type="custom"))
    ids: list[str] = []
    for number in range(rows):
        ids.append(
            org.insert(
                name,
                {
                    "Title": f"deal {number}",
                    LONG: f"answer {number}",
                    f"{LONG}_2": {"id": ids[0], "name": None} if ids else None,
                    "Colours": LISTS[number % len(LISTS)],
                    "Files": [{"id": str(number), "File_Name__s": 'a "b".txt'}] if number % 2 else None,
                    "Amount": f"{number}.123456789",
                    "Share": number / 4,
                    "Pieces": number,
                    "Open": number % 2 == 0,
                    "Day": date(2026, 1, 1 + number),
                    "Moment": datetime(2026, 1, 1 + number, 12, 30, tzinfo=timezone.utc),
                },
            )
        )
    return ids


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MariaDB server that lives as long as the tests of this file."""
    if shutil.which("mariadbd") is None:
        pytest.skip("there is no MariaDB server here: apt-get install mariadb-server")
    folder = tmp_path_factory.mktemp("mariadb")
    data, socket = f"--datadir={folder / 'data'}", f"{tempfile.mkdtemp()}/s"  # a socket's path is short
    user = ["--user=root"] if os.getuid() == 0 else []
    install = ["mariadb-install-db", "--no-defaults", data, *user, "--auth-root-authentication-method=normal"]
    subprocess.run(install, check=True, capture_output=True)
    server = subprocess.Popen(
        ["mariadbd", "--no-defaults", data, *user, f"--socket={socket}", "--skip-networking"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ask = ["mariadb", "--no-defaults", f"--socket={socket}", "--user=root", "-e", "create database crm"]
    while subprocess.run(ask, check=False, capture_output=True).returncode:
        assert server.poll() is None, "the server has ended"
        time.sleep(0.2)
    yield f"mysql+pymysql://root@localhost/crm?unix_socket={socket}"
    server.terminate()
    server.wait()


@pytest.fixture
def ducklake(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A lake of files with its catalog in a DuckDB file; the extension comes from a wheel, not from the network."""
    with duckdb.connect() as database:
        ((version, platform),) = database.execute(
            "select version(), (select * from pragma_platform())"
        ).fetchall()
    package = find_spec("duckdb_extension_ducklake")
    wheel = Path(str(package.origin)).parent / "extensions" / version if package else None
    if wheel is None or not wheel.is_dir():
        pytest.skip(f"there is no wheel with the extension ducklake for DuckDB {version}")
    place = tmp_path / "home" / ".duckdb" / "extensions" / version / platform
    place.mkdir(parents=True)
    shutil.copy(wheel / "ducklake.duckdb_extension", place)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    credentials = DuckLakeCredentials(
        "lake", catalog=f"duckdb:///{tmp_path / 'catalog.duckdb'}", storage=str(tmp_path / "files")
    )
    return dlt.destinations.ducklake(credentials)


# Where a test takes long, all of it is left to `make test-long` but these.
FOLLOW, VERIFY = "test_rows_follow_the_crm", "test_verify_finds_what_no_list_shows_and_repair_corrects_it"
SHORT = {
    "parquet": {FOLLOW, VERIFY, "test_every_version_stays"},
    "delta": {FOLLOW, VERIFY, "test_deleted_rows_stay_with_their_time"},
    "iceberg": {FOLLOW, "test_every_version_stays"},
    "ducklake": set[str](),
    "mariadb": set[str](),
}
PLACES = ("postgres", "duckdb", "sqlite", *SHORT)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "place" not in metafunc.fixturenames:
        return
    test = metafunc.function.__name__
    metafunc.parametrize(
        "place",
        [
            pytest.param(name, marks=pytest.mark.long if test not in SHORT.get(name, {test}) else ())
            for name in PLACES
        ],
        indirect=True,
    )


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Place]:
    name = request.param
    lake = str(tmp_path / "lake")
    if name == "postgres":
        server = request.getfixturevalue("postgres")
        yield Place(name, dlt.destinations.postgres(server))
    elif name == "duckdb":
        yield Place(name, dlt.destinations.duckdb(str(tmp_path / "crm.duckdb")))
    elif name == "sqlite":
        yield Place(name, dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path / 'crm.sqlite'}"))
    elif name == "ducklake":
        yield Place(name, request.getfixturevalue("ducklake"))
    elif name == "mariadb":
        yield Place(name, dlt.destinations.sqlalchemy(request.getfixturevalue("mariadb")))
    elif name == "parquet":
        yield Place(name, dlt.destinations.filesystem(lake), changes=False)
    elif name == "delta":
        yield Place(name, dlt.destinations.filesystem(lake), "delta")
    elif name == "iceberg":
        yield Place(name, dlt.destinations.filesystem(lake), "iceberg", changes=False)


NUMBERS = iter(range(1_000))


@pytest.fixture
def at(load: Any, place: Place) -> Any:
    """The pipeline's program, with this destination and a dataset of its own."""
    load.destination, load.place = place.destination, place
    load.dataset = f"matrix_{next(NUMBERS)}"
    return load


def run(at: Any, *modules: str, **policy: Any) -> None:
    """One run an hour after the last."""
    at.org.clock.advance(hours=1)
    if at.place.table_format is not None:
        policy["table_format"] = at.place.table_format
    sync(at, *(modules or (DEALS,)), **policy)


def rows_of(at: Any, module: str = DEALS) -> list[dict[str, Any]]:
    return at.place.rows(at.pipeline, at.reading(module).table)


def compared(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows by id, without the columns of marks."""
    by_id = {row["id"]: {n: v for n, v in row.items() if n not in MARKS} for row in found}
    assert len(by_id) == len(found), "an id is there twice"
    return by_id


def expected(org: Org, pipeline: Any, module: str) -> dict[str, dict[str, Any]]:
    """What the CRM has, by the names that dlt gives in this destination."""
    naming = pipeline.default_schema.naming
    columns = {f.api_name: column_of(f) for f in org.modules[module].fields}
    names = {name: naming.normalize_path(column) for name, column in columns.items() if column}
    return truth(org, module, names=names)


def agrees(at: Any, module: str = DEALS) -> None:
    """The table is what the CRM has."""
    assert compared(rows_of(at, module)) == expected(at.org, at.pipeline, module)


@pytest.mark.cases(3)
def test_rows_follow_the_crm(at, org):
    ids = deals(org)
    run(at)
    agrees(at)
    org.clock.advance(hours=1)
    org.edit(DEALS, ids[1], **{LONG: "another answer", "Colours": ["B"]})
    org.insert(DEALS, {"Title": "new", "Colours": ["A", "B"]})
    org.delete(DEALS, ids[2])
    org.delete(DEALS, ids[3], permanent=True)
    run(at)
    agrees(at)
    module = at.reading(DEALS)
    assert module.plan.is_full_refresh is not at.place.changes
    if at.place.changes:
        assert module.rows == 2
    org.restore(DEALS, ids[2])
    run(at)
    agrees(at)


@pytest.mark.cases(2)
def test_a_module_with_a_long_name_follows_the_crm(at, org):
    name = f"{LONG}_Too"
    org.add_module(Module(name, [Field("Title", "text")], generated_type="custom"))
    ids = [org.insert(name, {"Title": str(number)}) for number in range(3)]
    run(at, name)
    agrees(at, name)
    org.edit(name, ids[0], Title="edited")
    org.delete(name, ids[1])
    run(at, name)
    agrees(at, name)
    assert at.reading(name).plan.is_full_refresh is not at.place.changes


@pytest.mark.cases(2)
def test_a_new_field_is_filled_and_an_old_one_stays(at, org):
    deals(org)
    run(at)
    org.add_field(DEALS, Field(f"{LONG}_3", "text"), value="everywhere")
    run(at)
    agrees(at)


@pytest.mark.long
def test_deleted_rows_stay_with_their_time(at, org):
    ids = deals(org)
    if not at.place.changes:
        refused(at, deletes="soft")
        return
    run(at, deletes="soft")
    before = {row["id"]: row for row in rows_of(at)}
    org.delete(DEALS, ids[4])
    org.edit(DEALS, ids[5], Title="edited")
    run(at, deletes="soft")
    found = rows_of(at)
    assert len(found) == len(ids)
    live = [row for row in found if row["deleted_at"] is None]
    assert compared(live) == expected(org, at.pipeline, DEALS)
    (gone,) = (row for row in found if row["deleted_at"] is not None)
    assert {**gone, "deleted_at": None} == before[ids[4]]


@pytest.mark.long
def test_every_version_stays(at, org):
    ids = deals(org)
    if not at.place.changes:
        refused(at, history=None)
        return
    run(at, history=None)
    org.edit(DEALS, ids[5], Title="edited", Colours=["B"])
    org.delete(DEALS, ids[4])
    run(at, history=None)
    found = rows_of(at)
    assert len(found) == len(ids) + 1
    open_rows = [row for row in found if row["_dlt_valid_to"] is None]
    assert compared(open_rows) == expected(org, at.pipeline, DEALS)
    versions = sorted((row for row in found if row["id"] == ids[5]), key=lambda row: row["_dlt_valid_from"])
    assert [row["title"] for row in versions] == ["deal 5", "edited"]
    assert versions[0]["_dlt_valid_to"] == versions[1]["_dlt_valid_from"]


def refused(at: Any, **policy: Any) -> None:
    """The run ends with one sentence, before anything was read."""
    with pytest.raises(SettingsError, match="single rows"):
        run(at, **policy)
    assert [call for call in at.org.ledger.calls() if call.path.startswith("/crm")] == []


@pytest.mark.cases(1)
def test_verify_finds_what_no_list_shows_and_repair_corrects_it(at, org):
    ids = deals(org)
    run(at)
    assert verify(at, DEALS)[DEALS].verdict == "equal"
    org._remove(DEALS, ids[6], "permanent", shown=False)
    org.insert(
        DEALS, {"Title": "late", "Colours": ["A"]}, modified_time=datetime(2020, 1, 1, tzinfo=timezone.utc)
    )
    found = verify(at, DEALS)[DEALS]
    assert (found.verdict, len(found.ids["missing"]), found.ids["extra"]) == ("differs", 1, {ids[6]})
    assert verify(at, DEALS, repair=True)[DEALS].verdict == "repaired"
    agrees(at)
    assert verify(at, DEALS)[DEALS].verdict == "equal"


@pytest.mark.long
def test_a_new_rule_of_privacy_takes_values_out(at, org):
    people(org)
    hidden = rules("Persons.Last_Name: drop", "<email>: hash", "Story: mask", "Likes: hash", "Income: hash")
    deletes = "soft" if at.place.changes else "hard"
    run(at, "Persons", deletes=deletes)
    org.delete("Persons", org.records("Persons")[1].id)
    run(at, "Persons", deletes=deletes)
    assert MARKER in str(rows_of(at, "Persons"))
    run(at, "Persons", deletes=deletes, rules=hidden)
    assert MARKER.lower() not in str(rows_of(at, "Persons")).lower()
    assert MARKER.lower() not in str(at.place.rows(at.pipeline, "deleted_records")).lower()


@pytest.mark.long
def test_deletions_are_remembered(at, org):
    ids = deals(org)
    run(at)
    for number in (1, 2):
        org.delete(DEALS, ids[number])
        run(at)
    run(at)
    remembered = at.place.rows(at.pipeline, "deleted_records")
    assert sorted(row["id"] for row in remembered) == ids[1:3]


# ---- formats of tables


@pytest.mark.parametrize(
    ("format", "policy", "sentence"),
    [
        ("iceberg", {"deletes": "soft"}, "leaves a deleted row as a row of nulls"),
        ("iceberg", {"history": None}, "leaves a deleted row as a row of nulls"),
        (None, {"deletes": "soft"}, "--table-format delta"),
        ("native", {"deletes": "soft"}, "--table-format delta"),
    ],
)
def test_files_that_cannot_keep_more_are_refused_before_anything_is_read(
    load, org, tmp_path, format, policy, sentence
):
    deals(org)
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    with pytest.raises(SettingsError, match=sentence):
        sync(load, DEALS, table_format=format, **policy)
    source = zoho_crm(
        f"{load.connection_string};OAuthSettingsLocation=memory://",
        modules=[DEALS],
        table_format=format,
        **({"deletes": "soft"} if "deletes" in policy else {"history": True}),
    )
    pipeline = dlt.pipeline("s", destination=load.destination, pipelines_dir=str(tmp_path / "s"))
    with pytest.raises(Exception, match=sentence):
        pipeline.run(source)
    assert [call for call in org.ledger.calls() if call.path.startswith("/crm")] == []


def test_a_format_that_the_destination_does_not_have_is_refused(load, org):
    deals(org)
    with pytest.raises(SettingsError, match="no tables of the format delta"):
        sync(load, DEALS, table_format="delta")
    sync(load, DEALS, table_format="native")
    assert load.rows("select count(*) from deals") == [(20,)]


@pytest.mark.long
def test_tables_keep_their_format(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    ids = deals(org)
    sync(load, DEALS, table_format="delta")
    org.delete(DEALS, ids[0])
    org.clock.advance(hours=1)
    run = sync(load, DEALS)
    assert not load.reading(DEALS).plan.is_full_refresh
    assert run.table_counts["deals"] == len(ids) - 1
    sync(load, DEALS)  # nothing has changed
    for other in ("iceberg", "native"):
        with pytest.raises(SettingsError, match="load into another dataset"):
            sync(load, DEALS, table_format=other)


def test_files_do_not_become_a_table_of_a_format(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    deals(org)
    sync(load, DEALS)
    with pytest.raises(SettingsError, match="load into another dataset"):
        sync(load, DEALS, table_format="delta")


def test_a_format_without_its_library_is_refused(load, org, tmp_path, monkeypatch):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    deals(org)
    monkeypatch.setattr(held_module, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=re.escape('pip install "dlt[deltalake]"')):
        sync(load, DEALS, table_format="delta")


@pytest.mark.long
def test_the_command_takes_a_format(command, account, org, tmp_path, monkeypatch):
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
    deals(org)
    arguments = ("--destination", "filesystem", "--table-format", "delta", "--modules", DEALS)
    assert command(*arguments).code == 0
    org.clock.advance(hours=1)
    for words in (("status",), ("verify", "--modules", DEALS), ("modules",), ("check",)):
        assert command(*words, "--destination", "filesystem").code == 0, words
    assert DeltaTable(str(tmp_path / "lake" / "zoho_crm" / "deals")).count() == 20


# ---- in a script of a user's own


class Script:
    """A pipeline of a user's own, and the source."""

    def __init__(self, at: Any) -> None:
        self.at = at
        self.pipeline = dlt.pipeline(
            "script",
            destination=at.destination,
            dataset_name=f"{at.dataset}_script",
            pipelines_dir=str(at.folder / "script"),
        )

    def run(self, module: str, step: Any = None) -> dict[str, int]:
        """One run an hour after the last; the rows by table that dlt has written."""
        self.at.org.clock.advance(hours=1)
        connection = f"{self.at.connection_string};OAuthSettingsLocation=memory://"
        arguments = {"table_format": self.at.place.table_format} if self.at.place.table_format else {}
        source = zoho_crm(connection, modules=[module], **arguments)
        if step is not None:
            (resource,) = source.resources.values()
            resource.add_map(step)
        self.pipeline.run(source)
        return dict(self.pipeline.last_trace.last_normalize_info.row_counts)

    def agrees(self, module: str) -> None:
        (table,) = (name for name in self.pipeline.default_schema.data_table_names())
        assert compared(self.at.place.rows(self.pipeline, table)) == expected(
            self.at.org, self.pipeline, module
        )


@pytest.mark.parametrize("step", [None, lambda rows: rows], ids=["files", "steps"])
@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
@pytest.mark.cases(4)
def test_a_script_follows_the_crm(at, org, step, long):
    module = f"{LONG}_Too" if long else DEALS
    ids = deals(org, name=module)
    script = Script(at)
    script.run(module, step)
    script.agrees(module)
    org.edit(module, ids[1], **{LONG: "another answer", "Colours": ["B"]})
    org.delete(module, ids[2])
    written = script.run(module, step)
    script.agrees(module)
    assert (2 in written.values()) is at.place.changes

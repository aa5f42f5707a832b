"""Every feature on every destination that can run here, with rows that are read back from it.

docs/destinations.md and the README have one table of it, and a test keeps each cell to a test of this file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Any

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org
from sources.zoho_crm import zoho_crm
from sources.zoho_crm.errors import SettingsError
from tests.end_to_end.places import MARKS, Place
from tests.syncing import sync
from tests.test_destinations import postgres  # noqa: F401 - a fixture
from tests.test_verifying import verify
from tests.truth import column_of, truth

pytestmark = [
    pytest.mark.filterwarnings("ignore:implicitly coercing SELECT"),  # of dlt's merge by SQLAlchemy
    pytest.mark.filterwarnings(
        "ignore:Delete operation did not match"
    ),  # of dlt's first replacement in Iceberg
]

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


LONG_ONES = [pytest.param("mariadb", marks=pytest.mark.long)]


@pytest.fixture(params=["duckdb", "postgres", "sqlite", "parquet", "delta", "iceberg", *LONG_ONES])
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


def rows(at: Any, module: str = DEALS) -> list[dict[str, Any]]:
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
    assert compared(rows(at, module)) == expected(at.org, at.pipeline, module)


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
    assert module.plan.whole is not at.place.changes
    if at.place.changes:
        assert module.rows == 2
    org.restore(DEALS, ids[2])
    run(at)
    agrees(at)


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
    assert at.reading(name).plan.whole is not at.place.changes


def test_a_new_field_is_filled_and_an_old_one_stays(at, org):
    deals(org)
    run(at)
    org.add_field(DEALS, Field(f"{LONG}_3", "text"), value="everywhere")
    run(at)
    agrees(at)


def test_deleted_rows_stay_with_their_time(at, org):
    ids = deals(org)
    if not at.place.changes:
        refused(at, deletes="soft")
        return
    run(at, deletes="soft")
    before = {row["id"]: row for row in rows(at)}
    org.delete(DEALS, ids[4])
    org.edit(DEALS, ids[5], Title="edited")
    run(at, deletes="soft")
    found = rows(at)
    assert len(found) == len(ids)
    live = [row for row in found if row["deleted_at"] is None]
    assert compared(live) == expected(org, at.pipeline, DEALS)
    (gone,) = (row for row in found if row["deleted_at"] is not None)
    assert {**gone, "deleted_at": None} == before[ids[4]]


def test_every_version_stays(at, org):
    ids = deals(org)
    if not at.place.changes:
        refused(at, history=None)
        return
    run(at, history=None)
    org.edit(DEALS, ids[5], Title="edited", Colours=["B"])
    org.delete(DEALS, ids[4])
    run(at, history=None)
    found = rows(at)
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


def test_verify_finds_what_no_list_shows_and_repair_mends_it(at, org):
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

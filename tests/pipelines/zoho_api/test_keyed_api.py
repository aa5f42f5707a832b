"""A foreign API whose children have numbers of their own in each parent, and whose key stands in a header."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import duckdb
import pytest

from tests.support.loopback import App, Reply, served

KEY = "s3cret-parcel-key"
FILE = """\
authentication: {type: none}
host: http://127.0.0.1:1
parameters: {key: }
client:
  base_url: ${host}
  headers: {X-Parcel-Key: "${key}"}
  paginator: single_page
resource_defaults: {write_disposition: merge}
resources:
  - name: parcels
    primary_key: parcelNo
    endpoint:
      data_selector: parcels
      incremental: {cursor_path: touchedAt, initial_value: "2000-01-01T00:00:00Z", lag: 600}
  - name: events
    include_from_parent: [parcelNo]
    primary_key: [_parcels_parcelNo, seq]
    endpoint: {path: "parcels/${resources.parcels.parcelNo}/events", data_selector: events}
"""
JUST_NOW = "2099-01-01T00:00:00Z"  # so that the row may have been edited while it is read
BOTH = "include_from_parent: [parcelNo]\n    primary_key: [_parcels_parcelNo, seq]"
RIGHT = "write include_from_parent: [parcelNo] and primary_key: [_parcels_parcelNo, seq]"


class Parcels:
    """The API's rows; `events` are by the parcel's number."""

    def __init__(self) -> None:
        self.parcels = [
            {"parcelNo": number, "depot": "D1", "touchedAt": JUST_NOW} for number in ("P1", "P2", "P3/a b")
        ]
        self.events = {
            one["parcelNo"]: [{"seq": seq, "what": f"{seq} of {one['parcelNo']}"} for seq in (0, 1)]
            for one in self.parcels
        }

    def __call__(self, call):
        if call.headers.get("X-Parcel-Key") != KEY:
            return Reply({"fault": "key missing", "sent": call.headers.get("X-Parcel-Key")}, 401)
        parts = call.path.strip("/").split("/")
        if parts == ["parcels"]:
            return Reply({"parcels": self.parcels})
        assert len(parts) == 3 and parts[2] == "events"
        return Reply({"events": self.events[unquote(parts[1])]})

    def rows(self):
        return {(number, one["seq"], one["what"]) for number, found in self.events.items() for one in found}


@pytest.fixture
def parcels(api, monkeypatch):
    """The API, served; the connector file is beside."""
    parcels = Parcels()
    monkeypatch.setenv("SOURCES__ZOHO_API__PARCEL__KEY", KEY)
    with served(App(parcels)) as app:
        Path("parcel.yaml").write_text(FILE.replace("http://127.0.0.1:1", app.url))
        yield parcels


def change(old, new):
    file = Path("parcel.yaml")
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def events():
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        columns = "_parcels_parcel_no, seq, what"
        return set(database.sql(f"select {columns} from zoho_parcel.events").fetchall())


def test_a_key_that_needs_the_parents_is_told_and_the_old_rows_stay(api, parcels):
    assert api("run", "parcel.yaml").code == 0
    old = parcels.rows()
    assert events() == old  # the slash of P3/a b is a part of the number
    parcels.events["P1"].append({"seq": 2, "what": "new"})
    change(BOTH, "primary_key: seq")
    done = api("run", "parcel.yaml")
    assert (done.code, events()) == (1, old)
    assert done.err.startswith(
        "Error: events: rows of events of different parcels have the same primary_key seq, so"
    )
    assert RIGHT in done.err
    change("primary_key: seq", BOTH)
    assert api("run", "parcel.yaml").code == 0
    assert events() == parcels.rows()


def test_rows_that_two_parents_share_are_one_row(api, parcels):
    """As the tags of articles: with one key they are the same, and nothing is lost."""
    parcels.events = {number: [{"seq": 0, "what": "booked"}] for number in parcels.events}
    change(BOTH, "primary_key: seq")
    assert api("run", "parcel.yaml").code == 0
    with duckdb.connect("zoho.duckdb", read_only=True) as database:
        found = database.sql("select * exclude (_dlt_id, _dlt_load_id) from zoho_parcel.events").fetchall()
    assert found == [(0, "booked")]


def test_rows_of_one_page_that_differ_need_different_keys(api, parcels):
    change("primary_key: parcelNo", "primary_key: depot")
    done = api("run", "parcel.yaml")
    assert done.code == 1
    assert (
        "different rows of parcels have the same primary_key depot, so only one of them would stay"
        in done.err
    )
    assert len(done.err.splitlines()) == 1


def test_a_column_of_the_key_that_no_row_has_is_named_with_those_there_are(api, parcels):
    change(BOTH, "primary_key: parcelNo")
    done = api("run", "parcel.yaml", "--modules", "events")
    assert done.code == 1
    said = "no row of events has the column parcelNo of its primary_key; the rows have seq, what"
    assert done.err == f"Error: events: {said}\n"


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_refused_key_brings_the_apis_words_and_names_the_setting(api, parcels, monkeypatch, command):
    monkeypatch.setenv("SOURCES__ZOHO_API__PARCEL__KEY", "an-old-parcel-key")
    done = api(command, "parcel.yaml")
    assert done.code == 3
    said = '401 GET /parcels: {"fault": "key missing", "sent": "***"}. Correct SOURCES__ZOHO_API__PARCEL__KEY'
    assert said in done.out + done.err and "an-old-parcel-key" not in done.out + done.err


def test_check_asks_once_for_each_table_and_finds_a_wrong_selector(api, parcels):
    assert api("check", "parcel.yaml").code == 0
    change("data_selector: parcels", "data_selector: parcel")
    done = api("check", "parcel.yaml")
    assert done.code == 1
    assert (
        "parcels: data_selector 'parcel' finds nothing in GET /parcels; the answer's keys are parcels"
        in done.out
    )


def test_call_tells_no_rows_from_a_wrong_selector(api, parcels):
    parcels.events["P3/a b"] = []
    words = ("call", "parcel.yaml", "events", "--param", "parcelNo=P3/a b")
    assert api(*words).out.endswith("0 rows found by the selector events.\n")
    change("data_selector: events", "data_selector: rows")
    assert "The selector rows finds nothing; the answer's keys are events." in api(*words).out


def test_a_value_that_is_missing_is_wrong_configuration(api, parcels, monkeypatch):
    monkeypatch.delenv("SOURCES__ZOHO_API__PARCEL__KEY")
    done = api("check", "parcel.yaml")
    assert done.code == 2
    said = "parcel.yaml needs a value for ${key}: --param key=..., or SOURCES__ZOHO_API__PARCEL__KEY in the environment or .env"
    assert f"FAILED  {said}" in done.out

"""What rules of privacy leave of the values, through each API, and that nothing else reaches a disk."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date, datetime, timezone

import pytest

from simulators.zoho_crm import Module as SimulatedModule
from sources.zoho_crm.exceptions import SettingsError
from tests.end_to_end.later_runs.test_state import _spoil
from tests.support.private import APIS, MARKER, SECRET, found_in, people, person, rules
from tests.support.syncing import sync, tried
from tests.support.truth import landed

pytestmark = pytest.mark.whole_account

HASHED = rules("*.<email>: hash", "Customers.Contact: hash")
ALL = rules(
    "Persons.Email: hash",
    "Persons.Last_Name: mask",
    "Persons.Phone: mask",
    "Persons.Born: mask",
    "Persons.Seen: mask",
    "Persons.Income: hash",
    "Persons.Children: mask",
    "Persons.Story: hash",
    "Persons.Likes: hash",
    "Persons.Boss: mask",
    "Customers.Contact: drop",
)


@pytest.fixture
def calls(monkeypatch):
    """What is sent to Zoho."""
    import requests

    sent, send = [], requests.Session.send

    def sending(self, request, **whatever):
        sent.append(f"{request.url} {request.body!r}")
        return send(self, request, **whatever)

    monkeypatch.setattr(requests.Session, "send", sending)
    return sent


def hash_of(text: str, key: str = SECRET) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def org(org):
    return people(org)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_every_api_brings_the_same_masks_and_hashes(load, org, api):
    sync(load, "Persons", settings=APIS[api], rules=ALL)
    assert load.reading("Persons").api == api
    rows = sorted(landed(load, "persons").values(), key=lambda row: row["id"])
    row = rows[1]
    assert row["email"] == hash_of(f"{MARKER.lower()}1@example.com")
    assert row["last_name"] == "X***"
    assert row["phone"] == "***51"
    assert row["born"] == date(1990, 1, 1)
    assert row["seen"] == datetime(2025, 1, 1, tzinfo=timezone.utc)
    assert row["income"] == hash_of("52341")
    assert row["children"] == "***"
    assert row["story"] == hash_of(person(1)["Story"])
    assert row["likes"] == hash_of(json.dumps(["tea", MARKER], separators=(",", ":")))
    assert row["city"] == "Sparta"
    empty = rows[3]
    assert {
        empty[name] for name in row if name in ("email", "phone", "born", "income", "likes", "story")
    } == {None}


def test_a_dropped_field_is_never_asked_for_and_the_table_of_fields_says_why(load, org, calls):
    load.org.clock.advance(seconds=1)
    for api in APIS.values():
        run = load(api, only=["Persons", "fields"], refresh=True, rules=rules("*.Email: drop"))
        assert run.exit_code == 0
    assert sum("Last_Name" in call for call in calls) >= len(APIS)
    assert not any("Email" in call for call in calls)
    assert "email" not in next(iter(landed(load, "persons").values()))
    why = load.rows(
        "select skip_reason, column_name from fields where module = 'Persons' and api_name = 'Email'"
    )
    assert why == [("dropped by the privacy rule *.Email: drop", None)]


@pytest.fixture
def looks(monkeypatch, tmp_path):
    """The files with a marker in them, looked for while an archive is read, and before and after a load."""
    import tempfile

    from pipelines.zoho_crm.run import loading
    from sources.zoho_crm.extract.bulk_read import archive, reader

    found: list[list[str]] = []
    land, read = loading.Loader._run, archive.read_archive

    def landing(self, readings):
        found.append(found_in(tmp_path))
        land(self, readings)
        found.append(found_in(tmp_path))

    def reading(*whatever):
        for table in read(*whatever):
            found.append(found_in(tmp_path))
            yield table

    monkeypatch.setattr(loading.Loader, "_run", landing)
    monkeypatch.setattr(reader, "read_archive", reading)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_no_file_ever_holds_a_value_as_it_is(load, org, api, tmp_path, looks):
    sync(load, "Persons", "Customers", settings=APIS[api], rules=ALL)
    org.edit("Persons", org.records("Persons")[0].id, Last_Name=f"{MARKER} anew")
    org.delete("Persons", org.records("Persons")[1].id)
    sync(load, "Persons", "Customers", settings=APIS[api], rules=ALL)
    assert load.rows("select display_name from deleted_records") == [("X***",)]
    load.let_go()
    assert [*looks, found_in(tmp_path)] == [[]] * (len(looks) + 1)


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_the_look_finds_what_no_rule_hides(load, org, api, tmp_path, looks):
    sync(load, "Persons", settings=APIS[api])
    assert looks
    assert all(looks)


def test_a_killed_run_leaves_no_value_as_it_is(load, org, tmp_path, monkeypatch):
    from pipelines.zoho_crm.run import loading

    def killed(*_):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(loading.Loader, "load", killed)
        with pytest.raises(SystemExit):
            tried(load, "Persons", "Customers", settings=APIS["bulk"], rules=ALL)
    load.let_go()
    assert found_in(tmp_path) == []
    sync(load, "Persons", "Customers", settings=APIS["bulk"], rules=ALL)
    assert load.reading("Persons").notes.repairs["Bulk Read jobs of an earlier run used again"] == 1
    load.let_go()
    assert found_in(tmp_path) == []


@pytest.mark.long
def test_archives_that_an_earlier_version_has_kept_go(load, org, tmp_path, looks):
    journal = load.folder / "p" / "zoho_crm.jobs"
    journal.mkdir(parents=True)
    (journal / "123.zip").write_text(MARKER)
    (journal / "124.part").write_text(MARKER)
    assert len(found_in(tmp_path)) == 2
    sync(load, "Persons", settings=APIS["bulk"], rules=ALL)
    assert looks == [[]] * len(looks) != []


@pytest.mark.long
def test_a_changed_row_and_a_comparison_of_every_id_find_the_same_hashes(load, org):
    from datetime import timedelta

    sync(load, "Persons", rules=ALL)
    before = landed(load, "persons")
    id = org.records("Persons")[0].id
    org.edit("Persons", id, Email="new@example.com")
    sync(load, "Persons", rules=ALL, verify_every=timedelta(0))
    after = landed(load, "persons")
    assert after.pop(id)["email"] == hash_of("new@example.com")
    before.pop(id)
    assert after == before


@pytest.mark.parametrize("keeps", [{}, {"deletes": "soft"}, {"history": None}])
@pytest.mark.cases(1)
def test_a_rule_that_comes_later_takes_the_old_values_away(load, org, keeps):
    sync(load, "Persons", "Customers", **keeps)
    org.delete("Persons", org.records("Persons")[1].id)
    org.edit("Persons", org.records("Persons")[0].id, City="Corinth")
    sync(load, "Persons", "Customers", **keeps)
    assert MARKER in str(load.rows("select * from persons"))
    assert MARKER in str(load.rows("select display_name from deleted_records"))
    org.clock.advance(hours=2)  # so that the list of deletions does not name it once more
    sync(load, "Persons", "Customers", **keeps)
    sync(load, "Persons", "Customers", rules=ALL, **keeps)
    for table in ("persons", "customers", "deleted_records"):
        assert MARKER.lower() not in str(load.rows(f"select * from {table}")).lower(), table
    hashes = load.rows(f"select count(distinct email) from persons where {_live(keeps)}")
    assert hashes == [(2,)]


def _live(keeps):
    return {"deletes": "deleted_at is null", "history": "_dlt_valid_to is null"}.get(
        next(iter(keeps), ""), "true"
    )


@pytest.mark.long
def test_a_rule_that_goes_brings_the_values_back(load, org):
    sync(load, "Persons", rules=ALL)
    with pytest.raises(SettingsError, match=r"no rule is about .*Persons\.Email.*, which a rule has dropped"):
        tried(load, "Persons")
    assert load.rows(f"select count(*) from persons where last_name like '{MARKER}%'") == [(0,)]
    sync(load, "Persons", rules=rules("*.*: keep"))
    assert sorted(load.rows("select last_name from persons where last_name is not null")) == [
        (f"{MARKER} {number}",) for number in range(3)
    ]


def test_another_key_is_refused_unless_everything_is_read_anew(load, org):
    sync(load, "Persons", "Customers", rules=HASHED)
    other = rules("*.<email>: hash", "Customers.Contact: hash", key="another secret of these tests")
    with pytest.raises(SettingsError, match="Customers, Persons were made with another privacy_key"):
        tried(load, "Persons", "Customers", rules=other)
    with pytest.raises(SettingsError, match="Customers were made with another"):
        tried(load, "Persons", rules=other, refresh=True)
    sync(load, "Persons", "Customers", rules=other, refresh=True)
    row = landed(load, "persons")[org.records("Persons")[0].id]
    assert row["email"] == hash_of(f"{MARKER.lower()}0@example.com", "another secret of these tests")
    assert SECRET not in str(load.pipeline.state)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("Persns.Email: hash", "no module 'Persns'; did you mean Persons"),
        ("Persons.Emial: hash", "no field 'Emial'; did you mean Email"),
        ("*.Emial: drop", "no field 'Emial'; did you mean Email"),
        ("Emial: drop", "no field 'Emial'"),
        ("Persons.Em1l*: drop", "no field 'Em1l"),
        ("*.<emial>: drop", "no field '<emial>'; did you mean <email>"),
        ("Persons.<emial>: drop", "no field '<emial>'"),
    ],
)
def test_a_rule_that_protects_nothing_is_refused(load, org, rule, words):
    with pytest.raises(SettingsError, match=words):
        tried(load, "Persons", "Customers", rules=rules(rule))


def test_so_is_one_for_every_module_when_all_are_read_and_a_module_refuses_its_fields(load, org):
    org.add_module(SimulatedModule("Payroll", [], generated_type="custom", no_permission=True))
    with pytest.raises(SettingsError, match="no field 'Emial'"):
        load(rules=rules("*.Emial: drop"))


def test_a_type_that_no_field_has_today_is_no_mistake(load, org, caplog):
    sync(load, "Persons", rules=rules("Persons.<website>: drop", "*.<address>: drop", "*.<encrypted>: drop"))
    assert "*.<encrypted> fits no field of the chosen modules" in caplog.text
    assert "website" not in caplog.text and "address" not in caplog.text


def test_a_rule_for_every_module_may_be_about_those_that_are_not_chosen(load, org, caplog):
    sync(load, "Customers", rules=rules("*.Phone: drop", "*.<website>: drop", "*.Last_Nmae: drop"))
    assert "*.Last_Nmae fits no field of the chosen modules; did you mean Last_Name?" in caplog.text
    assert "Phone" not in caplog.text and "website" not in caplog.text


def test_only_the_chosen_fields_come(load, org):
    sync(load, "Persons", "Customers", rules=rules(fields="Persons.City, Persons.Last_N*"))
    names = {name for name in next(iter(landed(load, "persons").values())) if not name.startswith("_dlt")}
    assert names == {"id", "modified_time", "city", "last_name"}
    assert "contact" in next(iter(landed(load, "customers").values()))


def test_colleagues_are_people_too(load, org):
    load.org.clock.advance(seconds=1)
    run = load(only=["users"], rules=rules("users.<email>: hash", "*.Last_Name: drop"))
    assert run.exit_code == 0
    rows = list(landed(load, "users").values())
    assert rows
    assert all(row["email"] is None or len(row["email"]) == 64 for row in rows)
    assert "last_name" not in rows[0]


@pytest.mark.long
@pytest.mark.parametrize("api", ["bulk", "coql"])
@pytest.mark.cases(1)
def test_a_module_that_is_read_in_slices_hides_its_values_too(load, org, api, tmp_path, monkeypatch):
    from simulators.zoho_crm import Field, Module
    from sources.zoho_crm.extract import column_batches

    names = [f"F{n}" for n in range(230)]
    fields = [*(Field(name, "text") for name in names), Field("Files", "fileupload")]
    org.add_module(Module("Wide", fields, generated_type="custom"))
    org.insert("Wide", dict.fromkeys(names, MARKER) | {"Files": [{"id": "1", "File_Name__s": MARKER}]})
    found, torn = [], column_batches._inconsistent_ids

    def looking(*whatever):
        found.append(found_in(tmp_path))
        return torn(*whatever)

    monkeypatch.setattr(column_batches, "_inconsistent_ids", looking)
    sync(load, "Wide", settings=APIS[api], rules=rules("Wide.F*: hash"))
    assert found == [[]]
    assert load.rows("select f0, f229, length(files) from wide") == [(hash_of(MARKER), hash_of(MARKER), 64)]


def test_an_error_of_such_a_module_tells_no_value(load, org, monkeypatch, caplog):
    from sources.zoho_crm.extract import records

    def stumbles(*_):
        raise ValueError(f"invalid literal: {MARKER}")

    monkeypatch.setattr(records, "records_table", stumbles)
    caplog.set_level("DEBUG", "zoho_crm")
    run = tried(load, "Persons", settings=APIS["records"], rules=ALL)
    assert run.exit_code == 1
    assert "ValueError" in str(load.rows("select error from sync_runs where module = 'Persons'"))
    assert MARKER not in caplog.text + str(load.rows("select * from sync_runs"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [("Last_Name: drop", None), ("<text>: keep, *.Last_Name: hash", "A B"), ("City: drop", "A B")],
)
@pytest.mark.cases(1)
def test_the_full_name_follows_its_parts(load, org, given, shown):
    from simulators.zoho_crm import Field, Module

    parts = [Field(name, "text") for name in ("First_Name", "Last_Name", "Full_Name")]
    org.add_module(Module("Staff", parts, generated_type="custom", display_field="Full_Name"))
    ids = [org.insert("Staff", {"First_Name": "A", "Last_Name": "B", "Full_Name": "A B"}) for _ in "12"]
    hidden = rules(given) if "City" not in given else rules("Persons.City: drop")
    sync(load, "Staff", rules=hidden)
    org.delete("Staff", ids[0])
    sync(load, "Staff", rules=hidden)
    assert load.rows("select display_name from deleted_records") == [(shown,)]
    assert landed(load, "staff")[ids[1]].get("full_name") == shown


def test_a_field_beside_is_not_emptied_with_the_text_of_another(load, org):
    """`Amount_Text` is a field of its own, and not the text of an `Amount` that did not fit."""
    from simulators.zoho_crm import Field, Module

    fields = [Field("Amount", "integer"), Field("Amount_Text", "text")]
    org.add_module(Module("Bills", fields, generated_type="custom"))
    org.insert("Bills", {"Amount": 5, "Amount_Text": "five"})
    org.clock.advance(hours=2)
    sync(load, "Bills")
    sync(load, "Bills", rules=rules("Bills.Amount: drop"))
    assert load.rows("select amount, amount_text from bills") == [(None, "five")]


def test_a_run_that_fails_after_emptying_is_finished_by_the_next_one(load, org, monkeypatch):
    from pipelines.zoho_crm.run.loading import Loader

    sync(load, "Persons")
    with monkeypatch.context() as patch:
        patch.setattr(Loader, "_run", lambda *_: 1 / 0)
        assert tried(load, "Persons", rules=HASHED).exit_code == 1
    assert load.rows("select count(email) from persons") == [(0,)]
    sync(load, "Persons", rules=HASHED)
    assert load.rows("select count(distinct email) from persons") == [(3,)]


@pytest.mark.long
def test_a_history_whose_state_is_lost_is_emptied_all_the_same(load, org):
    texts = rules("<text>: mask", "<email>: hash", "Phone: drop", "Story: drop", "Likes: drop")
    sync(load, "Persons", history=None)
    org.edit("Persons", org.records("Persons")[0].id, City="Corinth")
    sync(load, "Persons", history=None)
    _spoil(load, lambda state: (state["resources"].clear(), state["columns"].clear()))
    sync(load, "Persons", history=None, rules=texts)
    assert load.reading("Persons").plan.synced is None
    assert load.rows("select count(*) from persons where _dlt_valid_to is not null")[0][0] > 0
    assert MARKER.lower() not in str(load.rows("select * from persons")).lower()

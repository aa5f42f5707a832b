"""A table with a filter holds the rows of the CRM that pass, whatever API reads them and whatever happens."""

from __future__ import annotations

from datetime import timedelta

import pytest

from simulators.zoho_crm import Field as SimulatedField
from simulators.zoho_crm import Module as SimulatedModule
from sources.zoho_crm.exceptions import SettingsError
from sources.zoho_crm.extract.filtered_rows import apply_filters
from sources.zoho_crm.extract.notes import ExtractNotes
from sources.zoho_crm.models import Field, Module
from sources.zoho_crm.planning.plan import Plan
from sources.zoho_crm.transform.arrow_tables import records_table
from sources.zoho_crm.transform.column_types import Column, ColumnType
from sources.zoho_crm.transform.parquet_writer import DiscardRows
from sources.zoho_crm.transform.row_filters import Filter
from tests.support.private import APIS, people, rules
from tests.support.private import found_in as found_in_files
from tests.support.syncing import sync, tried
from tests.support.truth import truth

ATHENS = rules(filters=("Persons.City: equal Athens",))


@pytest.fixture
def org(org):
    return people(org)


def passing(org, module="Persons", **wanted):
    return {id for id, row in truth(org, module).items() if all(row[k] == v for k, v in wanted.items())}


def ids(load, where="true"):
    return {id for (id,) in load.rows(f"select id from persons where {where}")}


@pytest.mark.parametrize("api", APIS)
def test_only_rows_that_pass_come(load, org, api):
    run = sync(load, "Persons", settings=APIS[api], rules=ATHENS)
    assert ids(load) == passing(org, city="Athens") != set()
    reading = run.readings[0]
    assert reading.crm_count is None
    assert "only rows with City equal Athens, which Zoho does not count" in reading.reason


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("City: not_equal Athens", 1),
        ("City: in Athens, Sparta", 4),
        ("City: not_in Athens, Corinth", 1),
        ("Income: greater_than 52340", 2),
        ("Income: greater_equal 52340.00", 3),
        ("Born: less_than 1990-05-18", 3),
        ("Born: less_equal 1990-05-16", 0),
        ("Last_Name: equal null", 1),
        ("Last_Name: not_equal null", 3),
        ("Seen: equal 2025-07-01T14:00:00+02:00", 3),
        ("Likes: equal null", 1),
        ("Likes: not_equal null", 3),
    ],
)
@pytest.mark.cases(4)
def test_each_comparator_compares_values_not_texts(load, org, words, number):
    sync(load, "Persons", rules=rules(filters=(f"Persons.{words}",)))
    assert len(ids(load)) == number


@pytest.mark.parametrize("keeps", [{}, {"deletes": "soft"}, {"history": None}])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_rows_come_and_go_as_edits_take_them_in_and_out(load, org, api, keeps):
    live = {"deletes": "deleted_at is null", "history": "_dlt_valid_to is null"}.get(
        next(iter(keeps), ""), "true"
    )
    sync(load, "Persons", settings=APIS[api], rules=ATHENS, **keeps)
    ins, out = passing(org, city="Athens"), passing(org, city="Sparta")
    org.edit("Persons", min(ins), City="Sparta")
    org.edit("Persons", min(out), City="Athens")
    sync(load, "Persons", settings=APIS[api], rules=ATHENS, **keeps)
    assert ids(load, live) == passing(org, city="Athens") == (ins - {min(ins)}) | {min(out)}
    assert load.reading("Persons").crm_count is None
    org.edit("Persons", min(ins), City="Athens")
    sync(load, "Persons", settings=APIS[api], rules=ATHENS, **keeps)
    assert ids(load, live) == passing(org, city="Athens")


@pytest.mark.long
def test_a_comparison_of_every_id_finds_no_difference(load, org):
    sync(load, "Persons", rules=ATHENS)
    run = sync(load, "Persons", rules=ATHENS, verify_every=timedelta(0))
    assert [r.deleted_rows for r in run.readings] == [0]
    load.rows("update persons set city = 'Sparta'")
    sync(load, "Persons", rules=ATHENS, verify_every=timedelta(0))
    assert ids(load) == passing(org, city="Athens")


def test_a_comparison_takes_away_a_row_that_no_longer_passes(load, org):
    """Zoho moves no time when a value of a picklist is renamed."""
    sync(load, "Persons", rules=ATHENS)
    id = min(passing(org, city="Athens"))
    org.record("Persons", id).values["City"] = "Sparta"
    sync(load, "Persons", rules=ATHENS, verify_every=timedelta(0))
    assert ids(load) == passing(org, city="Athens")


def test_another_filter_reads_the_module_whole(load, org):
    sync(load, "Persons", rules=ATHENS)
    run = sync(load, "Persons", rules=rules(filters=("Persons.City: equal Sparta",)))
    assert run.readings[0].reason.startswith("its filters are others than before")
    assert ids(load) == passing(org, city="Sparta")
    sync(load, "Persons")
    assert ids(load) == passing(org)


@pytest.mark.long
@pytest.mark.parametrize("api", ["bulk", "coql"])
def test_a_module_that_is_read_in_slices_writes_no_other_row(load, org, api, tmp_path, monkeypatch):
    fields = [SimulatedField(f"F{n}", "text") for n in range(230)] + [
        SimulatedField("Files", "fileupload"),
        SimulatedField("City", "text"),
    ]
    org.add_module(SimulatedModule("Wide", fields, generated_type="custom"))
    for city in ("Athens", "Nowhereville"):
        org.insert("Wide", {**{f"F{n}": f"{city} {n}" for n in range(230)}, "City": city})
    from sources.zoho_crm.extract import column_batches

    found = []
    torn = column_batches._inconsistent_ids

    def looking(*whatever):
        found.append(found_in_files(tmp_path, marker="Nowhereville"))
        return torn(*whatever)

    monkeypatch.setattr(column_batches, "_inconsistent_ids", looking)
    sync(load, "Wide", settings=APIS[api], rules=rules(filters=("Wide.City: equal Athens",)))
    assert load.rows("select f0, f229, city from wide") == [("Athens 0", "Athens 229", "Athens")]
    assert found == [[]]


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        (["Persons.City: hash"], "Persons.City is to be hashed by a privacy rule"),
        (["*.City: drop"], "Persons.City is to be dropped by a privacy rule"),
    ],
)
def test_a_filter_of_a_field_that_does_not_land_is_refused(load, org, privacy, words):
    with pytest.raises(SettingsError, match=words):
        tried(load, "Persons", rules=rules(*privacy, filters=("Persons.City: equal Athens",)))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Persons.Income: greater_than much", "'much' is no value of Persons.Income"),
        ("Persons.Born: in 1990-05-17, 2026-02-30", "'2026-02-30' is no value of Persons.Born"),
        ("Persons.Likes: equal tea", "Persons.Likes holds lists"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(load, org, words, told):
    with pytest.raises(SettingsError, match=told):
        tried(load, "Persons", rules=rules(filters=(words,)))


def test_rows_that_are_taken_back_are_no_longer_outside():
    columns = (
        Column("id", Field("id", "bigint"), ColumnType.TEXT),
        Column("city", Field("City", "text"), ColumnType.TEXT),
    )
    plan = Plan(
        Module("Persons"),
        "persons",
        "bulk",
        columns,
        "",
        filters=(Filter("Persons", "City", "equal", ("Athens",)),),
    )

    def rows(**cities):
        return records_table([{"id": id[1:], "City": city} for id, city in cities.items()], columns)

    notes = ExtractNotes()
    came = apply_filters(
        [rows(_1="Athens", _2="Rome"), rows(_8="Rome", _9="Athens"), DiscardRows(2), rows(_3="Oslo")],
        plan,
        notes,
    )
    told = [table.rows if isinstance(table, DiscardRows) else table["id"].to_pylist() for table in came]
    assert told == [["1"], ["9"], 1, []]
    assert notes.outside == {"2", "3"}

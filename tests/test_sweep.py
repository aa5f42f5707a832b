"""A sweep finds what the destination's rows lack, whatever hides it, and brings exactly that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Field, Module
from sources.zoho_crm.differences import Differences, compare, held_columns
from sources.zoho_crm.plan import Window
from sources.zoho_crm.reading import read_module
from sources.zoho_crm.spool import Spooled
from sources.zoho_crm.sweep import confirm_gone, fetch, narrow, read_narrow, whole
from sources.zoho_crm.walks import CHANGED
from tests.reading import DAY, look, rows_of, things
from tests.truth import truth

SCORES = [
    Field("Score", "formula", return_type="double"),
    Field("Sum", "formula", return_type="currency"),
    Field("Seen", "formula", return_type="datetime"),
    Field("Colours", "multiselectpicklist", pick_list_values=["Red", "Blue"]),
]
SCORED = ("Score", "Sum", "Seen", "Colours")


class Sweeper:
    """Things that are held as they once were, and a sweep of them as they are now."""

    def __init__(self, load, rows=3, refresh=(), **options):
        self.load, self.refresh = load, refresh
        self.ids = things(load.org, rows, extra=options.pop("extra", [*SCORES]), **options)
        self.held = load.folder / "held.parquet"
        self.hold()

    def hold(self):
        self.client, found = look(self.load, "", only=["Things"])
        self.plan = found.plans[0]
        reading = read_module(self.client, self.plan, self.load.folder)
        self.keep(pq.read_table(reading.spooled.path))

    def keep(self, table):
        pq.write_table(table, self.held)

    def table(self):
        return pq.read_table(self.held)

    def read(self, wish="auto"):
        plan = narrow(self.plan, self.refresh, len(self.ids), wish)
        reading = read_narrow(self.client, plan, self.load.folder)
        assert reading.status == "read", reading.error
        return reading

    def differ(self, wish="auto") -> Differences:
        reading = self.read(wish)
        return compare(reading.spooled, self.held, self.plan.columns, self.load.folder)


@pytest.fixture
def sweeper(load):
    return lambda *args, **options: Sweeper(load, *args, **options)


def only(load, module, settings=""):
    client, found = look(load, settings, only=[module])
    return client, found.plans[0]


# ---- the narrow reading


def test_a_narrow_plan_has_the_id_the_version_and_what_is_asked_for(sweeper):
    made = sweeper(extra=SCORES)
    plan = narrow(made.plan, ("Score", "No_such_field"), 3)
    assert {c.api_name for c in plan.columns} == {"id", CHANGED, "Score"}
    assert plan.whole
    assert plan.reason == "every id and Score: 1 credit; Bulk Read 54"


def test_a_narrow_plan_of_a_window_reads_every_record(sweeper):
    made = sweeper()
    window = Window(DAY + timedelta(days=300), DAY + timedelta(days=301))
    made.plan = replace(made.plan, window=window, sweep="once in a while")
    reading = made.read()
    assert set(rows_of(reading)) == set(made.ids)
    assert reading.reason == "every id (once in a while): 1 credit; Bulk Read 54"
    assert (reading.plan.synced, reading.plan.until) == (None, None)


def test_a_wish_for_an_api_wins(sweeper):
    made = sweeper()
    assert [narrow(made.plan, (), 3, wish).api for wish in ("records", "coql", "bulk")] == [
        "records",
        "coql",
        "bulk",
    ]
    assert [narrow(made.plan, (), rows).api for rows in (10_000, 12_000)] == ["records", "bulk"]


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_converted_leads_and_unapproved_ones_are_no_differences(load, api):
    load.org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    ids = [load.org.insert("Leads", {"Last_Name": str(n)}) for n in range(4)]
    load.org.convert(ids[0])
    load.org.approve("Leads", ids[1], False)
    client, plan = only(load, "Leads")
    reading = read_narrow(client, narrow(plan, (), 4, api), load.folder)
    assert set(rows_of(reading)) == set(ids)
    assert reading.api == api


def test_a_narrow_file_lies_beside_the_whole_one(sweeper):
    made = sweeper()
    path = made.read().spooled.path
    assert path.name == "things.parquet"
    assert path.parent == made.load.folder / "narrow"
    assert (made.load.folder / "things.parquet").exists()


def test_a_module_that_bulk_read_refuses_comes_by_the_records_api(sweeper):
    made = sweeper(bulk_supported=False)
    reading = made.read("bulk")
    assert (reading.api, set(rows_of(reading))) == ("records", set(made.ids))


# ---- the comparison


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_equal_tables_have_no_differences(sweeper, api):
    made = sweeper(30, refresh=SCORED)
    for id in made.ids[::2]:
        made.load.org.edit("Things", id, Score=1 / 3, Sum=Decimal("0.1"), Seen=DAY, Colours=["Red", "Blue"])
    made.hold()
    assert made.differ(api) == Differences()


def test_missing_extra_and_stale_rows_are_named(sweeper):
    made = sweeper(6)
    org, ids = made.load.org, made.ids
    new = org.insert("Things", {"F0": "new"})
    org.edit("Things", ids[1], F0="edited")
    org.delete("Things", ids[2])
    org.merge("Things", ids[3], [ids[4]])
    found = made.differ()
    assert (found.missing, found.extra, found.stale) == ((new,), (ids[2], ids[4]), (ids[1], ids[3]))
    assert (found.patches, found.patched) == (None, 0)


def test_times_are_compared_as_instants(sweeper):
    made = sweeper()
    table = made.table()
    zone = table["modified_time"].cast(pa.timestamp("us", "Asia/Kolkata"))
    made.keep(table.set_column(table.schema.get_field_index("modified_time"), "modified_time", zone))
    assert made.differ() == Differences()
    naive = table["modified_time"].cast(pa.timestamp("us"))
    made.keep(table.set_column(table.schema.get_field_index("modified_time"), "modified_time", naive))
    assert made.differ() == Differences()


def test_rows_without_a_modified_time_are_compared(sweeper):
    made = sweeper()
    for id in made.ids[:2]:
        made.load.org.set_computed("Things", id, CHANGED, None)
    made.hold()
    assert made.differ() == Differences()
    made.load.org.edit("Things", made.ids[0], F0="now it has one")
    assert made.differ().stale == (made.ids[0],)


def test_a_module_that_hides_modified_time_is_compared_by_id_and_values(sweeper):
    made = sweeper(refresh=("Score",), hidden_modified_time=True)
    made.load.org.delete("Things", made.ids[0])
    made.load.org.set_computed("Things", made.ids[1], "Score", 7.5)
    found = made.differ()
    assert (found.extra, found.stale, found.patched) == ((made.ids[0],), (), 1)


def test_a_row_that_is_held_twice_is_stale(sweeper):
    made = sweeper(refresh=("Score",))
    made.keep(pa.concat_tables([made.table(), made.table().slice(1, 1)]))
    made.load.org.set_computed("Things", made.ids[1], "Score", 7.5)
    found = made.differ()
    assert found == Differences(stale=(made.ids[1],))


@pytest.mark.parametrize("api", ["records", "coql", "bulk"])
def test_values_that_moved_without_modified_time_become_patches(sweeper, api):
    made = sweeper(5, refresh=SCORED)
    org, ids = made.load.org, made.ids
    org.set_computed("Things", ids[0], "Score", 0.1)
    org.set_computed("Things", ids[1], "Sum", Decimal("0.000000001"))
    org.set_computed("Things", ids[2], "Seen", DAY)
    org.set_computed("Things", ids[3], "Colours", ["Blue"])
    found = made.differ(api)
    assert (found.stale, found.patched) == ((), 4)
    rows = {row["id"]: row for row in pq.read_table(found.patches).to_pylist()}
    assert {id: (r["score"], r["sum"], r["seen"], r["colours"]) for id, r in rows.items()} == {
        ids[0]: (0.1, None, None, None),
        ids[1]: (None, Decimal("0.000000001"), None, None),
        ids[2]: (None, None, DAY, None),
        ids[3]: (None, None, None, '["Blue"]'),
    }


def test_patches_have_the_types_of_their_columns(sweeper):
    made = sweeper(refresh=SCORED)
    made.load.org.set_computed("Things", made.ids[0], "Seen", DAY)
    schema = pq.read_schema(made.differ().patches)
    held = made.table().schema
    assert set(schema.names) == {"id", "score", "sum", "seen", "colours"}
    assert {name: schema.field(name).type for name in schema.names} == {
        name: held.field(name).type for name in schema.names
    }


def test_a_value_that_went_becomes_null(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.set_computed("Things", made.ids[0], "Score", 0.1)
    made.hold()
    made.load.org.set_computed("Things", made.ids[0], "Score", None)
    assert pq.read_table(made.differ().patches).to_pylist() == [{"id": made.ids[0], "score": None}]


def test_a_row_of_another_version_is_stale_and_not_patched(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.edit("Things", made.ids[0], F0="edited", Score=4.0)
    assert made.differ() == Differences(stale=(made.ids[0],))


def test_a_column_that_the_destination_lacks_is_null_there(sweeper):
    made = sweeper(refresh=("Score",))
    made.load.org.set_computed("Things", made.ids[1], "Score", 0.5)
    made.keep(made.table().drop_columns(["score"]))
    assert pq.read_table(made.differ().patches).to_pylist() == [{"id": made.ids[1], "score": 0.5}]


def test_what_was_not_asked_for_is_not_compared(sweeper):
    made = sweeper(refresh=("Sum",))
    made.load.org.set_computed("Things", made.ids[1], "Score", 0.5)
    assert made.differ() == Differences()


def test_json_is_compared_by_its_value(sweeper):
    made = sweeper(refresh=("Colours",))
    for id in made.ids:
        made.load.org.edit("Things", id, Colours=["Red", "Blue"])
    made.hold()
    table = made.table()
    place = table.schema.get_field_index("colours")
    spelt = ['[ "Red", "Blue" ]', '["Blue", "Red"]', "no JSON"]
    made.keep(table.set_column(place, "colours", pa.array(spelt)))
    assert pq.read_table(made.differ().patches)["id"].to_pylist() == made.ids[1:]


def test_other_types_of_a_destination_are_compared_by_value(sweeper):
    made = sweeper(refresh=("Sum", "Score"))
    for id in made.ids:
        made.load.org.edit("Things", id, Sum=Decimal("12.5"), Score=0.5)
    made.hold()
    table = made.table()
    wide = table["sum"].cast(pa.decimal128(38, 2))
    table = table.set_column(table.schema.get_field_index("sum"), "sum", wide)
    place = table.schema.get_field_index("score")
    made.keep(table.set_column(place, "score", pa.array(["0.5", "0.50", "0.75"])))
    assert pq.read_table(made.differ().patches)["id"].to_pylist() == [made.ids[2]]


def test_values_that_do_not_fit_are_patched_in_the_twin_of_the_whole_table(sweeper):
    beside = Field("Score_Text", "text")
    made = sweeper(refresh=("Score",), extra=[SCORES[0], beside])
    made.load.org.record("Things", made.ids[0]).values["Score"] = "many"
    found = made.differ()
    assert pq.read_table(found.patches).to_pylist() == [
        {"id": made.ids[0], "score": None, "score_text_2": "many"}
    ]


def test_a_value_that_fits_again_clears_its_twin(sweeper):
    made = sweeper(refresh=("Score",))
    table = made.table()
    made.keep(table.append_column("score_text", pa.array(["many", None, None], pa.string())))
    made.load.org.set_computed("Things", made.ids[0], "Score", 3.0)
    assert pq.read_table(made.differ().patches).to_pylist() == [
        {"id": made.ids[0], "score": 3.0, "score_text": None}
    ]


def test_the_columns_to_ask_of_the_destination_are_told(sweeper):
    made = sweeper(refresh=("Score", "Colours"))
    names = held_columns(made.read().spooled, made.plan.columns)
    assert set(names) == {
        "id",
        "modified_time",
        "score",
        "colours",
        "modified_time_text",
        "score_text",
        "colours_text",
    }


def test_of_many_rows_only_the_different_one_is_patched(tmp_path, sweeper):
    made = sweeper(refresh=("Score",))
    paths = [tmp_path / "n.parquet", tmp_path / "h.parquet"]
    with duckdb.connect() as database:
        for path, score in zip(paths, ("i", "case i when 7 then 8 else i end"), strict=True):
            database.execute(
                f"copy (select (10000000 + i)::varchar as id, {score}::double as score, "
                "timestamptz '2026-01-01 00:00:00+00' + to_seconds(i) as modified_time "
                f"from range(200000) t(i)) to '{path}'"
            )
    spooled = Spooled(paths[0], 200_000, pq.read_schema(paths[0]), Counter(), 0)
    found = compare(spooled, paths[1], made.plan.columns, tmp_path)
    assert (found.missing, found.extra, found.stale, found.patched) == ((), (), (), 1)
    assert pq.read_table(found.patches).to_pylist() == [{"id": "10000007", "score": 7.0}]


# ---- proof, and what is fetched


def test_only_what_asking_by_id_does_not_bring_is_gone(sweeper):
    made = sweeper(150)
    made.load.org.delete("Things", made.ids[3])
    made.load.org.delete("Things", made.ids[120], permanent=True)
    gone = confirm_gone(made.client, "Things", made.ids)
    assert gone == {made.ids[3], made.ids[120]}
    assert confirm_gone(made.client, "Things", []) == set()


def test_hidden_records_are_not_gone(load):
    load.org.add_module(Module("Leads", [Field("Last_Name", "text")]))
    ids = [load.org.insert("Leads", {"Last_Name": str(n)}) for n in range(2)]
    load.org.convert(ids[0])
    load.org.approve("Leads", ids[1], False)
    client, _ = only(load, "Leads")
    assert confirm_gone(client, "Leads", ids) == set()


def test_rows_are_fetched_whole(sweeper):
    made = sweeper(250, fields=60)
    wanted = made.ids[::2]
    reading = fetch(made.client, made.plan, wanted, made.load.folder)
    expected = truth(made.load.org, "Things")
    assert rows_of(reading) == {id: expected[id] for id in wanted}
    assert (reading.api, reading.reason) == ("records", "125 records by id")
    assert reading.plan.whole is False
    assert reading.usage.calls == 4


def test_a_record_that_went_meanwhile_has_no_row(sweeper):
    made = sweeper()
    made.load.org.delete("Things", made.ids[1])
    reading = fetch(made.client, made.plan, made.ids, made.load.folder)
    assert set(rows_of(reading)) == {made.ids[0], made.ids[2]}


def test_what_costs_less_whole_is_read_whole(sweeper):
    made = sweeper(1_000)
    instead = whole(replace(made.plan, window=Window(DAY, None)), 1_000)
    few, many = (fetch(made.client, made.plan, made.ids[:n], made.load.folder, instead) for n in (600, 800))
    assert (few.plan.whole, few.rows, few.usage.credits) == (False, 600, 6)
    assert (many.plan.whole, many.rows, many.usage.credits <= 7) == (True, 1_000, True)
    assert many.reason.startswith("800 records to read again, which costs more by id; 7 credits")


def test_a_refusal_while_fetching_is_one_sentence(sweeper):
    made = sweeper()
    made.load.org.modules["Things"].no_permission = True
    reading = fetch(made.client, made.plan, made.ids, made.load.folder)
    assert reading.status == "failed"
    assert "NO_PERMISSION" in (reading.error or "")

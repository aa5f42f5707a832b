"""Rows that belong to other records are followed when those are deleted or changed, and none is lost."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from simulators.zoho_crm.demo import add_modules
from simulators.zoho_crm.demo_account import fill_account
from sources.zoho_crm.children import Followed, Link, Parents, follow, ids_by_parent, links
from sources.zoho_crm.errors import ReadFailed, Retriable
from sources.zoho_crm.metadata import Module as Known
from sources.zoho_crm.metadata import list_fields, list_modules, parse_field
from sources.zoho_crm.reading import read_module
from tests.reading import LIST, QUERY, RECORDS, look, queries

ITEMS = Link("Quotes", "Quoted_Items", "Parent_Id")
LIGHTS = Link("Lighthouses", "Lighthouses_X_Products", "Lighthouse")
NOTES = Link("Deals", "Notes", "Parent_Id", edited=False)
HISTORY = Link("Deals", "DealHistory", "Potential_Name", edited=False)


class Family:
    """The rows of one child module as they were once held, and the CRM as it is now."""

    def __init__(self, load, link):
        self.load, self.org, self.link = load, load.org, link
        self.client, found = look(load, RECORDS, only=[link.child])
        self.plan = found.plans[0]
        reading = read_module(self.client, self.plan, load.folder)
        self.table = pq.read_table(reading.spooled.path)
        self.column = self.plan.column(link.field).name

    def held(self, parents):
        """What the destination holds of these parents."""
        path = self.load.folder / "held.parquet"
        names = [c for c in ("id", "modified_time", self.column) if c in self.table.column_names]
        kept = [row[self.column] in parents for row in self.table.to_pylist()]
        pq.write_table(self.table.select(names).filter(pa.array(kept, pa.bool_())), path)
        return path

    def follow(self, gone=(), changed=()):
        parents = Parents(frozenset(gone), frozenset(changed))
        return follow(self.client, self.plan, self.link, parents, self.held(parents.gone | parents.changed))

    def rows_of(self, parent):
        return {row["id"] for row in self.table.to_pylist() if row[self.column] == parent}


@pytest.fixture
def family(load):
    """Ten quotes with three items each."""
    org = load.org
    subform = Field("Items", "subform", subform_module="Quoted_Items")
    items = [Field("Quantity", "double")]
    org.add_module(Module("Quoted_Items", items, generated_type="subform", parent_module="Quotes"))
    org.add_module(Module("Quotes", [Field("Subject", "text"), subform]))
    rows = [{"Quantity": 1.0}, {"Quantity": 2.0}, {"Quantity": 3.0}]
    quotes = [org.insert("Quotes", {"Subject": f"{n}", "Items": rows}) for n in range(10)]
    found = Family(load, ITEMS)
    found.quotes = quotes
    return found


@pytest.fixture
def demo(load_from):
    """The demo company's modules with a few rows that hang on each other."""
    return lambda link, **quirks: Family(load_from(company(**quirks)), link)


def company(**quirks):
    org = Org(quirks=Quirks(**quirks))
    fill_account(org)
    add_modules(org)
    deals = [org.insert("Deals", {"Deal_Name": f"{n}"}) for n in range(3)]
    towers = [org.insert("Lighthouses", {"Name": f"{n}"}) for n in range(3)]
    products = [org.insert("Products", {"Product_Name": f"{n}"}) for n in range(2)]
    for n in range(12):
        org.insert("Notes", {"Parent_Id": {"id": deals[n % 3], "name": None, "module": "Deals"}})
        org.insert("DealHistory", {"Potential_Name": deals[n % 3]})
        org.insert(
            "Lighthouses_X_Products", {"Lighthouse": towers[n % 3], "Product": products[n % 2] if n else None}
        )
    return org


# ---- which modules hang on which


def found_in(load):
    client = load.client()
    modules = {m.api_name: m for m in list_modules(client) if m.api_supported and m.viewable}
    del modules["Payroll"]
    return links({name: list_fields(client, name) for name in modules}, modules)


def test_the_metadata_tells_which_modules_hang_on_which(load_from):
    found = found_in(load_from(company()))
    own = [link for link in found if link.child not in ("Notes", "Attachments")]
    assert own == [
        Link("Quotes", "Quoted_Items", "Parent_Id"),
        Link("Deals", "DealHistory", "Potential_Name", edited=False),
        Link("Lighthouses", "Lighthouses_X_Products", "Lighthouse"),
        Link("Products", "Lighthouses_X_Products", "Product"),
    ]


def test_notes_and_files_hang_on_records_of_every_module_and_files_on_notes(load_from):
    found = [link for link in found_in(load_from(company())) if link.child in ("Notes", "Attachments")]
    assert {(link.field, link.edited) for link in found} == {("Parent_Id", False)}
    parents = {
        child: {link.parent for link in found if link.child == child} for child in ("Notes", "Attachments")
    }
    assert parents["Attachments"] == parents["Notes"] | {"Notes"}
    assert {"Leads", "Deals", "Lighthouses", "客户反馈"} <= parents["Notes"]
    assert not {"Quoted_Items", "DealHistory", "Lighthouses_X_Products", "Attachments"} & parents["Notes"]
    assert [link.child for link in found] == sorted((link.child for link in found), reverse=True)


def test_a_subform_whose_parent_only_the_parent_names_is_tied_to_it():
    modules = {name: Known(name, kind) for name, kind in (("Trips", "custom"), ("Stops", "subform"))}
    own = parse_field({"api_name": "S", "data_type": "subform", "associated_module": {"module": "Stops"}})
    up = parse_field({"api_name": "Parent_Id", "data_type": "lookup", "lookup": {}})
    assert links({"Trips": [own], "Stops": [up]}, modules) == [Link("Trips", "Stops", "Parent_Id")]


def test_a_subform_without_a_parent_id_is_tied_by_the_lookup_that_points_there():
    modules = {
        "Trips": Known("Trips"),
        "Stops": Known("Stops", "subform", raw={"parent_module": {"api_name": "Trips", "id": "1"}}),
    }
    towns = parse_field(
        {"api_name": "Town", "data_type": "lookup", "lookup": {"module": {"api_name": "Towns"}}}
    )
    up = parse_field({"api_name": "Trip", "data_type": "lookup", "lookup": {"module": "Trips"}})
    assert links({"Trips": [], "Stops": [towns, up]}, modules) == [Link("Trips", "Stops", "Trip")]
    assert links({"Trips": [], "Stops": [towns]}, modules) == []


def test_parents_that_the_account_does_not_offer_are_no_links():
    modules = {"Stops": Known("Stops", "subform", raw={"parent_module": {"api_name": "Trips"}})}
    up = parse_field({"api_name": "Parent_Id", "data_type": "lookup", "lookup": {}})
    assert links({"Stops": [up]}, modules) == []


def test_ordinary_lookups_are_no_links():
    modules = {"Deals": Known("Deals"), "Accounts": Known("Accounts")}
    up = parse_field({"api_name": "A", "data_type": "lookup", "lookup": {"module": {"api_name": "Accounts"}}})
    assert links({"Deals": [up], "Accounts": []}, modules) == []


# ---- asking by parent


def test_ids_by_parent_come_with_their_versions(family):
    asked = ids_by_parent(family.client, family.plan, ITEMS, family.quotes[:4])
    assert asked is not None
    assert set(asked) == set().union(*(family.rows_of(quote) for quote in family.quotes[:4]))
    assert all(text.startswith("20") and "T" in text for text in asked.values())
    assert len(queries(family.org)) == 1


def test_many_parents_take_a_query_for_each_fifty(family):
    more = [family.org.insert("Quotes", {"Items": [{"Quantity": 9.0}]}) for _ in range(111)]
    asked = ids_by_parent(family.client, family.plan, ITEMS, [*more, *more])
    assert len(asked or ()) == 111
    assert [query.count("'") // 2 for query in queries(family.org)] == [50, 50, 11]


def test_parents_with_more_rows_than_a_page_are_read_to_their_end(family):
    quote = family.org.insert("Quotes", {"Items": [{"Quantity": float(n)} for n in range(3_300)]})
    asked = ids_by_parent(family.client, family.plan, ITEMS, [quote])
    assert len(asked or ()) == 3_300
    limits = [query.rpartition(" ")[2] for query in queries(family.org)]
    assert limits == ["200", "1000", "2000", "2000"]


def test_no_parents_are_no_question(family):
    assert ids_by_parent(family.client, family.plan, ITEMS, []) == {}
    assert queries(family.org) == []


def test_a_refusal_of_coql_leaves_the_rows_unknown(family):
    family.org.modules["Quoted_Items"].coql_supported = False
    assert ids_by_parent(family.client, family.plan, ITEMS, family.quotes) is None


def test_what_passes_with_time_is_no_refusal(family):
    family.org.faults.add(QUERY, status=500, body={"code": "INTERNAL_ERROR"}, times=20)
    with pytest.raises(Retriable):
        ids_by_parent(family.client, family.plan, ITEMS, family.quotes)


def test_a_promise_of_more_that_is_not_kept_ends_in_a_sentence(family):
    body = {"data": [{"id": "1"}], "info": {"more_records": True}}
    family.org.faults.add(QUERY, status=200, body=body, times=3)
    with pytest.raises(ReadFailed, match="brings none"):
        ids_by_parent(family.client, family.plan, ITEMS, family.quotes)


@pytest.mark.parametrize("link", [LIGHTS, NOTES, HISTORY], ids=lambda link: link.child)
@pytest.mark.parametrize("flat", [True, False], ids=["flat triples", "pairs only"])
def test_every_kind_of_child_can_be_asked_by_its_parents(demo, link, flat):
    family = demo(link, coql_flat_triples=flat, coql_modules_refused=frozenset(), coql_in_values=50)
    parents = sorted({row[family.column] for row in family.table.to_pylist() if row[family.column]})[:60]
    asked = ids_by_parent(family.client, family.plan, link, parents)
    assert asked is not None
    assert set(asked) == set().union(*map(family.rows_of, parents)) != set()


# ---- following


def test_nothing_is_asked_of_parents_without_rows(family):
    before = len(family.org.ledger.calls())
    assert family.follow(gone=["1"]) == Followed()
    assert len(family.org.ledger.calls()) == before


def test_rows_of_a_deleted_record_are_gone(family):
    quote = family.quotes[3]
    family.org.delete("Quotes", quote)
    assert family.follow(gone=[quote]) == Followed(gone=frozenset(family.rows_of(quote)))
    assert queries(family.org) == []


def test_rows_that_are_still_there_are_not_gone(family):
    assert family.follow(gone=[family.quotes[3]]) == Followed()


def test_rows_that_came_and_went_with_an_edit_are_found(family):
    org, quote = family.org, family.quotes[1]
    kept, dropped, edited = sorted(family.rows_of(quote))
    org.clock.advance(minutes=5)
    org.delete("Quoted_Items", dropped)
    org.edit("Quoted_Items", edited, Quantity=99.0)
    new = org.insert("Quoted_Items", {"Parent_Id": quote, "Quantity": 7.0})
    found = family.follow(changed=[quote])
    assert found == Followed(frozenset({dropped}), frozenset({new}), frozenset({edited}))
    assert kept in family.rows_of(quote)


def test_rows_that_an_edit_left_alone_are_not_asked_one_by_one(family):
    before = len(family.org.ledger.calls(LIST))
    assert family.follow(changed=family.quotes) == Followed()
    assert len(queries(family.org)) == 1
    assert len(family.org.ledger.calls(LIST)) == before


def test_rows_of_a_restored_record_are_missing(family):
    org, quote = family.org, family.quotes[2]
    rows = family.rows_of(quote)
    family.table = family.table.filter(pa.array([r["id"] not in rows for r in family.table.to_pylist()]))
    org.delete("Quotes", quote)
    org.restore("Quotes", quote)
    org.edit("Quotes", quote, Subject="back")
    assert family.follow(changed=[quote]) == Followed(missing=frozenset(rows))


def test_without_coql_rows_that_went_are_found_and_the_caller_is_told(family):
    org, quote = family.org, family.quotes[1]
    _, dropped, _ = sorted(family.rows_of(quote))
    org.modules["Quoted_Items"].coql_supported = False
    org.delete("Quoted_Items", dropped)
    org.insert("Quoted_Items", {"Parent_Id": quote})
    assert family.follow(changed=[quote]) == Followed(gone=frozenset({dropped}), asked=False)


def test_links_go_with_either_of_their_records(demo):
    family = demo(LIGHTS)
    tower = next(row["lighthouse__id"] for row in family.table.to_pylist())
    rows = family.rows_of(tower)
    family.org.delete("Lighthouses", tower)
    assert family.follow(gone=[tower]) == Followed(gone=frozenset(rows))
    other = demo(Link("Products", "Lighthouses_X_Products", "Product"))
    product = next(row["product__id"] for row in other.table.to_pylist() if row["product__id"])
    other.org.delete("Products", product)
    assert other.follow(gone=[product]).gone == other.rows_of(product) != set()


def test_notes_go_with_their_record(demo):
    family = demo(NOTES, notes_go_with_record=True)
    deal = family.org.records("Deals")[0].id
    family.org.delete("Deals", deal)
    assert family.follow(gone=[deal]) == Followed(gone=frozenset(family.rows_of(deal)))


def test_notes_that_outlive_their_record_stay(demo):
    family = demo(NOTES, notes_go_with_record=False)
    deal = family.org.records("Deals")[0].id
    one = min(family.rows_of(deal))
    family.org.delete("Deals", deal)
    family.org.delete("Notes", one)
    assert family.follow(gone=[deal]) == Followed(gone=frozenset({one}))


def test_notes_that_a_merge_moves_silently_are_read_again(demo):
    family = demo(NOTES, merge_moves_notes="silently")
    master, loser, _ = (record.id for record in family.org.records("Deals"))
    family.org.merge("Deals", master, [loser])
    assert family.follow(gone=[loser]) == Followed(stale=frozenset(family.rows_of(loser)))


def test_history_that_lost_its_record_is_read_again(demo):
    family = demo(HISTORY, history_loses_record=True)
    deal = family.org.records("Deals")[0].id
    family.org.delete("Deals", deal)
    assert family.follow(gone=[deal]) == Followed(stale=frozenset(family.rows_of(deal)))


def test_times_of_a_destination_without_zones_are_in_utc(family):
    place = family.table.schema.get_field_index("modified_time")
    naive = family.table["modified_time"].cast(pa.timestamp("us"))
    family.table = family.table.set_column(place, "modified_time", naive)
    assert family.follow(changed=family.quotes[:2], gone=family.quotes[2:]) == Followed()


def test_children_without_a_modified_time_are_compared_by_id_and_parent(load):
    org = load.org
    org.add_module(Module("Quotes", [Field("Subject", "text")]))
    org.add_module(
        Module(
            "Quoted_Items", [], generated_type="subform", parent_module="Quotes", hidden_modified_time=True
        )
    )
    quotes = [org.insert("Quotes", {"Subject": str(n)}) for n in range(3)]
    ids = [org.insert("Quoted_Items", {"Parent_Id": quote}) for quote in quotes]
    family = Family(load, ITEMS)
    org.delete("Quoted_Items", ids[0])
    org.set_computed("Quoted_Items", ids[1], "Parent_Id", quotes[2])
    found = family.follow(changed=quotes[:2])
    assert found == Followed(gone=frozenset({ids[0]}), stale=frozenset({ids[1]}))

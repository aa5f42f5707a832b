"""Rows that belong to other records are followed when those are deleted or changed, and none is lost."""

from __future__ import annotations

import pyarrow as pa
import pytest

from simulators.zoho_crm import Field, Module
from sources.zoho_crm.exceptions import ExtractError, Retriable
from sources.zoho_crm.extract.related_rows import RelatedRowChanges, Relationship, ids_by_parent
from tests.support.families import HISTORY, ITEMS, LIGHTS, NOTES, Family, company
from tests.support.reading import LIST, QUERY, queries


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
    return lambda link, **quirks: Family(load_from(company(**quirks)), link)


# ---- asking by parent


def test_ids_by_parent_come_with_their_versions(family):
    asked = ids_by_parent(family.client, family.plan, ITEMS, family.quotes[:4])
    assert asked is not None
    assert set(asked) == set().union(*(family.rows_of(quote) for quote in family.quotes[:4]))
    assert all(text.startswith("20") and "T" in text for text in asked.values())
    assert len(queries(family.org)) == 1


def test_many_parents_take_a_query_for_each_hundred(family):
    more = [family.org.insert("Quotes", {"Items": [{"Quantity": 9.0}]}) for _ in range(111)]
    asked = ids_by_parent(family.client, family.plan, ITEMS, [*more, *more])
    assert len(asked or ()) == 111
    assert [query.count("'") // 2 for query in queries(family.org)] == [100, 11]


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
    with pytest.raises(ExtractError, match="brings none"):
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
    assert family.follow(gone=["1"]) == RelatedRowChanges()
    assert len(family.org.ledger.calls()) == before


def test_rows_of_a_deleted_record_are_gone(family):
    quote = family.quotes[3]
    family.org.delete("Quotes", quote)
    assert family.follow(gone=[quote]) == RelatedRowChanges(gone=frozenset(family.rows_of(quote)))
    assert queries(family.org) == []


def test_rows_that_are_still_there_are_not_gone(family):
    assert family.follow(gone=[family.quotes[3]]) == RelatedRowChanges()


def test_rows_that_came_and_went_with_an_edit_are_found(family):
    org, quote = family.org, family.quotes[1]
    kept, dropped, edited = sorted(family.rows_of(quote))
    org.clock.advance(minutes=5)
    org.delete("Quoted_Items", dropped)
    org.edit("Quoted_Items", edited, Quantity=99.0)
    new = org.insert("Quoted_Items", {"Parent_Id": quote, "Quantity": 7.0})
    found = family.follow(changed=[quote])
    assert found == RelatedRowChanges(frozenset({dropped}), frozenset({new}), frozenset({edited}))
    assert kept in family.rows_of(quote)


def test_rows_that_an_edit_left_alone_are_not_asked_one_by_one(family):
    before = len(family.org.ledger.calls(LIST))
    assert family.follow(changed=family.quotes) == RelatedRowChanges()
    assert len(queries(family.org)) == 1
    assert len(family.org.ledger.calls(LIST)) == before


def test_rows_of_a_restored_record_are_missing(family):
    org, quote = family.org, family.quotes[2]
    rows = family.rows_of(quote)
    family.table = family.table.filter(pa.array([r["id"] not in rows for r in family.table.to_pylist()]))
    org.delete("Quotes", quote)
    org.restore("Quotes", quote)
    org.edit("Quotes", quote, Subject="back")
    assert family.follow(changed=[quote]) == RelatedRowChanges(missing=frozenset(rows))


def test_without_coql_rows_that_went_are_found_and_the_caller_is_told(family):
    org, quote = family.org, family.quotes[1]
    _, dropped, _ = sorted(family.rows_of(quote))
    org.modules["Quoted_Items"].coql_supported = False
    org.delete("Quoted_Items", dropped)
    org.insert("Quoted_Items", {"Parent_Id": quote})
    assert family.follow(changed=[quote]) == RelatedRowChanges(gone=frozenset({dropped}), asked=False)


def test_links_go_with_either_of_their_records(demo):
    family = demo(LIGHTS)
    tower = next(row["lighthouse__id"] for row in family.table.to_pylist())
    rows = family.rows_of(tower)
    family.org.delete("Lighthouses", tower)
    assert family.follow(gone=[tower]) == RelatedRowChanges(gone=frozenset(rows))
    other = demo(Relationship("Products", "Lighthouses_X_Products", "Product"))
    product = next(row["product__id"] for row in other.table.to_pylist() if row["product__id"])
    other.org.delete("Products", product)
    assert other.follow(gone=[product]).gone == other.rows_of(product) != set()


def test_notes_go_with_their_record(demo):
    family = demo(NOTES, notes_go_with_record=True)
    deal = family.org.records("Deals")[0].id
    family.org.delete("Deals", deal)
    assert family.follow(gone=[deal]) == RelatedRowChanges(gone=frozenset(family.rows_of(deal)))


def test_notes_that_outlive_their_record_stay(demo):
    family = demo(NOTES, notes_go_with_record=False)
    deal = family.org.records("Deals")[0].id
    one = min(family.rows_of(deal))
    family.org.delete("Deals", deal)
    family.org.delete("Notes", one)
    assert family.follow(gone=[deal]) == RelatedRowChanges(gone=frozenset({one}))


def test_notes_that_a_merge_moves_silently_are_read_again(demo):
    family = demo(NOTES, merge_moves_notes="silently")
    master, loser, _ = (record.id for record in family.org.records("Deals"))
    family.org.merge("Deals", master, [loser])
    assert family.follow(gone=[loser]) == RelatedRowChanges(stale=frozenset(family.rows_of(loser)))


def test_history_that_lost_its_record_is_read_again(demo):
    family = demo(HISTORY, history_loses_record=True)
    deal = family.org.records("Deals")[0].id
    family.org.delete("Deals", deal)
    assert family.follow(gone=[deal]) == RelatedRowChanges(stale=frozenset(family.rows_of(deal)))


def test_times_of_a_destination_without_zones_are_in_utc(family):
    place = family.table.schema.get_field_index("modified_time")
    naive = family.table["modified_time"].cast(pa.timestamp("us"))
    family.table = family.table.set_column(place, "modified_time", naive)
    assert family.follow(changed=family.quotes[:2], gone=family.quotes[2:]) == RelatedRowChanges()


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
    assert found == RelatedRowChanges(gone=frozenset({ids[0]}), stale=frozenset({ids[1]}))

"""COQL is asked for the rows of a hundred records at once, or of fifty where it refuses so many."""

from __future__ import annotations

import pytest

from simulators.zoho_crm import Field, Module, Org, Quirks
from tests.support.reading import QUERY
from tests.support.syncing import agrees, sync


@pytest.mark.parametrize(("most", "statuses"), [(100, [200] * 3), (50, [400] + [200] * 5)])
def test_rows_of_many_records_are_asked_for_and_a_refusal_is_remembered(load_from, most, statuses):
    org = Org(quirks=Quirks(coql_in_values=most))
    items = Field("Items", "subform", subform_module="Items")
    org.add_module(Module("Quotes", [Field("Subject", "text"), items]))
    fields = [Field("Number", "integer")]
    org.add_module(Module("Items", fields, generated_type="subform", parent_module="Quotes"))
    load = load_from(org)
    quotes = [org.insert("Quotes", {"Items": [{"Number": n} for n in range(6)]}) for _ in range(250)]
    org.clock.advance(hours=1)
    sync(load, "Quotes", "Items")
    org.clock.advance(hours=1)
    for quote in quotes:
        org.edit("Quotes", quote, Subject="edited")
    org.insert("Items", {"Parent_Id": quotes[-1], "Number": 7}, modified_time=org.now().replace(year=2025))
    org.ledger.clear()
    sync(load, "Quotes", "Items")
    agrees(load, "Items")
    asked = [call for call in org.ledger.calls(QUERY) if b"Parent_Id in (" in call.body]
    # Fifty records have 300 rows, which are two pages; only the first page of each question is counted.
    assert [call.status for call in asked if b" id > " not in call.body] == statuses

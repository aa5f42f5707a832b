"""The demo company: that it holds what a loader fears, and that it is the same each time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from simulators.zoho_crm import Clock, Org
from simulators.zoho_crm.demo.company import START, demo_changes, demo_org
from simulators.zoho_crm.demo.lighthouses import DST_EDGES, LINKS, NAME
from tests.simulators.zoho_crm.calling import call, query, read, rows_of


@pytest.fixture(scope="module")
def org() -> Org:
    """Only read: tests that change a company make their own."""
    return demo_org()


def contents(org: Org) -> Any:
    return {
        "records": {name: [vars(record) for record in org.records(name)] for name in org.modules},
        "deletions": {name: [gone.record.id for gone in gone_] for name, gone_ in org.deletions.items()},
        "fields": {name: [field.api_name for field in module.fields] for name, module in org.modules.items()},
        "users": org.account.users,
    }


def values(org: Org, module: str, field: str) -> list[Any]:
    return [record.values[field] for record in org.records(module)]


def test_it_is_small(org: Org) -> None:
    assert 15 <= len(org.modules) <= 25
    sizes = {name: len(org.records(name)) for name in org.modules}
    assert {name for name, size in sizes.items() if size > 2_000} == {"Leads", "Contacts"}
    assert sizes["Leads"] > 5_000
    assert sum(sizes.values()) < 15_000


def test_the_same_seed_is_the_same_company_and_another_seed_another(org: Org) -> None:
    assert contents(demo_org()) == contents(org)
    assert contents(demo_org(seed=1)) != contents(org)


@pytest.mark.long
def test_equal_companies_change_equally() -> None:
    one, two = demo_org(), demo_org()
    assert demo_changes(one) == demo_changes(two)
    assert contents(one) == contents(two)


def test_a_morning_changes_only_what_it_names() -> None:
    org = demo_org(clock=Clock(START))
    before = {name: {record.id: record.modified for record in org.records(name)} for name in org.modules}
    org.clock.advance(hours=2)
    changes = demo_changes(org)
    for name in org.modules:
        after = {record.id: record.modified for record in org.records(name)}
        changed = {id for id in after if after[id] != before[name].get(id)}
        named = {
            *changes.inserted.get(name, []),
            *changes.edited.get(name, []),
            *changes.restored.get(name, []),
        }
        assert changed == named | ({*changes.converted} if name == "Leads" else set())
        gone = {id for id in before[name] if id not in after}
        along = name in ("Quoted_Items", "Tasks", "Events", "Calls")  # with their records
        assert along and gone or gone == set(changes.deleted.get(name, []))
    assert org.record("Deals", changes.recomputed[0]).modified < org.now() - timedelta(hours=2)  # type: ignore[union-attr]


def test_every_type_of_field_has_a_value_somewhere_and_a_null_somewhere_else(org: Org) -> None:
    full: Counter[str] = Counter()
    empty: Counter[str] = Counter()
    for name, module in org.modules.items():
        for field in module.fields:
            held = [record.values.get(field.api_name) for record in org.records(name)]
            full[field.data_type] += sum(value is not None for value in held)
            empty[field.data_type] += sum(value is None for value in held)
    rows_elsewhere, never_null = {"subform", "multiselectlookup"}, {"boolean", "layout"}
    not_filled = {"address"} | rows_elsewhere
    assert {kind for kind, count in full.items() if not count} <= not_filled
    assert {kind for kind, count in empty.items() if not count} <= never_null
    assert len(full) >= 33


def test_the_zoo_of_types_needs_two_chunks_of_fields(org: Org) -> None:
    module = org.modules[NAME]
    assert len(module.readable_fields) > 61
    assert "hologram" in {field.data_type for field in module.fields}


def test_thirty_records_share_a_modified_time_across_a_page_edge_from_both_ends(org: Org) -> None:
    times = sorted(values(org, "Contacts", "Modified_Time"))
    for ordered in (times, times[::-1]):
        assert len({*ordered[190:210]}) == 1
    assert sorted(Counter(times).values())[-2:] == [30, 30]


def test_names_hold_what_breaks_a_csv_or_a_statement(org: Org) -> None:
    text = "\0".join(
        name for name in values(org, "Leads", "Full_Name") + values(org, "Leads", "Company") if name
    )
    for awkward in (",", '"', "\n", "'", ";", "🦊", "שירה", "محمد", "007", "NULL", "DROP TABLE"):
        assert awkward in text
    assert "007" in values(org, "Leads", "Phone")


def test_picklist_values_hold_the_separators(org: Org) -> None:
    colours = [tuple(value) for value in values(org, NAME, "Colours") if value]
    assert ("White; striped", "Blue, faded") in colours


def test_money_has_nine_decimals_and_rich_text_is_long(org: Org) -> None:
    assert any(
        value is not None and value == value.quantize(Decimal("1e-9")) != value.quantize(Decimal("1e-8"))
        for value in values(org, "Deals", "Amount")
    )
    assert any(len(text) > 500 for text in values(org, "Leads", "Description") if text)


def test_times_lie_on_both_sides_of_both_changes_of_the_clock(org: Org) -> None:
    assert set(DST_EDGES) <= {*values(org, NAME, "Last_Seen")}
    shown = rows_of(org, f"select Last_Seen from {NAME} where id is not null")
    offsets = {datetime.fromisoformat(row["Last_Seen"]).utcoffset() for row in shown if row["Last_Seen"]}
    assert offsets == {timedelta(hours=1), timedelta(hours=2)}


def test_leads_are_converted_and_unapproved_too(org: Org) -> None:
    leads = org.records("Leads")
    assert sum(record.converted for record in leads) > 300
    assert sum(not record.approved for record in leads) > 30
    assert all(record.values["Converted__s"] == record.converted for record in leads)


def test_two_fields_of_leads_are_one_in_snake_case(org: Org) -> None:
    assert {"Lead_Source", "LeadSource"} <= {field.api_name for field in org.modules["Leads"].fields}


def test_the_odd_modules_answer_oddly(org: Org) -> None:
    listed = {row["api_name"]: row for row in call(org, "GET", "/crm/v8/settings/modules").body["modules"]}
    assert listed["Home"]["api_supported"] is False
    assert listed["DealHistory"]["generated_type"] == "field_tracker"
    assert listed[LINKS]["generated_type"] == "linking"
    assert "客户反馈" in listed
    assert query(org, "select id from Payroll where id is not null").code == "NO_PERMISSION"
    assert query(org, "select id from Vendors where id is not null").status == 204


def test_users_are_of_every_kind(org: Org) -> None:
    users = org.account.users
    assert {user["status"] for user in users} == {"active", "inactive", "disabled", "deleted"}
    assert {user["confirm"] for user in users} == {True, False}
    assert len({user["type__s"] for user in users}) == 3
    assert len({user["role"]["name"] for user in users}) == 3
    for rows in (org.account.currencies, org.account.territories, org.account.variables, org.account.roles):
        assert len(rows) >= 2


def test_something_was_deleted_before_anybody_looked(org: Org) -> None:
    assert {gone.kind for gone in org.deletions["Contacts"]} == {"recycle", "permanent"}


@pytest.mark.long
def test_bulk_and_coql_read_every_module_that_they_may() -> None:
    org = demo_org()
    org.rules.bulk_downloads_per_minute = 100
    org.quirks.coql_modules_refused = frozenset()
    org.quirks.approval_in_criteria = "$approved"
    for name, module in org.modules.items():
        readable = (
            module.api_supported and module.viewable and not (module.no_permission or module.fields_204)
        )
        if not readable:
            continue
        counted = rows_of(
            org, f"select COUNT(id) from '{name}' where ($approved = 'true' or $approved = 'false')"
        )
        hidden = sum(record.converted for record in org.records(name))
        assert counted[0]["COUNT(id)"] == len(org.records(name)) - hidden
        if name in org.quirks.bulk_modules_refused:
            continue
        shown = [record for record in org.records(name) if record.approved]
        orphans = sum(not record.values["Potential_Name"] for record in shown) if name == "DealHistory" else 0
        assert len(read(org, name)) == len(shown) - orphans

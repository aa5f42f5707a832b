"""What the benchmark loads: a module that exists as archives, and by id when somebody asks for a record."""

from __future__ import annotations

from simulators.zoho_crm import Org, Rules
from simulators.zoho_crm.generated import add_generated_module
from tests.support.truth import landed, value_of


def test_a_generated_module_lands_page_by_page_as_its_records_say(load_from, tmp_path):
    org = Org(rules=Rules(bulk_page_size=100))
    module = add_generated_module(org, "Big", rows=250, columns=40, folder=tmp_path / "archives")
    load = load_from(org)
    run = load("ReadAPI=Bulk", only=["Big"])
    assert run.exit_code == 0, [r.error for r in run.readings if r.error]
    rows = landed(load, "big")
    assert len(rows) == 250
    assert module.generated is not None
    for record in module.generated.records("Big", sorted(rows)):
        row = rows[record.id]
        for field in module.fields:
            if field.api_name == "id":
                continue
            name = field.api_name.lower() + ("__id" if "lookup" in field.data_type else "")
            assert row[name] == value_of(field, record.values[field.api_name]), (record.id, name)

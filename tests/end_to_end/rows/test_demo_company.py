"""The demo company lands row by row as the simulator holds it, by every API."""

from __future__ import annotations

import pytest

from pipelines.zoho_crm.demo import _demo_org
from simulators.zoho_crm.demo import demo_org
from tests.support.truth import landed, truth

APIS = {"auto": "", "bulk": "ReadAPI=Bulk", "coql": "ReadAPI=COQL", "records": "ReadAPI=REST"}
NOT_OFFERED = {"Home", "Scoring_Rules__s", "Payroll", "Actions_Performed"}
ODD_NAMES = {
    "LeadSource": "lead_source_2",  # Lead_Source had it first
    "Start_DateTime": "start_date_time",
    "End_DateTime": "end_date_time",
    "客户名称": "ke_hu_ming_cheng",
    "评分": "ping_fen",
    "意见": "yi_jian",
}


@pytest.fixture(scope="module")
def org():
    return demo_org()


@pytest.mark.parametrize("api", APIS)
@pytest.mark.cases(1)
def test_the_demo_company_lands_row_by_row(load_from, org, api):
    load = load_from(org)
    run = load(APIS[api])
    assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error]
    assert {skip.module.api_name for skip in run.skips} == NOT_OFFERED
    for name in set(org.modules) - NOT_OFFERED:
        reading = load.reading(name)
        refused = set(reading.notes.refused)
        expected = truth(org, name, refused, ODD_NAMES)
        rows = landed(load, reading.table)
        assert rows.keys() == expected.keys(), name
        for record_id, row in rows.items():
            # A field that Zoho lists but hides from the user is a column without values.
            hidden = {column for column in row.keys() - expected[record_id].keys() if row[column] is None}
            seen = {column: value for column, value in row.items() if column not in hidden}
            assert seen == expected[record_id], (name, record_id)


@pytest.mark.long
def test_two_runs_leave_the_same_tables(load_from, org):
    load = load_from(org)
    load()
    first = landed(load, "leads")
    run = load()
    assert run.exit_code == 0, [(r.name, r.error) for r in run.readings if r.error]
    assert landed(load, "leads") == first
    assert load.rows("select count(distinct run_id) from zoho.sync_runs") == [(2,)]


def test_people_work_in_the_demo_company_once_and_every_later_demo_finds_that(tmp_path):
    companies = [_demo_org(tmp_path / "demo", "CRM") for _ in range(3)]
    first, second, third = (
        {r.id: (r.modified, r.values) for name in org.modules for r in org.records(name)} for org in companies
    )
    assert first != second
    assert third == second
    gone = [[(d.record.id, d.deleted_time) for d in org.deletions["Contacts"]] for org in companies[1:]]
    assert gone[0] == gone[1]

"""What `verify` finds, excuses and repairs, in tables that were changed behind the pipeline's back."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest

from simulators.zoho_crm import Field, Module, Org, serve
from tests.conftest import wait_in_simulated_time
from tests.support.commanding import command

__all__ = ["command"]  # a fixture

FIELDS = [
    Field("Title", "text"),
    Field("Stage", "picklist", pick_list_values=["Open", "Won"]),
    Field("Score", "formula", return_type="double"),
    Field("Last_Activity_Time", "datetime"),
    Field("Apple", "lookup", lookup_module="Apples"),
]


@pytest.fixture
def org():
    org = Org()
    for name in ("Apples", "Pears"):
        org.add_module(Module(name, generated_type="custom", fields=[*FIELDS]))
        for number in range(8):
            values = {"Title": f"{name} {number}", "Stage": "Open", "Score": number}
            org.insert(name, values, modified_time=org.now() - timedelta(days=number + 1))
    return org


@pytest.fixture
def company(org, monkeypatch, command, tmp_path):
    wait_in_simulated_time(monkeypatch, org)
    with serve(org) as zoho:
        text = f"{zoho.connection_string}OAuthSettingsLocation=memory://;"
        monkeypatch.setenv("SOURCES__ZOHO_CRM__CREDENTIALS", text)
        yield Company(org, command, tmp_path)


class Company:
    """An account whose two modules are chosen by every command."""

    modules = "Apples,Pears"

    def __init__(self, org, command, folder):
        self.org, self.command, self.file = org, command, folder / "zoho.duckdb"

    def run(self, *words):
        done = self.command("run", "--modules", self.modules, "--exclude", "modules,fields", *words)
        assert done.code == 0, done.err
        self.org.clock.advance(hours=1)

    def verify(self, *words):
        done = self.command("verify", "--modules", self.modules, "--log-format", "json", *words)
        self.found = {e["module"]: e for e in done.events if e["event"] == "comparison"}
        return done

    def sql(self, query):
        with duckdb.connect(str(self.file)) as database:
            return database.execute(query).fetchall()

    def ids(self, module="Apples"):
        return [record.id for record in self.org.records(module)]

    def differs(self, module="Apples"):
        kinds = ("missing", "extra", "stale", "values")
        return {kind: self.found[module][kind] for kind in kinds if self.found[module][kind]}


def test_equal_tables_are_0_and_nothing_is_written(company):
    company.run()
    before = company.file.read_bytes()
    done = company.verify()
    assert (done.code, done.err) == (0, "")
    assert {name: found["status"] for name, found in company.found.items()} == {
        "Apples": "equal",
        "Pears": "equal",
    }
    assert company.found["Apples"]["rows_in_crm"] == company.found["Apples"]["rows_in_destination"] == 8
    assert company.file.read_bytes() == before
    assert done.events[-1]["exit_code"] == 0


def damage(company):
    """One row of each kind; gives the ids by kind."""
    missing, stale, values, extra = company.ids()[:4]
    company.sql(f"delete from zoho_crm.apples where id = '{missing}'")
    company.sql(f"update zoho_crm.apples set modified_time = '2020-01-01', title = '?' where id = '{stale}'")
    company.sql(f"update zoho_crm.apples set stage = 'Won', score = 9.5 where id = '{values}'")
    company.org._remove("Apples", extra, "permanent", shown=False)
    return {"missing": [missing], "extra": [extra], "stale": [stale], "values": [values]}


def test_rows_of_each_kind_of_difference_are_named(company):
    company.run()
    damaged = damage(company)
    done = company.verify()
    assert done.code == 4
    assert (
        done.err
        == "Error: The destination differs from the CRM in Apples: run `verify --repair` to correct it.\n"
    )
    assert company.differs() == damaged
    assert company.found["Apples"]["columns"] == {"stage": 1, "score": 1}
    assert company.found["Pears"]["status"] == "equal"
    assert company.verify().code == 4  # it repairs nothing by itself


def test_a_repair_leaves_the_crm_in_the_table_and_says_what_it_did(company):
    company.run()
    extra = damage(company)["extra"][0]
    before = company.sql("select count(*) from zoho_crm.sync_runs")
    done = company.verify("--repair")
    assert (done.code, done.err) == (0, ""), str(company.found)
    assert company.found["Apples"]["status"] == "repaired"
    assert (company.found["Apples"]["rows_brought"], company.found["Apples"]["rows_deleted"]) == (7, 1)
    rows = company.sql("select id, title, stage, score from zoho_crm.apples order by id")
    assert rows == [
        (r.id, r.values["Title"], "Open", r.values["Score"]) for r in company.org.records("Apples")
    ]
    assert company.sql("select module, id, type from zoho_crm.deleted_records") == [
        ("Apples", extra, "untraced")
    ]
    assert company.sql("select count(*) from zoho_crm.sync_runs")[0][0] == before[0][0] + 2
    assert company.sql(
        "select module, rows_read, rows_deleted, crm_count, table_count from zoho_crm.sync_runs"
        " where status in ('verified', 'repaired') order by module"
    ) == [("Apples", 7, 1, 7, 7), ("Pears", 0, 0, 8, 8)]
    assert company.verify().code == 0


def test_a_repair_loses_nothing_that_happened_since_the_last_run(company):
    company.run()
    damage(company)
    company.org.edit("Apples", company.ids()[-1], Title="since")
    company.org.clock.advance(hours=1)
    assert company.verify("--repair").code == 0
    company.run()
    assert ("since",) in company.sql("select title from zoho_crm.apples")
    assert company.verify().code == 0


def test_what_happened_since_the_last_run_is_no_difference(company):
    company.run()
    org, ids = company.org, company.ids()
    org.edit("Apples", ids[0], Title="edited")
    org.delete("Apples", ids[1])
    org.delete("Apples", ids[2], permanent=True)
    new = org.insert("Apples", {"Title": "new"})
    org.edit("Pears", company.ids("Pears")[0], Apple=ids[0])
    org.set_computed("Apples", ids[3], "Last_Activity_Time", org.now())
    org.clock.advance(minutes=1)
    done = company.verify()
    assert done.code == 0, company.found
    assert company.found["Apples"]["since"] == sorted([*ids[:4], new])
    assert company.found["Apples"]["status"] == "equal"


def test_before_any_run_everything_is_missing_and_no_file_is_left_behind(company):
    done = company.verify()
    assert done.code == 4
    assert (
        done.err
        == "Error: The destination differs from the CRM in Apples, Pears: run `verify --repair` to correct it.\n"
    )
    assert {name: found["status"] for name, found in company.found.items()} == {
        "Apples": "never loaded",
        "Pears": "never loaded",
    }
    assert not list(company.file.parent.glob("zoho.duckdb*"))
    assert not list(company.file.parent.rglob("*.parquet"))


@pytest.mark.long
def test_a_person_reads_what_differs_and_what_was_done(company):
    company.run()
    damaged = damage(company)
    done = company.command("verify", "--modules", company.modules, "--progress", "off")
    assert done.code == 4
    assert done.lines("Apples")[0].split()[:9] == ["Apples", "apples", "records", "7", "7", *"1111"]
    assert [line for line in done.out.splitlines() if line.startswith("  Apples: ")] == [
        f"  Apples: 1 missing: {damaged['missing'][0]}",
        f"  Apples: 1 extra: {damaged['extra'][0]}",
        f"  Apples: 1 stale: {damaged['stale'][0]}",
        f"  Apples: 1 with other values (stage 1, score 1): {damaged['values'][0]}",
    ]
    assert "1 equal, 1 differ, in 4 rows;" in done.out.splitlines()[-1]
    done = company.command("verify", "--modules", company.modules, "--progress", "off", "--repair")
    assert (done.code, done.err) == (0, "")
    assert "1 equal, 1 repaired, 0 differ, in 4 rows;" in done.out.splitlines()[-1]


def test_tables_that_are_no_modules_are_2(company):
    done = company.command("verify", "--modules", "users,sync_runs")
    assert done.code == 2
    assert done.err == "Error: verify compares modules: a run reads the other tables whole\n"


def test_a_module_that_zoho_does_not_offer_is_1(company):
    company.org.modules["Pears"].viewable = False
    done = company.command("verify", "--modules", company.modules)
    assert done.code == 1
    assert done.err.splitlines()[0] == "Error: Pears was asked for and is skipped: this user may not view it"


def test_a_token_that_zoho_refuses_is_3(company):
    company.org.scopes -= {scope for scope in company.org.scopes if "settings" in scope.casefold()}
    done = company.command("verify")
    assert (done.code, done.err.count("\n")) == (3, 1)

"""The audit log: who did what comes once, by one export a day, whatever Zoho's file looks like."""

from __future__ import annotations

import json
from datetime import timedelta

import dlt
import pytest

from simulators.zoho_crm import Field, Module, Org
from simulators.zoho_crm.api.audit_log import AuditJob
from simulators.zoho_crm.crm.audit import Entry
from simulators.zoho_crm.faults import Faults
from sources.zoho_crm import limits, zoho_crm
from sources.zoho_crm.exceptions import SettingsError
from tests.conftest import wait_in_simulated_time
from tests.support.private import MARKER, rules

EXPORT = "POST /crm/v8/settings/audit_log_export"
FILE = "GET /v2/crm/{org_id}/auditlog/{job_id}/{name}"
STATUS = "GET /crm/v8/settings/audit_log_export/{id}"
NAMES = (
    'The "new" one, Ltd',
    "line\nbreak; and\r\nanother",
    "🦊 灯台",
    "'); drop table audit_log;--",
    "plain",
)
COLUMNS = "audited_time, done_by_name, action, module, record_id, record_name"


@pytest.fixture
def org(org):
    org.add_module(
        Module("Leads", [Field("Last_Name", "text"), Field("City", "text"), Field("Converted__s", "boolean")])
    )
    org.add_module(Module("Deals", [Field("Deal_Name", "text")]))
    org.time_zone = "Europe/Berlin"
    return org


def work(org, names=NAMES):
    """Something of everything that users do."""
    ids = [org.insert("Leads", {"Last_Name": name}) for name in names]
    org.clock.advance(minutes=7)
    org.edit("Leads", ids[0], City=MARKER)
    org.delete("Leads", ids[1])
    org.delete("Leads", ids[2])
    org.restore("Leads", ids[2])
    org.convert(ids[3])
    org.merge("Leads", ids[0], [ids[4]])
    org.delete("Leads", ids[1])
    org.clock.advance(minutes=7)
    return ids


def run(load, **choice):
    return load(only=["Leads"], audit_log=True, **choice)


def exports(org):
    return len(org.ledger.calls(EXPORT))


def told(load, columns=COLUMNS):
    return sorted(load.rows(f"select {columns} from zoho.audit_log"), key=repr)


def happened(org, seconds=True):
    """What the simulated Zoho knows."""
    at = [e.audited_time if seconds else e.audited_time.replace(second=0) for e in org.audit.entries]
    return sorted(
        (
            (time, e.done_by["name"], e.action, e.module, e.record_id, e.record_name)
            for time, e in zip(at, org.audit.entries, strict=True)
        ),
        key=repr,
    )


def test_all_comes_the_first_time_and_then_what_is_new_once_a_day(load, org):
    work(org)
    assert run(load).exit_code == 0
    assert told(load) == happened(org)
    actions = {action for (action,) in load.rows("select distinct action from zoho.audit_log")}
    assert {"Added", "Updated", "Deleted", "Restored", "Converted", "Merged"} <= actions
    (changes,) = load.rows("select details from zoho.audit_log where action = 'Updated'")
    assert json.loads(changes[0]) == [{"field": "City", "old": None, "new": MARKER}]
    assert load.rows("select distinct done_by__id from zoho.audit_log") == [(org.user["id"],)]
    kind = "select typeof(audited_time), typeof(done_by__id) from zoho.audit_log limit 1"
    assert load.rows(kind) == [("TIMESTAMP WITH TIME ZONE", "VARCHAR")]
    made = exports(org)
    assert made == 7  # of 180 days each
    planned = next(line for line in load.run.expected.lines if line.module == "audit_log")
    assert (planned.reason, planned.credits) == ("everything that Zoho keeps", 1 + 7 * 4)
    paid = [
        c.credits for c in org.ledger.calls() if "audit" in c.path or c.query.get("type") == "CurrentUser"
    ]
    assert (
        load.reading("audit_log").usage.credits == sum(paid) == 36
    )  # a window without a file is asked for once more

    work(org, names=("one", "two", "three", "four", "five"))
    org.clock.advance(hours=3)
    assert run(load).exit_code == 0
    assert (exports(org), load.reading("audit_log").status) == (made, "kept")
    assert load.reading("audit_log").reason.startswith("read once a day, last on ")
    org.clock.advance(hours=21)
    assert run(load).exit_code == 0
    assert exports(org) == made + 1
    assert told(load) == happened(org)

    org.clock.advance(hours=24)
    assert run(load).exit_code == 0  # nothing happened
    assert exports(org) == made + 2
    assert told(load) == happened(org)


def test_nobody_asked_for_it_and_it_is_not_read(load, org):
    work(org)
    assert load().exit_code == 0
    assert (exports(org), "audit_log" in {r.name for r in load.run.readings}) == (0, False)
    assert load.rows("select count(*) from information_schema.tables where table_name = 'audit_log'") == [
        (0,)
    ]


def test_entries_that_are_equal_in_all_are_counted_also_when_they_are_read_again(load, org):
    (id, *_) = work(org)
    twice = Entry(org.now(), org.account.me, "Exported", "Leads", id, "plain")
    org.audit.entries += [twice, twice, twice]
    org.clock.advance(minutes=5)
    run(load)
    assert load.rows("select count(*), count(distinct id) from zoho.audit_log where action = 'Exported'") == [
        (3, 3)
    ]
    org.clock.advance(days=1)
    org.audit.entries.append(twice)  # Zoho lists one of them late, yet within the hour that is read again
    run(load)
    assert told(load) == happened(org)


@pytest.mark.parametrize("file", ["by size", "zip"])
@pytest.mark.parametrize("times", ["offset", "local", "words"])
@pytest.mark.parametrize("columns", ["ids", "names", "api_names"])
@pytest.mark.cases(1)
def test_the_rows_are_the_same_whatever_the_file_looks_like(load, org, columns, times, file):
    org.quirks.audit_columns, org.quirks.audit_times, org.quirks.audit_file = columns, times, file
    org.quirks.audit_status = "Finished" if file == "zip" else "finished"
    org.rules.audit_entries_per_file = 4  # so that a zip has several
    work(org)
    run(load)
    org.clock.advance(days=1)
    work(org)
    assert run(load).exit_code == 0
    without = 4 if columns == "names" else 9
    expected = [
        row[:without] + (None,) * (without == 4) + row[without + (without == 4) :]
        for row in happened(org, times != "words")
    ]
    assert told(load) == sorted(expected, key=repr)


def test_a_time_that_names_no_instant_is_null_and_its_text_is_kept(load, org):
    org.quirks.audit_times = "local"
    org.faults.add(
        "GET /crm/v8/users", status=403, body={"code": "NO_PERMISSION", "status": "error", "message": "no"}
    )
    work(org, NAMES)
    assert run(load).exit_code == 0
    assert load.rows("select count(audited_time), count(*) > 9 from zoho.audit_log") == [(0, True)]
    wrong = "select distinct field, reason from zoho.rejected_values where module = 'audit_log'"
    assert load.rows(wrong) == [("audited_time", "not a timestamp")]


def test_what_is_older_than_a_job_may_span_comes_by_several_and_a_full_one_is_halved(load, org, monkeypatch):
    past = [
        org.now() - timedelta(days=days) for days in (1090, 900, 700, 500, 300, 200, 181, 180, 179, 60, 1)
    ]
    for at in past:
        org.insert("Leads", {"Last_Name": f"{at}"}, modified_time=at)
    org.insert("Leads", {"Last_Name": "too old"}, modified_time=org.now() - timedelta(days=1200))
    for second in range(40):
        org.insert("Leads", {"Last_Name": "many"}, modified_time=past[3] + timedelta(minutes=3 * second))
    org.rules.audit_entries = 10
    monkeypatch.setattr(limits, "AUDIT_ENTRIES_PER_JOB", 10)
    assert run(load).exit_code == 0
    assert told(load) == [row for row in happened(org) if row[-1] != "too old"]


@pytest.mark.long
def test_more_entries_of_one_minute_than_a_job_exports_fail_the_table_and_no_other(load, org, monkeypatch):
    work(org)
    org.rules.audit_entries = 3
    monkeypatch.setattr(limits, "AUDIT_ENTRIES_PER_JOB", 3)
    assert run(load).exit_code == 1
    assert (
        load.reading("audit_log").error == "Zoho exports 3 entries of one minute, and more are not to be had"
    )
    assert load.reading("Leads").status == "read"


# ---- jobs


def killed(*_):
    raise Killed


class Killed(BaseException):
    """As a signal ends a run: nobody may handle it."""


def run_killed(load, monkeypatch):
    """A run that is killed when it downloads the file of its export."""
    with monkeypatch.context() as patched:
        patched.setattr("sources.zoho_crm.extract.audit_log.download", killed)
        with pytest.raises(Killed):
            run(load)


def test_a_run_that_broke_off_uses_its_job_again_and_what_came_since_follows_a_day_later(
    load, org, monkeypatch
):
    work(org)
    run(load)
    org.clock.advance(days=1)
    work(org)
    made = exports(org)
    run_killed(load, monkeypatch)
    assert exports(org) == made + 1
    org.faults.add(FILE, times=50, reset=True)
    assert run(load).exit_code == 1
    assert exports(org) == made + 1
    org.faults = Faults()
    org.clock.advance(hours=2)
    before = happened(org)
    work(org)
    assert run(load).exit_code == 0
    assert exports(org) == made + 1
    assert "exports of an earlier run used again: 1" in load.reading("audit_log").notes.lines()
    assert told(load) == before
    org.clock.advance(days=1)
    run(load)
    assert (told(load), exports(org)) == (happened(org), made + 2)


@pytest.mark.parametrize("refusal", [(404, "INVALID_URL_PATTERN"), (403, ""), (400, "EXPIRED_VALUE")])
@pytest.mark.cases(1)
def test_a_link_that_has_expired_and_a_job_that_fails_take_one_new_job(load, org, refusal):
    work(org)
    status, code = refusal
    org.faults.add(FILE, status=status, body={"code": code, "status": "error", "message": "gone"})
    assert run(load).exit_code == 0
    assert (exports(org), told(load)) == (8, happened(org))
    org.clock.advance(days=1)
    work(org)
    org.faults.add(EXPORT, job_states=["scheduled", "failed"])
    assert run(load).exit_code == 0
    assert (exports(org), told(load)) == (10, happened(org))
    assert org.faults.unspent() == []


@pytest.mark.parametrize("links", [{"download_links": None}, {"download_links": []}, {}])
@pytest.mark.cases(1)
def test_a_job_without_a_file_is_asked_for_again_and_one_of_an_earlier_run_made_again(
    load, org, monkeypatch, links
):
    no_file = {"audit_log_export": [{"id": "1", "status": "finished", **links}]}
    org.audit_states = ["finished"]
    work(org)
    org.faults.add(STATUS, nth=1 + 2 * 6, status=200, body=no_file)  # six windows without entries come first
    assert run(load).exit_code == 0
    assert (told(load), org.faults.unspent()) == (happened(org), [])

    org.clock.advance(days=1)
    work(org)
    made = exports(org)
    run_killed(load, monkeypatch)
    org.faults.add(STATUS, status=200, body=no_file)
    assert run(load).exit_code == 0
    assert (exports(org), told(load)) == (made + 2, happened(org))
    assert "Zoho gave no file" not in str(load.reading("audit_log").notes.lines())

    org.clock.advance(days=1)
    rows = told(load)
    work(org)
    org.faults.add(STATUS, times=2, status=200, body=no_file)
    assert run(load).exit_code == 0
    assert told(load) == rows
    last, today = org.now() - timedelta(days=1), org.now()
    line = f"Zoho gave no file of the audit log for {last:%Y-%m-%d} to {today:%Y-%m-%d}"
    assert line in load.reading("audit_log").notes.lines()


def test_an_account_without_entries_has_an_empty_table(load, org):
    assert run(load).exit_code == 0
    assert told(load) == []


@pytest.mark.long
def test_a_job_that_fails_twice_fails_the_table_and_no_other(load, org):
    work(org)
    org.faults.add(EXPORT, times=2, job_states=["failed"])
    assert run(load).exit_code == 1
    assert load.reading("audit_log").error == "an export of the audit log ended as failed"
    assert load.reading("Leads").status == "read"
    assert run(load).exit_code == 0
    assert told(load) == happened(org)


def test_an_export_of_somebody_else_is_waited_for_and_one_whose_answer_was_lost_is_taken(load, org):
    work(org)
    window = (org.now(), org.now())
    org.audit_jobs.append(
        AuditJob("1", {}, window, org.now(), org.account.me, ["progress"] * 5 + ["finished"])
    )
    org.faults.add(EXPORT, nth=5, truncate_json=True)
    assert run(load).exit_code == 0
    assert told(load) == happened(org)
    assert (len(org.audit_jobs), org.faults.unspent()) == (1 + 7, [])


def test_a_file_at_another_host_gets_no_token(load, org):
    work(org)
    org.audit_host = "http://127.0.0.1:9"
    assert run(load).exit_code == 1
    assert load.reading("audit_log").error == "Zoho named another host to download from: 127.0.0.1:9"


@pytest.mark.parametrize(
    "text",
    [
        b"<html>sign in</html>",
        b"Audited Time,Action\n2026-03-02T10:00:00+01:00\n",
        b'Audited Time,Action\n2026-03-02T10:00:00+01:00,"torn',
        b"PK\x03\x04 and no zip",
        b"",
        b"PK\x05\x06" + bytes(18),  # a zip without files
    ],
)
@pytest.mark.cases(1)
def test_a_file_that_is_no_audit_log_or_not_whole_fails_the_table(load, org, text):
    work(org)
    org.faults.add(FILE, body=text)
    assert run(load).exit_code == 1
    assert load.reading("audit_log").error.startswith("Zoho's file")


# ---- who may


@pytest.mark.parametrize("scope", ["ZohoCRM.settings.audit_logs.CREATE", "ZohoFiles.files.READ"])
def test_a_token_without_a_scope_leaves_the_table_out_and_says_what_it_takes(load, org, scope):
    work(org)
    org.scopes = org.scopes - {scope}
    assert run(load).exit_code == 3  # it was asked for by name
    reading = load.reading("audit_log")
    assert (reading.status, load.reading("Leads").status) == ("skipped", "read")
    assert "OAUTH_SCOPE_MISMATCH" in reading.error
    assert reading.error.endswith(
        "a user with the profile Administrator or the role CEO, in an edition that has it"
    )
    assert (
        "ZohoCRM.settings.audit_logs.CREATE, ZohoCRM.settings.audit_logs.READ, ZohoFiles.files.READ"
        in reading.error
    )


def test_an_edition_without_it_is_a_skip_and_a_refusal_of_what_was_read_a_failure(load, org):
    work(org)
    org.account.has_audit_log = False
    assert run(load).exit_code == 1
    assert load.reading("audit_log").status == "skipped"
    org.account.has_audit_log = True
    assert run(load).exit_code == 0
    rows = told(load)
    org.account.has_audit_log = False
    org.clock.advance(days=1)
    assert run(load).exit_code == 1
    assert (load.reading("audit_log").status, told(load)) == ("failed", rows)


def test_a_user_who_is_no_administrator_gets_its_own_entries_and_is_told(load, org):
    work(org)
    org.quirks.audit_of_others = "own"
    org.user["profile"] = {"name": "Standard", "id": "1"}
    org.user["role"] = {"name": "Sales", "id": "2"}
    other = {"id": "77", "name": "Somebody"}
    org.audit.entries.append(Entry(org.now() - timedelta(minutes=3), other, "Deleted", "Leads", "5", "x"))
    run(load)
    assert ("Somebody",) not in load.rows("select distinct done_by_name from zoho.audit_log")
    assert any("is no administrator (Standard)" in line for line in load.reading("audit_log").notes.lines())


# ---- privacy

RULES = (rules("Leads.City: drop"), rules("Leads.Last_Name: mask"), rules("users.full_name: hash"))


def everything(load):
    return repr(load.rows("select * from zoho.audit_log")) + repr(
        load.rows("select * from zoho.rejected_values")
    )


@pytest.mark.parametrize("chosen", RULES)
@pytest.mark.cases(1)
def test_with_rules_no_value_of_a_record_comes_by_way_of_the_log(load, org, chosen, tmp_path):
    work(org, (MARKER, *NAMES[1:]))
    free = Entry(
        org.now() - timedelta(minutes=1),
        {**org.account.me, "id": MARKER},
        f"Updated {MARKER}",
        "Leads",
        MARKER,
        MARKER,
    )
    org.audit.entries.append(free)
    org.quirks.audit_columns = "ids"
    assert run(load, rules=chosen).exit_code == 0
    assert MARKER not in everything(load)
    assert load.rows("select count(*) from zoho.audit_log") == [(len(org.audit.entries),)]
    rows = load.rows("select action, record_id from zoho.audit_log where module = 'Leads'")
    assert {("Converted", e.record_id) for e in org.audit.entries if e.action == "Converted"} <= {*rows}
    assert (None, None) in rows
    users = load.rows("select distinct done_by__id from zoho.audit_log")
    assert {*users} == {(org.user["id"],), (None,)}
    names = {name for (name,) in load.rows("select distinct done_by_name from zoho.audit_log")}
    assert (names == {org.user["full_name"]}) == (chosen is not RULES[2])


def test_a_new_rule_takes_what_is_there_out_before_it_reads_and_then_reads_whole(load, org):
    work(org, (MARKER, *NAMES[1:]))
    login = f"{MARKER}@example.com"
    org.audit.entries.append(
        Entry(
            org.now() - timedelta(minutes=1), {**org.account.me, "id": login}, "Exported", "Leads", "5", "x"
        )
    )
    run(load)
    assert login in everything(load)
    org.faults.add(
        EXPORT, times=9, status=400, body={"code": "INVALID_DATA", "status": "error", "message": "no"}
    )
    assert run(load, rules=RULES[0]).exit_code == 1
    assert MARKER not in everything(load)
    org.faults = Faults()
    assert run(load, rules=RULES[0]).exit_code == 0
    assert MARKER not in everything(load)
    actions = load.rows("select count(*), count(action), count(record_id) from zoho.audit_log")
    assert actions == [(len(org.audit.entries),) * 3]
    with pytest.raises(SettingsError, match="no rule is about Leads.City"):
        run(load)


# ---- elsewhere


@pytest.mark.long
def test_files_that_cannot_be_changed_hold_all_of_it(load, org, tmp_path):
    load.destination = dlt.destinations.filesystem(str(tmp_path / "lake"))
    work(org)
    run(load)
    org.clock.advance(days=1)
    work(org)
    assert run(load).exit_code == 0
    with load.pipeline.sql_client() as sql:
        rows = sql.execute_sql(f"select {COLUMNS} from audit_log")
    assert sorted(map(tuple, rows), key=repr) == happened(org)


@pytest.mark.parametrize("way", ["argument", "name", "resource"])
@pytest.mark.cases(1)
def test_the_source_reads_it_where_a_script_asks_for_it(load, org, monkeypatch, tmp_path, way):
    wait_in_simulated_time(monkeypatch, org)
    account = f"{load.connection_string};OAuthSettingsLocation=memory://"

    def source():
        if way == "argument":
            return zoho_crm(account, modules=["Leads"], audit_log=True)
        if way == "name":
            return zoho_crm(account, modules=["Leads", "audit_log"])
        return zoho_crm(account).with_resources("leads", "audit_log")

    pipeline = dlt.pipeline(
        "crm",
        destination=dlt.destinations.duckdb(str(tmp_path / "c.duckdb")),
        dataset_name="zoho",
        pipelines_dir=str(tmp_path),
    )
    load.pipeline = pipeline
    for _ in range(2):
        work(org)
        pipeline.run(source())
        assert told(load) == happened(org)
        org.clock.advance(days=1)
    made = exports(org)
    pipeline.run(zoho_crm(account, modules=["Leads"]))
    assert "audit_log" not in zoho_crm(account).selected_resources
    assert exports(org) == made
    pipeline.run(source(), refresh="drop_resources")
    assert told(load) == happened(org)


def test_bigin_has_none(load_from):
    org = Org(service="bigin")
    org.add_module(Module("Contacts", [Field("Last_Name", "text")]))
    load = load_from(org)
    assert load(only=["Contacts"], audit_log=True).exit_code == 1
    assert load.reading("audit_log").error == "Zoho documents no export of Bigin's audit log"

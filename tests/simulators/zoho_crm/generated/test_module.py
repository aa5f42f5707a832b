"""Modules of many rows that exist only as bulk archives."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from simulators.zoho_crm import Org, Quirks, Rules
from simulators.zoho_crm.bulk_read.archive import Dialect
from simulators.zoho_crm.generated.columns import PICKLIST, SECONDS, START, offsets
from simulators.zoho_crm.generated.module import Generated, add_generated_module, edit_generated_rows, named
from simulators.zoho_crm.routes import Request
from tests.simulators.zoho_crm.calling import (
    BULK,
    Reply,
    call,
    create,
    download,
    finish,
    get,
    good_token,
    job_of,
    query,
    reply_to,
)


@pytest.fixture
def org(tmp_path: Path) -> Org:
    org = Org(rules=Rules(bulk_page_size=300))
    org.time_zone = "Europe/Berlin"
    add_generated_module(org, "Big", rows=700, columns=40, folder=tmp_path)
    return org


def pages(org: Org) -> list[list[dict[str, str]]]:
    job, found = job_of(org, "Big"), []
    while True:
        result = finish(org, job)["result"]
        found.append(download(org, job))
        assert len(found[-1]) == result["count"]
        if not result["more_records"]:
            return found
        job = job_of(org, page_token=result["next_page_token"])


def test_all_pages_together_hold_every_row_once(org: Org) -> None:
    found = pages(org)
    assert [len(page) for page in found] == [300, 300, 100]
    assert len({row["Id"] for page in found for row in page}) == 700
    assert len(found[0][0]) == 40


def test_ranges_of_created_time_hold_every_row_once(org: Org) -> None:
    created = sorted(row["Created_Time"] for page in pages(org) for row in page)
    boundary, found = created[250], []
    for comparator in ("less_than", "greater_equal"):
        criteria = {"field": {"api_name": "Created_Time"}, "comparator": comparator, "value": boundary}
        job = job_of(org, "Big", criteria=criteria)
        result = finish(org, job)["result"]
        found.append(download(org, job))
        if result["more_records"]:
            job = job_of(org, page_token=result["next_page_token"])
            finish(org, job)
            found.append(download(org, job))
    assert [len(page) for page in found] == [250, 300, 150]
    assert len({row["Id"] for page in found for row in page}) == 700
    assert max(row["Created_Time"] for row in found[0]) < boundary <= found[1][0]["Created_Time"]
    counted = get(org, "/crm/v8/Big/actions/count", criteria=f"(Created_Time:less_than:{boundary})")
    assert counted.body == {"count": 250}


def test_the_cells_are_awkward(org: Org) -> None:
    rows = [row for page in pages(org) for row in page]
    module = org.modules["Big"]
    by_type = {field.data_type: field.api_name for field in reversed(module.fields) if not field.system}
    texts = {row[by_type["text"]] for row in rows}
    assert any("\n" in text for text in texts)
    assert any('"' in text for text in texts)
    assert any("," in text for text in texts)
    assert {row[by_type["picklist"]] for row in rows} == {"", *PICKLIST}
    assert any(len(row[by_type["currency"]].partition(".")[2]) == 9 for row in rows)
    assert {row[by_type["boolean"]] for row in rows} == {"true", "false"}
    assert {row[by_type["datetime"]][-6:] for row in rows} == {"", "+01:00", "+02:00"}
    assert all(any(row[name] == "" for row in rows) for kind, name in by_type.items() if kind != "boolean")


def test_times_bear_the_offset_of_their_instant(org: Org) -> None:
    zone = ZoneInfo("Europe/Berlin")
    for row in pages(org)[0]:
        at = datetime.datetime.fromisoformat(row["Modified_Time"])
        assert at.isoformat() == at.astimezone(zone).isoformat()


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
def test_the_changes_of_daylight_saving_are_found(name: str) -> None:
    zone = ZoneInfo(name)
    spans = list(offsets(zone))
    for at in range(int(START.timestamp()), int(START.timestamp()) + SECONDS, 1_000_003):
        expected = datetime.datetime.fromtimestamp(at, zone).utcoffset()
        found = next(offset for until, offset in spans if at < until)
        assert expected is not None
        assert found == expected.total_seconds()


def test_the_same_module_is_the_same_bytes_and_is_made_once(org: Org, tmp_path: Path) -> None:
    pages(org)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    pages(org)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()} == before
    assert {path.suffix for path in before} == {".zip"}


def test_other_quirks_make_other_archives(org: Org) -> None:
    org.quirks.approval_in_criteria = "$approved"
    job = job_of(org, "Big", fields=["Flag_6", "$approved", "id"])
    finish(org, job)
    org.quirks = Quirks(
        bulk_booleans=("TRUE", "FALSE"), bulk_id_header="id", approval_in_criteria="$approved"
    )
    first = download(org, job)[0]
    assert list(first) == ["id", "Flag_6", "$approved"]
    assert first["$approved"] == "TRUE"


def test_the_member_bears_the_name_of_the_job(org: Org) -> None:
    job = job_of(org, "Big", fields=["Text_1"])
    finish(org, job)
    with zipfile.ZipFile(io.BytesIO(call(org, "GET", f"{BULK}/{job}/result").raw)) as files:
        assert files.namelist() == [f"{job}.csv"]
        assert files.testzip() is None


def test_a_name_of_another_length_does_not_fit(org: Org, tmp_path: Path) -> None:
    generated = org.modules["Big"].generated
    assert isinstance(generated, Generated)
    archive = generated.archive(["Text_1"], (0, 10), "Id", Dialect(ZoneInfo("UTC")))
    with pytest.raises(ValueError, match="not as long"):
        named(archive, "1.csv")


def test_a_spoilt_archive_is_still_possible(org: Org) -> None:
    job = job_of(org, "Big", fields=["Text_1"])
    finish(org, job)
    org.faults.add(f"GET {BULK}/{{job_id}}/result", corrupt_zip="missing_row")
    assert len(download(org, job)) == 299


def flag(name: str, value: bool) -> dict[str, object]:
    return {"field": {"api_name": name}, "comparator": "equal", "value": value}


def test_its_rows_are_approved(org: Org) -> None:
    org.quirks.approval_in_criteria = "$approved"
    assert finish(org, job_of(org, "Big", criteria=flag("$approved", True)))["result"]["count"] == 300
    assert finish(org, job_of(org, "Big", criteria=flag("$approved", False)))["result"]["count"] == 0


def test_other_criteria_and_the_other_apis_are_not_modelled(org: Org) -> None:
    criteria = {"field": {"api_name": "Count_5"}, "comparator": "equal", "value": 5}
    assert create(org, "Big", criteria=criteria).status == 418
    assert query(org, "select id from Big where id is not null").status == 418


def changed(org: Org, since: datetime.datetime, **query: str) -> Reply:
    headers = {"authorization": good_token(org), "if-modified-since": since.isoformat()}
    return reply_to(org, Request("GET", "/crm/v8/Big", query, headers))


EARLIER = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)


def test_edited_rows_are_seen_by_every_api_in_windows_after_the_others(org: Org) -> None:
    org.clock.advance(days=400)
    edit_generated_rows(org, "Big", 70)
    since = org.now().isoformat()
    listed = changed(org, EARLIER, fields="id,Text_1")
    ids = {row["id"] for row in listed.body["data"]}
    assert len(ids) == 70
    assert {row["Text_1"] for row in listed.body["data"]} == {f"edited {id}" for id in ids}
    found = query(org, f"select id from Big where Modified_Time >= '{since}'")
    assert {row["id"] for row in found.body["data"]} == ids
    window = {"field": {"api_name": "Modified_Time"}, "comparator": "greater_equal", "value": since}
    job = job_of(org, "Big", fields=["Text_1"], criteria=window)
    finish(org, job)
    assert {row["Id"] for row in download(org, job)} == ids
    criteria = f"(Modified_Time:greater_equal:{since})"
    assert get(org, "/crm/v8/Big/actions/count", criteria=criteria).body == {"count": 70}
    assert get(org, "/crm/v8/Big/actions/count").body == {"count": 700}


def test_what_may_mean_unedited_rows_is_not_modelled(org: Org) -> None:
    org.clock.advance(days=400)
    edit_generated_rows(org, "Big", 70)
    assert changed(org, START, fields="id").status == 418
    assert query(org, "select id from Big where Modified_Time >= '2026-01-01T00:00:00Z'").status == 418
    assert create(org, "Big", fields=["Text_1"]).status == 418


def test_the_csv_is_read_back_by_any_reader(org: Org) -> None:
    job = job_of(org, "Big")
    finish(org, job)
    with zipfile.ZipFile(io.BytesIO(call(org, "GET", f"{BULK}/{job}/result").raw)) as files:
        text = files.read(files.namelist()[0]).decode()
    assert {len(row) for row in csv.reader(io.StringIO(text, newline=""))} == {40}

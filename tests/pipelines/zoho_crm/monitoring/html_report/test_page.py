"""The page that `report` writes: its figures, that nothing breaks out of it, and that it loads nothing."""

from __future__ import annotations

import re
import shutil
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone

import dlt
import duckdb
import pytest

from pipelines.zoho_crm.monitoring import html_report
from pipelines.zoho_crm.monitoring.freshness import open_destination
from pipelines.zoho_crm.monitoring.html_report import write_page
from pipelines.zoho_crm.options import Options
from simulators.zoho_crm import Clock, Field, Module, Org, serve
from sources.zoho_crm.service import CRM
from tests.conftest import Loader
from tests.end_to_end.destinations.test_destinations import postgres
from tests.pipelines.zoho_crm.monitoring.html_report.paging import Page
from tests.support.commanding import command

pytestmark = pytest.mark.whole_account

__all__ = ["command", "postgres"]  # fixtures

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&lt;{{ 7 * 7 }} שלום 🛟"


def company() -> Org:
    """Of yesterday, so that it deletes today."""
    org = Org(clock=Clock(datetime.now(timezone.utc) - timedelta(days=1)))
    org.account.company_name = "Lumen & Sons"
    org.account.license = {"users_license_purchased": 12, "paid_type": "enterprise"}
    apples = [Field("Name", "text"), Field("Home", "address")]
    org.add_module(Module("Apples", apples, generated_type="custom"))
    pears = [Field("Name", "text"), Field("Apple", "lookup", lookup_module="Apples")]
    org.add_module(Module("Pears", pears, generated_type="custom"))
    org.add_module(Module("Secrets", [Field("Name", "text")], viewable=False))
    for name in ("Apples", "Pears"):
        for number in range(4):
            org.insert(name, {"Name": f"{name} {number}"})
    return org


def worked(load):
    """Three runs: a first one, one with edits and a new column, one with deletions."""
    org = load.org
    load()
    org.clock.advance(days=1)
    org.add_field("Apples", Field("Colour", "text"))
    org.edit("Apples", org.records("Apples")[0].id, Name="edited")
    load()
    org.clock.advance(hours=1)
    org.drop_field("Apples", "Colour")
    org.delete("Pears", org.records("Pears")[0].id)
    load()
    load.let_go()


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """The three runs in a file, which each test copies."""
    folder, org = tmp_path_factory.mktemp("history"), company()
    with serve(org) as zoho:
        load = Loader(org, zoho.connection_string.rstrip("; "), folder)
        worked(load)
    shutil.copy(file_of(load), folder / "one_day.duckdb")
    for number, name in enumerate(("sync_runs", "sync_runs", "seat_counts", "seat_counts")):
        days_ago(load, name, 2 - number % 2, number % 2)
    return load


def days_ago(load, table, days, nth):
    """Let the nth run have been on an earlier day: a chart needs two."""
    at = "read_at" if table == "seat_counts" else "started_at"
    runs = sql(load, f"select run_id from zoho.{table} group by run_id order by min({at})")
    for column in {at, "finished_at"} if table == "sync_runs" else {at}:
        moved = f"{column} = {column} - interval {days} day"
        sql(load, f"update zoho.{table} set {moved} where run_id = '{runs[nth][0]}'")


@pytest.fixture
def one_day(history, tmp_path):
    """All three runs of one day, as after an evening with the demo."""
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(history.folder / "one_day.duckdb", folder / "crm.duckdb")
    return Loader(history.org, "", folder)


@pytest.fixture
def load(history, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(history.folder / "crm.duckdb", folder)
    return Loader(history.org, "", folder)


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Writes the page of a destination, and parses it."""

    def written(file=None, **settings):
        destination = "duckdb" if file else "postgres"
        for key, value in ({"credentials": str(file)} if file else settings).items():
            monkeypatch.setenv(f"DESTINATION__{destination}__{key}".upper(), str(value))
        options = Options(destination=destination, dataset="zoho", output=str(tmp_path / "page.html"))
        with open_destination(options) as look:
            path, _ = write_page(look, options)
        return Page(path.read_text(encoding="utf-8"))

    return written


def file_of(load):
    return load.folder / "crm.duckdb"


def cell(moment):
    """A time as the page spells it."""
    year = "" if moment.year == datetime.now(timezone.utc).year else f" {moment.year}"
    return f"{moment.day} {moment:%b}{year}, {moment:%H:%M}"


def sql(load, query):
    with duckdb.connect(str(load.folder / "crm.duckdb")) as database:
        database.execute("set timezone = 'UTC'")
        return database.execute(query).fetchall()


def check_figures(found, load, rows):
    """What the tables of the page say is what the destination holds."""
    shown = {row["table"]: row for row in found.tables["The tables of the modules"]}
    apples, pears = shown["apples"], shown["pears"]
    assert (apples["state"], apples["rows"], apples["created"]) == ("fresh", "4", "4")
    assert (pears["rows"], pears["created"]) == ("3", "3")
    assert re.fullmatch(r"\d+ (s|min|h) ago", apples["changed"])
    account = {row["table"]: row for row in found.tables["The tables of the account"]}
    assert account["users"]["rows"] == "1"
    month = f"{load.org.now() - timedelta(days=1):%b %Y}"
    assert {"month": month, "Apples": "4", "Pears": "3"} in found.tables["Records created a month"]
    ((credits,),) = rows("select sum(credits) from {sync_runs}")
    days = found.tables["API credits a day"]
    assert sum(int(row["run"].replace(",", "")) for row in days) == credits
    runs = rows(
        "select sum(credits), sum(rows_read) from {sync_runs} group by run_id order by min(started_at) desc"
    )
    shown = found.tables["The last runs"]
    assert [(row["credits"], row["rows read"]) for row in shown] == [(f"{c:,}", f"{r:,}") for c, r in runs]
    counts = found.tables["Rows of the largest tables"][0]
    assert (counts["Apples"], counts["Pears"]) == ("4", "3")
    today = f"{load.org.now().day} {load.org.now():%b}"
    assert found.tables["Deletions a day"] == [{"day": today, "in the recycle bin": "1"}]
    (gone,) = found.tables["Deletions by module"]
    assert list(gone.values()) == ["Pears", "1", "0", "0", today]
    seats = found.tables["Seats over time"]
    assert {(row["licences bought"], row["in use"]) for row in seats} == {("12", "1")}
    changes = {
        (row["table"], row["column"], row["what"])
        for row in found.tables["Columns that came, went or changed their type"]
    }
    assert changes == {
        ("apples", "colour", "came, text"),
        ("apples", "colour", "gone from Zoho; the column stays"),
    }
    assert {"module": "Secrets", "why": "this user may not view it"} in found.tables["Modules and tables"]
    assert {
        "module": "Apples",
        "fields": "Home",
        "why": "its parts are columns of their own",
    } in found.tables["Fields without a column"]
    proof = {row["table"]: row for row in found.tables["The last count and the last comparison of every id"]}
    assert (proof["pears"]["CRM count"], proof["pears"]["table then"]) == ("3", "3")
    assert found.tables["References"] == [{"table": "pears", "refers to": "apples", "by": "apple__id"}]


def test_the_figures_are_those_of_the_destination(load, page):
    found = page(file_of(load))
    check_figures(found, load, lambda query: sql(load, query.format(sync_runs="zoho.sync_runs")))
    assert "Zoho CRM sync of Lumen & Sons" in found.text
    assert "of the 62,000 that Zoho's formula gives this edition a day" in found.text


@pytest.mark.long
def test_what_a_table_says_of_its_records_is_counted_in_the_destination(load, page):
    sql(load, "update zoho.apples set modified_time = now() - interval 76 hour")
    sql(load, "update zoho.apples set created_time = now() - interval 75 day where name <> 'edited'")
    found = page(file_of(load))
    apples = next(row for row in found.tables["The tables of the modules"] if row["table"] == "apples")
    assert (apples["rows"], apples["created"], apples["changed"]) == ("4", "1", "3 d ago")
    month = f"{datetime.now(timezone.utc) - timedelta(days=75):%b %Y}"
    assert any(
        (row["month"], row["Apples"]) == (month, "3") for row in found.tables["Records created a month"]
    )


@pytest.mark.long
def test_postgres_gives_the_same_page(load_from, page, postgres):
    load = load_from(company())
    load.destination = dlt.destinations.postgres(postgres)
    worked(load)
    socket = {f"credentials__{name}": value for name, value in postgres.items()}
    found = page(**socket)
    check_figures(found, load, lambda query: load.rows(query.format(sync_runs="zoho.sync_runs")))


@pytest.mark.long
def test_each_chart_is_one_drawing_with_its_numbers_and_its_words(load, page):
    found = page(file_of(load))
    charts = [value for tag, name, value in found.attributes if (tag, name) == ("div", "aria-label")]
    for title in ("Changes a day", "Rows of the largest tables", "How long a run took", "API credits a day"):
        assert any(words.startswith(f"{title}. ") for words in charts)
        assert len(found.tables[title]) > 0
    assert found.tags["figure"] == 8
    # Two tables have a chart of their rows each; deletions are of one day, and no count differs.
    assert found.tags["svg"] == 7
    ids = Counter(value for _, name, value in found.attributes if name == "id")
    assert max(ids.values()) == 1
    assert "Each count of the CRM was the same as the table's." in found.text


@pytest.mark.long
def test_what_was_counted_on_one_day_is_a_number_and_no_dot_in_an_empty_frame(one_day, page):
    found = page(file_of(one_day))
    assert found.tags["svg"] == 1  # the records by the month in which they were created
    for title, tiles in {
        "Changes a day": "Pears 5 Apples 1 ",
        "Rows of the largest tables": "",
        "Deletions a day": "in the recycle bin 1 ",
        "Seats over time": "",
    }.items():
        assert len(found.tables[title]) > 0
        so_far = r" So far there is one day, \d+ \w{3} \d{4}; a chart begins with the second\. "
        assert re.search(f" {title} [^“]*{so_far}{tiles}The numbers of “{title}”", found.text), title


@pytest.mark.long
def test_a_table_that_was_counted_once_is_a_number_beside_the_charts(load, page):
    sql(load, "update zoho.sync_runs set table_count = null where module = 'Pears' and since is not null")
    found = page(file_of(load))
    words = "A number stands for a table that was counted on one day only. Pears 4 "
    assert words in found.text


@pytest.mark.long
def test_a_count_in_a_chart_is_written_out(load, page):
    sql(load, "update zoho.sync_runs set table_count = 5203 where module = 'Apples'")
    sql(load, "update zoho.sync_runs set credits = 40001234 where module = 'Apples'")
    words = page(file_of(load)).texts
    assert "5,203" in words
    assert "40,000,000" in words
    assert not [word for word in words if re.fullmatch(r"[\d.]+[kMGm]", word)]


@pytest.mark.long
def test_times_are_short_and_the_page_says_the_year_once(load, page):
    found = page(file_of(load))
    today = datetime.now(timezone.utc)
    assert re.search(rf", as of {today.day} {today:%b %Y}, \d\d:\d\d UTC\. 3 runs since ", found.text)
    assert re.fullmatch(r"\d+ [A-Z][a-z]{2}, \d\d:\d\d", found.tables["The last runs"][0]["started"])
    kept = r"Not read by each run: layouts, pipelines, tags \( read once a day, last on \d+ \w{3}, \d\d:\d\d UTC \)\."
    assert re.search(kept, found.text)
    assert not re.search(r"\d{4}-\d\d-\d\d", found.text)


@pytest.mark.long
def test_seats_compare_the_users_that_hold_a_licence_with_the_licences_bought(load_from, page):
    org = company()
    org.account.add_user("Ida", "Lewis")
    org.account.add_user("Not", "Yet", confirm=False)
    org.account.add_user("Paula", "Portal", type__s="Client Portal User")
    org.account.add_user("Sandy", "Box", type__s="Sandbox Developer User")
    org.account.add_user("Gone", "Home", status="inactive")
    ida = {"id": org.account.users[1]["id"], "name": "Ida Lewis"}
    org.edit(
        "Apples",
        org.records("Apples")[0].id,
        Modified_By=ida,
        Modified_Time=org.now() - timedelta(days=30, hours=12),
    )
    load = load_from(org)
    load()
    load.let_go()
    text = page(file_of(load)).text
    assert (
        "User licences bought 12 as Zoho’s licence details say In use 3 active users of type Regular User; 1 of"
        " them never accepted the invitation Free 9 bought and not in use Inactive users 1"
    ) in text
    assert "Portal users 1 of 0 portal licences Other active users 1" in text
    activity = page(file_of(load)).tables["Last activity of the users that hold a licence"]
    assert {row["last activity"]: row["users"] for row in activity} == {
        "in the last 7 days": "1",
        "8 to 30 days ago": "1",  # before the last run, which was a day ago
        "31 to 90 days ago": "0",
        "longer ago": "0",
        "none found": "1",
    }
    users = page(file_of(load)).tables["The users that hold a licence"]
    assert [(row["user"], row["invitation"]) for row in users][:2] == [
        ("Not Yet", "not accepted"),
        ("Ida Lewis", "accepted"),
    ]
    at = org.now() - timedelta(days=30, hours=12)
    assert [row["last activity"] for row in users][:2] == ["–", cell(at)]


def test_failures_stand_with_their_sentence_at_the_top_and_in_the_list_of_runs(load, page):
    newest = "(select run_id from zoho.sync_runs group by 1 order by min(started_at) {} limit 1)"
    for module, error, order in (("Pears", "refused today", "desc"), ("Apples", "refused then", "asc")):
        sql(
            load,
            f"update zoho.sync_runs set status = 'failed', error = '{error}'"
            f" where module = '{module}' and run_id = {newest.format(order)}",
        )
    found = page(file_of(load))
    assert "What fails Pears : refused today Last good run: " in found.text
    failures = [(row["module"], row["what happened"]) for row in found.tables["Failures"]]
    assert failures == [("Pears", "refused today"), ("Apples", "refused then")]
    assert "Nothing has failed in these runs." not in found.text


def test_nothing_of_the_crm_breaks_out_of_the_page(load, page):
    before = page(file_of(load))
    quoted = EVIL.replace("'", "''")
    for table, column in {
        "org": "company_name",
        "deleted_records": "module",
        "seat_counts": "edition",
    }.items():
        sql(load, f"update zoho.{table} set {column} = '{quoted}'")
    sql(load, f"update zoho.sync_runs set module = '{quoted}' || module where module in ('Pears', 'Secrets')")
    sql(load, f"update zoho.sync_runs set error = '{quoted}' where error is not null")
    sql(load, f"update zoho.fields set api_name = '{quoted}', skip_reason = skip_reason || '{quoted}'")
    found = page(file_of(load))
    assert found.tags.keys() == before.tags.keys()
    for tag in ("script", "img", "iframe", "object", "link", "a", "section", "figure", "head", "form"):
        assert found.tags[tag] == before.tags[tag], tag
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert found.text.count(" ".join(EVIL.split())) >= 5
    assert "49" not in found.tables["Modules and tables"][0]["why"]


def test_a_browser_has_nothing_to_load(load, page, tmp_path):
    found = page(file_of(load))
    assert found.tags["script"] == found.tags["link"] == found.tags["img"] == 0
    references = [
        value for _, name, value in found.attributes if name in ("href", "src", "xlink:href", "data")
    ]
    assert references
    assert all(value.startswith("#") for value in references)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "//" not in text.replace("<!--", "")
    assert re.findall(r"url\((?!#)|@import", text) == []
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes
    assert len(text) < 1_500_000


@pytest.mark.long
def test_an_account_whose_modules_are_left_out_has_a_page_of_sentences(load_from, page):
    org = Org()
    org.add_module(Module("Things"))
    load = load_from(org)
    load(never=["Things"])
    load.let_go()
    found = page(file_of(load))
    for sentence in (
        "No module has been loaded yet.",
        "No run has read single changes yet: the second one does.",
        "No record was deleted in these days.",
        "No column has come, gone or changed its type since the first run.",
        "No field is left out.",
        "No table refers to another one.",
    ):
        assert sentence in found.text


def test_the_command_writes_the_page_and_prints_where_it_is(load, command, monkeypatch, tmp_path):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(file_of(load)))
    done = command("report", "--dataset", "zoho")
    assert (done.code, done.err) == (0, "")
    *before, last = done.out.splitlines()
    assert before[-1] == f"Wrote {tmp_path / 'zoho_report.html'}"
    text = Page((tmp_path / "zoho_report.html").read_text(encoding="utf-8")).text
    word, _, sentence = command("status", "--dataset", "zoho").out.splitlines()[-1].partition(": ")
    assert f"{word} {sentence}" in text
    assert last.startswith(f"{word}: {sentence}")
    kept = (tmp_path / "zoho_report.html").read_bytes()
    done = command("report", "--dataset", "zoho", "--output", "nowhere/page.html")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cannot be written (No such file or directory)" in done.err
    (tmp_path / "folder").mkdir()
    done = command("report", "--dataset", "zoho", "--output", "folder")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert (tmp_path / "zoho_report.html").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir() if "html" in path.name] == ["zoho_report.html"]


def test_a_missing_library_is_one_sentence(load, command, monkeypatch):
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(file_of(load)))
    for name in [n for n in sys.modules if n.startswith(f"{html_report.__name__}.")]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(html_report, name.rpartition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    done = command("report", "--dataset", "zoho")
    assert done.code == 2
    assert done.err.startswith(
        "Error: report needs a library that is not installed (vl_convert): run `make setup`"
    )


@pytest.mark.parametrize(
    ("edition", "licenses", "limit"),
    [
        ("enterprise", 12, 62_000),
        ("Enterprise", 10_000, 5_000_000),
        ("standard", 1_000, 100_000),
        ("free", None, 5_000),
        ("Zoho One", 3, 53_000),
        ("ultimate", 10_000, 20_050_000),
        ("enterprise", None, None),
        ("trial of something", 5, None),
        (None, None, None),
    ],
)
def test_the_limit_of_credits_is_zohos_formula(edition, licenses, limit):
    assert CRM.credits_a_day(edition, licenses) == limit

"""`files` and `verify --files`: the bytes of Zoho's files in a folder, each with its row, whatever goes wrong."""

from __future__ import annotations

import errno
import hashlib
import shutil
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from pipelines.zoho_crm.files.command import FilesRun
from simulators.zoho_crm import Field, Module, Org
from tests.support.commanding import account, command, landed, quick

__all__ = ["account", "command", "quick"]  # fixtures
ATTACHMENT = "GET /crm/v8/{module}/{id}/Attachments/{attachment_id}"
PHOTO = "GET /crm/v8/{module}/{id}/photo"
LARGE = bytes(range(256)) * 4_000  # a megabyte


@pytest.fixture
def org():
    """Files of every kind: two that are equal, an empty one, a large one, and one of a note."""
    org = Org()
    parent = Field("Parent_Id", "multi_module_lookup")
    papers = [
        Field("Papers", "fileupload"),
        Field("Pictures", "imageupload"),
        Field("Record_Image", "profileimage"),
    ]
    org.add_module(Module("Deals", [Field("Name", "text"), *papers]))
    org.add_module(Module("Contacts", [Field("Name", "text"), *papers]))
    org.add_module(Module("Tasks", [Field("Subject", "text")]))
    org.add_module(Module("Notes", [Field("Note_Title", "text"), parent]))
    org.add_module(Module("Attachments", [Field("File_Name", "text"), Field("Size", "bigint"), parent]))
    deal = org.insert("Deals", {"Name": "Boat", "Papers": upload(org, "plan.pdf", b"plan")})
    contact = org.insert(
        "Contacts", {"Name": "Anna", "Record_Image": "image1", "Pictures": upload(org, "me.jpg", b"me")}
    )
    note = org.insert("Notes", {"Note_Title": "A note", "Parent_Id": of("Deals", deal)})
    attach(org, "Deals", deal, "offer.pdf", b"The offer.")
    attach(org, "Deals", deal, "offer.pdf", b"The offer.")
    attach(org, "Deals", deal, "empty.txt", b"")
    attach(org, "Tasks", org.insert("Tasks", {"Subject": "Call"}), "large.bin", LARGE)
    attach(org, "Notes", note, "voice.mp3", b"voice")
    attach(org, "Contacts", contact, "letter.txt", b"Dear Anna")
    return org


def of(module, id):
    return {"id": id, "name": None, "module": module}


def attach(org, module, id, name, content, size=None):
    values = {"File_Name": name, "Size": len(content) if size is None else size, "Parent_Id": of(module, id)}
    made = org.insert("Attachments", values)
    org.contents.put(made, content)
    return made


def upload(org, name, content):
    id = org.new_id()
    org.contents.put(id, content)
    return [{"id": id, "File_Id__s": f"f{id}", "File_Name__s": name, "Size__s": len(content)}]


def ids(org, module="Attachments"):
    return [record.id for record in org.records(module)]


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Where the database of the first run is kept: the same account makes the same one."""
    return tmp_path_factory.mktemp("synced") / "zoho.duckdb"


@pytest.fixture
def synced(account, command, quick, database):
    """`synced()` brings the tables up to date, the first time as an earlier test has left them."""

    def run(*words, fresh=False):
        if fresh or Path("zoho.duckdb").exists() or not database.exists():
            assert command("run", "--progress", "off", "--quiet", *words).code == 0
        if not fresh and not database.exists():
            shutil.copy("zoho.duckdb", database)
        if not Path("zoho.duckdb").exists():
            shutil.copy(database, "zoho.duckdb")

    return run


def rows(columns="name, state", where="true"):
    return landed("zoho.duckdb", f"select {columns} from zoho_crm.files where {where} order by all")


def whole(folder="out"):
    """Every copy has the bytes that its row says; gives the contents by path."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file() and not path.name.startswith(".part-")
    }
    told = dict(rows("path, (size, sha256)", "state = 'copied'"))
    assert {p: (len(c), hashlib.sha256(c).hexdigest()) for p, c in found.items()} == told
    return found


def downloads(org):
    return [
        call for call in org.ledger if call.route in (ATTACHMENT, PHOTO) or "download_fields" in call.route
    ]


def test_every_file_is_copied_with_its_bytes_and_equal_ones_once(org, synced, command):
    synced()
    done = command("files", "out", "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert sorted(name for name, state in rows() if state == "copied") == sorted(
        [
            "offer.pdf",
            "offer.pdf",
            "empty.txt",
            "large.bin",
            "voice.mp3",
            "letter.txt",
            "plan.pdf",
            "me.jpg",
            "photo",
        ]
    )
    found = whole()
    assert sorted(found.values(), key=len)[:2] == [b"", b"me"]
    assert sorted(p.split("/")[0] for p in found) == ["contacts"] * 3 + ["deals"] * 3 + ["notes", "tasks"]
    assert rows("type, size_in_zoho", "name = 'large.bin'") == [("application/octet-stream", len(LARGE))]
    assert [path.suffix for path in Path("out").rglob("photo*")] == [".png"]
    assert rows("distinct kind, field") == [
        ("attachment", None),
        ("field", "Papers"),
        ("field", "Pictures"),
        ("photo", "Record_Image"),
    ]
    assert done.events[-1]["credits"] == 9
    before = len(org.ledger)
    assert command("files", "out").code == 0
    assert len(org.ledger) == before


@pytest.mark.long
def test_plan_says_what_it_would_take(org, synced, command):
    synced()
    (told,) = [event for event in command("plan", "--format", "json").events if event["event"] == "files"]
    assert (told["files"], told["credits"]) == (9, 9)
    assert told["bytes"] == sum(size or 0 for _, size in _stated(org))
    command("files", "out")
    assert "files FOLDER" not in command("plan").out


def _stated(org):
    yield from ((record.id, record.values["Size"]) for record in org.records("Attachments"))
    yield from ((None, 4), (None, 2))


def test_what_is_not_copied_says_why(org, synced, command):
    link, gone, *_ = ids(org)
    stale = next(r.id for r in org.records("Attachments") if r.values["File_Name"] == "voice.mp3")
    org.contents.make_link(link)
    org.contents.lose(gone)
    org.contents.put(stale, b"another voice")  # the row states the old size
    org.contents.lose(org.records("Deals")[0].values["Papers"][0]["id"])
    synced()
    done = command("files", "out", "--max-size", "500kB", "--exclude", "Contacts")
    assert (done.code, done.err) == (0, "")
    assert rows("name, state, size, size_in_zoho") == [
        ("empty.txt", "copied", 0, 0),
        ("large.bin", "too_large", len(LARGE), len(LARGE)),
        ("offer.pdf", "gone", None, 10),
        ("offer.pdf", "link", None, 10),
        ("plan.pdf", "gone", None, 4),
        ("voice.mp3", "copied", 13, 5),
    ]
    assert "large.bin: 1,024,000 bytes by Zoho's record" in done.out
    whole()
    before = len(org.ledger)
    command("files", "out", "--max-size", "500kB", "--exclude", "Contacts")
    assert len(org.ledger) == before
    assert command("files", "out").code == 0
    assert rows("state", "name = 'large.bin'") == [("copied",)]


@pytest.mark.long
def test_a_file_that_is_larger_than_its_record_says_is_not_read_to_its_end(org, synced, command):
    org.contents.put(ids(org)[0], LARGE)
    synced()
    command("files", "out", "--max-size", "1kB", "--modules", "Deals")
    assert rows("state, size_in_zoho", "reason like 'larger than the limit%'") == [("too_large", 10)]


@pytest.mark.cases(1)
@pytest.mark.parametrize("honoured", [True, False])
def test_a_download_that_is_cut_goes_on_or_begins_again(org, synced, command, honoured):
    org.quirks.file_ranges = honoured
    synced()
    org.faults.add(ATTACHMENT, module="Tasks", cut_after=300_000)
    assert command("files", "out").code == 0
    assert LARGE in whole().values()
    assert not any(state != "copied" for _, state in rows())
    assert (206 in {call.status for call in downloads(org)}) is honoured
    assert len(downloads(org)) == 9 + 1


def test_files_of_a_killed_run_are_not_downloaded_again(org, synced, command, monkeypatch):
    """Every file is in its place, and no row has landed; photos have no size to know them by."""

    def die(*_):
        raise KeyboardInterrupt

    synced()
    with monkeypatch.context() as patch:
        patch.setattr(FilesRun, "_load", die)
        assert command("files", "out").code == 130
    before = len(downloads(org))
    assert command("files", "out").code == 0
    assert len(rows("name", "state = 'copied'")) == 9
    again = downloads(org)[before:]
    equal = [
        call for call in again if call.route == ATTACHMENT
    ]  # the second of two equal files has no place of its own
    assert ([call.route for call in again if call.route != ATTACHMENT], len(equal)) == ([PHOTO], 1)
    whole()


def test_a_full_folder_leaves_no_half_file_and_what_was_copied_stays(org, synced, command, monkeypatch):
    put, calls = LocalFileSystem.put_file, []

    def filling(self, local, remote, **options):
        calls.append(remote)
        if len(calls) > 3:
            Path(remote).write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, local, remote, **options)

    synced()
    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "put_file", filling)
        patch.setattr(LocalFileSystem, "rm_file", lambda *_: None)  # as if the process had died
        done = command("files", "out")
    assert done.code == 1
    assert done.err.startswith("Error: The disk is full: make room and run again.")
    assert len(whole()) == 3
    before = len(downloads(org))
    assert command("files", "out").code == 0
    assert (len(whole()), len(rows())) == (8, 9)
    assert before + 9 - len(downloads(org)) >= 3


def test_a_file_whose_record_is_read_later_is_copied_then(org, synced, command):
    synced("--modules", "Contacts,Attachments", fresh=True)
    assert command("files", "out", "--exclude", "Nothing_of_the_kind").code == 0
    assert rows("distinct state", "name <> 'letter.txt' and kind = 'attachment'") == [("skipped",)]
    assert command("files", "out", "--modules", "Contacts").code == 0
    assert rows("count(*)", "deleted_at is not null") == [(0,)]
    synced(fresh=True)
    assert command("files", "out", "--exclude", "Attachments").code == 0
    assert rows("distinct state", "name <> 'letter.txt' and kind = 'attachment'") == [("skipped",)]
    assert command("files", "out").code == 0
    assert rows("state, count(*)", "true group by all") == [("copied", 9)]
    whole()


def test_a_file_that_was_gone_with_its_record_is_copied_when_both_are_back(org, synced, command):
    gone = next(r.id for r in org.records("Attachments") if r.values["File_Name"] == "letter.txt")
    org.contents.lose(gone)
    synced()
    command("files", "out")
    assert rows("state", "name = 'letter.txt'") == [("gone",)]
    org.delete("Attachments", gone)
    org.clock.advance(minutes=5)
    synced()
    command("files", "out")
    assert rows("deleted_at is not null", "name = 'letter.txt'") == [(True,)]
    org.restore("Attachments", gone)
    org.contents.put(gone, b"Dear Anna")
    org.clock.advance(minutes=5)
    synced()
    command("files", "out")
    assert rows("state, deleted_at", "name = 'letter.txt'") == [("copied", None)]


def test_files_that_fail_come_after_those_that_do_not(org, synced, command):
    for number in range(6):
        attach(org, "Deals", ids(org, "Deals")[0], f"{number}.txt", b"%d" % number)
    synced(fresh=True)
    org.faults.add(ATTACHMENT, module="Deals", times=1_000, status=500)
    assert command("files", "out").code == 1
    attach(org, "Tasks", ids(org, "Tasks")[0], "new.txt", b"new")
    org.clock.advance(minutes=5)
    synced()
    before = len(downloads(org))
    assert command("files", "out").code == 1
    assert rows("state", "name = 'new.txt'") == [("copied",)]
    assert any("Tasks" in call.path for call in downloads(org)[before : before + 5])  # five go at a time


@pytest.mark.long
def test_a_limit_of_credits_is_kept_and_the_next_run_goes_on(org, synced, command):
    synced()
    done = command("files", "out", "--max-credits", "4")
    assert (done.code, "limit of 4 API credits" in done.err) == (6, True)
    assert len(rows("name", "state = 'copied'")) == 4
    assert command("files", "out").code == 0
    assert (len(rows()), len(downloads(org))) == (9, 9)
    whole()


@pytest.mark.long
def test_one_file_that_fails_leaves_the_others_and_is_tried_again(org, synced, command):
    synced()
    org.faults.add(ATTACHMENT, module="Notes", times=6, status=500)
    done = command("files", "out")
    assert (done.code, done.err) == (1, "Error: 1 file failed: run it again, which copies only these.\n")
    assert rows("name", "state = 'failed'") == [("voice.mp3",)]
    assert command("files", "out").code == 0
    assert rows("reason", "name = 'voice.mp3'") == [(None,)]
    whole()


@pytest.mark.long
def test_zoho_is_down_and_what_it_refuses_is_not_asked_for_each_file(org, synced, command):
    deal = ids(org, "Deals")[0]
    for number in range(30):
        attach(org, "Deals", deal, f"{number}.txt", b"%d" % number)
    synced(fresh=True)
    fault = org.faults.add(ATTACHMENT, times=1_000, status=500)
    done = command("files", "out")
    assert (done.code, "500 INTERNAL_ERROR" in done.err) == (1, True)
    assert 0 < len(rows("name", "state = 'failed'")) < 20
    fault.times = 0
    refused = org.faults.add(ATTACHMENT, times=1_000, module="Deals", status=403, body=NO_PERMISSION)
    assert command("files", "out").code == 1
    assert refused.seen < 5 + 5  # as many as tell that all are refused, and those that are under way
    assert {state for _, state in rows(where="module = 'Deals' and kind = 'attachment'")} == {"failed"}
    assert rows("state", "name = 'letter.txt'") == [("copied",)]


NO_PERMISSION = {"code": "NO_PERMISSION", "details": {}, "message": "permission denied", "status": "error"}


def test_a_changed_byte_is_found_without_credentials_and_repaired(org, synced, command, monkeypatch):
    synced()
    command("files", "out")
    good = whole()
    assert command("verify", "--files", "out").code == 0
    large, letter = (next(Path("out").rglob(f"{name}*")) for name in ("large", "letter"))
    with large.open("r+b") as file:
        file.seek(500_000)
        file.write(b"X")
    letter.unlink()
    with monkeypatch.context() as away:
        away.delenv("SOURCES__ZOHO_CRM__CREDENTIALS")
        done = command("verify", "--files", "out")
    assert done.code == 4
    assert "has other content: its SHA-256 differs" in done.out
    assert "is missing" in done.out
    assert done.err == "Error: 2 files differ: files FOLDER --repair copies them again.\n"
    assert command("files", "out", "--repair").code == 0
    assert whole() == good


@pytest.mark.long
def test_a_deleted_file_keeps_its_copy_and_a_restored_one_its_row(org, synced, command):
    synced()
    command("files", "out")
    before, gone = whole(), ids(org)[5]
    org.clock.advance(hours=1)
    org.delete("Attachments", gone)
    synced()
    command("files", "out")
    assert rows("name", "deleted_at is not null") == [("letter.txt",)]
    assert whole() == before
    org.clock.advance(hours=1)
    org.restore("Attachments", gone)
    synced()
    command("files", "out")
    assert rows("name", "deleted_at is not null") == []


@pytest.mark.long
def test_a_new_version_of_a_photo_gets_a_path_of_its_own(org, synced, command):
    synced()
    command("files", "out")
    before, anna = whole(), ids(org, "Contacts")[0]
    org.clock.advance(hours=1)
    org.edit("Contacts", anna, Record_Image="image2")
    org.contents.put(anna, b"GIF89a")
    synced()
    assert command("files", "out").code == 0
    (path,) = (row[0] for row in rows("path", "kind = 'photo'"))
    assert (Path("out", path).read_bytes(), Path(path).suffix) == (b"GIF89a", ".gif")
    assert all(Path("out", earlier).exists() for earlier in before)


@pytest.mark.long
def test_hidden_fields_have_no_files_and_only_the_named_modules_are_copied(org, synced, command):
    rules = ("--privacy", "Contacts.Record_Image: mask; *.Pictures: drop")
    synced(*rules, fresh=True)
    assert command("files", "out", *rules, "--modules", "contacts").code == 0
    assert [name for name, _ in rows()] == ["letter.txt"]
    done = command("files", "out", "--modules", "Contracts")
    assert (done.code, done.err) == (
        2, "Error: files: no module Contracts was read into a table here; did you mean Contacts?\n",
    )  # fmt: skip


@pytest.mark.long
def test_another_folder_gets_what_the_first_one_has_without_a_call_if_it_is_there(org, synced, command):
    synced()
    command("files", "out")
    shutil.copytree("out", "moved")
    next(Path("moved").rglob("letter*")).write_bytes(b"torn")
    before = len(downloads(org))
    assert command("files", "moved").code == 0
    assert len(downloads(org)) == before + 1
    assert len(whole("moved")) == 8


def test_nothing_was_synced_or_the_folder_is_none(account, command):
    assert "Nothing was ever synced here" in command("files", "out").err
    assert not Path("zoho.duckdb").exists()
    assert command("files", "out", "--max-size", "much").code == 2

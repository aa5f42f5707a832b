"""The folder or bucket of files: any name is harmless, and what has a name is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from sources.zoho_crm.exceptions import SettingsError, StorageError
from sources.zoho_crm.extract.file_store import FileStore
from sources.zoho_crm.extract.files import ZohoFile

NAMES = [
    "offer.pdf", "../../etc/passwd", "..", "", " . ", "nul\x00l.txt", "a/b\\c:d*e?.txt", "CON", "con.txt", "🛟" * 300,
    "x" * 500 + ".tar.gz", "name." + "y" * 300, "\u202egpj.exe", "\ud800.txt", "line\nbreak", "-rf", "~", "%2e%2e%2f", "é",
]  # fmt: skip


def file(name, id="1", version="1"):
    return ZohoFile("attachment", id, "Deals", "deals", "5725767000000100001", name, version)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_becomes_a_file_in_the_folder_of_its_record(name, tmp_path):
    store, local = FileStore(str(tmp_path / "a folder")), tmp_path / "local"
    local.write_bytes(b"content")
    path = file(name).path
    store.put(local, path)
    (made,) = (tmp_path / "a folder" / "deals" / "5725767000000100001").iterdir()
    assert made.read_bytes() == b"content"
    assert made.name.isprintable()
    assert len(made.name.encode()) < 200
    assert store.sha256(path)[0] == 7


def test_no_two_files_and_no_two_versions_have_one_path():
    files = [file(name, id, version) for name in NAMES for id in "12" for version in "12"]
    assert len({one.path.casefold() for one in files if one.name == ".."}) == 4
    assert len({one.path.casefold() for one in files if one.name in ("CON", "con.txt")}) == 8
    assert file("offer.pdf").path.endswith(".pdf")


def test_a_bucket_that_takes_only_a_part_has_no_file(tmp_path, monkeypatch):
    store, local = FileStore("memory://bucket/zoho"), tmp_path / "local"
    local.write_bytes(b"0123456789")
    store.put(local, "deals/1/whole")
    assert MemoryFileSystem.store["/bucket/zoho/deals/1/whole"].getvalue() == b"0123456789"
    put = MemoryFileSystem.put_file

    def short(self, local, remote, **options):
        put(self, local, remote, **options)
        self.pipe_file(remote, b"0123")

    monkeypatch.setattr(MemoryFileSystem, "put_file", short)
    with pytest.raises(StorageError, match="4 of 10 bytes arrived"):
        store.put(local, "deals/1/half")
    assert store.size("deals/1/half") is None
    assert store.sha256("deals/1/half") is None


@pytest.mark.parametrize("url", ["nope://bucket", "s3://bucket"])
def test_what_cannot_be_opened_is_a_sentence(url):
    with pytest.raises(SettingsError, match="cannot be used"):
        FileStore(url)


def test_a_password_in_the_address_is_not_told(tmp_path):
    with pytest.raises(SettingsError) as told:
        FileStore("nope://me:secret@host/x")
    assert "secret" not in str(told.value)
    assert Path(FileStore(str(tmp_path)).url) == tmp_path

"""The file that processes share tokens in."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import threading

import pytest

from sources.zoho_crm.auth.token_store import Token, TokenCache, cache_key

TOKEN = Token("1000.aa.bb", "https://www.zohoapis.com", 1234.5, "A.READ B.READ")
KEY = cache_key("accounts.zoho.com", "1000.ABC", "Production", "", "s3cret")


def file_of(folder):
    (found,) = folder.glob("*.json")
    return found


def save(cache, token=TOKEN):
    with cache.locked(KEY):
        cache.save(KEY, token)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_another_cache_in_the_same_place_finds_the_token(tmp_path):
    save(TokenCache(str(tmp_path)))
    assert TokenCache(str(tmp_path)).load(KEY) == TOKEN
    assert TokenCache(str(tmp_path)).load(cache_key("other")) is None


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_folder_and_its_files_are_the_owners_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        save(TokenCache(str(tmp_path / "new" / "cache")))
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "cache"
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    save(TokenCache(str(tmp_path)))
    assert mode(tmp_path) == 0o755


def test_the_key_and_the_file_name_tell_nothing_of_the_secret(tmp_path):
    save(TokenCache(str(tmp_path)))
    assert "s3cret" not in KEY + file_of(tmp_path).name + file_of(tmp_path).read_text()
    assert cache_key("a", "b\nc") != cache_key("a\nb", "c")


def test_a_token_does_not_show_itself():
    assert "1000.aa.bb" not in repr(TOKEN) + str(TOKEN)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"format": 1}',
        b'{"format": 99, "key": "KEY", "token": {"access_token": "x"}}',
        b'{"format": 1, "key": "another", "token": {"access_token": "x"}}',
        b'{"format": 1, "key": "KEY", "token": {"access_token": ""}}',
        b'{"format": 1, "key": "KEY", "token": {"access_token": 5}}',
        b'{"format": 1, "key": "KEY", "token": {"access_token": "x", "expires_at": "soon"}}',
        b'{"format": 1, "key": "KEY", "token": {"access_token": "x", "more": 1}}',
        b'{"format": 1, "key": "KEY", "token": "x"}',
    ],
)
def test_a_broken_or_foreign_file_counts_as_none_and_is_written_anew(tmp_path, content):
    save(TokenCache(str(tmp_path)))
    file_of(tmp_path).write_bytes(content.replace(b"KEY", KEY.encode()))
    cache = TokenCache(str(tmp_path))
    assert cache.load(KEY) is None
    save(cache)
    assert json.loads(file_of(tmp_path).read_text())["token"] == dataclasses.asdict(TOKEN)


def test_a_location_that_is_a_file_of_another_tool_is_left_alone(tmp_path):
    foreign = tmp_path / "OAuthSettings.txt"
    foreign.write_text("CData's")
    save(TokenCache(str(foreign)))
    assert foreign.read_text() == "CData's"
    assert TokenCache(str(foreign)).load(KEY) == TOKEN
    assert file_of(tmp_path).name.startswith("OAuthSettings-")


def test_a_place_that_cannot_be_written_is_one_warning_and_memory(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    cache = TokenCache(str(tmp_path / "file" / "cache"))
    save(cache)
    save(cache, dataclasses.replace(TOKEN, scope=None))
    assert cache.load(KEY) == dataclasses.replace(TOKEN, scope=None)
    assert len(caplog.records) == 1
    assert "OAuthSettingsLocation" in caplog.text


def test_a_disk_that_fills_up_while_writing_is_one_warning_and_memory(tmp_path, caplog, monkeypatch):
    cache = TokenCache(str(tmp_path))
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError(28, "No space left")))
    save(cache)
    assert cache.load(KEY) == TOKEN
    assert len(caplog.records) == 1


def test_memory_as_location_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cache = TokenCache("memory://")
    save(cache)
    assert cache.load(KEY) == TOKEN
    assert list(tmp_path.iterdir()) == []


def test_without_a_location_the_users_cache_folder_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    save(TokenCache())
    assert len(list(tmp_path.glob("zoho_crm_pipeline/token-*.json"))) == 1


def test_whoever_waits_too_long_for_the_lock_goes_on_without_it(tmp_path, caplog):
    with TokenCache(str(tmp_path)).locked(KEY), TokenCache(str(tmp_path), patience=0).locked(KEY):
        assert "going on without it" in caplog.text


def test_threads_of_one_cache_take_turns(tmp_path):
    for location in (str(tmp_path), "memory://"):
        cache = TokenCache(location)
        inside, most = [], []

        def work(cache=cache, inside=inside, most=most):
            for _ in range(20):
                with cache.locked(KEY):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(most) == 80
        assert set(most) == {1}

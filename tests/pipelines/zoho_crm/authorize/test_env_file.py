"""The settings inside a .env file: what changes is the account's, and every other letter stays."""

from __future__ import annotations

import io
import os
import stat

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.zoho_crm.authorize.env_file import EnvFile, changed
from sources.zoho_crm.auth.connection_string import join_settings, split_settings
from sources.zoho_crm.auth.credentials import KEY
from sources.zoho_crm.exceptions import SettingsError

NEW = {"OAuthRefreshToken": "1000.new.token"}
ALL = {"OAuthClientId": "1000.ABC", "OAuthClientSecret": "secret", "Region": "US"}


def values(text):
    return dotenv_values(stream=io.StringIO(text.removeprefix("\ufeff"), newline=""), interpolate=False)


def account(text):
    return dict(split_settings(values(text)[KEY]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{KEY}=OAuthRefreshToken=old;Region=EU\n", f"{KEY}='OAuthRefreshToken=1000.new.token;Region=EU'\n"),
        (
            f"# mine\nexport {KEY} = 'Region = EU; OAuthRefreshToken=\"o;ld\" ;' # yes\nOTHER=1",
            f"# mine\nexport {KEY}='Region = EU; OAuthRefreshToken=\"1000.new.token\" ;' # yes\nOTHER=1",
        ),
        (
            f'A=1\n{KEY}="\n  Region=EU;\n  Schema=\\"v8\\";\\n  OAuthRefreshToken=x;\n"\nB=2 # b\n',
            f"A=1\n{KEY}='\n  Region=EU;\n  Schema=\"v8\";\n  OAuthRefreshToken=1000.new.token;\n'\nB=2 # b\n",
        ),
        (f"{KEY}=\nB=2\n", f"{KEY}='OAuthRefreshToken=1000.new.token;'\nB=2\n"),
        (f'{KEY}="" # none yet\n', f"{KEY}='OAuthRefreshToken=1000.new.token;' # none yet\n"),
        (f"{KEY}=Region=EU # see x\n", f"{KEY}='Region=EU;OAuthRefreshToken=1000.new.token;' # see x\n"),
        (
            f"{KEY}=OAuthRefreshToken=a\nB\n{KEY}=OAuthRefreshToken=b\n",
            f"{KEY}='OAuthRefreshToken=1000.new.token'\nB\n{KEY}='OAuthRefreshToken=1000.new.token'\n",
        ),
        (
            f"{KEY}__OAUTH_REFRESH_TOKEN=old # o\n{KEY}__REGION=EU\n",
            f"{KEY}__OAUTH_REFRESH_TOKEN='1000.new.token' # o\n{KEY}__REGION=EU\n",
        ),
        (
            f"{KEY}__OAUTH_REFRESH_TOKEN=old\n{KEY}=Region=EU;OAuthRefreshToken=x\n",
            f"{KEY}__OAUTH_REFRESH_TOKEN='1000.new.token'\n{KEY}='Region=EU;OAuthRefreshToken=1000.new.token'\n",
        ),
        (
            f"{KEY}__OAUTH_REFRESH_TOKEN=old\n{KEY}=Region=EU",
            f"{KEY}__OAUTH_REFRESH_TOKEN='1000.new.token'\n{KEY}=Region=EU",
        ),
    ],
)
def test_the_token_changes_where_it_stands_and_nothing_else_does(text, expected):
    after = changed(text, {}, NEW)
    assert after == expected
    assert "1000.new.token" in "".join(map(str, values(after).values()))


@pytest.mark.parametrize("text", ["", "\ufeff", "A=1", "A=1\n# no account\n", "= broken\n"])
def test_a_file_without_an_account_gets_a_line_with_all_of_it(text):
    after = changed(text, ALL, NEW)
    assert after.startswith(text)
    assert account(after) == {**ALL, **NEW}


def test_separate_keys_get_separate_keys():
    after = changed(f"{KEY}__OAUTH_CLIENT_ID=1000.ABC", ALL, NEW)
    assert after == (
        f"{KEY}__OAUTH_CLIENT_ID=1000.ABC\n{KEY}__OAUTH_CLIENT_SECRET='secret'\n{KEY}__REGION='US'\n"
        f"{KEY}__OAUTH_REFRESH_TOKEN='1000.new.token'\n"
    )


def test_what_is_taken_out_is_gone():
    after = changed(f"{KEY}=A=1;OAuthVerifier=x;B=2\n{KEY}__OAUTH_VERIFIER=y\n", {}, {"OAuthVerifier": None})
    assert after == f"{KEY}='A=1;B=2'\n{KEY}__OAUTH_VERIFIER=''\n"


LINES = st.sampled_from(
    [
        "\n",
        "# a comment\n",
        "A=1\n",
        "B='x\ny'\n",
        'export C = "a\\"b" # c\n',
        "D\n",
        "= odd\n",
        "E=ü$H\n",
    ]
)
PAIRS = st.dictionaries(
    st.sampled_from(["Region", "OAuthClientId", "OAuthRefreshToken", "Scope"]),
    st.text(alphabet="ab1 ;='\"#\\\n$é") | st.text(st.characters(exclude_characters="\r\x00", codec="utf-8")),
)
QUOTES = st.sampled_from(["'{}'", '"{}"'])


@given(st.lists(LINES), st.lists(LINES), PAIRS, PAIRS, QUOTES)
@example([], [], {"Region": "\\"}, {"Scope": "'"}, "'{}'")
def test_whatever_stands_in_a_file_stays_and_the_account_is_read_back(before, behind, old, new, quotes):
    quote = quotes[0]
    written = join_settings(old.items()).replace("\\", "\\\\").replace(quote, f"\\{quote}")
    first, last = "".join(before), "".join(behind)
    text = f"{first}{KEY}={quotes.format(written)}\n{last}"
    after = changed(text, {}, new)
    assert account(after) == {**old, **new}
    # The blank lines above the account's go: for dotenv they belong to it.
    assert (after.startswith(first.rstrip("\n")), after.endswith(last)) == (True, True)
    others = {name: value for name, value in values(text).items() if name != KEY}
    assert {name: value for name, value in values(after).items() if name != KEY} == others


@given(st.lists(LINES), PAIRS.filter(bool))
def test_a_new_account_is_read_back(lines, new):
    text = "".join(lines)
    after = changed(text, new, {})
    assert after.startswith(text)
    assert account(after) == new


def test_the_file_is_written_whole_for_its_owner_alone_and_a_link_stays_one(tmp_path):
    (tmp_path / "kept").mkdir()
    real, link = tmp_path / "kept" / "real.env", tmp_path / ".env"
    real.write_text("A=1\n")
    real.chmod(0o644)
    link.symlink_to(real)
    written = EnvFile(link).write(ALL, NEW)
    assert written == {KEY: join_settings({**ALL, **NEW}.items())}
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert real.read_text().startswith("A=1\n")
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["real.env"]


def test_a_file_that_fails_to_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        EnvFile(path).write(ALL, NEW)
    assert path.read_text() == "A=1\n"
    assert [p.name for p in tmp_path.iterdir()] == [".env"]


def test_a_place_that_cannot_be_written_is_told_before_a_code_is_spent(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere" / ".env"):
        with pytest.raises(SettingsError, match=r"cannot be (written|read)"):
            EnvFile(path).check_writable()
    (tmp_path / "open.env").write_text("A=1\n'\n")
    with pytest.raises(SettingsError, match="a line that cannot be read"):
        EnvFile(tmp_path / "open.env").check_writable()
    (tmp_path / "odd.env").write_bytes(b"A=\xff\xfe")
    with pytest.raises(SettingsError, match="odd.env cannot be read"):
        EnvFile(tmp_path / "odd.env")
